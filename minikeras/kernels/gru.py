"""Gated recurrent units over a whole sequence, there and back.

Letters and columns as in `recurrent.py`. The gates are z, r and the candidate a:

    h = z * h before + (1 - z) * a = a + z * (h before - a)

With reset_after, a = activation(x part + r * q) with q the state's part; without it,
a = activation(x part + recurrent weights times (r * h before)). A step keeps the slots
[z, r, q, m, p, a]: m is the product with z, p that with r.
"""

from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from minikeras.kernels import blocking
from minikeras.kernels.recurrent import (
    FLUSH_EVERY,
    Columns,
    Plan,
    Weights,
    flush,
    hold,
    output,
    runs,
    scale,
    slope,
    squash,
    stacked,
)
from minikeras.kernels.recurrent_back import (
    InputGradient,
    OverTime,
    StateGradient,
    arriving,
    chunks,
    last_first,
    own_copies,
)

PRODUCT = 4  # the slot of p


class Tape(NamedTuple):
    """What the way back needs; the slots are (T, 6 * U * B)."""

    columns: Columns
    slots: np.ndarray


def forward(
    x: np.ndarray, w: Weights, states: Any, plan: Plan, keep: bool
) -> tuple[np.ndarray, Tape]:
    """As in `lstm.forward`, with one state."""
    batch, length, _ = x.shape
    units = len(w.recurrent)
    n = units * batch
    columns = Columns.of(x, states[0], units, plan)
    slots = blocking.empty((length if keep else 1, 6 * n), x.dtype)
    stack = _stack(w, plan)
    inner = np.ascontiguousarray(w.recurrent[:, 2 * units :].T)
    factor = scale(plan.activation)

    def each(first: int, count: int) -> Any:
        """Some neighbouring slots, at each step."""
        found = slots[:, first * n : (first + count) * n]
        return found if keep else repeat(found[0], length)

    steps = zip(
        columns.seen(plan),
        each(0, 3 if plan.reset_after else 2),
        each(0, 2),
        *(each(slot, 1) for slot in range(6)),
        runs(_candidate_inputs(columns, w, plan)),
        _candidate_copies(columns, plan),
        columns.states[:-1],
        columns.states[1:],
        plan.held(length),
        strict=True,
    )
    for number, step in enumerate(steps, 1):
        seen, found, gates, z, r, q, m, p, a, given, copy, old, new, masked = step
        np.matmul(stack, seen, found.reshape(len(stack), batch))
        squash(plan.gate, gates, gates)
        if plan.reset_after:
            np.multiply(r, q, p)
            np.add(p, given, a)
        else:
            np.multiply(r, copy, p)
            np.matmul(inner, p.reshape(units, batch), a.reshape(units, batch))
            np.add(a, given, a)
        if factor != 1:
            np.multiply(a, factor, a)
        squash(plan.activation, a, a)
        np.subtract(old, a, m)
        np.multiply(z, m, m)
        np.add(a, m, new)
        if masked is not None:
            hold(masked, new, old)
        if number % FLUSH_EVERY == 0:
            flush(new)
    return output(columns, None, plan), Tape(columns, slots)


def _candidate_copies(columns: Columns, plan: Plan) -> np.ndarray:
    """The state before each step, with the dropout of the candidate if any."""
    n = columns.states.shape[1]
    last = plan.copies - 1
    return runs(columns.steps)[:-1, last * n : plan.copies * n]


def _biases(w: Weights, plan: Plan) -> tuple[Any, Any]:
    """Of the input and of the state, each (3 U,) or None."""
    if w.bias is None or not plan.reset_after:
        return w.bias, None
    return w.bias[0], w.bias[1]


