"""Arrays joined, split, repeated and turned."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras.ops.base import Array, convert
from minikeras.ops.numpy import (
    _axes,
    _spread,
    concatenate,
    expand_dims,
    reshape,
    swapaxes,
)
from minikeras.ops.reductions import slice_of
from minikeras.ops.reshaping import flip
from minikeras.validation import positive_int, shape_text


def ravel(x: Any) -> Array:
    """`x` as a vector."""
    return reshape(x, (-1,))


def ndim(x: Any) -> int:
    """Number of axes."""
    return convert(x).ndim


def size(x: Any) -> int:
    """How many numbers there are.

    >>> size([[1, 2], [3, 4]])
    4
    """
    return int(np.prod(convert(x).shape, dtype=np.int64))


def append(x1: Any, x2: Any, axis: int | None = None) -> Array:
    """`x2` behind `x1` along an axis, or behind the flattened `x1`.

    >>> append([1.0, 2.0], [[3.0]])
    array([1., 2., 3.], dtype=float32)
    """
    if axis is None:
        return concatenate([ravel(x1), ravel(x2)], 0)
    return concatenate([convert(x1), convert(x2)], axis)


def _at_least(x: Any, count: int) -> Array:
    """With new axes of length 1, before the others; for three axes, behind two."""
    x = convert(x)
    if x.ndim == 0:
        x = reshape(x, (1,))
    if count > 1 and x.ndim == 1:
        x = expand_dims(x, 0)
    return expand_dims(x, 2) if count > 2 and x.ndim == 2 else x


def hstack(xs: Sequence[Any]) -> Array:
    """Arrays joined side by side: along the second axis, or the only one.

    >>> hstack([[1.0], [2.0, 3.0]])
    array([1., 2., 3.], dtype=float32)
    """
    xs = [_at_least(x, 1) for x in xs]
    return concatenate(xs, 0 if xs[0].ndim == 1 else 1)


def vstack(xs: Sequence[Any]) -> Array:
    """Arrays joined one below the other: along the first of two or more axes."""
    return concatenate([_at_least(x, 2) for x in xs], 0)


def dstack(xs: Sequence[Any]) -> Array:
    """Arrays joined along the third axis."""
    return concatenate([_at_least(x, 3) for x in xs], 2)


def _pieces(x: Any, sections: Any, axis: int, owner: str, even: bool) -> list[Array]:
    x = convert(x)
    (axis,) = _axes(axis, x.ndim)
    n = x.shape[axis]
    if isinstance(sections, int | np.integer):
        count = positive_int(sections, "indices_or_sections", owner)
        if even and n % count:
            raise ValueError(
                f"{owner}: axis {axis} of shape {shape_text(x.shape)} cannot be split "
                f"into {count} equal parts; `array_split` allows unequal ones."
            )
        short, longer = divmod(n, count)
        lengths = [short + 1] * longer + [short] * (count - longer)
        ends = [int(end) for end in np.cumsum(lengths[:-1])]
    else:
        ends = [int(end) for end in np.asarray(sections).reshape(-1)]
    return [
        slice_of(x, axis, start, stop)
        for start, stop in zip([0, *ends], [*ends, n], strict=True)
    ]


def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """`x` in parts along an axis.

    Args:
        x: the array.
        indices_or_sections: how many equal parts, or where each but the first begins.
        axis: the axis.

    Raises:
        ValueError: if the parts cannot be equal.

    >>> [part.tolist() for part in split([1.0, 2.0, 3.0], [1])]
    [[1.0], [2.0, 3.0]]
    """
    return _pieces(x, indices_or_sections, axis, "split", True)


def array_split(x: Any, indices_or_sections: int, axis: int = 0) -> list[Array]:
    """`x` in that many parts along an axis; the first ones may be longer by one.

    Raises:
        TypeError: if `indices_or_sections` or `axis` is no integer.
        ValueError: if there shall be no part.

    >>> [len(part) for part in array_split([1.0, 2.0, 3.0], 2)]
    [2, 1]
    """
    for name, value in (("indices_or_sections", indices_or_sections), ("axis", axis)):
        if not isinstance(value, int):
            raise TypeError(
                f"array_split: `{name}` must be an integer. Received: {name}={value!r}"
            )
    return _pieces(x, indices_or_sections, axis, "array_split", False)


def hsplit(x: Any, indices_or_sections: Any) -> list[Array]:
    """`split` along the second axis, or the only one."""
    _need_axes(x, 1, "hsplit")
    axis = 0 if ndim(x) == 1 else 1
    return _pieces(x, indices_or_sections, axis, "hsplit", True)


def vsplit(x: Any, indices_or_sections: Any) -> list[Array]:
    """`split` along the first axis."""
    _need_axes(x, 1, "vsplit")
    return _pieces(x, indices_or_sections, 0, "vsplit", True)


def dsplit(x: Any, indices_or_sections: Any) -> list[Array]:
    """`split` along the third axis."""
    _need_axes(x, 3, "dsplit")
    return _pieces(x, indices_or_sections, 2, "dsplit", True)


def _need_axes(x: Any, least: int, owner: str) -> None:
    if ndim(x) < least:
        raise ValueError(
            f"{owner}: `x` must have {least} axes or more. Received: shape "
            f"{shape_text(convert(x).shape)}"
        )


def tile(x: Any, repeats: int | Sequence[int]) -> Array:
    """`x` as often as given along each axis, like tiles.

    >>> tile([1.0, 2.0], 2)
    array([1., 2., 1., 2.], dtype=float32)
    """
    x = convert(x)
    times = (repeats,) if isinstance(repeats, int | np.integer) else tuple(repeats)
    times = (1,) * (x.ndim - len(times)) + tuple(int(t) for t in times)
    shape = (1,) * (len(times) - x.ndim) + tuple(x.shape)
    pairs = list(zip(times, shape, strict=True))
    x = reshape(x, [k for _, n in pairs for k in (1, n)])
    x = _spread(x, shape=tuple(k for pair in pairs for k in pair))
    return reshape(x, tuple(t * n for t, n in pairs))


def flipud(x: Any) -> Array:
    """The rows in reverse order."""
    _need_axes(x, 1, "flipud")
    return flip(x, 0)


def fliplr(x: Any) -> Array:
    """The columns in reverse order."""
    _need_axes(x, 2, "fliplr")
    return flip(x, 1)


def rot90(array: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Array:
    """`array` turned by k right angles in the plane of two axes, from the first to
    the second.

    Raises:
        ValueError: if these are not two different axes.

    >>> rot90([[1.0, 2.0], [3.0, 4.0]])
    array([[2., 4.],
           [1., 3.]], dtype=float32)
    """
    x = convert(array)
    if x.ndim < 2 or len(axes) != 2 or len(set(_axes(axes, x.ndim))) != 2:
        raise ValueError(
            "rot90: `axes` must be two different axes of `array`. Received: "
            f"axes={axes} and shape {shape_text(x.shape)}"
        )
    first, second = (a % x.ndim for a in axes)
    if k % 4 == 0:
        return x
    if k % 4 == 2:
        return flip(x, (first, second))
    if k % 4 == 1:
        return swapaxes(flip(x, second), first, second)
    return flip(swapaxes(x, first, second), second)
