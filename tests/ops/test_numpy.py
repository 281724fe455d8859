"""Array functions: values against NumPy, number types, ties, messages.

Gradients of the public ones are checked in test_public_functions.py; here are the
primitives that no public function shows, and what is special about each.
"""

from contextlib import contextmanager

import numpy as np
import pytest
from autograd import elementwise_grad, grad
from autograd.core import make_jvp
from autograd.test_util import check_grads

from minikeras import config, ops
from minikeras.ops import base
from minikeras.ops import numpy as onp
from minikeras.variables import Variable


@pytest.fixture(autouse=True)
def _same_directions():
    np.random.seed(0)  # the checker draws its directions from it


@pytest.fixture
def float64_default():
    config.set_floatx("float64")
    yield
    config.set_floatx("float32")


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def check(function, *arrays):
    argnums = tuple(range(len(arrays)))
    check_grads(function, argnums, modes=["fwd", "rev"], order=2)(*arrays)


# --- values ---------------------------------------------------------------------

A, B = normal(2, 3), normal(2, 3, seed=1)
POSITIVE = abs(A) + 0.1
SAME_AS_NUMPY = {
    "abs": (A,),
    "absolute": (A,),
    "add": (A, B),
    "broadcast_to": (A, (4, 2, 3)),
    "clip": (A, -0.5, 0.5),
    "divide": (A, B),
    "exp": (A,),
    "expand_dims": (A, 1),
    "log": (POSITIVE,),
    "log1p": (POSITIVE,),
    "matmul": (A, B.T),
    "maximum": (A, B),
    "minimum": (A, B),
    "moveaxis": (A, 0, 1),
    "multiply": (A, B),
    "negative": (A,),
    "power": (POSITIVE, B),
    "reshape": (A, (3, -1)),
    "shape": (A,),
    "sign": (A,),
    "sqrt": (POSITIVE,),
    "square": (A,),
    "squeeze": (A[None],),
    "subtract": (A, B),
    "swapaxes": (A, 0, 1),
    "tanh": (A,),
    "transpose": (A,),
    "where": (A > 0, A, B),
    "ones_like": (A,),
    "zeros_like": (A,),
}


@pytest.mark.parametrize("name", SAME_AS_NUMPY)
def test_values_are_numpys(name):
    arguments = SAME_AS_NUMPY[name]
    got = getattr(ops, name)(*arguments)
    np.testing.assert_array_equal(got, getattr(np, name)(*arguments))


@pytest.mark.parametrize("name", ["max", "mean", "min", "std", "sum", "var"])
@pytest.mark.parametrize("axis", [None, 0, -1, (0, 2), [1, -1], ()])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_are_numpys(name, axis, keepdims):
    x = normal(2, 3, 4)
    got = getattr(ops, name)(x, axis, keepdims)
    axes = tuple(axis) if isinstance(axis, list) else axis
    wanted = getattr(np, name)(x, axis=axes, keepdims=keepdims)
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("shapes", [((), ()), ((3,), (2, 3)), ((2, 1), (3,))])
@pytest.mark.parametrize(
    "name", ["add", "divide", "maximum", "minimum", "multiply", "power", "subtract"]
)
def test_two_arrays_broadcast_as_in_numpy(name, shapes):
    x, y = (abs(normal(*s)) + 0.5 for s in shapes)
    np.testing.assert_array_equal(getattr(ops, name)(x, y), getattr(np, name)(x, y))


@pytest.mark.parametrize("condition", [True, [True, False, True], np.eye(3)])
def test_where_broadcasts_as_in_numpy(condition):
    x, y = normal(3), normal(3, 1, seed=1)
    wanted = np.where(np.asarray(condition, bool), x, y)
    np.testing.assert_array_equal(ops.where(condition, x, y), wanted)
    check(lambda x, y: ops.where(condition, x, y), x, y)


def test_where_without_values_tells_the_places():
    rows, columns = ops.where([[True, False], [True, True]])
    np.testing.assert_array_equal(rows, [0, 1, 1])
    np.testing.assert_array_equal(columns, [0, 0, 1])
    assert rows.dtype == "int32"
    with pytest.raises(ValueError, match="where: `x1` and `x2` must be given both"):
        ops.where([True], x1=1.0)


