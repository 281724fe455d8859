"""Area under the ROC, precision-recall and gain curves."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras import config
from minikeras.metrics.base import Metric, family, plain, ratio
from minikeras.metrics.counting import KINDS, count, evenly_spaced, parse_thresholds
from minikeras.ops.nn import sigmoid
from minikeras.validation import choice, shape_text

_CURVES = ("roc", "pr", "prgain")
_METHODS = ("interpolation", "minoring", "majoring")


@family.add()
class AUC(Metric):
    """Area under a curve of two shares, over thresholds of the prediction.

    Args:
        num_thresholds: number of thresholds, evenly over [0, 1]; 2 or more.
        curve: `"ROC"`: recall over the false positive rate; `"PR"`: precision over
            recall; `"PRGAIN"`: precision gain over recall gain.
        summation_method: height between two thresholds: `"interpolation"` (the mean;
            for PR that of linear counts), `"minoring"` (the smaller), `"majoring"`.
        thresholds: numbers in [0, 1] in place of `num_thresholds`; one just below 0
            and one just above 1 are added.
        multi_label: whether the last axis holds labels, each with an area of its own,
            of which the mean is given; else all are taken together.
        num_labels: number of labels, with `multi_label`; else taken from the data.
        label_weights: a weight for each label.
        from_logits: whether predictions are logits and not probabilities.

    Raises:
        ValueError: if an argument or a shape is out of range.

    Source: Davis and Goadrich, The Relationship Between Precision-Recall and ROC
    Curves, 2006; Flach and Kull, Precision-Recall-Gain Curves, 2015.

    >>> float(AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9]))
    0.75
    """

    _direction = "up"

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: str | None = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ):
        super().__init__(name=name, dtype=dtype)
        self._given = thresholds is not None
        if thresholds is not None:
            inner = sorted(parse_thresholds(thresholds, 0.5, "AUC"))
        elif num_thresholds > 1:
            inner = [i / (num_thresholds - 1) for i in range(1, num_thresholds - 1)]
        else:
            raise ValueError(
                "AUC: `num_thresholds` must be 2 or more. Received: "
                f"num_thresholds={num_thresholds!r}"
            )
        self.num_thresholds = len(inner) + 2
        self._even = not self._given or evenly_spaced([0.0, *inner, 1.0])
        self.thresholds = [-config.epsilon(), *inner, 1.0 + config.epsilon()]
        self.curve = choice(curve, _CURVES, "curve", "AUC").upper()
        self.summation_method = choice(
            summation_method, _METHODS, "summation_method", "AUC"
        )
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = None
        if label_weights is not None:
            self.label_weights = plain(label_weights, self.dtype)
        self.from_logits = from_logits
        self._built = False
        if num_labels and not multi_label:
            raise ValueError(
                "AUC: `num_labels` needs multi_label=True. Received: "
                f"num_labels={num_labels}"
            )
        if not multi_label:
            self._build((self.num_thresholds,))
        elif num_labels:
            self._build((self.num_thresholds, num_labels))

    def _build(self, shape: tuple[int, ...]) -> None:
        weights = self.label_weights
        if self.multi_label and weights is not None and weights.shape != shape[1:]:
            raise ValueError(
                f"AUC: `label_weights` must be {shape[1]} numbers, one a label. "
                f"Received shape {shape_text(weights.shape)}"
            )
        for kind in KINDS:
            setattr(self, kind, self.add_variable(shape, name=kind))
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = plain(y_pred)
        if self.multi_label:
            shape = (self.num_thresholds, y_pred.shape[-1] if y_pred.ndim else 0)
            if y_pred.ndim == 2 and not self._built:
                self._build(shape)
            if y_pred.ndim != 2 or self._state[0].shape != shape:
                labels = self._state[0].shape[1] if self._built else "labels"
                raise ValueError(
                    f"AUC: y_pred must be of shape (samples, {labels}) with "
                    f"multi_label=True. Received shape {shape_text(y_pred.shape)}"
                )
        counts = count(
            y_true,
            sigmoid(y_pred) if self.from_logits else y_pred,
            self.thresholds,
            self._even,
            self.dtype,
            "AUC",
            sample_weight,
            multi_label=self.multi_label,
            label_weights=None if self.multi_label else self.label_weights,
        )
        for variable, value in zip(self._state, counts, strict=True):
            variable.assign_add(value)

    def result(self) -> Any:
        if not self._built:
            return np.zeros((), self.dtype)
        if self.curve == "PR" and self.summation_method == "interpolation":
            parts = self._interpolated()
        else:
            x, y = self._curve()
            parts = (x[:-1] - x[1:]) * self._heights(y[:-1], y[1:])
        area = parts.sum(0)
        if not self.multi_label:
            return area
        weight = self.label_weights
        if weight is None:
            return area.mean()
        return np.asarray(ratio((area * weight).sum(), weight.sum()), self.dtype)

    def _heights(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        if self.summation_method == "interpolation":
            return (left + right) / 2
        pick = np.minimum if self.summation_method == "minoring" else np.maximum
        return pick(left, right)

    def _curve(self) -> tuple[np.ndarray, np.ndarray]:
        tp, fp, tn, fn = (variable.array for variable in self._state)
        if self.curve == "ROC":
            return ratio(fp, fp + tn), ratio(tp, tp + fn)
        if self.curve == "PR":
            return ratio(tp, tp + fn), ratio(tp, tp + fp)
        odds = ratio(tp + fn, tn + fp)  # positives to negatives
        recall = np.where(tp == 0, 0 * tp, 1 - odds * ratio(fn, tp))
        precision = np.where(tp == 0, 0 * tp + 1, 1 - odds * ratio(fp, tp))
        return np.maximum(recall, 0), precision

    def _interpolated(self) -> np.ndarray:
        """Areas between thresholds with TP and TP + FP linear in between.

        With P = TP + FP and TP = s P + c there, the area is the integral of
        TP / P dTP = s (dTP + c log(P_left / P_right)), over all positives.
        """
        tp, fp, _, fn = (variable.array for variable in self._state)
        p = tp + fp
        rise = tp[:-1] - tp[1:]
        slope = ratio(rise, np.maximum(p[:-1] - p[1:], 0))
        start = tp[1:] - slope * p[1:]
        both = (p[:-1] > 0) & (p[1:] > 0)
        growth = np.where(both, ratio(p[:-1], p[1:]), 0 * rise + 1)
        area = slope * (rise + start * np.log(growth))
        return ratio(area, np.maximum(tp[1:] + fn[1:], 0))

    def get_config(self) -> dict[str, Any]:
        weights = self.label_weights
        settings = {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if weights is None else weights.tolist(),
            "from_logits": self.from_logits,
        }
        if self._given:
            settings["thresholds"] = self.thresholds[1:-1]
        return settings
