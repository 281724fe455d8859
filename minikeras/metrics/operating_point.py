"""The best of one share where another is high enough, over many thresholds."""

from typing import Any

import numpy as np

from minikeras.metrics.base import Metric, family, ratio
from minikeras.metrics.counting import KINDS, count
from minikeras.validation import positive_int


class _BestAt(Metric):
    """The best of one share at the thresholds where another is high enough.

    Args: `at`: the least value of the other; `num_thresholds`: how many, evenly over
    [0, 1]; `class_id`: only this class counts.
    """

    _direction = "up"
    _at: str  # name of the argument
    # Shares as (kind, other kind): kind / (kind + other kind).
    _best: tuple[int, int]
    _least: tuple[int, int]

    def __init__(
        self,
        at: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        owner = type(self).__name__
        if not 0 <= at <= 1:
            raise ValueError(
                f"{owner}: `{self._at}` must lie in [0, 1]. Received: {self._at}={at!r}"
            )
        self.num_thresholds = positive_int(num_thresholds, "num_thresholds", owner)
        setattr(self, self._at, at)
        self.class_id = class_id
        self._even = num_thresholds > 1
        self.thresholds = (
            [i / (num_thresholds - 1) for i in range(num_thresholds)]
            if (self._even)
            else [0.5]
        )
        for kind in KINDS:
            setattr(self, kind, self.add_variable(num_thresholds, name=kind))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        counts = count(
            y_true,
            y_pred,
            self.thresholds,
            self._even,
            self.dtype,
            type(self).__name__,
            sample_weight,
            class_id=self.class_id,
        )
        for variable, value in zip(self.variables, counts, strict=True):
            variable.assign_add(value)

    def _shares(self, kinds: tuple[int, int]) -> np.ndarray:
        part, rest = (self._state[kind].array for kind in kinds)
        return ratio(part, part + rest)

    def result(self) -> Any:
        best, least = self._shares(self._best), self._shares(self._least)
        allowed = least >= np.asarray(getattr(self, self._at), least.dtype)
        return np.where(allowed, best, 0 * best).max()

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "class_id": self.class_id,
            "num_thresholds": self.num_thresholds,
            self._at: getattr(self, self._at),
        }


@family.add()
class SensitivityAtSpecificity(_BestAt):
    """Best TP / (TP + FN) at thresholds where TN / (TN + FP) >= `specificity`.

    Args:
        specificity: in [0, 1].
        num_thresholds: number of thresholds, evenly over [0, 1].
        class_id: only this class, a place on the last axis, counts.

    Raises:
        ValueError: if an argument is out of range.

    >>> metric = SensitivityAtSpecificity(0.5)
    >>> float(metric([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]))
    0.5
    """

    _at, _best, _least = "specificity", (0, 3), (2, 1)

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ):
        super().__init__(specificity, num_thresholds, class_id, name, dtype)


@family.add()
class SpecificityAtSensitivity(_BestAt):
    """Best TN / (TN + FP) at thresholds where TP / (TP + FN) >= `sensitivity`.

    Arguments as for `SensitivityAtSpecificity`.
    """

    _at, _best, _least = "sensitivity", (2, 1), (0, 3)

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ):
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)


@family.add()
class PrecisionAtRecall(_BestAt):
    """Best TP / (TP + FP) at thresholds where TP / (TP + FN) >= `recall`.

    Arguments as for `SensitivityAtSpecificity`.
    """

    _at, _best, _least = "recall", (0, 1), (0, 3)

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ):
        super().__init__(recall, num_thresholds, class_id, name, dtype)


@family.add()
class RecallAtPrecision(_BestAt):
    """Best TP / (TP + FN) at thresholds where TP / (TP + FP) >= `precision`.

    Arguments as for `SensitivityAtSpecificity`.
    """

    _at, _best, _least = "precision", (0, 3), (0, 1)

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ):
        super().__init__(precision, num_thresholds, class_id, name, dtype)
