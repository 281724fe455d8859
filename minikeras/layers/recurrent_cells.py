"""Cells: one step of a recurrent layer, for one vector of each sequence.

A cell's `call(inputs, states)` returns an output and the next states. `RNN` runs a cell
over sequences; those here can also run over a whole sequence at once.
"""

from typing import Any

import numpy as np

from minikeras.layers.base_cell import BaseCell, as_states, own_arguments
from minikeras.layers.layer import family
from minikeras.ops import recurrent as fused
from minikeras.ops.numpy import add, matmul
from minikeras.ops.stacking import unstack


@family.add()
class SimpleRNNCell(BaseCell):
    """One step of `SimpleRNN`: h' = activation(x @ kernel + bias + h @ recurrent).

    Arguments and errors as for `BaseCell`.

    Source: Elman, "Finding structure in time", Cognitive Science 14 (1990).

    >>> cell = SimpleRNNCell(2, kernel_initializer="ones")
    >>> h, states = cell(np.ones((1, 3)), [np.zeros((1, 2), "float32")])
    >>> h.round(4), states[0] is h
    (array([[0.9951, 0.9951]], dtype=float32), True)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**own_arguments(locals()), **kwargs)

    def call(self, sequence: Any, states: Any, training: bool = False) -> Any:
        state = as_states(states)[0]
        masks, state_masks = self._drawn(sequence, state, training)
        z = self._project(sequence, self.kernel, masks)
        if self.bias is not None:
            z = add(z, self.bias)
        state = add(z, self._project(state, self.recurrent_kernel, state_masks))
        output = self.activation(state)
        return output, [output] if isinstance(states, list | tuple) else output

    def _fused(self, *args: Any, **options: Any) -> tuple[Any, Any]:
        return fused.simple_rnn(*args, **options)


@family.add()
class LSTMCell(BaseCell):
    """One step of `LSTM`. With f the recurrent activation and g the activation,

    i, f, o = f(x @ kernel + h @ recurrent + bias), each with its own part of the
    weights, c' = f c + i g(...), h' = o g(c'). The parts stand in the order i, f, c, o.

    Arguments and errors as for `BaseCell`, and

    Args:
        unit_forget_bias: whether the bias of the forget gate begins as ones.

    Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997.

    >>> cell = LSTMCell(2, kernel_initializer="ones")
    >>> h, (h, c) = cell(np.ones((1, 3)), cell.get_initial_state(1))
    >>> h.round(3), c.round(3)
    (array([[0.704, 0.704]], dtype=float32), array([[0.948, 0.948]], dtype=float32))
    """

    gates = 4

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        arguments = own_arguments(locals())
        del arguments["unit_forget_bias"]
        super().__init__(**arguments, **kwargs)
        self.unit_forget_bias = unit_forget_bias
        self.state_size = [self.units, self.units]

    def _bias_start(self, shape: Any, dtype: Any = None) -> Any:
        if not self.unit_forget_bias:
            return self.bias_initializer(shape, dtype=dtype)
        units = self.units
        return np.concatenate(
            [
                self.bias_initializer((units,), dtype=dtype),
                np.ones(units, dtype),
                self.bias_initializer((2 * units,), dtype=dtype),
            ]
        )

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        h, c = states
        masks, state_masks = self._drawn(inputs, h, training)
        z = self._project(inputs, self.kernel, masks)
        z = add(z, self._project(h, self.recurrent_kernel, state_masks))
        if self.bias is not None:
            z = add(z, self.bias)
        zi, zf, zc, zo = self._split(z)
        gate = self.recurrent_activation
        c = gate(zf) * c + gate(zi) * self.activation(zc)
        h = gate(zo) * self.activation(c)
        return h, [h, c]

    def _fused(self, *args: Any, **options: Any) -> tuple[Any, Any]:
        return fused.lstm(*args, **options)

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "unit_forget_bias": self.unit_forget_bias}


@family.add()
class GRUCell(BaseCell):
    """One step of `GRU`. With f the recurrent activation and g the activation,

    z, r = f(x @ kernel + h @ recurrent + bias), each with its own part of the weights,
    h' = z h + (1 - z) g(...), where r multiplies h @ recurrent in the last part, or h
    itself without `reset_after`. The parts stand in the order z, r, h.

    Arguments and errors as for `BaseCell`, and

    Args:
        reset_after: whether the reset gate acts after the product. The bias then has
            two rows: one for the inputs and one for the state.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder for
    statistical machine translation", 2014.

    >>> cell = GRUCell(2, kernel_initializer="ones")
    >>> h, states = cell(np.ones((1, 3)), cell.get_initial_state(1))
    >>> h.round(4)
    array([[0.0472, 0.0472]], dtype=float32)
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ):
        arguments = own_arguments(locals())
        del arguments["reset_after"]
        super().__init__(**arguments, **kwargs)
        self.reset_after = reset_after

    def _bias_shape(self) -> tuple[int, ...]:
        one = super()._bias_shape()
        return (2, *one) if self.reset_after else one

    def call(self, inputs: Any, states: Any, training: bool = False) -> Any:
        state = as_states(states)[0]
        masks, state_masks = self._drawn(inputs, state, training)
        z = self._project(inputs, self.kernel, masks)
        bias, state_bias = self.bias, None
        if self.reset_after and bias is not None:
            bias, state_bias = unstack(bias)
        xz, xr, xh = self._split(z if bias is None else add(z, bias))
        gate, recurrent = self.recurrent_activation, self.recurrent_kernel
        if self.reset_after:
            z = self._project(state, recurrent, state_masks)
            hz, hr, hh = self._split(z if state_bias is None else add(z, state_bias))
            update, reset = gate(xz + hz), gate(xr + hr)
            product = reset * hh
        else:
            hz, hr, hh = (
                state if mask is None else state * mask
                for mask in state_masks or [None] * self.gates
            )
            for_z, for_r, for_h = self._split(recurrent)
            update = gate(xz + matmul(hz, for_z))
            reset = gate(xr + matmul(hr, for_r))
            product = matmul(reset * hh, for_h)
        new = update * state + (1 - update) * self.activation(xh + product)
        return new, [new] if isinstance(states, list | tuple) else new

    def _fused(self, *args: Any, **options: Any) -> tuple[Any, Any]:
        return fused.gru(*args, **options, reset_after=self.reset_after)

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "reset_after": self.reset_after}
