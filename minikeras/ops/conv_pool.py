"""Derivatives of convolution and max pooling in one pass; letters as in
`kernels/conv_pool.py`."""

from typing import Any

from minikeras.kernels import conv_pool as kernels
from minikeras.kernels.windows import Geometry
from minikeras.ops.base import Array, fused, plain
from minikeras.ops.convolution import conv_bias
from minikeras.ops.pooling import max_windows

fits = kernels.fits


def _forward(x, w, bias, *, geometry, pool, relu, kept):
    y, found = kernels.forward(x, w, bias, geometry, pool, relu, kept is not None)
    if kept is not None:
        kept[:] = found
    return y


def _backward(argnums, g, y, x, w, bias, *, geometry, pool, relu, kept):
    wanted = "".join("xwb"[n] for n in argnums)
    return kernels.backward(x, w, bias, y, kept, g, geometry, pool, relu, wanted)


def _composed(x, w, bias, *, geometry, pool, relu, kept):
    y = conv_bias(x, w, bias, geometry=geometry, relu=relu)
    return max_windows(y, geometry=pool)


_conv_pool = fused(_forward, _backward, _composed)


def conv_pool_bias(
    x: Array, w: Array, bias: Any, *, geometry: Geometry, pool: Geometry, relu: bool
) -> Array:
    """max_windows(relu(convolve(x, w) + bias)); bias may be None.

    What the backward pass needs of the convolution is kept only while one is traced.
    """
    kept: Any = None if plain(x, w, bias) else []
    return _conv_pool(x, w, bias, geometry=geometry, pool=pool, relu=relu, kept=kept)
