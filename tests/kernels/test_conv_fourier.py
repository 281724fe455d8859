"""Convolution by Fourier transforms against loops over windows and cells.

The loops add in float64, and what is compared is off by at most a few roundings of its
largest number.
"""

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from autograd.test_util import check_grads
from hypothesis import given, settings
from hypothesis import strategies as st

from minikeras import config
from minikeras.kernels import (
    blocking,
    conv,
    conv_fourier,
    conv_pool,
    fourier,
    products,
    workspace,
)
from minikeras.kernels.windows import Geometry, geometry
from minikeras.ops.conv_pool import conv_pool_bias
from minikeras.ops.convolution import conv_bias

_path = Path(__file__).parent / "test_conv.py"
_spec = importlib.util.spec_from_file_location("convolutions", _path)
convolutions = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(convolutions)
VIEWS = convolutions.VIEWS

TOLERANCES = {"float32": 2e-6, "float64": 1e-14}  # of the largest number
ALWAYS = 1e9


@pytest.fixture
def taken(monkeypatch):
    """All convolutions that can be are done by transforms; which were."""
    monkeypatch.setattr(products, "multiplies_unpacked", lambda: True)
    monkeypatch.setattr(conv_fourier, "MOST_ALONE", ALWAYS)
    monkeypatch.setattr(conv_fourier, "MOST_TOGETHER", ALWAYS)
    return spy(monkeypatch)


@pytest.fixture
def as_it_is(monkeypatch):
    """The same choices on any processor; which convolutions were by transforms."""
    monkeypatch.setattr(products, "multiplies_unpacked", lambda: True)
    return spy(monkeypatch)


def spy(monkeypatch):
    calls = []

    def count(name):
        function = getattr(conv_fourier, name)

        def counted(*arguments):
            calls.append(name)
            return function(*arguments)

        monkeypatch.setattr(conv_fourier, name, counted)

    count("convolve")
    count("backward")
    return calls


def cut_into(tiles, monkeypatch):
    """Let every image be cut into so many tiles along both axes."""

    def plan(geometry, *_):
        return tuple(
            fourier._tiling(geometry, axis, number) for axis, number in enumerate(tiles)
        )

    monkeypatch.setattr(fourier, "plan", plan)


def example(place, channels=4, filters=3, count=3, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(count, *place.sizes, channels)).astype(dtype)
    w = rng.normal(size=(*place.kernel, channels, filters)).astype(dtype)
    g = rng.normal(size=(count, *place.out, filters)).astype(dtype)
    return x, w, g


def meetings(place):
    """(output place, window cell, input place) wherever the cell is not padding."""
    for o in np.ndindex(*place.out):
        for k in np.ndindex(*place.kernel):
            i = tuple(
                a + b * d - before
                for a, b, d, (before, _) in zip(
                    o, k, place.dilation, place.pads, strict=True
                )
            )
            if all(0 <= p < size for p, size in zip(i, place.sizes, strict=True)):
                yield o, k, i


def by_loops(x, w, g, place):
    """y, dx, dw and db in float64."""
    x, w, g = (a.astype("float64") for a in (x, w, g))
    y = np.zeros((len(x), *place.out, w.shape[-1]))
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for o, k, i in meetings(place):
        above, below = g[(slice(None), *o)], x[(slice(None), *i)]
        y[(slice(None), *o)] += below @ w[k]
        dx[(slice(None), *i)] += above @ w[k].T
        dw[k] += below.T @ above
    return y, dx, dw, g.sum(axis=(0, 1, 2))


def by_transforms(x, w, g, place):
    return conv.convolve(x, w, None, place), *conv.backward(x, w, None, g, place)


def assert_near(found, wanted, dtype="float64"):
    assert found.shape == wanted.shape and found.dtype == dtype
    error = TOLERANCES[dtype] * max(1.0, np.abs(wanted).max(initial=0))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=error)


