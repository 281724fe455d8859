"""Losses against real Keras, their gradients, and losses of a user's own."""

import json
from pathlib import Path

import autograd
import numpy as np
import pytest
from autograd.test_util import check_grads

import minikeras as keras
from minikeras import losses, ops
from minikeras.losses import Loss, LossFunctionWrapper

GOLDEN = Path(__file__).parent / "golden"
CASES = json.loads((GOLDEN / "losses.json").read_text())["cases"]
CONFIGS = json.loads((GOLDEN / "facts.json").read_text())["configs"]["losses"]
OURS = sorted(name for name in CONFIGS if hasattr(losses, name) and name != "Loss")


def inputs(case):
    y_true = np.array(case["y_true"], case["y_true_dtype"])
    return y_true, np.array(case["y_pred"], "float32")


def agrees(compute, expected):
    if isinstance(expected, dict):  # refused by Keras; see the test of what we accept
        return
    value = compute()
    assert value.dtype == np.float32
    assert value.shape == np.shape(expected)
    np.testing.assert_allclose(value, np.array(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_function(case):
    y_true, y_pred = inputs(case)
    function = getattr(losses, case["function_name"])
    agrees(lambda: function(y_true, y_pred, **case["options"]), case["function"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_class_with_every_reduction(case):
    y_true, y_pred = inputs(case)
    cls = getattr(losses, case["class_name"])
    for entry in case["class"]:
        weight = entry["sample_weight"]
        if weight is not None:
            weight = np.array(weight, "float32")
        for reduction, expected in entry["values"].items():
            loss = cls(reduction=reduction, **case["options"])
            agrees(lambda f=loss, w=weight: f(y_true, y_pred, w), expected)


def test_what_keras_refuses_and_we_accept():
    refused = {
        case["name"]
        for case in CASES
        if isinstance(case["function"], dict) or "axis_1" in case["name"]
    }
    assert {n for n in refused if n.startswith("sparse")} == {
        "sparse_categorical_crossentropy_axis_1",
        "sparse_categorical_crossentropy_axis_1_logits",
    }
    p = np.random.default_rng(0).uniform(0.1, 0.9, (2, 4, 3)).astype("float32")
    labels = np.array([[0, 3, 1], [2, 2, 0]])
    np.testing.assert_array_equal(
        losses.sparse_categorical_crossentropy(labels, p, axis=1),
        losses.sparse_categorical_crossentropy(labels, p.swapaxes(1, 2)),
    )
    column, row = p[0, :, :1], np.array([0, 1, 1, 0], "float32")
    expected = -np.log(np.where(row, column[:, 0], 1 - column[:, 0]))
    for y_true, y_pred in ((row, column), (row[:, None], column[:, 0])):
        values = losses.binary_crossentropy(y_true, y_pred)
        np.testing.assert_allclose(values.reshape(-1), expected, rtol=1e-6)


def test_reduction_none_may_be_the_word_or_the_object():
    y_true, y_pred = np.zeros((3, 2), "float32"), np.ones((3, 2), "float32")
    for reduction in ("none", None):
        values = losses.MeanSquaredError(reduction=reduction)(y_true, y_pred)
        np.testing.assert_array_equal(values, np.ones(3))


# --- gradients -----------------------------------------------------------------------

RNG = np.random.default_rng(3)
ONE_HOT = np.eye(3)[[0, 2, 1, 1]]
LABELS = np.array([0, 2, 1, 1])
P = RNG.uniform(0.1, 0.9, (4, 3))
Z = RNG.normal(size=(4, 3))
T = RNG.normal(size=(4, 3))
WEIGHT = np.array([0.5, 2.0, 0.0, 1.0])

GRADIENTS = {
    "mse": (losses.MeanSquaredError(), T, Z),
    "mae": (losses.MeanAbsoluteError(), T, Z),
    "bce": (losses.BinaryCrossentropy(), ONE_HOT, P),
    "bce_logits": (losses.BinaryCrossentropy(from_logits=True), ONE_HOT, Z),
    "bce_smooth": (losses.BinaryCrossentropy(label_smoothing=0.2), ONE_HOT, P),
    "bce_axis": (losses.BinaryCrossentropy(axis=0), ONE_HOT, P),
    "cce": (losses.CategoricalCrossentropy(), ONE_HOT, P),
    "cce_logits": (losses.CategoricalCrossentropy(from_logits=True), ONE_HOT, Z),
    "cce_smooth": (losses.CategoricalCrossentropy(label_smoothing=0.3), ONE_HOT, P),
    "cce_axis": (losses.CategoricalCrossentropy(axis=0), ONE_HOT, P),
    "sparse": (losses.SparseCategoricalCrossentropy(), LABELS, P),
    "sparse_logits": (
        losses.SparseCategoricalCrossentropy(from_logits=True),
        LABELS,
        Z,
    ),
    "sparse_ignore": (losses.SparseCategoricalCrossentropy(ignore_class=1), LABELS, P),
    "sparse_axis": (
        losses.SparseCategoricalCrossentropy(axis=0),
        np.array([0, 3, 1]),
        P,
    ),
}


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", "none"])
@pytest.mark.parametrize("name", GRADIENTS)
def test_gradient(name, reduction, weight):
    loss, y_true, y_pred = GRADIENTS[name]
    loss = type(loss)(**{**loss.get_config(), **loss._fn_kwargs})
    loss.reduction = reduction
    if weight is not None and "axis" in name:
        weight = weight[:3]
    check_grads(
        lambda p: ops.sum(loss(y_true, p, weight) * 1.5), modes=["rev"], order=2
    )(y_pred)


@pytest.mark.parametrize("name", ["mse", "bce", "bce_logits", "cce", "cce_logits"])
def test_gradient_by_the_truth(name):
    loss, y_true, y_pred = GRADIENTS[name]
    check_grads(lambda t: loss(t, y_pred), modes=["rev"], order=1)(y_true * 0.8 + 0.05)


@pytest.mark.parametrize("name", GRADIENTS)
def test_float32_stays(name):
    loss, y_true, y_pred = GRADIENTS[name]
    if y_true.dtype == np.float64:
        y_true = y_true.astype("float32")
    y_pred = y_pred.astype("float32")
    weight = np.array([1.0, 2.0, 3.0, 4.0])[: 3 if "axis" in name else 4]
    value = loss(y_true, y_pred, weight)
    gradient = autograd.grad(lambda p: loss(y_true, p, weight))(y_pred)
    assert value.dtype == gradient.dtype == np.float32
    assert gradient.shape == y_pred.shape


def test_gradient_of_clipped_probabilities_is_finite():
    for y_pred in ([[0.0, 1.0]], [[1.0, 0.0]]):
        y_pred = np.array(y_pred, "float32")
        for function, y_true in (
            (losses.binary_crossentropy, np.array([[1.0, 0.0]], "float32")),
            (losses.categorical_crossentropy, np.array([[1.0, 0.0]], "float32")),
            (losses.sparse_categorical_crossentropy, np.array([0])),
        ):
            value = function(y_true, y_pred)
            gradient = autograd.grad(lambda p, f=function, t=y_true: ops.sum(f(t, p)))
            assert np.isfinite(value).all()
            assert np.isfinite(gradient(y_pred)).all()


# --- losses of a user's own ----------------------------------------------------------


class Asymmetric(Loss):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, y_true, y_pred):
        error = y_pred - y_true
        return ops.mean(ops.where(error > 0, self.factor * error, -error), axis=-1)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def asymmetric(y_true, y_pred, factor=2.0):
    error = y_pred - y_true
    return np.where(error > 0, factor * error, -error).mean(-1)


def test_own_loss():
    y_true, y_pred = T.astype("float32"), Z.astype("float32")
    values = asymmetric(y_true, y_pred)
    np.testing.assert_allclose(Asymmetric()(y_true, y_pred), values.mean(), rtol=1e-6)
    weighted = (values * WEIGHT).sum() / 4
    np.testing.assert_allclose(
        Asymmetric()(y_true, y_pred, sample_weight=WEIGHT), weighted, rtol=1e-6
    )
    of_weights = Asymmetric(reduction="mean_with_sample_weight")
    np.testing.assert_allclose(
        of_weights(y_true, y_pred, WEIGHT), weighted * 4 / WEIGHT.sum(), rtol=1e-6
    )
    config = Asymmetric(3.0, name="a", reduction="sum").get_config()
    assert config == {"name": "a", "reduction": "sum", "factor": 3.0}
    again = Asymmetric.from_config(config)
    assert (again.factor, again.reduction) == (3.0, "sum")


def test_own_loss_that_gives_one_number():
    class Largest(Loss):
        def call(self, y_true, y_pred):
            return ops.max(ops.abs(y_true - y_pred))

    value = Largest()(T.astype("float32"), Z.astype("float32"))
    np.testing.assert_allclose(value, np.abs(T - Z).max(), rtol=1e-6)


def test_own_loss_through_its_config():
    config = losses.serialize(Asymmetric(5.0))
    again = losses.deserialize(config, {"Asymmetric": Asymmetric})
    assert (type(again), again.factor) == (Asymmetric, 5.0)
    with pytest.raises(ValueError, match="Asymmetric"):
        losses.deserialize(config)


def test_own_function_with_arguments():
    def scaled(y_true, y_pred, factor=1.0):
        return factor * ops.mean(ops.square(y_true - y_pred), axis=-1)

    loss = LossFunctionWrapper(scaled, name="scaled", factor=3.0)
    np.testing.assert_allclose(
        loss(T.astype("float32"), Z.astype("float32")),
        3 * ((T - Z) ** 2).mean(),
        rtol=1e-6,
    )
    with keras.saving.custom_object_scope({"scaled": scaled}):
        again = LossFunctionWrapper.from_config(loss.get_config())
    assert again.get_config() == loss.get_config()


def test_a_loss_without_call_says_so():
    with pytest.raises(NotImplementedError, match="Loss has no `call`"):
        Loss()(np.zeros(2), np.ones(2))


def test_lists_are_arrays():
    value = losses.MeanSquaredError()([[0.0, 1.0]], [[1.0, 1.0]])
    assert float(value) == 0.5


def test_an_empty_batch_of_weights_gives_zero():
    loss = losses.MeanSquaredError(reduction="mean_with_sample_weight")
    assert float(loss(np.zeros((2, 1)), np.ones((2, 1)), np.zeros(2))) == 0.0


# --- configs and names ---------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
def test_config_is_that_of_keras(name):
    cls = getattr(losses, name)
    assert cls().get_config() == CONFIGS[name]
    config = losses.serialize(cls())
    assert (config["module"], config["class_name"]) == ("keras.losses", name)
    assert losses.deserialize(config).get_config() == CONFIGS[name]


def test_config_keeps_options():
    loss = losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=0.25, axis=1, reduction="sum", name="x"
    )
    again = losses.CategoricalCrossentropy.from_config(loss.get_config())
    assert again.get_config() == loss.get_config()
    assert again._fn_kwargs == loss._fn_kwargs
    sparse = losses.SparseCategoricalCrossentropy(ignore_class=0, from_logits=True)
    again = type(sparse).from_config(sparse.get_config())
    assert again._fn_kwargs == sparse._fn_kwargs


@pytest.mark.parametrize(
    "name, function",
    [
        ("mse", losses.mean_squared_error),
        ("MSE", losses.mean_squared_error),
        ("mae", losses.mean_absolute_error),
        ("bce", losses.binary_crossentropy),
        ("mean_squared_error", losses.mean_squared_error),
        ("sparse_categorical_crossentropy", losses.sparse_categorical_crossentropy),
    ],
)
def test_get_of_functions(name, function):
    assert losses.get(name) is function


def test_get_of_other_things():
    assert losses.get(None) is None
    assert isinstance(losses.get("MeanSquaredError"), losses.MeanSquaredError)
    loss = losses.MeanSquaredError()
    assert losses.get(loss) is loss
    assert losses.get(asymmetric) is asymmetric
    with pytest.raises(ValueError, match="Unknown loss: 'msse'. Did you mean 'mse'"):
        losses.get("msse")
    with pytest.raises(TypeError, match="Expected the loss"):
        losses.get(3)


def test_refused_reduction():
    with pytest.raises(ValueError, match="`reduction` must be one of .*'average'"):
        losses.MeanSquaredError(reduction="average")


@pytest.mark.parametrize(
    "function, y_true, message",
    [
        (losses.mean_squared_error, np.zeros((2, 2)), r"y_true of shape \(2, 2\)"),
        (losses.binary_crossentropy, np.zeros((2, 4)), "must have the same shape"),
        (losses.categorical_crossentropy, np.zeros((2, 1)), "must be one-hot"),
        (losses.sparse_categorical_crossentropy, np.zeros((2, 3)), "must be integers"),
        (losses.sparse_categorical_crossentropy, np.array([0, 3]), "labels such as 3"),
        (losses.sparse_categorical_crossentropy, np.array([0, -1]), "such as -1"),
    ],
)
def test_refused_shapes_and_labels(function, y_true, message):
    with pytest.raises(ValueError, match=message):
        function(y_true, np.full((2, 3), 1 / 3, "float32"))
