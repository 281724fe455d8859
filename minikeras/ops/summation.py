"""Sums of products by the names of the axes, as `keras.ops.einsum`.

Nothing here has a derivative of its own: an equation is carried out as transpositions,
reshapes and stacks of matrix products, whose derivatives are in `ops/numpy.py`. So it
runs at the speed of BLAS, keeps the number type, and any order of derivative works.

A term is an array and its labels, one letter an axis.
"""

from functools import lru_cache
from itertools import combinations
from math import prod
from string import ascii_letters
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np

from minikeras.ops.base import Array
from minikeras.ops.gather import _take
from minikeras.ops.numpy import _common, _matmul
from minikeras.ops.numpy import sum as sum_over
from minikeras.validation import shape_text


class Term(NamedTuple):
    array: Array
    labels: str


def einsum(subscripts: str, *operands: Any) -> Array:
    """Sum of products over the axes whose labels the result does not have:

    y[result] = sum over the other labels of x1[labels] x2[labels] ...

    Args:
        subscripts: labels of every operand, separated by commas, then `->` and the
            labels of the result, such as `"ij,jk->ik"`. `...` stands for any number
            of further axes, which are broadcast. Without `->` the result has the
            labels that occur once, in alphabetical order.
        operands: the arrays. Axes of length 1 are broadcast.

    Raises:
        ValueError: for an equation that does not fit the operands.
        TypeError: if `subscripts` is not a string.

    >>> einsum("ij,jk->ik", [[1.0, 2.0]], [[3.0], [4.0]])
    array([[11.]], dtype=float32)
    """
    if not isinstance(subscripts, str):
        raise TypeError(
            "einsum: `subscripts` must be a string such as 'ij,jk->ik'. "
            f"Received: {subscripts!r}"
        )
    arrays = _common(*operands) if operands else []
    inputs, result = _labels(subscripts, tuple(x.ndim for x in arrays))
    terms = [Term(x, labels) for x, labels in zip(arrays, inputs, strict=True)]
    sizes = _sizes(subscripts, terms)
    terms = [_without_repeats(_without_ones(term, sizes)) for term in terms]
    while len(terms) > 1:
        i, j = (0, 1) if len(terms) == 2 else _cheapest(terms, result, sizes)
        rest = [term for k, term in enumerate(terms) if k not in (i, j)]
        needed = "".join([result, *(term.labels for term in rest)])
        terms = [*rest, _contract(terms[i], terms[j], needed, sizes)]
    return _arrange(_sum_unneeded(terms[0], result), result)


# --- reading the equation -------------------------------------------------------


@lru_cache(256)
def _labels(subscripts: str, ndims: tuple[int, ...]) -> tuple[list[str], str]:
    """Labels of each operand and of the result, `...` written out."""
    text = subscripts.replace(" ", "")
    left, arrow, result = text.partition("->")
    inputs = left.split(",")
    if any(set(part.replace("...", "", 1)) - set(ascii_letters) for part in inputs):
        _refuse(subscripts, "labels are letters, and `...` occurs once an operand")
    if len(inputs) != len(ndims):
        _refuse(subscripts, f"it has {len(inputs)} operands", f"{len(ndims)} arrays")
    free = [letter for letter in ascii_letters if letter not in text]
    longest, extra = 0, []  # how many axes `...` stands for, at most and in each
    for part, ndim in zip(inputs, ndims, strict=True):
        more = ndim - len(part.replace("...", ""))
        if more < 0 or (more and "..." not in part):
            _refuse(subscripts, f"{part!r} does not fit", f"an array of {ndim} axes")
        longest = max(longest, more)
        extra.append(more)
    if longest > len(free):
        _refuse(subscripts, f"`...` stands for {longest} axes, too many for letters")
    dots = "".join(free[:longest])
    inputs = [
        part.replace("...", dots[longest - more :])
        for part, more in zip(inputs, extra, strict=True)
    ]
    if not arrow:
        everything = "".join(inputs)
        once = {c for c in everything if everything.count(c) == 1} - set(dots)
        return inputs, dots + "".join(sorted(once))
    if "..." in result and "..." not in left:
        _refuse(subscripts, "the result has `...`, but no operand has")
    result = result.replace("...", dots, 1)
    known = set("".join(inputs))
    if set(result) - known or len(set(result)) != len(result):
        _refuse(subscripts, "each label of the result must occur once, and in operands")
    return inputs, result


def _refuse(subscripts: str, what: str, received: str = "") -> None:
    received = f" Received: {received}." if received else ""
    raise ValueError(f"einsum: the equation {subscripts!r} is wrong: {what}.{received}")


