"""Neighbouring layers that a model computes in one pass.

A convolution followed by max pooling never writes the convolved image
(benchmarks/kernels.py, "conv-pool"); a batch normalisation cuts off what is below zero
while it has it in the cache (benchmarks/kernels.py, "norm-relu"), and by its running
averages it is done while a slice of the convolution before it is in the cache
(benchmarks/kernels.py, "conv-norm"). Dense layers in a row are one function of all
their weights, with less Python in between (benchmarks/kernels.py, "dense-stack"). The
layers know nothing of it; anything out of the ordinary (a mask, a regularized activity,
a subclass) and they are called one after the other.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import takewhile
from types import SimpleNamespace
from typing import Any

from minikeras import activations
from minikeras.layers.layer import Layer, inherited_training
from minikeras.masks import any_masks
from minikeras.ops.base import dtype_of, plain

# By name, so that a model without convolutions need not import them.
_POOLINGS = {
    "Conv1D": "MaxPooling1D",
    "Conv2D": "MaxPooling2D",
    "Conv3D": "MaxPooling3D",
}
Run = tuple[Any, ...]  # layers
Joined = Callable[[Run, Any, Any], Any]


def joins(layers: Sequence[Layer]) -> list[tuple[Run, Joined | None]]:
    """For each layer, the longest run that begins with it and may be joined.

    Returns:
        Pairs of a run and a function of the run, inputs and `training`: it returns the
        output of all, or None if they must be called one by one. A layer by itself has
        no function.
    """
    found: list[tuple[Run, Joined | None]] = []
    for place in range(len(layers)):
        names = tuple(takewhile(bool, map(_dense_activation, layers[place:])))
        if len(names) > 1:
            run = tuple(layers[place : place + len(names)])
            found.append((run, partial(stack_dense, names)))
            continue
        ends = [place + n for n in (3, 2, 1) if place + n <= len(layers)]
        pairs = [(run, _joined(run)) for run in (tuple(layers[place:e]) for e in ends)]
        joined = (pair for pair in pairs if pair[1] is not None)
        found.append(next(joined, pairs[-1]))
    return found


def _joined(run: Run) -> Joined | None:
    if len(run) == 1 or not all(map(_is_ordinary, run)):
        return None
    first, second = run[:2]
    kind = type(first).__name__
    if kind in _POOLINGS and type(second).__name__ == "BatchNormalization":
        if _normalizable(first, second) and all(map(_is_relu, run[2:])):
            return convolve_and_normalize
    if len(run) > 2:
        return None
    if _POOLINGS.get(kind) == type(second).__name__ and _poolable(first, second):
        return convolve_and_pool
    if kind == "BatchNormalization" and _is_relu(second):
        return normalize_and_cut
    return None


def _is_ordinary(layer: Any) -> bool:
    return not (
        layer.activity_regularizer is not None
        or "call" in layer.__dict__
        or layer._own_class
    )


def _dense_activation(layer: Any) -> str:
    """Name of the activation of a dense layer that may be one of a row, or ""."""
    if type(layer).__name__ != "Dense" or not _is_ordinary(layer):
        return ""
    for name in ("linear", "relu", "sigmoid", "softmax", "tanh"):
        if layer.activation is getattr(activations, name):
            return name
    return ""


def _normalizable(conv: Any, norm: Any) -> bool:
    return (
        conv.activation is activations.linear
        and conv.groups == 1
        and conv.data_format == "channels_last"
        and conv._np_dtype.itemsize >= 4
        and norm.axis in (-1, conv.rank + 1)
    )


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


def _as_usual(run: Run, inputs: Any) -> bool:
    return (
        _joined(run) is not None  # a setting may have been changed
        and all(layer.built and layer.dtype == run[0].dtype for layer in run)
        and dtype_of(inputs) == run[0]._np_dtype
        and not any_masks()
    )


def stack_dense(names: tuple[str, ...], run: Run, inputs: Any, training: Any) -> Any:
    """Dense layers with activations of these names."""
    first = run[0]
    if any_masks() or dtype_of(inputs) != first._np_dtype:
        return None
    weights = []
    for layer in run:
        if not layer.built or layer._np_dtype != first._np_dtype:
            return None
        weights += [layer.kernel, layer.bias]
    first._check_input(inputs)
    return _of_dense_layers()(inputs, weights, names)


def normalize_and_cut(run: Run, inputs: Any, training: Any) -> Any:
    """Batch normalisation and ReLU."""
    norm = run[0]
    if not _as_usual(run, inputs):
        return None
    norm._check_input(inputs)
    if training is None:
        training = inherited_training()
    return norm._normalize(inputs, training, None, relu=True)


def convolve_and_normalize(run: Run, inputs: Any, training: Any) -> Any:
    """Convolution, batch normalisation by its running averages, and ReLU if it follows;
    not while anything is traced."""
    conv, norm, *relu = run
    if training is None:
        training = inherited_training()
    if (training and norm.trainable) or not _as_usual(run, inputs):
        return None
    statistics = norm.moving_mean, norm.moving_variance, norm.gamma, norm.beta
    arrays = inputs, conv.kernel, conv.bias, *statistics
    if not plain(*arrays):
        return None
    conv._check_input(inputs)
    of = _of_convolutions()
    where = of.window_geometry(conv, inputs.shape)
    return of.convolve_normalized(
        *arrays, epsilon=norm.epsilon, geometry=where, relu=bool(relu)
    )


def convolve_and_pool(run: Run, inputs: Any, training: Any) -> Any:
    """Convolution and max pooling."""
    conv, pool = run
    if not _as_usual(run, inputs):
        return None
    conv._check_input(inputs)
    of = _of_convolutions()
    where = of.window_geometry(conv, inputs.shape)
    window = pool.pool_size
    pooled = of.geometry(where.out, window, window, "valid")
    if not of.fits(where, pooled):
        return None
    relu = conv.activation is activations.relu
    shapes = {"geometry": where, "pool": pooled, "relu": relu}
    return of.conv_pool_bias(inputs, conv.kernel, conv.bias, **shapes)


# What only some models need. Import statements would take a microsecond each at a call.


@cache
def _of_dense_layers() -> Any:
    from minikeras.ops.dense_stack import dense_stack

    return dense_stack


@cache
def _of_convolutions() -> Any:
    from minikeras.kernels.windows import geometry
    from minikeras.layers.windows import window_geometry
    from minikeras.ops.conv_norm import convolve_normalized
    from minikeras.ops.conv_pool import conv_pool_bias, fits

    return SimpleNamespace(
        geometry=geometry,
        window_geometry=window_geometry,
        conv_pool_bias=conv_pool_bias,
        fits=fits,
        convolve_normalized=convolve_normalized,
    )
