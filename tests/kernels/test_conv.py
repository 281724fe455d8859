"""Convolution and its gradients against loops over windows and cells.

Arrays hold small whole numbers, so every sum is exact in either float type and results
must be equal, whatever the order of the additions.
"""

from itertools import product

import numpy as np
import pytest

from minikeras import config
from minikeras.kernels import blocking, conv, dense
from minikeras.kernels.steps import do
from minikeras.kernels.windows import Geometry, geometry

FLOATS = ["float32", "float64"]


def whole(rng, *shape, dtype="float64"):
    return rng.integers(-4, 5, shape).astype(dtype)


def paddings(sizes, kernel, strides, padding, dilation):
    """The padding before each axis and the output sizes, from Keras' definition."""
    before, outs = [], []
    for size, k, stride, d in zip(sizes, kernel, strides, dilation, strict=True):
        reach = (k - 1) * d + 1
        if padding == "valid":
            before.append(0)
            outs.append(len(range(0, size - reach + 1, stride)))
        else:
            out = len(range(0, size, stride))
            total = max((out - 1) * stride + reach - size, 0)
            before.append(reach - 1 if padding == "causal" else total // 2)
            outs.append(out)
    return before, outs


def meetings(sizes, kernel, strides, padding, dilation):
    """(output place, window cell, input place) wherever the cell is not padding."""
    before, outs = paddings(sizes, kernel, strides, padding, dilation)
    for o in np.ndindex(*outs):
        for k in np.ndindex(*kernel):
            i = tuple(
                o[a] * strides[a] + k[a] * dilation[a] - before[a]
                for a in range(len(sizes))
            )
            if all(0 <= p < size for p, size in zip(i, sizes, strict=True)):
                yield o, k, i


def channel_pairs(channels, filters, groups):
    """(c, c within its group, f) for each channel and filter of one group."""
    c_each, f_each = channels // groups, filters // groups
    for c, f in product(range(channels), range(filters)):
        if c // c_each == f // f_each:
            yield c, c % c_each, f


def naive(x, w, where, groups=1):
    sizes, kernel = where[0], where[1]
    outs = paddings(*where)[1]
    y = np.zeros((len(x), *outs, w.shape[-1]), x.dtype)
    assert x.shape[1:-1] == tuple(sizes) and w.shape[:-2] == tuple(kernel)
    for o, k, i in meetings(*where):
        for c, c_in, f in channel_pairs(x.shape[-1], w.shape[-1], groups):
            y[(slice(None), *o, f)] += x[(slice(None), *i, c)] * w[(*k, c_in, f)]
    return y


def naive_gradients(x, w, g, where, groups=1):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for o, k, i in meetings(*where):
        for c, c_in, f in channel_pairs(x.shape[-1], w.shape[-1], groups):
            above = g[(slice(None), *o, f)]
            dx[(slice(None), *i, c)] += above * w[(*k, c_in, f)]
            dw[(*k, c_in, f)] += (above * x[(slice(None), *i, c)]).sum()
    return dx, dw


RANK_1 = [
    ((size,), (k,), (stride,), padding, (dilation,), groups)
    for size, k, stride, dilation, padding, groups in product(
        (1, 4, 7), (1, 2, 3), (1, 2, 4), (1, 2), ("valid", "same", "causal"), (1, 2)
    )
]
RANK_2 = [
    ((4, 5), kernel, strides, padding, dilation, groups)
    for kernel, strides, dilation, padding, groups in product(
        ((1, 1), (2, 3), (3, 1)),
        ((1, 1), (2, 1), (3, 4)),
        ((1, 1), (2, 1)),
        ("valid", "same"),
        (1, 2),
    )
] + [
    ((1, 6), (1, 3), (1, 1), "same", (1, 1), 1),
    ((1, 1), (3, 3), (1, 1), "same", (1, 1), 1),
    ((2, 7), (3, 3), (1, 1), "valid", (1, 1), 1),  # no window fits
    ((2, 7), (5, 2), (1, 1), "valid", (1, 1), 2),
    ((6, 6), (2, 2), (1, 1), "same", (3, 2), 1),
]
RANK_3 = [
    ((3, 2, 4), kernel, strides, padding, dilation, groups)
    for kernel, strides, dilation, padding, groups in product(
        ((2, 2, 2), (1, 2, 3)),
        ((1, 1, 1), (2, 1, 3)),
        ((1, 1, 1), (1, 1, 2)),
        ("valid", "same"),
        (1, 2),
    )
]
GRID = RANK_1 + RANK_2 + RANK_3


def name(case):
    sizes, kernel, strides, padding, dilation, groups = case
    parts = ("x".join(map(str, n)) for n in (sizes, kernel, strides, dilation))
    return "-".join([*parts, padding, str(groups)])


def example(case, dtype="float64", count=3, channels=2, filters=4, seed=0):
    *where, groups = case
    sizes, kernel = where[0], where[1]
    rng = np.random.default_rng(seed)
    x = whole(rng, count, *sizes, channels, dtype=dtype)
    w = whole(rng, *kernel, channels // groups, filters, dtype=dtype)
    g = whole(rng, count, *paddings(*where)[1], filters, dtype=dtype)
    return x, w, g, tuple(where), groups


@pytest.mark.parametrize("case", GRID, ids=name)
def test_all_three_products(case, cut):
    x, w, g, where, groups = example(case)
    place = geometry(*where)
    dx, dw = naive_gradients(x, w, g, where, groups)
    y = conv.convolve(x, w, None, place, groups)
    np.testing.assert_array_equal(y, naive(x, w, where, groups))
    np.testing.assert_array_equal(conv.input_gradient(g, w, place, groups), dx)
    np.testing.assert_array_equal(conv.filter_gradient(x, g, place, groups), dw)
    both = conv.backward(x, w, None, g, place, groups)
    np.testing.assert_array_equal(both[0], dx)
    np.testing.assert_array_equal(both[1], dw)
    np.testing.assert_array_equal(both[2], g.reshape(-1, g.shape[-1]).sum(axis=0))


BY_WINDOWS = [case for case in GRID if case[5] == 1 and set(case[2]) == {1}]


@pytest.mark.parametrize("case", BY_WINDOWS, ids=name)
def test_scatter_by_windows(case):
    x, w, g, where, _ = example(case)
    dx = np.full(x.shape, np.nan)
    do(conv._scatter_by_windows(w, geometry(*where))(g, dx))
    np.testing.assert_array_equal(dx, naive_gradients(x, w, g, where)[0])


@pytest.mark.parametrize("case", GRID, ids=name)
def test_scatter_by_cells(case):
    x, w, g, where, groups = example(case)
    dx = np.full(x.shape, np.nan)
    do(conv._scatter_by_cells(w, geometry(*where), groups)(g, dx))
    np.testing.assert_array_equal(dx, naive_gradients(x, w, g, where, groups)[0])


@pytest.mark.parametrize("filters", [2, 4, 6])
def test_groups_of_few_and_many_filters(filters, cut):
    case = ((4, 5), (3, 2), (1, 1), "same", (1, 1), 2)
    x, w, g, where, _ = example(case, channels=4, filters=filters)
    place = geometry(*where)
    dx, dw = naive_gradients(x, w, g, where, 2)
    y = conv.convolve(x, w, None, place, 2)
    np.testing.assert_array_equal(y, naive(x, w, where, 2))
    np.testing.assert_array_equal(conv.input_gradient(g, w, place, 2), dx)
    np.testing.assert_array_equal(conv.filter_gradient(x, g, place, 2), dw)


@pytest.mark.parametrize(
    "channels, filters", [(1, 1), (1, 40), (3, 5), (17, 2), (17, 40), (32, 3)]
)
def test_many_and_few_channels(channels, filters, cut):
    # Both ways of copying windows, and both ways back.
    case = ((4, 5), (3, 2), (1, 1), "same", (1, 1), 1)
    x, w, g, where, _ = example(case, channels=channels, filters=filters)
    place = geometry(*where)
    dx, dw = naive_gradients(x, w, g, where)
    y = conv.convolve(x, w, None, place)
    np.testing.assert_array_equal(y, naive(x, w, where))
    np.testing.assert_array_equal(conv.input_gradient(g, w, place), dx)
    np.testing.assert_array_equal(conv.filter_gradient(x, g, place), dw)


def test_both_ways_back_are_used():
    place = geometry((5,), (3,), (1,), "same")
    narrow, wide = np.zeros((3, 20, 4)), np.zeros((3, 20, 41))
    ways = [conv._scatter_by_copies(w, place, 1).__qualname__ for w in (narrow, wide)]
    assert [way.split(".")[0] for way in ways] == [
        "_scatter_by_windows",
        "_scatter_by_cells",
    ]


@pytest.mark.parametrize("channels", [1, 20])
def test_more_padding_than_the_kernel_reaches(channels):
    # No padding name gives this, but a geometry may say it.
    rng = np.random.default_rng(0)
    place = Geometry((3,), (2,), (1,), (1,), ((2, 3),), (7,))
    x, w = whole(rng, 2, 3, channels), whole(rng, 2, channels, 3)
    g = whole(rng, 2, 7, 3)
    padded = np.pad(x, ((0, 0), (2, 3), (0, 0)))
    where = ((8,), (2,), (1,), "valid", (1,))
    y = conv.convolve(x, w, None, place)
    np.testing.assert_array_equal(y, naive(padded, w, where))
    dx, dw = naive_gradients(padded, w, g, where)
    np.testing.assert_array_equal(conv.input_gradient(g, w, place), dx[:, 2:5])
    np.testing.assert_array_equal(conv.filter_gradient(x, g, place), dw)


@pytest.mark.parametrize("count", [0, 1, 2, 9, 17])
def test_batch_sizes(count, cut):
    case = ((4, 3), (2, 2), (1, 1), "same", (1, 1), 1)
    x, w, g, where, _ = example(case, count=count)
    place = geometry(*where)
    dx, dw = naive_gradients(x, w, g, where)
    y = conv.convolve(x, w, None, place)
    np.testing.assert_array_equal(y, naive(x, w, where))
    for got, wanted in zip(
        conv.backward(x, w, None, g, place), (dx, dw, g.sum((0, 1, 2))), strict=True
    ):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1)])
