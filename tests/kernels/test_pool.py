"""Pooling against loops over windows and cells, on whole numbers: results are equal."""

from itertools import product

import numpy as np
import pytest

from minikeras import config
from minikeras.kernels import blocking, pool
from minikeras.kernels.windows import Geometry, geometry


def windows(sizes, kernel, strides, padding):
    """Per output place, the real cells of its window: (cell number, input place)."""
    before, outs = [], []
    for size, k, stride in zip(sizes, kernel, strides, strict=True):
        if padding == "valid":
            before.append(0)
            outs.append(len(range(0, size - k + 1, stride)))
        else:
            out = len(range(0, size, stride))
            before.append(max((out - 1) * stride + k - size, 0) // 2)
            outs.append(out)
    found = {}
    for o in np.ndindex(*outs):
        found[o] = []
        for number, k in enumerate(np.ndindex(*kernel)):
            i = tuple(
                p * stride + c - b
                for p, stride, c, b in zip(o, strides, k, before, strict=True)
            )
            if all(0 <= p < size for p, size in zip(i, sizes, strict=True)):
                found[o].append((number, i))
    return found, tuple(outs)


def naive_max(x, where):
    """Values and the number of the first cell that has the largest."""
    found, outs = windows(*where)
    y = np.zeros((len(x), *outs, x.shape[-1]), x.dtype)
    index = np.zeros(y.shape, int)
    for o, cells in found.items():
        for n, c in product(range(len(x)), range(x.shape[-1])):
            best = None
            for number, i in cells:
                value = x[(n, *i, c)]
                if best is None or value > best:  # a later equal one does not win
                    best, index[(n, *o, c)] = value, number
            y[(n, *o, c)] = best
    return y, index


def naive_scatter(g, index, x_shape, where):
    found, _ = windows(*where)
    dx = np.zeros(x_shape, g.dtype)
    for o, cells in found.items():
        for number, i in cells:
            mine = index[(slice(None), *o)] == number
            dx[(slice(None), *i)] += np.where(mine, g[(slice(None), *o)], 0)
    return dx


def naive_average(x, where):
    found, outs = windows(*where)
    y = np.zeros((len(x), *outs, x.shape[-1]), x.dtype)
    for o, cells in found.items():
        total = sum(x[(slice(None), *i)] for _, i in cells)
        y[(slice(None), *o)] = total / x.dtype.type(len(cells))
    return y


def naive_average_gradient(g, x_shape, where):
    found, _ = windows(*where)
    dx = np.zeros(x_shape, g.dtype)
    for o, cells in found.items():
        for _, i in cells:
            dx[(slice(None), *i)] += g[(slice(None), *o)] / len(cells)
    return dx


GRID = [
    ((size,), (k,), (stride,), padding)
    for size, k, stride, padding in product(
        (1, 2, 5, 8), (1, 2, 3), (1, 2, 3, 5), ("valid", "same")
    )
]
GRID += [
    (sizes, kernel, strides, padding)
    for sizes, kernel, strides, padding in product(
        ((4, 5), (1, 7), (6, 6)),
        ((2, 2), (3, 2), (1, 3)),
        ((1, 1), (2, 2), (2, 3), (4, 4)),
        ("valid", "same"),
    )
]
GRID += [
    ((3, 4, 5), kernel, strides, padding)
    for kernel, strides, padding in product(
        ((2, 2, 2), (3, 1, 2)), ((1, 1, 1), (2, 2, 2), (1, 3, 2)), ("valid", "same")
    )
]


def name(case):
    *parts, padding = case
    return "-".join([*("x".join(map(str, n)) for n in parts), padding])


def whole(*shape, dtype="float64", low=-3, seed=0):
    return np.random.default_rng(seed).integers(low, 4, shape).astype(dtype)


@pytest.mark.parametrize("case", GRID, ids=name)
@pytest.mark.parametrize("low", [-3, 3], ids=["few ties", "all equal"])
def test_max_pooling(case, low, cut):
    x = whole(3, *case[0], 2, low=low) - 10  # negative: a padding of 0 would win
    place = geometry(*case)
    y, index = naive_max(x, case)
    g = whole(*y.shape, seed=1)
    dx = naive_scatter(g, index, x.shape, case)
    np.testing.assert_array_equal(pool.max_pool(x, place), y)
    np.testing.assert_array_equal(pool.first_max(x, y, place), index)
    np.testing.assert_array_equal(pool.scatter(g, index, place), dx)
    np.testing.assert_array_equal(pool.max_backward(x, y, g, place), dx)
    np.testing.assert_array_equal(pool.gather(x, index, place), y)


@pytest.mark.parametrize("case", GRID, ids=name)
def test_gather_and_scatter_by_any_index(case, cut):
    # The index of a second derivative need not be that of the largest value.
    found, outs = windows(*case)
    rng = np.random.default_rng(0)
    x = whole(3, *case[0], 2)
    index = np.zeros((3, *outs, 2), "uint8")
    wanted = np.zeros(index.shape)
    for o, cells in found.items():
        for n, c in product(range(3), range(2)):
            number, i = cells[rng.integers(len(cells))]
            index[(n, *o, c)], wanted[(n, *o, c)] = number, x[(n, *i, c)]
    place = geometry(*case)
    np.testing.assert_array_equal(pool.gather(x, index, place), wanted)
    g = whole(*index.shape, seed=1)
    dx = naive_scatter(g, index, x.shape, case)
    np.testing.assert_array_equal(pool.scatter(g, index, place), dx)


@pytest.mark.parametrize("case", GRID, ids=name)
@pytest.mark.parametrize(
    "dtype, few", [("float32", 24), ("float64", 24), ("float32", 0)]
)
def test_average_pooling_counts_real_cells_only(case, dtype, few, cut, monkeypatch):
    monkeypatch.setattr(pool, "FEW_CHANNELS", few)
    x = whole(3, *case[0], 2, dtype=dtype)
    place = geometry(*case)
    y = naive_average(x, case)
    np.testing.assert_array_equal(pool.average_pool(x, place), y)
    g = 216 * whole(*y.shape, dtype=dtype, seed=1)  # divisible by every count
    dx = naive_average_gradient(g, x.shape, case)
    np.testing.assert_array_equal(pool.average_backward(g, place), dx)


def test_the_average_of_ones_is_one_also_at_the_edge():
    x = np.ones((1, 5, 5, 1))
    y = pool.average_pool(x, geometry((5, 5), (3, 3), (2, 2), "same"))
    np.testing.assert_array_equal(y, np.ones((1, 3, 3, 1)))


def test_a_tie_goes_to_the_first_cell_row_by_row():
    x = np.array([[1.0, 5.0], [5.0, 5.0]]).reshape(1, 2, 2, 1)
    place = geometry((2, 2), (2, 2), (2, 2), "valid")
    y = pool.max_pool(x, place)
    dx = pool.max_backward(x, y, np.ones((1, 1, 1, 1)), place)
    np.testing.assert_array_equal(dx[0, :, :, 0], [[0, 1], [0, 0]])


@pytest.mark.parametrize("k", [2, 8])
def test_windows_that_have_no_cell_in_common(k):
    # No padding name gives this, but a geometry may say it: the first window has only
    # its second half on the input, the second one its first half.
    half = k // 2
    place = Geometry((k,), (k,), (k,), (1,), ((half, half),), (2,))
    x = -1 - np.arange(float(k)).reshape(1, k, 1)
    y = pool.max_pool(x, place)
    np.testing.assert_array_equal(y[0, :, 0], [-1, -1 - half])
    index = pool.first_max(x, y, place)
    np.testing.assert_array_equal(index[0, :, 0], [half, 0])
    mean = pool.average_pool(x, place)[0, :, 0]
    np.testing.assert_array_equal(mean, x.reshape(2, half).mean(axis=1))


def test_minus_infinity_is_a_value_like_any_other():
    x = np.full((1, 3, 1), -np.inf)
    place = geometry((3,), (3,), (1,), "same")
    y = pool.max_pool(x, place)
    assert (y == -np.inf).all()
    dx = pool.max_backward(x, y, np.ones_like(y), place)
    np.testing.assert_array_equal(dx[0, :, 0], [2, 1, 0])


def test_nan_is_passed_on():
    x = np.array([1.0, np.nan, 3.0, 4.0]).reshape(1, 4, 1)
    y = pool.max_pool(x, geometry((4,), (2,), (2,), "valid"))
    np.testing.assert_array_equal(y[0, :, 0], [np.nan, 4])


@pytest.mark.parametrize("last", [255, 256, 288])
def test_windows_of_more_than_256_cells(last):
    x = np.zeros((1, 17, 17, 1))
    x[0, last // 17, last % 17, 0] = 1
    place = geometry((17, 17), (17, 17), (1, 1), "valid")
    y = pool.max_pool(x, place)
    index = pool.first_max(x, y, place)
    assert index.item() == last
    np.testing.assert_array_equal(pool.max_backward(x, y, y, place), x)
    np.testing.assert_array_equal(pool.scatter(y, index, place), x)


def test_an_index_takes_one_byte_where_it_can():
    x = np.zeros((1, 16, 16, 1))
    y = pool.max_pool(x, place := geometry((16, 16), (16, 16), (1, 1), "valid"))
    assert pool.first_max(x, y, place).dtype == np.uint8


@pytest.mark.parametrize("count", [0, 1, 9, 17])
def test_batch_sizes(count, cut):
    case = ((4, 5), (2, 2), (2, 1), "same")
    x, place = whole(count, 4, 5, 2), geometry(*case)
    y, index = naive_max(x, case)
    g = whole(*y.shape, seed=1)
    np.testing.assert_array_equal(pool.max_pool(x, place), y)
    np.testing.assert_array_equal(
        pool.max_backward(x, y, g, place), naive_scatter(g, index, x.shape, case)
    )
    np.testing.assert_array_equal(pool.average_pool(x, place), naive_average(x, case))


@pytest.mark.parametrize("shape", [(0, 4, 5, 2), (3, 4, 5, 0), (3, 1, 5, 2)])
@pytest.mark.parametrize("few", [0, 24])
def test_averages_of_nothing(shape, few, cut, monkeypatch):
    monkeypatch.setattr(pool, "FEW_CHANNELS", few)
    place = geometry(shape[1:3], (2, 2), (2, 2), "valid")
    g = np.ones((shape[0], *place.out, shape[3]))
    dx = pool.average_backward(g, place)
    assert dx.shape == shape
    assert dx.sum() == g.sum()


VIEWS = {
    "axes reordered": lambda a: np.ascontiguousarray(a.T).T,
    "every second channel": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "every second image": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backwards in memory": lambda a: np.ascontiguousarray(a[:, ::-1])[:, ::-1],
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize(
    "strides, padding", [((2, 2), "same"), ((1, 2), "same"), ((2, 2), "valid")]
)
def test_arrays_that_are_not_contiguous(view, strides, padding, cut):
    case = ((4, 5), (2, 2), strides, padding)
    x, place = whole(3, 4, 5, 2), geometry(*case)
    y, index = naive_max(x, case)
    g = 216 * whole(*y.shape, seed=1)
    dx = naive_scatter(g, index, x.shape, case)
    index = index.astype("uint8")
    arrays = [view(a) for a in (x, y, g, index)]
    for array in arrays:
        array.setflags(write=False)  # no kernel writes into an argument
    vx, vy, vg, vindex = arrays
    np.testing.assert_array_equal(pool.max_pool(vx, place), y)
    np.testing.assert_array_equal(pool.max_backward(vx, vy, vg, place), dx)
    np.testing.assert_array_equal(pool.scatter(vg, vindex, place), dx)
    np.testing.assert_array_equal(pool.gather(vx, vindex, place), y)
    np.testing.assert_array_equal(pool.average_pool(vx, place), naive_average(x, case))
    np.testing.assert_array_equal(
        pool.average_backward(vg, place), naive_average_gradient(g, x.shape, case)
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("strides", [(2, 2), (1, 1)])
def test_results_have_the_type_of_the_arrays(dtype, strides, cut):
    place = geometry((4, 5), (2, 2), strides, "same")
    x = whole(3, 4, 5, 2, dtype=dtype)
    y = pool.max_pool(x, place)
    index = pool.first_max(x, y, place)
    results = [
        y,
        pool.max_backward(x, y, y, place),
        pool.scatter(y, index, place),
        pool.gather(x, index, place),
        pool.average_pool(x, place),
        pool.average_backward(y, place),
    ]
    assert {r.dtype for r in results} == {np.dtype(dtype)}


@pytest.mark.parametrize("strides", [(2, 2), (1, 1)])
def test_any_number_of_threads_gives_the_same_bits(strides, monkeypatch):
    monkeypatch.setattr(blocking, "SLICE_BYTES", 1 << 14)
    monkeypatch.setattr(blocking, "MIN_SLICE_WORK", 1)
    place = geometry((12, 11), (3, 2), strides, "same")
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 12, 11, 3)).astype("float32")
    g = rng.standard_normal((40, *place.out, 3)).astype("float32")
    assert len(pool._slices(x, place)) > 5
    results = []
    for threads in (1, 2, 5):
        config.set_threads(threads)
        y = pool.max_pool(x, place)
        index = pool.first_max(x, y, place)
        parts = [
            y,
            index,
            pool.max_backward(x, y, g, place),
            pool.scatter(g, index, place),
            pool.gather(x, index, place),
            pool.average_pool(x, place),
            pool.average_backward(g, place),
        ]
        results.append([part.tobytes() for part in parts])
    assert results[0] == results[1] == results[2]
