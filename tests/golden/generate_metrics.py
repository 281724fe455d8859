"""Write metrics.json: what Keras' metrics give after several batches.

Run with Keras installed: `python tests/golden/generate_metrics.py`. Each case is a
class, its arguments, the kind of data, and what happens: batches with and without
weights, a reset, and further batches. The data are made again by the test from
`DATA`, so only results are stored.
"""

import json
import os
import warnings
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

ROWS, CLASSES = 24, 4


def data():
    """Kind -> (y_true, y_pred), rounded so that they are short in JSON."""
    rng = np.random.default_rng(3)
    real = rng.normal(size=(2, ROWS, CLASSES)).round(3)
    scores = rng.uniform(size=(ROWS, CLASSES)).round(2)
    scores[0] = [0, 0.25, 0.5, 1]
    scores[1] = [0.4, 0.4, 0.4, 0.1]
    labels = rng.integers(0, CLASSES, ROWS)
    flat = rng.uniform(size=ROWS).round(2)
    positive = (flat + rng.normal(size=ROWS) * 0.3 > 0.5).astype(int)
    many = rng.integers(0, 2, (ROWS, CLASSES))
    soft = (scores + 0.1) / (scores + 0.1).sum(-1, keepdims=True)
    guess = np.where(rng.uniform(size=ROWS) < 0.6, labels, (labels + 1) % CLASSES)
    return {
        "real": (real[0], real[0] * 0.5 + real[1] * 0.4),
        "size": (abs(real[0]) + 0.1, abs(real[1]) + 0.1),
        "column": (real[0, :, :1], real[0, :, :1] * 0.8 + real[1, :, :1] * 0.3),
        "one_hot": (np.eye(CLASSES)[labels], scores),
        "soft": (np.roll(soft, 1, 0).round(3), soft.round(3)),
        "labels": (labels, scores),
        "sorted_ids": (labels, np.argsort(-scores, -1)),
        "guess": (labels, guess),
        "flat": (positive, flat),
        "logits": (positive, (flat * 6 - 3).round(2)),
        "signs": (many * 2 - 1, real[1]),
        "many": (many, scores),
    }


WEIGHTS = (np.arange(ROWS) % 5 / 2).tolist()

CASES = [
    *(
        (name, {}, kind)
        for name, kind in [
            ("MeanAbsolutePercentageError", "size"),
            ("MeanSquaredLogarithmicError", "size"),
            ("RootMeanSquaredError", "real"),
            ("CosineSimilarity", "real"),
            ("LogCoshError", "real"),
            ("KLDivergence", "soft"),
            ("Poisson", "size"),
            ("Hinge", "signs"),
            ("SquaredHinge", "signs"),
            ("CategoricalHinge", "one_hot"),
            ("PearsonCorrelation", "real"),
            ("ConcordanceCorrelation", "real"),
            ("R2Score", "real"),
            ("F1Score", "one_hot"),
            ("FBetaScore", "one_hot"),
            ("TopKCategoricalAccuracy", "one_hot"),
            ("SparseTopKCategoricalAccuracy", "labels"),
            ("AUC", "flat"),
            ("AUC", "many"),
            ("Precision", "flat"),
            ("Precision", "many"),
            ("Recall", "flat"),
            ("BinaryIoU", "flat"),
        ]
    ),
    ("RootMeanSquaredError", {}, "column"),
    ("R2Score", {}, "column"),
    ("R2Score", {"class_aggregation": None}, "real"),
    ("R2Score", {"class_aggregation": "variance_weighted_average"}, "real"),
    ("R2Score", {"num_regressors": 2}, "real"),
    ("TopKCategoricalAccuracy", {"k": 2}, "one_hot"),
    ("SparseTopKCategoricalAccuracy", {"k": 1}, "labels"),
    ("SparseTopKCategoricalAccuracy", {"k": 3}, "labels"),
    ("SparseTopKCategoricalAccuracy", {"k": 2, "from_sorted_ids": True}, "sorted_ids"),
    *(
        (name, arguments, kind)
        for name in (
            "TruePositives",
            "TrueNegatives",
            "FalsePositives",
            "FalseNegatives",
            "Precision",
            "Recall",
        )
        for arguments, kind in [
            ({}, "flat"),
            ({"thresholds": 0.3}, "many"),
            ({"thresholds": [0.0, 0.5, 1.0]}, "flat"),
            ({"thresholds": [0.0, 0.25, 0.5, 0.75, 1.0]}, "many"),
            ({"thresholds": [0.7, 0.1, 0.4]}, "many"),
            ({"thresholds": [0.2, 0.9]}, "flat"),
        ]
    ),
    *(
        (name, arguments, "one_hot")
        for name in ("Precision", "Recall")
        for arguments in [
            {"top_k": 2},
            {"class_id": 1},
            {"top_k": 3, "class_id": 2},
            {"top_k": 2, "thresholds": [0.3, 0.8]},
            {"top_k": 1, "class_id": 0, "thresholds": 0.4},
        ]
    ),
    *(
        (name, {key: value, **more}, kind)
        for name, key in [
            ("SensitivityAtSpecificity", "specificity"),
            ("SpecificityAtSensitivity", "sensitivity"),
            ("PrecisionAtRecall", "recall"),
            ("RecallAtPrecision", "precision"),
        ]
        for value, more, kind in [
            (0.5, {}, "flat"),
            (0.7, {}, "many"),
            (0.4, {"num_thresholds": 1}, "flat"),
            (0.6, {"num_thresholds": 11}, "flat"),
            (0.6, {"num_thresholds": 2}, "many"),
            (0.3, {"class_id": 1}, "one_hot"),
            (1.0, {}, "flat"),
        ]
    ),
    *(
        ("AUC", {"curve": curve, "summation_method": method, **more}, kind)
        for curve in ("ROC", "PR", "PRGAIN")
        for method in ("interpolation", "minoring", "majoring")
        for more, kind in [
            ({"num_thresholds": 7}, "flat"),
            ({"num_thresholds": 20, "multi_label": True}, "many"),
        ]
    ),
    ("AUC", {"num_thresholds": 2}, "flat"),
    ("AUC", {"thresholds": [0.9, 0.2, 0.6]}, "flat"),
    ("AUC", {"thresholds": [0.25, 0.5, 0.75]}, "flat"),
    ("AUC", {"thresholds": [0.3, 0.6], "multi_label": True, "curve": "PR"}, "many"),
    ("AUC", {"multi_label": True, "num_labels": 4}, "many"),
    ("AUC", {"multi_label": True, "label_weights": [1.0, 0.5, 0.0, 2.0]}, "many"),
    ("AUC", {"label_weights": [1.0, 0.5, 0.0, 2.0]}, "many"),
    ("AUC", {"label_weights": [1.0, 0.5, 0.0, 2.0], "thresholds": [0.3]}, "many"),
    ("AUC", {"from_logits": True, "num_thresholds": 9}, "logits"),
    *(
        (name, {"average": average, **more}, kind)
        for name, kind, more in [
            ("F1Score", "one_hot", {}),
            ("F1Score", "many", {"threshold": 0.4}),
            ("FBetaScore", "one_hot", {"beta": 2.0}),
            ("FBetaScore", "many", {"beta": 0.5, "threshold": 0.5}),
        ]
        for average in (None, "micro", "macro", "weighted")
    ),
    ("IoU", {"num_classes": 4, "target_class_ids": [0, 2]}, "guess"),
    (
        "IoU",
        {"num_classes": 4, "target_class_ids": [1], "sparse_y_pred": False},
        "labels",
    ),
    ("IoU", {"num_classes": 3, "target_class_ids": [0, 1]}, "guess"),
    ("BinaryIoU", {"target_class_ids": [1], "threshold": 0.3}, "flat"),
    ("BinaryIoU", {"threshold": 0.7, "dtype": "float32"}, "many"),
    ("MeanIoU", {"num_classes": 4}, "guess"),
    ("MeanIoU", {"num_classes": 6, "dtype": "float32"}, "guess"),
    ("MeanIoU", {"num_classes": 4, "ignore_class": 1, "dtype": "float32"}, "guess"),
    (
        "OneHotIoU",
        {"num_classes": 4, "target_class_ids": [3, 0], "dtype": "float32"},
        "one_hot",
    ),
    ("OneHotMeanIoU", {"num_classes": 4, "ignore_class": 0}, "one_hot"),
    ("OneHotMeanIoU", {"num_classes": 4, "dtype": "float32"}, "one_hot"),
]


