"""All further metrics against Keras: several batches, weights, resets, configs."""

import json
from pathlib import Path

import numpy as np
import pytest

import minikeras as keras
from minikeras import metrics

GOLDEN = Path(__file__).parents[1] / "golden"
DATA = json.loads((GOLDEN / "metrics.json").read_text())
NAMES = json.loads((GOLDEN / "names.json").read_text())["names"]["metrics"]
CASES = DATA["cases"]
WEIGHTS = np.array(DATA["weights"], "float32")
IDS = [f"{c['class']}-{c['data']}-{json.dumps(c['arguments'])}" for c in CASES]


def arrays(kind):
    return [
        np.array(v["values"], "int32" if v["dtype"].startswith("int") else "float32")
        for v in DATA["data"][kind]
    ]


def weights_for(case, y_true, y_pred):
    name = case["class"]
    if "IoU" in name and not name.startswith("OneHot") and y_true.ndim > 1:
        return np.repeat(WEIGHTS[:, None], y_true.shape[-1], 1)
    return WEIGHTS


def make(case):
    keras.utils.clear_session()
    return getattr(metrics, case["class"])(**case["arguments"])


def batches(case, metric):
    """Yields each result of the run that the generator made with Keras."""
    y_true, y_pred = arrays(case["data"])
    weights = weights_for(case, y_true, y_pred)
    first, second, third = slice(0, 9), slice(9, 16), slice(16, None)
    metric.update_state(y_true[first], y_pred[first])
    metric.update_state(y_true[second], y_pred[second])
    yield metric.result()
    metric.update_state(y_true[third], y_pred[third], weights[third])
    yield metric.result()
    metric.reset_state()
    metric.update_state(y_true[second], y_pred[second], weights[second])
    yield metric.result()


# Whole counts suffice for these: what their weights lose is warned of.
CUT = pytest.mark.filterwarnings("ignore:.*cut to whole numbers")


@CUT
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_results_are_those_of_keras(case):
    results = list(batches(case, make(case)))
    for value, expected in zip(results, case["results"], strict=True):
        assert np.shape(value) == np.shape(expected)
        assert np.asarray(value).dtype == case["dtype"]
        np.testing.assert_allclose(value, expected, rtol=2e-6, atol=2e-7)


@CUT
@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_config_state_and_direction_are_those_of_keras(case):
    metric = make(case)
    list(batches(case, metric))
    assert metric.get_config() == case["config"]
    assert [v.name for v in metric.variables] == case["state"]
    assert metric._direction == case["direction"]
    again = metrics.deserialize(metrics.serialize(metric))
    assert again.get_config() == metric.get_config()
    results = list(batches(case, again))
    np.testing.assert_allclose(results[2], case["results"][2], rtol=2e-6, atol=2e-7)


def test_every_name_of_keras_is_there():
    assert set(NAMES) <= set(metrics.__all__)
    assert all(hasattr(metrics, name) for name in NAMES)


@pytest.mark.parametrize(
    "name", ["mape", "MSLE", "kl_divergence", "AUC", "auc", "f1_score", "hinge"]
)
def test_get_by_name(name):
    assert callable(metrics.get(name))


def test_cosine_keeps_its_axis():
    metric = metrics.CosineSimilarity(axis=0)
    assert metric.get_config()["axis"] == 0
    again = metrics.CosineSimilarity.from_config(metric.get_config())
    y_true, y_pred = arrays("real")
    norm = np.linalg.norm
    expected = (y_true * y_pred).sum(0) / norm(y_true, axis=0) / norm(y_pred, axis=0)
    np.testing.assert_allclose(again(y_true, y_pred), expected.mean(), rtol=1e-6)


def test_results_before_any_batch():
    for metric in (
        metrics.AUC(),
        metrics.AUC(multi_label=True),
        metrics.R2Score(),
        metrics.F1Score(),
        metrics.Precision(),
        metrics.MeanIoU(3),
        metrics.RootMeanSquaredError(),
    ):
        assert metric.result() == 0


def test_a_result_does_not_change_with_later_batches():
    metric = metrics.TruePositives(thresholds=[0.2, 0.6])
    first = metric([1, 1], [0.9, 0.3])
    metric.update_state([1, 1], [0.9, 0.9])
    np.testing.assert_array_equal(first, [2, 1])


def test_not_a_number_is_never_positive():
    nan = float("nan")
    for thresholds in (0.5, [0.0, 0.5, 1.0]):
        metric = metrics.TruePositives(thresholds)
        np.testing.assert_array_equal(metric([1, 1], [nan, nan]), 0 * metric.result())


def test_top_k_of_a_label_that_is_no_class():
    hits = metrics.sparse_top_k_categorical_accuracy([-1, 7, 1], np.eye(3), k=9)
    np.testing.assert_array_equal(hits, [0, 0, 1])


def test_top_k_of_steps():
    scores = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    labels = np.array([[0, 1, 2, 3, 0], [3, 2, 1, 0, 3]])
    best = np.argsort(-scores, -1)[..., :2]
    expected = (best == labels[..., None]).any(-1)
    function = metrics.sparse_top_k_categorical_accuracy
    np.testing.assert_array_equal(function(labels, scores, k=2), expected)
    one_hot = np.eye(4)[labels]
    function = metrics.top_k_categorical_accuracy
    np.testing.assert_array_equal(function(one_hot, scores, k=2), expected)


def test_auc_counts_pairs_in_the_limit():
    y_true, y_pred = arrays("flat")
    metric = metrics.AUC(num_thresholds=20001)
    above = y_pred[y_true == 1][:, None] - y_pred[y_true == 0]
    expected = ((above > 0) + 0.5 * (above == 0)).mean()
    np.testing.assert_allclose(metric(y_true, y_pred), expected, rtol=1e-5)


