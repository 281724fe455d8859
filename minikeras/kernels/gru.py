"""Gated recurrent units over a whole sequence, there and back.

Letters and columns as in `recurrent.py`. The gates are z, r and the candidate a:

    h = z * h before + (1 - z) * a = a + z * (h before - a)

With reset_after, a = activation(x part + r * q) with q the state's part; without it,
a = activation(x part + recurrent weights times (r * h before)). A step keeps the slots
[z, r, q, p, a, m]: p is the product with r, m that with z.
"""

from typing import Any, NamedTuple

import numpy as np

from minikeras.kernels import blocking
from minikeras.kernels.recurrent import (
    Columns,
    Plan,
    Weights,
    flush,
    hold,
    output,
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

GATES = 3
Z, R, Q, P, A, M = range(6)


class Tape(NamedTuple):
    """What the way back needs; the slots are (T, 6, U, B)."""

    columns: Columns
    slots: np.ndarray


def forward(
    x: np.ndarray, w: Weights, states: Any, plan: Plan, keep: bool
) -> tuple[np.ndarray, Tape]:
    """As in `lstm.forward`, with one state."""
    batch, length, _ = x.shape
    units = len(w.recurrent)
    columns = Columns.of(x, states[0], units, plan)
    slots = blocking.empty((length if keep else 1, 6, units, batch), x.dtype)
    stack = _stack(w, plan)
    given = _candidate_inputs(columns, w, plan)
    inner = np.ascontiguousarray(w.recurrent[:, 2 * units :].T)
    factor = scale(plan.activation)
    steps = zip(
        columns.seen(plan),
        list(slots) if keep else [slots[0]] * length,
        given,
        _candidate_copies(columns, units),
        columns.states[:-1],
        columns.states[1:],
        plan.held(length),
        strict=True,
    )
    products = slice(Z, Q + 1 if plan.reset_after else Q)
    for number, (seen, now, inputs, copy, old, new, masked) in enumerate(steps, 1):
        gates, product, candidate, mixed = now[Z:Q], now[P], now[A], now[M]
        np.matmul(stack, seen, now[products].reshape(len(stack), batch))
        squash(plan.gate, gates, gates)
        if plan.reset_after:
            np.multiply(now[R], now[Q], product)
            np.add(product, inputs, candidate)
        else:
            np.multiply(now[R], copy, product)
            np.matmul(inner, product, candidate)
            np.add(candidate, inputs, candidate)
        if factor != 1:
            np.multiply(candidate, factor, candidate)
        squash(plan.activation, candidate, candidate)
        np.subtract(old, candidate, mixed)
        np.multiply(now[Z], mixed, mixed)
        np.add(candidate, mixed, new)
        if masked is not None:
            hold(masked, new, old)
        flush(number, new)
    return output(columns, None, plan), Tape(columns, slots)


def _candidate_copies(columns: Columns, units: int) -> np.ndarray:
    """The state before each step, with the dropout of the candidate if any."""
    behind = columns.inputs.start
    return columns.steps[:-1, behind - units : behind]


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
    tape: Tape, w: Weights, g: np.ndarray, plan: Plan, wanted: str
) -> list[Any]:
    """As in `lstm.backward`, with the letters "xwubh"."""
    columns, slots = tape
    length, _, units, batch = slots.shape
    outside, held = arriving(g, length, plan), plan.held(length)
    products = w.recurrent if plan.reset_after else w.recurrent[:, : 2 * units]
    back = StateGradient(products, batch, plan)
    candidate = w.recurrent[:, 2 * units :]
    slopes = Slopes.of(np.empty((4, units, batch), g.dtype))
    past, inner = np.empty((2, units, batch), g.dtype)
    dh = np.zeros((units, batch), g.dtype)
    parts = chunks(length, 3 * units, batch, g.itemsize)
    count = 4 if plan.reset_after else 3
    steps_at_once = parts[0].stop - parts[0].start
    room = blocking.empty((steps_at_once, count, units, batch), g.dtype)  # a, z, r, q
    found = Gradients(tape, w, plan, wanted)
    for part in parts:
        times = range(length)[part]
        gradients = room[: len(times)]
        steps = last_first(
            times,
            gradients,
            _rows(gradients[:, 1:]),
            slots[part],
            columns.states[part],
            _candidate_copies(columns, units)[part],
            outside[part],
            held[part],
        )
        for number, d, d_products, now, state, copy, more, masked in steps:
            if more is not None:
                np.add(dh, more, dh)
            slopes.fill(now, state, copy, plan)
            if masked is None:
                np.multiply(dh, now[Z], past)
            else:
                np.copyto(slopes.all, 0, where=masked)
                np.multiply(dh, np.where(masked, 1, now[Z]), past)
            if plan.reset_after:
                np.multiply(dh, slopes.all, d)
            else:
                np.multiply(dh, slopes.all[:2], d[:2])
                np.matmul(candidate, d[0], inner)
                np.multiply(inner, slopes.by_r, d[2])
                np.multiply(inner, now[R], inner)
                if plan.dropped is not None:
                    np.multiply(inner, plan.dropped[-1], inner)
                np.add(past, inner, past)
            back(d_products, dh)
            np.add(dh, past, dh)
            flush(number, dh)
        found.add(part, gradients)
    return [*found.found(plan), dh.T]


