"""Functions whose derivative their author writes down."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np
from autograd.extend import defvjp_argnums

from minikeras.ops.base import convert, getval, isbox, plain, primitive
from minikeras.ops.trees import form, is_container, leaves, mapped, rebuilt
from minikeras.validation import shape_text


class _Call:
    """One call of a function that returns its result and its derivative."""

    def __init__(self, function: Callable[..., Any], args: Any, kwargs: Any):
        self.function, self.args, self.kwargs = function, args, kwargs
        self.name = getattr(function, "__name__", "the function")
        self.output: Any = None  # the form of its result
        self.derivative: Any = None

    def run(self, values: Sequence[Any]) -> tuple[Any, Callable[..., Any]]:
        pair = self.function(*rebuilt(self.args, values), **self.kwargs)
        if not isinstance(pair, tuple) or len(pair) != 2 or not callable(pair[1]):
            raise ValueError(
                f"custom_gradient: {self.name} must return its output and a function "
                "that makes gradients of the output's. Received: "
                f"{type(pair).__name__}"
            )
        return pair

    def gradients(self, derivative: Callable[..., Any], g: Any) -> list[Any]:
        """A gradient, or None, for each of the leaves of the arguments."""
        upstream = rebuilt(self.output, [g] if self.single else list(g))
        found = derivative(upstream)
        if len(self.args) == 1 and not (
            isinstance(found, list | tuple) and len(found) == 1
        ):
            found = (found,)
        if not isinstance(found, list | tuple) or len(found) != len(self.args):
            count = len(found) if isinstance(found, list | tuple) else 1
            raise ValueError(
                f"custom_gradient: the derivative of {self.name} must return a "
                f"gradient for each of {len(self.args)} arguments. Received: {count}"
            )
        try:
            return _aligned(self.args, tuple(found))
        except (TypeError, KeyError, ValueError):
            raise ValueError(
                f"custom_gradient: the derivative of {self.name} must return gradients "
                "in the containers of the arguments. Received, with * for arrays: "
                f"{form(tuple(found))} for {form(self.args)}"
            ) from None

    @property
    def single(self) -> bool:
        """Whether the output is an array, not several."""
        return not isinstance(self.output, list | tuple | dict)


def _aligned(tree: Any, gradients: Any) -> list[Any]:
    """The gradient for each leaf of the tree, None for all below a None."""
    if gradients is None or tree is None:
        return [None] * len(leaves(tree))
    if not is_container(tree) and not is_container(gradients):
        return [gradients]
    keys = list(tree) if isinstance(tree, dict) else range(len(tree))
    if len(keys) != len(gradients):
        raise ValueError
    return [leaf for key in keys for leaf in _aligned(tree[key], gradients[key])]


@primitive
def _custom(*values, call):
    output, call.derivative = call.run(values)
    call.output = form(output)
    arrays = [np.asarray(getval(convert(leaf))) for leaf in leaves(output)]
    return arrays[0] if call.single else tuple(arrays)


def _custom_vjp(argnums, ans, values, kwargs):
    call = kwargs["call"]

    def vjp(g):
        derivative = call.derivative
        if not plain(*values):  # its own derivative needs what it was computed from
            derivative = call.run(values)[1]
        gradients = call.gradients(derivative, g)
        return tuple(_fitting(gradients[n], values[n], call.name) for n in argnums)

    return vjp


def _fitting(gradient, value, name):
    value = getval(value)
    shape, dtype = np.shape(value), np.asarray(value).dtype
    if gradient is None:
        return np.zeros(shape, dtype)
    gradient = convert(gradient, dtype)
    if gradient.shape != shape:
        raise ValueError(
            f"custom_gradient: the gradient of {name} for an array of shape "
            f"{shape_text(shape)} must have this shape. Received: "
            f"{shape_text(gradient.shape)}"
        )
    return gradient


defvjp_argnums(_custom, _custom_vjp)


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function with the derivative that its author gives.

    Args:
        f: takes arrays, also in tuples, lists and dictionaries; returns its output and
            a function that makes of the gradient of the output the gradients of the
            arguments, as many as there are, None for zero. Settings are passed by
            name.

    Returns:
        The function that returns the output. Second derivatives are those of the
        derivative. It has none in forward mode, as in Keras.

    Raises:
        ValueError: if the function does not return such a pair, or its derivative not
            a gradient of the right shape for each argument.
        TypeError: for traced arrays passed by name.

    >>> @custom_gradient
    ... def clipped(x):
    ...     return x, lambda gradient: gradient.clip(-1, 1)
    >>> clipped(np.array([3.0]))
    array([3.])
    """

    @wraps(f)
    def function(*args: Any, **kwargs: Any) -> Any:
        traced = [name for name, value in kwargs.items() if isbox(value)]
        if traced:
            raise TypeError(
                "custom_gradient: arrays to differentiate by must be passed by "
                f"position. Received: {', '.join(traced)} by name"
            )
        args = mapped(_value, args)
        call = _Call(f, args, kwargs)
        result = _custom(*leaves(args), call=call)
        if call.single:
            return result
        count = len(leaves(call.output))
        return rebuilt(call.output, [result[n] for n in range(count)])

    return function


def _value(leaf: Any) -> Any:
    """The leaf; arrays and numbers, and handles of weights, as arrays."""
    if isinstance(leaf, str) or callable(leaf):
        return leaf
    return convert(leaf)
