"""Strings and whole numbers as their places in a vocabulary."""

from pathlib import Path
from typing import Any

import numpy as np

from minikeras.layers.layer import family
from minikeras.layers.preprocessing.index_lookup import IndexLookup
from minikeras.layers.preprocessing.tokens import texts_of, whole_numbers
from minikeras.layers.preprocessing.vocabulary import read_lines, whole


@family.add()
class StringLookup(IndexLookup):
    """Strings as their places in a vocabulary.

    The vocabulary begins with `mask_token`, if there is one and the output is `"int"`;
    then come `num_oov_indices` places for unknown strings, then the known ones.

    Args:
        max_tokens: most places in the vocabulary, all included; None for no limit.
        num_oov_indices: places for unknown strings; 0 makes them an error, and above 1
            a hash chooses among them.
        mask_token: the string that stands for nothing: 0 in `"int"` output, and left
            out of the others.
        oov_token: what `invert` gives for an unknown place.
        vocabulary: the strings, or the path of a file with one in each line, instead of
            `adapt`.
        idf_weights: for `"tf_idf"` with `vocabulary`: the weight of each string.
        invert: whether to give the strings for places.
        output_mode: `"int"`, the place of each string; `"one_hot"`, a row for each;
            `"multi_hot"` and `"count"`, a row for each sample; `"tf_idf"`, the count
            times log(1 + documents / (1 + documents with the string)).
        pad_to_max_tokens: whether rows are `max_tokens` long, however few strings there
            are.
        encoding: of bytes in the input, and of vocabulary files.
        salt: key of the hash, then SipHash-2-4: a whole number or two.

    Input shape: any. Output shape: the input's; other modes as in `CategoryEncoding`.
    Places and counts are int64. With `invert` the output is an array of strings. (In
    Keras, of bytes.)

    Raises:
        ValueError: for arguments out of range or that exclude each other, `sparse`,
            a vocabulary with repeated strings, with the mask in the middle, or longer
            than `max_tokens`; when called, for unknown strings without a place.
        RuntimeError: if the output depends on the size of the vocabulary, and that is
            not known yet, or would change.

    >>> layer = StringLookup(vocabulary=["a", "b"])
    >>> layer([["b", "z"], ["a", "b"]])
    array([[2, 0],
           [1, 2]])
    >>> StringLookup(vocabulary=["a", "b"], invert=True)([[2, 0]])
    array([['b', '[UNK]']], dtype='<U5')
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: str | None = None,
        oov_token: str | None = "[UNK]",
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        pad_to_max_tokens: bool = False,
        sparse: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        salt: Any = None,
        **kwargs: Any,
    ):
        self.encoding = encoding
        super().__init__(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            mask_token=mask_token,
            oov_token=oov_token,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            invert=invert,
            output_mode=output_mode,
            pad_to_max_tokens=pad_to_max_tokens,
            sparse=sparse,
            name=name,
            salt=salt,
            **kwargs,
        )

    def _flat(self, tokens: np.ndarray) -> list[Any]:
        return texts_of(tokens, self.encoding, self._owner())

    def _read(self, path: str | Path) -> list[Any]:
        lines = read_lines(path, self.encoding, self._owner())
        return lines[:-1] if lines[-1] == "" else lines

    def _from_lines(self, lines: list[str]) -> list[Any]:
        return lines

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "encoding": self.encoding}
        del config["vocabulary_dtype"]
        return config


@family.add()
class IntegerLookup(IndexLookup):
    """Whole numbers as their places in a vocabulary.

    As `StringLookup`, for whole numbers that may be anything.

    Args:
        max_tokens: most places in the vocabulary, all included; None for no limit.
        num_oov_indices: places for unknown numbers; 0 makes them an error, and above 1
            `oov_method` chooses among them.
        mask_token: the number that stands for nothing.
        oov_token: what `invert` gives for an unknown place.
        vocabulary: the numbers, or the path of a file with one in each line.
        vocabulary_dtype: `"int64"`.
        idf_weights: for `"tf_idf"` with `vocabulary`: the weight of each number.
        invert: whether to give the numbers for places.
        output_mode: as in `StringLookup`.
        pad_to_max_tokens: as in `StringLookup`.
        oov_method: `"floormod"`, the remainder, or `"farmhash"`, a hash.
        salt: key of that hash, then SipHash-2-4: a whole number or two.

    Input shape: any. Output shape: the input's; other modes as in `CategoryEncoding`.

    Raises:
        ValueError: as `StringLookup`, and for another `vocabulary_dtype`, `salt`
            without `"farmhash"`, and numbers that are not whole.
        RuntimeError: as `StringLookup`.

    >>> IntegerLookup(vocabulary=[12, 36])(np.array([[36, 7], [12, 36]]))
    array([[2, 0],
           [1, 2]])
    """

    vocabulary_dtype = "int64"

    def __init__(
        self,
        max_tokens: int | None = None,
        num_oov_indices: int = 1,
        mask_token: int | None = None,
        oov_token: int | None = -1,
        vocabulary: Any = None,
        vocabulary_dtype: str = "int64",
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        if vocabulary_dtype != "int64":
            raise ValueError(
                "IntegerLookup: `vocabulary_dtype` must be 'int64'. "
                f"Received: vocabulary_dtype={vocabulary_dtype!r}"
            )
        super().__init__(
            max_tokens=max_tokens,
            num_oov_indices=num_oov_indices,
            mask_token=mask_token,
            oov_token=oov_token,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            invert=invert,
            output_mode=output_mode,
            sparse=sparse,
            pad_to_max_tokens=pad_to_max_tokens,
            oov_method=oov_method,
            salt=salt,
            name=name,
            **kwargs,
        )

    def _flat(self, tokens: np.ndarray) -> list[Any]:
        return whole_numbers(tokens, self._owner()).ravel().tolist()

    def _read(self, path: str | Path) -> list[Any]:
        lines = read_lines(path, "utf-8", self._owner())
        return whole(lines[:-1] if lines[-1] == "" else lines, self._owner())

    def _from_lines(self, lines: list[str]) -> list[Any]:
        return whole(lines, self._owner())
