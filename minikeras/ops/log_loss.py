"""Cross-entropy of integer labels: one primitive, since it is in every step of every
classifier (benchmarks/kernels.py, "cross-entropy")."""

from typing import Any

import numpy as np

from minikeras.kernels import log_loss as kernels
from minikeras.ops.base import Array, fused
from minikeras.ops.nn import _log_softmax
from minikeras.ops.numpy import _clip, _divide, _log, negative, pick, sum


def _probabilities_composed(p, *, labels, low, high):
    q = _divide(pick(p, labels), sum(p, axis=-1))
    return negative(_log(_clip(q, low=p.dtype.type(low), high=p.dtype.type(high))))


def _logits_composed(z, *, labels):
    return negative(pick(_log_softmax(z, axis=-1), labels))


_from_probabilities = fused(
    lambda p, *, labels, low, high: kernels.sparse(p, labels, low, high),
    lambda argnums, g, ans, p, *, labels, low, high: (
        kernels.sparse_backward(p, labels, low, high, g),
    ),
    _probabilities_composed,
)
_from_logits = fused(
    lambda z, *, labels: kernels.sparse_logits(z, labels),
    lambda argnums, g, ans, z, *, labels: (
        kernels.sparse_logits_backward(z, labels, g),
    ),
    _logits_composed,
)


def sparse_log_loss(
    predictions: Array, labels: np.ndarray, low: float, from_logits: bool
) -> Any:
    """-log of the probability of each label.

    Args:
        predictions: (..., classes) probabilities, which are scaled to sum 1 and brought
            into [low, 1 - low], or logits.
        labels: (...) whole numbers from 0 to classes - 1.
    """
    shape = labels.shape
    if len(shape) != 1:
        predictions = predictions.reshape(-1, predictions.shape[-1])
        labels = labels.reshape(-1)
    if from_logits:
        values = _from_logits(predictions, labels=labels)
    else:
        values = _from_probabilities(
            predictions, labels=labels, low=low, high=1.0 - low
        )
    return values if len(shape) == 1 else values.reshape(shape)
