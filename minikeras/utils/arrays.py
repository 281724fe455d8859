"""Small helpers for preparing data."""

from typing import Any

import numpy as np

from minikeras import config


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Integer labels as one-hot rows.

    Args:
        x: integer labels from 0; a last axis of length 1 is dropped.
        num_classes: length of a row; the largest label + 1 for None.

    Raises:
        ValueError: if a label is negative or not below `num_classes`.

    >>> to_categorical([0, 2])
    array([[1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    labels = np.asarray(x).astype(np.int64)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    classes = num_classes or int(labels.max(initial=-1)) + 1
    if labels.size and (labels.min() < 0 or labels.max() >= classes):
        raise ValueError(
            f"to_categorical: labels must be from 0 to {classes - 1}. "
            f"Received labels from {labels.min()} to {labels.max()}"
        )
    return (labels[..., None] == np.arange(classes)).astype(config.floatx())


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray:
    """`x` divided by its norm along an axis; rows of zeros stay zero.

    >>> normalize([[3.0, 4.0]])
    array([[0.6, 0.8]])
    """
    x = np.atleast_1d(np.asarray(x))
    norm = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(norm == 0, 1, norm)