def test_results_have_the_type_of_the_arrays(dtype, groups, strides, cut):
    case = ((4, 5), (2, 3), strides, "same", (1, 1), groups)
    x, w, g, where, _ = example(case, dtype)
    place = geometry(*where)
    bias = np.ones(4, dtype)
    y = conv.convolve(x, w, bias, place, groups, True)
    assert y.dtype == dtype
    assert conv.input_gradient(g, w, place, groups).dtype == dtype
    assert conv.filter_gradient(x, g, place, groups).dtype == dtype
    for part in conv.backward(x, w, y, g, place, groups):
        assert part.dtype == dtype
    assert dense.mask_by_output(g, y).dtype == dtype


VIEWS = {
    "axes reordered": lambda a: np.ascontiguousarray(a.T).T,
    "every second of a wider array": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "every second image": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backwards in memory": lambda a: np.ascontiguousarray(a[:, ::-1])[:, ::-1],
    "Fortran order": np.asfortranarray,
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("kernel", [(1, 1), (2, 3)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1)])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("groups", [1, 2])
def test_arrays_that_are_not_contiguous(view, kernel, strides, padding, groups, cut):
    case = ((4, 5), kernel, strides, padding, (1, 1), groups)
    x, w, g, where, _ = example(case)
    place = geometry(*where)
    dx, dw = naive_gradients(x, w, g, where, groups)
    x_view, w_view, g_view = view(x), view(w), view(g)
    np.testing.assert_array_equal(x_view, x)
    y = conv.convolve(x_view, w_view, None, place, groups)
    np.testing.assert_array_equal(y, naive(x, w, where, groups))
    got = conv.input_gradient(g_view, w_view, place, groups)
    np.testing.assert_array_equal(got, dx)
    got = conv.filter_gradient(x_view, g_view, place, groups)
    np.testing.assert_array_equal(got, dw)
    mask = view(whole(np.random.default_rng(1), *g.shape))
    got = conv.backward(x_view, w_view, mask, g_view, place, groups)
    dx, dw = naive_gradients(x, w, g * (mask > 0), where, groups)
    np.testing.assert_array_equal(got[0], dx)
    np.testing.assert_array_equal(got[1], dw)


