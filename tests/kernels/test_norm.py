"""Normalisation kernels against plain formulas in float64."""

import numpy as np
import pytest

from minikeras import config
from minikeras.kernels import norm

# Many rows, more than one piece, tails, blocks with groups, rows alone.
LAYOUTS = [
    (1, 1, 1, 1),
    (1, 1, 5, 1),
    (1, 7, 1, 1),
    (1, 5, 3, 1),
    (1, 2049, 2, 1),
    (1, 40_001, 32, 1),
    (1, 3, 5000, 1),
    (2, 700, 3, 2),
    (3, 1, 2, 4),
    (300, 9, 4, 8),
    (2, 70_000, 1, 8),
    (4, 3, 1, 2),
    (5, 1, 1, 1),
    (3, 1, 1, 6),
    (1001, 1, 1, 33),
    (2, 1, 1, 100_003),
]


def exact(x, gamma, beta, g, epsilon, centred):
    """y, dx, dgamma, dbeta, mean and variance from the definition, in float64."""
    x, g = x.astype(np.float64), g.astype(np.float64)
    columns = (1, 1, *x.shape[2:])
    mean = x.mean(axis=(1, 3), keepdims=True) if centred else 0 * x[:, :1, :, :1]
    variance = ((x - mean) ** 2).mean(axis=(1, 3), keepdims=True)
    deviation = np.sqrt(variance + epsilon)
    xhat = (x - mean) / deviation
    y = xhat * gamma.reshape(columns) + beta.reshape(columns)
    inner = g * gamma.reshape(columns)
    dx = inner - xhat * (inner * xhat).mean(axis=(1, 3), keepdims=True)
    if centred:
        dx -= inner.mean(axis=(1, 3), keepdims=True)
    sums = (g * xhat).sum(axis=(0, 1)).ravel(), g.sum(axis=(0, 1)).ravel()
    return y, dx / deviation, *sums, mean[:, 0, :, 0], variance[:, 0, :, 0]


def draw(layout, dtype, mean=0.0, seed=0):
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=layout) + mean).astype(dtype)
    width = layout[2] * layout[3]
    gamma, beta = rng.normal(size=(2, width)).astype(dtype)
    return x, gamma, beta, rng.normal(size=layout).astype(dtype)


def run(x, gamma, beta, g, epsilon=1e-3, centred=True):
    stats = norm.statistics(x, centred)
    y = norm.normalize(x, gamma, beta, stats, epsilon)
    backward = norm.backward(x, gamma, g, stats, epsilon)
    return y, *backward, stats.mean, stats.variance


def close(ours, expected, tolerance):
    scale = max(1.0, float(np.abs(expected).max(initial=0)))
    np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance * scale)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_against_the_definition(layout, centred):
    for dtype, tolerance in ((np.float64, 1e-11), (np.float32, 1e-5)):
        arrays = draw(layout, dtype)
        for ours, expected in zip(
            run(*arrays, centred=centred), exact(*arrays, 1e-3, centred), strict=True
        ):
            close(ours, expected, tolerance)
        for array in run(*arrays, centred=centred)[:4]:
            assert array.dtype == dtype


@pytest.mark.parametrize("mean", [1e3, -1e5])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_float32_far_from_zero(layout, mean):
    arrays = draw(layout, np.float32, mean)
    y, dx, dgamma, dbeta, found_mean, variance = exact(*arrays, 1e-3, True)
    ours = run(*arrays)
    close(ours[0], y, 1e-5)
    close(ours[1], dx, 1e-5)
    close(ours[2], dgamma, 1e-5)
    close(ours[3], dbeta, 1e-5)
    np.testing.assert_allclose(ours[4], found_mean, rtol=1e-7)
    close(ours[5], variance, 1e-5)


def test_one_column_far_and_one_with_an_outlier():
    x, gamma, beta, g = draw((1, 5000, 3, 1), np.float32)
    x[..., 0, 0] += 1e4
    x[0, :2500, 1] = 0  # a first half of zeros must not pass for the mean
    x[0, 2500:, 1] += 1e3
    for ours, expected in zip(
        run(x, gamma, beta, g), exact(x, gamma, beta, g, 1e-3, True), strict=True
    ):
        close(ours, expected, 1e-5)


@pytest.mark.parametrize("sampled", [0.0, 1e3], ids=["near", "far"])
@pytest.mark.parametrize("others", [0.0, -1e3], ids=["near", "far"])
def test_rows_that_are_not_like_the_sample(sampled, others):
    rows = 32 * norm.SAMPLE
    x, gamma, beta, g = draw((1, rows, 3, 1), np.float32)
    x[:, ::32, 1] += sampled
    for start in range(1, 32):
        x[:, start::32, 1] += others
    assert (norm._sampled_shift(x) is None) is (sampled == 0)
    for ours, expected in zip(
        run(x, gamma, beta, g), exact(x, gamma, beta, g, 1e-3, True), strict=True
    ):
        close(ours, expected, 1e-5)


