"""The way back through a recurrence: what all cells do with their gradients.

Letters as in `recurrent.py`. Time is walked backwards in chunks of steps. When a chunk
is done, its part of the gradients of weights and inputs is computed at once, while it
is still in cache (benchmarks/recurrent.py, "chunks").
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from minikeras.kernels import blocking
from minikeras.kernels.recurrent import Columns, Plan, Weights, runs, timewise

CHUNK_BYTES = 3 << 17  # of the gradients of products in a chunk
CHUNK_COLUMNS = 512  # steps times samples at least: sums of chunks cost a pass each


def chunks(length: int, rows: int, batch: int, itemsize: int) -> list[slice]:
    """Slices of time, the last one first, for gradients (T, rows, B)."""
    least = -(-CHUNK_COLUMNS // max(1, batch))
    size = max(1, least, CHUNK_BYTES // max(1, rows * batch * itemsize))
    return [slice(max(0, stop - size), stop) for stop in range(length, 0, -size)]


def last_first(*sequences: Any) -> Iterator[tuple[Any, ...]]:
    """The items of several sequences side by side, from the end."""
    return zip(*(sequence[::-1] for sequence in sequences), strict=True)


def arriving(g: np.ndarray, length: int, plan: Plan) -> list[np.ndarray | None]:
    """The gradient (U * B,) that reaches each step from outside, or None."""
    shown = g[:, :-1] if plan.carry else g
    steps = blocking.empty((shown.shape[1], g.shape[2], len(g)), g.dtype)
    steps[...] = shown.transpose(1, 2, 0)
    return [*[None] * (length - len(steps)), *runs(steps)]


class StateGradient:
    """The gradient of the state before a step, by that of the step's products.

    Args:
        recurrent: weights (U, G U).
    """

    def __init__(self, recurrent: np.ndarray, batch: int, plan: Plan):
        units, columns = recurrent.shape
        self.matrix, self.dropped = recurrent, plan.dropped
        if plan.dropped is not None:
            if plan.copies > 1:  # each copy meets its own gate
                self.matrix = np.zeros((plan.copies * units, columns), recurrent.dtype)
                for i in range(0, columns, units):
                    part = slice(i, i + units)
                    self.matrix[part, part] = recurrent[:, part]
            self.by_copy = np.empty((len(self.matrix), batch), recurrent.dtype)

    def __call__(self, z: np.ndarray, out: np.ndarray) -> None:
        if self.dropped is None:
            np.matmul(self.matrix, z, out)
            return
        np.matmul(self.matrix, z, self.by_copy)
        copies = self.by_copy.reshape(self.dropped.shape)
        np.multiply(copies, self.dropped, copies)
        np.add.reduce(copies, axis=0, out=out)


class OverTime:
    """The sum over steps and samples of z (T, R, B) times columns (T, K, B), (R, K)."""

    def __init__(self, rows: int, columns: int, dtype: Any):
        self.total = np.zeros((rows, columns), dtype)
        self._part = blocking.empty((rows, columns), dtype)

    def add(self, z: np.ndarray, columns: np.ndarray) -> None:
        """Add the sum over some of the steps."""
        np.matmul(_side_by_side(z), _side_by_side(columns).T, self._part)
        np.add(self.total, self._part, self.total)


def _side_by_side(steps: np.ndarray) -> np.ndarray:
    """(T, K, B) as (K, T B)."""
    length, rows, batch = steps.shape
    flat = blocking.empty((rows, length, batch), steps.dtype)
    np.copyto(flat, steps.transpose(1, 0, 2))
    return flat.reshape(rows, length * batch)


class InputGradient:
    """dx (B, T, F) from z (T, R, B), the gradient of kernel (F, R) times the inputs."""

    def __init__(self, kernel: np.ndarray, columns: Columns):
        length, _, batch = columns.steps.shape
        self._kernel = kernel
        shape = length - 1, len(kernel), batch
        self._steps = blocking.empty(shape, kernel.dtype)

    def add(self, part: slice, z: np.ndarray) -> None:
        """Find the gradient of some steps."""
        np.matmul(self._kernel, z, self._steps[part])

    def found(self, plan: Plan) -> np.ndarray:
        """dx, when all steps are found."""
        length, features, batch = self._steps.shape
        dx = blocking.empty((batch, length, features), self._steps.dtype)
        timewise(dx, plan)[...] = self._steps
        return dx


class Gradients:
    """Gradients of input and weights from z (T, G U, B), that of a cell's products."""

    def __init__(self, columns: Columns, w: Weights, wanted: str):
        self._columns, self._units, self._wanted = columns, len(w.recurrent), wanted
        self._input = InputGradient(w.kernel, columns) if "x" in wanted else None
        self._sums = None
        if set(wanted) & set("wub"):
            inputs, end = columns.inputs, columns.steps.shape[1]
            needed = [0] * ("u" in wanted) + [inputs.start] * ("w" in wanted)
            self._low = min([*needed, inputs.stop])
            self._sums = OverTime(w.kernel.shape[1], end - self._low, w.kernel.dtype)

    def add(self, part: slice, z: np.ndarray) -> None:
        """Take in the steps of a chunk."""
        if self._sums is not None:
            self._sums.add(z, self._columns.steps[part, self._low :])
        if self._input is not None:
            self._input.add(part, z)

    def found(self, plan: Plan) -> list[Any]:
        """dx, dkernel, drecurrent and dbias, None where not wanted."""
        gradients: list[Any] = [None] * 4
        if self._input is not None:
            gradients[0] = self._input.found(plan)
        if self._sums is not None:
            rows, first = self._sums.total, self._columns.inputs.start
            by_letter = {
                "w": rows[:, first - self._low : -1].T,
                "u": own_copies(rows[:, :first], self._units),
                "b": rows[:, -1],
            }
            for place, (letter, value) in enumerate(by_letter.items(), 1):
                gradients[place] = value if letter in self._wanted else None
        return gradients


def own_copies(rows: np.ndarray, units: int) -> np.ndarray:
    """drecurrent (U, G U) from rows (G U, n U): of n copies, each gate's own."""
    if rows.shape[1] > units:
        starts = range(0, len(rows), units)
        rows = np.concatenate([rows[i : i + units, i : i + units] for i in starts])
    return rows.T
