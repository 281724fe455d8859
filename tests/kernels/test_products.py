"""Products cut into blocks against `np.matmul` in float64.

Matrices hold small whole numbers, so every sum is exact in either float type and
results must be equal, whatever the order of the additions.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minikeras import config
from minikeras.kernels import blocking, dense, products

FLOATS = ["float32", "float64"]


@pytest.fixture(params=[True, False], ids=["small kernels", "no small kernels"])
def unpacked(request, monkeypatch):
    monkeypatch.setattr(products, "multiplies_unpacked", lambda: request.param)
    return request.param


@pytest.fixture
def small_kernels(monkeypatch):
    monkeypatch.setattr(products, "multiplies_unpacked", lambda: True)


@pytest.fixture
def asked(monkeypatch):
    """The shapes of the left matrices, or stacks of them, that NumPy multiplies."""
    shapes = []

    def counted(function):
        def multiply(a, b, out):
            shapes.append(a.shape)
            return function(a, b, out=out)

        return multiply

    names = vars(np) | {"matmul": counted(np.matmul), "dot": counted(np.dot)}
    counted = SimpleNamespace(**names)
    monkeypatch.setattr(products, "np", counted)
    return shapes


def whole(*shape, dtype="float64", seed=0):
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(dtype)


def cut_out(a):
    """The same numbers in the middle of a larger matrix of NaN."""
    wide = np.full((*a.shape[:-2], a.shape[-2] + 3, a.shape[-1] + 5), np.nan, a.dtype)
    wide[..., 1:-2, 2:-3] = a
    return wide[..., 1:-2, 2:-3]


LAYOUTS = {
    "as it is": lambda a: a,
    "transposed": lambda a: np.ascontiguousarray(a.swapaxes(-1, -2)).swapaxes(-1, -2),
    "cut out": cut_out,
    "cut out, transposed": lambda a: cut_out(a.swapaxes(-1, -2)).swapaxes(-1, -2),
    "every second row": lambda a: np.repeat(a, 2, axis=-2)[..., ::2, :],
    "backwards": lambda a: a[..., ::-1, :].copy()[..., ::-1, :],
}


def product(function, a, b, shape, layout="as it is"):
    """What `function` writes, to an array of NaN in a layout."""
    out = LAYOUTS[layout](np.full(shape, np.nan, a.dtype))
    function(a, b, out)
    assert out.dtype == a.dtype
    return out


def exact(a, b):
    return np.matmul(a.astype("float64"), b.astype("float64"))


# --- which processors -----------------------------------------------------------


@pytest.fixture
def ask(monkeypatch):
    def ask(*libraries):
        held = SimpleNamespace(libraries=[SimpleNamespace(**lib) for lib in libraries])
        monkeypatch.setattr(blocking, "single_threaded_blas", held)
        products.multiplies_unpacked.cache_clear()
        return products.multiplies_unpacked()

    yield ask
    products.multiplies_unpacked.cache_clear()


@pytest.mark.parametrize("name", ["SkylakeX", "Cooperlake", "SapphireRapids"])
def test_openblas_on_avx_512(name, ask):
    assert ask({"internal_api": "openblas", "architecture": name}) is True
    haswell = {"internal_api": "openblas", "architecture": "Haswell"}
    assert ask(haswell, {"internal_api": "openblas", "architecture": name}) is True


@pytest.mark.parametrize(
    "library",
    [
        {"internal_api": "openblas", "architecture": "Haswell"},
        {"internal_api": "openblas", "architecture": "Zen"},
        {"internal_api": "openblas", "architecture": "neoversen1"},
        {"internal_api": "openblas", "architecture": "skylakex"},
        {"internal_api": "openblas", "architecture": None},
        {"internal_api": "openblas"},
        {"internal_api": "mkl", "architecture": "SkylakeX"},
        {"internal_api": "blis", "architecture": "SkylakeX"},
        {"internal_api": "mkl"},
    ],
    ids=lambda library: "-".join(map(str, library.values())),
)
def test_any_other_blas(library, ask):
    assert ask(library) is False
    assert ask(library, library) is False


def test_no_blas_at_all(ask):
    assert ask() is False


def test_the_libraries_are_looked_at_once(ask):
    assert ask({"internal_api": "openblas", "architecture": "SkylakeX"}) is True
    blocking.single_threaded_blas.libraries.clear()
    assert products.multiplies_unpacked() is True


# --- sizes of blocks ------------------------------------------------------------


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(0, 5000), st.integers(0, 1 << 21))
def test_the_fewest_equal_blocks_of_rows(rows, each):
    found = products.row_blocks(rows, each)
    if rows * each <= products.UNPACKED:
        assert found == 1
        return
    fitting = [
        count
        for count in range(2, rows // products.FEWEST_ROWS + 1)
        if rows % count == 0 and rows // count * each <= products.UNPACKED
    ]
    assert found == min(fitting, default=1)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(1, 3000), st.integers(1, 5000), st.integers(1, 300))
def test_good_blocks(rows, row, columns):
    found = products.good_block(rows, row, columns)
    fitting = [
        n
        for n in range(6, 29)
        if rows % n == 0 and n * row * columns <= products.UNPACKED
    ]
    together = 6 if columns < 64 else 4
    even = [n for n in fitting if n % 2 == 0]
    best = [n for n in fitting if n % together == 0]
    assert found == max(best or even or fitting, default=0)


@pytest.mark.parametrize(
    "rows, row, columns, block",
    [
        (168, 10, 63, 24),
        (168, 10, 64, 28),
        (26, 10, 10, 26),
        (7, 10, 10, 7),
        (5, 1, 1, 0),
        (29, 1, 1, 0),
        (24, 1000, 60, 12),
        (24, 3000, 60, 0),
    ],
)
def test_some_good_blocks(rows, row, columns, block):
    assert products.good_block(rows, row, columns) == block


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(0, 40_000), st.integers(1, 600), st.integers(1, 300))
def test_turned_blocks_fit(rows, width, filters):
    columns, part = products._turned_blocks(rows, width, filters)

    def fits(columns, shortest, longest):
        return [
            n
            for n in range(shortest, longest + 1)
            if rows % n == 0 and columns * n * filters <= products.UNPACKED
        ]

    as_wide = fits(width, 96, min(rows, 512))
    cut = {n: fits(n, 128, rows) for n in range(24, 49) if width % n == 0}
    if width * filters > products.LARGEST_SUM or not (as_wide or any(cut.values())):
        assert (columns, part) == (0, 0)
    elif as_wide:
        assert (columns, part) == (width, as_wide[-1])
    else:
        assert columns == max(n for n, found in cut.items() if found)
        assert part == cut[columns][-1]


# --- products -------------------------------------------------------------------


# More and fewer multiplications than a small kernel takes; many and few divisors.
ROWS = st.sampled_from([0, 1, 7, 8, 769, 840, 1009, 2048, 3001, 3600, 4200, 5040])
MATRICES = {
    "rows": ROWS | st.integers(0, 3000),
    "inner": st.sampled_from([0, 1, 9, 27, 48, 72, 144]) | st.integers(30, 90),
    "columns": st.sampled_from([0, 1, 3, 16, 32, 64]) | st.integers(20, 70),
    "dtype": st.sampled_from(FLOATS),
}
ANY = st.sampled_from(list(LAYOUTS))


def test_multiply(unpacked, asked):
    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(a_layout=ANY, b_layout=ANY, out_layout=ANY, **MATRICES)
    def check(rows, inner, columns, dtype, a_layout, b_layout, out_layout):
        a = LAYOUTS[a_layout](whole(rows, inner, dtype=dtype))
        b = LAYOUTS[b_layout](whole(inner, columns, dtype=dtype, seed=1))
        out = product(products.multiply, a, b, (rows, columns), out_layout)
        np.testing.assert_array_equal(out, exact(a, b))

    check()
    assert (sum(len(shape) == 3 for shape in asked) > 20) is unpacked


def test_multiply_each(unpacked, asked):
    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(
        count=st.integers(1, 4), a_layout=ANY, b_layout=ANY, out_layout=ANY, **MATRICES
    )
    def check(count, rows, inner, columns, dtype, a_layout, b_layout, out_layout):
        a = LAYOUTS[a_layout](whole(rows, inner, dtype=dtype))
        b = LAYOUTS[b_layout](whole(count, inner, columns, dtype=dtype, seed=1))
        shape = count, rows, columns
        out = product(products.multiply_each, a, b, shape, out_layout)
        np.testing.assert_array_equal(out, exact(a, b))

    check()
    assert (sum(len(shape) == 3 for shape in asked) > 10) is unpacked


TURNED = {
    "rows": st.sampled_from([0, 1, 127, 128, 1009, 1024, 2304, 4096])
    | st.integers(0, 4000),
    "width": st.sampled_from([1, 9, 24, 27, 48, 72, 144, 288]) | st.integers(1, 150),
    "filters": st.sampled_from([1, 3, 8, 16, 64]) | st.integers(1, 70),
    "dtype": st.sampled_from(FLOATS),
}


def test_multiply_turned(unpacked, asked):
    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(
        a_layout=ANY,
        b_layout=ANY,
        out_layout=ANY,
        **TURNED,
    )
    def check(rows, width, filters, dtype, a_layout, b_layout, out_layout):
        a = LAYOUTS[a_layout](whole(rows, width, dtype=dtype))
        b = LAYOUTS[b_layout](whole(rows, filters, dtype=dtype, seed=1))
        out = product(products.multiply_turned, a, b, (width, filters), out_layout)
        np.testing.assert_array_equal(out, exact(a.T, b))

    check()
    stacks = [shape[0] for shape in asked if len(shape) == 4]
    if unpacked:
        assert stacks.count(1) > 5 and len(stacks) - stacks.count(1) > 5
    else:
        assert not stacks


# rows, inner, columns, and blocks that are handed over
BLOCKS = [
    (1250, 40, 20, None),  # as large as a small kernel takes
    (1251, 40, 20, (3, 417, 40)),
    (2500, 40, 20, (2, 1250, 40)),
    (1009, 40, 32, None),  # a prime number of rows
    (16, 700, 100, (2, 8, 700)),
    (15, 700, 100, None),  # a half would be too few rows
    (64, 2000, 100, None),
]


@pytest.mark.parametrize("rows, inner, columns, stack", BLOCKS)
def test_a_large_product_is_a_stack(rows, inner, columns, stack, small_kernels, asked):
    a, b = whole(rows, inner), whole(inner, columns, seed=1)
    out = product(products.multiply, a, b, (rows, columns))
    np.testing.assert_array_equal(out, a @ b)
    each = product(products.multiply_each, a, b[None], (1, rows, columns))
    np.testing.assert_array_equal(each, [a @ b])
    assert asked == [stack or (rows, inner)] * 2


@pytest.mark.parametrize("layout", ["as it is", "transposed"])
@pytest.mark.parametrize(
    "rows, width, filters, stack",
    [
        (512, 24, 16, (1, 1, 24, 512)),
        (2048, 96, 16, (4, 1, 96, 512)),
        (2048, 3, 5, (4, 1, 3, 512)),  # narrow
        (2048, 53, 16, (4, 1, 53, 512)),  # a prime number of columns
        (2048, 96, 100, (16, 2, 48, 128)),  # as wide, blocks would be short
        (1024, 144, 64, (4, 3, 48, 256)),
        (95, 48, 8, None),  # few rows
        (1009, 48, 64, None),  # a prime number of them
        (1024, 1440, 48, None),  # a large result
    ],
)
def test_which_turned_products(
    rows, width, filters, stack, layout, small_kernels, asked
):
    a, b = LAYOUTS[layout](whole(rows, width)), whole(rows, filters, seed=1)
    out = product(products.multiply_turned, a, b, (width, filters))
    np.testing.assert_array_equal(out, a.T @ b)
    assert asked == [stack or (width, rows)]


@pytest.mark.parametrize("small", [True, False])
def test_few_results_are_left_to_dot(small, monkeypatch):
    used = []

    def dot(a, b, out):
        used.append("dot")
        return np.dot(a, b, out=out)

    monkeypatch.setattr(products, "multiplies_unpacked", lambda: False)
    monkeypatch.setattr(products, "np", SimpleNamespace(**vars(np) | {"dot": dot}))
    columns = 20 if small else 21  # 500 results, and 525
    a, b = whole(1000, 25), whole(1000, columns, seed=1)
    for layout in LAYOUTS:
        out = product(products.multiply_turned, a, b, (25, columns), layout)
        np.testing.assert_array_equal(out, exact(a.T, b))
        out = product(products.multiply, a.T, b, (25, columns), layout)
        np.testing.assert_array_equal(out, exact(a.T, b))
    assert len(used) == (2 if small else 0)  # where the results lie in one run


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-12)])
def test_to_rounding(dtype, tolerance, unpacked):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4096, 72)), rng.normal(size=(72, 24))
    g = rng.normal(size=(4096, 24))
    a, b, g = (array.astype(dtype) for array in (a, b, g))
    for out, expected in (
        (product(products.multiply, a, b, g.shape), exact(a, b)),
        (product(products.multiply_each, a, b[None], (1, *g.shape))[0], exact(a, b)),
        (product(products.multiply_turned, a, g, b.shape), exact(a.T, g)),
    ):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(out, expected, 0, tolerance * scale)


EMPTY = [
    (rows, inner, columns)
    for rows in (0, 5, 4096)
    for inner in (0, 48)
    for columns in (0, 16)
    if rows * inner * columns == 0
]


@pytest.mark.parametrize("rows, inner, columns", EMPTY)
def test_multiply_empty_matrices(rows, inner, columns, unpacked):
    a, b = whole(rows, inner), whole(inner, columns)
    out = product(products.multiply, a, b, (rows, columns))
    np.testing.assert_array_equal(out, np.zeros((rows, columns)))


@pytest.mark.parametrize("rows, inner, columns", EMPTY)
@pytest.mark.parametrize("count", [1, 2])
def test_multiply_each_of_empty_matrices(rows, inner, columns, count, unpacked):
    a, b = whole(rows, inner), whole(count, inner, columns)
    out = product(products.multiply_each, a, b, (count, rows, columns))
    np.testing.assert_array_equal(out, np.zeros((count, rows, columns)))


def test_multiply_each_of_no_matrices(unpacked):
    a, b = whole(2048, 48), whole(0, 48, 16)
    assert product(products.multiply_each, a, b, (0, 2048, 16)).size == 0


@pytest.mark.parametrize("rows, inner, columns", EMPTY)
def test_multiply_turned_empty_matrices(rows, inner, columns, unpacked):
    a, b = whole(rows, inner), whole(rows, columns)
    out = product(products.multiply_turned, a, b, (inner, columns))
    np.testing.assert_array_equal(out, np.zeros((inner, columns)))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("row", [0, 5, 1023, 2047])
def test_nan_and_infinity_stay_in_their_row(row, value, dtype, unpacked, asked):
    rows, inner, columns = 2048, 48, 32
    a, b = whole(rows, inner, dtype=dtype), whole(inner, columns, dtype=dtype, seed=1)
    g = whole(rows, columns, dtype=dtype, seed=2)
    a[row, 7] = value
    with np.errstate(invalid="ignore"):
        # 0 times infinity: the last column gets NaN in either case
        b[7, -1] = g[row, -1] = 0
        expected, turned = exact(a, b), exact(a.T, g)
        out = product(products.multiply, a, b, (rows, columns))
        each = product(products.multiply_each, a, b[None], (1, rows, columns))[0]
        back = product(products.multiply_turned, a, g, (inner, columns))
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(each, expected)
    np.testing.assert_array_equal(back, turned)
    assert np.isfinite(np.delete(out, row, axis=0)).all()
    assert np.isfinite(np.delete(back, 7, axis=0)).all()
    assert np.isnan(out[row, -1]) and np.isnan(back[7, -1])
    assert [len(shape) for shape in asked] == ([3, 3, 4] if unpacked else [2, 2, 2])


def test_arguments_are_left_alone(unpacked):
    a, b, g = whole(2048, 48), whole(48, 32, seed=1), whole(2048, 32, seed=2)
    for array in (a, b, g):
        array.setflags(write=False)
    product(products.multiply, a, b, g.shape)
    product(products.multiply_each, a, b[None], (1, *g.shape))
    product(products.multiply_turned, a, g, b.shape)


def test_nothing_is_written_beside_the_result(small_kernels):
    a, b, g = whole(2048, 48), whole(48, 32, seed=1), whole(2048, 32, seed=2)
    for function, shape, others in (
        (products.multiply, (2048, 32), (a, b)),
        (products.multiply_turned, (48, 32), (a, g)),
    ):
        wide = np.full((shape[0] + 2, shape[1] + 2), 7.5)
        function(*others, wide[1:-1, 1:-1])
        assert (wide == 7.5).sum() == wide.size - np.prod(shape)


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-12)])
def test_dense_is_the_same_bits_on_any_number_of_threads(
    dtype, tolerance, small_kernels, asked, monkeypatch
):
    monkeypatch.setattr(blocking, "MIN_SLICE_WORK", 1)
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(17_000, 60)), rng.normal(size=(60, 40))
    x, w = x.astype(dtype), w.astype(dtype)
    results = []
    for threads in (1, 2, 3):
        config.set_threads(threads)
        results += [dense.matmul(x, w), dense.dense(x, w, None)]
    assert any(len(shape) == 3 for shape in asked)
    expected = exact(x, w)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(results[0], expected, 0, tolerance * scale)
    assert len({result.tobytes() for result in results[::2]}) == 1
    assert len({result.tobytes() for result in results[1::2]}) == 1
