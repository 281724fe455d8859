"""Dense layers over any axes, given by an equation."""

import re
from copy import copy
from typing import Any, NamedTuple

from minikeras import activations, constraints, initializers, regularizers
from minikeras.layers.core import weight_config
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import Layer, family
from minikeras.ops.base import convert
from minikeras.ops.numpy import add
from minikeras.ops.summation import einsum
from minikeras.validation import shape_text


@family.add()
class EinsumDense(Layer):
    """Dense layer over any axes: y = activation(einsum(equation, x, kernel) + bias).

    The equation names the axes of the input, the kernel and the output, each by a
    letter: `"abc,cd->abd"` is `Dense` on sequences. The input and the output may begin,
    or end, with `...`: any number of axes that stay as they are.

    Args:
        equation: as `"ab,bc->ac"`, `"...b,bc->...c"` or `"ab...,bc->ac..."`.
        output_shape: sizes of the output's axes, without the batch and what `...`
            stands for; None for a size that is the input's.
        activation: name, function or None for none.
        bias_axes: letters of the output's axes along which the bias varies; None for
            no bias.
        kernel_initializer: of the kernel, shaped as the equation says.
        bias_initializer: of the bias.
        kernel_regularizer: adds a function of the kernel to the loss.
        bias_regularizer: adds a function of the bias to the loss.
        kernel_constraint: applied to the kernel after each update.
        bias_constraint: applied to the bias after each update.

    Input shape and output shape: as the equation says, batch first.

    Raises:
        ValueError: for an equation of another form, and sizes that contradict it or
            that the kernel needs and are not known.

    >>> layer = EinsumDense("abc,cd->abd", output_shape=(None, 64), bias_axes="d")
    >>> layer.compute_output_shape((None, 32, 128))
    (None, 32, 64)
    """

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.equation = equation
        self._parts = _parse(equation)
        sizes = (output_shape,) if isinstance(output_shape, int) else output_shape
        if not isinstance(sizes, list | tuple) or any(
            n is not None and (not isinstance(n, int) or n < 1) for n in sizes
        ):
            raise ValueError(
                "EinsumDense: `output_shape` must be a positive integer or a tuple of "
                f"them and Nones. Received: output_shape={output_shape!r}"
            )
        self.partial_output_shape = tuple(sizes)
        outputs = self._parts.outputs
        if bias_axes is not None and (not bias_axes or set(bias_axes) - set(outputs)):
            raise ValueError(
                "EinsumDense: `bias_axes` must be letters of the output, which are "
                f"{outputs!r} in {equation!r}, or None. "
                f"Received: bias_axes={bias_axes!r}"
            )
        self.bias_axes = bias_axes
        self.activation = activations.get(activation)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    @property
    def use_bias(self) -> bool:
        """Whether there are `bias_axes`."""
        return self.bias_axes is not None

    def build(self, input_shape: Any) -> None:
        sizes, _ = self._sizes(input_shape)
        letters = self._parts.kernel
        for letter in letters:
            if sizes[letter] is None:
                raise ValueError(
                    f"{self._owner()} needs to know the size of axis {letter!r} of "
                    f"{self.equation!r}, because its kernel depends on it. Received "
                    f"the input shape {shape_text(input_shape)} and "
                    f"output_shape={self.partial_output_shape}."
                )
        self.kernel = self.add_weight(
            tuple(sizes[letter] for letter in letters),
            self._scaled_by_equation(self.kernel_initializer),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
            name="kernel",
        )
        self.bias = None
        if self.bias_axes is not None:
            self.bias = self.add_weight(
                self._bias_shape(sizes, len(input_shape)),
                self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
                name="bias",
            )
        self.input_spec = InputSpec(ndim=len(input_shape))

    def call(self, inputs: Any) -> Any:
        x = convert(inputs, self.dtype)
        outputs = einsum(self.equation, x, self.kernel)
        if self.bias is not None:
            outputs = add(outputs, self.bias)
        return self.activation(outputs)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self._sizes(input_shape)[1]

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "output_shape": self.partial_output_shape,
            "equation": self.equation,
            **weight_config(self),
            "bias_axes": self.bias_axes,
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "quantization_config": None,
        }
        del config["use_bias"]
        return config

    def _sizes(self, input_shape: Any) -> tuple[dict[str, Any], tuple[Any, ...]]:
        """The size of each letter's axis, None where not known, and the output's shape.

        Raises:
            ValueError: if the input or `output_shape` does not fit the equation.
        """
        inputs, _, outputs, dots = self._parts
        extra = len(input_shape) - len(inputs)
        if extra < 0 or (extra and not dots):
            raise ValueError(
                f"{self._owner()}: {self.equation!r} expects an input with "
                f"{'at least ' if dots else ''}{len(inputs)} axes. Received the input "
                f"shape {shape_text(input_shape)}."
            )
        partial = self.partial_output_shape
        if dots == "left":
            between, behind = input_shape[1:extra], ()
        else:
            between, behind = (), input_shape[len(inputs) :]
        shape = [input_shape[0], *between, *partial, *behind]
        first = extra if dots == "left" else 0  # of the axes with a letter
        if len(shape) != len(outputs) + extra:
            raise ValueError(
                f"{self._owner()}: `output_shape` must have "
                f"{len(outputs) + extra - len(shape) + len(partial)} sizes for "
                f"{self.equation!r} and the input shape {shape_text(input_shape)}: all "
                f"but the batch and what `...` stands for. Received: {partial}"
            )
        sizes = dict(zip(inputs, input_shape[first:], strict=False))
        for axis, letter in enumerate(outputs, first):
            known = sizes.get(letter)
            if known is None:
                sizes[letter] = shape[axis]
            elif shape[axis] is None:
                shape[axis] = known
            elif shape[axis] != known:
                raise ValueError(
                    f"{self._owner()}: axis {letter!r} of {self.equation!r} has size "
                    f"{known} in the input and {shape[axis]} in the output. Received "
                    f"the input shape {shape_text(input_shape)} and "
                    f"output_shape={partial}."
                )
        return sizes, tuple(shape)

    def _bias_shape(self, sizes: dict[str, Any], ndim: int) -> tuple[int, ...]:
        """From the first letter with a bias on: its size, or 1 for those without."""
        inputs, _, outputs, dots = self._parts
        axes = self.bias_axes or ""
        first = min(outputs.index(letter) for letter in axes)
        shape = [sizes[c] if c in axes else 1 for c in outputs[first:]]
        return (*shape, *[1] * (ndim - len(inputs) if dots == "right" else 0))

    def _scaled_by_equation(self, initializer: Any) -> Any:
        """A copy that counts the kernel's inputs and outputs by the equation."""
        if not isinstance(initializer, initializers.VarianceScaling):
            return initializer
        if None not in (initializer.input_axes, initializer.output_axes):
            return initializer
        _, kernel, outputs, _ = self._parts
        scaled = copy(initializer)
        scaled.input_axes = [k for k, c in enumerate(kernel) if c not in outputs]
        scaled.output_axes = [k for k, c in enumerate(kernel) if c in outputs]
        return scaled


