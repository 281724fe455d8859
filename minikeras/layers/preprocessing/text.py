"""Texts to words: lower case and no punctuation, pieces, and runs of pieces.

As in TensorFlow, only ASCII counts: "É" keeps its case, and a no-break space does not
separate words.
"""

import re
import string
from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from minikeras.layers.preprocessing.tokens import as_tokens, texts_of
from minikeras.validation import choice

Rows = list[list[str]]

_PUNCTUATION = string.punctuation.encode()
_LOWER = bytes(range(256)).lower()
_SAME = bytes(range(256))
_WORD = re.compile(r"[^ \t\n\v\f\r]+")

STANDARDIZERS = {  # name -> (what each byte becomes, the bytes to leave out)
    "lower_and_strip_punctuation": (_LOWER, _PUNCTUATION),
    "lower": (_LOWER, b""),
    "strip_punctuation": (_SAME, _PUNCTUATION),
}
SPLITTERS: dict[str, Callable[[str], list[str]]] = {
    "whitespace": _WORD.findall,
    "character": list,
}


def standardized(texts: Iterable[str], how: str) -> list[str]:
    """The texts in lower case, without punctuation, or both.

    >>> standardized(["It's É"], "lower_and_strip_punctuation")
    ['its É']
    """
    table, left_out = STANDARDIZERS[how]
    # A byte of ASCII is never part of another character in UTF-8.
    return [text.encode().translate(table, left_out).decode() for text in texts]


def ngrams(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Runs of pieces, joined by spaces: all of the first width, then of the next.

    >>> ngrams(["a", "b", "c"], (1, 2))
    ['a', 'b', 'c', 'a b', 'b c']
    """
    runs: list[str] = []
    for width in widths:
        shifted = (row[start:] for start in range(width))
        runs.extend(map(" ".join, zip(*shifted, strict=False)))
    return runs


class Tokenizer:
    """Texts to rows of tokens: what TextVectorization does before it looks them up.

    Args:
        standardize: a name in `STANDARDIZERS`, a function of an array of strings, or
            None.
        split: a name in `SPLITTERS`, a function of a one-dimensional array of strings,
            or None.
        ngrams: the most tokens in a run, a tuple of their numbers, or None.
        encoding: of bytes in the input.
        owner: whom messages name.
    """

    def __init__(
        self, standardize: Any, split: Any, ngrams: Any, encoding: str, owner: str
    ):
        if standardize is not None and not callable(standardize):
            standardize = choice(
                standardize, tuple(STANDARDIZERS), "standardize", owner
            )
        if split is not None and not callable(split):
            split = choice(split, tuple(SPLITTERS), "split", owner)
        self.standardize = standardize
        self.split = split
        self.ngrams = ngrams
        self.encoding = encoding
        self._widths = _widths(ngrams, owner)

    def __call__(self, inputs: Any, owner: str) -> tuple[Rows, tuple[int, ...] | None]:
        """The tokens of each text, and, if they were not split, the array's shape."""
        array = as_tokens(inputs, owner)
        if callable(self.standardize):
            given = np.array(texts_of(array, self.encoding, owner), str)
            array = as_tokens(self.standardize(given.reshape(array.shape)), owner)
        flat = texts_of(array, self.encoding, owner)
        if isinstance(self.standardize, str):
            flat = standardized(flat, self.standardize)
        if self.split is None:
            return self._unsplit(flat, array.shape)
        if array.ndim > 1 and array.shape[-1] != 1:
            raise ValueError(
                f"{owner}: texts to be split must be in one column, shape (batch,) or "
                f"(batch, 1). Received an input of shape {array.shape}. For tokens, "
                "pass split=None."
            )
        return self._with_ngrams(self._split(flat, owner)), None

    def _split(self, flat: list[str], owner: str) -> Rows:
        if isinstance(self.split, str):
            return [SPLITTERS[self.split](text) for text in flat]
        found = self.split(np.array(flat, str))
        rows = [] if isinstance(found, str) else list(found)
        if len(rows) != len(flat) or any(isinstance(row, str | bytes) for row in rows):
            raise ValueError(
                f"{owner}: `split` must return a list of tokens for each of the "
                f"{len(flat)} texts. Received: {found!r}"
            )
        return [list(map(str, row)) for row in rows]

    def _unsplit(
        self, flat: list[str], shape: tuple[int, ...]
    ) -> tuple[Rows, tuple[int, ...]]:
        """The rows of an array of tokens, and its shape, both with `ngrams`."""
        if not shape:
            return [flat], shape
        size = shape[-1]
        starts = range(0, prod(shape), max(size, 1))
        rows = self._with_ngrams([flat[i : i + size] for i in starts])
        if self._widths is not None:
            size = sum(max(size - width + 1, 0) for width in self._widths)
        return rows, (*shape[:-1], size)

    def _with_ngrams(self, rows: Rows) -> Rows:
        if self._widths is None:
            return rows
        return [ngrams(row, self._widths) for row in rows]


def _widths(wanted: Any, owner: str) -> tuple[int, ...] | None:
    """How many tokens the runs have that `ngrams` asks for."""
    if wanted is None:
        return None
    widths = wanted
    if isinstance(wanted, int) and not isinstance(wanted, bool):
        widths = tuple(range(1, wanted + 1))
    if (
        not isinstance(widths, tuple)
        or not widths
        or any(not isinstance(width, int) or width < 1 for width in widths)
    ):
        raise ValueError(
            f"{owner}: `ngrams` must be a positive whole number, a tuple of them, or "
            f"None. Received: ngrams={wanted!r}"
        )
    return widths
