"""Optimizer updates against the formulas, number by number in plain Python."""

from math import sqrt

import numpy as np
import pytest

from minikeras.kernels import update

STEPS = 7
SIZE = 23
DTYPES = {"float32": 2e-6, "float64": 1e-14}


@pytest.fixture(autouse=True, params=[1 << 16, 5, 1, "shared"])
def _piece(request, monkeypatch):
    """One piece, several with a rest, a number a piece, and two that threads share."""
    if request.param == "shared":
        monkeypatch.setattr(update, "SHARED", 1)
        monkeypatch.setattr(update, "SHARED_PIECE", 16)
    else:
        monkeypatch.setattr(update, "PIECE", request.param)


def start(dtype, slots):
    rng = np.random.default_rng(0)
    w = rng.standard_normal(SIZE).astype(dtype)
    gradients = rng.standard_normal((STEPS, SIZE)).astype(dtype)
    return w, gradients, [np.zeros(SIZE, dtype) for _ in range(slots)]


def check(w, slots, expected, dtype):
    """`expected`: per number of w, the tuple (w, slots...)."""
    for array, column in zip([w, *slots], zip(*expected, strict=True), strict=True):
        assert array.dtype == dtype
        np.testing.assert_allclose(
            array, column, rtol=DTYPES[dtype], atol=DTYPES[dtype]
        )


def alone(w, gradients, rule, state):
    """Each number's trajectory by itself, as Python floats."""
    expected = []
    for i in range(SIZE):
        value, slots = float(w[i]), state
        for step in range(STEPS):
            value, slots = rule(value, float(gradients[step, i]), slots, step + 1)
        expected.append((value, *slots))
    return expected


@pytest.mark.parametrize("dtype", DTYPES)
def test_sgd(dtype):
    w, gradients, _ = start(dtype, 0)
    expected = alone(w, gradients, lambda w, g, s, t: (w - 0.1 * g, s), ())
    for g in gradients:
        update.sgd(w, g, None, 0.1, 0.0, False)
    check(w, [], expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_with_momentum(dtype, nesterov):
    def rule(w, g, slots, step):
        m = 0.9 * slots[0] - 0.1 * g
        return (w + 0.9 * m - 0.1 * g if nesterov else w + m), (m,)

    w, gradients, (m,) = start(dtype, 1)
    expected = alone(w, gradients, rule, (0.0,))
    for g in gradients:
        update.sgd(w, g, m, 0.1, 0.9, nesterov)
    check(w, [m], expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("flush", [False, True])
def test_adam(dtype, flush):
    def rule(w, g, slots, t):
        m = 0.8 * slots[0] + 0.2 * g
        v = 0.95 * slots[1] + 0.05 * g * g
        rate = 0.1 * sqrt(1 - 0.95**t) / (1 - 0.8**t)
        return w - rate * m / (sqrt(v) + 1e-3), (m, v)

    w, gradients, (m, v) = start(dtype, 2)
    expected = alone(w, gradients, rule, (0.0, 0.0))
    for t, g in enumerate(gradients, 1):
        rate = 0.1 * sqrt(1 - 0.95**t) / (1 - 0.8**t)
        update.adam(w, g, m, v, None, rate, 0.8, 0.95, 1e-3, flush)
    check(w, [m, v], expected, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_adam_with_the_largest_second_moment(dtype):
    def rule(w, g, slots, t):
        m = 0.8 * slots[0] + 0.2 * g
        v = 0.5 * slots[1] + 0.5 * g * g
        largest = max(slots[2], v)
        return w - 0.1 * m / (sqrt(largest) + 1e-3), (m, v, largest)

    w, gradients, (m, v, largest) = start(dtype, 3)
    expected = alone(w, gradients, rule, (0.0, 0.0, 0.0))
    for g in gradients:
        update.adam(w, g, m, v, largest, 0.1, 0.8, 0.5, 1e-3)
    check(w, [m, v, largest], expected, dtype)
    assert (largest > v).any()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("momentum", [0.0, 0.7])
@pytest.mark.parametrize("centred", [False, True])
def test_rmsprop(dtype, momentum, centred):
    def rule(w, g, slots, t):
        v, m, mean = slots
        v = 0.6 * v + 0.4 * g * g
        mean = 0.6 * mean + 0.4 * g
        under = v - mean * mean + 1e-2 if centred else v + 1e-2
        m = momentum * m + 0.1 * g / sqrt(under)
        return w - m, (v, m, mean)

    w, gradients, (v, m, mean) = start(dtype, 3)
    expected = alone(w, gradients, rule, (0.0, 0.0, 0.0))
    for g in gradients:
        slots = m if momentum else None, mean if centred else None
        update.rmsprop(w, g, v, *slots, 0.1, 0.6, momentum, 1e-2)
    kept = [0, 1, *([2] if momentum else []), *([3] if centred else [])]
    expected = [tuple(row[i] for i in kept) for row in expected]
    slots = [v, *([m] if momentum else []), *([mean] if centred else [])]
    check(w, slots, expected, dtype)


def test_gradients_are_left_alone():
    w, (g, *_), (a, b, c) = start("float32", 3)
    g.setflags(write=False)
    update.sgd(w, g, a, 0.1, 0.9, True, flush=True)
    update.adam(w, g, a, b, c, 0.1, 0.9, 0.99, 1e-7, flush=True)
    update.rmsprop(w, g, abs(a), b, c, 0.1, 0.9, 0.9, 1e-7, flush=True)


def test_an_empty_vector():
    w = np.zeros(0, "float32")
    update.sgd(w, w, w, 0.1, 0.9, True)
    update.adam(w, w, w, w, w, 0.1, 0.9, 0.99, 1e-7, True)
    update.rmsprop(w, w, w, w, w, 0.1, 0.9, 0.9, 1e-7)


def has_denormals(*arrays):
    tiny = np.finfo("float32").tiny
    return any(((a != 0) & (abs(a) < tiny)).any() for a in arrays)


RULES = {
    "sgd": lambda w, g, a, b, c, flush: update.sgd(w, g, a, 0.01, 0.9, False, flush),
    "nesterov": lambda w, g, a, b, c, flush: update.sgd(
        w, g, a, 0.01, 0.9, True, flush
    ),
    "adam": lambda w, g, a, b, c, flush: update.adam(
        w, g, a, b, None, 0.01, 0.9, 0.9, 1e-7, flush
    ),
    "rmsprop": lambda w, g, a, b, c, flush: update.rmsprop(
        w, g, a, b, c, 0.01, 0.9, 0.9, 1e-7, flush
    ),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_moments_of_dead_units_never_become_denormal(rule):
    ends = {}
    for flushed in (True, False):
        w, (g, *_), slots = start("float32", 3)
        g[::3] *= 1e-3
        for step in range(1, 1200):  # a gradient once, then never again
            rule(w, g, *slots, flushed and step % update.FLUSH_EVERY == 0)
            g = np.zeros_like(g)
            if flushed and step % update.FLUSH_EVERY == 0:
                assert not has_denormals(*slots)
        assert has_denormals(*slots) is not flushed
        ends[flushed] = w
    # What was thrown away did not matter.
    np.testing.assert_array_equal(ends[True], ends[False])


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_flushing_keeps_small_moments(rule):
    results = []
    for flush in (False, True):
        w, (g, *_), slots = start("float32", 3)
        rule(w, g * np.float32(1e-10), *slots, flush)
        results.append([w, *slots])
    for got, wanted in zip(*results, strict=True):
        np.testing.assert_array_equal(got, wanted)
