"""Shape arithmetic against definitions that count positions one by one."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minikeras.kernels.windows import (
    Geometry,
    axis_overlap,
    axis_overlaps,
    cell_places,
    geometry,
    output_size,
    pad_amounts,
    sliding,
)

SIZE = st.integers(1, 12)
KERNEL = st.integers(1, 6)
STRIDE = st.integers(1, 8)
DILATION = st.integers(1, 3)
PADDING = st.sampled_from(["valid", "same", "causal"])
AXIS = st.tuples(SIZE, KERNEL, STRIDE, DILATION)
AXES = st.lists(AXIS, min_size=1, max_size=3)
thoroughly = settings(max_examples=300, deadline=None, derandomize=True)


def window(start, kernel, dilation):
    return [start + cell * dilation for cell in range(kernel)]


def count_windows(size, kernel, stride, dilation, before=0, after=0):
    """Windows that lie inside `before` + size + `after` cells, tried one by one."""
    count, start = 0, -before
    while window(start, kernel, dilation)[-1] < size + after:
        count, start = count + 1, start + stride
    return count


@thoroughly
@given(AXIS)
def test_valid_output_counts_the_windows_that_fit(axis):
    size, kernel, stride, dilation = axis
    out = output_size(size, kernel, stride, "valid", dilation)
    assert out == count_windows(size, kernel, stride, dilation)


@thoroughly
@given(AXIS, st.sampled_from(["same", "causal"]))
def test_same_and_causal_output_counts_every_stride_th_cell(axis, padding):
    size, kernel, stride, dilation = axis
    out = output_size(size, kernel, stride, padding, dilation)
    assert out == len(range(0, size, stride))


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
def test_an_unknown_size_stays_unknown(padding):
    assert output_size(None, 3, 2, padding) is None


def test_a_kernel_larger_than_the_input_has_no_window():
    assert output_size(2, 3, 1, "valid") == 0
    assert output_size(4, 3, 1, "valid", 2) == 0
    assert geometry((2,), (9,), (1,), "valid").out == (0,)


@thoroughly
@given(AXIS)
def test_same_adds_the_fewest_cells_that_do(axis):
    size, kernel, stride, dilation = axis
    ((before, after),) = pad_amounts([size], [kernel], [stride], "same", [dilation])
    wanted = len(range(0, size, stride))
    fits = (
        total
        for total in itertools.count()
        if count_windows(size, kernel, stride, dilation, 0, total) >= wanted
    )
    assert before + after == next(fits)
    assert after - before in (0, 1)  # the odd cell comes after


@thoroughly
@given(AXIS)
def test_causal_windows_end_where_their_output_stands(axis):
    size, kernel, stride, dilation = axis
    ((before, after),) = pad_amounts([size], [kernel], [stride], "causal", [dilation])
    out = output_size(size, kernel, stride, "causal", dilation)
    ends = [window(o * stride - before, kernel, dilation)[-1] for o in range(out)]
    assert ends == [o * stride for o in range(out)]
    assert after == 0


@thoroughly
@given(AXIS)
def test_valid_adds_nothing(axis):
    size, kernel, stride, dilation = axis
    assert pad_amounts([size], [kernel], [stride], "valid", [dilation]) == ((0, 0),)


def test_no_dilation_means_one():
    assert pad_amounts([5], [3], [1], "same") == pad_amounts([5], [3], [1], "same", [1])
    assert geometry((5,), (3,), (1,), "same").dilation == (1,)


@thoroughly
@given(AXES, PADDING)
def test_geometry_agrees_with_output_size_and_pad_amounts(axes, padding):
    sizes, kernel, strides, dilation = map(tuple, zip(*axes, strict=True))
    place = geometry(sizes, kernel, strides, padding, dilation)
    assert place.out == tuple(output_size(s, k, t, padding, d) for s, k, t, d in axes)
    assert place.pads == pad_amounts(sizes, kernel, strides, padding, dilation)
    assert (place.sizes, place.kernel) == (sizes, kernel)
    assert (place.strides, place.dilation) == (strides, dilation)


@thoroughly
@given(AXES, PADDING)
def test_geometry_counts(axes, padding):
    sizes, kernel, strides, dilation = map(tuple, zip(*axes, strict=True))
    place = geometry(sizes, kernel, strides, padding, dilation)
    assert place.cells == sum(1 for _ in np.ndindex(*kernel))
    assert place.positions == sum(1 for _ in np.ndindex(*place.out))
    cells = [window(0, k, d) for _, k, _, d in axes]
    assert place.reach == tuple(max(c) - min(c) + 1 for c in cells)
    for axis, (before, after) in enumerate(place.pads):
        padded = [*range(-before, 0), *range(sizes[axis]), *range(after)]
        assert place.padded[axis] == len(padded)


def meetings(size, out, offset, stride, before):
    """(position, input cell) pairs along one axis, by trying every position."""
    places = ((o, o * stride + offset - before) for o in range(out))
    return [(o, i) for o, i in places if 0 <= i < size]


@thoroughly
@given(SIZE, st.integers(0, 8), st.integers(0, 15), STRIDE, st.integers(0, 10))
def test_axis_overlap_meets_every_real_cell(size, out, offset, stride, before):
    # Any number of positions and any padding, also ones that no padding name gives.
    positions, inputs = axis_overlap(size, out, offset, stride, before)
    pairs = list(
        zip(
            np.arange(max(out, 50))[positions].tolist(),
            np.arange(size)[inputs].tolist(),
            strict=True,
        )
    )
    assert pairs == meetings(size, out, offset, stride, before)
    bounds = (positions.start, positions.stop, inputs.start, inputs.stop)
    assert min(bounds) >= 0  # a negative one would count from the end


@thoroughly
@given(AXIS, PADDING)
def test_axis_overlaps_has_one_entry_a_cell(axis, padding):
    size, kernel, stride, dilation = axis
    place = geometry((size,), (kernel,), (stride,), padding, (dilation,))
    before = place.pads[0][0]
    assert axis_overlaps(place, 0) == [
        axis_overlap(size, place.out[0], k * dilation, stride, before)
        for k in range(kernel)
    ]


SMALL_AXES = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 3), STRIDE, DILATION),
    min_size=1,
    max_size=3,
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SMALL_AXES, PADDING)
def test_cell_places_name_each_window_cell_once(axes, padding):
    sizes, kernel, strides, dilation = map(tuple, zip(*axes, strict=True))
    place = geometry(sizes, kernel, strides, padding, dilation)
    outs = np.arange(place.positions).reshape(1, *place.out)
    cells = np.arange(np.prod(sizes)).reshape(1, *sizes)
    found = [
        list(zip(outs[positions].ravel(), cells[inputs].ravel(), strict=True))
        for positions, inputs in cell_places(place)
    ]
    expected = []
    for k in np.ndindex(*kernel):  # row by row
        pairs = []
        for o in np.ndindex(*place.out):
            where = [
                o[a] * strides[a] + k[a] * dilation[a] - place.pads[a][0]
                for a in range(len(sizes))
            ]
            if all(0 <= i < size for i, size in zip(where, sizes, strict=True)):
                pairs.append((outs[(0, *o)], cells[(0, *where)]))
        expected.append(pairs)
    assert found == expected


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SMALL_AXES, st.booleans())
def test_sliding_shows_the_window_at_each_position(axes, reordered):
    sizes, kernel, strides, dilation = map(tuple, zip(*axes, strict=True))
    place = geometry(sizes, kernel, strides, "valid", dilation)
    x = np.arange(2 * np.prod(sizes) * 3).reshape(2, *sizes, 3)
    if reordered:  # a view whose strides are not those of its shape
        x = np.ascontiguousarray(x[..., ::-1].T).T
    view = sliding(x, place.out, kernel, strides, dilation)
    assert view.shape == (2, *place.out, *kernel, 3)
    for o in np.ndindex(*place.out):
        for k in np.ndindex(*kernel):
            cell = tuple(
                o[a] * strides[a] + k[a] * dilation[a] for a in range(len(sizes))
            )
            for n in range(2):
                assert view[(n, *o, *k)].tolist() == x[(n, *cell)].tolist()


def test_sliding_does_not_copy():
    x = np.zeros((1, 6, 1))
    assert np.shares_memory(sliding(x, (4,), (3,), (1,), (1,)), x)


def test_geometry_is_hashable_and_compares_by_value():
    first = geometry((5, 5), (3, 3), (1, 2), "same")
    second = Geometry(*first)
    assert first == second and len({first, second}) == 1


@pytest.mark.parametrize(
    "case, tiled",
    [
        (((6, 4), (2, 2), (2, 2), "valid"), True),
        (((7, 5), (3, 2), (3, 2), "valid"), True),  # some cells are left over
        (((6, 4), (2, 2), (2, 2), "same"), True),  # without padding after all
        (((7, 4), (2, 2), (2, 2), "same"), False),  # padded
        (((6, 4), (2, 2), (2, 1), "valid"), False),  # they overlap
        (((6, 4), (1, 1), (2, 2), "valid"), False),  # they are apart
        (((6, 4), (2, 2), (2, 2), "valid", (2, 1)), False),  # with gaps
    ],
)
def test_windows_side_by_side(case, tiled):
    assert geometry(*case).tiled is tiled
