"""Derivatives of dense layers in a row; letters as in `kernels/dense_stack.py`."""

from collections.abc import Sequence
from typing import Any

from minikeras.kernels import dense_stack as kernels
from minikeras.ops.base import Array, fused, plain
from minikeras.ops.nn import dense, sigmoid, softmax, tanh

_COMPOSED = {"sigmoid": sigmoid, "softmax": softmax, "tanh": tanh}


def _forward(x, *weights, activations, kept):
    outputs = kernels.forward(x.reshape(-1, x.shape[-1]), weights, activations)
    if kept is not None:
        kept[:] = outputs
    return outputs[-1].reshape(*x.shape[:-1], outputs[-1].shape[-1])


def _backward(argnums, g, y, x, *weights, activations, kept):
    rows, grads = x.reshape(-1, x.shape[-1]), g.reshape(-1, g.shape[-1])
    found = kernels.backward(rows, weights, activations, kept, grads, argnums)
    if found[0] is not None:
        found[0] = found[0].reshape(x.shape)
    return found


def _composed(x, *weights, activations, kept):
    pairs = zip(weights[::2], weights[1::2], activations, strict=True)
    for w, bias, name in pairs:
        x = dense(x, w, bias, relu=name == "relu")
        if name in _COMPOSED:
            x = _COMPOSED[name](x)
    return x


_dense_stack = fused(_forward, _backward, _composed)


def dense_stack(x: Array, weights: Sequence[Any], activations: tuple[str, ...]) -> Any:
    """activation(x @ w + bias) on the last axis, again and again.

    What the backward pass needs of the layers between is kept only while one is traced.

    Args:
        weights: w and bias of the first layer, of the second ...; a bias may be None.
        activations: of each layer: linear, relu, sigmoid, softmax or tanh.
    """
    kept: Any = None if plain(x, *weights) else []
    return _dense_stack(x, *weights, activations=activations, kept=kept)