def test_sparse_arrays_are_refused():
    assert ops.convert_to_tensor([1.0], sparse=False, ragged=False).shape == (1,)
    with pytest.raises(ValueError, match="convert_to_tensor: `ragged` arrays are not"):
        ops.convert_to_tensor([1.0], ragged=True)
    with pytest.raises(ValueError, match="one_hot: `sparse` arrays are not offered"):
        ops.one_hot([1], 2, sparse=True)


def test_a_whole_number_among_booleans_is_a_number():
    flags = np.array([True, False])
    np.testing.assert_array_equal(ops.divide(flags, 2), [0.5, 0])
    np.testing.assert_array_equal(ops.add(flags, 2), [3, 2])
    assert ops.add(flags, 2).dtype == "int32"


@pytest.mark.parametrize("keepdims", [False, True])
def test_initial_of_extremes(keepdims):
    x = np.array([[1.0, 5.0], [-2.0, 0.5]], "float32")
    for name in ("max", "min"):
        got = getattr(ops, name)(x, 1, keepdims, initial=0.75)
        want = getattr(np, name)(x, 1, keepdims=keepdims, initial=0.75)
        np.testing.assert_array_equal(got, want)
        empty = getattr(ops, name)(x[:, :0], 1, keepdims, initial=0.75)
        np.testing.assert_array_equal(empty, np.full(want.shape, 0.75))


def test_a_change_of_type_has_a_derivative_both_ways():
    check(lambda x: ops.square(ops.square(x).astype("float64")), normal(3))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_joining(axis):
    for name in ("concatenate", "stack"):
        got = getattr(ops, name)([A, B], axis)
        np.testing.assert_array_equal(got, getattr(np, name)([A, B], axis))
    np.testing.assert_array_equal(ops.concatenate([A, B]), np.concatenate([A, B]))
    np.testing.assert_array_equal(ops.stack([A, B]), np.stack([A, B]))


@pytest.mark.parametrize(
    "shapes",
    [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((5, 2, 3), (5, 3, 4)),
        ((2, 3), (5, 3, 4)),
        ((5, 1, 2, 3), (4, 3, 2)),
        ((3,), (5, 3, 2)),
        ((5, 2, 3), (3,)),
        ((0, 3), (3, 2)),
    ],
)
def test_matmul_has_numpys_shapes(shapes):
    x, y = (np.random.default_rng(0).integers(-4, 5, s) * 1.0 for s in shapes)
    got, wanted = ops.matmul(x, y), np.matmul(x, y)
    assert np.shape(got) == np.shape(wanted)
    np.testing.assert_array_equal(got, wanted)


def test_matmul_of_stacks_holds_blas_to_one_thread(monkeypatch):
    # As all other products: the bits do not depend on the number of threads.
    entered = []

    @contextmanager
    def hold():
        entered.append(True)
        yield

    monkeypatch.setattr(onp, "single_threaded_blas", hold())
    ops.matmul(normal(2, 3, 4), normal(2, 4, 5))
    assert entered


@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((3,), (4,)), ((), (3,))])
def test_matmul_names_the_shapes_that_do_not_fit(shapes):
    message = (
        "matmul: the last axis of `x1` must be as long as the last but one of `x2`. "
        f"Received: shapes {shapes[0]} and {shapes[1]}"
    )
    with pytest.raises(ValueError) as error:
        ops.matmul(*map(np.ones, shapes))
    assert str(error.value) == message


@pytest.mark.parametrize("name", ["argmax", "argmin"])
@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "int8", "uint8", "bool"])
def test_places_of_extremes(name, axis, keepdims, dtype):
    x = np.array([[0, 3, 3], [1, 0, 0]], dtype)
    got = getattr(ops, name)(x, axis, keepdims)
    wanted = getattr(np, name)(x, axis=axis, keepdims=keepdims)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint32", "bool"])
@pytest.mark.parametrize("name", ["max", "min"])
def test_extremes_of_whole_numbers(name, dtype):
    low = 0 if dtype == "bool" else np.iinfo(dtype).min
    x = np.array([5, low, 3]).astype(dtype)
    got = getattr(ops, name)(x)
    assert got.dtype == dtype
    assert got == getattr(np, name)(x)


def test_one_hot():
    got = ops.one_hot([[2, 0], [1, 5]], 3)
    assert got.dtype == np.float32
    assert got.tolist() == [[[0, 0, 1], [1, 0, 0]], [[0, 1, 0], [0, 0, 0]]]
    first = ops.one_hot([2, -1], 3, axis=0, dtype="int32")
    assert first.dtype == np.int32
    assert first.tolist() == [[0, 0], [0, 0], [1, 0]]


