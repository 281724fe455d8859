"""Transforms as matrices against the complex sums they stand for, and the plans."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minikeras.kernels import fourier
from minikeras.kernels.windows import Geometry, geometry

SIGNS = [1, -1]
STRETCHES = [range(0, 4), range(2, 5), range(0, 6, 3), range(5, 6), range(3, 3)]
each_sign = pytest.mark.parametrize("sign", SIGNS)
each_stretch = pytest.mark.parametrize("at", STRETCHES, ids=str)


def first_transform(x, length, at, sign):
    """z[k] = sum_a x[a] exp(-i pi (2 k + 1) a / A), for k < A / 2."""
    k = 2 * np.arange(length // 2)[:, None] + 1
    return np.exp(-1j * sign * np.pi * k * np.array(at)[None] / length) @ x


def second_transform(z, length, at, sign):
    """z[q] = sum_b z[b] exp(-2 i pi q b / B), for q < B."""
    q = np.arange(length)[:, None]
    return np.exp(-2j * sign * np.pi * q * np.array(at)[None] / length) @ z


def complex_numbers(rng, *shape):
    return rng.normal(size=shape) + 1j * rng.normal(size=shape)


def parts(z):
    return np.concatenate([z.real, z.imag])


# --- matrices -------------------------------------------------------------------


@each_sign
@each_stretch
@pytest.mark.parametrize("length", [2, 6, 10])
def test_first_axis(length, at, sign):
    x = np.random.default_rng(0).normal(size=len(at))
    found = fourier.first(length, at, sign, "d") @ x
    wanted = first_transform(x, length, at, sign)
    np.testing.assert_allclose(found[0::2], wanted.real, atol=1e-13)
    np.testing.assert_allclose(found[1::2], wanted.imag, atol=1e-13)


@each_sign
@each_stretch
@pytest.mark.parametrize("length", [1, 6, 7])
def test_second_axis_gives_the_factors_of_three_products(length, at, sign):
    z = complex_numbers(np.random.default_rng(0), len(at))
    wanted = second_transform(z, length, at, sign)
    left = fourier.second(length, at, sign, True, "d") @ parts(z)
    right = fourier.second(length, at, sign, False, "d") @ parts(z)
    a, b = wanted.real, wanted.imag
    np.testing.assert_allclose(left, np.concatenate([a + b, a, b]), atol=1e-12)
    np.testing.assert_allclose(right, np.concatenate([a, b - a, a + b]), atol=1e-12)


@each_sign
@pytest.mark.parametrize("length", [5, 8])
def test_three_real_products_make_a_complex_one(length, sign):
    rng, at = np.random.default_rng(0), range(length)
    x, y = complex_numbers(rng, length), complex_numbers(rng, length)
    products = fourier.second(length, at, sign, True, "d") @ parts(x)
    products *= fourier.second(length, at, sign, False, "d") @ parts(y)
    of_x, of_y = (second_transform(z, length, at, sign) for z in (x, y))
    q = np.arange(length)
    inverse = np.exp(2j * sign * np.pi * np.outer(at, q) / length) / length
    found = fourier.second_back(length, at, sign, "d") @ products
    np.testing.assert_allclose(found, parts(inverse @ (of_x * of_y)), atol=1e-12)


@each_sign
@pytest.mark.parametrize("length", [2, 4, 10])
@pytest.mark.parametrize("start, step", [(0, 1), (1, 1), (0, 2)])
def test_there_and_back_again(length, start, step, sign):
    at = range(start, length, step)
    x = np.random.default_rng(0).normal(size=len(at))
    back = fourier.first_back(length, at, sign, "d")
    found = back @ fourier.first(length, at, sign, "d") @ x
    np.testing.assert_allclose(found, x, atol=1e-13)


@pytest.mark.parametrize("tall, wide", [(6, 5), (4, 8)])
def test_a_cyclic_convolution_whose_first_axis_comes_back_negative(tall, wide):
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, tall, wide))
    wanted = np.zeros((tall, wide))
    for a, b in np.ndindex(tall, wide):
        for c, d in np.ndindex(tall, wide):
            sign = -1 if a + c >= tall else 1
            wanted[(a + c) % tall, (b + d) % wide] += sign * x[a, b] * w[c, d]

    def transformed(x, left):
        half = fourier.first(tall, range(tall), 1, "d") @ x
        by_k = half.reshape(tall // 2, 2 * wide)
        return by_k @ fourier.second(wide, range(wide), 1, left, "d").T

    products = transformed(x, True) * transformed(w, False)
    half = products @ fourier.second_back(wide, range(wide), 1, "d").T
    back = fourier.first_back(tall, range(tall), 1, "d")
    found = back @ half.reshape(tall, wide)
    np.testing.assert_allclose(found, wanted, atol=1e-12)


@pytest.mark.parametrize("dtype", ["f", "d"])
def test_matrices_have_the_type_of_the_numbers_they_meet(dtype):
    for matrix in (
        fourier.first(4, range(3), 1, dtype),
        fourier.second(4, range(3), 1, True, dtype),
        fourier.second_back(4, range(3), 1, dtype),
        fourier.first_back(4, range(3), 1, dtype),
    ):
        assert matrix.dtype.char == dtype


# --- plans ----------------------------------------------------------------------


@st.composite
def places(draw):
    """A geometry with any padding, along one axis or more."""
    sizes, kernel, dilation, pads, out = [], [], [], [], []
    for _ in range(2):
        size, k, d = (draw(st.integers(1, most)) for most in (20, 5, 3))
        reach = (k - 1) * d + 1
        before, after = (draw(st.integers(0, reach)) for _ in range(2))
        sizes.append(size)
        kernel.append(k)
        dilation.append(d)
        pads.append((before, after))
        out.append(max(0, size + before + after - reach + 1))
    sizes, kernel, dilation = tuple(sizes), tuple(kernel), tuple(dilation)
    return Geometry(sizes, kernel, (1, 1), dilation, tuple(pads), tuple(out))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(places(), st.integers(1, 4), st.integers(0, 1))
def test_tiles_cover_all_windows_once_and_every_cell_they_meet(place, count, axis):
    length, spans = fourier._tiling(place, axis, count)
    out, size, reach = place.out[axis], place.sizes[axis], place.reach[axis]
    before = place.pads[axis][0]
    assert axis == 1 or length % 2 == 0
    covered = [i for span in spans for i in range(out)[span.places]]
    assert covered == list(range(out)) and len(spans) <= count
    for span in spans:
        windows = range(out)[span.places]
        begin = windows[0] - before
        meets = range(begin, begin + len(windows) + reach - 1)
        assert len(meets) <= length
        cells = range(size)[span.cells]
        assert list(cells) == [i for i in meets if 0 <= i < size]
        if cells:
            assert span.offset == cells[0] - begin


CASES = [
    ((16, 16), (3, 3), "same", 64, 64, 32),
    ((8, 8), (3, 3), "same", 128, 128, 64),
    ((20, 20), (7, 7), "valid", 64, 128, 32),
    ((64, 64), (5, 5), "same", 64, 64, 8),
    ((40, 16), (3, 5), "valid", 96, 64, 16),
]


def work(place, tilings, channels, filters, count):
    """Multiplications and additions, counted one by one."""
    tall, wide = (tiling.length for tiling in tilings)
    total = 3 * 2 * wide * (tall // 2) * channels * filters * count
    total *= len(tilings[0].spans) * len(tilings[1].spans)
    return total


@pytest.mark.parametrize("sizes, kernel, padding, channels, filters, count", CASES)
def test_a_plan_takes_less_than_sums_over_windows(
    sizes, kernel, padding, channels, filters, count
):
    place = geometry(sizes, kernel, (1, 1), padding)
    direct = 2 * count * place.positions * place.cells * channels * filters
    found = fourier.plan(place, channels, filters, count, 0.9)
    least = fourier._work(found, place, channels, filters, count)
    assert work(place, found, channels, filters, count) < least < 0.9 * direct
    for counts in np.ndindex(fourier.MOST_TILES, fourier.MOST_TILES):
        other = tuple(fourier._tiling(place, i, n + 1) for i, n in enumerate(counts))
        assert fourier._work(other, place, channels, filters, count) >= least
    ratio = least / direct
    assert fourier.plan(place, channels, filters, count, ratio * 0.999) is None
    assert fourier.plan(place, channels, filters, count, ratio * 1.001) == found


def test_large_images_are_cut():
    small, large = (
        fourier.plan(geometry((n, n), (3, 3), (1, 1), "same"), 64, 64, 8, 2.0)
        for n in (8, 64)
    )
    assert [len(tiling.spans) for tiling in small] == [1, 1]
    assert min(len(tiling.spans) for tiling in large) > 1


@pytest.mark.parametrize(
    "place",
    [
        geometry((16, 16), (3, 3), (2, 1), "same"),
        geometry((16, 16), (3, 3), (2, 2), "same"),
        geometry((64,), (5,), (1,), "same"),
        geometry((8, 8, 8), (3, 3, 3), (1, 1, 1), "same"),
        geometry((2, 8), (3, 3), (1, 1), "valid"),  # no window fits
        geometry((16, 16), (1, 1), (1, 1), "same"),  # nothing to save
    ],
    ids=["a stride", "strides", "1-D", "3-D", "no windows", "one cell"],
)
def test_no_plan(place):
    assert fourier.plan(place, 128, 128, 32, 1.1) is None


def test_few_channels_are_not_worth_transforms():
    place = geometry((28, 28), (3, 3), (1, 1), "same")
    assert fourier.plan(place, 1, 16, 128, 1.1) is None
    assert fourier.plan(place, 64, 64, 128, 1.1) is not None
