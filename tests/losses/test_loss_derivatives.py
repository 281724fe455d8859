"""Derivatives of the losses up to the second, against finite differences."""

import numpy as np
import pytest
from autograd.test_util import check_grads

from minikeras import losses, ops

RNG = np.random.default_rng(8)
REAL, SCORES = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
P, Q = RNG.uniform(0.1, 0.9, (2, 4, 3))
ONE_HOT, LABELS = np.eye(3)[[0, 2, 1, 1]], np.array([0, 2, 1, 1])
UNIT = SCORES / np.linalg.norm(SCORES, axis=-1, keepdims=True)
SEQUENCES, LOGITS = np.array([[1, 2, 0], [1, 1, 2]]), RNG.normal(size=(2, 5, 4))
WEIGHT = np.array([0.5, 2.0, 0.0, 1.0])

SMOOTH = {
    "mape": (losses.MeanAbsolutePercentageError(), REAL, SCORES),
    "msle": (losses.MeanSquaredLogarithmicError(), P, Q),
    "huber": (losses.Huber(0.7), REAL, SCORES),
    "log_cosh": (losses.LogCosh(), REAL, SCORES),
    "cosine": (losses.CosineSimilarity(), REAL, SCORES),
    "cosine_axis": (losses.CosineSimilarity(axis=0), REAL, SCORES),
    "kld": (losses.KLDivergence(), P, Q),
    "poisson": (losses.Poisson(), P, Q),
    "focal": (losses.BinaryFocalCrossentropy(True, gamma=1.5), P, Q),
    "focal_steep": (losses.BinaryFocalCrossentropy(gamma=0.5), P, Q),
    "focal_logits": (losses.BinaryFocalCrossentropy(from_logits=True), P, SCORES),
    "focal_smooth": (losses.BinaryFocalCrossentropy(label_smoothing=0.2), ONE_HOT, Q),
    "many_focal": (losses.CategoricalFocalCrossentropy(), ONE_HOT, Q),
    "many_focal_axis": (losses.CategoricalFocalCrossentropy(axis=0), P, Q),
    "many_focal_logits": (
        losses.CategoricalFocalCrossentropy(from_logits=True, label_smoothing=0.1),
        ONE_HOT,
        SCORES,
    ),
    "generalized": (losses.CategoricalGeneralizedCrossEntropy(0.3), LABELS, Q),
    "hinge": (losses.Hinge(), ONE_HOT, SCORES),
    "squared_hinge": (losses.SquaredHinge(), np.sign(REAL), SCORES),
    "categorical_hinge": (losses.CategoricalHinge(), ONE_HOT, SCORES),
    "dice": (losses.Dice(), P, Q),
    "dice_axis": (losses.Dice(axis=-1), ONE_HOT, Q),
    "tversky": (losses.Tversky(0.3, 0.8), P, Q),
    "circle": (losses.Circle(gamma=2.0), np.array([0, 1, 0, 2]), UNIT),
    "ctc": (losses.CTC(), SEQUENCES, LOGITS),
}


@pytest.fixture(autouse=True)
def _same_directions():
    np.random.seed(0)  # the checker draws its directions from it


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "none"])
@pytest.mark.parametrize("name", SMOOTH)
def test_by_the_prediction(name, reduction):
    loss, y_true, y_pred = SMOOTH[name]
    loss = type(loss).from_config({**loss.get_config(), "reduction": reduction})
    check_grads(
        lambda p: ops.sum(loss(y_true, p) * 1.5), modes=["fwd", "rev"], order=2
    )(y_pred)


@pytest.mark.parametrize("name", SMOOTH)
def test_weighted(name):
    loss, y_true, y_pred = SMOOTH[name]
    count = loss.call(y_true, y_pred).shape[:1]
    weight = WEIGHT[: count[0]] if count else 2.0
    check_grads(lambda p: loss(y_true, p, weight), modes=["rev"], order=1)(y_pred)


@pytest.mark.parametrize(
    "name", [n for n in SMOOTH if n not in ("generalized", "circle", "ctc")]
)
def test_by_the_truth(name):
    loss, y_true, y_pred = SMOOTH[name]
    if name == "hinge":  # away from 0 and 1, which would be turned into -1 and 1
        y_true = y_true * 0.8 + 0.05
    check_grads(lambda t: loss(t, y_pred), modes=["rev"], order=2)(
        y_true * 0.9 + 0.05 if y_true is ONE_HOT else y_true
    )


def test_circle_by_references():
    y, ref = np.array([0, 1, 0, 2]), REAL / 3
    check_grads(
        lambda r: ops.sum(losses.circle(y, UNIT, y, r, gamma=2.0)),
        modes=["rev"],
        order=2,
    )(ref)
