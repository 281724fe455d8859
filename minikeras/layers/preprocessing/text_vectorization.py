"""Texts as rows of numbers."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np

from minikeras.layers.layer import Layer, family
from minikeras.layers.preprocessing import encoding as encodings
from minikeras.layers.preprocessing.index_lookup import as_list, refuse_path
from minikeras.layers.preprocessing.lookup import StringLookup
from minikeras.layers.preprocessing.text import Tokenizer
from minikeras.layers.preprocessing.tokens import (
    as_tokens,
    batches_of,
    is_one_array,
    refuse_steps,
)
from minikeras.layers.preprocessing.vocabulary import DROPPED
from minikeras.registry import deserialize_keras_object, serialize_keras_object

_OWNER = "TextVectorization"


@family.add()
class TextVectorization(Layer):
    """Texts as rows of numbers: standardise, split into tokens, look these up.

    The vocabulary begins with "" (padding, 0), in `"int"` output only, and "[UNK]",
    unknown tokens.

    Args:
        max_tokens: most places in the vocabulary, all included; None for no limit.
        standardize: `"lower_and_strip_punctuation"`, `"lower"`, `"strip_punctuation"`
            (all of ASCII only, as in TensorFlow), None, or a function of an array of
            strings that returns one.
        split: `"whitespace"`, `"character"`, None for tokens as they are, or a function
            of a one-dimensional array of strings that returns a list for each of them.
        ngrams: also look up runs of 2 to `ngrams` tokens, joined by spaces; a tuple
            names the lengths to look up, and no others.
        output_mode: `"int"`, the place of each token; `"one_hot"`, a row for each;
            `"multi_hot"`, `"count"` or `"tf_idf"`, a row for each text.
        output_sequence_length: tokens in a row of `"int"` output, cut or padded with 0;
            those of the longest text for None.
        pad_to_max_tokens: whether rows are `max_tokens` long, however few tokens there
            are.
        vocabulary: the tokens, or the path of a file with one in each line, instead of
            `adapt`.
        idf_weights: for `"tf_idf"` with `vocabulary`: the weight of each token.
        encoding: of bytes in the input, and of vocabulary files.

    Input shape: (batch,) or (batch, 1) of texts; with split=None any, of tokens.
    Output shape: (batch, tokens); (batch, tokens, places) for `"one_hot"`, where Keras
        gives ragged arrays; (batch, places) for the other modes.

    Raises:
        ValueError: for arguments out of range or that exclude each other, `sparse` and
            `ragged`; when called, for texts in more than one column, and for a `split`
            that does not return a list for each text.
        RuntimeError: as `StringLookup`.

    >>> layer = TextVectorization(vocabulary=["the", "cat", "sat"])
    >>> layer(["The cat sat.", "A cat!"])
    array([[2, 3, 4],
           [1, 3, 0]])
    """

    def __init__(
        self,
        max_tokens: int | None = None,
        standardize: Any = "lower_and_strip_punctuation",
        split: Any = "whitespace",
        ngrams: Any = None,
        output_mode: str = "int",
        output_sequence_length: int | None = None,
        pad_to_max_tokens: bool = False,
        vocabulary: Any = None,
        idf_weights: Any = None,
        sparse: bool = False,
        ragged: bool = False,
        encoding: str = "utf-8",
        name: str | None = None,
        **kwargs: Any,
    ):
        encodings.refuse(_OWNER, sparse=sparse, ragged=ragged)
        inner = {
            key: kwargs.pop(key)
            for key in ("has_input_vocabulary", "vocabulary_size")
            if key in kwargs
        }
        super().__init__(name=name, **kwargs)
        self._tokenize = Tokenizer(standardize, split, ngrams, encoding, _OWNER)
        self._lookup_layer = StringLookup(
            max_tokens=max_tokens,
            vocabulary=vocabulary,
            idf_weights=idf_weights,
            pad_to_max_tokens=pad_to_max_tokens,
            mask_token="",
            output_mode=output_mode,
            encoding=encoding,
            **inner,
        )
        self._lookup_layer.built = True
        self._output_mode = self._lookup_layer.output_mode
        self._length = _length(output_sequence_length, self._output_mode)

    # --- the vocabulary ---------------------------------------------------------

    def adapt(
        self, data: Any, batch_size: int | None = None, steps: int | None = None
    ) -> None:
        """Make the vocabulary of the tokens in data, the most frequent first.

        Among equally frequent ones, those later in the alphabet come first.

        Args:
            data: an array or a list of texts, or a generator or dataset that yields
                batches of them.
            batch_size: makes no difference: the tokens of all texts are counted.
            steps: how many batches to take; all for None.
        """
        self.reset_state()
        if is_one_array(data, lists=True):
            refuse_steps(steps, self._owner())
            array = as_tokens(data, self._owner())
            self.update_state(array[:, None] if array.ndim == 1 else array)
        else:
            for batch in batches_of(data, steps, self._owner()):
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Count the tokens of one batch of texts."""
        rows, shape = self._tokenize(data, self._owner())
        if shape is not None and len(shape) < 2:  # no rows: all of it is one text
            rows = [list(chain.from_iterable(rows))]
        self._lookup_layer._count(rows)

    def finalize_state(self) -> None:
        """Make the vocabulary of what `update_state` received."""
        self._lookup_layer.finalize_state()

    def reset_state(self) -> None:
        """Forget what `update_state` received; the vocabulary stays."""
        self._lookup_layer.reset_state()

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[str]:
        """The tokens in the order of their places.

        Args:
            include_special_tokens: whether to begin with those for padding and
                unknowns.
        """
        return self._lookup_layer.get_vocabulary(include_special_tokens)

    def vocabulary_size(self) -> int:
        """Number of places in the vocabulary, with those for padding and unknowns."""
        return self._lookup_layer.vocabulary_size()

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Replace the vocabulary.

        Args:
            vocabulary: the tokens, or the path of a file with one in each line.
            idf_weights: for `"tf_idf"`: a weight for each of them.
        """
        self._lookup_layer.set_vocabulary(vocabulary, idf_weights)

    # --- use --------------------------------------------------------------------

    def _convert(self, value: Any) -> Any:
        return as_tokens(value, self._owner())

    def call(self, inputs: Any) -> Any:
        lookup = self._lookup_layer
        rows, shape = self._tokenize(inputs, self._owner())
        places = lookup._look_up(list(chain.from_iterable(rows)))
        if shape is not None:
            output = lookup._encoded(places.reshape(shape))
            return output if self._length is None else _cut(output, self._length)
        places = self._padded(places, rows)
        before = np.shape(as_tokens(inputs, self._owner()))
        before = before[:-1] if len(before) > 1 else before
        if self._output_mode == "one_hot":
            places = places[..., None]
        output = lookup._encoded(places)
        return output.reshape((*before, *output.shape[1:]))

    def _padded(self, places: np.ndarray, rows: Sequence[Sequence[str]]) -> np.ndarray:
        """The places of each row's tokens as rows of one length."""
        lengths = np.fromiter(map(len, rows), np.int64, len(rows))
        longest = int(lengths.max(initial=0)) if self._length is None else self._length
        filler = 0 if self._output_mode == "int" else DROPPED
        output = np.full((len(rows), longest), filler, np.int64)
        column = np.arange(len(places)) - np.repeat(lengths.cumsum() - lengths, lengths)
        if self._length is not None:
            places = places[column < longest]
        output[np.arange(longest) < lengths[:, None]] = places
        return output

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._output_mode == "int":
            return (input_shape[0], self._length)
        shape = tuple(input_shape)
        if self._tokenize.split is not None:
            shape = shape[:-1] if len(shape) > 1 else shape
            shape = (*shape, None)
            if self._output_mode == "one_hot":
                return (*shape, self._lookup_layer._depth())
        return self._lookup_layer.compute_output_shape(shape)

    @property
    def dtype(self) -> str:
        """`"string"`, as in Keras: what goes in."""
        return "string"

    @dtype.setter
    def dtype(self, value: str) -> None:
        self._np_dtype = np.dtype(value)

    compute_dtype = dtype
    variable_dtype = dtype

    # --- configs and files ------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        base = super().get_config()
        base["dtype"]["config"]["name"] = self._np_dtype.name
        lookup = self._lookup_layer
        return {
            **base,
            "max_tokens": lookup.max_tokens,
            "standardize": serialize_keras_object(self._tokenize.standardize),
            "split": serialize_keras_object(self._tokenize.split),
            "ngrams": self._tokenize.ngrams,
            "output_mode": self._output_mode,
            "output_sequence_length": self._length,
            "pad_to_max_tokens": lookup.pad_to_max_tokens,
            "sparse": False,
            "ragged": False,
            "vocabulary": lookup._vocabulary_config(),
            "idf_weights": as_list(lookup.input_idf_weights),
            "encoding": lookup.encoding,
            "vocabulary_size": lookup._size or lookup.vocabulary_size(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TextVectorization":
        """A layer from what `get_config` returned.

        Raises:
            ValueError: for a vocabulary file, as `StringLookup`, and for functions that
                are not registered.
        """
        refuse_path(config, cls.__name__)
        config = dict(config)
        for key in ("standardize", "split"):
            if isinstance(config.get(key), dict):
                config[key] = deserialize_keras_object(config[key])
        if isinstance(config.get("ngrams"), list):
            config["ngrams"] = tuple(config["ngrams"])
        return cls(**config)

    def save_own_variables(self, store: Any) -> None:
        """Put the weights of `"tf_idf"` into `store`."""
        self._lookup_layer.save_own_variables(store)

    def load_own_variables(self, store: Any) -> None:
        """Take the weights of `"tf_idf"` from `store`."""
        self._lookup_layer.load_own_variables(store)

    def save_assets(self, dir_path: Any) -> None:
        """Write vocabulary.txt, as `StringLookup`."""
        self._lookup_layer.save_assets(dir_path)

    def load_assets(self, dir_path: Any) -> None:
        """Take the vocabulary from vocabulary.txt, as `StringLookup`."""
        self._lookup_layer.load_assets(dir_path)


def _length(value: Any, mode: str) -> int | None:
    if value is not None and mode != "int":
        raise ValueError(
            "TextVectorization: `output_sequence_length` belongs to output_mode='int'."
            f" Received: output_sequence_length={value!r}, output_mode={mode!r}"
        )
    if value is not None and (not isinstance(value, int | np.integer) or value < 0):
        raise ValueError(
            "TextVectorization: `output_sequence_length` must be a whole number from 0 "
            f"on, or None. Received: output_sequence_length={value!r}"
        )
    return None if value is None else int(value)


def _cut(output: np.ndarray, length: int) -> np.ndarray:
    """The last axis cut or padded with zeros to a length."""
    output = np.atleast_1d(output)[..., :length]
    missing = length - output.shape[-1]
    return np.pad(output, [(0, 0)] * (output.ndim - 1) + [(0, missing)])
