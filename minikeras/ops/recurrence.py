"""Recurrence over whole sequences: one primitive for all three cells.

Letters: B batch, T steps, F features, U units, G gates.
"""

from typing import Any

from minikeras.kernels import gru, lstm, simple_rnn
from minikeras.kernels.recurrent import Plan, Weights
from minikeras.kernels.session import quiet, single_threaded_blas
from minikeras.ops.base import Array, fused, plain
from minikeras.ops.recurrent_steps import compose

CELLS: dict[int, Any] = {1: simple_rnn, 3: gru, 4: lstm}  # by number of gates
LETTERS = "xwubhc"  # of the primitive's arguments, as the kernels have them


def _forward(x, kernel, recurrent, bias, *states, gates, plan, tape):
    weights = Weights(kernel, recurrent, bias)
    with single_threaded_blas, quiet:
        y, kept = CELLS[gates].forward(x, weights, states, plan, tape is not None)
    if tape is not None:
        tape.append(kept)
    return y


def _backward(argnums, g, y, *args, gates, plan, tape):
    weights, wanted = Weights(*args[1:4]), "".join(LETTERS[n] for n in argnums)
    with single_threaded_blas, quiet:
        return tuple(CELLS[gates].backward(tape[-1], weights, g, plan, wanted))


def _composed(*args, gates, plan, tape):
    return compose(*args, gates=gates, plan=plan)


_recurrence = fused(_forward, _backward, _composed)


def recurrence(*args: Any, gates: int, plan: Plan) -> Array:
    """The states after the steps, (B, T or 1, U), and c behind them if `plan.carry`.

    Args:
        args: x, kernel, recurrent kernel, bias and each state before the first step;
            bias and states may be None.
        gates: number of gates, which tells the cell.
    """
    tape: Any = None if plain(*args) else []  # what the backward pass needs
    return _recurrence(*args, gates=gates, plan=plan, tape=tape)
