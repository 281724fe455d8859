"""Convolution and batch normalisation by given statistics in one pass, for
predictions."""

from typing import Any

import numpy as np

from minikeras.kernels import conv as kernels
from minikeras.kernels.windows import Geometry
from minikeras.ops.standardize import coefficients


def convolve_normalized(
    x: np.ndarray,
    w: np.ndarray,
    bias: Any,
    mean: np.ndarray,
    variance: np.ndarray,
    gamma: Any,
    beta: Any,
    *,
    epsilon: float,
    geometry: Geometry,
    relu: bool,
) -> np.ndarray:
    """(convolve(x, w) + bias - mean) / sqrt(variance + epsilon) * gamma + beta, then
    ReLU if asked.

    All arrays are plain ones; bias, gamma and beta may be None.
    """
    vectors = mean, variance, gamma, beta
    scale, offset, shift = coefficients(*vectors, epsilon, x.dtype)
    return kernels.convolve_normalized(x, w, bias, scale, offset, shift, geometry, relu)
