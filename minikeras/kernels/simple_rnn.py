"""The simplest recurrent cell over a whole sequence, there and back.

Letters and columns as in `recurrent.py`; h = activation(weights times column).
"""

from typing import Any

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

GATES = 1


def forward(
    x: np.ndarray, w: Weights, states: Any, plan: Plan, keep: bool
) -> tuple[np.ndarray, Columns]:
    """As in `lstm.forward`, with one state."""
    columns = Columns.of(x, states[0], len(w.recurrent), plan)
    stack = stacked(w, (0,), (scale(plan.activation),), plan)
    steps = zip(
        columns.seen(plan),
        columns.states[:-1],
        columns.states[1:],
        plan.held(x.shape[1]),
        strict=True,
    )
    for number, (seen, old, new, masked) in enumerate(steps, 1):
        np.matmul(stack, seen, new)
        squash(plan.activation, new, new)
        if masked is not None:
            hold(masked, new, old)
        flush(number, new)
    return output(columns, None, plan), columns


def backward(
    columns: Columns, w: Weights, g: np.ndarray, plan: Plan, wanted: str
) -> list[Any]:
    """As in `lstm.backward`, with the letters "xwubh"."""
    length, units, batch = columns.states.shape
    length -= 1
    outside, held = arriving(g, length, plan), plan.held(length)
    found = Gradients(columns, w, wanted)
    back = StateGradient(w.recurrent, batch, plan)
    dh = np.zeros((units, batch), g.dtype)
    parts = chunks(length, units, batch, g.itemsize)
    room = blocking.empty((parts[0].stop - parts[0].start, units, batch), g.dtype)
    for part in parts:
        times = range(length)[part]
        z = room[: len(times)]
        states = columns.states[1:][part]
        steps = last_first(times, z, states, outside[part], held[part])
        for number, d, state, more, masked in steps:
            if more is not None:
                np.add(dh, more, dh)
            slope(plan.activation, state, d)
            np.multiply(d, dh, d)
            if masked is None:
                back(d, dh)
            else:
                np.copyto(d, 0, where=masked)
                past = np.where(masked, dh, 0)
                back(d, dh)
                np.add(dh, past, dh)
            flush(number, dh)
        found.add(part, z)
    return [*found.found(plan), dh.T]
