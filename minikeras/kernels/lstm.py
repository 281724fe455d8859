"""Long short-term memory over a whole sequence, there and back.

Letters and columns as in `recurrent.py`. The gates are i, f, g (the candidate) and o:

    c = f * c before + i * g,    h = o * t,    t = activation(c)

A step keeps the slots [i, f, o, g, c before, t], in which what one call takes together
is side by side. On the way back the order is that of the weights: i, f, g, o.
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
    Gradients,
    StateGradient,
    arriving,
    chunks,
    last_first,
)

ORDER = (0, 1, 3, 2)  # i, f, o, g


class Tape(NamedTuple):
    """What the way back needs; the slots are (T, 6 * U * B)."""

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
    n = units * batch
    columns = Columns.of(x, states[0], units, plan)
    slots = blocking.empty((length if keep else 1, 6 * n), x.dtype)
    slots[0, 4 * n : 5 * n].reshape(units, batch)[...] = (
        0 if states[1] is None else states[1].T
    )
    last, past, *products = np.empty((4, n), x.dtype)
    scales = [scale(plan.gate)] * 3 + [scale(plan.activation)]
    stack = stacked(w, ORDER, scales, plan)
    usual = _usual(plan)

    def each(first: int, count: int) -> Any:
        """Some neighbouring slots, at each step."""
        found = slots[:, first * n : (first + count) * n]
        return found if keep else repeat(found[0], length)

    steps = zip(
        columns.seen(plan),
        each(0, 4),
        each(0, 3),
        *(each(slot, 1) for slot in range(6)),
        [*each(4, 1)][1:] + [last],
        columns.states[:-1],
        columns.states[1:],
        plan.held(length),
        strict=True,
    )
    for number, step in enumerate(steps, 1):
        seen, four, gates, i, f, o, g, c, t, new_c, old, new, masked = step
        np.matmul(stack, seen, four.reshape(4 * units, batch))
        if usual:
            np.tanh(four, four)
            np.multiply(gates, 0.5, gates)
            np.add(gates, 0.5, gates)
        else:
            squash(plan.gate, gates, gates)
            squash(plan.activation, g, g)
        np.multiply(i, g, products[0])
        np.multiply(f, c, products[1])
        if masked is not None:
            np.copyto(past, c)
        np.add(products[0], products[1], new_c)
        if usual:
            np.tanh(new_c, t)
        else:
            np.multiply(new_c, scale(plan.activation), t)
            squash(plan.activation, t, t)
        np.multiply(o, t, new)
        if masked is not None:
            hold(masked, new, old)
            hold(masked, new_c, past)
        if number % FLUSH_EVERY == 0:
            flush(new, new_c)
    return output(columns, last if plan.carry else None, plan), Tape(columns, slots)


def backward(
    tape: Tape, w: Weights, dy: np.ndarray, plan: Plan, wanted: str
) -> list[Any]:
    """Gradients of x, kernel, recurrent, bias, h and c by that of the outputs.

    Args:
        dy: gradient of the outputs.
        wanted: letters of "xwubhc"; the gradients of others may be None.
    """
    columns, slots = tape
    length, batch, units = len(slots), columns.steps.shape[2], columns.units
    n = units * batch
    outside, held = arriving(dy, length, plan), plan.held(length)
    found = Gradients(columns, w, wanted)
    back = StateGradient(w.recurrent, batch, plan)
    by_h, by_c = both = np.zeros((2, units, batch), dy.dtype)
    if plan.carry:
        by_c[...] = dy[:, -1].T
    dh, dc = runs(both)
    parts = chunks(length, 4 * units, batch, dy.itemsize)
    size = parts[0].stop - parts[0].start
    room = blocking.empty((size, 4 * units, batch), dy.dtype)
    rooms = Slopes(*blocking.empty((6, size, n), dy.dtype))
    for part in parts:
        times = range(length)[part]
        z = room[: len(times)]
        gradients = runs(z)
        slopes = Slopes(*(values[: len(times)] for values in rooms))
        i, f, o, g, c, t = (slots[part, s * n : (s + 1) * n] for s in range(6))
        fill = slopes.by_products if _usual(plan) else slopes.by_outputs
        fill(i, f, o, g, c, t, columns.states[1:][part], plan)
        steps = last_first(
            times,
            z,
            *(gradients[:, slot * n : (slot + 1) * n] for slot in range(4)),
            f,
            *slopes[:5],
            outside[part],
            held[part],
        )
        for step in steps:
            number, products, di, df, dg, do, forget, h_by_o, h_by_c, *rest = step
            c_by_i, c_by_f, c_by_g, more, masked = rest
            if more is not None:
                np.add(dh, more, dh)
            np.multiply(dh, h_by_o, do)
            np.multiply(dh, h_by_c, h_by_c)
            if masked is not None:
                past_h, past_c = np.where(masked, both, 0)
            np.add(dc, h_by_c, dc)
            np.multiply(dc, c_by_i, di)
            np.multiply(dc, c_by_f, df)
            np.multiply(dc, c_by_g, dg)
            np.multiply(dc, forget, dc)
            if masked is None:
                back(products, by_h)
            else:
                np.copyto(products, 0, where=masked)
                np.copyto(by_c, 0, where=masked)
                np.add(by_c, past_c, by_c)
                back(products, by_h)
                np.add(by_h, past_h, by_h)
            if number % FLUSH_EVERY == 0:
                flush(dh, dc)
        found.add(part, z)
    return [*found.found(plan), by_h.T, by_c.T]


class Slopes(NamedTuple):
    """Derivatives in some steps (T, U * B): of h by o's argument and c; of c by those
    of i, f, g. All steps of a chunk are taken at a time: single ones are so short that
    half of the time goes into calling NumPy (benchmarks/recurrent.py, "chunks")."""

    h_by_o: np.ndarray
    h_by_c: np.ndarray
    c_by_i: np.ndarray
    c_by_f: np.ndarray
    c_by_g: np.ndarray
    work: np.ndarray

    def by_products(self, i, f, o, g, c, t, h, plan: Plan) -> None:
        """For tanh and sigmoid, in few calls: t o (1 - o) = h - h o, and so on."""
        np.multiply(h, o, self.h_by_o)
        np.subtract(h, self.h_by_o, self.h_by_o)
        np.multiply(h, t, self.h_by_c)
        np.subtract(o, self.h_by_c, self.h_by_c)
        np.multiply(f, c, self.work)
        np.multiply(f, self.work, self.c_by_f)
        np.subtract(self.work, self.c_by_f, self.c_by_f)
        np.multiply(i, g, self.work)
        np.multiply(i, self.work, self.c_by_i)
        np.subtract(self.work, self.c_by_i, self.c_by_i)
        np.multiply(g, self.work, self.c_by_g)
        np.subtract(i, self.c_by_g, self.c_by_g)

    def by_outputs(self, i, f, o, g, c, t, h, plan: Plan) -> None:
        """For any activations."""
        for name, y, factor, target in (
            (plan.gate, o, t, self.h_by_o),
            (plan.activation, t, o, self.h_by_c),
            (plan.gate, i, g, self.c_by_i),
            (plan.gate, f, c, self.c_by_f),
            (plan.activation, g, i, self.c_by_g),
        ):
            slope(name, y, target)
            np.multiply(target, factor, target)


def _usual(plan: Plan) -> bool:
    return plan.activation == "tanh" and plan.gate == "sigmoid"