def check(place, dtype="float64", **sizes):
    x, w, g = example(place, dtype=dtype, **sizes)
    wanted = by_loops(x, w, g, place)
    for part, right in zip(by_transforms(x, w, g, place), wanted, strict=True):
        assert_near(part, right, dtype)
    assert_near(conv.input_gradient(g, w, place), wanted[1], dtype)
    assert_near(conv.filter_gradient(x, g, place), wanted[2], dtype)


# --- all shapes -----------------------------------------------------------------

GRID = [
    geometry((7, 6), kernel, (1, 1), padding, dilation)
    for kernel, padding, dilation in product(
        [(3, 3), (2, 4), (1, 3), (3, 1), (5, 5)], ["valid", "same"], [(1, 1), (2, 1)]
    )
    if padding == "same" or dilation == (1, 1) or kernel[0] < 5
] + [
    geometry((1, 1), (3, 3), (1, 1), "same"),
    geometry((2, 9), (5, 2), (1, 1), "same"),
    geometry((3, 3), (7, 7), (1, 1), "same"),  # larger than the image
    geometry((6, 8), (6, 8), (1, 1), "valid"),  # one window
    Geometry((4, 3), (2, 3), (1, 1), (1, 1), ((3, 0), (1, 4)), (6, 6)),  # odd edges
    Geometry((2, 2), (2, 2), (1, 1), (1, 1), ((5, 5), (5, 5)), (11, 11)),  # wide ones
]


def name(place):
    parts = place.sizes, place.kernel, place.dilation, *place.pads
    return "-".join("x".join(map(str, part)) for part in parts)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("place", GRID, ids=name)
def test_all_products(place, dtype, taken):
    check(place, dtype)
    assert taken == ["convolve", "backward", "backward", "backward"]


@pytest.mark.parametrize("tiles", [(1, 2), (2, 1), (3, 3), (4, 2)], ids=str)
@pytest.mark.parametrize("place", GRID, ids=name)
def test_tiles(place, tiles, taken, monkeypatch):
    cut_into(tiles, monkeypatch)
    check(place)
    assert taken.count("backward") == 3


@pytest.mark.parametrize(
    "channels, filters, count", [(1, 1, 1), (1, 5, 2), (5, 1, 4), (4, 4, 9), (17, 8, 1)]
)
def test_numbers_of_channels_and_images(channels, filters, count, taken):
    for dtype in TOLERANCES:
        check(GRID[0], dtype, channels=channels, filters=filters, count=count)
    assert len(taken) == 8


@st.composite
def drawn(draw):
    sizes, kernel, dilation, pads, out = [], [], [], [], []
    for _ in range(2):
        size, k, d = (draw(st.integers(1, most)) for most in (9, 4, 2))
        reach = (k - 1) * d + 1
        before = draw(st.integers(0, reach))
        after = draw(st.integers(max(0, reach - size - before), reach + 1))
        sizes.append(size)
        kernel.append(k)
        dilation.append(d)
        pads.append((before, after))
        out.append(size + before + after - reach + 1)
    sizes, kernel, dilation = tuple(sizes), tuple(kernel), tuple(dilation)
    place = Geometry(sizes, kernel, (1, 1), dilation, tuple(pads), tuple(out))
    few = st.integers(1, 5)
    tiles = draw(st.tuples(few, few))
    return place, tiles, [draw(few) for _ in range(3)], draw(st.sampled_from("fd"))


def test_random_shapes(taken):
    @settings(max_examples=150, deadline=None, derandomize=True)
    @given(drawn())
    def check_case(case):
        place, tiles, (channels, filters, count), char = case
        dtype = np.dtype(char).name
        with pytest.MonkeyPatch.context() as patch:
            cut_into(tiles, patch)
            check(place, dtype, channels=channels, filters=filters, count=count)

    check_case()
    assert len(taken) >= 4 * 150


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_arrays_that_are_not_contiguous(view, taken):
    place = GRID[1]
    x, w, g = example(place)
    for dark in (False, True):
        if dark:
            x[:, :4] = 0
        wanted = by_loops(x, w, g, place)
        found = by_transforms(view(x), view(w), view(g), place)
        for part, right in zip(found, wanted, strict=True):
            assert_near(part, right)
    mask = np.random.default_rng(1).normal(size=g.shape)
    wanted = by_loops(x, w, g * (mask > 0), place)[1:]
    found = conv.backward(view(x), view(w), view(mask), view(g), place)
    for part, right in zip(found, wanted, strict=True):
        assert_near(part, right)


