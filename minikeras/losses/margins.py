"""Hinge losses: nothing to pay beyond the margin."""

from typing import Any

import numpy as np

from minikeras.losses.base import LossFunctionWrapper, family, pair
from minikeras.ops.base import Array, getval
from minikeras.ops.numpy import max, maximum, mean, multiply, square, subtract, sum


@family.add()
def hinge(y_true: Any, y_pred: Any) -> Array:
    """Mean of max(1 - y_true y_pred, 0) over the last axis.

    Args:
        y_true: labels -1 and 1; if all are 0 or 1, then 0 means -1.
        y_pred: scores.

    >>> hinge(np.array([[-1.0, 1.0]]), np.array([[0.5, 0.5]]))
    array([1.])
    """
    return mean(_shortfall(y_true, y_pred, "hinge"), axis=-1)


@family.add()
def squared_hinge(y_true: Any, y_pred: Any) -> Array:
    """Mean of max(1 - y_true y_pred, 0)^2 over the last axis.

    Args:
        y_true: labels -1 and 1; if all are 0 or 1, then 0 means -1.
        y_pred: scores.

    >>> squared_hinge(np.array([[-1.0, 1.0]]), np.array([[0.5, 0.5]]))
    array([1.25])
    """
    return mean(square(_shortfall(y_true, y_pred, "squared_hinge")), axis=-1)


@family.add()
def categorical_hinge(y_true: Any, y_pred: Any) -> Array:
    """max(1 + the highest score of a wrong class - the score of the right one, 0).

    That is max(1 + max((1 - y_true) y_pred) - sum(y_true y_pred), 0) over the last
    axis.

    Args:
        y_true: one-hot labels.
        y_pred: scores.

    >>> categorical_hinge(np.array([[0.0, 1.0]]), np.array([[0.25, 0.75]]))
    array([0.5])
    """
    y_true, y_pred = pair(y_true, y_pred, "categorical_hinge")
    right = sum(multiply(y_true, y_pred), axis=-1)
    wrong = max(multiply(subtract(1.0, y_true), y_pred), axis=-1)
    return maximum(wrong - right + np.ones((), y_pred.dtype), 0.0)


def _shortfall(y_true: Any, y_pred: Any, name: str) -> Array:
    y_true, y_pred = pair(y_true, y_pred, name)
    labels = getval(y_true)
    if ((labels == 0) | (labels == 1)).all():
        y_true = subtract(multiply(2.0, y_true), 1.0)
    return maximum(subtract(1.0, multiply(y_true, y_pred)), 0.0)


@family.add()
class Hinge(LossFunctionWrapper):
    """`hinge`, weighed and reduced. Arguments as for `Loss`."""

    def __init__(self, reduction="sum_over_batch_size", name="hinge", dtype=None):
        super().__init__(hinge, reduction, name, dtype)


@family.add()
class SquaredHinge(LossFunctionWrapper):
    """`squared_hinge`, weighed and reduced. Arguments as for `Loss`."""

    def __init__(
        self, reduction="sum_over_batch_size", name="squared_hinge", dtype=None
    ):
        super().__init__(squared_hinge, reduction, name, dtype)


@family.add()
class CategoricalHinge(LossFunctionWrapper):
    """`categorical_hinge`, weighed and reduced. Arguments as for `Loss`."""

    def __init__(
        self, reduction="sum_over_batch_size", name="categorical_hinge", dtype=None
    ):
        super().__init__(categorical_hinge, reduction, name, dtype)
