"""The array of a weight that does not train, with the methods of its handle."""

from typing import Any

import numpy as np
from autograd.extend import VSpace
from autograd.numpy.numpy_boxes import ArrayBox

from minikeras.variables import Variable


class StateArray(np.ndarray):
    """What a layer of a user's own finds in an attribute for its state.

    Code for Keras changes state in `call` by `self.total.assign_add(...)`; with a plain
    array it would be `self.total = self.total + ...`. Both work. What is computed from
    it is a plain array.

    >>> total = state_array(Variable(np.zeros(2), trainable=False))
    >>> total.assign_add([1.0, 2.0])
    array([1., 2.])
    >>> type(total * 2)
    <class 'numpy.ndarray'>
    """

    _handle: Variable | None = None  # a view's or copy's stays None

    def assign(self, value: Any) -> "StateArray":
        """Copy `value` into the weight."""
        self._variable("assign").assign(value)
        return self

    def assign_add(self, value: Any) -> "StateArray":
        """Add `value` to the weight."""
        self._variable("assign_add").assign_add(value)
        return self

    def assign_sub(self, value: Any) -> "StateArray":
        """Subtract `value` from the weight."""
        self._variable("assign_sub").assign_sub(value)
        return self

    def numpy(self) -> np.ndarray:
        """A copy as a plain array."""
        return np.array(self)

    @property
    def value(self) -> np.ndarray:
        """The plain array."""
        return _plain(self)

    def _variable(self, method: str) -> Variable:
        if self._handle is None:
            raise AttributeError(
                f"`{method}` belongs to a whole weight. Received: a part or a copy of "
                f"one, of shape {self.shape}."
            )
        return self._handle

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **kwargs: Any
    ) -> Any:
        if out is not None:
            kwargs["out"] = tuple(_plain(array) for array in out)
        return getattr(ufunc, method)(*map(_plain, inputs), **kwargs)

    def __repr__(self) -> str:
        return repr(_plain(self))


def state_array(variable: Variable) -> StateArray:
    """A variable's array, which its handle's methods change."""
    array = variable.array.view(StateArray)
    array._handle = variable
    return array


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, StateArray) else value


ArrayBox.register(StateArray)
VSpace.register(StateArray, VSpace.mappings[np.ndarray])
