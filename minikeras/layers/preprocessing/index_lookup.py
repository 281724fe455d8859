"""The base of the layers that look tokens up in a vocabulary."""

from pathlib import Path
from typing import Any

import numpy as np

from minikeras import config as settings
from minikeras.layers.preprocessing import encoding as encodings
from minikeras.layers.preprocessing.hashing import hash_bins, hash_key
from minikeras.layers.preprocessing.tokens import as_tokens, first_of, whole_numbers
from minikeras.layers.preprocessing.vocabulary import MISSING, Vocabulary
from minikeras.layers.preprocessing.vocabulary_layer import VocabularyLayer
from minikeras.validation import choice

_MODES = ("int", "one_hot", "multi_hot", "count", "tf_idf")


class IndexLookup(VocabularyLayer):
    """Tokens as their places in a vocabulary; the base of StringLookup and others.

    The vocabulary begins with the mask token, if there is one and the output is
    `"int"`; then come `num_oov_indices` places for unknown tokens, then the tokens.

    Args:
        max_tokens: most places in the vocabulary, all included; None for no limit.
        num_oov_indices: places for unknown tokens; 0 makes them an error, and above 1
            a hash chooses among them.
        mask_token: the token that stands for nothing: 0 in `"int"` output, and left out
            of the others.
        oov_token: what `invert` gives for an unknown token.
        vocabulary: the tokens, or the path of a file with one in each line, instead of
            `adapt`.
        idf_weights: for `"tf_idf"` with `vocabulary`: the weight of each token.
        invert: whether to give the tokens for places.
        output_mode: `"int"`, `"one_hot"`, `"multi_hot"`, `"count"`, or `"tf_idf"`,
            which is the count times log(1 + documents / (1 + documents with it)).
        pad_to_max_tokens: whether rows are `max_tokens` long, however few tokens there
            are.
        oov_method: what chooses among places for unknown whole numbers: `"floormod"`,
            their remainder, or `"farmhash"`, a hash.
        salt: key of that hash, then SipHash-2-4: a whole number or two.

    Raises:
        ValueError: for arguments out of range or that exclude each other, `sparse`,
            a vocabulary with repeated tokens, with the mask token in the middle, or
            longer than `max_tokens`; when called, for unknown tokens without a place.
        RuntimeError: if the size of the vocabulary would change, or is not known yet,
            and the output depends on it.
    """

    vocabulary_dtype = "string"

    def __init__(
        self,
        max_tokens: int | None,
        num_oov_indices: int,
        mask_token: Any,
        oov_token: Any,
        vocabulary: Any = None,
        idf_weights: Any = None,
        invert: bool = False,
        output_mode: str = "int",
        sparse: bool = False,
        pad_to_max_tokens: bool = False,
        oov_method: str = "floormod",
        salt: Any = None,
        **kwargs: Any,
    ):
        owner = type(self).__name__
        frozen = kwargs.pop("vocabulary_size", None)
        given = kwargs.pop("has_input_vocabulary", vocabulary is not None)
        kwargs.pop("dtype", None)  # as in Keras: the output's type follows the mode
        super().__init__(**kwargs)
        encodings.refuse(owner, sparse=sparse)
        self.sparse = False
        _check_sizes(owner, max_tokens, num_oov_indices, pad_to_max_tokens)
        self.output_mode = encodings.output_mode(output_mode, _MODES, owner)
        if invert and self.output_mode != "int":
            raise ValueError(
                f"{owner}: `invert` needs output_mode='int'. "
                f"Received: output_mode={output_mode!r}"
            )
        if invert and oov_token is None:
            raise ValueError(f"{owner}: `invert` needs an `oov_token` to give.")
        if idf_weights is not None and self.output_mode != "tf_idf":
            raise ValueError(
                f"{owner}: `idf_weights` belong to output_mode='tf_idf'. "
                f"Received: output_mode={output_mode!r}"
            )
        methods = ("floormod", "farmhash")
        self.oov_method = choice(oov_method, methods, "oov_method", owner)
        self.salt = hash_key(salt, owner)
        hashed = self.vocabulary_dtype == "string" or self.oov_method == "farmhash"
        if self.salt is not None and not hashed:
            raise ValueError(
                f"{owner}: `salt` needs oov_method='farmhash'. "
                f"Received: oov_method={oov_method!r}"
            )
        self.max_tokens = max_tokens
        self.num_oov_indices = num_oov_indices
        self.mask_token = None if mask_token is None else self._token(mask_token)
        self.oov_token = None if oov_token is None else self._token(oov_token)
        self.invert = invert
        self.pad_to_max_tokens = pad_to_max_tokens
        if idf_weights is not None:
            self.idf_weights = np.asarray(idf_weights, settings.floatx())
        self._given = given
        self._words = Vocabulary(
            self.mask_token,
            self.oov_token,
            num_oov_indices,
            has_mask=self.output_mode == "int",
        )
        is_file = isinstance(vocabulary, str | Path)
        self._words.given = None if is_file else vocabulary
        self._words.given_weights = idf_weights
        # A size that holds no tokens was written before `adapt`: it binds nobody.
        self._size = frozen if frozen and frozen > self._words.first else None
        self.reset_state()
        if vocabulary is not None:
            self.set_vocabulary(vocabulary, idf_weights)

    # --- tokens -----------------------------------------------------------------

    def _token(self, value: Any) -> Any:
        """One token in the kind of the vocabulary."""
        return self._flat(as_tokens(value, self._owner()))[0]

    @property
    def input_vocabulary(self) -> Any:
        """The vocabulary that was an argument; None for a file's."""
        return self._words.given

    @property
    def input_idf_weights(self) -> Any:
        """The weights that were an argument."""
        return self._words.given_weights

    # --- use --------------------------------------------------------------------

    def _convert(self, value: Any) -> Any:
        return as_tokens(value, self._owner())

    def call(self, inputs: Any) -> Any:
        tokens = as_tokens(inputs, self._owner())
        if self.invert:
            return self._words.words(whole_numbers(tokens, self._owner()))
        found = self._look_up(self._flat(tokens)).reshape(tokens.shape)
        return self._encoded(found)

    def _look_up(self, tokens: list[Any]) -> np.ndarray:
        """The places of tokens; negative for a mask that is to be left out."""
        places = self._words.places(tokens)
        missing = np.flatnonzero(places == MISSING)
        if missing.size == 0:
            return places
        unknown = [tokens[i] for i in missing] if self.num_oov_indices != 1 else []
        if self.num_oov_indices == 0:
            raise ValueError(
                f"{self._owner()}: the input holds tokens that are not in the "
                f"vocabulary: {first_of(unknown)}. With num_oov_indices=1 they get a "
                "place of their own."
            )
        places[missing] = self._words.first_oov
        if self.num_oov_indices > 1:
            places[missing] += self._oov_choice(unknown)
        return places

    def _oov_choice(self, tokens: list[Any]) -> np.ndarray:
        """Which of the places for unknown tokens each of them gets."""
        if self.vocabulary_dtype != "string" and self.oov_method == "floormod":
            return np.array(tokens, np.int64) % self.num_oov_indices
        texts = [str(token).encode() for token in tokens]
        return hash_bins(texts, self.num_oov_indices, self.salt)

    def _encoded(self, places: np.ndarray) -> np.ndarray:
        if self.output_mode == "int":
            return places
        if self.output_mode != "tf_idf":
            return encodings.encode(places, self.output_mode, self._depth(), "int64")
        depth = self._depth()
        if self.idf_weights is None:
            raise ValueError(
                f"{self._owner()} has no `idf_weights` yet. Pass them with the "
                "`vocabulary`, or call `adapt` with data first."
            )
        counts = encodings.encode(places, "count", depth, self.idf_weights.dtype)
        return counts * self.idf_weights

    @property
    def dtype(self) -> str:
        """The type of the vocabulary, as in Keras: `"string"` or `"int64"`."""
        return self.vocabulary_dtype

    @dtype.setter
    def dtype(self, value: str) -> None:
        self._np_dtype = np.dtype(value)

    compute_dtype = dtype
    variable_dtype = dtype

    def compute_output_shape(self, input_shape: Any) -> Any:
        mode = "count" if self.output_mode == "tf_idf" else self.output_mode
        depth = None if mode == "int" else self._depth()
        return encodings.encoded_shape(input_shape, mode, depth)

    # --- configs and files ------------------------------------------------------

    def get_build_config(self) -> dict[str, Any]:
        return {}  # there is nothing to build

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Nothing to build."""

    def get_config(self) -> dict[str, Any]:
        base = super().get_config()
        base["dtype"]["config"]["name"] = self._np_dtype.name
        return {
            **base,
            "invert": self.invert,
            "max_tokens": self.max_tokens,
            "num_oov_indices": self.num_oov_indices,
            "oov_token": self.oov_token,
            "mask_token": self.mask_token,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "pad_to_max_tokens": self.pad_to_max_tokens,
            "vocabulary_dtype": self.vocabulary_dtype,
            "idf_weights": as_list(self.input_idf_weights),
            "vocabulary": self._vocabulary_config(),
            "vocabulary_size": self._size,
            "oov_method": self.oov_method,
            "salt": self.salt,
        }

    def _vocabulary_config(self) -> list[Any] | None:
        if self.input_vocabulary is None:
            return None
        return self._flat(as_tokens(self.input_vocabulary, self._owner()))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from what `get_config` returned.

        Raises:
            ValueError: if the vocabulary is the path of a file: a config may come from
                somebody else, and must not make us read files.
        """
        refuse_path(config, cls.__name__)
        return cls(**config)


def as_list(value: Any) -> Any:
    """An array as a list, for a config."""
    return value.tolist() if isinstance(value, np.ndarray) else value


def refuse_path(config: dict[str, Any], owner: str) -> None:
    """An error for a config whose vocabulary is a file outside of it."""
    if isinstance(config.get("vocabulary"), str):
        raise ValueError(
            f"{owner}: the config names a vocabulary file, {config['vocabulary']!r}. "
            "Files that a config names are not read. Make the layer, then call "
            "`set_vocabulary` with the path."
        )


def _check_sizes(owner: str, most: Any, unknown: Any, pad: bool) -> None:
    if most is not None and (not isinstance(most, int | np.integer) or most <= 1):
        raise ValueError(
            f"{owner}: `max_tokens` must be a whole number above 1, or None. "
            f"Received: max_tokens={most!r}"
        )
    if pad and most is None:
        raise ValueError(f"{owner}: `pad_to_max_tokens` needs `max_tokens`.")
    if not isinstance(unknown, int | np.integer) or unknown < 0:
        raise ValueError(
            f"{owner}: `num_oov_indices` must be a whole number from 0 on. "
            f"Received: num_oov_indices={unknown!r}"
        )
