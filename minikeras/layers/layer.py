"""The base class of all layers.

A layer's weights are plain arrays on its attributes. `add_weight` returns a handle;
assigning the handle to an attribute ties the two together, so `layer.kernel` is the
array, and inside a gradient it is the traced value, for the thread that traces only.
"""

import inspect
import threading
import warnings
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import Any, NamedTuple
from weakref import WeakSet

import numpy as np
from autograd.tracer import getval

from minikeras import config, regularizers, validation
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.structure import (
    as_shape,
    batch_shapes,
    is_array,
    is_plain,
    is_shape,
    leaves,
    map_leaves,
    map_shapes,
    merge_shapes,
)
from minikeras.layers.weighted import INTERNAL, Weighted, collect
from minikeras.masks import any_masks, get_mask, keep_mask, set_mask
from minikeras.ops.base import convert, dtype_of
from minikeras.ops.numpy import divide
from minikeras.registry import (
    Family,
    deserialize_keras_object,
    serialize_keras_object,
    snake_case,
)
from minikeras.variables import Variable, structure

family = Family("layer", "keras.layers")

Shape = tuple[int | None, ...]

_inherited = threading.local()  # of the layer call we are inside of: its `training`
_with_losses: WeakSet["Layer"] = WeakSet()  # layers that hold what `add_loss` got


def inherited_training() -> bool | None:
    """What the layer call that this thread is inside of was given as `training`."""
    return getattr(_inherited, "training", None)


# Keras writes these into configs. None means "not used", which is all we offer.
_NOT_OFFERED = ("lora_rank", "lora_alpha", "quantization_config", "sparse", "ragged")


class Plan(NamedTuple):
    """What a layer consists of, as long as nothing changes."""

    version: object
    layers: list["Layer"]
    trainable: list[Variable]
    fixed: list[Variable]


