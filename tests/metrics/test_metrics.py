"""Metrics against formulas in NumPy, their state, and metrics of a user's own."""

import json
from pathlib import Path

import numpy as np
import pytest

import minikeras as keras
from minikeras import metrics, ops
from minikeras.metrics import Mean, MeanMetricWrapper, Metric, Sum

FACTS = json.loads((Path(__file__).parents[1] / "golden" / "facts.json").read_text())
CONFIGS = FACTS["configs"]["metrics"]
OURS = sorted(n for n in CONFIGS if hasattr(metrics, n) and "needs" not in CONFIGS[n])

RNG = np.random.default_rng(11)
ROWS = 12
Z = RNG.normal(size=(ROWS, 3)).astype("float32")
P = np.exp(Z) / np.exp(Z).sum(-1, keepdims=True)
LABELS = RNG.integers(0, 3, ROWS)
ONE_HOT = np.eye(3, dtype="float32")[LABELS]
T = RNG.normal(size=(ROWS, 3)).astype("float32")
B = RNG.integers(0, 2, (ROWS, 3)).astype("float32")
WEIGHT = RNG.uniform(0, 2, ROWS).astype("float32")


def log_softmax(z):
    return (
        z
        - z.max(-1, keepdims=True)
        - np.log(np.exp(z - z.max(-1, keepdims=True)).sum(-1, keepdims=True))
    )


def bce(y, p):
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(-1)


TABLE = {
    "mse": (metrics.MeanSquaredError(), T, Z, ((T - Z) ** 2).mean(-1)),
    "mae": (metrics.MeanAbsoluteError(), T, Z, abs(T - Z).mean(-1)),
    "bce": (metrics.BinaryCrossentropy(), B, P, bce(B, P)),
    "bce_logits": (
        metrics.BinaryCrossentropy(from_logits=True),
        B,
        Z,
        bce(B, 1 / (1 + np.exp(-Z))),
    ),
    "bce_smooth": (
        metrics.BinaryCrossentropy(label_smoothing=0.2),
        B,
        P,
        bce(B * 0.8 + 0.1, P),
    ),
    "cce": (
        metrics.CategoricalCrossentropy(),
        ONE_HOT,
        P,
        -(ONE_HOT * np.log(P)).sum(-1),
    ),
    "cce_logits": (
        metrics.CategoricalCrossentropy(from_logits=True),
        ONE_HOT,
        Z,
        -(ONE_HOT * log_softmax(Z)).sum(-1),
    ),
    "cce_smooth": (
        metrics.CategoricalCrossentropy(label_smoothing=0.3),
        ONE_HOT,
        P,
        -((ONE_HOT * 0.7 + 0.1) * np.log(P)).sum(-1),
    ),
    "sparse_cce": (
        metrics.SparseCategoricalCrossentropy(),
        LABELS,
        P,
        -np.log(P[np.arange(ROWS), LABELS]),
    ),
    "sparse_cce_logits": (
        metrics.SparseCategoricalCrossentropy(from_logits=True),
        LABELS,
        Z,
        -log_softmax(Z)[np.arange(ROWS), LABELS],
    ),
    "accuracy": (
        metrics.Accuracy(),
        LABELS,
        np.roll(LABELS, 1),
        LABELS == np.roll(LABELS, 1),
    ),
    "binary_accuracy": (
        metrics.BinaryAccuracy(),
        B,
        P,
        (B == (P > 0.5)).mean(-1),
    ),
    "binary_accuracy_threshold": (
        metrics.BinaryAccuracy(threshold=0.2),
        B,
        P,
        (B == (P > 0.2)).mean(-1),
    ),
    "categorical_accuracy": (
        metrics.CategoricalAccuracy(),
        ONE_HOT,
        P,
        P.argmax(-1) == LABELS,
    ),
    "sparse_accuracy": (
        metrics.SparseCategoricalAccuracy(),
        LABELS,
        P,
        P.argmax(-1) == LABELS,
    ),
    "sparse_accuracy_column": (
        metrics.SparseCategoricalAccuracy(),
        LABELS[:, None],
        P,
        P.argmax(-1) == LABELS,
    ),
    "wrapper": (
        MeanMetricWrapper(lambda t, p, by: by * ops.mean(t - p, axis=-1), by=2.0),
        T,
        Z,
        2 * (T - Z).mean(-1),
    ),
}


@pytest.fixture(params=TABLE)
def case(request):
    metric, y_true, y_pred, values = TABLE[request.param]
    metric.reset_state()
    return metric, y_true, y_pred, np.asarray(values, "float64")


def test_mean_over_the_samples(case):
    metric, y_true, y_pred, values = case
    np.testing.assert_allclose(metric(y_true, y_pred), values.mean(), rtol=2e-6)


@pytest.mark.parametrize("shape", [(ROWS,), (ROWS, 1)])
def test_weighted_mean(case, shape):
    metric, y_true, y_pred, values = case
    metric.update_state(y_true, y_pred, sample_weight=WEIGHT.reshape(shape))
    expected = (values * WEIGHT).sum() / WEIGHT.sum()
    np.testing.assert_allclose(metric.result(), expected, rtol=2e-6)