@pytest.mark.parametrize("groups", [1, 2])
def test_arguments_are_left_alone(groups, cut):
    case = ((4, 5), (2, 3), (1, 1), "same", (1, 1), groups)
    x, w, g, where, _ = example(case)
    place, bias = geometry(*where), np.arange(4.0)
    for array in (x, w, g, bias):
        array.setflags(write=False)
    y = conv.convolve(x, w, bias, place, groups, True)
    y.setflags(write=False)
    conv.backward(x, w, y, g, place, groups)
    conv.input_gradient(g, w, place, groups)
    conv.filter_gradient(x, g, place, groups)


def floats(case, count=40, channels=4, filters=6):
    *where, groups = case
    rng = np.random.default_rng(0)
    shapes = (
        (count, *where[0], channels),
        (*where[1], channels // groups, filters),
        (count, *paddings(*where)[1], filters),
        (filters,),
    )
    x, w, g, bias = (rng.standard_normal(s).astype("float32") for s in shapes)
    return x, w, g, bias, geometry(*where), groups


FUSED = [
    ((9, 8), (3, 3), (1, 1), "same", (1, 1), 1),
    ((9, 8), (3, 3), (2, 2), "valid", (1, 1), 2),
]


@pytest.mark.parametrize("case", FUSED, ids=name)
def test_bias_and_relu_in_the_same_pass_change_no_bit(case, cut):
    x, w, g, bias, place, groups = floats(case)
    plain = conv.convolve(x, w, None, place, groups)
    biased = conv.convolve(x, w, bias, place, groups)
    np.testing.assert_array_equal(biased, plain + bias)
    y = conv.convolve(x, w, bias, place, groups, True)
    np.testing.assert_array_equal(y, np.maximum(plain + bias, 0))
    assert (y == 0).any() and (y > 0).any()
    fused = conv.backward(x, w, y, g, place, groups)
    apart = conv.backward(x, w, None, g * (y > 0), place, groups)
    for got, wanted in zip(fused, apart, strict=True):
        np.testing.assert_array_equal(got, wanted)


def test_only_what_is_wanted_is_made():
    x, w, g, _, place, _ = floats(FUSED[0])
    everything = conv.backward(x, w, None, g, place)
    for wanted in ("x", "w", "b", "xw", "wb", "xb", ""):
        got = conv.backward(x, w, None, g, place, wanted=wanted)
        for letter, part, whole_part in zip("xwb", got, everything, strict=True):
            if letter in wanted:
                np.testing.assert_array_equal(part, whole_part)
            else:
                assert part is None


@pytest.mark.parametrize("case", FUSED, ids=name)
def test_any_number_of_threads_gives_the_same_bits(case, monkeypatch):
    monkeypatch.setattr(blocking, "SLICE_BYTES", 1 << 14)
    monkeypatch.setattr(blocking, "MIN_SLICE_WORK", 1)
    x, w, g, bias, place, groups = floats(case)
    assert len(conv.slices(x, w, place, 4)) > 5
    results = []
    for threads in (1, 2, 5):
        config.set_threads(threads)
        y = conv.convolve(x, w, bias, place, groups, True)
        parts = [y, *conv.backward(x, w, y, g, place, groups)]
        parts.append(conv.input_gradient(g, w, place, groups))
        parts.append(conv.filter_gradient(x, g, place, groups))
        results.append([part.tobytes() for part in parts])
    assert results[0] == results[1] == results[2]


def test_a_large_filter_is_summed_in_few_slices(monkeypatch):
    monkeypatch.setattr(blocking, "SLICE_BYTES", 1)
    monkeypatch.setattr(blocking, "MIN_SLICE_WORK", 1)
    asked = []
    parallel = blocking.parallel
    monkeypatch.setattr(
        blocking, "parallel", lambda task, i: (asked.append(len(i)), parallel(task, i))
    )
    rng = np.random.default_rng(0)
    x, g = whole(rng, 20, 1, 512), whole(rng, 20, 1, 300)
    place = geometry((1,), (1,), (1,), "valid")
    dw = conv.filter_gradient(x, g, place)
    np.testing.assert_array_equal(dw[0], x[:, 0].T @ g[:, 0])
    assert asked[0] == 4  # 20 images in at most 5 slices, of which 4 share evenly


def test_mask_by_output_keeps_what_is_above_zero():
    g = np.array([1.0, 2.0, 3.0])
    got = dense.mask_by_output(g, np.array([0.0, 1.0, -0.0]))
    np.testing.assert_array_equal(got, [0.0, 2.0, 0.0])
