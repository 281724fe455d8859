"""A function of each row of arrays, one after the other, with `keras.ops` names.

Rows are those of the first axis, of one array or of several in tuples, lists and
dictionaries.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minikeras.ops.base import convert
from minikeras.ops.numpy import _axes, concatenate
from minikeras.ops.reshaping import flip, pick_cells
from minikeras.ops.stacking import stack, unstack
from minikeras.ops.trees import form, leaves, mapped, rebuilt
from minikeras.validation import shape_text


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """f of each row, stacked.

    Args:
        f: takes a row; may return arrays in tuples, lists and dictionaries.
        xs: array, or arrays in such containers, with first axes of one length.

    Raises:
        ValueError: if those lengths differ, or `f` returns other containers or shapes
            for one row than for another.

    >>> map(lambda row: row[0] * row[1], (np.array([1, 2]), np.array([3, 4])))
    array([3, 8])
    """
    return _each(f, xs, "map", "xs")


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """`function` of each row, stacked; the same as `map`, one call for each row.

    >>> vectorized_map(lambda row: row * row, np.array([1.0, 2.0]))
    array([1., 4.])
    """
    return _each(function, elements, "vectorized_map", "elements")


def _each(function, xs, owner, name):
    rows = _rows(xs, owner, name)
    return _stacked(
        [function(row) for row in rows], lambda: function(_blank(xs)), owner
    )


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int | bool = 1,
) -> tuple[Any, Any]:
    """carry, y = f(carry, x) for each row x; the last carry, and all y stacked.

    Args:
        f: takes the carry and a row, returns the next carry and a result.
        init: the first carry: array, or arrays in tuples, lists and dictionaries.
        xs: array, or arrays in such containers, with first axes of one length; None
            for rows that are None.
        length: number of rows, needed without `xs`.
        reverse: from the last row to the first. Results are in the order of the rows.
        unroll: without effect, since nothing is compiled.

    Raises:
        ValueError: if the number of rows is unknown or contradictory, `f` does not
            return a pair or returns other containers or shapes for one row than for
            another, or `unroll` is neither a positive integer nor a boolean.

    >>> scan(lambda total, x: (total + x, total), 0, np.array([1, 2, 3]))
    (array(6), array([0, 1, 3]))
    """
    if not isinstance(unroll, bool | int) or (unroll is not False and unroll < 1):
        raise ValueError(
            "scan: `unroll` must be a positive integer or a boolean. "
            f"Received: unroll={unroll!r}"
        )
    if xs is None:
        if length is None:
            raise ValueError("scan: without `xs`, `length` must be given.")
        rows = [None] * length
    else:
        rows = _rows(xs, "scan", "xs")
        if length is not None and length != len(rows):
            raise ValueError(
                f"scan: `xs` has {len(rows)} rows. Received: length={length}"
            )
    carry, results = init, []
    for row in reversed(rows) if reverse else rows:
        pair = f(carry, row)
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ValueError(
                "scan: `f` must return a pair, the carry and a result. "
                f"Received: {type(pair).__name__}"
            )
        carry, result = pair
        results.append(result)
    if reverse:
        results.reverse()
    results = _stacked(results, lambda: f(init, _blank(xs))[1], "scan")
    return mapped(convert, carry), results


def associative_scan(
    f: Callable[[Any, Any], Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """a, f(a, b), f(f(a, b), c) ... along an axis, in log2 of its length calls.

    Args:
        f: associative, f(a, f(b, c)) = f(f(a, b), c), of any number of cells along the
            axis at once.
        elems: array, or arrays in tuples, lists and dictionaries, with axes of one
            length.
        reverse: from the other end.
        axis: the axis.

    Raises:
        ValueError: if there is no such axis, or the lengths differ.

    Source: Blelloch, Prefix Sums and Their Applications, 1990.

    >>> associative_scan(lambda a, b: a + b, np.array([1, 2, 3, 4]))
    array([ 1,  3,  6, 10])
    """
    arrays = [convert(leaf) for leaf in leaves(elems)]
    axes = [_axes(axis, array.ndim)[0] for array in arrays]
    lengths = {array.shape[n] for array, n in zip(arrays, axes, strict=True)}
    if len(lengths) != 1:
        raise ValueError(
            f"associative_scan: the arrays must be of one length along axis {axis}. "
            f"Received: shapes {', '.join(shape_text(a.shape) for a in arrays)}"
        )

    def joined(one, other):
        result = f(rebuilt(elems, one), rebuilt(elems, other))
        return [convert(leaf) for leaf in leaves(result)]

    def cells(parts, index):
        together = zip(parts, axes, strict=True)
        return [pick_cells(part, index=index, axis=n) for part, n in together]

    def prefixes(parts, count):
        if count < 2:
            return parts
        half = count // 2
        pairs = joined(cells(parts, _even(half)), cells(parts, _even(half) + 1))
        odd = prefixes(pairs, half)  # the results number 1, 3, 5 ...
        first = cells(parts, np.arange(1))
        rest = (count - 1) // 2
        if rest:
            more = joined(cells(odd, np.arange(rest)), cells(parts, _even(rest) + 2))
            first = _concatenated(first, more, axes)
        order = np.empty(count, int)
        order[::2], order[1::2] = np.arange(count - half), np.arange(half)
        order[1::2] += count - half
        return cells(_concatenated(first, odd, axes), order)

    if reverse:
        arrays = [flip(array, n) for array, n in zip(arrays, axes, strict=True)]
    arrays = prefixes(arrays, lengths.pop())
    if reverse:
        arrays = [flip(array, n) for array, n in zip(arrays, axes, strict=True)]
    return rebuilt(elems, arrays)


def _even(count):
    return 2 * np.arange(count)


def _concatenated(one, other, axes):
    together = zip(one, other, axes, strict=True)
    return [concatenate([a, b], axis=n) for a, b, n in together]


def _rows(xs: Any, owner: str, name: str) -> list[Any]:
    """The rows of all arrays in `xs`, in its containers."""
    arrays = [convert(leaf) for leaf in leaves(xs)]
    lengths = {array.shape[:1] for array in arrays}
    if len(lengths) != 1 or () in lengths:
        shapes = ", ".join(shape_text(array.shape) for array in arrays)
        raise ValueError(
            f"{owner}: the arrays of `{name}` must have first axes of one length. "
            f"Received: {'shapes ' + shapes if shapes else 'no arrays'}"
        )
    columns = [unstack(array) for array in arrays]
    return [rebuilt(xs, row) for row in zip(*columns, strict=True)]


def _blank(xs: Any) -> Any:
    """A row of zeros, to learn from it what a function of no rows would return."""

    def row(leaf):
        array = convert(leaf)
        return np.zeros(array.shape[1:], array.dtype)

    return mapped(row, xs)


def _stacked(results: list[Any], example: Callable[[], Any], owner: str) -> Any:
    if not results:
        nothing = mapped(convert, example())
        return mapped(lambda leaf: np.zeros((0, *leaf.shape), leaf.dtype), nothing)
    forms = [form(result) for result in results]
    for other in forms:
        if other != forms[0]:
            raise ValueError(
                f"{owner}: all calls must return arrays in the same containers. "
                f"Received, with * for arrays: {forms[0]} and {other}"
            )
    columns = zip(*(leaves(result) for result in results), strict=True)
    return rebuilt(results[0], [stack(column) for column in columns])