def test_a_representative_sample_spares_a_pass(monkeypatch):
    passes = []
    column_sums = norm._column_sums

    def counted(flat, shift):
        passes.append(shift is not None)
        return column_sums(flat, shift)

    monkeypatch.setattr(norm, "_column_sums", counted)
    x = draw((1, 16 * norm.SAMPLE, 3, 1), np.float32)[0]
    for moved, expected in ((x, [False]), (x + 100, [True])):
        passes.clear()
        norm.statistics(moved)
        assert passes == expected
    few = x[:, : 15 * norm.SAMPLE] + 100
    passes.clear()
    norm.statistics(np.ascontiguousarray(few))
    assert passes == [False, True]


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_constant_input_gives_beta(layout):
    _, gamma, beta, _ = draw(layout, np.float32)
    x = np.full(layout, 0.1, np.float32)
    stats = norm.statistics(x)
    y = norm.normalize(x, gamma, beta, stats, 1e-3)
    close(y, np.broadcast_to(beta.reshape(1, 1, *layout[2:]), layout), 1e-5)
    assert (stats.variance >= 0).all()


def test_without_gamma_and_beta():
    for layout in ((1, 50, 3, 1), (4, 6, 2, 2), (5, 1, 1, 7)):
        x, _, _, g = draw(layout, np.float64)
        width = layout[2] * layout[3]
        plain = np.ones(width), np.zeros(width)
        y, dx, *_ = exact(x, *plain, g, 1e-3, True)
        stats = norm.statistics(x)
        close(norm.normalize(x, None, None, stats, 1e-3), y, 1e-12)
        found = norm.backward(x, None, g, stats, 1e-3, "x")
        close(found[0], dx, 1e-12)
        assert found[1:] == (None, None)
        assert norm.backward(x, None, g, stats, 1e-3, "b")[0] is None


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_bits_do_not_depend_on_threads_and_input_is_kept(layout):
    arrays = draw(layout, np.float32, mean=5.0)
    copies = [a.copy() for a in arrays]
    try:
        config.set_threads(1)
        alone = run(*arrays)
        config.set_threads(3)
        together = run(*arrays)
    finally:
        config.set_threads(None)
    for one, other in zip(alone, together, strict=True):
        assert one.tobytes() == other.tobytes()
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_strided_and_broadcast_arrays():
    x = np.random.default_rng(1).normal(size=(1, 3, 40, 1)).swapaxes(1, 2)
    g = np.broadcast_to(np.ones((1, 1, 1, 1)), x.shape)
    gamma, beta = np.ones(3), np.zeros(3)
    for ours, expected in zip(
        run(x, gamma, beta, g), exact(x, gamma, beta, g, 1e-3, True), strict=True
    ):
        close(ours, expected, 1e-12)


def test_nan_and_infinity_stay_in_their_channel():
    x, gamma, beta, g = draw((1, 30, 3, 1), np.float32)
    x[0, 3, 1, 0], x[0, 4, 2, 0] = np.nan, np.inf
    with np.errstate(all="ignore"):
        y = run(x, gamma, beta, g)[0]
    assert np.isfinite(y[:, :, 0]).all()
    assert np.isnan(y[:, :, 1]).all()


@pytest.mark.parametrize("layout", [(1, 9, 2, 1), (2, 9, 2, 3), (2, 1, 2, 3)])
def test_affine_and_its_sums(layout):
    x, scale, offset, g = draw(layout, np.float64)
    x, g = (a.reshape(*layout[:2], -1) for a in (x, g))
    shift = np.full((1, x.shape[2]), 0.5)
    y = norm.affine(x, scale[None], offset[None], shift)
    close(y, (x - 0.5) * scale + offset, 1e-12)
    close(norm.affine(x, scale[None], None, None), x * scale, 1e-12)
    sum_g, sum_gx = norm.affine_sums(x, g, shift)
    close(sum_g, g.sum(axis=1), 1e-12)
    close(sum_gx, (g * (x - 0.5)).sum(axis=1), 1e-12)


# --- cut off at zero ------------------------------------------------------------