def test_arguments_are_left_alone(taken):
    place = GRID[1]
    x, w, g = example(place)
    bias = np.arange(3.0)
    for array in (x, w, g, bias):
        array.setflags(write=False)
    y = conv.convolve(x, w, bias, place, relu=True)
    y.setflags(write=False)
    conv.backward(x, w, y, g, place)
    assert taken == ["convolve", "backward"]


# --- cuts for the memory and for threads ----------------------------------------

CUTS = {
    "slabs of an image": {"SLAB_BYTES": 1},
    "slabs of three images": {"SLAB_BYTES": 2 * 3 * 8 * (42 * 4 + 42 * 3)},
    "an image at a time": {"CHUNK_BYTES": 1},
    "a few images at a time": {"CHUNK_BYTES": 3 * 8 * (3 * 8 * 7)},
    "a call for each frequency": {"LONG_CALL": 1},
    "a call for several": {"LONG_CALL": 1e9},
}


@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("count", [1, 7, 8])
@pytest.mark.parametrize("tiles", [(1, 1), (2, 2)], ids=str)
def test_cuts(cuts, count, tiles, taken, monkeypatch):
    monkeypatch.setattr(workspace, "_local", type(workspace._local)())
    for constant, value in cuts.items():
        monkeypatch.setattr(conv_fourier, constant, value)
    cut_into(tiles, monkeypatch)
    place = geometry((7, 6), (3, 3), (1, 1), "same")
    check(place, count=count)
    x, w, g = example(place, count=count)
    x[:, 1:, :5] = 0
    y, dx, dw, db = by_loops(x, w, np.where(g > 0, g, 0), place)
    assert_near(conv.convolve(x, w, None, place), y)
    for part, right in zip(conv.backward(x, w, g, g, place), (dx, dw, db), strict=True):
        assert_near(part, right)


def test_slabs_and_chunks_are_as_small_as_asked(taken, monkeypatch):
    place = geometry((7, 6), (3, 3), (1, 1), "same")
    _, w, _ = example(place)
    monkeypatch.setattr(conv_fourier, "SLAB_BYTES", 2 * 3 * 8 * (42 * 4 + 42 * 3))
    slabs = conv_fourier._slabs(8, place, w)
    assert [(part.start, part.stop) for part in slabs] == [(0, 3), (3, 6), (6, 8)]
    assert len(conv_fourier._slabs(1, place, w)) == 1


@given(st.integers(0, 40), st.integers(0, 1 << 26))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_groups_of_frequencies(count, work):
    groups = conv_fourier._groups(count, work)
    covered = [k for part in groups for k in range(part.start, part.stop)]
    assert covered == list(range(count))
    assert all(part.start < part.stop for part in groups)
    assert len(groups) % 2 == count % 2  # two threads share all but a last one
    lengths = [part.stop - part.start for part in groups[: len(groups) & ~1]]
    for length in lengths:
        # A call is worth it unless two threads could not share then, and no longer
        # than it takes to share them evenly.
        worth = (length + 1) * work > conv_fourier.LONG_CALL
        assert worth or len(lengths) == 2
        assert length == 1 or length * work <= 2 * conv_fourier.LONG_CALL


