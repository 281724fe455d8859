"""Convolution without copied windows against loops over windows and cells.

Unless a test says otherwise, arrays hold small whole numbers, so every sum is exact in
either float type and results must be equal, whatever the order of the additions.
"""

import importlib.util
from itertools import product
from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minikeras import config
from minikeras.kernels import blocking, conv, conv_fourier, conv_rows, products
from minikeras.kernels.steps import do
from minikeras.kernels.windows import Geometry, geometry

_path = Path(__file__).parent / "test_conv.py"
_spec = importlib.util.spec_from_file_location("convolutions", _path)
convolutions = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(convolutions)
meetings, paddings = convolutions.meetings, convolutions.paddings
VIEWS, whole = convolutions.VIEWS, convolutions.whole

FLOATS = ["float32", "float64"]
TOLERANCES = {"float32": 1e-5, "float64": 1e-12}  # relative to the largest number


@pytest.fixture
def ways(monkeypatch):
    """Short rows are taken too, on any processor; which way each slice went."""
    monkeypatch.setattr(conv_fourier, "plan", lambda *_: None)
    monkeypatch.setattr(products, "multiplies_unpacked", lambda: True)
    monkeypatch.setattr(conv_rows, "SHORTEST_ROW", 1)
    monkeypatch.setattr(conv_rows, "SHORTEST_WIDTH", 1)
    return spy(monkeypatch)


def spy(monkeypatch):
    calls = []

    def count(module, name, kind):
        function = getattr(module, name)

        def counted(*arguments):
            calls.append(kind)
            return function(*arguments)

        monkeypatch.setattr(module, name, counted)

    count(conv_rows, "convolve", "forward")
    count(conv_rows, "input_gradient", "back")
    count(conv_rows, "filter_gradient", "filter")
    count(conv, "columns", "copied windows")
    return calls


def cut_in(length, monkeypatch):
    """Let every batch be cut into slices of `length` images."""

    def slices(count, *costs):
        size = length if count < 100 else count  # numbers to add up, not images
        return [slice(i, min(i + size, count)) for i in range(0, count, size)]

    monkeypatch.setattr(blocking, "slices", slices)


def sums(x, w, where):
    y = np.zeros((len(x), *paddings(*where)[1], w.shape[-1]), x.dtype)
    for o, k, i in meetings(*where):
        y[(slice(None), *o)] += x[(slice(None), *i)] @ w[k]
    return y


def gradient_sums(x, w, g, where):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for o, k, i in meetings(*where):
        above, below = g[(slice(None), *o)], x[(slice(None), *i)]
        dx[(slice(None), *i)] += above @ w[k].T
        dw[k] += below.T @ above
    return dx, dw


