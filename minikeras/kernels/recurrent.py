"""What recurrent cells share: the sequence laid out for them, and their activations.

Letters: B batch, T steps, F features, U units, G gates. Steps count in the order of
processing. Arrays of a step are (rows, B), so that each gate is one contiguous block
and every call of NumPy in the loop over time runs over whole blocks.

All that a step multiplies with weights stands in `Columns`: state, input, and ones for
the bias. One product a step does it, and on the way back one product over all steps
gives the gradients of all weights. With a recurrent dropout mask for each gate there
are n = G masked copies of the state, else n = 1.
"""

from collections.abc import Iterator, Sequence
from math import prod
from typing import NamedTuple

import numpy as np

from minikeras.kernels import blocking

ACTIVATIONS = ("tanh", "sigmoid", "relu", "linear", "hard_sigmoid")


class Plan(NamedTuple):
    """What is to be done.

    Attributes:
        activation: of the candidate and the output, one of `ACTIVATIONS`.
        gate: activation of the gates.
        masked: where a step leaves the state as it is, (T, B).
        dropped: factors of recurrent dropout, (n, U, B).
        reverse: whether the last step is processed first.
        sequences: whether all steps are put out, or the last one.
        carry: whether the last cell state of an LSTM is put out behind them.
        reset_after: whether the reset gate of a GRU acts behind the matrix.
    """

    activation: str = "tanh"
    gate: str = "sigmoid"
    masked: np.ndarray | None = None
    dropped: np.ndarray | None = None
    reverse: bool = False
    sequences: bool = True
    carry: bool = False
    reset_after: bool = True

    @property
    def copies(self) -> int:
        """n, how often the state stands in a column."""
        return 1 if self.dropped is None else len(self.dropped)

    def held(self, length: int) -> list[np.ndarray | None]:
        """The masked samples of each step, or None where there are none."""
        if self.masked is None:
            return [None] * length
        return [samples if samples.any() else None for samples in self.masked]


class Weights(NamedTuple):
    """kernel (F, G U), recurrent (U, G U), bias (G U,) or None; a GRU with reset_after
    has a bias (2, G U)."""

    kernel: np.ndarray
    recurrent: np.ndarray
    bias: np.ndarray | None


# --- activations ----------------------------------------------------------------


def scale(name: str) -> float:
    """What `squash` wants the argument of the activation multiplied with."""
    return 0.5 if name == "sigmoid" else 1.0


def squash(name: str, z: np.ndarray, out: np.ndarray) -> None:
    """The activation, of z / scale. sigmoid(x) = tanh(x / 2) / 2 + 1 / 2: it cannot
    overflow, and one call of tanh may do all gates."""
    if name == "relu":
        np.maximum(z, 0, out=out)
    elif name == "hard_sigmoid":
        np.add(z, 3, out)
        np.maximum(out, 0, out=out)
        np.minimum(out, 6, out=out)
        np.divide(out, 6, out)
    elif name == "linear":
        if out is not z:
            np.copyto(out, z)
    else:
        np.tanh(z, out)
        if name == "sigmoid":
            np.multiply(out, 0.5, out)
            np.add(out, 0.5, out)


def slope(name: str, y: np.ndarray, out: np.ndarray) -> None:
    """The derivative of the activation by its output y."""
    if name == "relu":
        np.copyto(out, y > 0)
    elif name == "hard_sigmoid":
        np.copyto(out, (y > 0) & (y < 1))
        np.divide(out, 6, out)
    elif name == "linear":
        out[...] = 1
    else:
        np.multiply(y, y, out)
        np.subtract(y if name == "sigmoid" else 1, out, out)


FLUSH_EVERY = 8  # steps


def flush(*fading: np.ndarray) -> None:
    """Round to multiples of 1e-32, in float32.

    A state or gradient that fades over many steps becomes denormal, and all that is
    computed from it several times slower (benchmarks/recurrent.py, "denormals").
    """
    info = np.finfo(fading[0].dtype)
    if info.bits < 32:
        return  # float16 has no room for this
    shift = float(info.tiny / info.eps) * 2**20
    for values in fading:
        np.add(values, shift, values)
        np.subtract(values, shift, values)


