"""The only place that differentiates.

`backpropagate` puts a traced box in front of each weight for the length of one forward
pass, and walks the tape back over all of them at once. autograd's tracer is driven
directly: `value_and_grad` would pack and unpack lists of arrays as traced objects,
which takes longer than a small network's arithmetic.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from autograd.core import VJPNode, add_outgrads
from autograd.tracer import getval, isbox, new_box, trace_stack
from autograd.util import toposort

from minikeras.variables import Variable, bind

# autograd numbers its traces with one global counter: two threads that trace at the
# same time would mix their tapes without an error.
_one_at_a_time = threading.RLock()


@contextmanager
def _new_trace() -> Iterator[int]:
    with _one_at_a_time:
        before = trace_stack.top
        trace_stack.top = before + 1
        try:
            yield before + 1
        finally:
            trace_stack.top = before  # autograd leaves it one too high after an error


def backpropagate(
    function: Callable[[], tuple[Any, Any]], variables: Sequence[Variable]
) -> tuple[Any, Any, list[Any]]:
    """Value of a function and its gradients with respect to weights.

    Args:
        function: computes with the weights' layers; returns a scalar and anything.
        variables: the weights.

    Returns:
        The scalar, the other thing without boxes, and a gradient for each weight, or
        None for one that the scalar does not depend on.

    Raises:
        ValueError: if the first thing returned is not a scalar.
    """
    with _new_trace() as trace:
        roots = [VJPNode.new_root() for _ in variables]
        boxes = [
            new_box(v.value, trace, root)
            for v, root in zip(variables, roots, strict=True)
        ]
        with bind(variables, boxes):
            scalar, extra = function()
        if getattr(scalar, "shape", ()) != ():
            raise ValueError(
                "The loss must be one number. Received an array of shape "
                f"{scalar.shape}; reduce it with a sum or a mean."
            )
        if not isbox(scalar) or scalar._trace != trace:
            return scalar, _unboxed(extra, trace), [None] * len(roots)
        value = scalar._value
        gradients = _backward(scalar._node, roots, np.ones((), getval(value).dtype))
    return value, _unboxed(extra, trace), gradients


def _backward(end: VJPNode, roots: list[VJPNode], seed: np.ndarray) -> list[Any]:
    wanted = {id(root): index for index, root in enumerate(roots)}
    found: list[Any] = [None] * len(roots)
    pending = {end: (seed, False)}
    for node in toposort(end):
        gradient = pending.pop(node)[0]
        index = wanted.get(id(node))
        if index is not None:
            found[index] = gradient
            continue
        for parent, part in zip(node.parents, node.vjp(gradient), strict=True):
            pending[parent] = add_outgrads(pending.get(parent), part)
        node.vjp = None  # what this node kept for its derivative is free again
    return found


def _unboxed(value: Any, trace: int) -> Any:
    """`value` with the boxes of this trace, and of none outside, taken off."""
    if isbox(value) and not isinstance(value, Variable):
        return value._value if value._trace == trace else value
    if isinstance(value, list | tuple):
        return type(value)(_unboxed(item, trace) for item in value)
    if isinstance(value, dict):
        return {key: _unboxed(item, trace) for key, item in value.items()}
    return value
