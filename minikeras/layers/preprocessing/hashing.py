"""Strings and whole numbers, or pairs of them, as a fixed number of bins."""

from typing import Any

import numpy as np

from minikeras import config
from minikeras.layers.layer import Layer, family
from minikeras.layers.preprocessing import encoding
from minikeras.layers.preprocessing.hashes import combine, farm_hash, sip_hash
from minikeras.layers.preprocessing.tokens import as_tokens, bytes_of, is_text
from minikeras.validation import positive_int

_CROSSING_KEY = 0xDECAFCAFFE  # TensorFlow's, where a crossing begins


class BaseHashing(Layer):
    """What layers have in common that give bins: their number and the kind of output.

    Args:
        num_bins: how many bins there are.
        output_mode: `"int"` for the bin's number, or another of the modes.
        dtype: number type of the output; int64 for `"int"`.
    """

    _modes: tuple[str, ...] = ("int", "one_hot")

    def __init__(
        self, num_bins: int, output_mode: str, sparse: bool, dtype: Any, **kwargs: Any
    ):
        owner = type(self).__name__
        encoding.refuse(owner, sparse=sparse)
        self.sparse = False
        self.output_mode = encoding.output_mode(output_mode, self._modes, owner)
        if isinstance(dtype, dict):  # a policy, as Keras writes it into configs
            dtype = dtype["config"]["name"]
        if self.output_mode == "int":
            dtype = "int64" if dtype is None else dtype
            if dtype not in ("int32", "int64"):
                raise ValueError(
                    f"{owner}: with output_mode='int', `dtype` must be 'int32' or "
                    f"'int64'. Received: dtype={dtype!r}"
                )
            super().__init__(**kwargs)
            self.dtype = dtype
        else:
            super().__init__(dtype=dtype or config.floatx(), **kwargs)
        self.num_bins = positive_int(num_bins, "num_bins", owner)

    def _encoded(self, bins: np.ndarray) -> np.ndarray:
        return encoding.encode(bins, self.output_mode, self.num_bins, self.dtype)


@family.add()
class Hashing(BaseHashing):
    """Strings or whole numbers as the bins that a hash puts them into.

    bin = hash % num_bins, with the FarmHash64 fingerprint of the string in UTF-8, or of
    the number's digits: the numbers that Keras gives, on every machine.

    Args:
        num_bins: how many bins there are, with the one for `mask_value`.
        mask_value: what goes into bin 0, which is then left free by everything else.
        salt: a whole number or two; the hash is then SipHash-2-4 with this key.
        output_mode: `"int"`, `"one_hot"`, `"multi_hot"` or `"count"`, as in
            `CategoryEncoding`.
        dtype: number type of the output; int64 for `"int"`, else the default float.

    Input shape: any, of strings or whole numbers; floats are cut to whole numbers.
    Output shape: the input's; other modes as in `CategoryEncoding`.

    Raises:
        ValueError: for arguments out of range, `sparse`, a `mask_value` of another
            kind than the input, and input that is neither strings nor numbers.

    Source: SipHash, Aumasson and Bernstein, 2012.

    >>> Hashing(3)([["A"], ["B"], ["C"]]).tolist()
    [[1], [0], [1]]
    """

    _modes = ("int", "one_hot", "multi_hot", "count")

    def __init__(
        self,
        num_bins: int,
        mask_value: Any = None,
        salt: Any = None,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        **kwargs: Any,
    ):
        super().__init__(num_bins, output_mode, sparse, dtype, **kwargs)
        self.mask_value = mask_value
        self.salt = hash_key(salt, "Hashing")

    def _convert(self, value: Any) -> Any:
        return as_tokens(value, self._owner())

    def call(self, inputs: Any) -> Any:
        tokens = as_tokens(inputs, self._owner())
        if self.mask_value is None or self.num_bins == 1:
            return self._encoded(self._bins(tokens, self.num_bins))
        bins = self._bins(tokens, self.num_bins - 1) + 1
        return self._encoded(np.where(self._masked(tokens), 0, bins))

    def _bins(self, tokens: np.ndarray, count: int) -> np.ndarray:
        texts = bytes_of(tokens, self._owner())
        return hash_bins(texts, count, self.salt).reshape(tokens.shape)

    def _masked(self, tokens: np.ndarray) -> np.ndarray:
        mask = self.mask_value
        if is_text(tokens) != isinstance(mask, str | bytes):
            raise ValueError(
                f"{self._owner()}: the input must be of the same kind as mask_value="
                f"{mask!r}. Received an array of dtype {tokens.dtype}."
            )
        if not is_text(tokens):
            return tokens == mask
        mask = mask if isinstance(mask, bytes) else mask.encode()
        found = [text == mask for text in bytes_of(tokens, self._owner())]
        return np.array(found, bool).reshape(tokens.shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoding.encoded_shape(input_shape, self.output_mode, self.num_bins)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_bins": self.num_bins,
            "salt": self.salt,
            "mask_value": self.mask_value,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
        }


