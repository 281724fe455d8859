"""Recurrent kernels against plain loops over time, with real sizes and float32."""

import numpy as np
import pytest

from minikeras.kernels import gru, lstm, recurrent, recurrent_back, simple_rnn
from minikeras.kernels.recurrent import ACTIVATIONS, Plan, Weights

CELLS = [(1, True), (3, True), (3, False), (4, True)]  # gates, reset_after
KERNELS = {1: simple_rnn, 3: gru, 4: lstm}


def sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))


FUNCTIONS = {
    "tanh": np.tanh,
    "sigmoid": sigmoid,
    "relu": lambda x: np.maximum(x, 0),
    "linear": lambda x: x,
    "hard_sigmoid": lambda x: np.clip(x + 3, 0, 6) / 6,
}


def reference(gates, x, w, states, plan):
    """The recurrence as in the papers, one step and one gate at a time, in float64."""
    activate, gate = FUNCTIONS[plan.activation], FUNCTIONS[plan.gate]
    units = len(w.recurrent)
    h, c = (*states, None)[:2]
    factors = np.ones((gates, *h.shape))
    if plan.dropped is not None:
        factors = factors * plan.dropped.transpose(0, 2, 1)
    bias = np.zeros((2, gates * units)) if w.bias is None else np.atleast_2d(w.bias)
    outputs = []
    for t in range(x.shape[1]):
        now = x[:, -1 - t if plan.reverse else t]

        def of_x(k, now=now):
            part = slice(k * units, (k + 1) * units)
            return now @ w.kernel[:, part] + bias[0, part]

        def of_h(k, h=h):
            part = slice(k * units, (k + 1) * units)
            inner = bias[1, part] if len(bias) == 2 else 0
            return (h * factors[k]) @ w.recurrent[:, part] + inner

        new_c = None
        if gates == 1:
            new = activate(of_x(0) + of_h(0))
        elif gates == 4:
            i, f, o = (gate(of_x(k) + of_h(k)) for k in (0, 1, 3))
            new_c = f * c + i * activate(of_x(2) + of_h(2))
            new = o * activate(new_c)
        else:
            z, r = (gate(of_x(k) + of_h(k)) for k in (0, 1))
            if plan.reset_after:
                candidate = activate(of_x(2) + r * of_h(2))
            else:
                inner = (r * h * factors[2]) @ w.recurrent[:, 2 * units :]
                candidate = activate(of_x(2) + inner)
            new = z * h + (1 - z) * candidate
        held = np.zeros(len(x), bool) if plan.masked is None else plan.masked[t]
        h = np.where(held[:, None], h, new)
        c = None if c is None else np.where(held[:, None], c, new_c)
        outputs.append(h)
    shown = outputs if plan.sequences else outputs[-1:]
    return np.stack([*shown, c] if plan.carry else shown, axis=1)


def problem(gates, reset_after, sizes, dtype="float64", seed=0):
    batch, steps, features, units = sizes
    rng = np.random.default_rng(seed)
    two = gates == 3 and reset_after
    shapes = [
        (batch, steps, features),
        (features, gates * units),
        (units, gates * units),
        (2, gates * units) if two else (gates * units,),
        *[(batch, units)] * (2 if gates == 4 else 1),
    ]
    x, *rest = (rng.normal(size=shape).astype(dtype) for shape in shapes)
    weights = Weights(*(v / np.sqrt(len(v)).astype(dtype) for v in rest[:3]))
    return x, weights, rest[3:], rng


def plan_for(gates, reset_after, **options):
    return Plan(carry=gates == 4, reset_after=reset_after, **options)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("dropped", [None, "one", "each gate"])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("gates, reset_after", CELLS)
