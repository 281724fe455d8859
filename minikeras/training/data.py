"""Batches from whatever a user passes: arrays, lists, datasets, generators.

Every source offers `steps` (batches in an epoch, None if unknown), `size` (samples in
a batch, None if unknown) and `epoch()`, an iterator of (x, y, sample_weight).
"""

import warnings
from collections.abc import Iterator, Mapping
from math import ceil, floor
from typing import Any

import numpy as np

from minikeras import config
from minikeras.kernels import blocking

Batch = tuple[Any, Any, Any]
DEFAULT_BATCH_SIZE = 32


class ArrayBatches:
    """Batches of arrays of equal length. Only what a batch needs is read.

    Args:
        x: inputs, samples along the first axis.
        y: targets, or None.
        sample_weight: a number for each sample, or None.
        batch_size: samples in a batch; 32 for None.
        shuffle: a new order in each epoch; `"batch"` keeps batches together.
        class_weight: class -> weight of its samples.

    Raises:
        ValueError: if the lengths differ, there are no samples, or the options
            exclude each other.
    """

    def __init__(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        batch_size: int | None = None,
        shuffle: bool | str = False,
        class_weight: Mapping[int, float] | None = None,
    ):
        self.x = as_array(x, "x")
        self.y = None if y is None else as_array(y, "y")
        self.weight = (
            None if sample_weight is None else as_array(sample_weight, "sample_weight")
        )
        lengths = {
            name: len(array)
            for name, array in (
                ("x", self.x),
                ("y", self.y),
                ("sample_weight", self.weight),
            )
            if array is not None
        }
        if len(set(lengths.values())) > 1:
            text = ", ".join(f"{n} has {k}" for n, k in lengths.items())
            raise ValueError(
                f"All arrays must have the same number of samples: {text}. The "
                "samples are along the first axis."
            )
        self.count = lengths["x"]
        if self.count == 0:
            raise ValueError(
                f"There are no samples: x has the shape {self.x.shape}. Pass at least "
                "one sample."
            )
        self.size = _batch_size(batch_size)
        self.steps: int | None = ceil(self.count / self.size)
        if class_weight is not None:
            if self.y is None or self.weight is not None:
                raise ValueError(
                    "`class_weight` needs `y`, and cannot be used together with "
                    "`sample_weight`; multiply them into one `sample_weight`."
                )
            self.weight = weights_of_classes(self.y, class_weight)
        if shuffle not in (True, False, "batch"):
            raise ValueError(
                f"`shuffle` must be True, False or 'batch'. Received: {shuffle!r}"
            )
        self.shuffle = shuffle
        self._generator: Any = (
            np.random.default_rng(config.next_seed()) if shuffle else None
        )

    def epoch(self) -> Iterator[Batch]:
        """The batches of one epoch."""
        order = None
        starts = np.arange(0, self.count, self.size)
        if self.shuffle == "batch":
            self._generator.shuffle(starts)
        elif self.shuffle:
            order = self._generator.permutation(self.count)
        for start in starts:
            part = slice(int(start), int(min(start + self.size, self.count)))
            picked = part if order is None else order[part]
            yield tuple(
                None if array is None else take(array, picked)
                for array in (self.x, self.y, self.weight)
            )  # type: ignore[misc]


class SequenceBatches:
    """Batches of an object with `__len__` and `__getitem__`, such as Keras' PyDataset.

    Its `on_epoch_begin` and `on_epoch_end` are called if it has them.
    """

    def __init__(
        self, source: Any, shuffle: bool, class_weight: Mapping[int, float] | None
    ):
        self.source = source
        self.steps: int | None = len(source)
        self.size = None
        self.shuffle = shuffle
        self._class_weight = class_weight
        self._generator: Any = (
            np.random.default_rng(config.next_seed()) if shuffle else None
        )

    def epoch(self) -> Iterator[Batch]:
        """The batches of one epoch."""
        self.steps = len(self.source)
        order = np.arange(self.steps)
        if self.shuffle:
            self._generator.shuffle(order)
        getattr(self.source, "on_epoch_begin", lambda: None)()
        for index in order:
            yield unpack_batch(self.source[int(index)], self._class_weight)
        getattr(self.source, "on_epoch_end", lambda: None)()


class IterableBatches:
    """Batches of an iterable. A generator can be gone through once only."""

    def __init__(self, source: Any, class_weight: Mapping[int, float] | None):
        self.source = source
        self.size = None
        try:
            self.steps: int | None = len(source)
        except TypeError:
            self.steps = None
        self._class_weight = class_weight

    def epoch(self) -> Iterator[Batch]:
        """The batches of one epoch, or what a generator has left."""
        for batch in self.source:
            yield unpack_batch(batch, self._class_weight)


