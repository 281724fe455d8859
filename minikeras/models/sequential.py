"""Sequential: layers in a row."""

from typing import Any

import numpy as np

from minikeras.layers.core import InputLayer
from minikeras.layers.layer import Layer
from minikeras.layers.structure import as_shape, is_array, is_shape
from minikeras.masks import set_mask
from minikeras.models.fusion import Joined, Run, joins
from minikeras.models.model import Model, family
from minikeras.ops.base import convert
from minikeras.ops.numpy import reshape
from minikeras.registry import (
    custom_object_scope,
    deserialize_keras_object,
    serialize_keras_object,
)
from minikeras.validation import shape_text
from minikeras.variables import structure


@family.add()
class Sequential(Model):
    """A model whose layers follow each other: the output of one is the next's input.

    It is built at once if the input shape is known, from an `Input` or from
    `input_shape` on the first layer, and otherwise on first use. A Sequential can be a
    layer of another.

    Args:
        layers: the layers.
        trainable: whether training may change the weights.
        name: name of the model; made from `sequential` for None.

    Raises:
        TypeError: if something that is not a layer is added.
        ValueError: if two layers have the same name, or a layer does not fit.

    >>> from minikeras.layers import Dense, Input
    >>> model = Sequential([Input((4,)), Dense(3, activation="relu"), Dense(1)])
    >>> model.output_shape, model.count_params()
    ((None, 1), 19)
    """

    def __init__(
        self, layers: Any = None, trainable: bool = True, name: str | None = None
    ):
        # No conversion to the model's own type: its input's is what counts.
        super().__init__(trainable=trainable, name=name, autocast=False)
        self._layers: list[Layer] = []
        if layers is not None and not isinstance(layers, list | tuple):
            raise TypeError(
                "Sequential: `layers` must be a list of layers. "
                f"Received: {layers!r} of type {type(layers).__name__}"
            )
        for layer in layers or ():
            self.add(layer)

    # --- the layers -------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the `InputLayer`."""
        first = 1 if self._layers and isinstance(self._layers[0], InputLayer) else 0
        return self._layers[first:]

    def add(self, layer: Layer, rebuild: bool = True) -> None:
        """Put a layer at the end.

        Args:
            layer: the layer.
            rebuild: whether to build it now if the model's input shape is known.

        Raises:
            TypeError: if it is not a layer.
            ValueError: if its name is taken, it does not fit, or it is an input that
                is not the first.
        """
        if not isinstance(layer, Layer):
            hint = ""
            if isinstance(layer, type) and issubclass(layer, Layer):
                hint = f" Make a layer of the class: {layer.__name__}(...)."
            raise TypeError(
                f"Sequential {self.name!r}: only layers can be added. "
                f"Received: {layer!r} of type {type(layer).__name__}.{hint}"
            )
        if any(other.name == layer.name for other in self._layers):
            raise ValueError(
                f"Sequential {self.name!r}: all layers must have different names, and "
                f"{layer.name!r} is taken. Pass another `name` to the layer."
            )
        if isinstance(layer, InputLayer) and self._layers:
            raise ValueError(
                f"Sequential {self.name!r}: an Input can only be the first layer. "
                f"It already has {len(self._layers)}."
            )
        before = list(self._layers)
        shape = self._output_shape if self.built else None
        if not self._layers and not isinstance(layer, InputLayer):
            shape = layer._batch_input_shape or _known_input_shape(layer)
            if shape is not None:
                self._layers = [InputLayer(batch_shape=shape, dtype=layer.dtype)]
        self._layers = [*self._layers, layer]
        try:
            if isinstance(layer, InputLayer):
                self._finish_build(layer.batch_shape, layer.batch_shape)
            elif shape is not None and rebuild:
                new_shape = layer._build_for(shape)
                self._finish_build(self._layers[0].input_shape, new_shape)
        except Exception:
            self._layers = before
            raise
        if not self._trainable:
            layer.trainable = False

    def pop(self, rebuild: bool = True) -> Layer | None:
        """Take the last layer away and return it; None if there is none."""
        if not self.layers:
            return None
        layer = self._layers[-1]
        self._layers = self._layers[:-1]
        if self.built:
            last = self._layers[-1] if self._layers else None
            self._output_shape = last.output_shape if last is not None else None
            self.built = last is not None
        return layer

    # --- building and calling ---------------------------------------------------

    def build(self, input_shape: Any = None) -> None:
        """Create all weights for an input shape, with the batch axis.

        Raises:
            ValueError: if no shape is known, or a layer does not fit.
        """
        if input_shape is not None and not is_shape(input_shape):
            raise ValueError(
                f"Sequential {self.name!r}: `input_shape` must be a tuple of sizes, "
                f"batch axis first. Received: input_shape={input_shape!r}"
            )
        if self.built:
            if input_shape is not None:
                self._check_shape(input_shape)
            return
        if input_shape is None:
            if not self._layers or not isinstance(self._layers[0], InputLayer):
                raise ValueError(
                    f"Sequential {self.name!r}: the input shape is not known. Pass it "
                    "to `build`, for example build((None, 28, 28, 1)), or begin the "
                    "model with an Input."
                )
            input_shape = self._layers[0].batch_shape
        if not self._layers:
            raise ValueError(f"Sequential {self.name!r} has no layers. Add one first.")
        shape = as_shape(input_shape)
        for layer in self.layers:
            shape = layer._build_for(shape)
        if not isinstance(self._layers[0], InputLayer):
            dtype = self._layers[0].dtype
            entry = InputLayer(batch_shape=as_shape(input_shape), dtype=dtype)
            self._layers = [entry, *self._layers]
        self._finish_build(as_shape(input_shape), shape)

    def _finish_build(self, input_shape: Any, output_shape: Any) -> None:
        self._build_shapes = {"input_shape": input_shape}
        self._output_shape = output_shape
        self.built = True
        self._set_paths(self._path or self.name)

    def _build_for(self, shape: Any) -> Any:
        if self.built:
            shape = self._fit_rank(shape)
        self.build(shape)
        return self.compute_output_shape(shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        shape = as_shape(input_shape)
        for layer in self.layers:
            shape = layer.compute_output_shape(shape)
        return shape

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        outputs = self._fit_input(inputs)
        if mask is not None:
            set_mask(outputs, mask)
        runs, place = self._runs(), 0
        while place < len(runs):
            run, joined = runs[place]
            found = joined(run, outputs, training) if joined is not None else None
            if found is None:
                outputs = run[0](outputs, training=training)
                place += 1
            else:
                outputs = found
                place += len(run)
        return outputs

    def _runs(self) -> list[tuple[Run, Joined | None]]:
        version, found = self.__dict__.get("_plan_of_runs", (None, []))
        if version is not structure.version:
            version = structure.version  # another thread may change it meanwhile
            found = joins(self.layers)
            object.__setattr__(self, "_plan_of_runs", (version, found))
        return found

    def _build_for_data(self, x: Any) -> None:
        if not self.built:
            self.build((None, *x.shape[1:]))

    def _fit_input(self, inputs: Any) -> Any:
        """The input in the rank and type that the model was built for.

        As in Keras, a last axis of length 1 is added or dropped if only that differs.
        """
        if not self._layers or not isinstance(self._layers[0], InputLayer):
            return inputs
        if (
            isinstance(inputs, list | tuple)
            and len(inputs) == 1
            and is_array(inputs[0])
        ):
            inputs = inputs[0]
        built, fitting, kind = self.__dict__.get("_fitted", (None, None, None))
        if built is self._build_shapes and fitting == inputs.shape:
            if kind is inputs.dtype:  # as the last one, which fitted as it was
                return inputs
        shape = self._fit_rank(inputs.shape)
        if shape != inputs.shape:
            inputs = reshape(inputs, shape)
        entry = self._layers[0]
        dtype = entry.input_dtype or entry.dtype
        if inputs.dtype.kind in "USO":
            if str(dtype).startswith("float"):
                raise ValueError(
                    f"{self._owner()}: `x` must hold numbers. Received texts. A model "
                    'of texts begins with Input(shape, dtype="string") and a layer '
                    "such as TextVectorization or StringLookup."
                )
            self._check_shape(shape)
            return inputs
        self._check_shape(shape)
        if inputs.dtype != np.dtype(dtype):
            return convert(inputs, dtype)
        fitted = self._build_shapes, shape, inputs.dtype
        object.__setattr__(self, "_fitted", fitted)
        return inputs

    def _fit_rank(self, shape: Any) -> Any:
        expected = self.input_shape
        if len(shape) == len(expected) - 1 and expected[-1] == 1:
            return (*shape, 1)
        if len(shape) == len(expected) + 1 and shape[-1] == 1:
            return shape[:-1]
        return shape

    def _check_shape(self, shape: Any) -> None:
        expected = self.input_shape
        if len(shape) != len(expected) or any(
            want is not None and got is not None and want != got
            for want, got in zip(expected[1:], shape[1:], strict=True)
        ):
            hint = ""
            if tuple(shape) == tuple(expected[1:]):
                hint = (
                    " Did you leave out the batch axis? For one sample pass `x[None]`,"
                    " which has a batch axis of length 1."
                )
            raise ValueError(
                f"Sequential {self.name!r} expects samples of shape "
                f"{shape_text(expected[1:])}, so an input of shape "
                f"{shape_text(expected)}. Received an input of shape "
                f"{shape_text(shape)}, that is {shape_text(shape[1:])} per sample."
                f"{hint}"
            )

    def _sublayers(self) -> list[Layer]:
        return self.layers if "_layers" in self.__dict__ else []

    # --- texts and configs ------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        base = super().get_config()
        config = {key: base[key] for key in ("name", "trainable", "dtype")}
        config["layers"] = [serialize_keras_object(layer) for layer in self._layers]
        if self._build_shapes is not None:
            config["build_input_shape"] = self.input_shape
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A model from what `get_config` returned, here or in Keras."""
        model = cls(name=config.get("name"))
        with custom_object_scope(custom_objects or {}):
            for layer in config["layers"]:
                model.add(deserialize_keras_object(layer))
        if not model.built and config.get("build_input_shape"):
            model.build(as_shape(config["build_input_shape"]))
        if not config.get("trainable", True):
            model.trainable = False
        return model


def _known_input_shape(layer: Layer) -> Any:
    """The input shape of a model that was built before it was added."""
    if isinstance(layer, Sequential) and layer.built:
        return layer.input_shape
    return None
