"""The dense kernels against sums over indices, on whole numbers: results are equal."""

import numpy as np
import pytest

from minikeras import config
from minikeras.kernels import blocking, dense


@pytest.fixture(params=["one slice", "many slices"])
def cut(request, monkeypatch):
    if request.param == "many slices":
        monkeypatch.setattr(blocking, "MIN_SLICE_WORK", 0)
        config.set_threads(3)


def whole(*shape, dtype="float64", seed=0):
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype)


def naive_matmul(a, b):
    c = np.zeros((len(a), b.shape[1]), a.dtype)
    for i in range(len(a)):
        for j in range(b.shape[1]):
            for k in range(len(b)):
                c[i, j] += a[i, k] * b[k, j]
    return c


SHAPES = [(1, 1, 1), (1, 5, 3), (7, 1, 4), (9, 3, 1), (13, 4, 5), (0, 3, 2)]


@pytest.mark.parametrize("rows, inner, columns", SHAPES)
def test_products(rows, inner, columns, cut):
    x, w = whole(rows, inner), whole(inner, columns, seed=1)
    bias, g = whole(columns, seed=2), whole(rows, columns, seed=3)
    y = naive_matmul(x, w)
    np.testing.assert_array_equal(dense.matmul(x, w), y)
    np.testing.assert_array_equal(dense.dense(x, w, None), y)
    np.testing.assert_array_equal(dense.dense(x, w, bias), y + bias)
    positive = np.where(y + bias > 0, y + bias, 0)
    np.testing.assert_array_equal(dense.dense(x, w, bias, True), positive)
    for output, kept in ((None, g), (positive, np.where(positive > 0, g, 0))):
        dx, dw, db = dense.backward(x, w, output, g)
        np.testing.assert_array_equal(dx, naive_matmul(kept, w.T))
        np.testing.assert_array_equal(dw, naive_matmul(x.T, kept))
        np.testing.assert_array_equal(db, naive_matmul(np.ones((1, rows)), kept)[0])


def test_long_products_are_cut_along_their_longer_side():
    w, whole_side = np.zeros((200, 200)), slice(None)
    rows = dense._parts(np.zeros((4000, 200)), w)
    assert rows == [(slice(i, i + 1000), whole_side) for i in range(0, 4000, 1000)]
    columns = dense._parts(np.zeros((200, 200)), np.zeros((200, 4000)))
    assert columns == [(whole_side, slice(i, i + 1000)) for i in range(0, 4000, 1000)]
    assert len(dense._parts(np.zeros((10, 200)), w)) == 1


def test_a_product_cut_by_columns_is_the_product(monkeypatch):
    monkeypatch.setattr(blocking, "MIN_SLICE_WORK", 0)
    monkeypatch.setattr(dense, "TINY", 0)
    x, w = whole(4, 30), whole(30, 41)
    bias = np.arange(41.0)
    assert len(dense._parts(x, w)) == 4
    y = dense.dense(x, w, bias, relu=True)
    np.testing.assert_array_equal(y, np.maximum(naive_matmul(x, w) + bias, 0))
    np.testing.assert_array_equal(dense.matmul(x, w), naive_matmul(x, w))


@pytest.mark.parametrize(
    "rows, columns, several",
    [
        (12800, 16, 64),
        (4099, 2, 1),  # a prime number of rows
        (3 * 1031, 8, 3),
        (64, 128, 8),
        (2, 5000, 1),  # rows that are long as they are
        (300, 16, 1),  # few numbers
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_short_rows_side_by_side(rows, columns, several, dtype):
    assert dense._side_by_side(rows, columns) == several
    x, w = whole(rows, 2, dtype=dtype), whole(2, columns, dtype=dtype, seed=1)
    bias, g = whole(columns, dtype=dtype, seed=2), whole(rows, columns, dtype=dtype)
    y = x[:, :1] * w[0] + x[:, 1:] * w[1] + bias
    np.testing.assert_array_equal(dense.dense(x, w, bias), y)
    total = [sum(column.tolist()) for column in g.T]
    for gradient in (g, np.asfortranarray(g)):
        db = dense.backward(x, w, None, gradient, "b")[2]
        np.testing.assert_array_equal(db, total)
        assert db.dtype == dtype


def test_only_what_is_wanted_is_made():
    x, w, g = whole(5, 3), whole(3, 2), whole(5, 2)
    everything = dense.backward(x, w, None, g)
    for wanted in ("x", "w", "b", "xw", "wb", "xb", ""):
        got = dense.backward(x, w, None, g, wanted)
        for letter, part, whole_part in zip("xwb", got, everything, strict=True):
            if letter in wanted:
                np.testing.assert_array_equal(part, whole_part)
            else:
                assert part is None


VIEWS = {
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "every second column": lambda a: np.repeat(a, 2, axis=-1)[:, ::2],
    "every second row": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backwards in memory": lambda a: np.ascontiguousarray(a[::-1])[::-1],
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_arrays_that_are_not_contiguous(view, cut):
    x, w, g = whole(9, 4), whole(4, 6, seed=1), whole(9, 6, seed=2)
    y = naive_matmul(x, w)
    arrays = [view(a) for a in (x, w, g, y)]
    for array in arrays:
        array.setflags(write=False)
    vx, vw, vg, vy = arrays
    np.testing.assert_array_equal(dense.dense(vx, vw, None), y)
    np.testing.assert_array_equal(dense.matmul(vx, vw), y)
    dx, dw, db = dense.backward(vx, vw, vy, vg)
    kept = np.where(y > 0, g, 0)
    np.testing.assert_array_equal(dx, naive_matmul(kept, w.T))
    np.testing.assert_array_equal(dw, naive_matmul(x.T, kept))
    np.testing.assert_array_equal(db, kept.sum(axis=0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_results_have_the_type_of_the_arrays(dtype, cut):
    x, w, bias = (whole(*s, dtype=dtype) for s in ((9, 4), (4, 6), (6,)))
    y = dense.dense(x, w, bias, True)
    results = [y, dense.matmul(x, w), *dense.backward(x, w, y, y)]
    assert {r.dtype for r in results} == {np.dtype(dtype)}


def test_any_number_of_threads_gives_the_same_bits(monkeypatch):
    monkeypatch.setattr(blocking, "MIN_SLICE_WORK", 0)
    rng = np.random.default_rng(0)
    shapes = ((301, 70), (70, 40), (40,), (301, 40))
    x, w, bias, g = (rng.standard_normal(s).astype("float32") for s in shapes)
    assert len(dense._parts(x, w)) == 4
    results = []
    for threads in (1, 2, 5):
        config.set_threads(threads)
        y = dense.dense(x, w, bias, True)
        parts = [y, dense.matmul(x, w), *dense.backward(x, w, y, g)]
        results.append([part.tobytes() for part in parts])
    assert results[0] == results[1] == results[2]


def test_bias_and_relu_in_the_same_pass_change_no_bit():
    rng = np.random.default_rng(0)
    shapes = ((50, 7), (7, 5), (5,), (50, 5))
    x, w, bias, g = (rng.standard_normal(s).astype("float32") for s in shapes)
    y = dense.dense(x, w, bias, True)
    np.testing.assert_array_equal(y, np.maximum(dense.dense(x, w, None) + bias, 0))
    fused = dense.backward(x, w, y, g)
    for got, wanted in zip(fused, dense.backward(x, w, None, g * (y > 0)), strict=True):
        np.testing.assert_array_equal(got, wanted)