@pytest.mark.parametrize("tiles", [(1, 1), (2, 2)], ids=str)
@pytest.mark.parametrize("size", [12, 13])
def test_any_number_of_threads_gives_the_same_bits(size, tiles, taken, monkeypatch):
    monkeypatch.setattr(blocking, "MIN_SLICE_WORK", 1)
    monkeypatch.setattr(conv_fourier, "LONG_CALL", 1)
    cut_into(tiles, monkeypatch)
    place = geometry((size, size), (3, 3), (1, 1), "same")
    x, w, g = example(place, 16, 12, 8, "float32")
    x[:, :5, :6] = 0
    bias = np.linspace(-1, 1, 12, dtype="float32")
    results = []
    for threads in (1, 2, 3, 5):
        config.set_threads(threads)
        for _ in range(2):  # once more, with the program that is kept
            y = conv.convolve(x, w, bias, place, relu=True)
            parts = [y, *conv.backward(x, w, y, g, place)]
            parts.append(conv.input_gradient(g, w, place))
            parts.append(conv.filter_gradient(x, g, place))
            results.append([part.tobytes() for part in parts])
    assert all(result == results[0] for result in results)
    assert len(taken) == 4 * len(results)


def test_more_threads_from_one_moment_to_the_next(taken, monkeypatch):
    monkeypatch.setattr(conv_fourier, "LONG_CALL", 1)
    place = geometry((16, 16), (3, 3), (1, 1), "same")
    x, w, _ = example(place, 8, 6, 4)
    config.set_threads(1)
    alone = conv.convolve(x, w, None, place)
    run = conv_fourier._Program.run

    def run_later(self):
        config.set_threads(4)  # by somebody else, after the program was made
        run(self)

    monkeypatch.setattr(conv_fourier._Program, "run", run_later)
    for _ in range(20):
        config.set_threads(1)
        np.testing.assert_array_equal(conv.convolve(x, w, None, place), alone)


def test_from_many_threads_at_once(taken):
    place = geometry((9, 9), (3, 3), (1, 1), "same")
    examples = [example(place, 8, 6, 4, seed=seed) for seed in range(8)]
    alone = [by_transforms(*arrays, place) for arrays in examples]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            together = pool.map(lambda arrays: by_transforms(*arrays, place), examples)
            for found, wanted in zip(together, alone, strict=True):
                for part, right in zip(found, wanted, strict=True):
                    np.testing.assert_array_equal(part, right)


# --- bias, ReLU and what is wanted ----------------------------------------------