@pytest.mark.parametrize("mean", [0.0, 1e3])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_relu_cuts_off_what_is_below_zero(layout, dtype, mean):
    x, gamma, beta, _ = draw(layout, dtype, mean)
    copies = [a.copy() for a in (x, gamma, beta)]
    for centred in (True, False):
        stats = norm.statistics(x, centred)
        for vectors in ((gamma, beta), (gamma, None), (None, beta), (None, None)):
            plain = norm.normalize(x, *vectors, stats, 1e-3)
            y = norm.normalize(x, *vectors, stats, 1e-3, relu=True)
            np.testing.assert_array_equal(y, np.maximum(plain, 0))
            assert y.dtype == dtype and y.shape == layout
    for array, copy in zip((x, gamma, beta), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("mean", [0.0, 1e3])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_backward_of_what_was_cut_off(layout, centred, mean):
    for dtype, tolerance in ((np.float64, 1e-8), (np.float32, 1e-5)):
        x, gamma, beta, g = draw(layout, dtype, mean)
        stats = norm.statistics(x, centred)
        y = norm.normalize(x, gamma, beta, stats, 1e-3, relu=True)
        masked = np.where(y > 0, g, 0)
        for array in (x, g, y):
            array.setflags(write=False)
        found = norm.backward(x, gamma, g, stats, 1e-3, relu_output=y)
        expected = exact(x, gamma, beta, masked, 1e-3, centred)[1:4]
        plain = norm.backward(x, gamma, masked, stats, 1e-3)
        for ours, formula, same in zip(found, expected, plain, strict=True):
            assert ours.dtype == dtype
            close(ours, formula, tolerance)
            np.testing.assert_array_equal(ours, same)


@pytest.mark.parametrize("layout", [(1, 2049, 2, 1), (2, 700, 3, 2), (9, 1, 1, 33)])
def test_what_was_cut_off_for_some_gradients(layout):
    x, gamma, beta, g = draw(layout, np.float64)
    stats = norm.statistics(x)
    y = norm.normalize(x, gamma, beta, stats, 1e-3, relu=True)
    assert (y == 0).any() and (y > 0).any()
    expected = exact(x, gamma, beta, g * (y > 0), 1e-3, True)[1:4]
    for wanted in ("x", "g", "b", "xg", "xb", "gb", "xgb"):
        found = norm.backward(x, gamma, g, stats, 1e-3, wanted, y)
        for letter, ours, formula in zip("xgb", found, expected, strict=True):
            if letter in wanted:
                close(ours, formula, 1e-12)
            else:
                assert ours is None


def test_no_gradient_where_the_output_is_zero():
    x = np.array([-1.0, 0.0, 1.0, 0.0]).reshape(1, 4, 1, 1)
    stats = norm.statistics(x)
    y = norm.normalize(x, None, None, stats, 0.0, relu=True)
    np.testing.assert_allclose(y.ravel(), [0, 0, np.sqrt(2), 0], rtol=1e-15)
    dbeta = norm.backward(x, None, np.ones_like(x), stats, 0.0, "b", y)[2]
    np.testing.assert_array_equal(dbeta, [1.0])


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_bits_of_what_is_cut_off_do_not_depend_on_threads(layout):
    x, gamma, beta, g = draw(layout, np.float32, mean=5.0)
    results = []
    try:
        for threads in (1, 2, 3):
            config.set_threads(threads)
            stats = norm.statistics(x)
            y = norm.normalize(x, gamma, beta, stats, 1e-3, relu=True)
            back = norm.backward(x, gamma, g, stats, 1e-3, relu_output=y)
            results.append([array.tobytes() for array in (y, *back)])
    finally:
        config.set_threads(None)
    assert results[0] == results[1] == results[2]


def test_strided_and_broadcast_arrays_that_are_cut_off():
    x = np.random.default_rng(1).normal(size=(1, 3, 40, 1)).swapaxes(1, 2)
    gamma, beta = np.array([1.0, -2.0, 0.5]), np.array([0.1, 0.2, -0.3])
    stats = norm.statistics(x)
    y = norm.normalize(x, gamma, beta, stats, 1e-3, relu=True)
    g = np.broadcast_to(np.full((1, 1, 1, 1), 2.0), x.shape)
    output = np.asfortranarray(y)
    assert not output.flags.c_contiguous
    plain, *_ = exact(x, gamma, beta, g, 1e-3, True)
    close(y, np.where(plain > 0, plain, 0), 1e-12)
    expected = exact(x, gamma, beta, g * (plain > 0), 1e-3, True)[1:4]
    found = norm.backward(x, gamma, g, stats, 1e-3, relu_output=output)
    for ours, formula in zip(found, expected, strict=True):
        close(ours, formula, 1e-12)


def test_nan_is_not_cut_off():
    for layout in ((1, 30, 3, 1), (4, 9, 2, 2), (6, 1, 1, 5)):
        x, gamma, beta, g = draw(layout, np.float32)
        x[0, 0, 0, 0] = np.nan
        with np.errstate(all="ignore"):
            stats = norm.statistics(x)
            plain = norm.normalize(x, gamma, beta, stats, 1e-3)
            y = norm.normalize(x, gamma, beta, stats, 1e-3, relu=True)
            dx = norm.backward(x, gamma, g, stats, 1e-3, "x", y)[0]
        assert np.isnan(y[0, :, 0]).all()
        np.testing.assert_array_equal(np.isnan(y), np.isnan(plain))
        np.testing.assert_array_equal(y, np.where(plain < 0, 0, plain))
        assert np.isfinite(dx[~np.isnan(plain)]).all()