Source = ArrayBatches | SequenceBatches | IterableBatches


def batches(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    batch_size: int | None = None,
    shuffle: bool | str = False,
    class_weight: Mapping[int, float] | None = None,
    steps: int | None = None,
) -> Source:
    """The right source of batches for what a user passed as `x`.

    Raises:
        ValueError: if options are passed that a dataset already decides.
        TypeError: if nothing can be made of `x`.
    """
    if steps is not None and (not isinstance(steps, int | np.integer) or steps < 1):
        raise ValueError(
            f"The number of steps must be a positive integer. Received: {steps!r}"
        )
    if is_dataset(x):
        for name, value in (("y", y), ("sample_weight", sample_weight)):
            if value is not None:
                raise ValueError(
                    f"`{name}` must be left out when x is a dataset or generator: it "
                    "yields (x, y) or (x, y, sample_weight) itself."
                )
        if batch_size is not None:
            raise ValueError(
                "`batch_size` must be left out when x is a dataset or generator: it "
                f"yields whole batches. Received: batch_size={batch_size}"
            )
        if hasattr(x, "__getitem__") and hasattr(x, "__len__"):
            return SequenceBatches(x, bool(shuffle), class_weight)
        return IterableBatches(x, class_weight)
    return ArrayBatches(x, y, sample_weight, batch_size, shuffle, class_weight)


def is_dataset(x: Any) -> bool:
    """Whether `x` yields batches, rather than being an array or list of numbers."""
    if x is None:
        raise TypeError(
            "`x` is missing. Pass an array, a list, or something that yields batches."
        )
    if isinstance(x, list | tuple | str | bytes | dict) or hasattr(x, "__array__"):
        return False
    if hasattr(x, "shape"):
        return False
    if hasattr(x, "__iter__") or hasattr(x, "__getitem__"):
        return True
    raise TypeError(
        "`x` must be an array, a list, or something that yields (x, y) batches. "
        f"Received: {x!r} of type {type(x).__name__}"
    )


def as_array(value: Any, name: str) -> np.ndarray:
    """`value` as an array of numbers with samples along its first axis.

    A list with one array in it is that array, as in Keras.

    Raises:
        ValueError: if it has no first axis, is ragged or holds something else.
    """
    if isinstance(value, list | tuple) and len(value) == 1 and np.ndim(value[0]) > 1:
        if isinstance(value[0], np.ndarray):
            value = value[0]
    if isinstance(value, dict):
        raise ValueError(
            f"`{name}` is a dictionary, but the model has one input and one output. "
            "Pass an array."
        )
    if isinstance(value, np.ndarray):
        array = value
    else:
        try:
            array = np.asarray(value)
        except ValueError as error:
            raise ValueError(
                f"`{name}` cannot be made into one array: its parts have different "
                "shapes. Pad them to one length, or pass an array."
            ) from error
    if (
        name == "x"
        and array.dtype == object
        and all(isinstance(item, str) for item in array.flat)
    ):
        array = array.astype(str)
    if array.dtype.kind not in ("fiubUS" if name == "x" else "fiub"):
        raise ValueError(
            f"`{name}` must hold numbers. Received an array of dtype {array.dtype}."
        )
    if array.ndim == 0:
        raise ValueError(
            f"`{name}` must have samples along its first axis. Received one number: "
            f"{value!r}"
        )
    return array


def is_one_batch(x: Any, batch_size: int | None) -> bool:
    """Whether x is an array of numbers with samples for one batch, and not more."""
    return (
        type(x) is np.ndarray
        and x.ndim > 0
        and x.dtype.kind in "fiub"
        and 0 < len(x) <= (DEFAULT_BATCH_SIZE if batch_size is None else batch_size)
    )


def one_batch(x: Any, y: Any, weight: Any, class_weight: Any) -> Batch:
    """All samples as one batch."""
    if x is None:
        raise ValueError("`x` is missing. Pass an array with one batch of samples.")
    length = max(1, len(as_array(x, "x")))
    batch = ArrayBatches(x, y, weight, length, class_weight=class_weight)
    return next(batch.epoch())


def take(array: np.ndarray, picked: slice | np.ndarray) -> np.ndarray:
    """Some samples of an array; float64 becomes the default float type."""
    if isinstance(picked, slice):
        part = np.asarray(array[picked])
    elif isinstance(array, np.memmap) or not array.flags.c_contiguous:
        part = np.asarray(array[picked])
    else:
        part = blocking.empty((len(picked), *array.shape[1:]), array.dtype)
        array.take(picked, axis=0, out=part, mode="clip")
    return part.astype(config.floatx()) if part.dtype == np.float64 else part


