"""Input, Dense and Activation."""

from typing import Any

import numpy as np

from minikeras import activations, constraints, initializers, regularizers
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import Layer, family
from minikeras.layers.structure import as_shape
from minikeras.ops.base import dtype_of
from minikeras.ops.nn import dense
from minikeras.validation import positive_int, shape_text


@family.add()
class InputLayer(Layer):
    """The shape and number type of a model's input; it computes nothing.

    Args:
        shape: shape of one sample; None for a size that varies.
        batch_size: fixed number of samples in a batch, if any.
        dtype: number type of the input; the default float type for None.
        batch_shape: shape with the batch axis, instead of `shape` and `batch_size`.
        name: name of the layer.

    Raises:
        ValueError: if neither or both shapes are given, and for `sparse`, `ragged`,
            `input_tensor` and `optional`, which are not offered.
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Any = None,
        input_tensor: Any = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ):
        old_batch = kwargs.pop("batch_input_shape", None)
        batch_shape = batch_shape if batch_shape is not None else old_batch
        shape = kwargs.pop("input_shape", shape)
        self.input_dtype = _input_dtype(dtype)
        floats = self.input_dtype if str(self.input_dtype).startswith("float") else None
        super().__init__(name=name, dtype=floats, **kwargs)
        if sparse or ragged or optional or input_tensor is not None:
            raise ValueError(
                "InputLayer: `sparse`, `ragged`, `input_tensor` and `optional` are not "
                "offered. Leave them out."
            )
        if (shape is None) == (batch_shape is None):
            raise ValueError(
                "InputLayer needs `shape`, the shape of one sample such as (28, 28, 1),"
                f" or `batch_shape`. Received: shape={shape}, batch_shape={batch_shape}"
            )
        if batch_shape is None:
            shape = (shape,) if isinstance(shape, int) else shape
            batch_shape = (batch_size, *shape)
        self.batch_shape = as_shape(batch_shape)
        for size in self.batch_shape:
            if size is not None and (not isinstance(size, int) or size < 0):
                raise ValueError(
                    "InputLayer: every size must be a whole number, or None for one "
                    f"that varies. Received: {batch_shape!r}"
                )
        self._build_shapes = {"input_shape": self.batch_shape}
        self.built = True

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any = None) -> Any:
        return self.batch_shape

    def get_build_config(self) -> None:
        return None  # its arguments say it all

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_shape": self.batch_shape,
            "dtype": self.input_dtype or self.dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": False,
        }


def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> InputLayer:
    """The input of a Sequential model, as its first layer.

    Arguments and errors as for `InputLayer`.

    >>> Input((28, 28, 1)).batch_shape
    (None, 28, 28, 1)
    """
    return InputLayer(
        shape, batch_size, dtype, sparse, ragged, batch_shape, tensor, optional, name
    )


@family.add()
class Dense(Layer):
    """Fully connected layer: y = activation(x @ kernel + bias) on the last axis.

    Args:
        units: size of the output's last axis.
        activation: name, function or None for none.
        use_bias: whether to add a bias.
        kernel_initializer: of the kernel (inputs, units).
        bias_initializer: of the bias (units,).
        kernel_regularizer: adds a function of the kernel to the loss.
        bias_regularizer: adds a function of the bias to the loss.
        activity_regularizer: adds a function of the output to the loss.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.

    Input shape: (batch, ..., inputs). Output shape: (batch, ..., units).

    Raises:
        ValueError: if `units` is not a positive integer, or the size of the last axis
            is not known when the layer is built.

    >>> Dense(2, kernel_initializer="ones")(np.ones((1, 3)))
    array([[3., 3.]], dtype=float32)
    """

    supports_masking = True

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.units = positive_int(units, "units", "Dense")
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=2)

    def build(self, input_shape: Any) -> None:
        inputs = known_size(input_shape, -1, self._owner())
        self.kernel = self.add_weight(
            (inputs, self.units),
            self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                (self.units,),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: inputs})

    def call(self, inputs: Any) -> Any:
        relu = self.activation is activations.relu
        if dtype_of(inputs) != self._np_dtype:
            inputs = inputs.astype(self.dtype)
        outputs = dense(inputs, self.kernel, self.bias, relu=relu)
        return outputs if relu else self.activation(outputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            **weight_config(self),
            "quantization_config": None,
        }


@family.add()
class Activation(Layer):
    """An activation function as a layer.

    Args:
        activation: name or function.

    Output shape: the input's.

    >>> Activation("relu")(np.array([-1.0, 1.0]))
    array([0., 1.], dtype=float32)
    """

    supports_masking = True

    def __init__(self, activation: Any, **kwargs: Any):
        super().__init__(**kwargs)
        self.activation = activations.get(activation)

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        activation = activations.serialize(self.activation)
        return {**super().get_config(), "activation": activation}


def _input_dtype(dtype: Any) -> str | None:
    if isinstance(dtype, dict):  # a policy, as Keras writes it into configs
        dtype = dtype.get("config", {}).get("name")
    if dtype is None or dtype == "string":
        return dtype
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype(object)
    if found.kind not in "biuf":
        raise ValueError(
            "InputLayer: `dtype` must be a type of numbers that NumPy has, such as "
            f"'float32' or 'uint8', or 'string'. Received: dtype={dtype!r}"
        )
    return found.name


def known_size(shape: Any, axis: int, owner: str) -> int:
    """The size of an axis that a weight's shape depends on.

    Raises:
        ValueError: if it is None.
    """
    size = shape[axis]
    if size is None:
        raise ValueError(
            f"{owner} needs to know the size of axis {axis} of its input, because its "
            f"weights depend on it. Received the input shape {shape_text(shape)}."
        )
    return int(size)


def weight_config(layer: Any) -> dict[str, Any]:
    """The config entries that layers with a kernel and a bias have in common."""
    config: dict[str, Any] = {
        "activation": activations.serialize(layer.activation),
        "use_bias": layer.use_bias,
    }
    for kind, module in (
        ("initializer", initializers),
        ("regularizer", regularizers),
        ("constraint", constraints),
    ):
        for weight in ("kernel", "bias"):
            key = f"{weight}_{kind}"
            config[key] = module.serialize(getattr(layer, key))
    return config
