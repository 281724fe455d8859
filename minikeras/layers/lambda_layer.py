"""Layers without settings of their own: a function, and no function at all."""

import inspect
from collections.abc import Callable
from typing import Any

from minikeras.layers.layer import Layer, family
from minikeras.layers.structure import as_shape, is_shape, map_shapes
from minikeras.registry import deserialize_keras_object, serialize_keras_object


@family.add()
class Identity(Layer):
    """The input, as it is: a place holder.

    Output shape: the input's.

    >>> import numpy as np
    >>> Identity()(np.array([1.0, 2.0]))
    array([1., 2.], dtype=float32)
    """

    supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


@family.add()
class Lambda(Layer):
    """A function as a layer: y = function(x, **arguments).

    To be trained through, the function computes with `minikeras.ops`, Python's
    operators or `autograd.numpy`. To be saved, it has a name and is registered with
    `register_keras_serializable`: code is never written to a file, nor run from one.

    Args:
        function: takes the input; if it also takes `training` or `mask`, it gets them.
        output_shape: shape of the output without the batch axis, or a function of the
            input's shape; found by trying for None.
        mask: what `compute_mask` returns, or a function of (inputs, mask).
        arguments: further keyword arguments of the function.

    Raises:
        ValueError: if `function` cannot be called, for another kind of `output_shape`
            or `arguments`, and when a config holds a Python lambda.
        TypeError: from `get_config`, if a function is a Python lambda.

    >>> import numpy as np
    >>> Lambda(lambda x: x**2)(np.array([1.0, 3.0]))
    array([1., 9.], dtype=float32)
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not callable(function):
            raise ValueError(
                "Lambda: `function` must be a function of the input. "
                f"Received: function={function!r}"
            )
        if not (output_shape is None or callable(output_shape)):
            found: list[Any] = []
            map_shapes(found.append, output_shape)
            if not found:
                raise ValueError(
                    "Lambda: `output_shape` must be a shape without the batch axis, "
                    "such as (3, 4), or a function of the input's shape. "
                    f"Received: output_shape={output_shape!r}"
                )
        if not isinstance(arguments, dict | None):
            raise ValueError(
                "Lambda: `arguments` must be a dictionary of keyword arguments. "
                f"Received: arguments={arguments!r}"
            )
        self.function = function
        self.mask = mask
        self.arguments = dict(arguments or {})
        self._result_shape = output_shape
        parameters = _parameters(function)
        self._passed_on = [key for key in ("mask", "training") if key in parameters]

    def call(self, inputs: Any, mask: Any = None, training: Any = None) -> Any:
        offered = {"mask": mask, "training": training}
        passed_on = {key: offered[key] for key in self._passed_on}
        return self.function(inputs, **{**self.arguments, **passed_on})

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        if self._result_shape is None:
            return super().compute_output_shape(input_shape)
        if callable(self._result_shape):
            return self._result_shape(input_shape)
        first = input_shape
        while not is_shape(first):
            first = next(iter(first.values() if isinstance(first, dict) else first))
        return map_shapes(lambda shape: (first[0], *shape), self._result_shape)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "function": self._written("function")}
        if self._result_shape is not None:
            config["output_shape"] = self._written("output_shape")
        if self.mask is not None:
            config["mask"] = self._written("mask")
        config["arguments"] = serialize_keras_object(self.arguments)
        return config

    def _written(self, key: str) -> Any:
        value = self._result_shape if key == "output_shape" else getattr(self, key)
        if getattr(value, "__name__", None) == "<lambda>":
            raise TypeError(
                f"{self._owner()} cannot be written: its `{key}` is a Python lambda, "
                "which would have to be stored as code. Define a function with a name "
                "and register it with `register_keras_serializable`."
            )
        return serialize_keras_object(value)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Lambda":
        """A layer from what `get_config` returned.

        Raises:
            ValueError: for a Python lambda, or a function that is not registered.
        """
        config = dict(config)
        for key in ("function", "output_shape", "mask"):
            value = config.get(key)
            old_kind = config.pop(f"{key}_type", None)  # as Keras 2 wrote it
            config.pop(f"{key}_module" if key != "function" else "module", None)
            code = isinstance(value, dict) and value.get("class_name") == "__lambda__"
            if code or old_kind == "lambda":
                raise ValueError(
                    f"Layer Lambda {config.get('name')!r} is refused: its `{key}` was "
                    "saved as the code of a Python lambda, and code from a file is "
                    "never run. Build the model in Python and load its weights alone, "
                    "or save it again with a named function that is registered with "
                    "`register_keras_serializable`."
                )
            if old_kind == "function":
                value = {"class_name": "function", "config": value}
            if value is not None:
                config[key] = deserialize_keras_object(value)
        if config.get("output_shape") is not None:
            config["output_shape"] = as_shape(config["output_shape"])
        config["arguments"] = deserialize_keras_object(config.get("arguments") or {})
        return cls(**config)


def _parameters(function: Callable[..., Any]) -> Any:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):  # some built-in functions tell nothing
        return {}
