"""Derivatives of convolution and max pooling in one pass; letters as in
`kernels/conv_pool.py`."""

from typing import Any

from minikeras.kernels import conv_pool as kernels
from minikeras.kernels.windows import Geometry
from minikeras.ops.base import Array, fused, isbox
from minikeras.ops.convolution import conv_bias
from minikeras.ops.pooling import max_windows

fits = kernels.fits


def _forward(x, w, bias, *, geometry, pool, relu, wanted, kept):
    y, found = kernels.forward(x, w, bias, geometry, pool, relu, bool(wanted))
    kept[:] = found
    return y


def _backward(g, y, x, w, bias, *, geometry, pool, relu, wanted, kept):
    return kernels.backward(x, w, y, kept, g, geometry, pool, relu, wanted)


def _composed(x, w, bias, *, geometry, pool, relu, wanted, kept):
    y = conv_bias(x, w, bias, geometry=geometry, relu=relu)
    return max_windows(y, geometry=pool)


_conv_pool = fused(_forward, _backward, _composed)


def conv_pool_bias(
    x: Array, w: Array, bias: Any, *, geometry: Geometry, pool: Geometry, relu: bool
) -> Array:
    """max_windows(relu(convolve(x, w) + bias)); bias may be None.

    What the backward pass needs of the convolution is kept only while one is traced.
    """
    traced = zip("xwb", (x, w, bias), strict=True)
    wanted = "".join(letter for letter, array in traced if isbox(array))
    options = {"geometry": geometry, "pool": pool, "relu": relu, "wanted": wanted}
    return _conv_pool(x, w, bias, **options, kept=[])