def run(metric, y_true, y_pred):
    """Results after two batches, then weighted ones, then alone after a reset."""
    cuts = slice(0, 9), slice(9, 16), slice(16, None)
    weights = np.array(WEIGHTS, "float32")
    if y_true.ndim > 1 and y_true.shape == y_pred.shape and "IoU" in str(type(metric)):
        one_hot = type(metric).__name__.startswith("OneHot")
        weights = weights if one_hot else np.repeat(weights[:, None], CLASSES, 1)
    results = []
    metric.update_state(y_true[cuts[0]], y_pred[cuts[0]])
    metric.update_state(y_true[cuts[1]], y_pred[cuts[1]])
    results.append(metric.result())
    metric.update_state(y_true[cuts[2]], y_pred[cuts[2]], weights[cuts[2]])
    results.append(metric.result())
    metric.reset_state()
    metric.update_state(y_true[cuts[1]], y_pred[cuts[1]], weights[cuts[1]])
    results.append(metric.result())
    return [np.asarray(value) for value in results]


def config_of(metric):
    settings = dict(metric.get_config())
    weights = settings.get("label_weights")
    if weights is not None:
        settings["label_weights"] = np.asarray(weights).tolist()
    for key, value in settings.items():
        if isinstance(value, list):
            settings[key] = [v.item() if hasattr(v, "item") else v for v in value]
    return settings


def main():
    warnings.simplefilter("ignore")
    pairs = {
        kind: [
            np.asarray(v, "int32" if v.dtype.kind == "i" else "float32") for v in two
        ]
        for kind, two in data().items()
    }
    cases = []
    for name, arguments, kind in CASES:
        keras.utils.clear_session()
        metric = getattr(keras.metrics, name)(**arguments)
        results = run(metric, *pairs[kind])
        cases.append(
            {
                "class": name,
                "arguments": arguments,
                "data": kind,
                "config": config_of(metric),
                "direction": getattr(metric, "_direction", None),
                "state": [v.name for v in metric.variables],
                "dtype": str(results[0].dtype),
                "results": [np.float64(value).tolist() for value in results],
            }
        )
    content = {
        "keras": keras.__version__,
        "data": {
            kind: [{"dtype": str(v.dtype), "values": v.tolist()} for v in two]
            for kind, two in data().items()
        },
        "weights": WEIGHTS,
        "cases": cases,
    }
    path = Path(__file__).with_name("metrics.json")
    text = json.dumps(content, separators=(",", ":")).replace("NaN", '"nan"')
    path.write_text(text + "\n")


if __name__ == "__main__":
    main()