def test_batches_add_up_and_reset_forgets_them(case):
    metric, y_true, y_pred, values = case
    for cut in (slice(0, 5), slice(5, 6), slice(6, None)):
        metric.update_state(y_true[cut], y_pred[cut])
    np.testing.assert_allclose(metric.result(), values.mean(), rtol=2e-6)
    metric.reset_state()
    assert metric.result() == 0
    assert all((v.numpy() == 0).all() for v in metric.variables)
    np.testing.assert_allclose(
        metric(y_true[:5], y_pred[:5]), values[:5].mean(), rtol=2e-6
    )


def test_state_is_float32_variables(case):
    metric, y_true, y_pred, _ = case
    metric(y_true, y_pred)
    assert [v.name for v in metric.variables] == ["total", "count"]
    assert [v.path for v in metric.variables] == [
        f"{metric.name}/total",
        f"{metric.name}/count",
    ]
    for variable in metric.variables:
        assert isinstance(variable, keras.Variable)
        assert (variable.dtype, variable.trainable) == ("float32", False)
    assert metric.count.numpy() == ROWS
    assert metric.weights == metric.variables


def test_a_result_does_not_change_with_later_batches(case):
    metric, y_true, y_pred, values = case
    first = metric(y_true, y_pred)
    metric.update_state(y_true[:1], y_pred[:1])
    np.testing.assert_allclose(first, values.mean(), rtol=2e-6)


# --- Mean and Sum --------------------------------------------------------------------


@pytest.mark.parametrize(
    "values, weight, mean, total",
    [
        (3.0, None, 3.0, 3.0),
        (3.0, 2.0, 3.0, 6.0),
        ([1.0, 2.0, 6.0], None, 3.0, 9.0),
        ([1.0, 2.0, 6.0], [1.0, 0.0, 3.0], 19 / 4, 19.0),
        ([1.0, 2.0, 6.0], 2.0, 3.0, 18.0),
        ([[1.0, 2.0], [3.0, 4.0]], None, 2.5, 10.0),
        ([[1.0, 2.0], [3.0, 4.0]], [1.0, 3.0], (1.5 + 3 * 3.5) / 4, 24.0),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.0], [3.0]], (1.5 + 3 * 3.5) / 4, 24.0),
        ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 3.0], [0.0, 4.0]], 23 / 8, 23.0),
        ([[1.0], [3.0]], [1.0, 3.0], 2.5, 10.0),
        ([1.0, 3.0], [[1.0], [3.0]], 2.5, 10.0),
        ([1, 2, 3], None, 2.0, 6.0),
    ],
)
def test_mean_and_sum(values, weight, mean, total):
    np.testing.assert_allclose(Mean()(values, weight), mean, rtol=1e-6)
    np.testing.assert_allclose(Sum()(values, weight), total, rtol=1e-6)


def test_mean_of_nothing_is_zero():
    assert Mean().result() == 0
    assert Mean()([1.0, 2.0], [0.0, 0.0]) == 0
    assert Sum().result() == 0


def test_sum_adds_up_and_resets():
    metric = Sum()
    first = metric([1.0, 2.0])
    assert metric([4.0]) == 7
    assert first == 3
    metric.reset_state()
    assert metric.result() == 0
    assert [v.name for v in metric.variables] == ["total"]


def test_float64_state():
    metric = Mean(dtype="float64")
    metric.update_state([1e8, 1.0])
    assert metric.result().dtype == np.float64
    assert metric.result() == (1e8 + 1) / 2


# --- functions -----------------------------------------------------------------------


def test_functions_give_a_value_a_sample():
    np.testing.assert_array_equal(
        metrics.binary_accuracy([[1], [0], [1]], [[0.6], [0.6], [0.5]]),
        [[1.0], [0.0], [0.0]],
    )
    np.testing.assert_array_equal(
        metrics.categorical_accuracy([[0, 1], [1, 0]], [[0.5, 0.5], [0.5, 0.5]]),
        [0.0, 1.0],  # of equal predictions the first counts
    )
    np.testing.assert_array_equal(
        metrics.sparse_categorical_accuracy([[1, 0]], [[[0.1, 0.9], [0.2, 0.8]]]),
        [[1.0, 0.0]],
    )
    np.testing.assert_array_equal(
        metrics.sparse_categorical_accuracy([[2.0], [0.0]], [[0, 0, 1], [0, 1, 0]]),
        [1.0, 0.0],
    )


def test_accuracy_of_steps():
    p = RNG.uniform(size=(2, 4, 3))
    labels = RNG.integers(0, 3, (2, 4))
    metric = metrics.SparseCategoricalAccuracy()
    expected = (p.argmax(-1) == labels).mean()
    np.testing.assert_allclose(metric(labels, p), expected, rtol=1e-6)
    metric = metrics.SparseCategoricalAccuracy()
    weight = np.array([[1.0, 0.0, 2.0, 1.0], [0.0, 0.0, 1.0, 1.0]])
    expected = ((p.argmax(-1) == labels) * weight).sum() / weight.sum()
    np.testing.assert_allclose(metric(labels, p, weight), expected, rtol=1e-6)


