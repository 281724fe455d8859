"""Losses for masks of images: how much two regions overlap."""

from typing import Any

from minikeras import config
from minikeras.losses.base import LossFunctionWrapper, family, pair
from minikeras.ops.base import Array
from minikeras.ops.numpy import add, divide, multiply, subtract, sum

Axes = int | list[int] | tuple[int, ...] | None


@family.add()
def dice(y_true: Any, y_pred: Any, axis: Axes = None) -> Array:
    """1 - 2 sum(y_true y_pred) / (sum(y_true) + sum(y_pred) + 1e-7).

    Args:
        y_true: regions, from 0 to 1.
        y_pred: predicted regions, from 0 to 1.
        axis: axes of the sums; None for all of them and one value for the batch.

    Source: Dice, Measures of the Amount of Ecologic Association, 1945.

    >>> import numpy as np
    >>> dice(np.array([[1.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 0.0]]), -1).round(4)
    array([0.3333])
    """
    y_true, y_pred = pair(y_true, y_pred, "dice")
    common = sum(multiply(y_true, y_pred), axis=axis)
    both = add(sum(y_true, axis=axis) + sum(y_pred, axis=axis), config.epsilon())
    return subtract(1.0, divide(multiply(2.0, common), both))


@family.add()
def tversky(
    y_true: Any,
    y_pred: Any,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: Axes = None,
) -> Array:
    """1 - c / (c + alpha a + beta b + 1e-7), with c = sum(y_true y_pred).

    As in Keras, a = sum(y_true (1 - y_pred)) is what was missed and
    b = sum((1 - y_true) y_pred) what was found wrongly. With alpha = beta = 0.5 this
    is `dice`.

    Args:
        y_true: regions, from 0 to 1.
        y_pred: predicted regions, from 0 to 1.
        alpha: weight of what was missed.
        beta: weight of what was found wrongly.
        axis: axes of the sums; None for all of them and one value for the batch.

    Source: Salehi et al., Tversky loss function for image segmentation, 2017.

    >>> import numpy as np
    >>> y_true, y_pred = np.array([[1.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 0.0]])
    >>> tversky(y_true, y_pred, alpha=1.0, axis=-1).round(4)
    array([0.5])
    """
    y_true, y_pred = pair(y_true, y_pred, "tversky")
    common = sum(multiply(y_true, y_pred), axis=axis)
    missed = sum(multiply(y_true, subtract(1.0, y_pred)), axis=axis)
    wrong = sum(multiply(subtract(1.0, y_true), y_pred), axis=axis)
    whole = common + multiply(alpha, missed) + multiply(beta, wrong)
    return subtract(1.0, divide(common, add(whole, config.epsilon())))


@family.add()
class Dice(LossFunctionWrapper):
    """`dice`, weighed and reduced."""

    def __init__(
        self, reduction="sum_over_batch_size", name="dice", axis=None, dtype=None
    ):
        super().__init__(dice, reduction, name, dtype, axis=axis)


@family.add()
class Tversky(LossFunctionWrapper):
    """`tversky`, weighed and reduced."""

    def __init__(
        self,
        alpha=0.5,
        beta=0.5,
        reduction="sum_over_batch_size",
        name="tversky",
        axis=None,
        dtype=None,
    ):
        super().__init__(
            tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis
        )