class _Parts(NamedTuple):
    """Letters of an equation, and the side on which it has `...`, if any."""

    inputs: str
    kernel: str
    outputs: str
    dots: str


_FORMS = {
    "": r"([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)",
    "left": r"\.\.\.([a-zA-Z]+),([a-zA-Z]+)->\.\.\.([a-zA-Z]+)",
    "right": r"([a-zA-Z]{2,})\.\.\.,([a-zA-Z]+)->([a-zA-Z]+)\.\.\.",
}


def _parse(equation: Any) -> _Parts:
    """The parts of an equation.

    Raises:
        ValueError: if it has none of the three forms, or an axis has no size.
    """
    for dots, form in _FORMS.items():
        found = re.fullmatch(form, equation) if isinstance(equation, str) else None
        if found is not None:
            parts = _Parts(found[1], found[2], found[3], dots)
            break
    else:
        raise ValueError(
            "EinsumDense: `equation` must have the form 'ab,bc->ac', '...b,bc->...c' "
            f"or 'ab...,bc->ac...'. Received: equation={equation!r}"
        )
    inputs, kernel, outputs, _ = parts
    for letters in (inputs, kernel, outputs):
        if len(set(letters)) < len(letters):
            raise ValueError(
                f"EinsumDense: a letter occurs twice in {letters!r}. "
                f"Received: equation={equation!r}"
            )
    if lost := set(outputs) - set(inputs + kernel):
        raise ValueError(
            f"EinsumDense: axis {min(lost)!r} of the output is neither the input's nor "
            f"the kernel's. Received: equation={equation!r}"
        )
    if lost := set(kernel) - set(inputs + outputs):
        raise ValueError(
            f"EinsumDense: axis {min(lost)!r} of the kernel is neither the input's nor "
            f"the output's, so its size is not known. Received: equation={equation!r}"
        )
    return parts
