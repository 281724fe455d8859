"""Positives and negatives, true and false, at many thresholds in one pass.

T thresholds, N predictions, L labels. A prediction is positive where it is greater than
the threshold. Each prediction is put into the bucket of how many thresholds lie below
it; sums over the upper buckets then give the counts at all thresholds in O(N + T).
"""

from typing import Any

import numpy as np

from minikeras import config
from minikeras.losses.base import same_rank
from minikeras.metrics.base import plain
from minikeras.validation import shape_text

KINDS = ("true_positives", "false_positives", "true_negatives", "false_negatives")
LOWEST = -1e10  # below every prediction: the threshold where only top_k decides


def parse_thresholds(thresholds: Any, default: float, owner: str) -> list[float]:
    """One threshold or several, or the default for None, as a list.

    Raises:
        ValueError: if one is outside [0, 1].
    """
    if thresholds is None:
        return [default]
    many = np.ndim(thresholds) > 0
    values = list(thresholds) if many else [thresholds]
    if not values or any(t is None or not 0 <= t <= 1 for t in values):
        raise ValueError(
            f"{owner}: `thresholds` must lie in [0, 1]. Received: "
            f"thresholds={thresholds!r}"
        )
    return values


def evenly_spaced(thresholds: Any) -> bool:
    """Whether they are 0, 1/(T-1), ..., 1, for which the bucket can be computed."""
    count = len(thresholds)
    even = np.arange(count) / max(count - 1, 1)
    return count >= 3 and np.allclose(thresholds, even, atol=config.epsilon())


def count(
    y_true: Any,
    y_pred: Any,
    thresholds: Any,
    even: bool,
    dtype: str,
    owner: str,
    sample_weight: Any = None,
    top_k: int | None = None,
    class_id: int | None = None,
    multi_label: bool = False,
    label_weights: Any = None,
) -> tuple[np.ndarray, ...]:
    """The weight of each of `KINDS`.

    Each is of shape (T,), or (T, L) with `multi_label`.
    """
    pred, true = same_rank(plain(y_pred, dtype), plain(y_true, dtype))
    if pred.shape != true.shape:
        raise ValueError(
            f"{owner}: y_true and y_pred must have the same shape. Received: "
            f"{shape_text(true.shape)} and {shape_text(pred.shape)}"
        )
    weight = None if sample_weight is None else plain(sample_weight, dtype)[..., None]
    if weight is not None:
        weight = same_rank(true, weight, expand_vectors=False)[1]
    if top_k is not None:
        pred = _only_top(pred, top_k, owner)
    if class_id is not None:
        if pred.ndim == 1 or not -pred.shape[-1] <= class_id < pred.shape[-1]:
            raise ValueError(
                f"{owner}: class_id={class_id} needs y_pred of shape (samples, "
                f"classes) with that class. Received shape {shape_text(pred.shape)}"
            )
        true, pred = true[..., class_id, None], pred[..., class_id, None]
    if weight is not None:
        weight = _spread(weight, pred.shape, "sample_weight", owner)
    if label_weights is not None:
        labels = _spread(
            plain(label_weights, dtype), pred.shape, "label_weights", owner
        )
        weight = labels if weight is None else weight * labels
    buckets = _buckets(pred, np.asarray(thresholds, dtype), even)
    groups = pred.shape[-1] if multi_label else 1
    if groups > 1:
        buckets = buckets + np.arange(groups) * (len(thresholds) + 1)
    size = groups * (len(thresholds) + 1)
    sums = []
    for wanted in (true != 0, true == 0):
        chosen = None if weight is None else weight[wanted]
        hist = np.bincount(buckets[wanted], chosen, size).reshape(groups, -1)
        below = np.cumsum(hist, 1)[:, :-1]  # at threshold i: buckets 0..i
        above = hist.sum(1, keepdims=True) - below
        if weight is not None:  # summed on its own: a difference need not reach 0
            above = np.cumsum(hist[:, :0:-1], 1)[:, ::-1]
        sums += [above, below]
    order = np.argsort(np.argsort(thresholds, kind="stable"), kind="stable")
    tp, fn, fp, tn = (x[:, order].T.astype(dtype) for x in sums)
    return tuple(x if multi_label else x[:, 0] for x in (tp, fp, tn, fn))


def _buckets(pred: np.ndarray, thresholds: np.ndarray, even: bool) -> np.ndarray:
    """How many thresholds lie below each prediction; none for not-a-number."""
    if even:
        steps = np.ceil(np.clip(pred, 0, 1) * pred.dtype.type(len(thresholds) - 1))
        if thresholds[0] < 0 or thresholds[-1] > 1:  # the first is below everything
            steps = np.maximum(steps, 1)
        found = np.nan_to_num(steps).astype(np.intp)
    else:
        found = np.searchsorted(np.sort(thresholds), pred, side="left")
    return np.where(np.isnan(pred), 0, found)


def _only_top(pred: np.ndarray, k: int, owner: str) -> np.ndarray:
    """The k largest predictions of each row; `LOWEST` in place of the others."""
    if k > pred.shape[-1]:
        raise ValueError(
            f"{owner}: top_k={k} is more than the {pred.shape[-1]} classes of y_pred."
        )
    best = np.argsort(-pred, axis=-1, kind="stable")[..., :k]
    kept = np.full_like(pred, LOWEST)
    np.put_along_axis(kept, best, np.take_along_axis(pred, best, -1), -1)
    return kept


def _spread(weight: Any, shape: tuple[int, ...], name: str, owner: str) -> np.ndarray:
    try:
        return np.broadcast_to(weight, shape)
    except ValueError:
        raise ValueError(
            f"{owner}: `{name}` of shape {shape_text(weight.shape)} does not fit "
            f"predictions of shape {shape_text(shape)}."
        ) from None
