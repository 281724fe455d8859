"""Gradients of losses, for training and for users.

`backpropagate` puts a traced box in front of each weight for the length of one forward
pass, and walks the tape back over all of them at once. autograd's tracer is driven
directly: `value_and_grad` would pack and unpack lists of arrays as traced objects,
which takes longer than a small network's arithmetic.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from autograd.core import VJPNode
from autograd.tracer import getval, isbox, new_box

from minikeras.kernels import destinations
from minikeras.ops.base import float_array, new_trace, walk_back
from minikeras.variables import Variable, bind


def backpropagate(
    function: Callable[[], tuple[Any, Any]],
    variables: Sequence[Variable],
    places: Sequence[np.ndarray] | None = None,
) -> tuple[Any, Any, list[Any]]:
    """Value of a function and its gradients with respect to weights.

    Args:
        function: computes with the weights' layers; returns a scalar and anything.
        variables: the weights.
        places: an array for each gradient, which may come to lie there.

    Returns:
        The scalar, the other thing without boxes, and a gradient for each weight, or
        None for one that the scalar does not depend on.

    Raises:
        ValueError: if the first thing returned is not a scalar.
    """

    def bound(boxes: list[Any]) -> tuple[Any, Any]:
        with bind(variables, boxes):
            return function()

    return _differentiate(bound, [variable.value for variable in variables], places)


def _differentiate(
    function: Callable[[list[Any]], tuple[Any, Any]],
    values: Sequence[Any],
    places: Sequence[np.ndarray] | None = None,
) -> tuple[Any, Any, list[Any]]:
    """As `backpropagate`, for a function of a list of arrays."""
    with new_trace() as trace:
        roots = [VJPNode.new_root() for _ in values]
        boxes = [
            new_box(value, trace, root)
            for value, root in zip(values, roots, strict=True)
        ]
        scalar, extra = function(boxes)
        if getattr(getval(scalar), "shape", ()) != ():
            raise ValueError(
                "The loss must be one number. Received an array of shape "
                f"{scalar.shape}; reduce it with a sum or a mean."
            )
        if isinstance(scalar, Variable):
            scalar = scalar.value
        if not isbox(scalar) or scalar._trace != trace:
            return scalar, _unboxed(extra, trace), [None] * len(roots)
        value = scalar._value
        seed = np.ones((), getval(value).dtype)
        # With no places of its own, one inside of another has none of the other's.
        wanted = ([], []) if places is None else (values, places)
        with destinations.of_gradients(*wanted):
            gradients = walk_back(scalar._node, roots, seed)
    return value, _unboxed(extra, trace), gradients


def weight_gradients(
    function: Callable[[], Any], weights: Any
) -> tuple[Any, list[Any]]:
    """The value of a loss and its gradients with respect to a model's weights.

    What `tf.GradientTape` is used for: the optimizer's `apply` takes the gradients.
    The function may itself take gradients, of inputs or weights; derivatives of any
    order come out right.

    Args:
        function: takes no argument and returns the loss, one number, or a tuple of the
            loss and whatever else is of interest.
        weights: a layer or model, whose trainable weights are meant, or a list of
            weights.

    Returns:
        What the function returned, and a gradient for each weight: an array of the
        weight's shape, or None if the loss does not depend on it.

    Raises:
        ValueError: if the loss is not one number.
        TypeError: if `weights` is neither.

    >>> import minikeras as keras
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> model.set_weights([[[3.0]], [1.0]])
    >>> x = np.array([[2.0]], "float32")
    >>> loss, gradients = weight_gradients(lambda: keras.ops.sum(model(x)), model)
    >>> float(loss), gradients
    (7.0, [array([[2.]], dtype=float32), array([1.], dtype=float32)])
    """
    variables = getattr(weights, "trainable_weights", weights)
    if not isinstance(variables, list | tuple) or not all(
        isinstance(variable, Variable) for variable in variables
    ):
        raise TypeError(
            "weight_gradients: `weights` must be a layer, a model or a list of their "
            f"weights. Received: {weights!r}. For arrays there is `input_gradients`."
        )
    value, extra, gradients = backpropagate(_loss_first(function), variables)
    return _with_extra(value, extra), gradients


def input_gradients(
    function: Callable[..., Any], *inputs: Any
) -> tuple[Any, list[Any]]:
    """The value of a function and its gradients with respect to its arguments.

    Args:
        function: takes the inputs and returns one number, or a tuple of it and
            whatever else is of interest.
        inputs: arrays; whole numbers are taken as floats.

    Returns:
        What the function returned, and a gradient for each input: an array of its
        shape, or None if the number does not depend on it.

    Raises:
        ValueError: if the number is not one number.

    >>> from minikeras import ops
    >>> value, (gradient,) = input_gradients(
    ...     lambda x: ops.sum(ops.square(x)), np.array([1.0, 2.0], "float32")
    ... )
    >>> float(value), gradient
    (5.0, array([2., 4.], dtype=float32))
    """
    arrays = [float_array(value) for value in inputs]
    value, extra, gradients = _differentiate(
        lambda boxes: _loss_first(lambda: function(*boxes))(), arrays
    )
    return _with_extra(value, extra), gradients


def _loss_first(function: Callable[[], Any]) -> Callable[[], tuple[Any, Any]]:
    """The function with its result in two: the loss, and a tuple of the rest."""

    def called() -> tuple[Any, Any]:
        result = function()
        if isinstance(result, tuple | list):
            return result[0], tuple(result[1:])
        return result, None

    return called


def _with_extra(value: Any, extra: Any) -> Any:
    return value if extra is None else (value, *extra)


def _unboxed(value: Any, trace: int) -> Any:
    """`value` with the boxes of this trace, and of none outside, taken off."""
    if isbox(value) and not isinstance(value, Variable):
        return value._value if value._trace == trace else value
    if isinstance(value, list | tuple):
        return type(value)(_unboxed(item, trace) for item in value)
    if isinstance(value, dict):
        return {key: _unboxed(item, trace) for key, item in value.items()}
    return value
