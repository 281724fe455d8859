"""`ops.take` against NumPy's, and its derivatives of any order."""

import numpy as np
import pytest
from autograd import grad, make_vjp
from autograd.test_util import check_grads

from minikeras.ops import gather as ops
from minikeras.variables import Variable

SHAPES = [(1,), (5,), (3, 4), (1, 4), (2, 3, 4), (4, 1, 2)]
INDICES = [0, [0], [[0, 0], [-1, 0]], np.zeros((2, 0), int)]


def every_case():
    for shape in SHAPES:
        for axis in [None, *range(-len(shape), len(shape))]:
            size = int(np.prod(shape)) if axis is None else shape[axis]
            for index in [*INDICES, [size - 1, 0, -size, size // 2]]:
                yield shape, axis, index


CASES = list(every_case())


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
@pytest.mark.parametrize("shape, axis, index", CASES)
def test_values(shape, axis, index, dtype):
    x = np.random.default_rng(0).integers(-9, 9, shape).astype(dtype)
    found = ops.take(x, index, axis)
    expected = np.take(x, index, axis)
    assert found.dtype == dtype
    assert found.shape == expected.shape
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("shape, axis, index", CASES)
def test_derivatives(shape, axis, index):
    x = np.random.default_rng(1).normal(size=shape)
    function = lambda x: ops.take(x, index, axis) ** 3  # noqa: E731
    check_grads(function, modes=["fwd", "rev"], order=2)(x)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("index_shape", [(), (3,), (2, 2)])
def test_put_is_the_adjoint_and_differentiable_too(axis, index_shape):
    random = np.random.default_rng(2)
    x = random.normal(size=(2, 3, 4))
    index = random.integers(0, x.shape[axis], index_shape)
    taken = ops._take(x, index=index, axis=axis)
    g = random.normal(size=taken.shape)
    put = ops._put(g, index=index, axis=axis, size=x.shape[axis])
    assert put.shape == x.shape
    np.testing.assert_allclose((taken * g).sum(), (put * x).sum())

    def scatter(g):
        return ops._put(g, index=index, axis=axis, size=x.shape[axis]) ** 3

    check_grads(scatter, modes=["fwd", "rev"], order=2)(g)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_gradients_keep_the_type_and_leave_the_incoming_one_alone(dtype):
    x = np.arange(6, dtype=dtype).reshape(2, 3)
    pullback, y = make_vjp(lambda x: ops.take(x, [2, 0, 2], 1))(x)
    g = np.ones_like(y)
    assert pullback(g).dtype == dtype
    np.testing.assert_array_equal(pullback(g), [[1, 0, 2], [1, 0, 2]])
    np.testing.assert_array_equal(g, 1)


def test_take_rows():
    table = np.arange(6.0).reshape(3, 2)
    index = np.array([[2, 0], [1, 1]])
    np.testing.assert_array_equal(ops.take_rows(table, index), table[index])
    by_table = grad(lambda t: ops.take_rows(t, index).sum())(table)
    np.testing.assert_array_equal(by_table, [[1, 1], [2, 2], [1, 1]])


def test_weights_lists_and_any_integers_are_taken():
    handle = Variable(np.float32([1, 2, 3]))
    for index in ([0, 2], np.uint8([0, 2]), np.int16([0, -1]), Variable([0, 2])):
        np.testing.assert_array_equal(ops.take(handle, index), [1, 3])
    assert ops.take([1.0, 2.0], []).shape == (0,)
    given = np.array([0, -1])
    ops.take(handle, given)
    np.testing.assert_array_equal(given, [0, -1])


@pytest.mark.parametrize("index", [3, -4, [0, 3], np.uint64(2**63)])
def test_an_index_out_of_range_is_named(index):
    wrong = max(np.ravel(index).tolist(), key=abs)
    with pytest.raises(
        ValueError, match=rf"index {wrong} is out of .* \(2, 3\), has 3"
    ):
        ops.take(np.ones((2, 3)), index, axis=1)


def test_other_mistakes():
    with pytest.raises(
        ValueError, match=r"axis 2 does not exist in `x` of .* \(2, 3\)"
    ):
        ops.take(np.ones((2, 3)), 0, axis=2)
    with pytest.raises(TypeError, match="whole numbers.*float32.*ops.cast"):
        ops.take(np.ones(3), [0.0, 1.0])
    with pytest.raises(TypeError, match="whole numbers.*bool"):
        ops.take(np.ones(3), [True, False])


def test_the_check_notices_a_wrong_adjoint(monkeypatch):
    def wrong(g, index, count):
        table = np.zeros((count, g.shape[1]))
        table[index] = g  # does not add up
        return table

    monkeypatch.setattr(ops.kernels, "scatter_add", wrong)
    with pytest.raises(AssertionError):
        check_grads(lambda x: ops.take(x, [1, 1]), modes=["rev"])(np.ones(3))