def unpack_batch(batch: Any, class_weight: Mapping[int, float] | None = None) -> Batch:
    """What a dataset yielded, as (x, y, sample_weight).

    Raises:
        ValueError: if it is a tuple of another length.
    """
    x, y, weight = unpack(batch)
    x = take(as_array(x, "x"), slice(None))
    y = None if y is None else take(as_array(y, "y"), slice(None))
    if weight is not None:
        weight = take(as_array(weight, "sample_weight"), slice(None))
    if class_weight is not None:
        if y is None or weight is not None:
            raise ValueError(
                "`class_weight` needs batches (x, y) without sample weights."
            )
        weight = weights_of_classes(y, class_weight)
    return x, y, weight


def unpack(data: Any) -> Batch:
    """`x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)` as three things."""
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            "Data must be x, (x, y) or (x, y, sample_weight). Received a tuple of "
            f"{len(data)}."
        )
    x, y, weight = (*data, None, None)[:3]
    return x, y, weight


def pack(x: Any, y: Any = None, weight: Any = None) -> Any:
    """Three things as the shortest of x, (x, y) and (x, y, sample_weight)."""
    if weight is not None:
        return x, y, weight
    return x if y is None else (x, y)


def weights_of_classes(y: np.ndarray, class_weight: Mapping[int, float]) -> np.ndarray:
    """The weight of each sample's class; 1 for classes that are not named."""
    labels = np.asarray(y)
    if labels.ndim > 1:
        labels = labels.argmax(-1) if labels.shape[-1] != 1 else labels[..., 0]
    labels = np.round(labels).astype(np.int64)
    classes, places = np.unique(labels, return_inverse=True)
    table = [class_weight.get(int(c), 1.0) for c in classes]
    return np.array(table, config.floatx())[places.reshape(labels.shape)]


def split_off_validation(
    x: Any, y: Any, sample_weight: Any, share: float
) -> tuple[Batch, Batch]:
    """The last `share` of the samples, before any shuffling, for validation.

    Raises:
        ValueError: if `share` is not between 0 and 1, leaves nothing on one side, or
            `x` is not an array.
    """
    if not 0 < share < 1:
        raise ValueError(
            f"`validation_split` must be between 0 and 1. Received: {share!r}"
        )
    if is_dataset(x):
        raise ValueError(
            "`validation_split` needs arrays, which can be cut. For a dataset or "
            "generator pass `validation_data`."
        )
    names = ("x", "y", "sample_weight")
    arrays = [
        None if value is None else as_array(value, name)
        for value, name in zip((x, y, sample_weight), names, strict=True)
    ]
    count = len(arrays[0])  # type: ignore[arg-type]
    cut = floor(count * (1.0 - share))
    if cut in (0, count):
        raise ValueError(
            f"`validation_split={share}` of {count} samples leaves none for "
            f"{'training' if cut == 0 else 'validation'}. Pass more samples or "
            "another share."
        )
    first = tuple(None if a is None else a[:cut] for a in arrays)
    last = tuple(None if a is None else a[cut:] for a in arrays)
    return first, last  # type: ignore[return-value]


class Epochs:
    """Goes through a source, epoch by epoch, in steps the user may have limited.

    Args:
        source: where the batches come from.
        steps: batches in an epoch; all of them for None.
    """

    def __init__(self, source: Source, steps: int | None = None):
        self.source = source
        self._limit = steps
        self._running: Iterator[Batch] | None = None
        self.exhausted = False

    @property
    def steps(self) -> int | None:
        """Batches in an epoch, if known."""
        return self._limit if self._limit is not None else self.source.steps

    def epoch(self) -> Iterator[Batch]:
        """The batches of the next epoch. With a limit, the next goes on from there."""
        if self._limit is None:
            yield from self.source.epoch()
            return
        fresh = False
        for done in range(self._limit):
            if self._running is None:
                self._running, fresh = self.source.epoch(), True
            batch = next(self._running, None)
            if batch is None and not fresh:
                self._running, fresh = self.source.epoch(), True
                batch = next(self._running, None)
            if batch is None:
                self.exhausted = True
                warnings.warn(
                    f"The data ran out after {done} of {self._limit} steps. Make sure "
                    "that it yields at least steps_per_epoch * epochs batches.",
                    stacklevel=3,
                )
                return
            fresh = False
            yield batch


def _batch_size(size: Any) -> int:
    if size is None:
        return DEFAULT_BATCH_SIZE
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
        raise ValueError(
            f"`batch_size` must be a positive integer. Received: batch_size={size!r}"
        )
    return int(size)