def example(where, channels=4, filters=3, count=6, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    x = whole(rng, count, *where[0], channels, dtype=dtype)
    w = whole(rng, *where[1], channels, filters, dtype=dtype)
    g = whole(rng, count, *paddings(*where)[1], filters, dtype=dtype)
    return x, w, g, geometry(*where)


def direct(x, w, place):
    """y as `conv_rows` computes it from an input padded here."""
    padded = np.pad(x, ((0, 0), *place.pads, (0, 0)))
    y = np.full((len(x), *place.out, w.shape[-1]), np.nan, x.dtype)
    do(conv_rows.convolve(padded, conv_rows.matrices(w), place, y))
    return y


def direct_back(g, w, place):
    dx = np.full((len(g), *place.sizes, w.shape[-2]), np.nan, g.dtype)
    do(conv_rows.input_gradient(g, conv_rows.matrices_back(w), place, dx))
    return dx


# --- all shapes -----------------------------------------------------------------


# Sizes, kernel, strides, padding, dilation. What comes out has 6, 7, 8 or 12 rows.
RANK_1 = [
    ((size,), (k,), (stride,), padding, (1,))
    for size, k, stride, padding in product(
        (5, 8), (1, 2, 3, 4), (1, 2, 3), ("valid", "same", "causal")
    )
]
RANK_2 = [
    ((size, 5), kernel, strides, padding, dilation)
    for size, kernel, strides, padding, dilation in (
        *product(
            (7, 12),
            ((1, 1), (1, 3), (1, 2)),
            ((1, 1), (1, 2)),
            ("valid", "same"),
            ((1, 1),),
        ),
        *product(
            (12,), ((2, 3), (3, 1)), ((1, 1), (2, 2)), ("same",), ((1, 1), (2, 1))
        ),
        (8, (3, 3), (1, 1), "valid", (1, 1)),
        (12, (3, 2), (1, 1), "valid", (3, 1)),
        (13, (3, 2), (2, 1), "valid", (1, 1)),
        (6, (8, 7), (1, 1), "same", (1, 1)),  # larger than input and output
        (6, (2, 3), (1, 1), "same", (6, 1)),  # some cells meet no input
        (17, (12, 5), (1, 1), "valid", (1, 1)),  # larger than the output
    )
    if not (strides != (1, 1) and dilation != (1, 1))
]
RANK_3 = [
    ((3, size, 4), kernel, strides, padding, dilation)
    for size, kernel, strides, padding, dilation in (
        *product(
            (6, 7),
            ((2, 1, 3), (1, 2, 2), (3, 3, 3)),
            ((1, 1, 1),),
            ("same",),
            ((1, 1, 1), (2, 1, 1)),
        ),
        (12, (2, 3, 1), (2, 2, 2), "same", (1, 1, 1)),
        (8, (2, 3, 2), (1, 1, 1), "valid", (1, 1, 1)),
        (10, (2, 3, 2), (1, 1, 2), "valid", (1, 2, 1)),
    )
]
GRID = RANK_1 + RANK_2 + RANK_3


def name(where):
    sizes, kernel, strides, padding, dilation = where
    parts = ("x".join(map(str, n)) for n in (sizes, kernel, strides, dilation))
    return "-".join([*parts, padding])


@pytest.mark.parametrize("where", GRID, ids=name)
def test_products_of_every_kind(where, ways):
    for dtype in FLOATS:
        x, w, g, place = example(where, dtype=dtype)
        dx, dw = gradient_sums(x, w, g, where)
        fits = conv_rows.fits(place, 4, 3, len(x))
        back = conv_rows.fits_back(place, 4, 3, len(x))
        assert fits and back is (set(where[2]) == {1})
        ways.clear()
        y = conv.convolve(x, w, None, place)
        np.testing.assert_array_equal(y, sums(x, w, where))
        assert set(ways) == {"forward"} and y.dtype == dtype
        ways.clear()
        found = conv.input_gradient(g, w, place)
        np.testing.assert_array_equal(found, dx)
        assert ("back" in ways) is back and found.dtype == dtype
        ways.clear()
        both = conv.backward(x, w, None, g, place)
        assert ("back" in ways) is back
        assert ("filter" in ways) is (where[2][0] == 1 and place.cells > 1)
        np.testing.assert_array_equal(both[0], dx)
        np.testing.assert_array_equal(both[1], dw)
        np.testing.assert_array_equal(both[2], g.reshape(-1, 3).sum(axis=0))
        np.testing.assert_array_equal(conv.filter_gradient(x, g, place), dw)


@pytest.mark.parametrize("where", RANK_1[::5] + RANK_2[::3] + RANK_3[::3], ids=name)
@pytest.mark.parametrize("count", [1, 6, 7, 13])
def test_slices(where, count, ways, cut):
    x, w, g, place = example(where, count=count)
    dx, dw = gradient_sums(x, w, g, where)
    np.testing.assert_array_equal(conv.convolve(x, w, None, place), sums(x, w, where))
    np.testing.assert_array_equal(conv.input_gradient(g, w, place), dx)
    both = conv.backward(x, w, None, g, place)
    np.testing.assert_array_equal(both[0], dx)
    np.testing.assert_array_equal(both[1], dw)
    if len(where[0]) > 1:
        expected = count if cut == "many slices" else 1
        assert ways.count("forward") == expected
        assert "back" not in ways or ways.count("back") == 2 * expected


@st.composite
def drawn(draw):
    """A geometry with any padding, also such as no name gives, with channels."""
    rank = draw(st.integers(1, 3))
    small = st.integers(1, 3)
    kernel = tuple(draw(st.integers(1, (4, 3, 2)[rank - 1])) for _ in range(rank))
    strides = tuple(draw(small) for _ in range(rank)) if draw(st.booleans()) else None
    strides = strides or (1,) * rank
    dilation = (*(draw(small) for _ in range(rank - 1)), 1)
    pads, sizes, out = [], [], []
    for axis in range(rank):
        above = axis == rank - 2
        reach = (kernel[axis] - 1) * dilation[axis] + 1
        long = st.sampled_from([6, 7, 8, 10, 12, 18]) if above else st.integers(1, 4)
        places = draw(long)
        # What the windows reach, and the cells behind that none of them does.
        all_cells = (places - 1) * strides[axis] + reach
        all_cells += draw(st.integers(0, strides[axis] - 1))
        most = min(all_cells - 1, kernel[axis] - 1 if axis == rank - 1 else 4)
        before = draw(st.integers(0, most))
        after = draw(st.integers(0, min(most, all_cells - 1 - before)))
        pads.append((before, after))
        sizes.append(all_cells - before - after)
        out.append(places)
    place = Geometry(tuple(sizes), kernel, strides, dilation, tuple(pads), tuple(out))
    counts = (6, 7, 8, 9, 12) if rank == 1 else (1, 2, 3)
    numbers = st.integers(1, 5)
    return (
        place,
        draw(st.sampled_from(counts)),
        draw(numbers),
        draw(numbers),
        draw(st.sampled_from(FLOATS)),
    )


def test_random_shapes(ways):
    taken = []

    @settings(max_examples=250, deadline=None, derandomize=True)
    @given(drawn())
    def check(case):
        place, count, channels, filters, dtype = case
        rng = np.random.default_rng(0)
        x = whole(rng, count, *place.sizes, channels, dtype=dtype)
        w = whole(rng, *place.kernel, channels, filters, dtype=dtype)
        g = whole(rng, count, *place.out, filters, dtype=dtype)
        padded = np.pad(x, ((0, 0), *place.pads, (0, 0)))
        where = place.padded, place.kernel, place.strides, "valid", place.dilation
        y = sums(padded, w, where)
        dx, dw = gradient_sums(padded, w, g, where)
        for axis, ((before, _), size) in enumerate(
            zip(place.pads, place.sizes, strict=True)
        ):
            dx = dx.take(range(before, before + size), axis + 1)
        np.testing.assert_array_equal(conv.convolve(x, w, None, place), y)
        both = conv.backward(x, w, None, g, place)
        np.testing.assert_array_equal(both[0], dx)
        np.testing.assert_array_equal(both[1], dw)
        np.testing.assert_array_equal(direct(x, w, place), y)
        if conv_rows.fits_back(place, channels, filters, count):
            np.testing.assert_array_equal(direct_back(g, w, place), dx)
            taken.append(place)

    check()
    assert len(taken) > 60 and {len(place.out) for place in taken} == {1, 2, 3}
    assert ways.count("forward") > 2 * 150 and ways.count("back") == 2 * len(taken)
    assert 100 < ways.count("filter") < 250


# --- either way -----------------------------------------------------------------


LARGE = [
    (((24, 20), (3, 3), (1, 1), "same", (1, 1)), 16, 16, 8),
    (((24, 21), (5, 5), (2, 2), "same", (1, 1)), 12, 20, 8),
    (((26, 9), (3, 3), (1, 1), "valid", (2, 1)), 32, 16, 9),
    (((24, 20), (1, 1), (1, 1), "valid", (1, 1)), 64, 32, 8),
    (((200,), (5,), (1,), "causal", (1,)), 16, 24, 48),
    (((200,), (8,), (4,), "valid", (1,)), 16, 24, 48),
    (((6, 12, 10), (3, 3, 3), (1, 1, 1), "same", (1, 1, 1)), 16, 12, 4),
]


@pytest.mark.parametrize("where, channels, filters, count", LARGE, ids=str)
@pytest.mark.parametrize("dtype", FLOATS)
def test_either_way_to_rounding(where, channels, filters, count, dtype, monkeypatch):
    place, rng = geometry(*where), np.random.default_rng(0)
    x = rng.normal(size=(count, *place.sizes, channels)).astype(dtype)
    w = rng.normal(size=(*place.kernel, channels, filters)).astype(dtype)
    g = rng.normal(size=(count, *place.out, filters)).astype(dtype)
    bias = rng.normal(size=filters).astype(dtype)
    output = rng.normal(size=g.shape).astype(dtype)
    calls, results = spy(monkeypatch), []
    for unpacked in (True, False):
        monkeypatch.setattr(products, "multiplies_unpacked", lambda u=unpacked: u)
        calls.clear()
        results.append(
            [
                conv.convolve(x, w, None, place),
                conv.convolve(x, w, bias, place, relu=True),
                conv.input_gradient(g, w, place),
                conv.filter_gradient(x, g, place),
                *conv.backward(x, w, None, g, place),
                *conv.backward(x, w, output, g, place),
            ]
        )
        assert ("forward" in calls) is unpacked
        assert ("back" in calls) is (unpacked and set(place.strides) == {1})
    for fast, plain in zip(*results, strict=True):
        assert fast.dtype == plain.dtype == dtype and fast.shape == plain.shape
        scale = np.abs(plain).max()
        assert scale > 1
        np.testing.assert_allclose(fast, plain, 0, TOLERANCES[dtype] * scale)


@pytest.mark.parametrize("where, channels, filters, count", LARGE, ids=str)
def test_any_number_of_threads_gives_the_same_bits(
    where, channels, filters, count, ways, monkeypatch
):
    cut_in(6 if len(where[0]) == 1 else 1, monkeypatch)
    place, rng = geometry(*where), np.random.default_rng(0)
    x = rng.normal(size=(count, *place.sizes, channels)).astype("float32")
    w = rng.normal(size=(*place.kernel, channels, filters)).astype("float32")
    g = rng.normal(size=(count, *place.out, filters)).astype("float32")
    bias = rng.normal(size=filters).astype("float32")
    results = []
    for threads in (1, 2, 3):
        config.set_threads(threads)
        y = conv.convolve(x, w, bias, place, relu=True)
        parts = [y, *conv.backward(x, w, y, g, place)]
        parts.append(conv.input_gradient(g, w, place))
        results.append([part.tobytes() for part in parts])
    assert results[0] == results[1] == results[2]
    slices = count // 6 if len(place.out) == 1 else count
    back = set(place.strides) == {1}
    assert ways.count("forward") == 3 * slices
    assert ways.count("back") == (6 * slices if back else 0)


def test_a_last_slice_that_does_not_fit_has_its_windows_copied(ways, monkeypatch):
    # Along one axis the samples are the rows: 6 at a time, and 2 are left.
    where = (9,), (3,), (1,), "same", (1,)
    x, w, g, place = example(where, count=20)
    cut_in(6, monkeypatch)
    y = conv.convolve(x, w, None, place)
    np.testing.assert_array_equal(y, sums(x, w, where))
    assert ways == ["forward"] * 3 + ["copied windows"]
    ways.clear()
    dx = conv.input_gradient(g, w, place)
    np.testing.assert_array_equal(dx, gradient_sums(x, w, g, where)[0])
    assert ways == ["back"] * 3 + ["copied windows"]


def test_bias_and_relu_change_no_bit(ways, cut):
    place, rng = geometry((12, 10), (3, 3), (1, 1), "same"), np.random.default_rng(0)
    x, w = rng.normal(size=(5, 12, 10, 8)), rng.normal(size=(3, 3, 8, 6))
    bias, g = rng.normal(size=6), rng.normal(size=(5, 12, 10, 6))
    plain = conv.convolve(x, w, None, place)
    np.testing.assert_array_equal(conv.convolve(x, w, bias, place), plain + bias)
    y = conv.convolve(x, w, bias, place, relu=True)
    np.testing.assert_array_equal(y, np.maximum(plain + bias, 0))
    assert (y == 0).any() and (y > 0).any()
    fused = conv.backward(x, w, y, g, place)
    apart = conv.backward(x, w, None, g * (y > 0), place)
    for got, wanted in zip(fused, apart, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert {"forward", "back"} <= set(ways)


# --- what fits ------------------------------------------------------------------


SQUARE = geometry((12, 12), (3, 3), (1, 1), "same")


def test_what_fits(monkeypatch):
    monkeypatch.setattr(products, "multiplies_unpacked", lambda: True)
    shortest = -(-conv_rows.SHORTEST_ROW // 3)
    assert conv_rows.fits(SQUARE, shortest, 8, 1)
    assert not conv_rows.fits(SQUARE, shortest - 1, 8, 1)
    assert conv_rows.fits_back(SQUARE, 8, shortest, 1)
    assert not conv_rows.fits_back(SQUARE, 8, shortest - 1, 1)
    strided = geometry((24, 24), (3, 3), (2, 2), "same")
    assert conv_rows.fits(strided, 32, 8, 1)
    assert not conv_rows.fits_back(strided, 32, 32, 1)
    assert not conv_rows.fits(SQUARE, 32, 3 * 32 + 1, 1)  # sums cost more than copies
    along = geometry((12, 12), (3, 3), (1, 1), "same", (1, 2))
    above = geometry((12, 12), (3, 3), (1, 1), "same", (2, 1))
    for fits in (conv_rows.fits, conv_rows.fits_back):
        assert fits(above, 32, 32, 1)
        assert not fits(along, 32, 32, 1)
        assert not fits(geometry((11, 12), (3, 3), (1, 1), "same"), 32, 3000, 1)
    assert not conv_rows.fits(geometry((5, 12), (3, 3), (1, 1), "same"), 32, 8, 6)
    assert conv_rows.fits_back(geometry((5, 12), (3, 3), (1, 1), "same"), 8, 32, 6)
    padded = SQUARE._replace(pads=((3, 3), (3, 1)), out=(16, 14))
    assert not conv_rows.fits_back(padded, 32, 32, 1)
    line = geometry((30,), (3,), (1,), "same")
    for fits in (conv_rows.fits, conv_rows.fits_back):
        assert fits(line, 32, 32, 12)
        assert not fits(line, 32, 32, 5)
    monkeypatch.setattr(products, "multiplies_unpacked", lambda: False)
    assert not conv_rows.fits(SQUARE, 32, 32, 1)
    assert not conv_rows.fits_back(SQUARE, 32, 32, 1)


def test_filters_that_fit():
    channels = -(-conv_rows.SHORTEST_WIDTH // 3)
    assert conv_rows.fits_filter(SQUARE, channels)
    assert not conv_rows.fits_filter(SQUARE, channels - 1)
    for strides, dilation in (((1, 2), (1, 1)), ((1, 1), (2, 3))):
        other = geometry((12, 12), (3, 3), strides, "same", dilation)
        assert conv_rows.fits_filter(other, channels)
    strided = geometry((12, 12), (3, 3), (2, 1), "same")
    assert not conv_rows.fits_filter(strided, channels)
    assert not conv_rows.fits_filter(geometry((2, 12), (3, 3), (1, 1), "valid"), 64)


OTHERS = [
    ((12, 12), (3, 3), (1, 1), "same", (1, 2)),
    ((5, 12), (3, 3), (1, 1), "same", (1, 1)),
    ((6,), (3,), (1,), "causal", (2,)),
]


@pytest.mark.parametrize("where", OTHERS, ids=name)
def test_what_does_not_fit_has_its_windows_copied(where, ways):
    x, w, g, place = example(where, count=1)
    dx, dw = gradient_sums(x, w, g, where)
    np.testing.assert_array_equal(conv.convolve(x, w, None, place), sums(x, w, where))
    found = conv.backward(x, w, None, g, place)
    np.testing.assert_array_equal(found[0], dx)
    np.testing.assert_array_equal(found[1], dw)
    assert "forward" not in ways and "back" not in ways


def test_groups_have_their_windows_copied(ways):
    where = (12, 12), (3, 3), (1, 1), "same", (1, 1)
    rng, place = np.random.default_rng(0), geometry(*where)
    x, w = whole(rng, 2, 12, 12, 4), whole(rng, 3, 3, 2, 6)
    g = whole(rng, 2, 12, 12, 6)
    halves = [(slice(2 * i, 2 * i + 2), slice(3 * i, 3 * i + 3)) for i in (0, 1)]
    parts = [sums(x[..., c], w[..., f], where) for c, f in halves]
    y = conv.convolve(x, w, None, place, 2)
    np.testing.assert_array_equal(y, np.concatenate(parts, -1))
    back = [gradient_sums(x[..., c], w[..., f], g[..., f], where) for c, f in halves]
    found = conv.backward(x, w, None, g, place, 2)
    np.testing.assert_array_equal(found[0], np.concatenate([dx for dx, _ in back], -1))
    np.testing.assert_array_equal(found[1], np.concatenate([dw for _, dw in back], -1))
    assert "forward" not in ways and "back" not in ways


# --- empty, one, not contiguous -------------------------------------------------


@pytest.mark.parametrize("where", RANK_1[::7] + RANK_2[::5] + RANK_3[::4], ids=name)
@pytest.mark.parametrize("count", [0, 1])
def test_no_image_and_one(where, count, ways, cut):
    x, w, g, place = example(where, count=count)
    dx, dw = gradient_sums(x, w, g, where)
    np.testing.assert_array_equal(conv.convolve(x, w, None, place), sums(x, w, where))
    np.testing.assert_array_equal(conv.input_gradient(g, w, place), dx)
    for got, wanted in zip(
        conv.backward(x, w, None, g, place),
        (dx, dw, g.reshape(-1, 3).sum(axis=0)),
        strict=True,
    ):
        np.testing.assert_array_equal(got, wanted)


NO_WINDOW = [
    ((12, 2), (1, 3), (1, 1), "valid", (1, 1)),
    ((2, 12), (3, 3), (1, 1), "valid", (1, 1)),
    ((2, 2), (3, 3), (1, 1), "valid", (1, 1)),
    ((5, 12, 2), (2, 1, 3), (1, 1, 1), "valid", (1, 1, 1)),
    ((2, 12, 9), (3, 1, 3), (1, 1, 1), "valid", (1, 1, 1)),
    ((12, 12, 2), (3, 1, 3), (1, 1, 1), "valid", (1, 1, 1)),
    ((2,), (3,), (1,), "valid", (1,)),
    ((4,), (3,), (1,), "valid", (2,)),
    ((12, 12), (3, 3), (1, 1), "valid", (6, 1)),
]


@pytest.mark.parametrize("where", NO_WINDOW, ids=name)
@pytest.mark.parametrize("count", [0, 1, 6])
def test_a_kernel_that_nowhere_fits_gives_nothing(where, count, ways, cut):
    x, w, g, place = example(where, count=count)
    assert g.size == 0
    assert conv.convolve(x, w, None, place).shape == g.shape
    assert conv.convolve(x, w, np.ones(3), place, relu=True).shape == g.shape
    found = [conv.input_gradient(g, w, place), *conv.backward(x, w, None, g, place)]
    shapes = [x.shape, x.shape, w.shape, (3,)]
    for array, shape in zip(found, shapes, strict=True):
        np.testing.assert_array_equal(array, np.zeros(shape))


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize(
    "where",
    [
        ((12, 5), (1, 1), (1, 1), "valid", (1, 1)),
        ((12, 5), (3, 3), (1, 1), "same", (1, 1)),
        ((12, 5), (1, 3), (2, 2), "valid", (1, 1)),
        ((9,), (3,), (1,), "valid", (1,)),
        ((3, 6, 4), (2, 1, 2), (1, 1, 1), "valid", (1, 1, 1)),
    ],
    ids=name,
)
def test_arrays_that_are_not_contiguous(view, where, ways, cut):
    x, w, g, place = example(where)
    dx, dw = gradient_sums(x, w, g, where)
    x_view, w_view, g_view = view(x), view(w), view(g)
    np.testing.assert_array_equal(x_view, x)
    y = conv.convolve(x_view, w_view, None, place)
    np.testing.assert_array_equal(y, sums(x, w, where))
    np.testing.assert_array_equal(conv.input_gradient(g_view, w_view, place), dx)
    both = conv.backward(x_view, w_view, None, g_view, place)
    np.testing.assert_array_equal(both[0], dx)
    np.testing.assert_array_equal(both[1], dw)


def test_a_gradient_that_is_one_number(ways):
    where = (12, 5), (3, 3), (1, 1), "same", (1, 1)
    x, w, g, place = example(where)
    g = np.broadcast_to(np.float64(2), g.shape)
    dx, dw = gradient_sums(x, w, g, where)
    np.testing.assert_array_equal(conv.input_gradient(g, w, place), dx)
    both = conv.backward(x, w, None, g, place)
    np.testing.assert_array_equal(both[0], dx)
    np.testing.assert_array_equal(both[1], dw)


def test_arguments_are_left_alone(ways, cut):
    for padding in ("valid", "same"):
        x, w, g, place = example(((14, 8), (3, 3), (1, 1), padding, (1, 1)))
        bias = np.arange(3.0)
        for array in (x, w, g, bias):
            array.setflags(write=False)
        y = conv.convolve(x, w, bias, place, 1, True)
        y.setflags(write=False)
        conv.backward(x, w, y, g, place)
        conv.input_gradient(g, w, place)
    assert {"forward", "back"} <= set(ways)


# --- infinities and NaN ---------------------------------------------------------


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "where",
    [
        ((12, 5), (3, 3), (1, 1), "same", (1, 1)),
        ((12, 5), (3, 3), (1, 1), "same", (2, 1)),
        ((6, 4), (1, 2), (1, 1), "valid", (1, 1)),
        ((12, 7), (1, 3), (1, 2), "same", (1, 1)),
        ((9,), (3,), (1,), "causal", (1,)),
        ((3, 6, 4), (2, 3, 2), (1, 1, 1), "same", (1, 1, 1)),
    ],
    ids=name,
)
def test_nan_and_infinity_come_out_where_they_belong(where, value, dtype, ways):
    x, w, g, place = example(where, dtype=dtype)
    middle = tuple(n // 2 for n in place.sizes), tuple(n // 2 for n in place.out)
    for corner in (False, True):
        bad_x, bad_g = x.copy(), g.copy()
        at = (place.sizes, place.out)
        at = [tuple(n - 1 for n in sizes) for sizes in at] if corner else middle
        bad_x[(2, *at[0], 1)] = value
        bad_g[(2, *at[1], 1)] = value
        with np.errstate(invalid="ignore"):
            y, dx = sums(bad_x, w, where), gradient_sums(x, w, bad_g, where)[0]
        ways.clear()
        found = conv.convolve(bad_x, w, None, place)
        back = conv.backward(x, w, None, bad_g, place, wanted="x")[0]
        assert "forward" in ways
        np.testing.assert_array_equal(found, y)
        np.testing.assert_array_equal(back, dx)
        others = [0, 1, 3, 4, 5]
        assert np.isfinite(found[others]).all() and np.isfinite(back[others]).all()
        assert not np.isfinite(found[2]).all() and np.isfinite(found[2]).any()
        assert not np.isfinite(back[2]).all() and np.isfinite(back[2]).any()


@pytest.mark.parametrize("shape", [(6, 12, 5), (12, 9), (1, 12, 5)])
def test_a_sample_of_nan_does_not_spread(shape, ways):
    rank = len(shape) - 1
    where = shape[1:], (3,) * rank, (1,) * rank, "same", (1,) * rank
    x, w, g, place = example(where, count=shape[0])
    clean, back = conv.convolve(x, w, None, place), conv.input_gradient(g, w, place)
    x[0] = g[0] = np.nan
    y, dx = conv.convolve(x, w, None, place), conv.input_gradient(g, w, place)
    for found, before in ((y, clean), (dx, back)):
        assert np.isnan(found[0]).all()
        np.testing.assert_array_equal(found[1:], before[1:])
    assert ways.count("forward") == ways.count("back") == 2


# --- the matrices ---------------------------------------------------------------


@pytest.mark.parametrize("kernel", [(1,), (4,), (3, 3), (2, 1), (2, 3, 2)])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("view", [lambda w: w, *VIEWS.values()])
def test_matrices(kernel, dtype, view):
    channels, filters, along = 5, 3, kernel[-1]
    w = whole(np.random.default_rng(0), *kernel, channels, filters, dtype=dtype)
    forward, back = conv_rows.matrices(view(w)), conv_rows.matrices_back(view(w))
    cells = list(np.ndindex(*kernel[:-1]))
    assert forward.shape == (len(cells), along * channels, filters)
    assert back.shape == (len(cells), along * filters, channels)
    for index, cell in enumerate(cells):
        for k, c, f in np.ndindex(along, channels, filters):
            number = w[(*cell, k, c, f)]
            assert forward[index, k * channels + c, f] == number
            assert back[index, (along - 1 - k) * filters + f, c] == number
    for array in (forward, back):
        assert array.dtype == dtype and array.flags.c_contiguous
        assert array.ctypes.data % blocking.LINE == 0


def test_bytes_of_an_image():
    place = geometry((12, 9), (3, 3), (1, 2), "same")
    padded, positions = 14 * 11, 12 * 5
    assert place.padded == (14, 11) and prod(place.out) == positions
    expected = 4 * (padded * 6 + 2 * positions * 7)
    assert conv_rows.bytes_each(place, 6, 7, 4) == expected


def test_windows_of_an_image():
    place = geometry((12, 9, 7), (3, 2, 3), (1, 2, 1), "same")
    assert place.padded[0] == 14 and place.out[1:] == (5, 7)
    assert conv_rows.windows_each(place, 6) == 14 * (5 * 7) * (2 * 3) * 6
