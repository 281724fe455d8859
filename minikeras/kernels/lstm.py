"""Long short-term memory over a whole sequence, there and back.

Letters and columns as in `recurrent.py`. The gates are i, f, g (the candidate) and o:

    c = f * c before + i * g,    h = o * t,    t = activation(c)

A step keeps the slots [i, f, o, g, c before, t], in which what one call takes together
is side by side. On the way back the order is that of the weights: i, f, g, o.
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
    Gradients,
    StateGradient,
    arriving,
    chunks,
    last_first,
)

GATES = 4
ORDER = (0, 1, 3, 2)  # i, f, o, g
INPUT, FORGET, OUTPUT, CANDIDATE, CELL, BENT = range(6)


class Tape(NamedTuple):
    """What the way back needs; the slots are (T, 6, U, B)."""

    columns: Columns
    slots: np.ndarray


def forward(
    x: np.ndarray, w: Weights, states: Any, plan: Plan, keep: bool
) -> tuple[np.ndarray, Tape]:
    """Outputs (B, T or 1, U), and behind them the last c if the plan says so.

    Args:
        states: h and c before the first step, (B, U); None for zeros.
        keep: whether `backward` will be called with the tape.
    """
    batch, length, _ = x.shape
    units = len(w.recurrent)
    columns = Columns.of(x, states[0], units, plan)
    slots = blocking.empty((length if keep else 1, 6, units, batch), x.dtype)
    last, past = np.empty((2, units, batch), x.dtype)
    products = np.empty((2, units, batch), x.dtype)
    slots[0, CELL] = 0 if states[1] is None else states[1].T
    scales = [scale(plan.gate)] * 3 + [scale(plan.activation)]
    stack = stacked(w, ORDER, scales, plan)
    usual = _usual(plan)
    each = list(slots) if keep else [slots[0]] * length
    steps = zip(
        columns.seen(plan),
        each,
        [*(now[CELL] for now in each[1:]), last],
        columns.states[:-1],
        columns.states[1:],
        plan.held(length),
        strict=True,
    )
    for number, (seen, now, cell, old, new, masked) in enumerate(steps, 1):
        np.matmul(stack, seen, now[INPUT:CELL].reshape(4 * units, batch))
        gates, candidate, bent = now[INPUT:CANDIDATE], now[CANDIDATE], now[BENT]
        if usual:
            np.tanh(now[INPUT:CELL], now[INPUT:CELL])
            np.multiply(gates, 0.5, gates)
            np.add(gates, 0.5, gates)
        else:
            squash(plan.gate, gates, gates)
            squash(plan.activation, candidate, candidate)
        np.multiply(now[INPUT:OUTPUT], now[CANDIDATE:BENT], products)
        if masked is not None:
            np.copyto(past, now[CELL])
        np.add(products[0], products[1], cell)
        if usual:
            np.tanh(cell, bent)
        else:
            np.multiply(cell, scale(plan.activation), bent)
            squash(plan.activation, bent, bent)
        np.multiply(now[OUTPUT], bent, new)
        if masked is not None:
            hold(masked, new, old)
            hold(masked, cell, past)
        flush(number, new, cell)
    return output(columns, last if plan.carry else None, plan), Tape(columns, slots)


def backward(
    tape: Tape, w: Weights, g: np.ndarray, plan: Plan, wanted: str
) -> list[Any]:
    """Gradients of x, kernel, recurrent, bias, h and c, which are the letters "xwubhc":
    what is not wanted may be None."""
    columns, slots = tape
    length, _, units, batch = slots.shape
    outside, held = arriving(g, length, plan), plan.held(length)
    found = Gradients(columns, w, wanted)
    back = StateGradient(w.recurrent, batch, plan)
    slopes = Slopes.of(np.empty((7, units, batch), g.dtype))
    fill = slopes.by_products if _usual(plan) else slopes.by_outputs
    both = np.zeros((2, units, batch), g.dtype)
    dh, dc = both
    if plan.carry:
        dc[...] = g[:, -1].T
    parts = chunks(length, 4 * units, batch, g.itemsize)
    steps_at_once = parts[0].stop - parts[0].start
    room = blocking.empty(
        (steps_at_once, 5, units, batch), g.dtype
    )  # i, f, g, o, spare
    for part in parts:
        times = range(length)[part]
        gradients = room[: len(times)]
        z = gradients[:, :4].reshape(len(times), 4 * units, batch)
        steps = last_first(
            times,
            z,
            gradients[:, :3],
            gradients[:, 3:],
            gradients[:, 4],
            slots[part],
            slots[part, FORGET],
            columns.states[1:][part],
            outside[part],
            held[part],
        )
        for number, d, by_c, by_h, spare, now, forget, state, more, masked in steps:
            if more is not None:
                np.add(dh, more, dh)
            fill(now, state, plan)
            np.multiply(dh, slopes.of_h, by_h)
            if masked is not None:
                np.copyto(by_h, 0, where=masked)
                np.copyto(slopes.of_c, 0, where=masked)
                forget = np.where(masked, 1, forget)
                past = np.where(masked, dh, 0)
            np.add(dc, spare, dc)
            np.multiply(dc, slopes.of_c, by_c)
            np.multiply(dc, forget, dc)
            back(d, dh)
            if masked is not None:
                np.add(dh, past, dh)
            flush(number, both)
        found.add(part, z)
    return [*found.found(plan), dh.T, dc.T]


class Slopes(NamedTuple):
    """Derivatives in a step: of h by the argument of o and by c, `of_h` (2, U, B); of c
    by the arguments of i, f and g, `of_c` (3, U, B)."""

    of_h: np.ndarray
    of_c: np.ndarray
    by_o: np.ndarray
    by_c: np.ndarray
    by_gates: np.ndarray
    by_g: np.ndarray
    products: np.ndarray

    @classmethod
    def of(cls, room: np.ndarray) -> "Slopes":
        return cls(room[:2], room[2:5], room[0], room[1], room[2:4], room[4], room[5:])

    def by_products(self, now: np.ndarray, h: np.ndarray, plan: Plan) -> None:
        """For tanh and sigmoid, in few calls: t o (1 - o) = h - h o, and so on."""
        np.multiply(h, now[OUTPUT :: BENT - OUTPUT], self.of_h)
        np.subtract(h, self.by_o, self.by_o)
        np.subtract(now[OUTPUT], self.by_c, self.by_c)
        products, gates = self.products, now[INPUT:OUTPUT]
        np.multiply(gates, now[CANDIDATE:BENT], products)
        np.multiply(gates, products, self.by_gates)
        np.multiply(products[0], now[CANDIDATE], self.by_g)
        np.subtract(products, self.by_gates, self.by_gates)
        np.subtract(now[INPUT], self.by_g, self.by_g)

    def by_outputs(self, now: np.ndarray, h: np.ndarray, plan: Plan) -> None:
        """For any activations."""
        slope(plan.gate, now[OUTPUT], self.by_o)
        np.multiply(self.by_o, now[BENT], self.by_o)
        slope(plan.activation, now[BENT], self.by_c)
        np.multiply(self.by_c, now[OUTPUT], self.by_c)
        slope(plan.gate, now[INPUT:OUTPUT], self.by_gates)
        np.multiply(self.by_gates, now[CANDIDATE:BENT], self.by_gates)
        slope(plan.activation, now[CANDIDATE], self.by_g)
        np.multiply(self.by_g, now[INPUT], self.by_g)


def _usual(plan: Plan) -> bool:
    return plan.activation == "tanh" and plan.gate == "sigmoid"