def test_squeeze_takes_one_axis():
    x = np.ones((1, 2, 1))
    assert ops.squeeze(x, 0).shape == (2, 1)
    assert ops.squeeze(x, -1).shape == (1, 2)
    with pytest.raises(ValueError):
        ops.squeeze(x, 1)


def test_new_arrays(float64_default):
    assert ops.zeros(3).dtype == ops.ones((2, 3)).dtype == np.float64
    assert ops.ones((2, 3)).tolist() == [[1] * 3] * 2
    assert ops.zeros((2,), "int32").tolist() == [0, 0]
    assert ops.ones_like(np.ones(2), "int8").dtype == np.int8
    assert ops.zeros_like(np.ones(2, "int8")).dtype == np.int8


# --- number types ---------------------------------------------------------------


def test_python_numbers_and_lists_are_of_the_default_type():
    for value in (1.5, [1.0, 2.0], [[0.5]]):
        assert ops.convert_to_tensor(value).dtype == np.float32
    assert ops.convert_to_tensor([1, 2]).dtype == np.int64
    assert ops.convert_to_tensor(np.ones(2)).dtype == np.float64
    assert ops.convert_to_tensor(np.float64(1)).dtype == np.float64
    assert ops.convert_to_tensor([1, 2], "float32").dtype == np.float32


def test_the_default_type_can_be_float64(float64_default):
    assert ops.convert_to_tensor(1.5).dtype == np.float64
    assert ops.sigmoid([1, 2]).dtype == np.float64
    assert ops.mean(np.array([1, 2])).dtype == np.float64


SCALARS = [2, 2.5, True, np.float64(2.5), np.int64(2)]
PAIRS = ["add", "divide", "maximum", "minimum", "multiply", "power", "subtract"]


@pytest.mark.parametrize("scalar", SCALARS, ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("shape", [(), (3,)])
@pytest.mark.parametrize("name", PAIRS)
def test_a_number_does_not_promote_an_array(name, shape, scalar):
    function, x = getattr(ops, name), np.full(shape, 1.5, "float32")
    for one in (lambda x: function(x, scalar), lambda x: function(scalar, x)):
        assert one(x).dtype == np.float32
        gradient = grad(lambda x: ops.sum(one(x)))  # noqa: B023
        assert gradient(x).dtype == np.float32
        second = grad(lambda x: ops.sum(ops.square(ops.add(gradient(x), x))))  # noqa: B023
        assert second(x).dtype == np.float32


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    "one, other, wanted",
    [
        ("float32", "float32", "float32"),
        ("float32", "float64", "float64"),
        ("float32", "int64", "float32"),
        ("int8", "float32", "float32"),
        ("bool", "float32", "float32"),
        ("float64", "int32", "float64"),
    ],
)
def test_two_types_meet_as_in_keras(name, one, other, wanted):
    x, y = np.ones(2, one), np.ones(2, other)
    assert getattr(ops, name)(x, y).dtype == wanted
    assert getattr(ops, name)(y, x).dtype == wanted


def test_python_numbers_are_exact_among_float64_arrays():
    x = np.array([3.0, -7.0])
    np.testing.assert_array_equal(ops.multiply(0.1, x), 0.1 * x)
    np.testing.assert_array_equal(ops.divide(x, 0.3), x / 0.3)
    np.testing.assert_array_equal(ops.clip(x, -0.1, 0.7), [0.7, -0.1])
    np.testing.assert_array_equal(ops.where([True, False], 0.1, x), [0.1, -7])
    assert ops.convert_to_tensor(0.1, "float64") == 0.1
    assert ops.cast([0.1], "float64")[0] == 0.1


def test_whole_numbers_stay_whole_but_in_a_division():
    x = np.array([1, 2, 7])
    assert ops.add(x, 1).dtype == ops.multiply(2, x).dtype == np.int64
    half = ops.divide(x, 2)
    assert half.dtype == np.float32
    assert half.tolist() == [0.5, 1, 3.5]


def test_float64_results_of_no_axes_stay_float64():
    # NumPy gives such results as np.float64, which Python also calls a float.
    mean = ops.mean(normal(3))
    third = ops.divide(mean, 3)
    assert third.dtype == np.float64
    assert third == mean / 3


