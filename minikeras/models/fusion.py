"""Neighbouring layers that a model computes in one pass.

A convolution followed by max pooling never writes the convolved image
(benchmarks/kernels.py, "conv-pool"); a batch normalisation cuts off what is below zero
while it has it in the cache (benchmarks/kernels.py, "norm-relu"). The layers know
nothing of it; anything out of the ordinary (a mask, a regularized activity, a subclass)
and they are called one after the other.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from minikeras import activations
from minikeras.layers.layer import Layer, inherited_training
from minikeras.masks import any_masks
from minikeras.ops.base import dtype_of

# By name, so that a model without convolutions need not import them.
_PAIRS = {
    "Conv1D": "MaxPooling1D",
    "Conv2D": "MaxPooling2D",
    "Conv3D": "MaxPooling3D",
}
Joined = Callable[[Any, Any, Any, Any], Any]
Stage = tuple[Layer, Layer | None, Joined | None]


def stages(layers: Sequence[Layer]) -> list[Stage]:
    """The layers in order, each with the one behind it that may be joined to it.

    Returns:
        (layer, next layer, function of both, inputs and `training`): the function
        returns the output of both, or None if they must be called one by one.
    """
    found: list[Stage] = []
    for layer in layers:
        joined = None
        if found and found[-1][1] is None:
            joined = _joined(found[-1][0], layer)
        if joined is not None:
            found[-1] = found[-1][0], layer, joined
        else:
            found.append((layer, None, None))
    return found


def _joined(first: Any, second: Any) -> Joined | None:
    for layer in (first, second):
        if layer.activity_regularizer is not None or "call" in layer.__dict__:
            return None
    if first._own_class or second._own_class:
        return None
    kind = type(first).__name__
    if _PAIRS.get(kind) == type(second).__name__ and _poolable(first, second):
        return convolve_and_pool
    if kind == "BatchNormalization" and _is_relu(second):
        return normalize_and_cut
    return None


def _poolable(conv: Any, pool: Any) -> bool:
    return (
        conv.activation in (activations.relu, activations.linear)
        and conv.groups == 1
        and conv.data_format == pool.data_format == "channels_last"
        and pool.strides == pool.pool_size
        and pool.padding == "valid"
    )


def _is_relu(layer: Any) -> bool:
    kind = type(layer).__name__
    if kind == "ReLU":
        return (layer.max_value, layer.negative_slope, layer.threshold) == (None, 0, 0)
    return kind == "Activation" and layer.activation is activations.relu


def _as_usual(first: Any, second: Any, inputs: Any) -> bool:
    return (
        _joined(first, second) is not None  # a setting may have been changed
        and first.built
        and second.built
        and first.dtype == second.dtype
        and dtype_of(inputs) == first._np_dtype
        and not any_masks()
    )


def normalize_and_cut(norm: Any, relu: Any, inputs: Any, training: Any) -> Any:
    """Batch normalisation and ReLU."""
    if not _as_usual(norm, relu, inputs):
        return None
    norm._check_input(inputs)
    if training is None:
        training = inherited_training()
    return norm._normalize(inputs, training, None, relu=True)


def convolve_and_pool(conv: Any, pool: Any, inputs: Any, training: Any) -> Any:
    """Convolution and max pooling."""
    if not _as_usual(conv, pool, inputs):
        return None
    conv._check_input(inputs)
    geometry, window_geometry, conv_pool_bias, fits = _of_convolutions()
    where = window_geometry(conv, inputs.shape)
    window = pool.pool_size
    pooled = geometry(where.out, window, window, "valid")
    if not fits(where, pooled):
        return None
    relu = conv.activation is activations.relu
    shapes = {"geometry": where, "pool": pooled, "relu": relu}
    return conv_pool_bias(inputs, conv.kernel, conv.bias, **shapes)


@cache
def _of_convolutions() -> Any:
    """Functions that only models with convolutions need. Three import statements would
    take 2 microseconds at each call."""
    from minikeras.kernels.windows import geometry
    from minikeras.layers.windows import window_geometry
    from minikeras.ops.conv_pool import conv_pool_bias, fits

    return geometry, window_geometry, conv_pool_bias, fits
