"""The recurrences step by step, composed of other primitives.

What is differentiated where the fused kernels of `recurrence.py` do not reach. Letters
as there. Sequences are cut and joined in halves, so that the way back costs T log T.
"""

from collections.abc import Callable, Sequence
from typing import Any

import autograd.numpy as anp
import numpy as np

from minikeras.kernels.recurrent import Plan
from minikeras.ops.activation import hard_sigmoid
from minikeras.ops.base import Array, constant_like
from minikeras.ops.nn import relu, sigmoid, tanh
from minikeras.ops.numpy import _matmul as product
from minikeras.ops.numpy import _where
from minikeras.ops.reshaping import crop, flip, pad_value

ACTIVATE: dict[str, Callable[[Any], Any]] = {
    "tanh": tanh,
    "sigmoid": sigmoid,
    "relu": relu,
    "linear": lambda x: x,
    "hard_sigmoid": hard_sigmoid,
}
Step = Callable[..., list[Array]]  # (input's part of each gate, *states) -> states


def compose(
    x: Array,
    kernel: Array,
    recurrent: Array,
    bias: Array | None,
    *states: Array | None,
    gates: int,
    plan: Plan,
) -> Array:
    """What the primitive of the cell with so many gates returns, (B, T or 1, U)."""
    units = recurrent.shape[0]
    given = product(x, kernel)
    inner = None
    if bias is not None and bias.ndim == 2:
        bias, inner = (anp.reshape(b, (-1,)) for b in cut(bias, 2, 0))
    if bias is not None:
        given = given + bias
    if plan.reverse:
        given = flip(given, 1)
    shape = x.shape[0], units
    now = [np.zeros(shape, given.dtype) if s is None else s for s in states]
    step = (_simple, _gru, _lstm)[(1, 3, 4).index(gates)](
        cut(recurrent, gates, 1), None if inner is None else cut(inner, gates, 0), plan
    )
    shown = []
    for t, part in enumerate(cut(given, x.shape[1], 1)):
        new = step(cut(anp.reshape(part, (len(part), -1)), gates, 1), *now)
        if plan.masked is not None:
            held = plan.masked[t, :, None] & np.ones(shape, bool)
            new = [_where(a, b, condition=held) for a, b in zip(now, new, strict=True)]
        now = new
        shown.append(now[0])
    shown = shown if plan.sequences else shown[-1:]
    return join([*shown, now[1]] if plan.carry else shown)


def cut(x: Array, count: int, axis: int) -> list[Array]:
    """So many equal parts of x along an axis."""
    if count == 1:
        return [x]
    first = x.shape[axis] // count * (count // 2)
    rest = x.shape[axis] - first
    widths = ((0, 0),) * axis, ((0, 0),) * (x.ndim - axis - 1)
    before = crop(x, widths=(*widths[0], (0, rest), *widths[1]))
    behind = crop(x, widths=(*widths[0], (first, 0), *widths[1]))
    return [
        *cut(before, count // 2, axis),
        *cut(behind, count - count // 2, axis),
    ]


def join(parts: Sequence[Array]) -> Array:
    """Arrays (B, U) as (B, number of them, U)."""
    if len(parts) == 1:
        return anp.expand_dims(parts[0], 1)
    half = len(parts) // 2
    before, behind = join(parts[:half]), join(parts[half:])
    none = (0, 0)
    return pad_value(before, widths=(none, (0, len(parts) - half), none)) + pad_value(
        behind, widths=(none, (half, 0), none)
    )


def _products(weights: Sequence[Array], plan: Plan) -> Callable[[Array], list[Array]]:
    """State times the weights of each gate, with the gate's recurrent dropout."""

    def run(h: Array) -> list[Array]:
        copies = dropped_copies(h, plan)
        return [
            product(copies[gate % len(copies)], w) for gate, w in enumerate(weights)
        ]

    return run


def dropped_copies(h: Array, plan: Plan) -> list[Array]:
    """h (B, U) with each of the masks of recurrent dropout."""
    return [h] if plan.dropped is None else [h * factor.T for factor in plan.dropped]


def _simple(weights: Sequence[Array], _: Any, plan: Plan) -> Step:
    activate, products = ACTIVATE[plan.activation], _products(weights, plan)

    def step(given: Sequence[Array], h: Array) -> list[Array]:
        return [activate(given[0] + products(h)[0])]

    return step


def _lstm(weights: Sequence[Array], _: Any, plan: Plan) -> Step:
    activate, gate = ACTIVATE[plan.activation], ACTIVATE[plan.gate]
    products = _products(weights, plan)

    def step(given: Sequence[Array], h: Array, c: Array) -> list[Array]:
        i, f, g, o = (a + b for a, b in zip(given, products(h), strict=True))
        c = gate(f) * c + gate(i) * activate(g)
        return [gate(o) * activate(c), c]

    return step


def _gru(weights: Sequence[Array], bias: Sequence[Array] | None, plan: Plan) -> Step:
    activate, gate = ACTIVATE[plan.activation], ACTIVATE[plan.gate]
    products = _products(weights if plan.reset_after else weights[:2], plan)

    def step(given: Sequence[Array], h: Array) -> list[Array]:
        inner = products(h)
        if bias is not None:
            inner = [a + b for a, b in zip(inner, bias, strict=True)]
        z, r = (gate(a + b) for a, b in zip(given[:2], inner[:2], strict=True))
        if plan.reset_after:
            candidate = activate(given[2] + r * inner[2])
        else:
            copy = dropped_copies(h, plan)[-1]
            candidate = activate(given[2] + product(r * copy, weights[2]))
        return [z * h + (constant_like(1, z) - z) * candidate]

    return step
