"""Model: a layer that is trained, shown and looked into as a whole."""

from typing import Any

from minikeras.layers.layer import Layer
from minikeras.layers.structure import batch_shapes
from minikeras.registry import Family
from minikeras.training.trainer import Trainer

family = Family("model", "keras")


@family.add()
class Model(Trainer):
    """A model of a user's own: layers in attributes, and a `call` that uses them.

    It trains, evaluates and predicts as a Sequential does. Its layers are built when it
    is first called on data, or by `build(input_shape)`.

    Args:
        trainable: whether training may change the weights.
        name: name of the model; made from the class name for None.

    Raises:
        ValueError: for inputs and outputs: a model of symbolic tensors is not offered.

    >>> import numpy as np
    >>> from minikeras import layers
    >>> class Residual(Model):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.dense = layers.Dense(4, activation="relu")
    ...     def call(self, inputs):
    ...         return inputs + self.dense(inputs)
    >>> model = Residual()
    >>> model(np.ones((2, 4), "float32")).shape, model.count_params()
    ((2, 4), 20)
    """

    def __init__(
        self,
        *args: Any,
        trainable: bool = True,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ):
        if args or "inputs" in kwargs or "outputs" in kwargs:
            raise ValueError(
                f"{type(self).__name__}: a model of inputs and outputs needs symbolic "
                "tensors, which are not offered. Use Sequential([...]), or a subclass "
                "of Model with the layers in attributes and a `call(self, inputs)`."
            )
        # No conversion to the model's own type: its layers' is what counts.
        kwargs.setdefault("autocast", False)
        super().__init__(trainable=trainable, name=name, dtype=dtype, **kwargs)

    @property
    def layers(self) -> list[Layer]:
        """The layers in attributes, also in lists and dictionaries."""
        return self._sublayers()

    def build(self, input_shape: Any = None) -> None:
        """Create all weights by calling the model on zeros of this shape.

        Raises:
            ValueError: if no shape is given.
        """
        if self.built:
            return
        if input_shape is None:
            raise ValueError(
                f"{self._owner()}: `build` needs the shape of the input with the batch "
                "axis, for example build((None, 28, 28, 1))."
            )
        Layer.build(self, input_shape)
        try:
            self._output_shape = self._try_shapes(input_shape)
        except Exception:
            self.built = False
            raise
        self._set_paths(self.path or self.name)

    def _build_on(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if type(self).build is not Model.build:
            super()._build_on(args, kwargs)
            return
        first = args[0] if args else next(iter(kwargs.values()), None)
        Layer.build(self, batch_shapes(first))
        self._set_paths(self.path or self.name)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by its name or its index among `layers`.

        Raises:
            ValueError: if neither or both are given, or there is no such layer.
        """
        if (name is None) == (index is None):
            raise ValueError(
                "get_layer needs a name or an index, and not both. "
                f"Received: name={name!r}, index={index!r}"
            )
        names = [layer.name for layer in self.layers]
        if index is not None:
            if not -len(names) <= index < len(names):
                raise ValueError(
                    f"{self._owner()} has {len(names)} layers. Received: index={index}"
                )
            return self.layers[index]
        if name not in names:
            raise ValueError(
                f"{self._owner()} has no layer {name!r}. Its layers are: "
                f"{', '.join(names)}"
            )
        return self.layers[names.index(name)]

    def summary(
        self,
        line_length: int | None = None,
        positions: Any = None,
        print_fn: Any = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Any = None,
        style: str = "classic",
    ) -> None:
        """Print a table of the layers, their output shapes and parameters.

        Args:
            line_length: width of the table in characters.
            positions: where the columns end, as shares of the width or in characters.
            print_fn: called with the text instead of `print`.
            expand_nested: whether to show the layers of models inside the model.
            show_trainable: whether to show which layers train.
            layer_range: names of the first and the last layer to show, or regular
                expressions for them.
            style: `"classic"`, the table of Keras 2, or `"keras3"`, the box of Keras 3.
        """
        from minikeras.models.summary import print_summary

        print_summary(
            self,
            line_length=line_length,
            positions=positions,
            print_fn=print_fn,
            expand_nested=expand_nested,
            show_trainable=show_trainable,
            layer_range=layer_range,
            style=style,
        )
