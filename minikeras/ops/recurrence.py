"""Recurrence over whole sequences: one primitive for all three cells.

Letters: B batch, T steps, F features, U units, G gates.
"""

from typing import Any

import numpy as np

from minikeras.kernels import gru, lstm, simple_rnn
from minikeras.kernels.blocking import single_threaded_blas
from minikeras.kernels.recurrent import Plan, Weights
from minikeras.ops.base import Array, fused, isbox
from minikeras.ops.recurrent_steps import compose

CELLS: dict[int, Any] = {1: simple_rnn, 3: gru, 4: lstm}  # by number of gates
LETTERS = "xwubhc"  # of the primitive's arguments, as the kernels have them


def _forward(x, kernel, recurrent, bias, *states, gates, plan, wanted, tape):
    weights = Weights(kernel, recurrent, bias)
    with single_threaded_blas, np.errstate(all="ignore"):
        y, kept = CELLS[gates].forward(x, weights, states, plan, bool(wanted))
    if wanted:
        tape.append(kept)
    return y


def _backward(g, y, *args, gates, plan, wanted, tape):
    weights = Weights(*args[1:4])
    with single_threaded_blas, np.errstate(all="ignore"):
        return tuple(CELLS[gates].backward(tape[-1], weights, g, plan, wanted))


def _composed(*args, gates, plan, wanted, tape):
    return compose(*args, gates=gates, plan=plan)


_recurrence = fused(_forward, _backward, _composed)


def recurrence(*args: Any, gates: int, plan: Plan) -> Array:
    """The states after the steps, (B, T or 1, U), and c behind them if `plan.carry`.

    Args:
        args: x, kernel, recurrent kernel, bias and each state before the first step;
            bias and states may be None.
        gates: number of gates, which tells the cell.
    """
    traced = [letter for letter, arg in zip(LETTERS, args, strict=False) if isbox(arg)]
    options = {"gates": gates, "plan": plan, "wanted": "".join(traced)}
    return _recurrence(*args, **options, tape=[])
