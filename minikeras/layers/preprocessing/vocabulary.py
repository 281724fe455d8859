"""A vocabulary: tokens and their places; counting tokens; files of them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np

from minikeras.layers.preprocessing.tokens import first_of

MISSING, DROPPED = -1, -2  # the "places" of unknown tokens and of a mask left out


class Vocabulary:
    """Tokens and their places: mask, unknown tokens, then the tokens in order.

    Args:
        mask_token: the token that stands for nothing, or None.
        oov_token: what is shown for unknown tokens.
        num_oov_indices: places for unknown tokens.
        has_mask: whether the mask has place 0; it is dropped otherwise.
    """

    def __init__(
        self, mask_token: Any, oov_token: Any, num_oov_indices: int, has_mask: bool
    ):
        self.mask_token = mask_token
        self.oov_token = oov_token
        self.num_oov_indices = num_oov_indices
        self.first_oov = int(has_mask and mask_token is not None)
        self.first = self.first_oov + num_oov_indices  # place of the first token
        self.special = [mask_token] * self.first_oov + [oov_token] * num_oov_indices
        self.given: Any = None  # tokens and weights as the user passed them
        self.given_weights: Any = None
        self.learn([])

    def learn(self, tokens: Sequence[Any]) -> None:
        """Take the tokens, which have been checked."""
        self.tokens = list(tokens)
        self._places = {token: i for i, token in enumerate(tokens, self.first)}
        self._words: np.ndarray | None = None
        if self.mask_token is not None:
            self._places[self.mask_token] = 0 if self.first_oov else DROPPED

    @property
    def size(self) -> int:
        """Number of places."""
        return self.first + len(self.tokens)

    def places(self, tokens: Sequence[Any]) -> np.ndarray:
        """The place of each token."""
        found = map(self._places.get, tokens, repeat(MISSING))
        return np.fromiter(found, np.int64, len(tokens))

    def words(self, places: np.ndarray) -> np.ndarray:
        """The token at each place; `oov_token` for numbers that are not places."""
        if self._words is None:
            self._words = np.array([*self.special, *self.tokens, self.oov_token])
        inside = (places >= 0) & (places < self.size)
        return self._words[np.where(inside, places, self.size)]

    def without_special(self, found: list[Any]) -> list[Any]:
        """The tokens behind those for mask and unknowns, if it begins with these."""
        begins = found[: self.first] == self.special
        return found[self.first :] if begins else found

    def check(self, tokens: Sequence[Any], invert: bool, owner: str) -> None:
        """Raise a ValueError for tokens that cannot be taken."""
        if twice := repeated(tokens):
            raise ValueError(
                f"{owner}: the vocabulary holds tokens more than once: "
                f"{first_of(twice)}. Pass each of them once."
            )
        reserved = {"mask_token": self.mask_token}
        if invert:
            reserved["oov_token"] = self.oov_token
        for name, token in reserved.items():
            if token is not None and token in tokens:
                raise ValueError(
                    f"{owner}: the vocabulary holds {name}={token!r} among its tokens. "
                    "Leave mask and unknown tokens out, or begin with exactly these: "
                    f"{self.special}"
                )


class TokenCounts:
    """How often each token was seen, and in how many documents.

    Args:
        documents: whether to count documents too, for "tf_idf".
    """

    def __init__(self, documents: bool):
        self.tokens: Counter[Any] = Counter()
        self.in_documents: Counter[Any] | None = Counter() if documents else None
        self.documents = 0

    def update(self, rows: Sequence[Sequence[Any]]) -> None:
        """Count the tokens of some documents."""
        self.tokens.update(chain.from_iterable(rows))
        if self.in_documents is not None:
            self.in_documents.update(chain.from_iterable(map(set, rows)))
            self.documents += len(rows)

    def ordered(self, without: Iterable[Any]) -> list[Any]:
        """The tokens, the most frequent first; among equals the last by name first."""
        found = sorted(self.tokens.keys() - set(without), reverse=True)
        found.sort(key=self.tokens.__getitem__, reverse=True)  # a stable sort
        return found

    def inverse_frequencies(self, tokens: Sequence[Any]) -> np.ndarray:
        """log(1 + documents / (1 + documents with the token)) for each token."""
        counts = self.in_documents or Counter()
        seen = np.array([counts[token] for token in tokens], np.float64)
        return np.log1p(self.documents / (1 + seen))


def repeated(tokens: Sequence[Any]) -> list[Any]:
    """The tokens that are there more than once."""
    if len(set(tokens)) == len(tokens):
        return []
    return [token for token, count in Counter(tokens).items() if count > 1]


def read_lines(path: str | Path, encoding: str, owner: str) -> list[str]:
    """The lines of a vocabulary file, one token in each.

    Raises:
        ValueError: if there is no such file, or it is not text in that encoding.
    """
    try:
        text = Path(path).read_bytes().decode(encoding)
    except OSError as error:
        raise ValueError(
            f"{owner}: the vocabulary file {str(path)!r} cannot be read: {error}"
        ) from error
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{owner}: the vocabulary file {str(path)!r} is not text in the encoding "
            f"{encoding!r}: {error}. Pass the right `encoding`."
        ) from error
    return text.replace("\r\n", "\n").split("\n")


def whole(lines: Sequence[str], owner: str) -> list[int]:
    """Lines as whole numbers.

    Raises:
        ValueError: if one of them is something else.
    """
    try:
        return [int(line) for line in lines]
    except ValueError as error:
        raise ValueError(
            f"{owner}: each line of the vocabulary file must be a whole number: {error}"
        ) from error
