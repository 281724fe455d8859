"""What every file of `ops` needs: plain values out of whatever the caller passed."""

import threading
from collections.abc import Callable, Sequence
from functools import reduce, wraps
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.core import VJPNode, add_outgrads, make_jvp
from autograd.extend import defjvp, defjvp_argnums, defvjp_argnums
from autograd.numpy.numpy_wrapper import _astype
from autograd.tracer import Box, getval, isbox, new_box, trace_stack
from autograd.util import subvals, toposort

from minikeras import config
from minikeras.variables import Variable

Array = Any  # a NumPy array, or autograd's box around one

__all__ = ["Array", "convert", "float_array", "getval", "isbox", "plain", "primitive"]


_boxes = Box.types


def primitive(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of arrays that autograd traces, once its derivatives are defined.

    What `autograd.extend.primitive` makes, for arguments that are arrays, boxes or
    handles of weights. autograd's asks a handle three times for its box and looks for
    other libraries' arrays; a small function of weights took twice as long
    (benchmarks/kernels.py, "primitive").
    """

    @wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        values = list(args)
        places: list[int] = []
        top, lower = -1, False
        for place, value in enumerate(values):
            kind = type(value)
            if kind is Variable:
                values[place] = value = value.value
                kind = type(value)
            if kind in _boxes:
                if value._trace > top:
                    lower = lower or bool(places)
                    top, places = value._trace, [place]
                elif value._trace == top:
                    places.append(place)
                else:
                    lower = True
        if not places:
            return function(*values, **kwargs)
        nodes = []
        for place in places:
            box = values[place]
            nodes.append(box._node)
            values[place] = box._value
            lower = lower or type(box._value) in _boxes
        answer = (traced if lower else function)(*values, **kwargs)
        node = type(nodes[0])(
            answer, traced, tuple(values), kwargs, tuple(places), tuple(nodes)
        )
        return new_box(answer, top, node)

    return traced


def convert(x: Any, dtype: Any = None) -> Array:
    """`x` as an array or box: handles give their value, lists become arrays.

    Python floats become the default float type, so that they never promote float32.
    """
    if isinstance(x, Variable):
        x = x.value
    if isbox(x):
        if isinstance(getval(x), float):  # autograd.grad(...)(1.0) boxes the number
            x = anp.reshape(x, ())
    elif not isinstance(x, np.ndarray):
        if isinstance(x, np.generic):
            x = np.asarray(x)
        elif _holds_box(x):
            x = anp.stack([convert(item, dtype) for item in x])
        else:
            x = np.asarray(x)
            if x.dtype == np.float64 and dtype is None:
                x = x.astype(config.floatx())
    if dtype is not None and dtype_of(x) != np.dtype(dtype):
        x = x.astype(dtype)
    return x


def dtype_of(x: Array) -> np.dtype:
    """The type of an array's numbers. A box would ask autograd, which takes longer
    than to add two small arrays."""
    return getval(x).dtype


def float_array(x: Any) -> Array:
    """`convert`, and integers and booleans become the default float type."""
    x = convert(x)
    return x if dtype_of(x).kind in "fc" else x.astype(config.floatx())


def plain(*values: Any) -> bool:
    """Whether none of the values is boxed, so that a fused first-order path may run."""
    for value in values:  # noqa: SIM110 - a generator takes three times as long
        if type(value) in _boxes:
            return False
    return True


def constant_like(value: float, x: Any) -> np.ndarray:
    """A Python number as an array that does not promote x."""
    return np.asarray(value, dtype=x.dtype)


def sum_to(g: Array, shape: Sequence[int]) -> Array:
    """Sum g over the axes along which `shape` was broadcast; the adjoint of that."""
    shape = tuple(shape)
    if g.shape == shape:
        return g
    extra = g.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(
        i + extra for i, n in enumerate(shape) if n == 1 and g.shape[i + extra] != 1
    )
    return anp.reshape(anp.sum(g, axis=axes), shape) if axes else g


# autograd numbers its traces with one global counter: two threads that trace at the
# same time would mix their tapes without an error.
_one_at_a_time = threading.RLock()


class new_trace:
    """The number of a new trace, in the one thread that may have one."""

    def __enter__(self) -> int:
        _one_at_a_time.acquire()
        self._before = trace_stack.top
        trace_stack.top = self._before + 1
        return self._before + 1

    def __exit__(self, *exception: object) -> None:
        trace_stack.top = self._before  # autograd leaves it one too high after an error
        _one_at_a_time.release()


def fused(
    forward: Callable[..., Any],
    backward: Callable[..., tuple[Any, ...]],
    composed: Callable[..., Any],
) -> Callable[..., Any]:
    """A primitive with a fast first derivative, and all others from `composed`.

    Args:
        forward: (*arrays, **settings) -> result, with NumPy.
        backward: (argnums, g, result, *arrays, **settings) -> a gradient for each
            array, of which those of `argnums` are used, with NumPy; called while
            nothing is traced.
        composed: the same function of other primitives, for everything else.
    """
    function = primitive(forward)

    def of_one(argnum: int, args: Any, kwargs: Any) -> Callable[[Any], Any]:
        return lambda x: composed(*subvals(args, [(argnum, x)]), **kwargs)

    def vjp_argnums(argnums: Any, ans: Any, args: Any, kwargs: Any) -> Any:
        def vjp(g: Any) -> Any:
            if plain(g, *args):
                found = backward(argnums, g, getval(ans), *args, **kwargs)
                return tuple(found[n] for n in argnums)
            return _pulled_back(composed, argnums, g, args, kwargs)

        return vjp

    def jvp_argnums(argnums: Any, g: Any, ans: Any, args: Any, kwargs: Any) -> Any:
        tangents = [
            make_jvp(of_one(n, args, kwargs), args[n])(one)[1]
            for n, one in zip(argnums, g, strict=True)
        ]
        return reduce(anp.add, tangents)

    defvjp_argnums(function, vjp_argnums)
    defjvp_argnums(function, jvp_argnums)
    return function


def _pulled_back(
    function: Callable[..., Any], argnums: Sequence[int], g: Any, args: Any, kwargs: Any
) -> tuple[Any, ...]:
    """The gradients of some arguments, in one walk, by that of the result."""
    with new_trace() as trace:
        roots = [VJPNode.new_root() for _ in argnums]
        boxes = [
            (n, new_box(args[n], trace, root))
            for n, root in zip(argnums, roots, strict=True)
        ]
        end = function(*subvals(args, boxes), **kwargs)
        found: list[Any] = [None] * len(roots)
        if isbox(end) and end._trace == trace:
            found = walk_back(end._node, roots, g)
    return tuple(
        anp.zeros_like(args[n]) if part is None else part
        for n, part in zip(argnums, found, strict=True)
    )


def walk_back(end: VJPNode, roots: Sequence[VJPNode], seed: Any) -> list[Any]:
    """Gradients at the roots of a tape, None where it does not lead.

    Args:
        end: node of the result.
        seed: gradient of the result.
    """
    found = dict.fromkeys(roots)
    waiting = {end: (seed, False)}  # gradients, and whether they may change in place
    for node in toposort(end):
        gradient = waiting.pop(node)[0]
        if node in found:
            found[node] = gradient
            continue
        for parent, part in zip(node.parents, node.vjp(gradient), strict=True):
            waiting[parent] = add_outgrads(waiting.get(parent), part)
        node.vjp = None  # what this node kept for its derivative is free again
    return list(found.values())


# autograd has the derivative of a change of type backwards only.
defjvp(_astype, lambda d, y, x, *type_of, **how: _astype(d, *type_of, **how))


def _holds_box(x: Any) -> bool:
    return isinstance(x, list | tuple) and any(
        isbox(item) or isinstance(item, Variable) or _holds_box(item) for item in x
    )
