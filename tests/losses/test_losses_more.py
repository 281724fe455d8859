"""Losses beyond the common five against real Keras: values, gradients, configs."""

import json
from pathlib import Path

import autograd
import numpy as np
import pytest

from minikeras import losses, ops

GOLDEN = Path(__file__).parent.parent / "golden"
MORE = json.loads((GOLDEN / "losses_more.json").read_text())
DEFAULTS = json.loads((GOLDEN / "facts.json").read_text())["configs"]["losses"]
CASES = MORE["cases"]
IDS = [f"{i}_{case['function']}" for i, case in enumerate(CASES)]


def inputs(case, dtype="float64"):
    y_true = np.array(case["y_true"], case["y_true_dtype"])
    if y_true.dtype.kind == "f":
        y_true = y_true.astype(dtype)
    return y_true, np.array(case["y_pred"], dtype)


def agrees(value, expected, tolerance=1e-11):
    expected = np.array(expected)
    assert value.dtype == np.float64
    assert value.shape == expected.shape
    np.testing.assert_allclose(value, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_value(case):
    y_true, y_pred = inputs(case)
    function = getattr(losses, case["function"])
    agrees(function(y_true, y_pred, **case["options"]), case["value"])


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_value_in_float32(case):
    """Also the values of probabilities that are clipped to what float32 can tell."""
    y_true, y_pred = inputs(case, "float32")
    value = getattr(losses, case["function"])(y_true, y_pred, **case["options"])
    assert value.dtype == np.float32
    expected = np.reshape(case["value32"], np.shape(case["value"]))
    np.testing.assert_allclose(value, expected, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_class_with_every_reduction(case):
    y_true, y_pred = inputs(case)
    cls = getattr(losses, case["class_name"])
    for entry in case["reduced"]:
        for reduction, expected in entry["values"].items():
            loss = cls(reduction=reduction, **case["options"])
            agrees(loss(y_true, y_pred, entry["sample_weight"]), expected)


def gradient(case, dtype="float64"):
    y_true, y_pred = inputs(case, dtype)
    function = getattr(losses, case["function"])
    size = np.size(case["value"])
    factors = np.arange(1, size + 1, dtype=dtype).reshape(np.shape(case["value"]))

    def total(p):
        return ops.sum(function(y_true, p, **case["options"]) * factors)

    return autograd.grad(total)(y_pred)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_gradient(case):
    """Also where the slope jumps: max, clip and hinges at ties."""
    found = gradient(case)
    if case["gradient"] is None:  # Keras has nan there
        assert np.isfinite(found).all()
        return
    expected = np.array(case["gradient"])
    if case["function"] == "mean_absolute_percentage_error":
        # |x| has slope 0 at 0, as in Keras on TensorFlow and PyTorch; JAX has 1.
        y_true, y_pred = inputs(case)
        expected[y_true == y_pred] = 0
    agrees(found, expected, 1e-9)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_gradient_stays_float32(case):
    found = gradient(case, "float32")
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    y_true, y_pred = inputs(case, "float32")
    loss = getattr(losses, case["class_name"])(**case["options"])
    value, slope = loss(y_true, y_pred), autograd.grad(lambda p: loss(y_true, p))
    assert value.dtype == slope(y_pred).dtype == np.float32


def test_gradients_that_are_nan_in_keras():
    undefined = [case for case in CASES if case["gradient"] is None]
    assert [case["function"] for case in undefined] == [
        "cosine_similarity",
        "binary_focal_crossentropy",
        "binary_focal_crossentropy",
        "categorical_generalized_cross_entropy",
    ]
    zero_vectors, steep, flat, impossible = map(gradient, undefined)
    # At 0 the vector counts as x / 1e-7; the truth is (1, 2) / sqrt(5), then 0.
    expected = -np.array([[1.0, 2.0], [0.0, 0.0]]) * 1e7 / np.sqrt(5)
    np.testing.assert_allclose(zero_vectors, expected, rtol=1e-12)
    np.testing.assert_array_equal(steep, 0)
    np.testing.assert_array_equal(flat, 0)
    # Only the labelled class counts: 0 at p = 0, and -1 / sqrt(p) at p = 1, weight 2.
    np.testing.assert_allclose(impossible, [[0, 0], [0, -2]])


@pytest.mark.parametrize("reference", MORE["references"])
def test_circle_with_references(reference):
    arrays = {k: np.array(v) for k, v in reference.items() if k != "value"}
    arrays["remove_diagonal"] = reference["remove_diagonal"]
    value = losses.circle(**arrays)
    np.testing.assert_allclose(value, reference["value"], rtol=1e-12)


def test_circle_leaves_out_samples_without_pairs():
    y_pred = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    loss, labels = losses.Circle(gamma=1.0), np.array([0, 0, 1])
    values = losses.circle(labels, y_pred, gamma=1.0)
    assert values[2] == 0 and (values[:2] > 0).all()
    np.testing.assert_allclose(loss(labels, y_pred), values[:2].mean())
    assert losses.Circle()(np.array([5, 5, 5]), y_pred) == 0
    big = np.array([2**24, 2**24 + 1, 2**24])  # the same number in float32
    np.testing.assert_array_equal(
        losses.Circle(reduction="none")(big, y_pred.astype("float32")),
        losses.Circle(reduction="none")([0, 1, 0], y_pred.astype("float32")),
    )


# --- large and small numbers ---------------------------------------------------------


@pytest.mark.parametrize("size", [1e4, 1e20])
def test_large_errors_do_not_overflow(size):
    y_true, y_pred = np.zeros((1, 2), "float32"), np.array([[size, -size]], "float32")
    np.testing.assert_allclose(losses.log_cosh(y_true, y_pred), [size], rtol=1e-4)
    slope = autograd.grad(lambda p: ops.sum(losses.log_cosh(y_true, p)))(y_pred)
    np.testing.assert_array_equal(slope, [[0.5, -0.5]])


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("function", ["binary", "categorical"])
def test_focal_losses_of_sure_predictions_are_finite(function, gamma):
    compute = getattr(losses, f"{function}_focal_crossentropy")
    y_true = np.array([[1.0, 0.0], [1.0, 0.0]], "float32")
    y_pred = np.array([[1.0, 0.0], [0.0, 1.0]], "float32")

    def total(p):
        return ops.sum(compute(y_true, p, gamma=gamma))

    slope = autograd.grad(total)
    assert np.isfinite(total(y_pred))
    assert np.isfinite(slope(y_pred)).all()
    second = autograd.grad(lambda p: ops.sum(slope(p)))(y_pred)
    assert np.isfinite(second).all()


# --- configs and names ---------------------------------------------------------------

NEW = sorted({case["class_name"] for case in CASES})


@pytest.mark.parametrize("name", NEW)
def test_default_config_is_that_of_keras(name):
    config = losses.serialize(getattr(losses, name)())
    assert config["config"] == DEFAULTS[name]
    assert (config["module"], config["class_name"]) == ("keras.losses", name)
    again = losses.deserialize(config)
    assert again.get_config() == DEFAULTS[name]


@pytest.mark.parametrize("config", MORE["configs"], ids=lambda c: c["class_name"])
def test_config_of_keras_makes_the_same_loss(config):
    loss = losses.deserialize(config)
    assert type(loss) is getattr(losses, config["class_name"])
    assert json.loads(json.dumps(losses.serialize(loss))) == config


@pytest.mark.parametrize("entry", MORE["accepted"], ids=["Huber", "CosineSimilarity"])
def test_arguments_that_keras_reads_but_does_not_write_are_kept(entry):
    loss = losses.deserialize(entry["config"])
    assert losses.serialize(loss) == entry["config"]
    value = loss(*map(np.array, entry["pair"]))
    np.testing.assert_allclose(value, entry["value"], rtol=1e-12)


@pytest.mark.parametrize(
    "names, function",
    [
        ("mape MAPE", "mean_absolute_percentage_error"),
        ("msle MSLE", "mean_squared_logarithmic_error"),
        ("kld KLD kullback_leibler_divergence", "kl_divergence"),
        ("logcosh", "log_cosh"),
    ],
)
def test_aliases(names, function):
    for name in (*names.split(), function):
        assert losses.get(name) is getattr(losses, function)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_names(case):
    function, name = case["function"], case["class_name"]
    assert losses.get(function) is getattr(losses, function)
    assert type(losses.get(name)) is getattr(losses, name)


def test_all_losses_of_keras_are_here():
    assert set(DEFAULTS) <= set(losses.__all__)


# --- errors --------------------------------------------------------------------------

P = np.full((2, 3), 1 / 3, "float32")
TWO_ARRAYS = sorted(
    {c["function"] for c in CASES}
    - {"ctc", "circle", "categorical_generalized_cross_entropy"}
)


@pytest.mark.parametrize("function", TWO_ARRAYS)
def test_shapes_that_do_not_fit(function):
    message = rf"{function}: .*y_true of shape \(2, 2\), y_pred of shape \(2, 3\)"
    with pytest.raises(ValueError, match=message):
        getattr(losses, function)(np.zeros((2, 2)), P)


def test_focal_labels_must_be_one_hot():
    with pytest.raises(ValueError, match=r"one-hot.*\(2, 1\).*utils.to_categorical"):
        losses.categorical_focal_crossentropy(np.zeros((2, 1)), P)


@pytest.mark.parametrize(
    "labels, message",
    [
        (np.zeros((2, 3)), r"one for each row .*y_true of shape \(2, 3\)"),
        (np.zeros(3), r"one for each row .*y_true of shape \(3,\)"),
        (np.array([0, 3]), "labels such as 3"),
        (np.array([-1, 0]), "labels such as -1"),
    ],
)
def test_labels_of_the_generalized_cross_entropy(labels, message):
    with pytest.raises(ValueError, match=message):
        losses.categorical_generalized_cross_entropy(labels, P)


def test_column_of_labels_for_the_generalized_cross_entropy():
    p = np.array([[0.2, 0.8], [0.5, 0.5]])
    loss = losses.CategoricalGeneralizedCrossEntropy(q=0.5)
    expected = np.mean((1 - np.sqrt([0.8, 0.5])) / 0.5)
    for labels in ([1, 0], [[1], [0]]):
        np.testing.assert_allclose(loss(np.array(labels), p), expected)


@pytest.mark.parametrize("q", [0, 1, -0.5, 2.0])
def test_q_must_be_between_0_and_1(q):
    with pytest.raises(ValueError, match=f"`q` must be above 0 .*q={q}"):
        losses.CategoricalGeneralizedCrossEntropy(q=q)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((np.zeros(3), P), r"y_true of shape \(3,\), y_pred of shape \(2, 3\)"),
        ((np.zeros((2, 2)), P), r"y_true of shape \(2, 2\)"),
        ((np.zeros(2), P[0]), r"y_pred of shape \(3,\)"),
        ((np.zeros(2), P, None, np.zeros((4, 3))), r"ref_labels of shape \(2,\)"),
        ((np.zeros(2), P, np.zeros(4)), r"ref_labels of shape \(4,\)"),
        ((np.zeros(2), P, np.zeros(4), np.zeros((4, 2))), "matmul"),
    ],
)
def test_shapes_of_circle(arguments, message):
    with pytest.raises(ValueError, match=message):
        losses.circle(*arguments)


