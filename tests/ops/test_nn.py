"""Activations and the dense product: values, extremes, kinks, derivatives.

Generic properties of the public ones are tested in test_public_functions.py.
"""

import math

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad, grad
from autograd.core import make_jvp, make_vjp
from autograd.test_util import check_grads

from minikeras import ops
from minikeras.kernels import dense as kernels
from minikeras.ops import nn
from minikeras.training.step import backpropagate
from minikeras.variables import Variable


@pytest.fixture(autouse=True)
def _same_directions():
    np.random.seed(0)  # the checker draws its directions from it


# --- dense ----------------------------------------------------------------------

SHAPES = [((1, 1), 1), ((3, 2), 4), ((1, 5), 3), ((2, 3, 4), 2), ((2, 1, 2, 3), 5)]
each_shape = pytest.mark.parametrize("x_shape, units", SHAPES)


def example(x_shape, units, dtype="float64", whole=False):
    rng = np.random.default_rng(1)
    shapes = x_shape, (x_shape[-1], units), (units,), (*x_shape[:-1], units)
    draw = (lambda s: rng.integers(-4, 5, s)) if whole else rng.standard_normal
    return tuple(draw(s).astype(dtype) for s in shapes)


def check(function, *arrays):
    argnums = tuple(range(len(arrays)))
    check_grads(function, argnums, modes=["fwd", "rev"], order=2)(*arrays)


@each_shape
@pytest.mark.parametrize("relu", [False, True])
def test_dense_derivatives(x_shape, units, relu):
    x, w, bias, _ = example(x_shape, units)
    assert abs(x @ w + bias).min() > 1e-5  # no output is at the kink of ReLU
    check(lambda x, w, b: nn.dense(x, w, b, relu=relu), x, w, bias)
    check(lambda x, w: nn.dense(x, w, None, relu=relu), x, w)


@each_shape
@pytest.mark.parametrize("relu", [False, True])
def test_dense_values(x_shape, units, relu):
    x, w, bias, _ = example(x_shape, units, whole=True)
    wanted = np.einsum("...c,cf->...f", x, w) + bias
    if relu:
        wanted = np.where(wanted > 0, wanted, 0)
    np.testing.assert_array_equal(nn.dense(x, w, bias, relu=relu), wanted)


@each_shape
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("argnum", [0, 1, 2])
def test_the_fused_first_order_path_equals_the_composed_one(
    x_shape, units, relu, argnum, monkeypatch
):
    *arrays, g = example(x_shape, units, whole=True)
    before = g.copy()
    g.setflags(write=False)
    calls = []
    backward = kernels.backward
    monkeypatch.setattr(
        kernels, "backward", lambda *a: (calls.append(1), backward(*a))[1]
    )

    def of_one(array):
        now = [*arrays[:argnum], array, *arrays[argnum + 1 :]]
        return nn.dense(*now, relu=relu)

    fused = make_vjp(of_one, arrays[argnum])[0](g)
    assert calls == [1]
    assert fused.shape == arrays[argnum].shape
    boxed = make_jvp(lambda g: make_vjp(of_one, arrays[argnum])[0](g), g)
    np.testing.assert_array_equal(boxed(np.zeros_like(g))[0], fused)
    assert calls == [1]
    np.testing.assert_array_equal(g, before)


@pytest.mark.parametrize(
    "first, second", [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)]
)
@pytest.mark.parametrize("outer", [ops.square, lambda y: y], ids=["square", "linear"])
def test_mixed_second_derivatives_with_constants_between(first, second, outer):
    arrays = example((2, 3, 4), 2)[:3]

    def loss(*arrays):
        return ops.sum(outer(nn.dense(*arrays, relu=True)))

    def inner(array):
        now = list(arrays)
        now[second] = array
        # The sum makes a trace of what does not depend on the array.
        squares = ops.sum(ops.square(grad(loss, first)(*now)))
        return ops.add(squares, ops.sum(array))

    check_grads(inner, modes=["fwd", "rev"], order=1)(arrays[second])


@each_shape
@pytest.mark.parametrize("relu", [False, True])
def test_dense_keeps_float32(x_shape, units, relu):
    arrays = example(x_shape, units, "float32")[:3]

    def loss(*arrays):
        y = nn.dense(*arrays, relu=relu)
        assert y.dtype == np.float32
        return ops.sum(ops.square(y))

    for i in range(3):
        first = grad(loss, i)
        assert first(*arrays).dtype == np.float32
        second = grad(lambda *a, f=first: ops.sum(ops.square(f(*a))), i)
        assert second(*arrays).dtype == np.float32


def test_dense_takes_bound_handles():
    arrays = example((3, 2), 4)[:3]
    handles = [Variable(a) for a in arrays]

    def loss(*arrays):
        return ops.sum(ops.square(nn.dense(*arrays, relu=True)))

    gradients = backpropagate(
        lambda: (loss(*(h.value for h in handles)), None), handles
    )[2]
    for i, gradient in enumerate(gradients):
        np.testing.assert_array_equal(gradient, grad(loss, i)(*arrays))


