"""RNN: a cell run over sequences, one step after the other or all at once."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from minikeras.layers.base_cell import BaseCell, as_states
from minikeras.layers.layer import Layer, family
from minikeras.layers.recurrent_loop import loop
from minikeras.layers.stacked_cells import (
    WHOLE,
    StackedRNNCells,
    cell_from_config,
    check_cell,
    initial_state,
    output_size,
    step,
)
from minikeras.layers.structure import leaves, map_leaves
from minikeras.ops.base import convert, getval
from minikeras.ops.numpy import zeros
from minikeras.registry import serialize_keras_object
from minikeras.validation import shape_text
from minikeras.variables import Variable


class Stateful(Layer):
    """A layer that can keep a state for each sample of the batch from call to call."""

    stateful: bool

    def _build_on(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        sequences = args[0] if args else kwargs["sequences"]
        self._check_input(sequences)
        batch = sequences.shape[0] if self.stateful else None
        self.build((batch, *sequences.shape[1:]))
        self.built = True
        self._set_paths(self._path or self.name)

    def reset_states(self) -> None:
        """The same as `reset_state`."""
        self.reset_state()

    def reset_state(self) -> None:
        """Begin the next call with zeros again."""
        raise NotImplementedError


@family.add()
class RNN(Stateful):
    """A recurrent layer: at each step of a sequence, its cell makes an output and new
    states of the input and the last states.

    Args:
        cell: a cell, or a list of cells on top of each other. A cell has a method
            `call(inputs, states)`, which may take `training` and returns an output and
            a list of new states; an attribute `state_size`, an integer or a list of
            them; and perhaps `output_size` and `get_initial_state(batch_size)`.
        return_sequences: whether to return the outputs of all steps, or the last one.
        return_state: whether to return the last states behind the output.
        go_backwards: whether to begin with the last step; the outputs are then in this
            order too.
        stateful: whether each call begins with the last states of the call before,
            sample by sample, until `reset_state()`.
        unroll: changes no numbers without a mask. With a mask, as in Keras, masked
            steps repeat the last output, zeros at first, in place of the first state,
            and `zero_output_for_mask` has no effect.
        zero_output_for_mask: whether the output of masked steps is zero. Otherwise it
            is that of the step before.

    Input shape: (batch, time, ...), and optionally a list of states to begin with.
    Output shape: (batch, units) or (batch, time, units), with `return_state` in a tuple
    with the states behind it.

    Masked steps leave the states as they are.

    Raises:
        ValueError: if `cell` is no cell; when built, for `stateful` without a number of
            samples; when called, for sequences without a step, states or a mask of
            another shape, and another number of samples than `stateful` keeps.

    >>> class Sum:
    ...     state_size = 1
    ...     def call(self, inputs, states):
    ...         total = inputs + states[0]
    ...         return total, [total]
    >>> RNN(Sum(), return_sequences=True)(np.ones((1, 3, 1)))
    array([[[1.],
            [2.],
            [3.]]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ):
        if isinstance(cell, list | tuple):
            cell = StackedRNNCells(cell)
        check_cell(cell, type(self).__name__)
        super().__init__(**kwargs)
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.state_size = as_states(cell.state_size)
        self._memory = SimpleNamespace(states=None)  # hidden: no weights, as in Keras

    # --- shapes and states ------------------------------------------------------

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        batch, features = sequences_shape[0], tuple(sequences_shape[2:])
        if self.stateful and batch is None:
            raise ValueError(
                f"{self._owner()}: `stateful=True` keeps a state for each sample of a "
                "batch, so the size of the batches must be fixed. Pass it with the "
                "input's shape, such as Input(batch_shape=(32, 10, 8)). Received: an "
                f"input of shape {shape_text(sequences_shape)}"
            )
        if isinstance(self.cell, Layer):
            if not self.cell.built:
                self.cell.build((batch, *features))
            self._build_inside(features)
        if self.stateful and self.states is None:
            self._memory.states = map_leaves(
                self._state_variable, self.get_initial_state(batch)
            )
        self._set_paths(self._path or self.name)

    def _build_inside(self, features: tuple[Any, ...]) -> None:
        """Try a step on zeros if there are layers in the cell that are not built."""
        layers = self.cell._all_layers()
        if None not in features and not all(layer.built for layer in layers):
            x = zeros((1, *features), self.cell.dtype)
            step(self.cell, x, self.get_initial_state(1), False)

    def _state_variable(self, value: Any) -> Variable:
        variable = Variable(value, "rnn_state", False, self.dtype)
        variable.path = f"{self._path or self.name}/rnn_state"
        return variable

    def compute_output_shape(
        self, sequences_shape: Any, initial_state_shape: Any = None
    ) -> Any:
        batch, length = sequences_shape[:2]
        size = output_size(self.cell)
        shape = (batch, length, size) if self.return_sequences else (batch, size)
        if not self.return_state:
            return shape
        states = [
            [(batch, n) for n in size]
            if isinstance(size, list | tuple)
            else (batch, size)
            for size in self.state_size
        ]
        return (shape, *states)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        mask = next(leaves(previous_mask), None) if self.return_sequences else None
        return [mask, *(None for _ in self.state_size)] if self.return_state else mask

    @property
    def states(self) -> list[Any] | None:
        """What `stateful` keeps, as handles like those of weights; else None."""
        return self._memory.states

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """The states that sequences begin with: the cell's own choice, or zeros."""
        return as_states(initial_state(self.cell, batch_size, self.dtype))

    def reset_state(self) -> None:
        for variable in leaves(self.states):
            variable.assign(np.zeros(variable.shape, variable.dtype))

    # --- calling ----------------------------------------------------------------

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        mask = self._check_call(sequences, mask)
        start = self._start(sequences, initial_state)
        if training:
            self._reset_masks()
        outputs, states = self._run(sequences, start, mask, training)
        if training:
            self._reset_masks()
        if self.stateful:
            for variable, state in zip(
                leaves(self.states), leaves(states), strict=True
            ):
                variable.assign(state)
        return (outputs, *states) if self.return_state else outputs

    def _check_call(self, sequences: Any, mask: Any) -> np.ndarray | None:
        """Refuse what cannot be run over; the mask as an array (batch, time)."""
        batch, length = sequences.shape[:2]
        if length == 0:
            raise ValueError(
                f"{self._owner()}: the sequences have no step. Received: an input of "
                f"shape {shape_text(sequences.shape)}"
            )
        if self.stateful:
            kept = next(leaves(self.states)).shape[0]
            if batch != kept:
                raise ValueError(
                    f"{self._owner()} is stateful and keeps states for {kept} samples, "
                    f"so each batch must have {kept}. Received: a batch of {batch}. "
                    "Choose `batch_size` so, and a number of samples it divides."
                )
        if isinstance(mask, list | tuple):
            mask = mask[0]
        if mask is None:
            return None
        mask = np.asarray(getval(convert(mask)), bool)
        mask = mask.any(axis=-1) if mask.ndim == 3 else mask
        if mask.shape != (batch, length):
            raise ValueError(
                f"{self._owner()}: the mask must have the shape (batch, time), here "
                f"{shape_text((batch, length))}. Received: {shape_text(mask.shape)}"
            )
        return mask

    def _start(self, sequences: Any, given: Any) -> list[Any] | None:
        """States to begin with; None for zeros."""
        if given is None and self.stateful:
            return map_leaves(lambda variable: variable.numpy(), self.states)
        if given is None:
            return None
        states = map_leaves(lambda s: convert(s, self.dtype), as_states(given))
        own = self.get_initial_state(sequences.shape[0])
        expected, received = (
            [tuple(s.shape) for s in leaves(v)] for v in (own, states)
        )
        if len(states) != len(own) or received != expected:
            raise ValueError(
                f"{self._owner()}: `initial_state` must be a list of {len(own)}, of "
                f"the shapes {expected}. Received: a list of {len(states)}, of the "
                f"shapes {received}"
            )
        return states

    def _reset_masks(self) -> None:
        for layer in self._all_layers():
            if isinstance(layer, BaseCell):
                layer.reset_dropout_mask()
                layer.reset_recurrent_dropout_mask()

    def _run(
        self, sequences: Any, start: Any, mask: np.ndarray | None, training: bool
    ) -> tuple[Any, Any]:
        """Outputs as they are returned, and the last states."""
        if type(self.cell) in WHOLE and (mask is None or not self.unroll):
            result = self.cell.whole_sequence(
                sequences,
                start,
                training,
                mask=mask,
                go_backwards=self.go_backwards,
                return_sequences=self.return_sequences,
                return_state=self.return_state or self.stateful,
                zero_output_for_mask=self.zero_output_for_mask,
            )
            if result is not None:
                return result
        if start is None:
            start = self.get_initial_state(sequences.shape[0])
        return loop(self, sequences, start, mask, training)

    # --- config -----------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
            "zero_output_for_mask": self.zero_output_for_mask,
            "cell": serialize_keras_object(self.cell),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        cell = cell_from_config(config["cell"], custom_objects)
        return cls(**{**config, "cell": cell})
