"""A layer with a vocabulary: given, learned from data, or read from a file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.layers.layer import Layer
from minikeras.layers.preprocessing.tokens import (
    as_tokens,
    batches_of,
    first_of,
    is_one_array,
    refuse_steps,
)
from minikeras.layers.preprocessing.vocabulary import (
    TokenCounts,
    Vocabulary,
    read_lines,
)

_FILE = "vocabulary.txt"


class VocabularyLayer(Layer):
    """The base of the lookups: what they know, and where they have it from.

    A subclass sets the attributes below before it calls `_begin`, and says what its
    tokens are.
    """

    max_tokens: int | None
    mask_token: Any
    oov_token: Any
    output_mode: str
    invert: bool
    pad_to_max_tokens: bool
    idf_weights: np.ndarray | None = None
    _words: Vocabulary
    _given: bool  # whether the vocabulary was an argument, so that none is learned
    _size: int | None  # of the vocabulary, once that is known

    def _flat(self, tokens: np.ndarray) -> list[Any]:
        """The tokens of an array, as Python's own strings or numbers."""
        raise NotImplementedError

    def _read(self, path: str | Path) -> list[Any]:
        """The tokens of a vocabulary file."""
        raise NotImplementedError

    def _from_lines(self, lines: list[str]) -> list[Any]:
        """The tokens that are written in lines."""
        raise NotImplementedError

    def _depth(self) -> int:
        """Length of a row of output."""
        if self.pad_to_max_tokens and self.max_tokens is not None:
            return self.max_tokens
        if self._size is None:
            raise RuntimeError(
                f"{self._owner()}: with output_mode={self.output_mode!r} the output is "
                "as long as the vocabulary, which is not known yet. Pass `vocabulary`, "
                "or call `adapt` with data first."
            )
        return self._size

    # --- the vocabulary ---------------------------------------------------------

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens in the order of their places.

        Args:
            include_special_tokens: whether to begin with those for mask and unknowns.
        """
        special = self._words.special if include_special_tokens else []
        return [*special, *self._words.tokens]

    def vocabulary_size(self) -> int:
        """Number of places in the vocabulary, with those for mask and unknowns."""
        return self._words.size

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replace the vocabulary.

        Args:
            vocabulary: the tokens, with or without those for mask and unknowns at the
                beginning, or the path of a file with one in each line, without.
            idf_weights: for `"tf_idf"`: a weight for each of them.
        """
        owner = self._owner()
        if (idf_weights is None) == (self.output_mode == "tf_idf"):
            raise ValueError(
                f"{owner}: a vocabulary comes with `idf_weights` if, and only if, "
                f"output_mode='tf_idf'. Received: output_mode={self.output_mode!r}, "
                f"idf_weights={idf_weights!r}"
            )
        if isinstance(vocabulary, str | Path):
            if idf_weights is not None:
                raise ValueError(
                    f"{owner}: output_mode='tf_idf' takes no vocabulary file. Read the "
                    "file and pass the tokens."
                )
            tokens = found = self._read(vocabulary)
        else:
            found = self._flat(as_tokens(vocabulary, owner))
            tokens = self._words.without_special(found)
        if not found:
            raise ValueError(f"{owner}: the vocabulary is empty. Pass some tokens.")
        self._words.check(tokens, self.invert, owner)
        size = self._words.first + len(tokens)
        if self.max_tokens is not None and size > self.max_tokens:
            raise ValueError(
                f"{owner}: the vocabulary takes {size} places, more than max_tokens="
                f"{self.max_tokens}."
            )
        if idf_weights is None:
            self._learn(tokens)
            return
        weights = np.asarray(idf_weights)
        if weights.shape != (len(found),):
            raise ValueError(
                f"{owner}: `idf_weights` must be as many numbers as there are tokens "
                f"in the vocabulary, {len(found)}. Received shape: {weights.shape}"
            )
        front = size - len(found)  # of mask and unknowns, if they were left out
        self._learn(tokens, np.concatenate([np.full(front, weights.mean()), weights]))

    def _learn(self, tokens: Sequence[Any], weights: np.ndarray | None = None) -> None:
        """Take tokens and weights, which have been checked, as the vocabulary."""
        self._set_size(self._words.first + len(tokens))
        self._words.learn(tokens)
        if weights is not None:
            if self.pad_to_max_tokens:
                weights = np.pad(weights, (0, self._depth() - len(weights)))
            self.idf_weights = weights.astype(settings.floatx())

    def _set_size(self, size: int) -> None:
        fixed = self.output_mode != "int" and not self.pad_to_max_tokens
        if fixed and self._size not in (None, size):
            raise RuntimeError(
                f"{self._owner()}: with output_mode={self.output_mode!r} the size of "
                "the vocabulary is the output's, and cannot change from "
                f"{self._size} to {size}. Make another layer, or pass `max_tokens` and "
                "`pad_to_max_tokens`."
            )
        self._size = size

    # --- learning from data -----------------------------------------------------

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Make the vocabulary of the tokens in data, the most frequent first.

        Among equally frequent ones, those later in the alphabet come first.

        Args:
            data: an array or a list, or a generator or dataset that yields batches.
            steps: how many batches to take; all for None.
        """
        self.reset_state()
        if is_one_array(data, lists=True):
            refuse_steps(steps, self._owner())
            tokens = as_tokens(data, self._owner())
            self.update_state(tokens[:, None] if tokens.ndim == 1 else tokens)
        else:
            for batch in batches_of(data, steps, self._owner()):
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of one batch; each row is a document, for `"tf_idf"`."""
        tokens = as_tokens(data, self._owner())
        flat = self._flat(tokens)
        if tokens.ndim < 2 or self.output_mode != "tf_idf":
            self._count([flat])  # which documents they are in makes no difference
            return
        size = max(tokens.size // max(len(tokens), 1), 1)
        self._count([flat[i : i + size] for i in range(0, len(flat), size)])

    def _count(self, rows: Sequence[Sequence[Any]]) -> None:
        if self._given:
            raise ValueError(
                f"{self._owner()} cannot be adapted: it was made with a `vocabulary`. "
                "Leave that out."
            )
        self._counts.update(rows)

    def finalize_state(self) -> None:
        """Make the vocabulary of what `update_state` received."""
        if self._given or not self._counts.tokens:
            self._set_size(self.vocabulary_size())
            return
        special = [self.mask_token, self.oov_token]
        tokens = self._counts.ordered(t for t in special if t is not None)
        first = self._words.first
        if self.max_tokens is not None:
            tokens = tokens[: max(self.max_tokens - first, 0)]
        weights = None
        if self.output_mode == "tf_idf":
            weights = self._counts.inverse_frequencies(tokens)
            front = np.full(first, weights.mean() if tokens else 0.0)
            weights = np.concatenate([front, weights])
        self._learn(tokens, weights)
        self.reset_state()

    def reset_state(self) -> None:
        """Forget what `update_state` received; the vocabulary stays."""
        self._counts = TokenCounts(self.output_mode == "tf_idf")

    # --- files ------------------------------------------------------------------

    def save_own_variables(self, store: Any) -> None:
        """Put the weights of `"tf_idf"` into `store`."""
        if self.idf_weights is not None:
            store["idf_weights"] = self.idf_weights

    def load_own_variables(self, store: Any) -> None:
        """Take the weights of `"tf_idf"` from `store`."""
        if self.output_mode == "tf_idf":
            self.idf_weights = np.asarray(store["idf_weights"], settings.floatx())

    def save_assets(self, dir_path: str | Path) -> None:
        """Write vocabulary.txt, one token in each line, unless the config has it.

        Raises:
            ValueError: if a token has a line break in it.
        """
        if self.input_vocabulary is not None:
            return
        words = list(map(str, self.get_vocabulary()))
        if broken := [word for word in words if "\n" in word or "\r" in word]:
            raise ValueError(
                f"{self._owner()}: tokens with line breaks cannot be written into a "
                f"vocabulary file: {first_of(broken)}. Pass `vocabulary` as a list; it "
                "is then kept in the config."
            )
        Path(dir_path, _FILE).write_bytes("\n".join(words).encode())

    def load_assets(self, dir_path: str | Path) -> None:
        """Take the vocabulary from vocabulary.txt, unless the config had it."""
        if self.input_vocabulary is not None:
            return
        lines = read_lines(Path(dir_path, _FILE), "utf-8", self._owner())
        while lines and lines[-1] == "" and len(lines) > (self._size or 0):
            del lines[-1]
        if not lines:
            return
        weights = self.idf_weights
        self.set_vocabulary(
            self._from_lines(lines), None if weights is None else weights[: len(lines)]
        )
