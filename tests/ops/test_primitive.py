"""Our own `primitive` does what autograd's does."""

import autograd
import autograd.extend
import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad, grad, make_jvp
from autograd.extend import defjvp, defvjp
from autograd.test_util import check_grads
from autograd.tracer import isbox

from minikeras import Variable, ops
from minikeras.ops.base import fused, primitive
from minikeras.training.step import backpropagate


def defined(primitive):
    """scale * x * y^2, as a primitive with all derivatives."""

    def function(x, y, *, scale):
        assert not isbox(x) and not isbox(y)
        assert isinstance(x, np.ndarray | float) and isinstance(y, np.ndarray | float)
        return scale * x * y**2

    made = primitive(function)
    defvjp(
        made,
        lambda ans, x, y, scale: lambda g: g * scale * y * y,
        lambda ans, x, y, scale: lambda g: g * 2 * scale * x * y,
    )
    defjvp(
        made,
        lambda d, ans, x, y, scale: d * scale * y * y,
        lambda d, ans, x, y, scale: d * 2 * scale * x * y,
    )
    return made


OURS, THEIRS = defined(primitive), defined(autograd.extend.primitive)
X, Y = np.array([0.5, -1.5]), np.array([2.0, 0.7])


def test_values_without_a_trace():
    np.testing.assert_array_equal(OURS(X, Y, scale=3.0), 3 * X * Y**2)
    assert OURS.__name__ == "function"


def test_derivatives_of_first_and_second_order():
    both = (0, 1)
    for argnums in (both, 0, 1):
        check_grads(
            lambda x, y: OURS(x, y, scale=3.0),
            argnums,
            modes=["fwd", "rev"],
            order=2,
        )(X, Y)


@pytest.mark.parametrize(
    "function",
    [
        lambda f: grad(lambda x: anp.sum(f(x, Y, scale=2.0)))(X),
        lambda f: grad(lambda y: anp.sum(f(X, y, scale=2.0)))(Y),
        lambda f: grad(lambda x: anp.sum(f(x, x, scale=2.0)))(X),
        # y is a box of the outer trace while x is one of the inner trace, and back
        lambda f: grad(
            lambda y: anp.sum(elementwise_grad(lambda x: f(x, y, scale=2.0))(X) ** 2)
        )(Y),
        lambda f: grad(
            lambda x: anp.sum(elementwise_grad(lambda y: f(x, y, scale=2.0))(Y) ** 2)
        )(X),
        lambda f: elementwise_grad(elementwise_grad(lambda x: f(X, x, scale=1.0)))(Y),
        lambda f: make_jvp(elementwise_grad(lambda x: f(x, x, scale=1.0)))(X)(Y)[1],
        lambda f: elementwise_grad(elementwise_grad(lambda x: f(x, x * x, scale=1.0)))(
            X
        ),
        lambda f: f(1.5, 2.0, scale=2.0),
        lambda f: grad(lambda x: f(x, 2.0, scale=2.0))(1.5),
    ],
    ids=lambda f: None,
)
def test_equals_autograds_primitive_in_every_nesting(function):
    np.testing.assert_array_equal(function(OURS), function(THEIRS))


def test_handles_of_weights_give_their_array_or_box():
    weight, other = Variable(X, name="w"), Variable(Y, name="v")
    np.testing.assert_array_equal(OURS(weight, other, scale=1.0), X * Y**2)

    def loss():
        return ops.sum(OURS(weight, other, scale=1.0)), None

    value, _, gradients = backpropagate(loss, [weight])
    assert value == (X * Y**2).sum()
    np.testing.assert_array_equal(gradients[0], Y**2)
    of_both = backpropagate(loss, [weight, other])[2]
    np.testing.assert_array_equal(of_both[1], 2 * X * Y)

    # A gradient by the input inside of one by the weight.
    def slope():
        inner = elementwise_grad(lambda x: OURS(x, weight, scale=1.0))(Y)
        return ops.sum(inner), None

    np.testing.assert_array_equal(backpropagate(slope, [weight])[2][0], 2 * X)


def test_what_has_no_derivative_says_so():
    made = primitive(lambda x: x + 1)
    np.testing.assert_array_equal(made(X), X + 1)
    with pytest.raises(NotImplementedError, match="VJP of <lambda>"):
        grad(lambda x: anp.sum(made(x)))(X)


# --- fused ------------------------------------------------------------------------


def counted(composed):
    """x y^2, whose derivatives of second order are those of `composed`."""
    calls = []

    def again(x, y, z):
        calls.append(1)
        return composed(x, y, z)

    def backward(argnums, g, result, x, y, z):
        return g * y**2, g * 2 * x * y, np.zeros_like(z)

    return fused(lambda x, y, z: x * y**2, backward, again), calls


def test_fused_to_the_second_order_in_one_walk():
    function, calls = counted(lambda x, y, z: x * y**2)

    def slopes(x, y):
        vjp, _ = autograd.make_vjp(lambda p: function(p[0], p[1], X))((x, y))
        return vjp(np.ones(2))

    def both(x, y):
        by_x, by_y = slopes(x, y)
        return anp.sum(by_x * by_y)  # 2 x y^3

    found = [grad(both, argnum)(X, Y) for argnum in (0, 1)]
    np.testing.assert_allclose(found, [2 * Y**3, 6 * X * Y**2])
    assert len(calls) == 2  # one for each `grad`, not for each argument


@pytest.mark.parametrize("composed", [lambda x, y, z: x * y**2, lambda x, y, z: Y])
def test_fused_arguments_without_effect_have_a_gradient_of_zeros(composed):
    function, _ = counted(composed)

    def penalty(z):
        vjp, _ = autograd.make_vjp(lambda z: function(X, Y, z))(z)
        return anp.sum(vjp(z) + z)

    np.testing.assert_array_equal(grad(penalty)(X), np.ones(2))
