"""Weights on an object: attributes that are arrays, and the handles behind them.

`add_weight` returns a handle. Assigning it to an attribute ties the two together:
`layer.kernel` is then the array, and inside a gradient the traced value, for the
thread that traces only.

In layers of a user's own the array of a weight that never trains has the handle's
methods too: it is state, which code for Keras changes by `self.total.assign(...)`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.tracer import getval

from minikeras import constraints, initializers, regularizers
from minikeras.layers.state_array import StateArray, state_array
from minikeras.ops.base import convert
from minikeras.variables import Variable, bind, count_params, structure

# Attributes that hold weights, or arguments, for other reasons than to be found.
INTERNAL = (
    "_bound",
    "_trainable_own",
    "_fixed_own",
    "_frozen",
    "_state",
    "_init_arguments",
    "_input_checked",
    "_fitted",
    "_metrics_held",
    "_plan",
    "_plan_of_runs",
    "_step_results",
)
CONTAINERS = (list, tuple, dict)
# Attributes of these types hold no weights and no layers.
_PLAIN = {type(None), bool, int, float, str, np.ndarray, ArrayBox}


class Weighted:
    """What a layer does with its weights: makes, finds, reads, sets and counts them."""

    name: str
    dtype: Any
    path: Any
    _trainable: bool

    # Set in __new__, so that attributes can be assigned before super().__init__().
    _bound: dict[str, Variable]
    _trainable_own: list[Variable]
    _fixed_own: list[Variable]
    _frozen: list[Variable]
    _init_arguments: tuple[tuple[Any, ...], dict[str, Any]]
    _state: dict[str, tuple[np.ndarray, StateArray]]
    _own_class = False
    built: bool

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._own_class = not cls.__module__.startswith("minikeras.")

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        layer = super().__new__(cls)
        set_plain = object.__setattr__
        set_plain(layer, "_bound", {})
        set_plain(layer, "_trainable_own", [])
        set_plain(layer, "_fixed_own", [])
        set_plain(layer, "_frozen", [])
        set_plain(layer, "_state", {})
        set_plain(layer, "_init_arguments", (args, kwargs))
        set_plain(layer, "built", False)
        structure.changed()
        return layer

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: Any = None,
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """Create a weight and return its handle.

        Args:
            shape: the weight's shape; () by default.
            initializer: name, config, object or function of (shape, dtype); Glorot
                uniform for floats and zeros otherwise.
            dtype: number type; the layer's for None.
            trainable: whether training may change it.
            regularizer: adds a function of the weight to the loss.
            constraint: maps the weight to an allowed one after each update.
            name: last part of the weight's path.

        Raises:
            ValueError: for a shape that is not made of sizes, and for
                `aggregation` or `overwrite_with_gradient`, which are not offered.
        """
        if aggregation not in (None, "none") or overwrite_with_gradient:
            raise ValueError(
                "add_weight: `aggregation` and `overwrite_with_gradient` belong to "
                "distributed and quantized training, which is not offered."
            )
        shape = () if shape is None else shape
        shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
        if any(not isinstance(n, int | np.integer) or n < 0 for n in shape):
            raise ValueError(
                f"{self._owner()}: add_weight needs a shape of whole numbers. "
                f"Received: shape={shape!r}. A None in it means that the layer was "
                "built without that size being known."
            )
        kind = np.dtype(dtype or self.dtype).name
        if initializer is None:
            initializer = "glorot_uniform" if kind.startswith("float") else "zeros"
        make = initializers.get(initializer) or initializers.Zeros()
        value = np.asarray(getval(convert(make(shape, dtype=kind))))
        if value.shape != shape:
            raise ValueError(
                f"{self._owner()}: the initializer of weight {name!r} returned shape "
                f"{value.shape}, expected {shape}."
            )
        variable = Variable(
            value,
            name or "variable",
            trainable and self._trainable,
            kind,
            regularizers.get(regularizer),
            constraints.get(constraint),
        )
        variable.path = f"{self.path or self.name}/{variable.name}"
        (self._trainable_own if trainable else self._fixed_own).append(variable)
        structure.changed()
        return variable

    def __setattr__(self, name: str, value: Any) -> None:
        bound = self._bound
        if isinstance(value, Variable):
            self.__dict__.pop(name, None)
            if self.built and name in bound and bound[name] is not value:
                self._replace(bound[name], value)
            bound[name] = value
            structure.changed()
        elif name in bound:
            if value is None:
                del bound[name]
                object.__setattr__(self, name, None)
            else:
                bound[name].assign(value)
        else:
            before = self.__dict__.get(name)
            object.__setattr__(self, name, value)
            if not (type(value) in _PLAIN and type(before) in _PLAIN):
                structure.changed()

    def __getattr__(self, name: str) -> Any:
        bound = self.__dict__.get("_bound")
        if bound is not None and name in bound:
            value = bound[name].value
            return self._with_methods(name, value) if self._own_class else value
        found = getattr(type(self), name, None)
        if isinstance(found, property) and found.fget is not None:
            return found.fget(self)  # raises again, with the property's own message
        raise AttributeError(self._missing(name))

    def _with_methods(self, name: str, value: Any) -> Any:
        """An array of state with `assign`; any other value as it is."""
        variable = self._bound[name]
        if value is not variable.array or variable.trainable:
            return value
        if any(variable is own for own in self._trainable_own):
            return value  # frozen
        known = self._state.get(name)
        if known is None or known[0] is not value:
            known = self._state[name] = value, state_array(variable)
        return known[1]

    def __delattr__(self, name: str) -> None:
        structure.changed()
        if name in self._bound:
            variable = self._bound.pop(name)
            for own in (self._trainable_own, self._fixed_own):
                own[:] = [v for v in own if v is not variable]
        else:
            object.__delattr__(self, name)

    @property
    def weights(self) -> list[Variable]:
        """Handles of all weights: own trainable, own fixed, then sublayers'."""
        found = self._own_weights()
        for layer in self._sublayers():
            for variable in layer.weights:
                found.setdefault(id(variable), variable)
        return list(found.values())

    variables = weights

    def _own_weights(self) -> dict[int, Variable]:
        """This layer's weights without its sublayers', by their ids."""
        found = {id(v): v for v in self._trainable_own}
        collect(self._fixed_own, Variable, found)
        collect(self._bound, Variable, found)
        for key, value in self.__dict__.copy().items():
            if isinstance(value, CONTAINERS) and key not in INTERNAL:
                collect(value, Variable, found)
        return found

    def _replace(self, old: Variable, new: Variable) -> None:
        if old.shape != new.shape:
            raise ValueError(
                f"{self._owner()}: weight {old.path!r} has shape {old.shape}. "
                f"Received a weight of shape {new.shape} in its place."
            )
        for own in (self._trainable_own, self._fixed_own):
            own[:] = [new if v is old else v for v in own]

    @property
    def trainable_weights(self) -> list[Variable]:
        """The weights that training changes."""
        return [v for v in self.weights if v.trainable] if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """The weights that training leaves alone."""
        if not self.trainable:
            return self.weights
        return [v for v in self.weights if not v.trainable]

    trainable_variables = trainable_weights
    non_trainable_variables = non_trainable_weights

    @property
    def trainable(self) -> bool:
        """Whether training may change the weights; setting it sets all sublayers."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        structure.changed()
        if not value:  # those not made by `add_weight`
            self._frozen += [v for v in self._own_weights().values() if v.trainable]
        for variable in (*self._trainable_own, *self._frozen):
            variable.trainable = self._trainable
        for layer in self._sublayers():
            layer.trainable = value

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, in the order of `weights`."""
        return [v.numpy() for v in self.weights]

    def set_weights(self, weights: list[Any]) -> None:
        """Copy arrays into the weights. Nothing is changed if one does not fit.

        Raises:
            ValueError: if their number or a shape differs.
        """
        variables = self.weights
        arrays = [np.asarray(w) for w in weights]
        if len(arrays) != len(variables):
            raise ValueError(
                f"{self._owner()} has {len(variables)} weights, set_weights received "
                f"{len(arrays)}. Expected shapes: {[v.shape for v in variables]}"
            )
        for variable, array in zip(variables, arrays, strict=True):
            if variable.shape != array.shape:
                raise ValueError(
                    f"{self._owner()}: weight {variable.path!r} has shape "
                    f"{variable.shape}, set_weights received shape {array.shape}."
                )
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)

    def count_params(self) -> int:
        """Number of numbers in the weights.

        Raises:
            ValueError: before the layer is built.
        """
        if not self.built:
            raise ValueError(
                f"{self._owner()} has no weights yet, so they cannot be counted. "
                "Call it on data or `build(input_shape)` first."
            )
        return count_params(self.weights)

    def stateless_call(
        self,
        trainable_variables: Sequence[Any],
        non_trainable_variables: Sequence[Any],
        *args: Any,
        return_losses: bool = False,
        **kwargs: Any,
    ) -> Any:
        """The call with other weights in place of its own, which stay as they are.

        The weights may be traced values, so derivatives with respect to them, or to
        what they were computed from, can be taken: a step of training inside the
        function that is differentiated, for example.

        Args:
            trainable_variables: a value for each of `trainable_variables`.
            non_trainable_variables: a value for each of `non_trainable_variables`.
            args: arguments of the call, like those by keyword.
            return_losses: whether to return the losses that the call added too.

        Returns:
            The outputs and the new values of the non-trainable weights; with
            `return_losses` the losses as well.

        Raises:
            ValueError: before the layer is built, or if a number or shape differs.

        >>> from minikeras.layers import Dense
        >>> layer = Dense(1, use_bias=False)
        >>> layer.build((None, 2))
        >>> layer.stateless_call([np.ones((2, 1))], [], np.ones((1, 2)))[0]
        array([[2.]], dtype=float32)
        """
        owner = self._owner()
        if not self.built:
            raise ValueError(
                f"{owner} has no weights yet, so stateless_call cannot replace them. "
                "Call it on data or `build(input_shape)` first."
            )
        own = self.trainable_weights, self.non_trainable_weights
        given = list(trainable_variables), list(non_trainable_variables)
        for variables, values in zip(own, given, strict=True):
            if [v.shape for v in variables] != [np.shape(getval(v)) for v in values]:
                raise ValueError(
                    f"{owner}: stateless_call needs a value for each weight, of the "
                    f"shapes {[v.shape for v in variables]}. Received: "
                    f"{[np.shape(getval(v)) for v in values]}"
                )
        boxes = [
            convert(value, variable.dtype)
            for variable, value in zip(own[0], given[0], strict=True)
        ]
        before = [variable.numpy() for variable in own[1]]
        try:
            for variable, value in zip(own[1], given[1], strict=True):
                variable.assign(value)
            with bind(own[0], boxes):
                outputs = self(*args, **kwargs)
                losses = self.losses if return_losses else None
            state = [variable.numpy() for variable in own[1]]
        finally:
            for variable, value in zip(own[1], before, strict=True):
                variable.assign(value)
        return (outputs, state, losses) if return_losses else (outputs, state)

    # --- what a layer adds ------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    @property
    def losses(self) -> list[Any]:
        raise NotImplementedError

    def _sublayers(self) -> list[Any]:
        raise NotImplementedError

    def _owner(self) -> str:
        raise NotImplementedError

    def _missing(self, name: str) -> str:
        raise NotImplementedError


def collect(value: Any, kind: type, found: dict[int, Any]) -> None:
    """Enter every `kind` in a value or its lists, tuples and dictionaries."""
    if isinstance(value, kind):
        found.setdefault(id(value), value)
    elif isinstance(value, CONTAINERS):
        for item in value.values() if isinstance(value, dict) else value:
            collect(item, kind, found)