# --- values ---------------------------------------------------------------------

X = np.array([-30.0, -3.5, -1.0, -1e-3, 0.0, 1e-3, 0.5, 2.0, 30.0])
FORMULAS = {
    "relu": lambda x: max(x, 0.0),
    "leaky_relu": lambda x: x if x > 0 else 0.2 * x,
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "selu": lambda x: (
        1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x))
    ),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "softplus": lambda x: math.log1p(math.exp(x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "tanh": math.tanh,
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("dtype, error", [("float64", 1e-14), ("float32", 1e-6)])
def test_values_are_those_of_the_formula(name, dtype, error):
    got = getattr(ops, name)(X.astype(dtype))
    wanted = [FORMULAS[name](float(x)) for x in X.astype(dtype)]
    assert got.dtype == dtype
    np.testing.assert_allclose(got, wanted, rtol=error, atol=0)


@pytest.mark.parametrize("name", FORMULAS)
def test_whole_numbers_and_lists_become_floats(name):
    function = getattr(ops, name)
    for x in ([1, -2], np.array([1, -2]), np.array([1, -2], "int8")):
        y = function(x)
        assert y.dtype == np.float32
        np.testing.assert_array_equal(y, function(np.array([1, -2], "float32")))


@pytest.mark.parametrize("alpha", [0.0, 0.3, 2.0])
def test_elu_alpha(alpha):
    x = np.array([-2.0, 3.0])
    np.testing.assert_allclose(ops.elu(x, alpha), [alpha * math.expm1(-2), 3])
    check(lambda x: ops.elu(x, alpha), x)


def test_leaky_relu_slope():
    x = np.array([-2.0, 3.0])
    np.testing.assert_array_equal(ops.leaky_relu(x, 0.5), [-1, 3])
    check(lambda x: ops.leaky_relu(x, 0.5), x)


@pytest.mark.parametrize("axis", [-1, 0, 1, (0, 1), (-2, 0)])
def test_softmax_and_its_logarithm(axis):
    x = np.random.default_rng(0).standard_normal((3, 4, 2))
    exp = np.exp(x)
    wanted = exp / exp.sum(axis=axis, keepdims=True)
    np.testing.assert_allclose(ops.softmax(x, axis), wanted, rtol=1e-14)
    np.testing.assert_allclose(
        ops.log_softmax(x, axis), np.log(wanted), rtol=1e-13, atol=1e-15
    )


# --- extremes -------------------------------------------------------------------

EXTREMES = np.array([-1e4, -800.0, -90.0, 0.0, 90.0, 800.0, 1e4])
SMOOTH = ["elu", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh"]


@pytest.mark.parametrize("name", [*SMOOTH, "relu", "leaky_relu"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_overflow_far_out(name, dtype):
    # Warnings are errors here.
    function = getattr(ops, name)
    x = EXTREMES.astype(dtype)
    derivative = elementwise_grad(function)
    assert np.isfinite(function(x)).all()
    assert np.isfinite(derivative(x)).all()
    if name in SMOOTH:
        assert np.isfinite(elementwise_grad(derivative)(x)).all()


LIMITS = {
    "relu": (0, 1e4),
    "elu": (-1, 1e4),
    "sigmoid": (0, 1),
    "silu": (0, 1e4),
    "softplus": (0, 1e4),
    "tanh": (-1, 1),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits(name):
    got = getattr(ops, name)(np.array([-1e4, 1e4], "float32"))
    np.testing.assert_array_equal(got, np.array(LIMITS[name], "float32"))


@pytest.mark.parametrize("dtype, error", [("float64", 1e-15), ("float32", 3e-7)])
@pytest.mark.parametrize("x", [-50.0, -20.0, -80.0])
def test_small_results_have_full_relative_precision(x, dtype, error):
    small = math.exp(x) / (1 + math.exp(x))
    array = np.array([x], dtype)
    np.testing.assert_allclose(ops.sigmoid(array), small, rtol=error)
    np.testing.assert_allclose(ops.softplus(array), math.log1p(math.exp(x)), rtol=error)
    np.testing.assert_allclose(ops.silu(array), x * small, rtol=error)
    slope = elementwise_grad(ops.sigmoid)(array)
    np.testing.assert_allclose(slope, small * (1 - small), rtol=2 * error)


def test_elu_is_exact_near_zero():
    x = np.array([-1e-10])
    np.testing.assert_allclose(ops.elu(x), [math.expm1(-1e-10)], rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_far_out(dtype):
    x = np.array([[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4]], dtype)
    third = x.dtype.type(1) / x.dtype.type(3)
    np.testing.assert_array_equal(ops.softmax(x), [[1, 0, 0], [third] * 3])
    logarithm = ops.log_softmax(x)
    np.testing.assert_array_equal(logarithm[0], [0, -2e4, -1e4])
    np.testing.assert_allclose(logarithm[1], [-math.log(3)] * 3, rtol=1e-3)
    for function in (ops.softmax, ops.log_softmax):
        total = lambda x: ops.sum(ops.square(function(x)))  # noqa: B023, E731
        assert np.isfinite(grad(total)(x)).all()


def test_softmax_does_not_change_with_a_shift():
    x = np.array([1.0, 2.0, 4.0])
    np.testing.assert_array_equal(ops.softmax(x), ops.softmax(x + 1024))


# --- kinks ----------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_relu_has_gradient_zero_at_zero(dtype):
    x = np.array([-1, -0.0, 0, 1], dtype)
    np.testing.assert_array_equal(elementwise_grad(ops.relu)(x), [0, 0, 0, 1])
    tangent = make_jvp(ops.relu, x)(np.ones_like(x))[1]
    np.testing.assert_array_equal(tangent, [0, 0, 0, 1])


def test_dense_relu_has_gradient_zero_at_zero():
    x, w = np.array([[-1.0], [0.0], [2.0]]), np.ones((1, 1))
    gradient = grad(lambda x: ops.sum(nn.dense(x, w, None, relu=True)))(x)
    np.testing.assert_array_equal(gradient, [[0], [0], [1]])


def test_leaky_relu_has_gradient_one_at_zero():
    # as Keras has it on JAX
    x = np.array([-1.0, 0.0, 1.0])
    np.testing.assert_array_equal(elementwise_grad(ops.leaky_relu)(x), [0.2, 1, 1])


def test_elu_has_gradient_alpha_at_zero():
    assert grad(lambda x: ops.elu(x, 0.3))(np.zeros(())) == 0.3


@pytest.mark.parametrize("name", FORMULAS)
def test_autograd_may_trace_a_python_number(name):
    slope = grad(getattr(ops, name))
    assert slope(0.7) == slope(np.array(0.7))


# --- cross-entropy from logits --------------------------------------------------


@pytest.mark.parametrize("label", [0.0, 0.25, 1.0])
def test_binary_log_loss(label):
    z = np.array([-700.0, -3.0, 0.0, 0.1, 5.0, 700.0])
    got = nn.binary_log_loss(label, z)
    wanted = [max(v, 0) - v * label + math.log1p(math.exp(-abs(v))) for v in z.tolist()]
    np.testing.assert_allclose(got, wanted, rtol=1e-14)
    slope = elementwise_grad(lambda z: nn.binary_log_loss(label, z))(z)
    wanted = [1 / (1 + math.exp(-v)) - label for v in z.tolist()]
    np.testing.assert_allclose(slope, wanted, rtol=1e-12, atol=1e-15)
    # not at 0, where the parts have kinks and only their sum is smooth
    check(lambda z: nn.binary_log_loss(label, z), np.array([-3.0, 0.1, 5.0]))


def test_binary_log_loss_keeps_float32_and_does_not_overflow():
    z = np.array([-1e4, 0, 1e4], "float32")
    labels = np.array([0, 1, 1], "float32")
    total = lambda z: ops.sum(nn.binary_log_loss(labels, z))  # noqa: E731
    assert total(z).dtype == grad(total)(z).dtype == np.float32
    assert grad(total)(np.float32(z)).tolist() == [0, -0.5, 0]


# --- the mean of a loss ---------------------------------------------------------


@pytest.mark.parametrize("shape", [(1,), (6,), (2, 3), (2, 1, 3)])
def test_sum_over_is_the_sum_divided_by_a_count(shape):
    x = np.arange(1.0, math.prod(shape) + 1).reshape(shape)
    size = x.size
    assert nn.sum_over(x, 4.0) == size * (size + 1) / 8
    check(lambda x: nn.sum_over(x, 2.5), x)
    check(lambda x: nn.sum_over(ops.exp(x / 4), 2.5), x)  # its slope changes
    np.testing.assert_array_equal(
        grad(lambda x: nn.sum_over(x, 4.0))(x), np.full(shape, 0.25)
    )


def test_sum_over_keeps_float32():
    x = np.array([1.0, 2.0], "float32")
    found = nn.sum_over(x, 3.0)
    assert found.shape == () and found.dtype == np.float32 and found == np.float32(1)
    slope = grad(lambda x: nn.sum_over(x, 3.0))(x)
    assert slope.dtype == np.float32
    np.testing.assert_array_equal(slope, np.full(2, np.float32(1) / np.float32(3)))


# --- autograd's own functions mix with ours -------------------------------------


def test_ours_and_autograds_functions_mix():
    x = np.array([0.3, -0.7, 1.1])
    check(lambda x: anp.sin(ops.sigmoid(anp.cos(x))) * ops.tanh(x), x)
