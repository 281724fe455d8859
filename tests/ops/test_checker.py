"""The gradient checker bites: planted mistakes are found."""

import numpy as np
import pytest
from autograd.extend import defjvp, defvjp
from autograd.test_util import check_grads
from autograd.tracer import getval

from minikeras import ops
from minikeras.ops.base import primitive

X = np.array([0.5, -1.25, 2.0])


@pytest.fixture(autouse=True)
def _same_directions():
    np.random.seed(0)  # the checker draws its directions from it


def cube(vjp_factor, jvp_factor=None):
    """x**3 with the given derivatives."""

    @primitive
    def planted(x):
        return x**3

    jvp_factor = jvp_factor or vjp_factor
    defvjp(planted, lambda y, x: lambda g: ops.multiply(g, vjp_factor(x)))
    defjvp(planted, lambda d, y, x: ops.multiply(d, jvp_factor(x)))
    return planted


def right(x):
    return ops.multiply(3, ops.square(x))


def slightly_off(x):
    return ops.multiply(3.001, ops.square(x))


def constant(x):
    """The right first derivative that forgets its own."""
    return 3 * np.square(getval(x))


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_a_right_derivative_passes(mode):
    check_grads(cube(right), modes=[mode], order=2)(X)


def test_a_wrong_vjp_is_found():
    with pytest.raises(AssertionError):
        check_grads(cube(slightly_off, right), modes=["rev"], order=1)(X)


def test_a_wrong_jvp_is_found():
    with pytest.raises(AssertionError):
        check_grads(cube(right, slightly_off), modes=["fwd"], order=1)(X)


@pytest.mark.parametrize("mode", ["fwd", "rev"])
def test_a_wrong_second_derivative_is_found(mode):
    planted = cube(constant)
    check_grads(planted, modes=[mode], order=1)(X)
    with pytest.raises(AssertionError):
        check_grads(planted, modes=[mode], order=2)(X)


def test_a_vjp_of_the_wrong_shape_is_found():
    @primitive
    def total(x):
        return np.sum(x)

    defvjp(total, lambda y, x: lambda g: g)
    with pytest.raises(AssertionError):
        check_grads(total, modes=["rev"], order=1)(X)


def test_a_wrong_derivative_by_the_second_argument_is_found():
    @primitive
    def product(x, y):
        return x * y

    defvjp(
        product,
        lambda z, x, y: lambda g: ops.multiply(g, y),
        lambda z, x, y: lambda g: ops.multiply(g, y),
    )
    check_grads(product, 0, modes=["rev"], order=1)(X, X + 1)
    with pytest.raises(AssertionError):
        check_grads(product, 1, modes=["rev"], order=1)(X, X + 1)