# --- the sequence ---------------------------------------------------------------


class Columns(NamedTuple):
    """Steps (T + 1, n U + F + 1, B), of which the last one has no input, and the states
    before and after each, (T + 1, U * B): one run a step, which NumPy does fastest."""

    steps: np.ndarray
    states: np.ndarray
    inputs: slice
    units: int

    @classmethod
    def of(
        cls, x: np.ndarray, h: np.ndarray | None, units: int, plan: Plan
    ) -> "Columns":
        batch, length, features = x.shape
        first = plan.copies * units
        inputs = slice(first, first + features)
        steps = blocking.empty((length + 1, inputs.stop + 1, batch), x.dtype)
        steps[:-1, inputs] = timewise(x, plan)
        steps[:-1, -1] = 1
        if plan.dropped is None:
            states = runs(steps)[:, : units * batch]
        else:
            states = blocking.empty((length + 1, units * batch), x.dtype)
        states[0].reshape(units, batch)[...] = 0 if h is None else h.T
        return cls(steps, states, inputs, units)

    def seen(self, plan: Plan) -> Iterator[np.ndarray]:
        """The column of each step; to be asked for when its state is known."""
        if plan.dropped is None:
            yield from self.steps[:-1]
            return
        shape = plan.dropped.shape
        for step, state in zip(self.steps[:-1], self.states, strict=False):
            copies = step[: self.inputs.start].reshape(shape)
            np.multiply(state.reshape(shape[1:]), plan.dropped, copies)
            yield step


def runs(steps: np.ndarray) -> np.ndarray:
    """(T, K, B) or (T, S, U, B) as (T, K * B) or (T, S * U * B)."""
    return steps.reshape(len(steps), prod(steps.shape[1:]))


def timewise(x: np.ndarray, plan: Plan) -> np.ndarray:
    """x (B, T, F) seen as (T, F, B), in the order of processing."""
    return (x[:, ::-1] if plan.reverse else x).transpose(1, 2, 0)


def hold(masked: np.ndarray, new: np.ndarray, old: np.ndarray) -> None:
    """Put old values (U * B,) back in the masked samples (B,)."""
    table, before = (values.reshape(-1, len(masked)) for values in (new, old))
    np.copyto(table, np.where(masked, before, table))  # where= takes twice as long


def output(columns: Columns, carry: np.ndarray | None, plan: Plan) -> np.ndarray:
    """States to be put out, (B, T or 1, U), and behind them the cell state if any."""
    shown = columns.states[1:] if plan.sequences else columns.states[-1:]
    length, batch, units = len(shown), columns.steps.shape[2], columns.units
    y = blocking.empty((batch, length + (carry is not None), units), shown.dtype)
    y[:, :length] = shown.reshape(length, units, batch).transpose(2, 0, 1)
    if carry is not None:
        y[:, length] = carry.reshape(units, batch).T
    return y


def stacked(
    w: Weights, gates: Sequence[int], scales: Sequence[float], plan: Plan
) -> np.ndarray:
    """The weights of the columns, (len(gates) U, n U + F + 1)."""
    units, rows = len(w.recurrent), plan.copies * len(w.recurrent)
    stack = np.zeros((rows + len(w.kernel) + 1, len(gates) * units), w.kernel.dtype)
    for place, gate in enumerate(gates):
        source, target = (slice(i * units, (i + 1) * units) for i in (gate, place))
        first = gate * units if plan.copies > 1 else 0
        stack[first : first + units, target] = w.recurrent[:, source]
        stack[rows:-1, target] = w.kernel[:, source]
        if w.bias is not None:
            stack[-1, target] = w.bias[source]
        if scales[place] != 1:
            stack[:, target] *= scales[place]
    return stack.T
