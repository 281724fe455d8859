"""Derivatives of dense layers in a row, to the second order."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad, make_vjp
from autograd.test_util import check_grads

from minikeras.ops.dense_stack import dense_stack
from minikeras.ops.nn import dense, sigmoid, softmax, tanh

FUNCTIONS = {"sigmoid": sigmoid, "softmax": softmax, "tanh": tanh}


def draw(shape, sizes, biased=True, dtype="float64"):
    rng = np.random.default_rng(len(shape))
    weights = []
    for before, after in zip(sizes, sizes[1:], strict=False):
        weights.append(rng.normal(size=(before, after)).astype(dtype))
        weights.append(rng.normal(size=after).astype(dtype) if biased else None)
    return rng.normal(size=shape).astype(dtype), weights


def one_by_one(x, weights, names):
    for w, bias, name in zip(weights[::2], weights[1::2], names, strict=True):
        x = dense(x, w, bias, relu=name == "relu")
        x = FUNCTIONS.get(name, lambda x: x)(x)
    return x


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 4), (4,)])
@pytest.mark.parametrize("biased", [True, False])
def test_value(shape, biased):
    x, weights = draw(shape, (4, 3, 2), biased)
    names = "relu", "softmax"
    y = dense_stack(x, weights, names)
    np.testing.assert_array_equal(y, one_by_one(x, weights, names))


@pytest.mark.parametrize("name", ["linear", "relu", "sigmoid", "softmax", "tanh"])
@pytest.mark.parametrize("shape", [(3, 4), (2, 2, 4)])
def test_derivatives(name, shape):
    x, weights = draw(shape, (4, 3, 2))

    def function(x, *weights):
        return dense_stack(x, weights, (name, "tanh"))

    check_grads(function, order=2)(x, *weights)


def test_derivatives_without_biases():
    x, (w, _, v, _) = draw((3, 4), (4, 3, 2), biased=False)
    check_grads(
        lambda x, w, v: dense_stack(x, [w, None, v, None], ("tanh", "linear")), order=2
    )(x, w, v)


@pytest.mark.parametrize("argnum", range(7))
def test_gradient_of_each_argument_alone(argnum):
    """A frozen layer, or an input that is not traced, is not boxed."""
    names = "relu", "sigmoid", "softmax"
    x, weights = draw((5, 4), (4, 3, 3, 2))
    arguments = [x, *weights]
    g = np.random.default_rng(0).normal(size=(5, 2))

    def pull(function):
        def of_one(value):
            moved = [*arguments]
            moved[argnum] = value
            return function(moved[0], moved[1:], names)

        return make_vjp(of_one)(arguments[argnum])[0](g)

    np.testing.assert_allclose(pull(dense_stack), pull(one_by_one), rtol=1e-12)


def test_a_penalty_on_gradients():
    x, weights = draw((5, 4), (4, 3, 2))
    names = "tanh", "softmax"

    def penalty(function, w):
        def slope(x):
            return anp.sum(function(x, [w, *weights[1:]], names) ** 2)

        return anp.sum(elementwise_grad(slope)(x) ** 2)

    found, expected = (
        elementwise_grad(lambda w, f=f: penalty(f, w))(weights[0])
        for f in (dense_stack, one_by_one)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_float32_stays():
    x, weights = draw((5, 4), (4, 3, 2), dtype="float32")
    vjp, y = make_vjp(lambda w: dense_stack(x, [w, *weights[1:]], ("relu", "softmax")))(
        weights[0]
    )
    assert y.dtype == vjp(y).dtype == np.float32