def test_bias_and_relu_in_the_same_pass_change_no_bit(taken, cut):
    place = geometry((9, 8), (3, 3), (1, 1), "same")
    x, w, g = example(place, 5, 6, 4, "float32")
    bias = np.linspace(-3, 3, 6, dtype="float32")
    plain = conv.convolve(x, w, None, place)
    biased = conv.convolve(x, w, bias, place)
    np.testing.assert_array_equal(biased, plain + bias)
    y = conv.convolve(x, w, bias, place, relu=True)
    np.testing.assert_array_equal(y, np.maximum(plain + bias, 0))
    assert (y == 0).any() and (y > 0).any()
    fused = conv.backward(x, w, y, g, place)
    apart = conv.backward(x, w, None, g * (y > 0), place)
    for got, wanted in zip(fused, apart, strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("wanted", ["x", "w", "xw", "xb", "wb", "xwb", "b"])
def test_only_what_is_wanted(wanted, taken):
    place = GRID[0]
    x, w, g = example(place)
    found = conv.backward(x, w, None, g, place, wanted=wanted)
    right = by_loops(x, w, g, place)[1:]
    for letter, part, values in zip("xwb", found, right, strict=True):
        if letter in wanted:
            assert_near(part, values)
        else:
            assert part is None
    assert taken == ([] if wanted == "b" else ["backward"])


@pytest.mark.parametrize("place", [GRID[0], GRID[1], GRID[3]], ids=name)
@pytest.mark.parametrize("relu", [False, True])
def test_second_derivatives(place, relu, taken):
    np.random.seed(0)  # the checker draws its directions from it
    x, w, _ = example(place, 2, 2, 2)
    bias = np.array([0.3, -0.4])
    check_grads(
        lambda x, w, b: conv_bias(x, w, b, geometry=place, relu=relu),
        (0, 1, 2),
        modes=["fwd", "rev"],
        order=2,
    )(x, w, bias)
    assert {"convolve", "backward"} == set(taken)


# --- zeros, NaN and infinities --------------------------------------------------


def untouched(x, place):
    """Windows of which all cells are zero or padding."""
    light = np.zeros((len(x), *place.out), bool)
    for o, _, i in meetings(place):
        light[(slice(None), *o)] |= x[(slice(None), *i)].any(axis=-1)
    return ~light


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("tiles", [(1, 1), (3, 2)], ids=str)
@pytest.mark.parametrize("place", GRID, ids=name)
def test_windows_of_zeros_give_zero(place, tiles, dtype, taken, monkeypatch):
    cut_into(tiles, monkeypatch)
    x, w, _ = example(place, dtype=dtype)
    x[0] = 0
    x[1, : place.sizes[0] // 2] = 0
    x[2, :, place.sizes[1] // 2 :] = 0
    x[2, 0, 0, 1:] = 0  # a cell with one channel that is not zero
    dark = untouched(x, place)
    assert dark[0].all() and not dark.all()
    y = conv.convolve(x, w, None, place)
    assert (y[dark] == 0).all()
    assert (y[~dark] != 0).any(axis=-1).all()
    biased = conv.convolve(x, w, np.arange(3, dtype=dtype), place)
    assert (biased[dark] == np.arange(3)).all()


def test_numbers_whose_squares_vanish_are_not_zeros(taken):
    place = GRID[0]
    x, w, g = example(place, dtype="float32")
    small = np.float32(1e-30)
    y = conv.convolve(x * small, w, None, place)
    wanted = by_loops(x, w, g, place)[0]
    assert_near(y / small, wanted, "float32")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_image(bad, taken):
    place = geometry((9, 8), (3, 3), (1, 1), "same")
    x, w, g = example(place, 4, 3, 4)
    y = conv.convolve(x, w, None, place)
    dx = conv.input_gradient(g, w, place)
    x[2, 4, 4, 1] = g[2, 4, 4, 1] = bad
    found = conv.convolve(x, w, None, place)
    # Where the windows meet it there is no number, as with sums over windows.
    assert not np.isfinite(found[2, 3:6, 3:6]).any()
    np.testing.assert_array_equal(np.delete(found, 2, 0), np.delete(y, 2, 0))
    found = conv.input_gradient(g, w, place)
    assert not np.isfinite(found[2, 3:6, 3:6]).any()
    np.testing.assert_array_equal(np.delete(found, 2, 0), np.delete(dx, 2, 0))
    _, dw, db = conv.backward(x, w, None, g, place)
    assert not np.isfinite(dw[:, :, 1, 1]).any() and not np.isfinite(db[1])


# --- when it is taken -----------------------------------------------------------


def test_many_channels_take_this_way(as_it_is):
    place = geometry((8, 8), (3, 3), (1, 1), "same")
    x, w, g = example(place, 96, 96, 32, "float32")
    y = conv.convolve(x, w, None, place)
    conv.backward(x, w, y, g, place)
    conv.input_gradient(g, w, place)
    conv.filter_gradient(x, g, place)
    assert as_it_is == ["convolve", "backward", "backward", "backward"]


@pytest.mark.parametrize(
    "case",
    [
        ((8, 8), (3, 3), (2, 2), 96, 1, "float32"),
        ((8, 8), (3, 3), (1, 1), 96, 2, "float32"),
        ((8, 8), (3, 3), (1, 1), 4, 1, "float32"),
        ((8, 8), (1, 1), (1, 1), 96, 1, "float32"),
        ((64,), (9,), (1,), 96, 1, "float32"),
        ((5, 5, 5), (3, 3, 3), (1, 1, 1), 32, 1, "float32"),
        ((8, 8), (3, 3), (1, 1), 64, 1, "float16"),
    ],
    ids=["strides", "groups", "few channels", "one cell", "1-D", "3-D", "float16"],
)
def test_others_do_not(case, as_it_is):
    sizes, kernel, strides, channels, groups, dtype = case
    place = geometry(sizes, kernel, strides, "same")
    x, w, g = example(place, channels, channels, 2, dtype)
    w = np.ascontiguousarray(w[..., : channels // groups, :])
    y = conv.convolve(x, w, None, place, groups)
    conv.backward(x, w, y, g, place, groups)
    assert as_it_is == []


def test_nor_on_processors_where_it_was_not_measured(as_it_is, monkeypatch):
    monkeypatch.setattr(products, "multiplies_unpacked", lambda: False)
    place = geometry((8, 8), (3, 3), (1, 1), "same")
    x, w, g = example(place, 96, 96, 32, "float32")
    conv.backward(x, w, conv.convolve(x, w, None, place), g, place)
    assert as_it_is == []


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(
    "sizes, kernel, channels, filters, count",
    [
        ((8, 8), (3, 3), 96, 80, 32),
        ((14, 13), (7, 7), 32, 48, 6),
        ((40, 36), (5, 5), 48, 32, 6),
    ],
    ids=str,
)
def test_either_way_to_rounding(
    sizes, kernel, channels, filters, count, dtype, as_it_is, monkeypatch
):
    place = geometry(sizes, kernel, (1, 1), "same")
    x, w, g = example(place, channels, filters, count, dtype)
    x[:, :4] = 0
    bias = np.linspace(-1, 1, filters).astype(dtype)
    output = np.random.default_rng(1).normal(size=g.shape).astype(dtype)

    def all_of_it():
        return [
            conv.convolve(x, w, None, place),
            conv.convolve(x, w, bias, place, relu=True),
            conv.input_gradient(g, w, place),
            conv.filter_gradient(x, g, place),
            *conv.backward(x, w, output, g, place),
        ]

    fast = all_of_it()
    assert len(as_it_is) == 5
    monkeypatch.setattr(conv_fourier, "plan", lambda *_: None)
    plain = all_of_it()
    assert len(as_it_is) == 5
    for found, wanted in zip(fast, plain, strict=True):
        assert found.dtype == wanted.dtype == dtype
        scale = np.abs(wanted).max()
        assert scale > 1
        error = {"float32": 5e-6, "float64": 1e-14}[dtype] * scale
        np.testing.assert_allclose(found, wanted, rtol=0, atol=error)


# --- with pooling ---------------------------------------------------------------


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("sizes", [(8, 8), (9, 11)], ids=str)
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_back_through_pooling_either_way(sizes, padding, relu, taken, monkeypatch):
    place = geometry(sizes, (3, 3), (1, 1), padding)
    pool = geometry(place.out, (2, 2), (2, 2), "valid")
    x, w, _ = example(place, 24, 6, 5)
    bias = np.linspace(-1, 1, 6)
    y, kept = conv_pool.forward(x, w, bias, place, pool, relu, True)
    g = np.random.default_rng(1).normal(size=y.shape)
    results = []
    for forgotten in (False, True):
        known = [None] * len(kept) if forgotten else kept
        results.append(
            conv_pool.backward(x, w, bias, y, known, g, place, pool, relu, "xwb")
        )
    assert taken == ["backward"] * 2
    monkeypatch.setattr(conv_fourier, "plan", lambda *_: None)
    plain = conv_pool.backward(x, w, bias, y, kept, g, place, pool, relu, "xwb")
    assert taken == ["backward"] * 2
    for found in results:
        for part, right in zip(found, plain, strict=True):
            assert_near(part, right)


def test_second_derivatives_through_pooling(taken):
    np.random.seed(0)
    place = geometry((6, 6), (3, 3), (1, 1), "same")
    pool = geometry(place.out, (2, 2), (2, 2), "valid")
    x, w, _ = example(place, 20, 2, 2)
    check_grads(
        lambda x, w, b: conv_pool_bias(x, w, b, geometry=place, pool=pool, relu=False),
        (0, 1, 2),
        modes=["fwd", "rev"],
        order=2,
    )(x, w, np.array([0.3, -0.4]))
    assert "backward" in taken
