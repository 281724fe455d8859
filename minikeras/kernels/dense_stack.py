"""Dense layers in a row, each with its activation: y = f(x @ w + bias).

Between small layers more time goes into Python than into arithmetic, so a row of them
is one function there and one back (benchmarks/kernels.py, "dense-stack").

Arrays: x (M, C); of each layer w (C, F), bias (F,) or None, and y (M, F).
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from minikeras.kernels import curves, dense
from minikeras.kernels.softmax import softmax, softmax_backward

Function = Callable[[np.ndarray], np.ndarray]
Slope = Callable[[np.ndarray, np.ndarray], np.ndarray]  # of g and y

# What is to be done behind `dense.dense`, and its gradient by its own result.
ACTIVATIONS: dict[str, tuple[Function, Slope] | None] = {
    "linear": None,
    "relu": None,  # part of `dense.dense`
    "sigmoid": (curves.sigmoid, curves.sigmoid_backward),
    "softmax": (softmax, softmax_backward),
    "tanh": (curves.tanh, curves.tanh_backward),
}


def forward(
    x: np.ndarray, weights: Sequence[Any], activations: Sequence[str]
) -> list[np.ndarray]:
    """y of each layer.

    Args:
        weights: w and bias of the first layer, of the second ...
        activations: names from `ACTIVATIONS`.
    """
    outputs = []
    pairs = zip(weights[::2], weights[1::2], activations, strict=True)
    for w, bias, name in pairs:
        x = dense.dense(x, w, bias, name == "relu")
        if (functions := ACTIVATIONS[name]) is not None:
            x = functions[0](x)
        outputs.append(x)
    return outputs


def backward(
    x: np.ndarray,
    weights: Sequence[Any],
    activations: Sequence[str],
    outputs: Sequence[np.ndarray],
    g: np.ndarray,
    wanted: Collection[int],
) -> list[Any]:
    """The gradients of x and then of the weights, None where not wanted.

    Args:
        outputs: what `forward` returned.
        g: gradient of the last of them.
        wanted: places of gradients in the result, not none.
    """
    found: list[Any] = [None] * (1 + len(weights))
    first = min(wanted)
    back: Any = g
    for layer in reversed(range(len(activations))):
        of_w, of_bias = 1 + 2 * layer, 2 + 2 * layer
        if of_bias < first:
            break
        name, y = activations[layer], outputs[layer]
        if (functions := ACTIVATIONS[name]) is not None:
            back = functions[1](back, y)
        letters = "x" * (first < of_w) + "w" * (of_w in wanted)
        back, found[of_w], found[of_bias] = dense.backward(
            outputs[layer - 1] if layer else x,
            weights[2 * layer],
            y if name == "relu" else None,
            back,
            letters + "b" * (of_bias in wanted),
        )
    if first == 0:
        found[0] = back
    return found