class Layer(Weighted):
    """A function with weights: the base class of all layers.

    A layer of your own creates weights in `build(input_shape)` and computes in
    `call(inputs)`, with `minikeras.ops`, Python's operators or `autograd.numpy`.

    Args:
        activity_regularizer: function of the output that adds to the loss; its value
            is divided by the batch size.
        trainable: whether training may change the weights.
        dtype: number type of weights and computation; the default float type for None.
        autocast: whether float inputs are converted to that type.
        name: unique name in a model; made from the class name for None.
        input_shape: shape of one sample, for the first layer of a Sequential.

    Raises:
        ValueError: for an argument that is unknown or not offered.

    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.scale = self.add_weight((input_shape[-1],), "ones", name="scale")
    ...     def call(self, inputs):
    ...         return inputs * self.scale
    >>> Scale()(np.ones((1, 2), "float32"))
    array([[1., 1.]], dtype=float32)
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _remember_build(cls.__dict__["build"])  # type: ignore[method-assign]
        parameters = inspect.signature(cls.call).parameters
        cls._call_parameters = tuple(parameters)[1:]
        cls._call_takes_training = "training" in parameters
        cls._call_takes_mask = "mask" in parameters
        if "compute_mask" in cls.__dict__:
            cls._makes_masks = cls.__dict__.get("_makes_masks", True)
            if "supports_masking" not in cls.__dict__:
                cls.supports_masking = True

    _input_checked: tuple[Any, Any] = (
        None,
        None,
    )  # what the last input was found to fit

    # Whether masks of inputs are passed on to outputs; a layer sets it to True.
    supports_masking = False
    _makes_masks = False
    _call_parameters: tuple[str, ...] = ()
    _call_takes_training = False
    _call_takes_mask = False

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        cls = type(self).__name__
        if not isinstance(trainable, bool):
            raise ValueError(
                f"{cls}: `trainable` must be True or False. "
                f"Received: trainable={trainable!r}"
            )
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ValueError(
                f"{cls}: `name` must be a string without '/'. Received: name={name!r}"
            )
        self.name = name or config.unique_name(snake_case(cls))
        self.autocast = autocast
        self.dtype = _dtype_name(dtype, cls)
        self.activity_regularizer: Any = regularizers.get(activity_regularizer)
        self.input_spec: InputSpec | None = None
        self._trainable = trainable
        self._losses: list[Any] = []
        self._path: str | None = None
        self._build_shapes: dict[str, Any] | None = None
        self._output_shape: Any = None
        self._batch_input_shape = _first_layer_shape(kwargs, cls)
        for key in _NOT_OFFERED:
            if kwargs.pop(key, None):
                raise ValueError(f"{cls}: `{key}` is not offered; leave it out.")
        if kwargs:
            known = [p for c in type(self).__mro__ for p in _init_parameters(c)]
            hints = "".join(validation.did_you_mean(k, known, 1) for k in kwargs)
            raise ValueError(
                f"{cls}: unrecognized keyword arguments: {', '.join(kwargs)}{hints}"
            )

    # --- what a subclass defines ------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Create the weights. Called once, with the shape of the first input."""
        self._build_shapes = {"input_shape": input_shape}
        self.built = True

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output. Every layer defines it."""
        raise NotImplementedError(
            f"Layer {type(self).__name__} has no `call` method. Define "
            "`call(self, inputs)` in it."
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape of the output for a shape of the input; None is any size.

        A layer that does not define it is tried on zeros of two batch sizes.
        """
        return self._try_shapes(input_shape)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Mask of the output; the input's for most layers."""
        return previous_mask

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this layer again, as plain values."""
        policy = {"name": self.dtype}
        result = {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": {
                "module": "keras",
                "class_name": "DTypePolicy",
                "config": policy,
                "registered_name": None,
            },
        }
        if self.activity_regularizer is not None:
            result["activity_regularizer"] = regularizers.serialize(
                self.activity_regularizer
            )
        if type(self).get_config is Layer.get_config:
            result.update(self._plain_init_arguments())
        return result

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer from what `get_config` returned."""
        return cls(**config)

    # --- calling ----------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Build on first use, check and convert the input, then `call`."""
        if "name" not in self.__dict__:
            raise RuntimeError(
                f"{type(self).__name__}.__init__ did not call super().__init__(). "
                "Add `super().__init__(**kwargs)` as its first line."
            )
        outermost = not getattr(_inherited, "inside", False)
        if outermost:
            self._clear_losses()
        if args:
            args = (self._convert(args[0]), *map(self._convert_extra, args[1:]))
            first = args[0]
        else:
            kwargs = {key: self._convert_extra(v) for key, v in kwargs.items()}
            first = next(iter(kwargs.values()), None)
        if not self.built:
            self._build_on(args, kwargs)
        if self.input_spec is not None:
            self._check_input(first)
        before = inherited_training()
        training = kwargs.get("training")
        if training is None:
            training = before
        if self._call_takes_training:
            if training is None:
                kwargs.pop("training", None)
            else:
                kwargs["training"] = training
        else:
            kwargs.pop("training", None)
        if not self._call_takes_mask and kwargs.get("mask", 0) is None:
            del kwargs["mask"]
        mask = self._fill_masks(args, kwargs) if any_masks() else kwargs.get("mask")
        _inherited.training, _inherited.inside = training, True
        try:
            outputs = self.call(*args, **kwargs)
        finally:
            _inherited.training, _inherited.inside = before, not outermost
        if self.activity_regularizer is not None:
            self._add_activity_loss(outputs)
        if mask is not None or self._makes_masks:
            self._pass_on_masks(first, outputs, mask)
        return outputs

    def add_loss(self, loss: Any) -> None:
        """Add a number, computed in `call`, to the loss of this call."""
        losses = loss if isinstance(loss, list | tuple) else [loss]
        self._losses.extend(losses)
        _with_losses.add(self)

    @property
    def losses(self) -> list[Any]:
        """What `add_loss` and activity regularizers added in the last call, then the
        weight regularizers' values."""
        plan = self.plan()
        added = [loss for layer in plan.layers for loss in layer._losses]
        return added + [v.regularizer(v.value) for v in plan.trainable if v.regularizer]

    def _clear_losses(self) -> None:
        if _with_losses:
            for layer in self.plan().layers:
                layer._losses.clear()
                _with_losses.discard(layer)

    def _settle_losses(self) -> None:
        """Replace traced losses by numbers, so that no tape stays alive."""
        if _with_losses:
            for layer in self.plan().layers:
                layer._losses[:] = [getval(loss) for loss in layer._losses]

    def _add_activity_loss(self, outputs: Any) -> None:
        for output in leaves(outputs):
            penalty = self.activity_regularizer(output)
            self.add_loss(divide(penalty, float(max(1, output.shape[0]))))

    def _convert(self, value: Any) -> Any:
        if isinstance(value, list | tuple) and any(map(is_array, value)):
            return type(value)(self._convert(item) for item in value)
        if isinstance(value, dict):
            return {key: self._convert(item) for key, item in value.items()}
        if value is None or isinstance(value, str):
            return value
        array = convert(value)
        dtype = dtype_of(array)
        if self.autocast and dtype.kind == "f" and dtype != self._np_dtype:
            array = keep_mask(array, array.astype(self._np_dtype))
        return array

    def _convert_extra(self, value: Any) -> Any:
        return self._convert(value) if is_array(value) else value

    def _check_input(self, first: Any) -> None:
        specs = self.input_spec
        if isinstance(specs, InputSpec):
            shape = getattr(getval(first), "shape", None)
            if shape is not None and (specs, shape) != self._input_checked:
                specs.check(shape, self._owner())
                object.__setattr__(self, "_input_checked", (specs, shape))

    # --- masks ------------------------------------------------------------------

    def _fill_masks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Give `call` the masks of its inputs that it asks for; return the first's.

        As in Keras, a call with one array argument gets its `mask`; one with several
        gets `query_mask` for `query`, and so on.
        """
        names = self._call_parameters
        given = {**dict(zip(names, args, strict=False)), **kwargs}
        arrays = {k: v for k, v in given.items() if any(map(is_array, leaves(v)))}
        for name, value in arrays.items():
            wanted = "mask" if len(arrays) == 1 else f"{name}_mask"
            passed = wanted in names[: len(args)] or given.get(wanted) is not None
            if wanted in names and not passed:
                kwargs[wanted] = map_leaves(get_mask, value)
        if given.get("mask") is not None:
            return given["mask"]
        first = args[0] if args else next(iter(kwargs.values()), None)
        return map_leaves(get_mask, first)

    def _pass_on_masks(self, first: Any, outputs: Any, mask: Any) -> None:
        """Let the outputs have the masks that `compute_mask` gives."""
        if not self.supports_masking:
            if any(True for _ in leaves(mask)):
                warnings.warn(
                    f"{self._owner()} received an input with a mask, which it does "
                    "not pass on: layers behind it will use the masked steps too. "
                    "If its output has the same steps, set `supports_masking = True` "
                    "on it or define `compute_mask(inputs, previous_mask)`.",
                    stacklevel=3,
                )
            return
        arrays = [output for output in leaves(outputs) if is_array(output)]
        if all(get_mask(array) is not None for array in arrays):
            return
        computed = self.compute_mask(first, mask)
        found = computed if isinstance(computed, list | tuple) else [computed]
        for array, own in zip(arrays, found, strict=False):
            if own is not None and get_mask(array) is None:
                set_mask(array, own)

    # --- building ---------------------------------------------------------------

    @property
    def path(self) -> str | None:
        """Names from the outermost model down to this layer, joined by '/'."""
        return self._path

    @property
    def dtype(self) -> str:
        """Number type of the weights and of the computation."""
        return self._dtype_name  # NumPy takes a while to name a type

    @dtype.setter
    def dtype(self, value: str) -> None:
        self._np_dtype = np.dtype(value)
        self._dtype_name = self._np_dtype.name

    compute_dtype = dtype
    variable_dtype = dtype

    @property
    def input_shape(self) -> Any:
        """Shape the layer was built for, with None for the batch."""
        if not self._build_shapes:
            raise AttributeError(
                f"{self._owner()} has no input shape yet: it has not been built. "
                "Call it on data or `build(input_shape)` first."
            )
        return next(iter(self._build_shapes.values()))

    @property
    def output_shape(self) -> Any:
        """Shape of the output for the shape the layer was built for."""
        if self._output_shape is None:
            self._output_shape = self.compute_output_shape(self.input_shape)
        return self._output_shape

    def get_build_config(self) -> dict[str, Any] | None:
        """What `build_from_config` needs: the shapes `build` was called with."""
        if self._build_shapes is None:
            return None
        if len(self._build_shapes) == 1:
            return {"input_shape": next(iter(self._build_shapes.values()))}
        return {"shapes_dict": dict(self._build_shapes)}

    def build_from_config(self, config: dict[str, Any]) -> None:
        """Create the weights from what `get_build_config` returned."""
        if not config or self.built:
            return
        if "shapes_dict" in config:
            self.build(**{k: as_shape(v) for k, v in config["shapes_dict"].items()})
        else:
            self._build_for(as_shape(config["input_shape"]))

    def _build_for(self, shape: Any) -> Any:
        """Build for an input shape, sublayers too, and return the output's shape."""
        if not self.built:
            self.build(shape)
            self.built = True
        elif self.input_spec is not None and is_shape(shape):
            self.input_spec.check(shape, self._owner())
        if any(not layer.built for layer in self._sublayers()):
            self._try_shapes(shape)
        self._output_shape = self.compute_output_shape(shape)
        return self._output_shape

    def _build_on(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        names = [
            n for n in inspect.signature(self.build).parameters if n != "self"
        ] or ["input_shape"]
        if args and len(names) == 1:
            shapes = {names[0]: batch_shapes(args[0])}
        else:
            call = inspect.signature(self.call).bind_partial(*args, **kwargs).arguments
            shapes = {
                name: batch_shapes(call.get(name.removesuffix("_shape")))
                for name in names
            }
            if len(names) == 1:
                shapes = {names[0]: batch_shapes(next(iter(call.values()), None))}
        if self.input_spec is not None:
            self._check_input(args[0] if args else next(iter(kwargs.values()), None))
        self.build(**shapes)
        self.built = True
        self._set_paths(self._path or self.name)

    def _try_shapes(self, input_shape: Any) -> Any:
        """Output shape found by calling on zeros, with 2 and with 3 for each None."""
        results = []
        for size in (2, 3):
            filled = map_shapes(partial(_zeros, self.dtype, size), input_shape)
            outputs = self(filled, training=False)
            results.append(map_leaves(lambda a: tuple(a.shape), outputs))
        self._clear_losses()
        return merge_shapes(*results)

    def _set_paths(self, path: str) -> None:
        self._path = path
        for variable in (*self._trainable_own, *self._fixed_own):
            variable.path = f"{path}/{variable.name}"
        for layer in self._sublayers():
            layer._set_paths(f"{path}/{layer.name}")

    def _sublayers(self) -> list["Layer"]:
        """Layers held in attributes, also in lists, tuples and dictionaries."""
        found: dict[int, Layer] = {}
        for key, value in self.__dict__.copy().items():
            if key not in INTERNAL:
                collect(value, Layer, found)
        return list(found.values())

    def plan(self) -> "Plan":
        """This layer's sublayers and weights, walked through once and then kept.

        A walk takes as long as a small network's arithmetic. It is done again after
        anything was created, assigned to an attribute, frozen or thawed. Not noticed
        is a layer that existed before and was put into a list in place.
        """
        kept = self.__dict__.get("_plan")
        if kept is None or kept.version is not structure.version:
            version = structure.version  # another thread may change it meanwhile
            layers = self._all_layers()
            plan = (self.trainable_weights, self.non_trainable_weights)
            kept = Plan(version, layers, *plan)
            object.__setattr__(self, "_plan", kept)
        return kept

    def _all_layers(self) -> list["Layer"]:
        found = {id(self): self}
        for layer in self._sublayers():
            found.update((id(inner), inner) for inner in layer._all_layers())
        return list(found.values())

    # --- texts ------------------------------------------------------------------

    def _owner(self) -> str:
        return f"Layer {type(self).__name__} {self.__dict__.get('name', '')!r}"

    def _missing(self, name: str) -> str:
        if not self.__dict__.get("built") and name in ("kernel", "bias", "gamma"):
            return (
                f"{self._owner()} has no weight `{name}` yet: it has not been built. "
                "Call it on data or `build(input_shape)` first."
            )
        return f"{self._owner()} has no attribute {name!r}"

    def _plain_init_arguments(self) -> dict[str, Any]:
        """Arguments of a subclass's own __init__, if they are all plain values."""
        if type(self).__init__ is Layer.__init__:
            return {}
        args, kwargs = self._init_arguments
        given = inspect.signature(type(self).__init__).bind(self, *args, **kwargs)
        values = dict(list(given.arguments.items())[1:])
        extra: dict[str, Any] = {}
        for parameter in given.signature.parameters.values():
            if parameter.kind is inspect.Parameter.VAR_KEYWORD:
                extra = values.pop(parameter.name, {})
        base = {"name", "trainable", "dtype", "autocast", "input_shape"}
        base.add("activity_regularizer")
        values.update({k: v for k, v in extra.items() if k not in base})
        for key, value in values.items():
            if not is_plain(value):
                raise NotImplementedError(
                    f"{self._owner()} needs a `get_config` method: its argument "
                    f"`{key}` is a {type(value).__name__}, which cannot be written "
                    "as it is. Return {**super().get_config(), ...} from it."
                )
        return values

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, built={self.built}>"


def get(identifier: Any) -> Layer:
    """A layer from a name, config, class or instance."""
    return family.get(identifier)


serialize, deserialize = serialize_keras_object, deserialize_keras_object


def _remember_build(build: Callable[..., None]) -> Callable[..., None]:
    """Note the shapes `build` is called with, and that it was."""
    names = [n for n in inspect.signature(build).parameters][1:]

    @wraps(build)
    def wrapped(self: Layer, *args: Any, **kwargs: Any) -> None:
        args = tuple(as_shape(a) for a in args)
        build(self, *args, **kwargs)
        if shapes := dict(zip(names, args, strict=False), **kwargs):
            self._build_shapes = shapes
        self.built = True

    return wrapped


def _zeros(dtype: str, size: int, shape: Shape) -> np.ndarray:
    return np.zeros([size if n is None else n for n in shape], dtype)


def _dtype_name(dtype: Any, owner: str) -> str:
    if isinstance(dtype, dict):  # a policy, as Keras writes it into configs
        dtype = dtype.get("config", {}).get("name")
    if dtype is None:
        return config.floatx()
    return config.float_name(dtype, f"{owner}: `dtype`")


def _first_layer_shape(kwargs: dict[str, Any], owner: str) -> Shape | None:
    """`input_shape` and its relatives, as a shape with a batch axis."""
    for key in ("batch_input_shape", "batch_shape"):
        if (batch := kwargs.pop(key, None)) is not None:
            return as_shape(batch)
    size = kwargs.pop("input_dim", None)
    shape = (size,) if size is not None else kwargs.pop("input_shape", None)
    if shape is None:
        return None
    if isinstance(shape, int | np.integer):
        shape = (shape,)
    for n in shape:
        if n is not None and (not isinstance(n, int | np.integer) or n < 0):
            raise ValueError(
                f"{owner}: `input_shape` must be a tuple of sizes, None for a size "
                f"that varies, without the batch axis. Received: {shape!r}"
            )
    return (None, *as_shape(shape))


def _init_parameters(cls: type) -> Iterator[str]:
    skipped = ("self", "args", "kwargs")
    if "__init__" in cls.__dict__:
        for name in inspect.signature(cls.__init__).parameters:  # type: ignore[misc]
            if name not in skipped:
                yield name
