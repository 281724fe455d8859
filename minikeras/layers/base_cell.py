"""What the recurrent cells share: their weights, dropout and config."""

from typing import Any

import numpy as np

from minikeras import activations, constraints, initializers, regularizers
from minikeras.kernels.dropout import kept
from minikeras.layers.core import known_size
from minikeras.layers.regularization import BaseNoise
from minikeras.ops import recurrent as fused
from minikeras.ops.base import Array, getval
from minikeras.ops.numpy import concatenate, masked, matmul, reshape, zeros
from minikeras.ops.stacking import unstack
from minikeras.validation import positive_int

SETTINGS = {
    f"{weight}_{kind}": module
    for kind, module in (
        ("initializer", initializers),
        ("regularizer", regularizers),
        ("constraint", constraints),
    )
    for weight in ("kernel", "recurrent", "bias")
}


def own_arguments(scope: dict[str, Any]) -> dict[str, Any]:
    """The arguments of an `__init__` from its `locals()`, to be handed on by name."""
    return {k: v for k, v in scope.items() if k not in ("self", "kwargs", "__class__")}


def as_states(states: Any) -> list[Any]:
    """States as a list, also if there is only one."""
    return list(states) if isinstance(states, list | tuple) else [states]


class BaseCell(BaseNoise):
    """One step of a recurrent layer: weights for `gates` vectors of `units`, dropout.

    In training, dropout multiplies the inputs, and recurrent dropout the state, by
    random masks, the same for all steps of a sequence. They are drawn at the first
    step, and again after `reset_dropout_mask` or `reset_recurrent_dropout_mask`, which
    the layers call.

    Args:
        units: size of the output and of each state.
        activation: of the new state; name, function or None for none.
        recurrent_activation: of the gates, in the cells that have some.
        use_bias: whether to add a bias.
        kernel_initializer: of the kernel (features, gates * units).
        recurrent_initializer: of the recurrent kernel (units, gates * units).
        bias_initializer: of the bias.
        kernel_regularizer: adds a function of the kernel to the loss.
        recurrent_regularizer: adds a function of the recurrent kernel to the loss.
        bias_regularizer: adds a function of the bias to the loss.
        kernel_constraint: applied to the kernel after each update.
        recurrent_constraint: applied to the recurrent kernel after each update.
        bias_constraint: applied to the bias after each update.
        dropout: probability with which an input becomes zero in training; brought
            into [0, 1].
        recurrent_dropout: the same for the state. As in Keras, cells with gates take
            1 as 0.
        seed: makes the masks repeat; drawn from the process-wide seed for None.
        implementation: in cells with gates, 2 for one mask of the inputs and 1 for a
            mask of its own for each gate; always 1 with recurrent dropout.

    Input shape: (batch, features), and a list of states (batch, units).
    Output shape: (batch, units), and the list of new states.

    Raises:
        ValueError: if `units` is not a positive integer, for a seed that is no whole
            number, and if the number of features is not known when it is built.
    """

    gates = 1
    supports_masking = False
    state_size: Any
    kernel: Any
    recurrent_kernel: Any
    bias: Any

    def __init__(
        self,
        units: int,
        activation: Any,
        use_bias: bool,
        dropout: float,
        recurrent_dropout: float,
        seed: int | None,
        recurrent_activation: Any = None,
        **kwargs: Any,
    ):
        settings = {name: kwargs.pop(name) for name in SETTINGS}
        implementation = kwargs.pop("implementation", 2) if self.gates > 1 else 2
        super().__init__(seed, **kwargs)
        self.units = positive_int(units, "units", type(self).__name__)
        self.activation = activations.get(activation)
        if self.gates > 1:
            self.recurrent_activation = activations.get(recurrent_activation)
        self.use_bias = use_bias
        for name, module in SETTINGS.items():
            setattr(self, name, module.get(settings[name]))
        self.dropout = min(1.0, max(0.0, dropout))
        self.recurrent_dropout = min(1.0, max(0.0, recurrent_dropout))
        self.implementation = 1 if self.recurrent_dropout else implementation
        one = self.gates == 1 or self.implementation == 2
        self.dropout_mask_count = None if one else self.gates
        self.state_size = self.units
        self.output_size = self.units
        self._masks: dict[str, Any] = {}

    # --- weights ----------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        inputs = known_size(input_shape, -1, self._owner())
        width = self.gates * self.units
        self.kernel = self._weight("kernel", (inputs, width))
        self.recurrent_kernel = self._weight("recurrent", (self.units, width))
        self.bias = None
        if self.use_bias:
            self.bias = self._weight("bias", self._bias_shape())

    def _weight(self, kind: str, shape: tuple[int, ...]) -> Any:
        return self.add_weight(
            shape,
            self._bias_start
            if kind == "bias"
            else getattr(self, f"{kind}_initializer"),
            regularizer=getattr(self, f"{kind}_regularizer"),
            constraint=getattr(self, f"{kind}_constraint"),
            name="recurrent_kernel" if kind == "recurrent" else kind,
        )

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _bias_start(self, shape: Any, dtype: Any = None) -> Any:
        return self.bias_initializer(shape, dtype=dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.units)

    def get_initial_state(self, batch_size: int = 1) -> list[np.ndarray]:
        """Zeros for each sample of a batch, in a list of states."""
        sizes = as_states(self.state_size)
        return [zeros((batch_size, size), self.dtype) for size in sizes]

    # --- dropout ----------------------------------------------------------------

    def get_dropout_mask(self, step_input: Any) -> Any:
        """The mask of the inputs, a list of one for each gate, or None."""
        return self._mask("inputs", step_input, self.dropout)

    def get_recurrent_dropout_mask(self, step_input: Any) -> Any:
        """The mask of the state, a list of one for each gate, or None."""
        return self._mask("state", step_input, self.recurrent_dropout)

    def reset_dropout_mask(self) -> None:
        """Let the next step draw another mask of the inputs."""
        self._masks.pop("inputs", None)

    def reset_recurrent_dropout_mask(self) -> None:
        """Let the next step draw another mask of the state."""
        self._masks.pop("state", None)

    def _mask(self, kind: str, like: Any, rate: float) -> Any:
        if kind not in self._masks and rate > 0:
            count = self.dropout_mask_count
            masks = [self._draw(like, rate) for _ in range(count or 1)]
            self._masks[kind] = masks if count else masks[0]
        return self._masks.get(kind)

    def _draw(self, like: Any, rate: float) -> np.ndarray:
        mask = kept(self._generator, like.shape, rate)
        scale = 1 / (1 - rate) if rate < 1 else 0
        return np.multiply(mask, scale, dtype=like.dtype)

    def _drawn(self, inputs: Any, state: Any, training: bool) -> tuple[Any, Any]:
        """Masks of the inputs and of the state for this call, None for none."""
        masks, state_masks = None, None
        if training and self._applies(self.dropout):
            masks = self.get_dropout_mask(inputs)
        if training and self._applies(self.recurrent_dropout):
            state_masks = self.get_recurrent_dropout_mask(state)
        return masks, state_masks

    def _applies(self, rate: float) -> bool:
        return 0 < rate < 1 or (rate == 1 and self.gates == 1)

    # --- arithmetic -------------------------------------------------------------

    def _project(self, x: Array, weight: Array, masks: Any) -> Array:
        """x @ weight; a list of masks has one for each gate's part of the weight."""
        if isinstance(masks, list):
            parts = zip(masks, self._split(weight), strict=True)
            products = [matmul(x * mask, part) for mask, part in parts]
            return concatenate(products, -1)
        return matmul(x if masks is None else x * masks, weight)

    def _split(self, x: Array) -> list[Array]:
        """The parts of the last axis that belong to the gates."""
        return unstack(reshape(x, (-1, self.gates, self.units)), axis=1)

    def whole_sequence(
        self, x: Any, states: Any, training: bool, **options: Any
    ) -> tuple[Any, Any] | None:
        """Outputs and last states of all steps in one go, or None if it needs a loop.

        Args:
            x: sequences (batch, time, features).
            states: list of states to begin with; None for zeros.
            training: whether dropout is on.
            options: as for `minikeras.ops.recurrent.lstm`.
        """
        functions = {"activation": _fused_name(self.activation)}
        if self.gates > 1:
            name = _fused_name(self.recurrent_activation)
            functions["recurrent_activation"] = name
        if None in functions.values():
            return None
        kernel = self.kernel
        step = getval(x)[:, 0]
        state = np.empty((len(step), self.units), step.dtype)
        masks, state_masks = self._drawn(step, state, training)
        if isinstance(masks, list):  # each gate has inputs of its own
            kernel = self._kernel_for_each_gate()
            x = concatenate([x * mask[:, None] for mask in masks], -1)
        elif masks is not None:
            x = x * masks[:, None]
        if isinstance(state_masks, list):
            state_masks = np.stack(state_masks)
        options = {**options, **functions, "recurrent_mask": state_masks}
        return self._fused(
            x, states, kernel, self.recurrent_kernel, self.bias, **options
        )

    def _kernel_for_each_gate(self) -> Array:
        """The kernel for as many copies of the inputs side by side as there are gates,
        each of which meets its own gate only."""
        kernel = concatenate([self.kernel] * self.gates, 0)
        gates = np.arange(self.gates)
        rows = np.repeat(gates, self.kernel.shape[0])
        return masked(kernel, keep=rows[:, None] == np.repeat(gates, self.units))

    def _fused(self, *args: Any, **options: Any) -> tuple[Any, Any]:
        """The function of `minikeras.ops.recurrent` for this cell."""
        raise NotImplementedError

    # --- config -----------------------------------------------------------------

    def settings(self) -> dict[str, Any]:
        """The config without what all layers have."""
        result: dict[str, Any] = {
            "units": self.units,
            "activation": activations.serialize(self.activation),
        }
        if self.gates > 1:
            name = activations.serialize(self.recurrent_activation)
            result["recurrent_activation"] = name
        result["use_bias"] = self.use_bias
        for name, module in SETTINGS.items():
            result[name] = module.serialize(getattr(self, name))
        result["dropout"] = self.dropout
        result["recurrent_dropout"] = self.recurrent_dropout
        return result

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.settings(), "seed": self.seed}


def _fused_name(function: Any) -> str | None:
    names = fused.ACTIVATIONS
    return next((n for n in names if getattr(activations, n) is function), None)