# --- metrics of a user's own ---------------------------------------------------------


class Precision(Metric):
    def __init__(self, threshold=0.5, name="precision", **kwargs):
        super().__init__(name=name, **kwargs)
        self.threshold = threshold
        self.hits = self.add_variable(shape=(), initializer="zeros", name="hits")
        self.found = self.add_weight(shape=(), initializer="zeros", name="found")

    def update_state(self, y_true, y_pred, sample_weight=None):
        positive = ops.cast(y_pred > self.threshold, "float32")
        self.hits.assign_add(ops.sum(positive * ops.cast(y_true, "float32")))
        self.found.assign_add(ops.sum(positive))

    def result(self):
        return self.hits / self.found

    def get_config(self):
        return {**super().get_config(), "threshold": self.threshold}


def test_own_metric():
    metric = Precision(0.4)
    value = metric(B, P)
    expected = B[P > 0.4].mean()
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    assert [v.name for v in metric.variables] == ["hits", "found"]
    metric.reset_state()
    assert metric.hits.numpy() == 0
    again = Precision.from_config(metric.get_config())
    assert again.threshold == 0.4
    config = metrics.serialize(metric)
    with keras.saving.custom_object_scope({"Precision": Precision}):
        assert metrics.deserialize(config).threshold == 0.4


def test_own_metric_in_a_model():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, "sigmoid")])
    model.compile("sgd", "mse", metrics=[Precision(0.3)])
    history = model.fit(Z, B, batch_size=5, epochs=2, verbose=0)
    assert list(history.history) == ["loss", "precision"]
    y_pred = model.predict(Z, verbose=0)
    results = model.evaluate(Z, B, batch_size=5, verbose=0, return_dict=True)
    np.testing.assert_allclose(results["precision"], B[y_pred > 0.3].mean(), rtol=1e-6)


def test_own_subclass_of_mean():
    class Largest(Mean):
        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(ops.max(ops.abs(y_true - y_pred), axis=-1))

    metric = Largest(name="largest")
    np.testing.assert_allclose(metric(T, Z), abs(T - Z).max(-1).mean(), rtol=1e-6)


def test_own_metric_with_several_results():
    class Both(Metric):
        def __init__(self):
            super().__init__(name="both")
            self.low = self.add_variable((), name="low")

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.low.assign(ops.min(y_pred))

        def result(self):
            return {"low": self.low, "twice": self.low * 2}

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile("sgd", "mse", metrics=[Both()])
    results = model.evaluate(Z, T, batch_size=ROWS, verbose=0, return_dict=True)
    low = model.predict(Z, verbose=0).min()
    assert results["low"] == pytest.approx(low, rel=1e-5)
    assert results["twice"] == pytest.approx(2 * low, rel=1e-5)


def test_unfinished_metrics_say_what_is_missing():
    with pytest.raises(NotImplementedError, match="Metric has no `update_state`"):
        Metric()(1, 2)
    with pytest.raises(NotImplementedError, match="Metric has no `result`"):
        Metric().result()


# --- configs and names ---------------------------------------------------------------


WITH_CONFIG = [n for n in OURS if n != "Metric" and not CONFIGS[n].get("raises")]


@pytest.mark.parametrize("name", WITH_CONFIG)
def test_config_is_that_of_keras(name):
    expected = CONFIGS[name]
    cls = getattr(metrics, name)
    keras.utils.clear_session()
    metric = cls()
    assert metric.get_config() == expected
    config = metrics.serialize(metric)
    assert (config["module"], config["class_name"]) == ("keras.metrics", name)
    assert metrics.deserialize(config).get_config() == expected


def test_wrapper_through_its_config():
    metric = MeanMetricWrapper(metrics.mean_squared_error, name="m")
    again = MeanMetricWrapper.from_config(metric.get_config())
    np.testing.assert_allclose(again(T, Z), ((T - Z) ** 2).mean(), rtol=1e-6)


@pytest.mark.parametrize(
    "name, function",
    [
        ("mse", metrics.mean_squared_error),
        ("MAE", metrics.mean_absolute_error),
        ("bce", metrics.binary_crossentropy),
        ("categorical_accuracy", metrics.categorical_accuracy),
    ],
)
def test_get_by_a_short_name(name, function):
    found = metrics.get(name)
    metric = found if isinstance(found, Metric) else MeanMetricWrapper(found)
    y_true, y_pred = (B, P) if name == "bce" else (ONE_HOT, P)
    np.testing.assert_allclose(
        metric(y_true, y_pred), np.mean(function(y_true, y_pred)), rtol=1e-6
    )


def test_get_of_other_things():
    assert isinstance(metrics.get("MeanSquaredError"), metrics.MeanSquaredError)
    metric = Mean()
    assert metrics.get(metric) is metric
    with pytest.raises(ValueError, match="Unknown metric: 'acurate'"):
        metrics.get("acurate")


def test_repr_has_the_name():
    assert repr(Mean(name="m")) == "<Mean name=m>"
