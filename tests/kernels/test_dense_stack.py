"""Dense layers in a row against their formulas."""

import numpy as np
import pytest

from minikeras.kernels import dense_stack
from minikeras.kernels.dense_stack import ACTIVATIONS

FORMULAS = {
    "linear": lambda z: z,
    "relu": lambda z: np.where(z > 0, z, 0),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softmax": lambda z: np.exp(z) / np.exp(z).sum(axis=-1, keepdims=True),
    "tanh": lambda z: (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z)),
}


def draw(sizes, biased, dtype="float64", rows=4):
    rng = np.random.default_rng(0)
    weights = []
    for before, after in zip(sizes, sizes[1:], strict=False):
        weights.append(rng.normal(size=(before, after)).astype(dtype))
        weights.append(rng.normal(size=after).astype(dtype) if biased else None)
    return rng.normal(size=(rows, sizes[0])).astype(dtype), weights


def plain(x, weights, names):
    found = []
    for w, bias, name in zip(weights[::2], weights[1::2], names, strict=True):
        x = FORMULAS[name](x @ w + (0 if bias is None else bias))
        found.append(x)
    return found


def test_every_activation_has_a_formula_here():
    assert set(FORMULAS) == set(ACTIVATIONS)


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("last", FORMULAS)
@pytest.mark.parametrize("first", FORMULAS)
def test_forward(first, last, biased):
    x, weights = draw((5, 3, 4), biased)
    found = dense_stack.forward(x, weights, (first, last))
    for one, other in zip(found, plain(x, weights, (first, last)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


WANTED = [(0, 1, 2, 3, 4, 5, 6), (1, 2, 3, 4, 5, 6), (0,), (3,), (6,), (2, 5), (4, 6)]


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("wanted", WANTED, ids=str)
def test_backward_by_differences(wanted, name):
    x, weights = draw((5, 3, 4, 2), True)
    names = ("tanh", name, "linear")
    outputs = dense_stack.forward(x, weights, names)
    g = np.random.default_rng(1).normal(size=outputs[-1].shape)
    found = dense_stack.backward(x, weights, names, outputs, g, wanted)
    arrays = [x, *weights]
    for place in range(7):
        if place not in wanted:
            assert found[place] is None
            continue
        change = np.random.default_rng(2).normal(size=arrays[place].shape)
        sides = []
        for step in (1e-6, -1e-6):
            moved = [*arrays]
            moved[place] = arrays[place] + step * change
            sides.append((plain(moved[0], moved[1:], names)[-1] * g).sum())
        slope = (sides[0] - sides[1]) / 2e-6
        np.testing.assert_allclose((found[place] * change).sum(), slope, rtol=1e-6)


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_type_stays(dtype, name):
    x, weights = draw((5, 3, 4), True, dtype)
    outputs = dense_stack.forward(x, weights, (name, name))
    g = np.ones(outputs[-1].shape, dtype)
    found = dense_stack.backward(x, weights, (name, name), outputs, g, range(5))
    assert {array.dtype.name for array in (*outputs, *found)} == {dtype}
