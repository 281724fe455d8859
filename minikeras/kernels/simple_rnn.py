"""The simplest recurrent cell over a whole sequence, there and back.

Letters and columns as in `recurrent.py`; h = activation(weights times column).
"""

from typing import Any

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


def forward(
    x: np.ndarray, w: Weights, states: Any, plan: Plan, keep: bool
) -> tuple[np.ndarray, Columns]:
    """As in `lstm.forward`, with one state."""
    batch, length, _ = x.shape
    units = len(w.recurrent)
    columns = Columns.of(x, states[0], units, plan)
    stack = stacked(w, (0,), (scale(plan.activation),), plan)
    steps = zip(
        columns.seen(plan),
        columns.states[:-1],
        columns.states[1:],
        plan.held(length),
        strict=True,
    )
    for number, (seen, old, new, masked) in enumerate(steps, 1):
        np.matmul(stack, seen, new.reshape(units, batch))
        squash(plan.activation, new, new)
        if masked is not None:
            hold(masked, new, old)
        if number % FLUSH_EVERY == 0:
            flush(new)
    return output(columns, None, plan), columns


def backward(
    columns: Columns, w: Weights, dy: np.ndarray, plan: Plan, wanted: str
) -> list[Any]:
    """As in `lstm.backward`, with the letters "xwubh"."""
    length, _, batch = columns.steps.shape
    length, units = length - 1, columns.units
    outside, held = arriving(dy, length, plan), plan.held(length)
    found = Gradients(columns, w, wanted)
    back = StateGradient(w.recurrent, batch, plan)
    by_h = np.zeros((units, batch), dy.dtype)
    dh = by_h.reshape(-1)
    parts = chunks(length, units, batch, dy.itemsize)
    room = blocking.empty((parts[0].stop - parts[0].start, units, batch), dy.dtype)
    for part in parts:
        times = range(length)[part]
        z = room[: len(times)]
        states = columns.states[1:][part]
        steps = last_first(times, z, runs(z), states, outside[part], held[part])
        for number, products, d, state, more, masked in steps:
            if more is not None:
                np.add(dh, more, dh)
            slope(plan.activation, state, d)
            np.multiply(d, dh, d)
            if masked is None:
                back(products, by_h)
            else:
                past = np.where(masked, by_h, 0)
                np.copyto(products, 0, where=masked)
                back(products, by_h)
                np.add(by_h, past, by_h)
            if number % FLUSH_EVERY == 0:
                flush(dh)
        found.add(part, z)
    return [*found.found(plan), by_h.T]
