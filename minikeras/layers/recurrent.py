"""SimpleRNN, LSTM and GRU: each is its cell, run over sequences."""

from operator import attrgetter
from typing import Any

from minikeras import regularizers
from minikeras.layers.base_cell import SETTINGS, BaseCell, own_arguments
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import family
from minikeras.layers.recurrent_cells import GRUCell, LSTMCell, SimpleRNNCell
from minikeras.layers.rnn import RNN
from minikeras.registry import snake_case

_OF_THE_LOOP = (
    "return_sequences",
    "return_state",
    "go_backwards",
    "stateful",
    "unroll",
    "activity_regularizer",
)


class BaseRecurrent(RNN):
    """A recurrent layer with a cell of its own.

    Args:
        units: size of the output and of each state.
        activation: of the new state; name, function or None for none.
        recurrent_activation: of the gates, in the layers that have some.
        use_bias: whether to add a bias.
        kernel_initializer: of the kernel (features, gates * units).
        recurrent_initializer: of the recurrent kernel (units, gates * units).
        bias_initializer: of the bias.
        kernel_regularizer: adds a function of the kernel to the loss.
        recurrent_regularizer: adds a function of the recurrent kernel to the loss.
        bias_regularizer: adds a function of the bias to the loss.
        activity_regularizer: adds a function of the output to the loss.
        kernel_constraint: applied to the kernel after each update.
        recurrent_constraint: applied to the recurrent kernel after each update.
        bias_constraint: applied to the bias after each update.
        dropout: probability with which an input becomes zero in training, in all steps
            of a sequence alike; brought into [0, 1].
        recurrent_dropout: the same for the state.
        seed: makes the dropout repeat; drawn from the process-wide seed for None.
        return_sequences: whether to return the outputs of all steps, or the last one.
        return_state: whether to return the last states behind the output.
        go_backwards: whether to begin with the last step.
        stateful: whether each call begins with the last states of the call before.
        unroll: as for `RNN`.
        use_cudnn: `"auto"` or False. There is no GPU here, so True is refused.

    Input shape: (batch, time, features), and optionally a list of states to begin
    with, each (batch, units). Output shape: as for `RNN`.

    Raises:
        ValueError: if `units` is not a positive integer, for `use_cudnn=True`, and as
            for `RNN`.
    """

    cell_class: type[BaseCell]

    def __init__(self, arguments: dict[str, Any], kwargs: dict[str, Any]):
        loop = {key: arguments.pop(key) for key in _OF_THE_LOOP}
        use_cudnn = arguments.pop("use_cudnn", "auto")
        if use_cudnn not in ("auto", False):
            raise ValueError(
                f"{type(self).__name__}: `use_cudnn` must be 'auto' or False: there is "
                f"no GPU to use. Received: use_cudnn={use_cudnn!r}"
            )
        if "implementation" in kwargs and self.cell_class.gates > 1:
            arguments["implementation"] = kwargs.pop("implementation")
        cell = self.cell_class(
            **arguments,
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name=snake_case(self.cell_class.__name__),
        )
        super().__init__(cell, **loop, **kwargs)
        self.use_cudnn = use_cudnn
        self.input_spec = InputSpec(ndim=3)

    def get_config(self) -> dict[str, Any]:
        base = super().get_config()
        del base["cell"]
        regularizer = regularizers.serialize(self.activity_regularizer)
        settings = self.cell.settings()
        return {**base, **settings, "activity_regularizer": regularizer}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        return cls(**config)


for _name in (
    *("units", "activation", "recurrent_activation", "use_bias"),
    *("unit_forget_bias", "reset_after", "dropout", "recurrent_dropout"),
    *SETTINGS,
):
    setattr(BaseRecurrent, _name, property(attrgetter(f"cell.{_name}")))


@family.add()
class SimpleRNN(BaseRecurrent):
    """A recurrent layer whose output is its state, fed back at the next step:

    h' = activation(x @ kernel + bias + h @ recurrent_kernel).

    Arguments, shapes and errors as for `BaseRecurrent`.

    Source: Elman, "Finding structure in time", Cognitive Science 14 (1990).

    >>> import numpy as np
    >>> layer = SimpleRNN(1, kernel_initializer="ones", activation=None)
    >>> layer(np.array([[[1.0, 2.0]]]))
    array([[3.]], dtype=float32)
    """

    cell_class = SimpleRNNCell

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(own_arguments(locals()), kwargs)


@family.add()
class LSTM(BaseRecurrent):
    """Long short-term memory: beside its output h it carries a state c, which gates
    i, f and o write, keep and read.

    i, f, o = recurrent_activation(x @ kernel + h @ recurrent_kernel + bias), each with
    its own part of the weights; c' = f c + i activation(...), h' = o activation(c').
    The parts stand in the order i, f, c, o.

    Arguments, shapes and errors as for `BaseRecurrent`, and

    Args:
        unit_forget_bias: whether the bias of the forget gate begins as ones.

    Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997.

    >>> import numpy as np
    >>> outputs, h, c = LSTM(4, return_sequences=True, return_state=True)(
    ...     np.ones((2, 5, 3))
    ... )
    >>> outputs.shape, h.shape, c.shape
    ((2, 5, 4), (2, 4), (2, 4))
    """

    cell_class = LSTMCell

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ):
        super().__init__(own_arguments(locals()), kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.cell.seed}


@family.add()
class GRU(BaseRecurrent):
    """Gated recurrent unit: gate z keeps the state, gate r decides what of it counts.

    z, r = recurrent_activation(x @ kernel + h @ recurrent_kernel + bias), each with its
    own part of the weights; h' = z h + (1 - z) activation(...), where r multiplies
    h @ recurrent_kernel in the last part, or h itself without `reset_after`. The parts
    stand in the order z, r, h.

    Arguments, shapes and errors as for `BaseRecurrent`, and

    Args:
        reset_after: whether the reset gate acts after the product. The bias then has
            two rows: one for the inputs and one for the state.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder for
    statistical machine translation", 2014.

    >>> import numpy as np
    >>> GRU(4, return_sequences=True)(np.ones((2, 5, 3))).shape
    (2, 5, 4)
    """

    cell_class = GRUCell

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ):
        super().__init__(own_arguments(locals()), kwargs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.cell.seed}
