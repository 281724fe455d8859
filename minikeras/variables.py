"""Weights: a named handle on a NumPy array, and many of them in one flat vector.

While a gradient is being taken, `bind` puts an autograd box in front of each array.
A handle then acts as that box for the thread that differentiates, and for no other:
`Variable` is registered with autograd as a kind of box, so every primitive accepts
handles wherever it accepts arrays.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from math import prod
from threading import get_ident
from typing import Any

import numpy as np
from autograd.tracer import Box, getval, isbox

from minikeras import config
from minikeras.kernels import blocking
from minikeras.validation import shape_text


class Structure:
    """Notes changes in which layers and weights there are and which of them train.

    What was collected by walking through a model stays valid until the next change.
    A version is an object and not a number, for one that comes with a model out of a
    pickle is then no version of this process.
    """

    version = object()

    def changed(self) -> None:
        """Something was added, replaced, taken away, frozen or thawed."""
        self.version = object()


structure = Structure()


class Variable:
    """A handle on one weight: its array, name and settings.

    Layers make them with `add_weight`. A handle can be used in place of its array, in
    Python's operators and in the functions of `minikeras.ops` and `autograd.numpy`.

    Args:
        value: the initial array.
        name: last part of `path`.
        trainable: whether training may change it.
        regularizer: function of the array that adds to the loss.
        constraint: function that maps the array to an allowed one after each update.

    >>> v = Variable(np.ones(2, "float32"), name="scale")
    >>> v.assign([1.0, 2.0])
    <Variable scale, shape=(2,), dtype=float32>
    >>> v * 2
    array([2., 4.], dtype=float32)
    """

    __slots__ = (
        "_array",
        "_box",
        "_thread",
        "__weakref__",
        "name",
        "path",
        "_trainable",
        "regularizer",
        "constraint",
    )
    __array_priority__ = 200.0  # ndarray operators leave the operation to ours

    def __init__(
        self,
        value: Any,
        name: str = "variable",
        trainable: bool = True,
        dtype: str | None = None,
        regularizer: Callable[[Any], Any] | None = None,
        constraint: Callable[[Any], Any] | None = None,
    ):
        self._array = _own_copy(np.asarray(value, dtype=dtype))
        self._box: Any = None
        self._thread = 0
        self.name = name
        self.path = name
        self._trainable = trainable
        self.regularizer = regularizer
        self.constraint = constraint

    @property
    def trainable(self) -> bool:
        """Whether training may change it."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        if value != self._trainable:
            self._trainable = value
            structure.changed()

    @property
    def value(self) -> Any:
        """The array; while this thread differentiates, the box that stands for it."""
        if self._box is not None and self._thread == get_ident():
            return self._box
        return self._array

    @property
    def array(self) -> np.ndarray:
        """The array itself, never boxed. Writing into it changes the weight."""
        return self._array

    def numpy(self) -> np.ndarray:
        """A copy of the array."""
        return self._array.copy()

    def assign(self, value: Any) -> "Variable":
        """Copy `value` into the array.

        Raises:
            ValueError: if the shapes differ.
        """
        value = np.asarray(_unboxed(value))
        if value.shape != self._array.shape:
            raise ValueError(
                f"Weight {self.path!r} has shape {shape_text(self.shape)}. "
                f"Received a value of shape {shape_text(value.shape)}."
            )
        self._array[...] = value
        return self

    def assign_add(self, value: Any) -> "Variable":
        """Add `value` to the array."""
        return self.assign(self._array + _unboxed(value))

    def assign_sub(self, value: Any) -> "Variable":
        """Subtract `value` from the array."""
        return self.assign(self._array - _unboxed(value))

    shape = property(lambda self: self._array.shape)
    ndim = property(lambda self: self._array.ndim)
    size = property(lambda self: self._array.size)
    T = property(lambda self: self.value.T)

    @property
    def dtype(self) -> str:
        """Name of the number type, such as `"float32"`."""
        return self._array.dtype.name

    # What autograd asks of a box. Trace -2 is below every real one: not boxed.
    _value = property(lambda self: getattr(self.value, "_value", self.value))
    _trace = property(lambda self: getattr(self._own_box(), "_trace", -2))
    _node = property(lambda self: getattr(self._own_box(), "_node", None))

    def _own_box(self) -> Any:
        return self._box if self._thread == get_ident() else None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if isbox(self.value):
            raise TypeError(
                f"Weight {self.path!r} would lose its gradient: plain NumPy was asked "
                "for its array while a gradient is being taken. Use `minikeras.ops`, "
                "`autograd.numpy` or Python's operators instead."
            )
        array = self.value if dtype is None else self.value.astype(dtype, copy=False)
        return array.copy() if copy else array

    def __getitem__(self, index: Any) -> Any:
        return self.value[index]

    def __len__(self) -> int:
        return len(self._array)

    def __iter__(self) -> Iterator[Any]:
        return (self.value[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self._array)

    def __float__(self) -> float:
        return float(self._array)

    def __int__(self) -> int:
        return int(self._array)

    def __neg__(self) -> Any:
        return -self.value

    def __abs__(self) -> Any:
        return abs(self.value)

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<Variable {self.path}, shape={self.shape}, dtype={self.dtype}>"

    def __reduce__(self) -> tuple[Any, ...]:
        fields = (self.name, self.path, self.trainable)
        return _restore, (self._array, *fields, self.regularizer, self.constraint)


def _restore(array, name, path, trainable, regularizer, constraint):
    variable = Variable(array, name, trainable, None, regularizer, constraint)
    variable.path = path
    return variable


def _operators() -> Iterator[tuple[str, Callable[[Any, Any], Any]]]:
    def forward(function):
        return lambda self, other: function(self.value, other)

    def reflected(function):
        return lambda self, other: function(other, self.value)

    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"):
        function = getattr(operator, name)
        yield f"__{name}__", forward(function)
        yield f"__r{name}__", reflected(function)
    for name in ("lt", "le", "gt", "ge"):
        yield f"__{name}__", forward(getattr(operator, name))


for _name, _method in _operators():
    setattr(Variable, _name, _method)

Box.types.add(Variable)


def _own_copy(array: np.ndarray) -> np.ndarray:
    """A copy; one of floats begins at a cache line, as products need it: others would
    copy a kernel at each call (benchmarks/kernels.py, "aligned")."""
    if array.dtype.kind != "f":
        return array.copy()
    copy = blocking.aligned_empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def _unboxed(value: Any) -> Any:
    return value._array if isinstance(value, Variable) else getval(value)


class bind:
    """Let each variable stand for its box, in this thread, inside the `with` block.

    In place of a box there may be another array.
    """

    def __init__(self, variables: Sequence[Variable], boxes: Sequence[Any]):
        self._pairs = list(zip(variables, boxes, strict=True))
        self._before = [(v._box, v._thread) for v in variables]

    def __enter__(self) -> None:
        thread = get_ident()
        for variable, box in self._pairs:
            variable._box, variable._thread = box, thread

    def __exit__(self, *exception: object) -> None:
        pairs = zip(self._pairs, self._before, strict=True)
        for (variable, _), (box, owner) in pairs:
            variable._box, variable._thread = box, owner


class ParameterVector:
    """Variables moved into one flat array per number type; each keeps a view of it.

    An optimizer then updates a whole model with a few calls on long arrays. Every
    variable starts at a cache line; the gaps hold zeros.

    Args:
        variables: the variables to move. Their values stay the same.
    """

    def __init__(self, variables: Iterable[Variable]):
        self.variables = tuple(variables)
        self.flat: list[np.ndarray] = []
        self._places: list[tuple[int, int, int]] = []  # (flat array, start, stop)
        lengths: dict[np.dtype, int] = {}
        dtypes: list[np.dtype] = []
        for variable in self.variables:
            dtype = variable.array.dtype
            if dtype not in dtypes:
                dtypes.append(dtype)
            start = lengths.get(dtype, 0)
            self._places.append((dtypes.index(dtype), start, start + variable.size))
            step = blocking.LINE // dtype.itemsize
            lengths[dtype] = start + -(-variable.size // step) * step
        self.flat = [_zeros(lengths[dtype], dtype) for dtype in dtypes]
        self._views = self.views_of(self.flat)
        for variable, view in zip(self.variables, self._views, strict=True):
            view[...] = variable.array
            variable._array = view

    def collect(self, gradients: Sequence[Any]) -> list[np.ndarray]:
        """A gradient for each variable, or None for zeros, as flat arrays.

        They are overwritten by the next call.
        """
        for place, gradient in zip(self.places(), gradients, strict=True):
            if gradient is not place:
                place[...] = 0 if gradient is None else gradient
        return self._gradients[0]

    def places(self) -> list[np.ndarray]:
        """Where in the flat arrays `collect` puts each gradient."""
        return self._gradients[1]

    @cached_property
    def _gradients(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        flat = self.zeros()
        return flat, self.views_of(flat)

    def zeros(self) -> list[np.ndarray]:
        """Flat arrays of the same lengths and types, for gradients and slots."""
        return [_zeros(flat.size, flat.dtype) for flat in self.flat]

    def views_of(self, flat: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Each variable's part of the given flat arrays, in the variable's shape."""
        return [
            flat[group][start:stop].reshape(variable.shape)
            for variable, (group, start, stop) in zip(
                self.variables, self._places, strict=True
            )
        ]

    def is_current(self, variables: Sequence[Variable]) -> bool:
        """Whether these are the variables, and none has moved to another vector."""
        return len(variables) == len(self.variables) and all(
            new is mine and mine._array is view
            for new, mine, view in zip(
                variables, self.variables, self._views, strict=True
            )
        )


def _zeros(length: int, dtype: np.dtype) -> np.ndarray:
    zeros = blocking.aligned_empty(length, dtype)
    zeros[...] = 0
    return zeros


def count_params(variables: Iterable[Variable]) -> int:
    """Number of numbers in the variables."""
    return sum(prod(v.shape) for v in variables)


def default_dtype(dtype: str | None) -> str:
    """`dtype`, or the default float type for None."""
    return config.floatx() if dtype is None else np.dtype(dtype).name