LOGITS = np.zeros((2, 4, 3), "float32")


@pytest.mark.parametrize(
    "y_true, y_pred, message",
    [
        (np.zeros(2), LOGITS, r"ctc: y_true must be .*y_true of shape \(2,\)"),
        (np.ones((2, 2)), LOGITS[0], r"ctc: .*y_pred of shape \(4, 3\)"),
        (np.ones((3, 2)), LOGITS, r"ctc: .*y_true of shape \(3, 2\)"),
        (np.array([[1, 3], [1, 2]]), LOGITS, "from 0 to 2.*labels such as 3"),
        (np.array([[1, -1], [1, 2]]), LOGITS, "from 0 to 2.*labels such as -1"),
        (np.array([[0, 1], [1, 2]]), LOGITS, "may only fill the end.*such as 0"),
    ],
)
def test_inputs_of_ctc(y_true, y_pred, message):
    with pytest.raises(ValueError, match=message):
        losses.ctc(y_true, y_pred)


def test_circle_by_name_counts_the_same_samples_as_the_class():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 4)).astype("float32")
    y_pred = x / np.linalg.norm(x, axis=1, keepdims=True)
    y_true = np.array([0, 0, 1, 1, 2, 3, 4, 5])  # the last four have no partner
    values = np.asarray(losses.circle(y_true, y_pred))
    assert 0 < (values > 0).sum() < len(values)
    expected = values[values > 0].mean()
    by_name = losses.LossFunctionWrapper(losses.get("circle"))
    np.testing.assert_allclose(by_name(y_true, y_pred), expected, rtol=1e-6)
    np.testing.assert_allclose(losses.Circle()(y_true, y_pred), expected, rtol=1e-6)