def _stack(w: Weights, plan: Plan) -> np.ndarray:
    """Weights of the columns for z and r and, with reset_after, for q, which sees no
    input."""
    units = len(w.recurrent)
    bias, inner = _biases(w, plan)
    scales = [scale(plan.gate)] * 2
    if not plan.reset_after:
        return stacked(Weights(w.kernel, w.recurrent, bias), (0, 1), scales, plan)
    kernel = w.kernel.copy()
    kernel[:, 2 * units :] = 0
    if inner is not None:
        inner = inner.copy()
        inner[: 2 * units] += bias[: 2 * units]
    scales.append(1)
    return stacked(Weights(kernel, w.recurrent, inner), (0, 1, 2), scales, plan)


def _candidate_inputs(columns: Columns, w: Weights, plan: Plan) -> np.ndarray:
    """The input's part of the candidate at all steps, (T, U, B)."""
    units = len(w.recurrent)
    bias, _ = _biases(w, plan)
    seen = columns.steps[:-1, columns.inputs.start :]
    weights = np.zeros((seen.shape[1], units), seen.dtype)
    weights[:-1] = w.kernel[:, 2 * units :]
    if bias is not None:
        weights[-1] = bias[2 * units :]
    given = blocking.empty((len(seen), units, seen.shape[2]), seen.dtype)
    np.matmul(weights.T, seen, given)
    return given


def backward(
    tape: Tape, w: Weights, dy: np.ndarray, plan: Plan, wanted: str
) -> list[Any]:
    """As in `lstm.backward`, with the letters "xwubh"."""
    columns, slots = tape
    length, batch, units = len(slots), columns.steps.shape[2], columns.units
    n = units * batch
    outside, held = arriving(dy, length, plan), plan.held(length)
    products = w.recurrent if plan.reset_after else w.recurrent[:, : 2 * units]
    back = StateGradient(products, batch, plan)
    candidate = w.recurrent[:, 2 * units :]
    slopes = Slopes(*np.empty((4, n), dy.dtype))
    by_h, inner, past = np.zeros((3, units, batch), dy.dtype)
    dh, d_inner, d_past = (values.reshape(n) for values in (by_h, inner, past))
    factor = None if plan.dropped is None else plan.dropped[-1].reshape(n)
    parts = chunks(length, 3 * units, batch, dy.itemsize)
    count = 4 if plan.reset_after else 3
    steps_at_once = parts[0].stop - parts[0].start
    room = blocking.empty((steps_at_once, count * units, batch), dy.dtype)  # a, z, r, q
    found = Gradients(tape, w, plan, wanted)
    for part in parts:
        times = range(length)[part]
        gradients = room[: len(times)]
        each = runs(gradients)
        steps = last_first(
            times,
            gradients,
            *(each[:, slot * n : (slot + 1) * n] for slot in (0, 1, 2, count - 1)),
            *(slots[part, slot * n : (slot + 1) * n] for slot in range(6)),
            columns.states[part],
            _candidate_copies(columns, plan)[part],
            outside[part],
            held[part],
        )
        for number, d, da, dz, dr, dq, z, r, q, m, p, a, h, copy, more, masked in steps:
            if more is not None:
                np.add(dh, more, dh)
            slopes.fill(z, r, q if plan.reset_after else copy, m, p, a, h, plan)
            np.multiply(dh, slopes.by_a, da)
            np.multiply(dh, slopes.by_z, dz)
            np.multiply(dh, z, d_past)
            if masked is not None:
                np.copyto(d, 0, where=masked)
                np.copyto(past, np.where(masked, by_h, past))
            if plan.reset_after:
                np.multiply(da, slopes.by_r, dr)
                np.multiply(da, r, dq)
            else:
                np.matmul(candidate, d[:units], inner)
                np.multiply(d_inner, slopes.by_r, dr)
                np.multiply(d_inner, r, d_inner)
                if factor is not None:
                    np.multiply(d_inner, factor, d_inner)
                np.add(d_past, d_inner, d_past)
            back(d[units:], by_h)
            np.add(dh, d_past, dh)
            if number % FLUSH_EVERY == 0:
                flush(dh)
        found.add(part, gradients)
    return [*found.found(plan), by_h.T]


