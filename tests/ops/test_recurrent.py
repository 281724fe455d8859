"""Recurrent functions against real Keras, plain loops, and finite differences."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from autograd import make_jvp, make_vjp
from autograd import numpy as anp
from autograd.test_util import check_grads

from minikeras.kernels import lstm as lstm_kernels
from minikeras.kernels.recurrent import Plan
from minikeras.ops import recurrent as ops
from minikeras.ops import recurrent_steps
from minikeras.ops.recurrence import recurrence
from minikeras.variables import Variable

GOLDEN = Path(__file__).parents[1] / "golden"
FACTS = json.loads((GOLDEN / "recurrent_ops.json").read_text())
FUNCTIONS = {"SimpleRNN": ops.simple_rnn, "LSTM": ops.lstm, "GRU": ops.gru}
CELLS = {  # function, gates, options
    "simple_rnn": (ops.simple_rnn, 1, {}),
    "lstm": (ops.lstm, 4, {}),
    "gru": (ops.gru, 3, {}),
    "gru, reset before": (ops.gru, 3, {"reset_after": False}),
}
# Sequences masked at the start, in the middle, at the end, everywhere and nowhere.
MASKS = np.array(
    [[0, 0, 1, 1], [1, 0, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]], bool
)


def check(function, *arrays, modes=("fwd", "rev"), order=2):
    """Derivatives in every argument."""
    argnums = tuple(range(len(arrays)))
    check_grads(function, argnums, modes=list(modes), order=order)(*arrays)


@pytest.fixture(autouse=True)
def _same_directions():
    np.random.seed(0)  # the checker draws its directions from it


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def arguments(rng, name, batch, steps, features, units, dtype="float64"):
    """x, states, kernel, recurrent kernel, bias."""
    _, gates, options = CELLS[name]
    two = name.startswith("gru") and options.get("reset_after", True)
    shapes = [
        (batch, steps, features),
        *[(batch, units)] * (2 if gates == 4 else 1),
        (features, gates * units),
        (units, gates * units),
        (2, gates * units) if two else (gates * units,),
    ]
    x, *states, w, u, b = (rng.normal(size=shape).astype(dtype) for shape in shapes)
    return x, states, w, u, b


def flat_function(name, **options):
    """The function of x, kernel, recurrent kernel, bias and states, that gives all
    results in one vector."""
    function, _, own = CELLS[name]

    def run(x, w, u, b, *states):
        y, last = function(x, list(states) or None, w, u, b, **own, **options)
        return anp.concatenate([anp.reshape(v, (-1,)) for v in (y, *(last or ()))])

    return run


# --- values ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "recurrent_ops.npz") as file:
        values = file["values"]
    return {
        key: values[start : start + int(np.prod(shape))].reshape(shape)
        for key, (start, shape) in FACTS["index"].items()
    }


@pytest.mark.parametrize("number", range(len(FACTS["cases"])))
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_results_and_gradients_equal_keras(number, dtype, golden):
    case = FACTS["cases"][number]
    stored = {
        key: [golden[f"{number}/{key}/{i}"] for i in range(count)]
        for key, count in case["counts"].items()
    }
    options = dict(case["arguments"])
    if not options.pop("use_bias", True):
        stored["weights"].append(None)
    options["mask"] = np.array(FACTS["mask"]) if case["masked"] else None
    if stored["factors"]:
        (factors,) = stored["factors"]
        options["recurrent_mask"] = factors if len(factors) > 1 else factors[0]
    inputs = [*stored["x"], *stored["weights"], *stored["states"]]
    inputs = [None if v is None else v.astype(dtype) for v in inputs]

    def run(x, w, u, b, *states):
        function = FUNCTIONS[case["name"]]
        given = [x, list(states) or None, w, u, b]
        y, last = function(*given, return_state=True, **options)
        return anp.concatenate([anp.reshape(v, (-1,)) for v in (y, *last)])

    tolerance = {"rtol": 1e-11, "atol": 1e-12}
    if dtype == "float32":
        tolerance = {"rtol": 2e-5, "atol": 2e-5}
    expected = np.concatenate([v.ravel() for v in stored["results"]])
    np.testing.assert_allclose(run(*inputs), expected, **tolerance)
    slopes = np.concatenate([v.ravel() for v in stored["slopes"]]).astype(dtype)
    gradients = [*stored["dx"], *stored["dweights"], *stored["dstates"]]
    places = [n for n, value in enumerate(inputs) if value is not None]
    assert len(places) == len(gradients)
    for place, gradient in zip(places, gradients, strict=True):
        pull, y = make_vjp(run, place)(*inputs)
        np.testing.assert_allclose(y, expected, **tolerance)
        found = pull(slopes)
        assert found.dtype == dtype
        np.testing.assert_allclose(found, gradient, **tolerance)


def test_golden_cases_cover_all_functions():
    assert {case["name"] for case in FACTS["cases"]} == set(FUNCTIONS)
    assert any(
        not case["arguments"].get("reset_after", True) for case in FACTS["cases"]
    )


@pytest.mark.parametrize("name", CELLS)
def test_extreme_inputs_give_no_warning(name, rng):
    x, states, w, u, b = arguments(rng, name, 2, 3, 2, 3, "float32")
    function, _, options = CELLS[name]
    y, _ = function(1e30 * x, states, w, u, b, **options)
    assert np.isfinite(y).all()


# --- derivatives ----------------------------------------------------------------


@pytest.mark.parametrize(
    "go_backwards, sequences, state", list(itertools.product([False, True], repeat=3))
)
@pytest.mark.parametrize("name", CELLS)
def test_derivatives(name, go_backwards, sequences, state, rng):
    x, states, w, u, b = arguments(rng, name, 5, 4, 2, 3)
    options = {
        "go_backwards": go_backwards,
        "return_sequences": sequences,
        "return_state": state,
    }
    check(flat_function(name, **options), x, w, u, b, *states)
    masked = flat_function(name, mask=MASKS, **options)
    check(masked, x, w, u, b, *states)


@pytest.mark.parametrize("name", CELLS)
def test_derivatives_without_bias_and_states(name, rng):
    x, states, w, u, b = arguments(rng, name, 2, 3, 2, 2)
    run = flat_function(name, return_state=True)
    check(lambda x, w, u: run(x, w, u, None), x, w, u)
    check(lambda x, w, u, b: run(x, w, u, b), x, w, u, b)
    check(lambda x, *s: run(x, w, u, None, *s), x, *states)
    if len(states) == 2:  # a state may be missing

        def carry_alone(c):
            return ops.lstm(x, [None, c], w, u, b)[0]

        check(carry_alone, states[1])


@pytest.mark.parametrize(
    "sizes", [(1, 1, 1, 1), (1, 3, 2, 1), (2, 1, 3, 2), (3, 7, 1, 1)]
)
@pytest.mark.parametrize("name", CELLS)
def test_derivatives_at_small_and_odd_sizes(name, sizes, rng):
    x, states, w, u, b = arguments(rng, name, *sizes)
    run = flat_function(name, return_state=True)
    check(run, x, w, u, b, *states)


@pytest.mark.parametrize("zero", [False, True])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_derivatives_with_outputs_at_masked_steps(name, sequences, zero, rng):
    x, states, w, u, b = arguments(rng, name, 5, 4, 2, 2)
    options = {"mask": MASKS, "zero_output_for_mask": zero, "go_backwards": True}
    run = flat_function(name, return_sequences=sequences, return_state=True, **options)
    check(run, x, w, u, b, *states)


@pytest.mark.parametrize("each_gate", [False, True])
@pytest.mark.parametrize("name", CELLS)
def test_derivatives_with_recurrent_dropout(name, each_gate, rng):
    x, states, w, u, b = arguments(rng, name, 5, 4, 2, 3)
    gates = CELLS[name][1]
    shape = (gates, 5, 3) if each_gate and gates > 1 else (5, 3)
    factors = 2.0 * (rng.random(shape) < 0.6)
    for mask in (None, MASKS):
        run = flat_function(name, recurrent_mask=factors, mask=mask, return_state=True)
        check(run, x, w, u, b, *states)


@pytest.mark.parametrize("activation", ops.ACTIVATIONS)
@pytest.mark.parametrize("name", CELLS)
def test_derivatives_of_all_activations(name, activation, rng):
    """Small weights: products stay clear of the kinks of hard_sigmoid."""
    x, states, w, u, b = arguments(rng, name, 2, 3, 2, 2)
    gates = [activation, "sigmoid"]
    for gate in gates[: 1 if name == "simple_rnn" else 2]:
        options = {} if name == "simple_rnn" else {"recurrent_activation": gate}
        run = flat_function(name, activation=activation, return_state=True, **options)
        values = [0.3 * v for v in (x, w, u, b, *states)]
        check(run, *values)


@pytest.mark.parametrize("name", CELLS)
def test_fused_gradient_equals_the_composed_one(name, rng):
    x, states, w, u, b = arguments(rng, name, 5, 4, 3, 6)
    gates = CELLS[name][1]
    plans = itertools.product(
        [None, np.ascontiguousarray(~MASKS.T)],
        [None, *(rng.random((n, 6, 5)) + 0.5 for n in {1, gates})],
        [False, True],
        ["tanh", "relu", "hard_sigmoid"],
    )
    for masked, dropped, reverse, activation in plans:
        plan = Plan(
            activation=activation,
            gate="hard_sigmoid" if activation == "relu" else "sigmoid",
            masked=masked,
            dropped=dropped,
            reverse=reverse,
            carry=gates == 4,
            reset_after=CELLS[name][2].get("reset_after", True),
        )
        args = x, w, u, b, *states
        for place in range(len(args)):

            def fused(value, place=place, args=args, plan=plan):
                args = [*args[:place], value, *args[place + 1 :]]
                return recurrence(*args, gates=gates, plan=plan)

            def composed(value, place=place, args=args, plan=plan):
                args = [*args[:place], value, *args[place + 1 :]]
                return recurrent_steps.compose(*args, gates=gates, plan=plan)

            pull, y = make_vjp(fused)(args[place])
            expected_pull, expected = make_vjp(composed)(args[place])
            np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-13)
            g = rng.normal(size=y.shape)
            found, wanted = pull(g), expected_pull(g)
            scale = np.abs(wanted).max()
            np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12 * scale)
            again = pull(g)  # what was kept is still there
            np.testing.assert_array_equal(again, found)


def test_a_planted_mistake_is_found(rng, monkeypatch):
    right = lstm_kernels.Slopes.by_products

    def wrong(self, *arguments):
        right(self, *arguments)
        np.multiply(self.h_by_o, 1.001, self.h_by_o)

    x, states, w, u, b = arguments(rng, "lstm", 2, 3, 2, 3)
    monkeypatch.setattr(lstm_kernels.Slopes, "by_products", wrong)
    with pytest.raises(AssertionError):
        check(flat_function("lstm"), x, w, u, b, *states, modes=["rev"], order=1)


@pytest.mark.parametrize("name", CELLS)
def test_gradients_leave_what_they_are_given_alone(name, rng):
    x, states, w, u, b = arguments(rng, name, 5, 4, 2, 3)
    for sequences in (False, True):
        given = [v.copy() for v in (x, w, u, b, *states)]
        run = flat_function(name, return_state=True, return_sequences=sequences)
        pull, y = make_vjp(run)(*given)
        g = rng.normal(size=y.shape)
        before = g.copy()
        pull(g)
        np.testing.assert_array_equal(g, before)
        for value, same in zip(given, (x, w, u, b, *states), strict=True):
            np.testing.assert_array_equal(value, same)


@pytest.mark.parametrize("name", CELLS)
def test_float32_stays(name, rng):
    x, states, w, u, b = arguments(rng, name, 5, 4, 2, 3, "float32")
    factors = np.ones((5, 3))  # float64 constants do not promote
    run = flat_function(name, mask=MASKS, recurrent_mask=factors, return_state=True)
    inputs = x, w, u, b, *states
    for place, value in enumerate(inputs):
        pull, y = make_vjp(run, place)(*inputs)
        assert y.dtype == np.float32
        assert pull(y).dtype == np.float32
        push = make_jvp(run, place)(*inputs)
        assert push(value)[1].dtype == np.float32

        def slope(value, place=place):
            pull, y = make_vjp(run, place)(*inputs[:place], value, *inputs[place + 1 :])
            return pull(np.ones(y.shape, "float32"))

        pull, y = make_vjp(slope)(value)
        assert pull(y).dtype == np.float32


def test_handles_of_weights_are_taken(rng):
    x, states, *weights = arguments(rng, "gru", 2, 3, 2, 2, "float32")
    plain, _ = ops.gru(x, states, *weights)
    y, _ = ops.gru(x, states, *(Variable(v) for v in weights))
    np.testing.assert_array_equal(y, plain)


def test_a_long_sequence_costs_no_square_of_its_length(rng):
    """The composed form takes parts of a sequence in halves, not one by one."""
    copied = []
    right = recurrent_steps.crop

    def counting(x, *, widths):
        copied.append(x.shape[1])
        return right(x, widths=widths)

    x = rng.normal(size=(1, 64, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recurrent_steps, "crop", counting)
        parts = recurrent_steps.cut(x, 64, 1)
    assert [part.item() for part in parts] == x[0, :, 0].tolist()
    assert sum(copied) == 2 * 64 * 6


# --- errors ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"x": np.ones((2, 3))}, r"`x` must have the shape \(batch, time, features\)"),
        ({"x": np.ones((2, 0, 3))}, r"at least one step.*Received.*\(2, 0, 3\)"),
        (
            {"kernel": np.ones((2, 8))},
            r"`kernel` must have the shape \(3, 8\).*\(2, 8\)",
        ),
        ({"recurrent_kernel": np.ones((2, 6))}, r"`recurrent_kernel`.*\(2, 8\)"),
        ({"recurrent_kernel": np.ones(())}, r"`recurrent_kernel`.*\(0, 0\)"),
        ({"bias": np.ones((2, 8))}, r"`bias` must have the shape \(8,\)"),
        ({"states": [np.ones((2, 2))]}, r"`states` must be \[h, c\].*a list of 1"),
        ({"states": np.ones((2, 2, 3))}, r"`states\[0\]` must.*\(2, 2\).*\(2, 3\)"),
        ({"mask": np.ones((2, 3, 1))}, r"`mask` must have the shape \(2, 3\)"),
        ({"recurrent_mask": np.ones((3, 2, 2))}, r"\(2, 2\) or \(4, 2, 2\)"),
        ({"activation": "swish"}, "`activation` must be one of 'tanh', 'sigmoid'"),
        ({"recurrent_activation": None}, "`recurrent_activation` must be one of"),
    ],
)
def test_what_does_not_fit_is_refused(changed, message):
    given = {
        "x": np.ones((2, 3, 3)),
        "states": None,
        "kernel": np.ones((3, 8)),
        "recurrent_kernel": np.ones((2, 8)),
        "bias": None,
    }
    ops.lstm(**given)
    with pytest.raises(ValueError, match=f"(?s)^lstm: .*{message}"):
        ops.lstm(**{**given, **changed})


def test_gru_names_the_bias_it_wants():
    x, w, u = np.ones((1, 2, 1)), np.ones((1, 6)), np.ones((2, 6))
    with pytest.raises(ValueError, match=r"`bias` must have the shape \(2, 6\)"):
        ops.gru(x, None, w, u, np.ones(6))
    with pytest.raises(ValueError, match=r"`bias` must have the shape \(6,\)"):
        ops.gru(x, None, w, u, np.ones((2, 6)), reset_after=False)