def test_forward_is_the_plain_loop(gates, reset_after, masked, dropped, keep):
    x, w, states, rng = problem(gates, reset_after, (5, 7, 3, 4))
    options = {}
    if masked:
        options["masked"] = rng.random((7, 5)) < 0.5
        options["masked"][3] = True
    if dropped:
        copies = 1 if dropped == "one" else gates
        options["dropped"] = 2.0 * (rng.random((copies, 4, 5)) < 0.5)
    for reverse in (False, True):
        for sequences in (False, True):
            plan = plan_for(
                gates, reset_after, reverse=reverse, sequences=sequences, **options
            )
            y, _ = KERNELS[gates].forward(x, w, states, plan, keep)
            expected = reference(gates, x, w, states, plan)
            np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("gate", ACTIVATIONS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("gates, reset_after", CELLS)
def test_activations(gates, reset_after, activation, gate):
    x, w, states, _ = problem(gates, reset_after, (3, 4, 2, 3))
    plan = plan_for(gates, reset_after, activation=activation, gate=gate)
    y, _ = KERNELS[gates].forward(x, w, states, plan, True)
    expected = reference(gates, x, w, states, plan)
    np.testing.assert_allclose(y, expected, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_slopes_from_outputs(name):
    x = np.array([-7.1, -2.2, -0.3, 0.4, 1.7, 6.3])
    step = 1e-6
    y, slope = np.empty((2, len(x)))
    recurrent.squash(name, x * recurrent.scale(name), y)
    recurrent.slope(name, y, slope)
    function = FUNCTIONS[name]
    np.testing.assert_allclose(y, function(x), rtol=1e-12, atol=1e-15)
    difference = (function(x + step) - function(x - step)) / (2 * step)
    np.testing.assert_allclose(slope, difference, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("gates, reset_after", CELLS)
def test_float32_is_near_float64(gates, reset_after):
    x, w, states, _ = problem(gates, reset_after, (32, 50, 16, 64), "float32")
    plan = plan_for(gates, reset_after)
    y, _ = KERNELS[gates].forward(x, w, states, plan, False)
    assert y.dtype == np.float32
    wide = Weights(*(v.astype("float64") for v in w))
    expected = reference(gates, x.astype("float64"), wide, states, plan)
    assert np.abs(y - expected).max() < 2e-6 * max(1, np.abs(expected).max())


@pytest.mark.parametrize("gates, reset_after", CELLS)
def test_nothing_to_keep_gives_the_same_bits(gates, reset_after):
    x, w, states, _ = problem(gates, reset_after, (4, 6, 3, 5), "float32")
    plan = plan_for(gates, reset_after, masked=np.eye(6, 4, dtype=bool))
    kept, _ = KERNELS[gates].forward(x, w, states, plan, True)
    y, _ = KERNELS[gates].forward(x, w, states, plan, False)
    np.testing.assert_array_equal(y, kept)


@pytest.mark.parametrize("gates, reset_after", CELLS)
def test_only_what_is_wanted(gates, reset_after):
    x, w, states, rng = problem(gates, reset_after, (3, 4, 2, 3))
    plan = plan_for(gates, reset_after)
    y, tape = KERNELS[gates].forward(x, w, states, plan, True)
    g = rng.normal(size=y.shape)

    def run(wanted):
        return KERNELS[gates].backward(tape, w, g, plan, wanted)

    letters = "xwubhc" if gates == 4 else "xwubh"
    everything = run(letters)
    for place, letter in enumerate(letters):
        found = run(letter)
        np.testing.assert_allclose(found[place], everything[place], rtol=1e-12)
        assert all(found["xwub".index(k)] is None for k in "xwub" if k != letter)


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("gates, reset_after", CELLS)
def test_chunks_of_time_change_nothing(gates, reset_after, dropped, monkeypatch):
    x, w, states, rng = problem(gates, reset_after, (3, 7, 2, 4))
    factors = rng.random((gates, 4, 3)) + 0.5 if dropped else None
    masked = rng.random((7, 3)) < 0.3
    plan = plan_for(gates, reset_after, dropped=factors, masked=masked, reverse=True)
    y, tape = KERNELS[gates].forward(x, w, states, plan, True)
    g = rng.normal(size=y.shape)
    letters = "xwubhc" if gates == 4 else "xwubh"
    whole = KERNELS[gates].backward(tape, w, g, plan, letters)
    monkeypatch.setattr(recurrent_back, "CHUNK_BYTES", 1)
    for columns, count in ((1, 7), (6, 4), (18, 2)):  # steps: 1, 2, and 6 + 1
        monkeypatch.setattr(recurrent_back, "CHUNK_COLUMNS", columns)
        assert len(recurrent_back.chunks(7, 4, 3, 8)) == count
        found = KERNELS[gates].backward(tape, w, g, plan, letters)
        for a, b in zip(whole, found, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("gates, reset_after", CELLS)
def test_what_fades_does_not_become_denormal(gates, reset_after):
    """A state without inputs, and a gradient that comes from far behind."""
    x, w, states, _ = problem(gates, reset_after, (2, 300, 3, 4), "float32")
    w = Weights(w.kernel, np.float32(0.5) * w.recurrent, None)
    plan = Plan(reset_after=reset_after, sequences=False)
    x[:, 1:] = 0
    y, tape = KERNELS[gates].forward(x, w, states, plan, True)
    found = KERNELS[gates].backward(tape, w, y + 1, plan, "xwub")
    assert (found[0][:, :100] == 0).all()
    for value in (y, *(v for v in found if v is not None)):
        assert value.dtype == np.float32
        denormal = (np.abs(value) < np.finfo("float32").tiny) & (value != 0)
        assert not denormal.any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_flush_leaves_all_other_numbers_alone(dtype):
    tiny = np.finfo(dtype).tiny
    x = np.random.default_rng(3).normal(size=50)
    x = np.concatenate([x, [1e-20, -1e-20, 1e30]]).astype(dtype)
    faded = np.array([tiny, -tiny, 100 * tiny, tiny / 4, 0], dtype)
    same = x.copy()
    recurrent.flush(same, faded)
    np.testing.assert_array_equal(same, x)
    np.testing.assert_array_equal(faded, np.zeros(5))


@pytest.mark.parametrize("gates, reset_after", CELLS)
def test_float16(gates, reset_after):
    x, w, states, _ = problem(gates, reset_after, (2, 9, 3, 4), "float16")
    plan = plan_for(gates, reset_after)
    y, _ = KERNELS[gates].forward(x, w, states, plan, False)
    assert y.dtype == np.float16
    wide = Weights(*(v.astype("float64") for v in w))
    expected = reference(gates, x.astype("float64"), wide, states, plan)
    np.testing.assert_allclose(y, expected, atol=1e-2)


@pytest.mark.parametrize("gates, reset_after", CELLS)
def test_an_empty_batch(gates, reset_after):
    x, w, states, _ = problem(gates, reset_after, (0, 2, 3, 4))
    plan = plan_for(gates, reset_after)
    y, tape = KERNELS[gates].forward(x, w, states, plan, True)
    assert y.shape == (0, 2 + plan.carry, 4)
    dx, dw, *_ = KERNELS[gates].backward(tape, w, y, plan, "xwub")
    assert dx.shape == x.shape
    np.testing.assert_array_equal(dw, np.zeros(w.kernel.shape))
