"""Counts of right and wrong positives and negatives, and shares of them."""

from typing import Any

from minikeras.metrics.base import Metric, family, ratio
from minikeras.metrics.counting import (
    KINDS,
    LOWEST,
    count,
    evenly_spaced,
    parse_thresholds,
)
from minikeras.validation import positive_int


class _Count(Metric):
    """The weight of one of the four kinds, at each threshold."""

    _kind: int

    def __init__(
        self, thresholds: Any = None, name: str | None = None, dtype: str | None = None
    ):
        super().__init__(name=name, dtype=dtype)
        self.init_thresholds = thresholds
        self.thresholds = parse_thresholds(thresholds, 0.5, type(self).__name__)
        self._even = evenly_spaced(self.thresholds)
        self.accumulator = self.add_variable(len(self.thresholds), name="accumulator")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        owner, dtype = type(self).__name__, self.dtype
        counts = count(
            y_true, y_pred, self.thresholds, self._even, dtype, owner, sample_weight
        )
        self.accumulator.assign_add(counts[self._kind])

    def result(self) -> Any:
        values = self.accumulator.array
        return values[0] if len(values) == 1 else values.copy()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.init_thresholds}


@family.add()
class TruePositives(_Count):
    """Number of positive predictions with label 1.

    Args:
        thresholds: a number in [0, 1] or several; predictions above it are positive.
            0.5 for None. Several give several counts.

    Raises:
        ValueError: if a threshold is outside [0, 1].

    >>> float(TruePositives()([0, 1, 1, 1], [1, 0, 1, 1]))
    2.0
    """

    _kind = 0


@family.add()
class FalsePositives(_Count):
    """Number of positive predictions with label 0. Arguments as `TruePositives`."""

    _kind = 1


@family.add()
class TrueNegatives(_Count):
    """Number of negative predictions with label 0. Arguments as `TruePositives`."""

    _kind = 2


@family.add()
class FalseNegatives(_Count):
    """Number of negative predictions with label 1. Arguments as `TruePositives`."""

    _kind = 3


class _Share(Metric):
    """True positives in proportion to those and one kind of errors."""

    _direction = "up"
    _errors: int

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        owner = type(self).__name__
        self.init_thresholds = thresholds
        self.top_k = None if top_k is None else positive_int(top_k, "top_k", owner)
        self.class_id = class_id
        default = 0.5 if top_k is None else LOWEST
        self.thresholds = parse_thresholds(thresholds, default, owner)
        self._even = evenly_spaced(self.thresholds)
        for kind in (KINDS[0], KINDS[self._errors]):
            setattr(self, kind, self.add_variable(len(self.thresholds), name=kind))

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        counts = count(
            y_true,
            y_pred,
            self.thresholds,
            self._even,
            self.dtype,
            type(self).__name__,
            sample_weight,
            self.top_k,
            self.class_id,
        )
        hits, errors = self.variables
        hits.assign_add(counts[0])
        errors.assign_add(counts[self._errors])

    def result(self) -> Any:
        hits, errors = (variable.array for variable in self.variables)
        share = ratio(hits, hits + errors)
        return share[0] if len(share) == 1 else share

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "thresholds": self.init_thresholds,
            "top_k": self.top_k,
            "class_id": self.class_id,
        }


@family.add()
class Precision(_Share):
    """Share of labels 1 among the positive predictions.

    Args:
        thresholds: a number in [0, 1] or several; predictions above it are positive.
            0.5 for None; with `top_k` none is needed.
        top_k: only the k largest predictions of a sample can be positive.
        class_id: only this class, a place on the last axis, counts.

    Raises:
        ValueError: if an argument is out of range.

    >>> float(Precision()([0, 1, 1, 1], [1, 0, 1, 0]))
    0.5
    """

    _errors = 1


@family.add()
class Recall(_Share):
    """Share of positive predictions among the labels 1. Arguments as `Precision`.

    >>> float(Recall()([0, 1, 1, 1, 1], [1, 0, 1, 0, 0]))
    0.25
    """

    _errors = 3
