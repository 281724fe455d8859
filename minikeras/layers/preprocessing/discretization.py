"""Numbers as the indices of the intervals they fall into."""

from typing import Any

import numpy as np

from minikeras.layers.layer import Layer, family
from minikeras.layers.preprocessing import encoding
from minikeras.layers.preprocessing.tokens import (
    batches_of,
    is_one_array,
    refuse_steps,
)
from minikeras.ops.numpy import convert_to_numpy
from minikeras.validation import positive_int

_OWNER = "Discretization"


@family.add()
class Discretization(Layer):
    """Numbers as whole ones: in which interval between boundaries they are.

    A number is in interval i if boundaries[i - 1] <= number < boundaries[i].

    Args:
        bin_boundaries: ascending boundaries of the intervals.
        num_bins: how many intervals `adapt` is to make, with about equally many numbers
            in each; instead of `bin_boundaries`.
        epsilon: how exactly `adapt` finds them: it keeps about 1 / epsilon numbers.
        output_mode: `"int"`, `"one_hot"`, `"multi_hot"` or `"count"`, as in
            `CategoryEncoding`.
        dtype: number type of the output, other than for `"int"`, which gives int32.

    Input shape: any. Output shape: the input's; other modes as in `CategoryEncoding`.

    Raises:
        ValueError: if both or neither of `bin_boundaries` and `num_bins` are given, for
            boundaries that do not ascend, `sparse`, calls before `adapt`, and `adapt`
            with given boundaries.

    >>> Discretization([0.0, 1.0])(np.array([-1.5, 0.0, 0.5, 3.4]))
    array([0, 1, 1, 2], dtype=int32)
    """

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ):
        super().__init__(name=name, dtype=dtype)
        encoding.refuse(_OWNER, sparse=sparse)
        self.sparse = False
        modes = ("int", "one_hot", "multi_hot", "count")
        self.output_mode = encoding.output_mode(output_mode, modes, _OWNER)
        if (num_bins is None) == (bin_boundaries is None):
            raise ValueError(
                "Discretization needs `bin_boundaries`, or `num_bins` and `adapt`. "
                f"Received: bin_boundaries={bin_boundaries!r}, num_bins={num_bins!r}"
            )
        if not isinstance(epsilon, int | float) or not 0 < epsilon <= 1:
            raise ValueError(
                "Discretization: `epsilon` must be a number above 0, at most 1. "
                f"Received: epsilon={epsilon!r}"
            )
        self.num_bins = num_bins
        if num_bins is not None:
            self.num_bins = positive_int(num_bins, "num_bins", _OWNER)
        self.bin_boundaries = _ascending(bin_boundaries)
        self.epsilon = epsilon
        self.summary: np.ndarray
        self.reset_state()

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Choose boundaries that cut the data into `num_bins` parts of equal counts.

        Args:
            data: an array, or a list, generator or dataset that yields batches.
            steps: how many batches to take; all for None.
        """
        if self.num_bins is None:
            raise ValueError(
                f"{self._owner()} cannot be adapted: it was made with "
                "`bin_boundaries`. Pass `num_bins` instead."
            )
        self.reset_state()
        if is_one_array(data, lists=False):
            refuse_steps(steps, self._owner())
            self.update_state(data)
        else:
            for batch in batches_of(data, steps, self._owner()):
                self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Take account of one batch."""
        values = np.asarray(convert_to_numpy(data), np.float32)
        if not np.isfinite(values).all():
            raise ValueError(
                f"{self._owner()}: adapt received NaN or infinite numbers, among which "
                "boundaries cannot be chosen. Leave them out."
            )
        both = np.concatenate([_summary(values, self.epsilon), self.summary], axis=1)
        order = np.argsort(both[0])
        self.summary = _compressed(both[:, order], self.epsilon)

    def finalize_state(self) -> None:
        """Make boundaries of what `update_state` received."""
        if self.num_bins is None:
            return
        if self.summary.size == 0:
            raise ValueError(f"{self._owner()}: adapt received no numbers.")
        summary = _compressed(self.summary, 1.0 / self.num_bins)
        self.bin_boundaries = summary[0, :-1].tolist()

    def reset_state(self) -> None:
        """Forget what `update_state` received."""
        self.summary = np.empty((2, 0), np.float32)

    def call(self, inputs: Any) -> Any:
        if self.bin_boundaries is None:
            raise ValueError(
                f"{self._owner()} has no boundaries yet. Pass `bin_boundaries`, or "
                "call `adapt` with data first."
            )
        x = convert_to_numpy(inputs)
        x = x if x.dtype.kind == "f" else x.astype(self.dtype)
        index = np.searchsorted(np.asarray(self.bin_boundaries, x.dtype), x, "right")
        dtype = "int32" if self.output_mode == "int" else self.dtype
        depth = len(self.bin_boundaries) + 1
        return encoding.encode(np.asarray(index), self.output_mode, depth, dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        depth = self.num_bins
        if self.bin_boundaries is not None:
            depth = len(self.bin_boundaries) + 1
        return encoding.encoded_shape(input_shape, self.output_mode, depth)

    def get_config(self) -> dict[str, Any]:
        return {
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "name": self.name,
            "dtype": self.dtype,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Discretization":
        """A layer from what `get_config` returned; an adapted one stays adapted."""
        config = dict(config)
        adapted = None
        if config.get("num_bins") is not None:
            adapted = config.pop("bin_boundaries", None)
        layer = cls(**config)
        if adapted is not None:
            layer.bin_boundaries = _ascending(adapted)
        return layer


def _ascending(boundaries: Any) -> list[float] | None:
    if boundaries is None:
        return None
    array = np.asarray(boundaries)
    if (
        array.ndim != 1
        or (array.size and array.dtype.kind not in "iuf")
        or not (array[:-1] <= array[1:]).all()
    ):
        raise ValueError(
            "Discretization: `bin_boundaries` must be a list of ascending numbers. "
            f"Received: bin_boundaries={boundaries!r}"
        )
    return array.tolist()


# A summary is a row of ascending values over a row of how many numbers each stands for.


def _summary(values: np.ndarray, epsilon: float) -> np.ndarray:
    """At most about 1 / epsilon of the values, evenly spaced in their order."""
    values = np.sort(values, axis=None)
    step = max(values.size / (1.0 / epsilon), 1.0)
    kept = values[int(step - 1) :: int(step)]
    return np.stack([kept, np.full_like(kept, step)])


def _compressed(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """1 / epsilon values that stand for equally many numbers each, by interpolation."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    total = summary[1].cumsum()
    values = np.interp(shares, total / total[-1], summary[0])
    counts = np.diff(np.interp(shares, total / total[-1], total), prepend=0)
    return np.stack([values, counts]).astype(np.float32)
