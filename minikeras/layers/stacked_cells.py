"""Cells of any kind: what they must offer, one step of them, and stacks of them."""

import inspect
from typing import Any

import numpy as np

from minikeras.layers.base_cell import as_states
from minikeras.layers.layer import Layer, family
from minikeras.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell
from minikeras.ops.numpy import zeros
from minikeras.registry import deserialize_keras_object, serialize_keras_object


def check_cell(cell: Any, owner: str) -> None:
    """Raise a ValueError if `cell` is not a cell."""
    if not hasattr(cell, "call"):
        raise ValueError(
            f"{owner}: a cell must have a method `call(inputs, states)` that returns "
            f"an output and a list of new states. Received: {cell!r}"
        )
    size = getattr(cell, "state_size", None)
    if not isinstance(size, list | tuple | int | np.integer):
        raise ValueError(
            f"{owner}: a cell must have an attribute `state_size`, an integer, or a "
            f"list of one for each state. Received: state_size={size!r} of {cell!r}"
        )
    wanted = inspect.signature(cell.call).parameters
    if "constants" in wanted:
        raise ValueError(
            f"{owner}: `constants` are not offered, as in Keras 3. Give {cell!r} "
            "what it needs as an attribute, or join it to the inputs."
        )


def cell_from_config(config: Any, custom_objects: Any) -> Any:
    """A cell, not built yet: only the layer around it knows its states."""
    if isinstance(config, dict):
        config = {key: value for key, value in config.items() if key != "build_config"}
    return deserialize_keras_object(config, custom_objects, family)


def output_size(cell: Any) -> int:
    """The size of a cell's output: that of its first state if it does not tell."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = as_states(cell.state_size)[0]
    return size


def initial_state(cell: Any, batch_size: int, dtype: str) -> Any:
    """What a cell begins with: what it says itself, or zeros for its `state_size`."""
    make = getattr(cell, "get_initial_state", None)
    if make is not None:
        return make(batch_size=batch_size)
    return _zero_states(cell.state_size, batch_size, getattr(cell, "dtype", dtype))


def _zero_states(size: Any, batch_size: int, dtype: str) -> Any:
    if isinstance(size, list | tuple):
        return [_zero_states(one, batch_size, dtype) for one in size]
    return zeros((batch_size, int(size)), dtype)


def step(cell: Any, x: Any, states: list[Any], training: Any) -> tuple[Any, list[Any]]:
    """One step of any cell: its output, and its new states as a list."""
    options = {}
    if isinstance(cell, Layer) and cell._call_takes_training:
        options["training"] = training
    function = cell if callable(cell) else cell.call
    result = function(x, states, **options)
    if not isinstance(result, list | tuple) or len(result) != 2:
        raise ValueError(
            f"The `call` of {cell!r} must return two things: an output and a list of "
            f"new states. Received: {type(result).__name__}"
        )
    return result[0], as_states(result[1])


@family.add()
class StackedRNNCells(Layer):
    """Cells on top of each other as one cell: each gets the output of the one below.

    Args:
        cells: list of cells.

    Input shape: that of the first cell, and a list with the states of each cell.
    Output shape: that of the last cell, and the list of new states.

    Raises:
        ValueError: if a cell has no `call` or no `state_size`, or there are none.

    >>> StackedRNNCells([LSTMCell(4), GRUCell(3)]).state_size
    [[4, 4], 3]
    """

    def __init__(self, cells: Any, **kwargs: Any):
        super().__init__(**kwargs)
        if not isinstance(cells, list | tuple) or not cells:
            raise ValueError(
                "StackedRNNCells: `cells` must be a list of cells, such as "
                f"[LSTMCell(32), LSTMCell(32)]. Received: cells={cells!r}"
            )
        for cell in cells:
            check_cell(cell, "StackedRNNCells")
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        """The `state_size` of each cell."""
        return [cell.state_size for cell in self.cells]

    @property
    def output_size(self) -> Any:
        """The size of the last cell's output."""
        return output_size(self.cells[-1])

    def get_initial_state(self, batch_size: int = 1) -> list[Any]:
        """The states of each cell to begin with."""
        return [initial_state(cell, batch_size, self.dtype) for cell in self.cells]

    def build(self, input_shape: Any) -> None:
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], output_size(cell))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], self.output_size)

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        new_states = []
        for cell, given in zip(self.cells, states, strict=True):
            inputs, new = step(cell, inputs, as_states(given), training)
            one = len(new) == 1 and not isinstance(given, list | tuple)
            new_states.append(new[0] if one else new)
        return inputs, new_states

    def whole_sequence(
        self,
        x: Any,
        states: Any,
        training: bool,
        *,
        mask: Any,
        return_sequences: bool,
        go_backwards: bool,
        zero_output_for_mask: bool,
        **options: Any,
    ) -> tuple[Any, Any] | None:
        """As `BaseCell.whole_sequence`, one cell after the other."""
        if not all(type(cell) in WHOLE for cell in self.cells):
            return None
        last = len(self.cells) - 1
        new_states = []
        for number, cell in enumerate(self.cells):
            result = cell.whole_sequence(
                x,
                None if states is None else as_states(states[number]),
                training,
                mask=mask,
                return_sequences=return_sequences or number < last,
                go_backwards=go_backwards,
                zero_output_for_mask=zero_output_for_mask and number == last,
                **options,
            )
            if result is None:
                return None
            x, new = result
            new_states.append(new)
            if go_backwards:  # what comes out is in reverse already
                go_backwards, mask = False, None if mask is None else mask[:, ::-1]
        return x, new_states

    def get_config(self) -> dict[str, Any]:
        cells = [serialize_keras_object(cell) for cell in self.cells]
        return {**super().get_config(), "cells": cells}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None
    ) -> "StackedRNNCells":
        cells = [cell_from_config(cell, custom_objects) for cell in config["cells"]]
        return cls(**{**config, "cells": cells})


# Cells that run over a whole sequence at once; not their subclasses, whose `call` may
# be another.
WHOLE = (SimpleRNNCell, LSTMCell, GRUCell, StackedRNNCells)
