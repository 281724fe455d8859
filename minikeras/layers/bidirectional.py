"""Bidirectional: one layer reads a sequence forwards, another one backwards."""

from typing import Any

from minikeras.layers.layer import Layer, family
from minikeras.layers.rnn import Stateful
from minikeras.ops.numpy import add, concatenate, multiply
from minikeras.ops.reshaping import flip
from minikeras.registry import (
    custom_object_scope,
    deserialize_keras_object,
    serialize_keras_object,
)
from minikeras.validation import choice, shape_text

_MERGE_MODES = ("sum", "mul", "ave", "concat")
_COMMON = ("stateful", "return_sequences", "return_state")


@family.add()
class Bidirectional(Stateful):
    """Runs a recurrent layer forwards and another one backwards, and merges the
    outputs, step by step.

    Both layers are new ones, made from the config of `layer`; the output of masked
    steps is zero in both.

    Args:
        layer: an `RNN`, or a layer with its attributes `go_backwards`,
            `return_sequences`, `return_state` and `stateful`.
        merge_mode: `"concat"`, `"sum"`, `"mul"`, `"ave"`, or None for both outputs.
        weights: initial weights of both layers, the forward layer's first.
        backward_layer: the layer that reads backwards, instead of a copy of `layer`.

    Input shape: (batch, time, features), and optionally a list of states to begin with,
    those of the forward layer first. Output shape: (batch, ..., 2 units), or (...,
    units) with other modes; two of them with None, in a tuple. The last states of both
    layers stand behind, with `return_state`.

    Raises:
        ValueError: if a layer is no recurrent layer, both read in one direction or
            differ in what they return, and for another `merge_mode`.

    Source: Schuster and Paliwal, "Bidirectional recurrent neural networks", 1997.

    >>> import numpy as np
    >>> from minikeras.layers import LSTM
    >>> Bidirectional(LSTM(4, return_sequences=True))(np.ones((2, 5, 3))).shape
    (2, 5, 8)
    """

    supports_masking = True

    def __init__(
        self,
        layer: Layer,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ):
        for name, given in (("layer", layer), ("backward_layer", backward_layer)):
            if given is not None or name == "layer":
                _check_layer(given, name)
        super().__init__(**kwargs)
        if merge_mode is not None:
            choice(merge_mode, _MERGE_MODES, "merge_mode", "Bidirectional")
        self.merge_mode = merge_mode
        self.forward_layer = _copy(layer, "forward_")
        if backward_layer is None:
            backward_layer = _copy(layer, "backward_", go_backwards=True)
        self.backward_layer = backward_layer
        self._check_pair()
        for inner in (self.forward_layer, self.backward_layer):
            if getattr(inner, "zero_output_for_mask", None) is not None:
                inner.zero_output_for_mask = inner.return_sequences
        self._initial_weights = None if weights is None else list(weights)
        self.stateful = layer.stateful
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.input_spec = layer.input_spec

    def _check_pair(self) -> None:
        one, other = self.forward_layer, self.backward_layer
        if one.go_backwards == other.go_backwards:
            raise ValueError(
                "Bidirectional: one layer must read forwards and the other backwards. "
                f"Received: go_backwards={one.go_backwards} of {one.name!r} and of "
                f"{other.name!r}"
            )
        for name in _COMMON:
            if getattr(one, name) != getattr(other, name):
                raise ValueError(
                    f"Bidirectional: `{name}` of both layers must be equal. Received: "
                    f"{name}={getattr(one, name)} of {one.name!r} and "
                    f"{name}={getattr(other, name)} of {other.name!r}"
                )

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        both = [self.forward_layer, self.backward_layer]
        shapes = [layer._build_for(sequences_shape) for layer in both]
        if self.return_state:
            shapes = [shape[0] for shape in shapes]
        if self.merge_mode not in ("concat", None) and shapes[0] != shapes[1]:
            raise ValueError(
                f"{self._owner()}: merge_mode={self.merge_mode!r} needs two outputs of "
                f"one shape. Received: {shape_text(shapes[0])} and "
                f"{shape_text(shapes[1])}"
            )
        if self._initial_weights is not None:
            self.set_weights(self._initial_weights)
        self._set_paths(self._path or self.name)

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool | None = None,
    ) -> Any:
        forward_state, backward_state = None, None
        if initial_state is not None:
            half = len(initial_state) // 2
            forward_state, backward_state = initial_state[:half], initial_state[half:]
        options = {"training": training}
        if self.forward_layer._call_takes_mask:
            options["mask"] = mask
        y = self.forward_layer(sequences, initial_state=forward_state, **options)
        back = self.backward_layer(sequences, initial_state=backward_state, **options)
        states: tuple[Any, ...] = ()
        if self.return_state:
            states = (*y[1:], *back[1:])
            y, back = y[0], back[0]
        if self.return_sequences:
            back = flip(back, axis=1)
        outputs = self._merge(y, back)
        if self.merge_mode is None:
            return (*outputs, *states)
        return (outputs, *states) if self.return_state else outputs

    def _merge(self, y: Any, back: Any) -> Any:
        if self.merge_mode == "concat":
            return concatenate([y, back], -1)
        if self.merge_mode == "mul":
            return multiply(y, back)
        if self.merge_mode == "sum":
            return add(y, back)
        if self.merge_mode == "ave":
            return multiply(add(y, back), 0.5)
        return y, back

    def compute_output_shape(
        self, sequences_shape: Any, initial_state_shape: Any = None
    ) -> Any:
        shape = self.forward_layer.compute_output_shape(sequences_shape)
        back = self.backward_layer.compute_output_shape(sequences_shape)
        states: tuple[Any, ...] = ()
        if self.return_state:
            states = (*shape[1:], *back[1:])
            shape, back = shape[0], back[0]
        if self.merge_mode is None:
            return (shape, back, *states)
        if self.merge_mode == "concat":
            shape = (*shape[:-1], shape[-1] + back[-1])
        return (shape, *states) if self.return_state else shape

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        mask = previous_mask
        if isinstance(mask, list | tuple):
            mask = mask[0]
        mask = mask if self.return_sequences else None
        return (mask, mask) if self.merge_mode is None else mask

    @property
    def states(self) -> tuple[Any, ...] | None:
        """What `stateful` keeps, the forward layer's first; else None."""
        forward, back = self.forward_layer.states, self.backward_layer.states
        return (*forward, *back) if forward and back else None

    def reset_state(self) -> None:
        if not self.stateful:
            raise AttributeError(
                f"{self._owner()} keeps no states to reset, because its layers were "
                "made without `stateful=True`."
            )
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "merge_mode": self.merge_mode,
            "layer": serialize_keras_object(self.forward_layer),
            "backward_layer": serialize_keras_object(self.backward_layer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        for name in ("layer", "backward_layer"):
            if config.get(name) is not None:
                config[name] = deserialize_keras_object(
                    config[name], custom_objects, family
                )
        return cls(**config)


def _check_layer(layer: Any, name: str) -> None:
    needed = ("go_backwards", *_COMMON)
    if not isinstance(layer, Layer) or not all(hasattr(layer, n) for n in needed):
        raise ValueError(
            f"Bidirectional: `{name}` must be a recurrent layer, such as LSTM(32). "
            f"Received: {name}={layer!r}"
        )


def _copy(layer: Any, prefix: str, **changes: Any) -> Any:
    """A new layer, with weights of its own, from the config of another one."""
    name = prefix + layer.name.removeprefix(prefix)
    config = {**layer.get_config(), "name": name, **changes}
    own = {type(inner).__name__: type(inner) for inner in layer._all_layers()}
    with custom_object_scope(own):  # those of the user need not be registered
        copy = type(layer).from_config(config)
    if layer.built and (shapes := layer.get_build_config()):
        copy.build_from_config(shapes)
    return copy