class Gradients:
    """Gradients of input and weights from those of a, z, r and q, (T, 4 U, B)."""

    def __init__(self, tape: Tape, w: Weights, plan: Plan, wanted: str):
        self._columns, self._slots = tape
        self._wanted, self._reset_after = wanted, plan.reset_after
        units, dtype, inputs = len(w.recurrent), w.kernel.dtype, self._columns.inputs
        kernel = np.roll(w.kernel, units, axis=1)  # as the gradients: a, z, r
        self._input = InputGradient(kernel, self._columns)
        self._low = inputs.start if "w" in wanted else inputs.stop
        self._by_input = OverTime(3 * units, inputs.stop + 1 - self._low, dtype)
        outer = 3 if plan.reset_after else 2
        self._by_state = OverTime(outer * units, inputs.start, dtype)
        self._by_product = OverTime(units, units, dtype)
        self._inner_bias = np.zeros(units, dtype)

    def add(self, part: slice, gradients: np.ndarray) -> None:
        """Take in the steps of a chunk."""
        columns, units = self._columns, self._columns.units
        steps, first = columns.steps[part], columns.inputs.start
        outer, inner = gradients[:, : 3 * units], gradients[:, units:]
        if "x" in self._wanted:
            self._input.add(part, outer)
        if "w" in self._wanted or "b" in self._wanted:
            self._by_input.add(outer, steps[:, self._low :])
        if "u" in self._wanted:
            self._by_state.add(inner, steps[:, :first])
            if not self._reset_after:
                n = units * steps.shape[2]
                product = self._slots[part, PRODUCT * n : (PRODUCT + 1) * n]
                product = product.reshape(len(steps), units, steps.shape[2])
                self._by_product.add(gradients[:, :units], product)
        if "b" in self._wanted and self._reset_after:
            by_q = np.add.reduce(gradients[:, 3 * units :], axis=0)
            self._inner_bias += by_q.sum(axis=1)

    def found(self, plan: Plan) -> list[Any]:
        """dx, dkernel, drecurrent and dbias, None where not wanted."""
        dx = dkernel = drecurrent = dbias = None
        units = self._columns.units
        if "x" in self._wanted:
            dx = self._input.found(plan)
        by_input = np.roll(self._by_input.total, -units, axis=0)  # z, r, a
        if "w" in self._wanted:
            dkernel = by_input[:, :-1].T
        if "u" in self._wanted:
            drecurrent = own_copies(self._by_state.total, units)
            if not plan.reset_after:
                inner = self._by_product.total.T
                drecurrent = np.concatenate([drecurrent, inner], axis=1)
        if "b" in self._wanted:
            dbias = by_input[:, -1]
            if plan.reset_after:
                inner = np.concatenate([dbias[: 2 * units], self._inner_bias])
                dbias = np.stack([dbias, inner])
        return [dx, dkernel, drecurrent, dbias]


class Slopes(NamedTuple):
    """Derivatives in a step: of h by the arguments of a and z; of the argument of a by
    that of r or, without reset_after, of its product with the state."""

    by_a: np.ndarray
    by_z: np.ndarray
    by_r: np.ndarray
    work: np.ndarray

    def fill(self, z, r, reset, m, p, a, h, plan: Plan) -> None:
        """Args: the slots; `reset`, what r is multiplied with; and the state before."""
        if plan.gate == "sigmoid":  # z (1 - z) (h - a) = m - z m, and so for r
            np.multiply(z, m, self.by_z)
            np.subtract(m, self.by_z, self.by_z)
            np.multiply(r, p, self.by_r)
            np.subtract(p, self.by_r, self.by_r)
        else:
            slope(plan.gate, z, self.by_z)
            np.subtract(h, a, self.work)
            np.multiply(self.by_z, self.work, self.by_z)
            slope(plan.gate, r, self.by_r)
            np.multiply(self.by_r, reset, self.by_r)
        slope(plan.activation, a, self.by_a)
        np.multiply(self.by_a, z, self.work)
        np.subtract(self.by_a, self.work, self.by_a)