@family.add()
class HashedCrossing(BaseHashing):
    """Two or more categories of a sample together as a bin, by a hash of all of them.

    Args:
        num_bins: how many bins there are.
        output_mode: `"int"` for the bin's number, `"one_hot"` for a row.
        name: name of the layer.
        dtype: number type of the output; int64 for `"int"`, else the default float.

    Call arguments:
        inputs: a list or tuple of arrays of strings or whole numbers.

    Input shape: arrays of one shape: (batch,), (batch, 1) or ().
    Output shape: the same; (batch, num_bins) for `"one_hot"`.

    Raises:
        ValueError: for arguments out of range, `sparse`, fewer than two inputs, other
            shapes, and floats.

    >>> HashedCrossing(5)((["A", "B", "A"], [101, 101, 102])).tolist()
    [1, 4, 3]
    """

    def __init__(
        self,
        num_bins: int,
        output_mode: str = "int",
        sparse: bool = False,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        super().__init__(num_bins, output_mode, sparse, dtype, name=name, **kwargs)

    def _convert(self, value: Any) -> Any:
        if not isinstance(value, list | tuple) or len(value) < 2:
            raise ValueError(
                f"{self._owner()} needs a list or tuple of at least two inputs. "
                f"Received: {value!r}"
            )
        return [as_tokens(item, self._owner()) for item in value]

    def call(self, inputs: Any) -> Any:
        columns = self._convert(inputs)
        shapes = [column.shape for column in columns]
        if (
            len(set(shapes)) > 1
            or len(shapes[0]) > 2
            or shapes[0][1:] not in ((), (1,))
        ):
            raise ValueError(
                f"{self._owner()}: all inputs must have the same shape, (), (batch,) "
                f"or (batch, 1). Received: {', '.join(map(str, shapes))}"
            )
        hashes = np.full(columns[0].size, _CROSSING_KEY, np.uint64)
        for column in columns:
            hashes = combine(hashes, self._feature(column))
        bins = hashes % np.uint64(self.num_bins)
        return self._encoded(bins.astype(np.int64).reshape(shapes[0]))

    def _feature(self, column: np.ndarray) -> np.ndarray:
        if is_text(column):
            return farm_hash(bytes_of(column, self._owner()))
        if column.dtype.kind not in "iu":
            raise ValueError(
                f"{self._owner()}: the inputs must hold strings or whole numbers. "
                f"Received an array of dtype {column.dtype}."
            )
        return column.ravel().astype(np.int64).astype(np.uint64)

    def compute_output_shape(self, input_shape: Any) -> Any:
        first = input_shape[0]
        return encoding.encoded_shape(first, self.output_mode, self.num_bins)

    def get_config(self) -> dict[str, Any]:
        return {
            "num_bins": self.num_bins,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "name": self.name,
            "dtype": self.dtype,
        }


def hash_bins(texts: list[bytes], bins: int, key: list[int] | None) -> np.ndarray:
    """The bin of each byte string, by FarmHash64, or SipHash-2-4 with a key."""
    hashes = farm_hash(texts) if key is None else sip_hash(texts, key)
    return (hashes % np.uint64(bins)).astype(np.int64)


def hash_key(salt: Any, owner: str) -> list[int] | None:
    """`salt` as the two numbers of a key; None stays None.

    Raises:
        ValueError: if it is anything but a whole number or two of them.
    """
    if salt is None:
        return None
    parts = [salt, salt] if isinstance(salt, int | np.integer) else salt
    if (
        not isinstance(parts, list | tuple)
        or len(parts) != 2
        or any(not isinstance(part, int | np.integer) for part in parts)
    ):
        raise ValueError(
            f"{owner}: `salt` must be a whole number or two of them. "
            f"Received: salt={salt!r}"
        )
    return [int(part) for part in parts]