@pytest.mark.parametrize(
    "dtype, wanted",
    [
        ("bool", "int32"),
        ("int8", "int32"),
        ("int16", "int32"),
        ("uint8", "uint32"),
        ("uint16", "uint32"),
        ("int32", "int32"),
        ("int64", "int64"),
        ("float32", "float32"),
        ("float64", "float64"),
    ],
)
def test_sums_of_small_whole_numbers_are_wider(dtype, wanted):
    x = np.ones(1000, dtype)
    assert ops.sum(x).dtype == wanted
    assert ops.sum(x) == 1000


def test_cast():
    assert ops.cast([1.7, -1.7], "int32").tolist() == [1, -1]
    x = normal(3).astype("float32")
    gradient = grad(lambda x: ops.sum(ops.cast(x, "float64") * normal(3)))(x)
    assert gradient.dtype == np.float32
    np.testing.assert_array_equal(gradient, normal(3).astype("float32"))


def test_clip_keeps_whole_numbers_or_meets_the_bounds():
    x = np.array([1, 5, 9])
    assert ops.clip(x, 2, 6).dtype == np.int64
    assert ops.clip(x, 2.5, 6.5).tolist() == [2.5, 5, 6.5]


# --- kinks and ties -------------------------------------------------------------


@pytest.mark.parametrize("name, winner", [("maximum", 2.0), ("minimum", -2.0)])
def test_a_tie_of_two_shares_the_gradient(name, winner):
    function = getattr(ops, name)
    x, y = np.array([winner, 1.0, 0.0]), np.array([0.0, 1.0, winner])
    total = lambda x, y: ops.sum(function(x, y))  # noqa: E731
    np.testing.assert_array_equal(grad(total, 0)(x, y), [1, 0.5, 0])
    np.testing.assert_array_equal(grad(total, 1)(x, y), [0, 0.5, 1])
    ones = np.ones(3)
    tangent = make_jvp(lambda x: function(x, y), x)(ones)[1]
    np.testing.assert_array_equal(tangent, [1, 0.5, 0])
    tangent = make_jvp(lambda y: function(x, y), y)(ones)[1]
    np.testing.assert_array_equal(tangent, [0, 0.5, 1])