def _sizes(subscripts: str, terms: list[Term]) -> dict[str, int]:
    """Length of the axes with each label; 1 gives way to any other."""
    sizes: dict[str, int] = {}
    for term in terms:
        for label, n in zip(term.labels, term.array.shape, strict=True):
            if sizes.setdefault(label, n) == 1:
                sizes[label] = n
            elif n not in (1, sizes[label]):
                shapes = ", ".join(shape_text(t.array.shape) for t in terms)
                _refuse(
                    subscripts,
                    f"an axis has length {sizes[label]} in one place and {n} in "
                    "another, with the same label",
                    f"shapes {shapes}",
                )
    return sizes


# --- one operand ----------------------------------------------------------------


def _without_ones(term: Term, sizes: dict[str, int]) -> Term:
    """Without axes of length 1 that another operand's longer axis broadcasts."""
    shape = term.array.shape
    kept = [k for k, c in enumerate(term.labels) if shape[k] == sizes[c]]
    if len(kept) == len(shape):
        return term
    array = anp.reshape(term.array, tuple(shape[k] for k in kept))
    return Term(array, "".join(term.labels[k] for k in kept))


def _without_repeats(term: Term) -> Term:
    """The diagonal of axes with the same label, as one axis."""
    array, labels = term
    while (label := _repeated(labels)) is not None:
        first = labels.index(label)
        second = labels.index(label, first + 1)
        n = array.shape[first]
        array = anp.moveaxis(array, (first, second), (-2, -1))
        array = anp.reshape(array, (*array.shape[:-2], n * n))
        array = _take(array, index=np.arange(n) * (n + 1), axis=array.ndim - 1)
        labels = labels[:first] + labels[first + 1 : second] + labels[second + 1 :]
        labels += label
    return Term(array, labels)


def _repeated(labels: str) -> str | None:
    return next((c for k, c in enumerate(labels) if c in labels[:k]), None)


def _sum_unneeded(term: Term, needed: str) -> Term:
    """The sum over axes whose labels nothing else has."""
    axes = [k for k, c in enumerate(term.labels) if c not in needed]
    if not axes:
        return term
    labels = "".join(c for c in term.labels if c in needed)
    return Term(sum_over(term.array, axis=axes), labels)


def _arrange(term: Term, labels: str) -> Array:
    """The array with its axes in the order of `labels`."""
    if term.labels == labels:
        return term.array
    return anp.transpose(term.array, [term.labels.index(c) for c in labels])


# --- two operands ---------------------------------------------------------------


def _cheapest(terms: list[Term], result: str, sizes: dict[str, int]) -> tuple[int, int]:
    """The two terms with the smallest product."""

    def size(pair: tuple[int, int]) -> int:
        rest = "".join(t.labels for k, t in enumerate(terms) if k not in pair)
        labels = set(terms[pair[0]].labels + terms[pair[1]].labels)
        return prod(sizes[c] for c in labels & set(result + rest))

    return min(combinations(range(len(terms)), 2), key=size)


class Groups(NamedTuple):
    """Labels of two terms, by where they occur and whether something else has them."""

    stack: str
    inner: str
    rows: str
    columns: str


@lru_cache(256)
def _groups(a: str, b: str, needed: str) -> Groups:
    shared = [c for c in a if c in b]
    return Groups(
        stack="".join(c for c in shared if c in needed),
        inner="".join(c for c in shared if c not in needed),
        rows="".join(c for c in a if c not in b),
        columns="".join(c for c in b if c not in a),
    )


def _contract(a: Term, b: Term, needed: str, sizes: dict[str, int]) -> Term:
    """The product of two terms, summed over the labels that nothing else needs.

    As a stack of matrix products (stack, rows, inner) @ (stack, inner, columns), with
    every group in the order that `a`, or else `b`, has it in, to move little memory;
    by plain multiplication where the matrices would be single numbers.
    """
    a = _sum_unneeded(a, needed + b.labels)
    b = _sum_unneeded(b, needed + a.labels)
    stack, inner, rows, columns = _groups(a.labels, b.labels, needed)
    if not inner or (stack and not rows and not columns) or 0 in sizes.values():
        left = _grouped(a, (*stack, *inner, *rows, *[""] * len(columns)), sizes)
        right = _grouped(b, (*stack, *inner, *[""] * len(rows), *columns), sizes)
        product = Term(anp.multiply(left, right), stack + inner + rows + columns)
        return _sum_unneeded(product, needed)
    product = _matmul(
        _grouped(a, (*stack, rows, inner), sizes),
        _grouped(b, (*stack, inner, columns), sizes),
    )
    labels = stack + rows + columns
    shape = tuple(sizes[c] for c in labels)
    product = product if product.shape == shape else anp.reshape(product, shape)
    return Term(product, labels)


def _grouped(term: Term, groups: tuple[str, ...], sizes: dict[str, int]) -> Array:
    """The array with one axis for each group of labels; of length 1 without any."""
    array = _arrange(term, "".join(groups))
    shape = tuple(prod(sizes[c] for c in group) for group in groups)
    return array if array.shape == shape else anp.reshape(array, shape)