def test_concordance_and_pearson_functions():
    y_true, y_pred = arrays("real")
    expected = [np.corrcoef(t, p)[0, 1] for t, p in zip(y_true, y_pred, strict=True)]
    found = metrics.pearson_correlation(y_true, y_pred)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    covariance = ((y_true - y_true.mean(0)) * (y_pred - y_pred.mean(0))).mean(0)
    gap = (y_true.mean(0) - y_pred.mean(0)) ** 2
    expected = 2 * covariance / (y_true.var(0) + y_pred.var(0) + gap)
    found = metrics.concordance_correlation(y_true, y_pred, axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_whole_number_counts_warn_of_cut_weights():
    metric = metrics.MeanIoU(2)
    with pytest.warns(UserWarning, match='Pass dtype="float32"'):
        metric.update_state([0, 1], [0, 1], [0.5, 1.5])
    assert metric.total_cm.numpy().tolist() == [[0, 0], [0, 1]]


def test_rows_of_the_confusion_matrix_are_labels():
    metric = metrics.MeanIoU(3)
    metric.update_state([0, 0, 2], [1, 1, 2])
    assert metric.total_cm.numpy().tolist() == [[0, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_of_equal_predictions_the_first_is_in_the_top_k():
    metric = metrics.Precision(top_k=1)
    assert metric([[1, 0, 0]], [[0.4, 0.4, 0.4]]) == 1


def test_adjusted_r2_without_enough_samples_warns():
    metric = metrics.R2Score(num_regressors=5)
    metric.update_state([[1.0], [2.0]], [[1.0], [2.5]])
    with pytest.warns(UserWarning, match="adjusted score is undefined"):
        value = metric.result()
    np.testing.assert_allclose(value, 0.5)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: metrics.Precision(thresholds=1.5), r"`thresholds` must lie in \[0, 1"),
        (lambda: metrics.Recall(thresholds=[0.1, None]), r"Recall: `thresholds`"),
        (lambda: metrics.Precision(top_k=0), "`top_k` must be a positive integer"),
        (lambda: metrics.TruePositives([-1.0]), "TruePositives: `thresholds`"),
        (lambda: metrics.PrecisionAtRecall(1.2), r"`recall` must lie in \[0, 1\]"),
        (lambda: metrics.RecallAtPrecision(-1), r"`precision` must lie in \[0, 1\]"),
        (lambda: metrics.SensitivityAtSpecificity(2), "`specificity` must lie"),
        (lambda: metrics.SpecificityAtSensitivity(0.5, 0), "`num_thresholds` must be"),
        (lambda: metrics.AUC(num_thresholds=1), "`num_thresholds` must be 2 or more"),
        (lambda: metrics.AUC(curve="RO"), "`curve` must be one of"),
        (lambda: metrics.AUC(summation_method="mid"), "`summation_method` must be"),
        (lambda: metrics.AUC(num_labels=3), "needs multi_label=True"),
        (lambda: metrics.AUC(thresholds=[2.0]), "AUC: `thresholds`"),
        (
            lambda: metrics.AUC(
                multi_label=True, num_labels=2, label_weights=[1.0, 2.0, 3.0]
            ),
            "`label_weights` must be 2 numbers",
        ),
        (lambda: metrics.AUC(multi_label=True)([1, 0], [0.1, 0.2]), "multi_label=True"),
        (lambda: metrics.AUC()([1, 0, 1], [0.1, 0.2]), "must have the same shape"),
        (
            lambda: metrics.AUC()([1, 0], [0.1, 0.2], [1.0, 2.0, 3.0]),
            "`sample_weight` of shape",
        ),
        (lambda: metrics.Recall(class_id=1)([1, 0], [0.1, 0.2]), "class_id=1 needs"),
        (lambda: metrics.Recall(class_id=5)([[1, 0]], [[0.1, 0.2]]), "class_id=5"),
        (lambda: metrics.Recall(top_k=3)([[1, 0]], [[0.1, 0.2]]), "more than the 2"),
        (lambda: metrics.F1Score(average="mean"), "`average` must be one of"),
        (lambda: metrics.FBetaScore(beta=0.0), "`beta` must be a float above 0"),
        (lambda: metrics.FBetaScore(beta=1), "`beta` must be a float above 0"),
        (lambda: metrics.F1Score(threshold=1.5), "0 < threshold <= 1"),
        (lambda: metrics.F1Score()([1, 0], [0.1, 0.2]), "of one shape"),
        (
            lambda: metrics.F1Score()([[1, 0]], [[0.1, 0.2]], [1.0, 2.0]),
            "`sample_weight` must be one number a sample",
        ),
        (lambda: metrics.R2Score("mean"), "`class_aggregation` must be one of"),
        (lambda: metrics.R2Score(num_regressors=-1), "`num_regressors` must be 0"),
        (lambda: metrics.R2Score()([1.0], [1.0]), "R2Score expects"),
        (lambda: metrics.IoU(2, [2]), "`target_class_ids` must lie in 0..1"),
        (lambda: metrics.MeanIoU(0), "`num_classes` must be a positive integer"),
        (lambda: metrics.MeanIoU(2)([0, 1], [0]), "equally many"),
        (lambda: metrics.TopKCategoricalAccuracy(0), "`k` must be a positive integer"),
        (
            lambda: metrics.SparseTopKCategoricalAccuracy(k=-1),
            "`k` must be a positive integer",
        ),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