@pytest.mark.parametrize("name, sign", [("max", 1), ("min", -1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_ties_of_a_reduction_share_the_gradient(name, sign, keepdims):
    x = sign * np.array([[1.0, 4, 4, 2], [3, 3, 3, 3]])

    def reduce(x):
        return getattr(ops, name)(x, 1, keepdims)

    wanted = [[0, 0.5, 0.5, 0], [0.25] * 4]
    gradient = grad(lambda x: ops.sum(reduce(x)))(x)
    np.testing.assert_array_equal(gradient, wanted)
    tangent = make_jvp(reduce, x)(np.array([[0, 1, 3, 0], [1, 2, 3, 6.0]]))[1]
    np.testing.assert_array_equal(tangent.ravel(), [2, 3])
    over_all = grad(getattr(ops, name))(x)
    np.testing.assert_array_equal(over_all, [[0, 0.5, 0.5, 0], [0] * 4])


def test_absolute_has_gradient_zero_at_zero():
    x = np.array([-2.0, 0.0, 3.0])
    np.testing.assert_array_equal(elementwise_grad(ops.absolute)(x), [-1, 0, 1])


def test_clip_passes_the_gradient_at_its_bounds():
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    slope = elementwise_grad(lambda x: ops.clip(x, 0, 1))(x)
    np.testing.assert_array_equal(slope, [0, 1, 1, 1, 0])


def test_clip_by_arrays_of_more_axes():
    low, high = np.array([[-0.5], [-2.0]]), np.array([0.6, 0.7, 0.8])
    x = np.array([-1.0, 0.2, 1.5])
    np.testing.assert_array_equal(ops.clip(x, low, high), np.clip(x, low, high))
    check(lambda x: ops.clip(x, low, high), x)


def test_a_branch_not_taken_gives_no_nan():
    x = np.array([0.0, 4.0])
    safe = lambda x: ops.where(x > 0, ops.sqrt(ops.maximum(x, 1e-3)), 0.0)  # noqa: E731
    np.testing.assert_array_equal(elementwise_grad(safe)(x), [0, 0.25])
    infinite = np.array([np.inf, 2.0])
    slope = elementwise_grad(lambda x: ops.where([False, True], x, 1.0))
    np.testing.assert_array_equal(slope(infinite), [0, 1])


def test_powers_of_zero():
    x = np.array([0.0, 2.0])
    for exponent, wanted in ((0, [0, 0]), (1, [1, 1]), (2, [0, 4]), (3, [0, 12])):
        slope = elementwise_grad(lambda x: ops.power(x, exponent))(x)  # noqa: B023
        np.testing.assert_allclose(slope, wanted)
    by_exponent = elementwise_grad(lambda y: ops.power(x, y))(np.array([2.0, 3.0]))
    np.testing.assert_allclose(by_exponent, [0, 8 * np.log(2)])


def test_powers_of_exponent_zero():
    x, y = np.array([0.7, 2.0]), np.zeros(2)
    check(ops.power, x, y)


def test_gradients_stop():
    x = np.array([2.0, 3.0])
    loss = lambda x: ops.sum(x * ops.stop_gradient(x))  # noqa: E731
    np.testing.assert_array_equal(grad(loss)(x), x)
    loss = lambda x: ops.sum(x * ops.sign(x))  # noqa: E731
    np.testing.assert_array_equal(grad(loss)(x), [1, 1])


# --- primitives that no public function shows -----------------------------------


def test_masked():
    keep = np.array([[True, False, True]])
    x = normal(1, 3)
    np.testing.assert_array_equal(onp.masked(x, keep=keep), np.where(keep, x, 0))
    check(lambda x: ops.square(onp.masked(x, keep=keep)), x)


@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (2, 3, 4)])
def test_pick_and_place(shape):
    x, g = normal(*shape), normal(*shape[:-1])
    index = np.random.default_rng(0).integers(0, shape[-1], shape[:-1])
    rows = x.reshape(-1, shape[-1])
    wanted = [row[i] for row, i in zip(rows, index.ravel(), strict=True)]
    np.testing.assert_array_equal(onp.pick(x, index).ravel(), wanted)
    check(lambda x: ops.square(onp.pick(x, index)), x)
    placed = onp._place(g, index=index, size=shape[-1])
    np.testing.assert_array_equal(placed, np.eye(shape[-1])[index] * g[..., None])
    check(lambda g: ops.square(onp._place(g, index=index, size=shape[-1])), g)


def test_pick_takes_a_handle_and_keeps_float32():
    x = Variable(normal(2, 3).astype("float32"))
    picked = onp.pick(x, [2, 0])
    np.testing.assert_array_equal(picked, x.array[[0, 1], [2, 0]])
    total = lambda x: ops.sum(ops.square(onp.pick(x, [2, 0])))  # noqa: E731
    assert grad(total)(x.array).dtype == np.float32


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 2, 3)])
def test_sum_leading(shape):
    x = normal(*shape)
    wanted = x.reshape(-1, 3).sum(axis=0)
    np.testing.assert_allclose(onp.sum_leading(x), wanted, rtol=1e-15)
    check(lambda x: ops.square(onp.sum_leading(x)), x)


@pytest.mark.parametrize(
    "wide, narrow", [((2, 3), (3,)), ((2, 3), (2, 1)), ((4, 2, 3), (1, 3)), ((3,), ())]
)
def test_sum_to_is_the_adjoint_of_broadcasting(wide, narrow):
    g, x = normal(*wide), normal(*narrow, seed=1)
    summed = base.sum_to(g, narrow)
    assert summed.shape == narrow
    np.testing.assert_allclose(np.vdot(summed, x), np.vdot(g, np.broadcast_to(x, wide)))
    check(lambda g: ops.square(base.sum_to(g, narrow)), g)


def test_a_list_that_holds_traced_values_becomes_traced():
    def loss(x):
        y = ops.convert_to_tensor([[x, 2.0], [3.0, ops.multiply(x, x)]])
        return ops.sum(ops.square(y))

    gradient = grad(loss)(np.array(1.5))
    assert gradient == pytest.approx(2 * 1.5 + 4 * 1.5**3)


def test_plain_tells_traced_values():
    seen = []
    grad(lambda x: (seen.append(base.plain(x, 1.0)), ops.sum(x))[1])(np.ones(2))
    assert seen == [False] and base.plain(np.ones(2), 1.0, None)


@pytest.mark.parametrize("function", ["sum", "mean", "max", "min", "var", "std"])
@pytest.mark.parametrize("axis", [2, -3, (0, 5)])
def test_an_axis_out_of_range_is_refused(function, axis):
    with pytest.raises(ValueError, match="`axis` must be from -2 to 1 .* Received"):
        getattr(ops, function)(np.ones((2, 3)), axis=axis)