def _rows(gradients: np.ndarray) -> np.ndarray:
    """(T, count, U, B) as (T, count U, B)."""
    length, count, units, batch = gradients.shape
    return gradients.reshape(length, count * units, batch)


class Gradients:
    """Gradients of input and weights from those of a, z, r and q, (T, 4, U, B)."""

    def __init__(self, tape: Tape, w: Weights, plan: Plan, wanted: str):
        self._columns, self._slots = tape
        self._wanted, self._plan, self._units = wanted, plan, len(w.recurrent)
        units, dtype, inputs = self._units, w.kernel.dtype, self._columns.inputs
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
        steps, first = self._columns.steps[part], self._columns.inputs.start
        by_a, by_outer = gradients[:, 0], _rows(gradients[:, 1:])
        if "x" in self._wanted:
            self._input.add(part, _rows(gradients[:, :3]))
        if "w" in self._wanted or "b" in self._wanted:
            self._by_input.add(_rows(gradients[:, :3]), steps[:, self._low :])
        if "u" in self._wanted:
            self._by_state.add(by_outer, steps[:, :first])
            if not self._plan.reset_after:
                self._by_product.add(by_a, self._slots[part, P])
        if "b" in self._wanted and self._plan.reset_after:
            self._inner_bias += np.add.reduce(gradients[:, 3], axis=0).sum(axis=1)

    def found(self, plan: Plan) -> list[Any]:
        """dx, dkernel, drecurrent and dbias, None where not wanted."""
        dx = dkernel = drecurrent = dbias = None
        if "x" in self._wanted:
            dx = self._input.found(plan)
        by_input = np.roll(self._by_input.total, -self._units, axis=0)  # z, r, a
        if "w" in self._wanted:
            dkernel = by_input[:, :-1].T
        if "u" in self._wanted:
            drecurrent = own_copies(self._by_state.total, self._units)
            if not plan.reset_after:
                inner = self._by_product.total.T
                drecurrent = np.concatenate([drecurrent, inner], axis=1)
        if "b" in self._wanted:
            dbias = by_input[:, -1]
            if plan.reset_after:
                inner = np.concatenate([dbias[: 2 * self._units], self._inner_bias])
                dbias = np.stack([dbias, inner])
        return [dx, dkernel, drecurrent, dbias]


class Slopes(NamedTuple):
    """Derivatives of h by the arguments of a, z and r and by q, `all` (4, U, B);
    without reset_after, `by_r` is that of the product with r."""

    all: np.ndarray
    by_a: np.ndarray
    by_gates: np.ndarray
    by_z: np.ndarray
    by_r: np.ndarray
    by_q: np.ndarray

    @classmethod
    def of(cls, room: np.ndarray) -> "Slopes":
        return cls(room, room[0], room[1:3], room[1], room[2], room[3])

    def fill(
        self, now: np.ndarray, h: np.ndarray, copy: np.ndarray, plan: Plan
    ) -> None:
        """Args:
        now: slots of the step.
        h: the state before the step.
        copy: the same, with the dropout of the candidate.
        """
        if plan.gate == "sigmoid":  # z (1 - z) (h - a) = m - z m, and so for r
            products = now[M:Q:-2]
            np.multiply(now[Z:Q], products, self.by_gates)
            np.subtract(products, self.by_gates, self.by_gates)
        else:
            slope(plan.gate, now[Z:Q], self.by_gates)
            np.multiply(self.by_r, now[Q] if plan.reset_after else copy, self.by_r)
            np.subtract(h, now[A], self.by_q)
            np.multiply(self.by_z, self.by_q, self.by_z)
        slope(plan.activation, now[A], self.by_a)
        np.multiply(self.by_a, now[Z], self.by_q)
        np.subtract(self.by_a, self.by_q, self.by_a)
        if plan.reset_after:
            np.multiply(self.by_r, self.by_a, self.by_r)
            np.multiply(now[R], self.by_a, self.by_q)
