"""Losses for embeddings: samples of a class near each other, the others far."""

from typing import Any

import numpy as np

from minikeras.losses.base import LossFunctionWrapper, family
from minikeras.ops.base import Array, convert, float_array, getval
from minikeras.ops.logarithms import logsumexp
from minikeras.ops.nn import softplus
from minikeras.ops.numpy import (
    add,
    matmul,
    maximum,
    multiply,
    subtract,
    transpose,
    where,
)


@family.add()
def circle(
    y_true: Any,
    y_pred: Any,
    ref_labels: Any = None,
    ref_embeddings: Any = None,
    remove_diagonal: bool = True,
    gamma: float = 80,
    margin: float = 0.4,
) -> Array:
    """log(1 + P N), P and N the sums of exp(gamma w d) over like and unlike pairs.

    With the cosine distance D = max(1 - y_pred . y_ref, 0), a pair of like labels has
    weight w = max(margin + D, 0) and price d = D - margin, a pair of unlike ones
    w = max(1 + margin - D, 0) and d = 1 - margin - D. The loss of a sample without
    like ones, or without unlike ones, is 0.

    Args:
        y_true: integer labels (batch,) or (batch, 1).
        y_pred: embeddings (batch, features) of length 1.
        ref_labels: labels of the samples to compare with; `y_true` for None.
        ref_embeddings: their embeddings; `y_pred` for None.
        remove_diagonal: whether sample i is not compared with reference i.
        gamma: scale of the prices.
        margin: how far a pair may be from its ideal.

    Output shape: (batch,).

    Raises:
        ValueError: for other shapes.

    Source: Sun et al., Circle Loss: A Unified Perspective of Pair Similarity
    Optimization, 2020.

    >>> y_pred = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> circle(np.array([0, 0, 1]), y_pred, gamma=1.0).round(4)
    array([0.5629, 0.7339, 0.    ])
    """
    embeddings = float_array(y_pred)
    labels = _labels(y_true, embeddings, "y_true", "y_pred")
    others, other_labels = embeddings, labels
    if ref_embeddings is not None:
        others = convert(ref_embeddings, embeddings.dtype)
    if ref_labels is not None or ref_embeddings is not None:
        given = labels if ref_labels is None else ref_labels
        other_labels = _labels(given, others, "ref_labels", "ref_embeddings")
    same = labels[:, None] == other_labels
    partners = same.copy()
    if remove_diagonal:
        np.fill_diagonal(partners, False)

    cosine = matmul(embeddings, transpose(others))
    distance = maximum(subtract(1.0, cosine), 0.0)
    near = multiply(gamma, maximum(add(margin, distance), 0.0))
    near = near * subtract(distance, margin)
    far = multiply(gamma, maximum(subtract(1.0 + margin, distance), 0.0))
    far = far * subtract(1.0 - margin, distance)
    return softplus(_log_total(near, partners) + _log_total(far, ~same))


circle.takes_labels = True  # type: ignore[attr-defined]


def _log_total(prices: Array, counted: np.ndarray) -> Array:
    return logsumexp(where(counted, prices, -np.inf), axis=1)


def _labels(labels: Any, embeddings: Array, name: str, of: str) -> np.ndarray:
    """The labels as a vector of integers, one for each embedding."""
    labels = np.asarray(getval(convert(labels)))
    rows = embeddings.shape[:1]
    if embeddings.ndim != 2 or labels.shape not in (rows, (*rows, 1)):
        raise ValueError(
            f"circle: {of} must be embeddings of shape (samples, features) and {name} "
            f"one integer label for each of them. Received: {name} of shape "
            f"{labels.shape}, {of} of shape {embeddings.shape}"
        )
    return labels.reshape(-1).astype(np.int64)


# A sample whose loss is 0 does not count in a mean.
circle.counts = lambda values: values > 0  # type: ignore[attr-defined]


@family.add()
class Circle(LossFunctionWrapper):
    """`circle`, weighed and reduced; samples whose loss is 0 do not count in a mean."""

    def __init__(
        self,
        gamma=80.0,
        margin=0.4,
        remove_diagonal=True,
        reduction="sum_over_batch_size",
        name="circle",
        dtype=None,
    ):
        super().__init__(
            circle,
            reduction,
            name,
            dtype,
            gamma=gamma,
            margin=margin,
            remove_diagonal=remove_diagonal,
        )
