"""Neighbouring layers that a model computes in one pass.

A convolution followed by max pooling never writes the convolved image. The layers know
nothing of it; anything out of the ordinary (a mask, a regularized activity, a subclass)
and they are called one after the other (benchmarks/kernels.py, "conv-pool").
"""

from collections.abc import Sequence
from typing import Any

from minikeras import activations
from minikeras.kernels.windows import geometry
from minikeras.layers.convolutional import (
    Conv1D,
    Conv2D,
    Conv3D,
    window_geometry,
)
from minikeras.layers.layer import Layer
from minikeras.layers.pooling import MaxPooling1D, MaxPooling2D, MaxPooling3D
from minikeras.masks import any_masks
from minikeras.ops.conv_pool import conv_pool_bias, fits

_PAIRS = {Conv1D: MaxPooling1D, Conv2D: MaxPooling2D, Conv3D: MaxPooling3D}
Stage = tuple[Layer, Layer | None]


def stages(layers: Sequence[Layer]) -> list[Stage]:
    """The layers in order, each with the pooling behind it that may be joined to it."""
    found: list[Stage] = []
    for layer in layers:
        if found and found[-1][1] is None and _may_join(found[-1][0], layer):
            found[-1] = found[-1][0], layer
        else:
            found.append((layer, None))
    return found


def _may_join(conv: Any, pool: Any) -> bool:
    return (
        _PAIRS.get(type(conv)) is type(pool)
        and conv.activation in (activations.relu, activations.linear)
        and conv.groups == 1
        and conv.data_format == pool.data_format == "channels_last"
        and pool.strides == pool.pool_size
        and pool.padding == "valid"
        and conv.activity_regularizer is pool.activity_regularizer is None
        and not any("call" in layer.__dict__ for layer in (conv, pool))
    )


def convolve_and_pool(conv: Any, pool: Any, inputs: Any) -> Any:
    """Output of both layers, or None if they must be called one after the other."""
    usual = conv.built and pool.built and conv.dtype == pool.dtype and not any_masks()
    if not usual or inputs.dtype != conv._np_dtype:
        return None
    conv._check_input(inputs)
    where = window_geometry(conv, inputs.shape)
    window = pool.pool_size
    pooled = geometry(where.out, window, window, "valid")
    if not fits(where, pooled):
        return None
    relu = conv.activation is activations.relu
    shapes = {"geometry": where, "pool": pooled, "relu": relu}
    return conv_pool_bias(inputs, conv.kernel, conv.bias, **shapes)
