"""The largest numbers of each row, and classes as rows of ones and zeros."""

from math import prod
from typing import Any

import numpy as np

from minikeras.ops.base import Array, convert, getval
from minikeras.ops.indexing import pick_flat
from minikeras.ops.numpy import convert_to_numpy, one_hot
from minikeras.validation import shape_text


def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Array, np.ndarray]:
    """The k largest numbers of each row, from the largest down, and their places.

    Of equal numbers the first comes first; nan counts as the largest.

    Args:
        x: array (..., N).
        k: how many, up to N.
        sorted: False allows any order; they are in order all the same.

    Returns:
        The numbers and their places, int32, both of shape (..., k).

    Raises:
        ValueError: if `x` has no axis or fewer numbers, or `k` is no whole number.

    >>> top_k([5.0, 2.0, 7.0], 2)
    (array([7., 5.], dtype=float32), array([2, 0], dtype=int32))
    """
    x = convert(x)
    if x.ndim < 1 or not _is_count(k) or k > x.shape[-1]:
        raise ValueError(
            "top_k: `k` must be a whole number, from 0 to the length of the last axis "
            f"of `x`. Received: k={k!r}, x of shape {shape_text(x.shape)}"
        )
    rows = np.asarray(getval(x))
    backwards = np.argsort(rows[..., ::-1], axis=-1, kind="stable")
    places = rows.shape[-1] - 1 - backwards[..., ::-1][..., :k]
    starts = np.arange(prod(x.shape[:-1])).reshape(*x.shape[:-1], 1) * x.shape[-1]
    values = pick_flat(x, index=starts + places, distinct=True)
    return values, places.astype(np.int32)


def _is_count(k):
    return isinstance(k, int | np.integer) and not isinstance(k, bool) and k >= 0


def in_top_k(targets: Any, predictions: Any, k: int) -> np.ndarray:
    """Whether fewer than k classes are rated higher than the labelled one.

    Args:
        targets: labels (...), whole numbers; one that is no class is never among them.
        predictions: ratings (..., classes); nan is the lowest for a labelled class.
        k: how many classes count.

    Raises:
        ValueError: for shapes that do not fit, or a `k` that is no whole number.
        TypeError: for labels that are no whole numbers.

    >>> in_top_k([0, 1], [[0.2, 0.3, 0.5], [0.2, 0.3, 0.5]], 2)
    array([False,  True])
    """
    labels, ratings = convert_to_numpy(targets), convert_to_numpy(predictions)
    if labels.dtype.kind not in "iu" and labels.size:
        raise TypeError(
            "in_top_k: `targets` must be whole numbers. Received: an array of dtype "
            f"{labels.dtype}"
        )
    if ratings.ndim < 1 or ratings.shape[:-1] != labels.shape or not _is_count(k):
        raise ValueError(
            "in_top_k: `predictions` must have the shape of `targets` and an axis of "
            "classes behind it, and `k` must be a whole number. Received: targets of "
            f"shape {shape_text(labels.shape)}, predictions of shape "
            f"{shape_text(ratings.shape)}, k={k!r}"
        )
    known = (labels >= 0) & (labels < ratings.shape[-1])
    place = np.where(known, labels, 0)[..., None].astype(np.intp)
    rating = np.take_along_axis(ratings, place, axis=-1)
    rating = np.where(np.isnan(rating), -np.inf, rating)
    return known & ((ratings > rating).sum(axis=-1) < k)


def multi_hot(
    inputs: Any,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: str | None = None,
    sparse: bool = False,
    **kwargs: Any,
) -> np.ndarray:
    """Ones for the classes that occur in a row, zeros for the others.

    Args:
        inputs: classes (N,) or (batch, N, ...), whole numbers; numbers that are no
            class count for none.
        num_classes: how many classes there are; `num_tokens` is another name for it.
        axis: where the axis of classes is put before axis 1, or the only one, of
            `inputs` is left out.
        dtype: number type of the result, the default float type for None.
        sparse: only False: there are no sparse arrays here.

    Raises:
        ValueError: without a number of classes, for another axis, or for `sparse`.
        TypeError: for arguments of other names.

    >>> multi_hot([0, 2], 4)
    array([1., 0., 1., 0.], dtype=float32)
    """
    if num_classes is None:
        num_classes = kwargs.pop("num_tokens", None)
    if kwargs:
        raise TypeError(f"multi_hot: unknown arguments {', '.join(kwargs)}.")
    if sparse:
        raise ValueError("multi_hot: sparse arrays are not offered; use sparse=False.")
    index = convert_to_numpy(inputs)
    if num_classes is None or not -1 <= axis <= index.ndim or index.ndim < 1:
        raise ValueError(
            "multi_hot: `num_classes` must be given, `inputs` must have an axis, and "
            f"`axis` be from -1 to {index.ndim}. Received: num_classes={num_classes!r},"
            f" axis={axis!r}, inputs of shape {shape_text(index.shape)}"
        )
    rows = one_hot(index, num_classes, axis=axis, dtype=dtype)
    return rows.max(axis=1 if index.ndim > 1 else 0)
