"""Any cell run over a sequence, step by step."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minikeras.layers.base_cell import as_states
from minikeras.layers.stacked_cells import step
from minikeras.layers.structure import map_leaves
from minikeras.ops.base import Array
from minikeras.ops.numpy import _where, zeros_like
from minikeras.ops.stacking import stack, unstack
from minikeras.validation import shape_text


def loop(
    layer: Any,
    sequences: Any,
    states: list[Any],
    mask: np.ndarray | None,
    training: bool,
) -> tuple[Any, Any]:
    """The outputs of an `RNN`'s cell, all or the last, and the last states.

    Args:
        layer: the `RNN`, which has the cell and says how to run it.
        sequences: (batch, time, ...).
        states: what the cell begins with.
        mask: (batch, time), False where a step leaves the states as they are.
        training: handed on to the cell.

    Raises:
        ValueError: if the cell's new states are not like the old ones, or a masked
            step has no output.
    """
    steps: Sequence[Any] = unstack(sequences, axis=1)
    kept: Sequence[Any] = [None] * len(steps) if mask is None else list(mask.T)
    if layer.go_backwards:
        steps, kept = steps[::-1], kept[::-1]
    outputs: list[Any] = []
    for x, keep in zip(steps, kept, strict=True):
        output, new = step(layer.cell, x, states, training)
        if not outputs:
            _check_states(layer, states, new)
        if keep is not None and not keep.all():
            held = _held_output(layer, output, states, outputs)
            output = _select(keep, output, held)
            new = _map_pairs(lambda a, b, k=keep: _select(k, a, b), new, states)
        outputs.append(output)
        states = new
    return stack(outputs, axis=1) if layer.return_sequences else outputs[-1], states


def _held_output(
    layer: Any, output: Array, states: list[Any], before: list[Any]
) -> Array:
    """The output of a masked step."""
    if layer.unroll:
        return before[-1] if before else zeros_like(output)
    if layer.zero_output_for_mask:
        return zeros_like(output)
    first = states[0]
    if isinstance(first, list | tuple):  # of a stack: the state of its last cell
        first = as_states(states[-1])[0]
    if first.shape != output.shape:
        raise ValueError(
            f"{layer._owner()}: the output of a masked step is the first state, which "
            f"here has shape {shape_text(first.shape)} where the output has "
            f"{shape_text(output.shape)}. Pass `zero_output_for_mask=True`."
        )
    return first


def _check_states(layer: Any, old: Any, new: Any) -> None:
    expected, received = (
        map_leaves(lambda state: tuple(state.shape), states) for states in (old, new)
    )
    if _lists(expected) != _lists(received):
        raise ValueError(
            f"{layer._owner()}: the cell must return as many states as it gets, and of "
            f"the same shapes: {expected}. Received: {received}"
        )


def _lists(value: Any) -> Any:
    return [_lists(v) for v in value] if isinstance(value, list | tuple) else value


def _select(keep: np.ndarray, new: Array, old: Array) -> Array:
    """`new` in the samples that `keep` marks, `old` in the others."""
    keep = keep.reshape(-1, *(1 for _ in new.shape[1:]))
    return _where(new, old, condition=keep)


def _map_pairs(function: Callable[..., Any], a: Any, b: Any) -> Any:
    """The structure of both with `function` applied to each pair of arrays."""
    if isinstance(a, list | tuple):
        pairs = zip(a, b, strict=True)
        return [_map_pairs(function, x, y) for x, y in pairs]
    return function(a, b)
