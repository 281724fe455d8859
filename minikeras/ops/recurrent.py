"""Recurrent layers over whole sequences, as functions of their weights.

Letters: B batch, T steps, F features, U units, G gates. Derivatives in `recurrence.py`.
"""

from collections.abc import Sequence
from typing import Any

import autograd.numpy as anp
import numpy as np

from minikeras.kernels.recurrent import ACTIVATIONS, Plan
from minikeras.ops.base import Array, convert, float_array, getval
from minikeras.ops.numpy import masked as zero_unless
from minikeras.ops.recurrence import recurrence
from minikeras.ops.reshaping import crop
from minikeras.validation import choice, shape_text

__all__ = ["ACTIVATIONS", "gru", "lstm", "simple_rnn"]


def simple_rnn(
    x: Any,
    states: Sequence[Any] | None,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any,
    *,
    activation: str = "tanh",
    mask: Any = None,
    recurrent_mask: Any = None,
    go_backwards: bool = False,
    return_sequences: bool = True,
    return_state: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[Array, list[Array] | None]:
    """The fully connected recurrence h = activation(x W + h before U + b).

    Args:
        x: sequences (batch, time, features).
        states: `[h]` before the first step, (batch, units); None for zeros.
        kernel: W, (features, units).
        recurrent_kernel: U, (units, units).
        bias: b, (units,), or None.
        activation: one of `ACTIVATIONS`.
        mask: (batch, time), False where a step leaves the states as they are.
        recurrent_mask: (batch, units), which multiplies h before U: recurrent dropout.
        go_backwards: whether time runs backwards; outputs stay in that order.
        return_sequences: whether all outputs are returned, or the last one.
        return_state: whether the last states are returned.
        zero_output_for_mask: whether the output at a masked step is zero, or h.

    Returns:
        The outputs, (batch, time, units) or (batch, units), and the last states as a
        list, or None.

    Raises:
        ValueError: for shapes that do not fit, and other activations.

    >>> x = np.ones((1, 2, 1))
    >>> one = np.ones((1, 1))
    >>> simple_rnn(x, None, one, one, None, activation="linear")[0].tolist()
    [[[1.0], [2.0]]]
    """
    given = x, states, kernel, recurrent_kernel, bias, mask, recurrent_mask
    plan = Plan(
        activation=_activation(activation, "activation", "simple_rnn"),
        reverse=go_backwards,
        sequences=return_sequences,
    )
    return _run("simple_rnn", 1, given, plan, return_state, zero_output_for_mask)


def lstm(
    x: Any,
    states: Sequence[Any] | None,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any,
    *,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
    mask: Any = None,
    recurrent_mask: Any = None,
    go_backwards: bool = False,
    return_sequences: bool = True,
    return_state: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[Array, list[Array] | None]:
    """Long short-term memory: c = f c before + i g, h = o activation(c).

    i, f and o are recurrent_activation, and g is activation, of x W + h before U + b.

    Args:
        x: sequences (batch, time, features).
        states: `[h, c]` before the first step, each (batch, units); None for zeros.
        kernel: W, (features, 4 units), for i, f, g and o.
        recurrent_kernel: U, (units, 4 units).
        bias: b, (4 units,), or None.
        activation: of g and of the output, one of `ACTIVATIONS`.
        recurrent_activation: of the gates, one of `ACTIVATIONS`.
        recurrent_mask: (batch, units), or (4, batch, units) for masks of their own for
            i, f, g and o, as the layers of Keras draw them.

    The other arguments, the result and the errors are those of `simple_rnn`.

    Source: Hochreiter, Schmidhuber, Neural Computation 9 (1997); Gers et al., 2000.

    >>> x, w = np.ones((1, 3, 2)), np.ones((2, 4))
    >>> y, (h, c) = lstm(x, None, w, w[:1], None, return_state=True)
    >>> y.shape, h.shape, c.shape
    ((1, 3, 1), (1, 1), (1, 1))
    """
    given = x, states, kernel, recurrent_kernel, bias, mask, recurrent_mask
    plan = Plan(
        activation=_activation(activation, "activation", "lstm"),
        gate=_activation(recurrent_activation, "recurrent_activation", "lstm"),
        reverse=go_backwards,
        sequences=return_sequences,
        carry=return_state,
    )
    return _run("lstm", 4, given, plan, return_state, zero_output_for_mask)


def gru(
    x: Any,
    states: Sequence[Any] | None,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any,
    *,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
    reset_after: bool = True,
    mask: Any = None,
    recurrent_mask: Any = None,
    go_backwards: bool = False,
    return_sequences: bool = True,
    return_state: bool = False,
    zero_output_for_mask: bool = False,
) -> tuple[Array, list[Array] | None]:
    """Gated recurrent units: h = z h before + (1 - z) a.

    z and r are recurrent_activation of x W + h before U + b; the candidate a is
    activation(x W + b + r (h before U + b')), or, unless reset_after,
    activation(x W + b + (r h before) U).

    Args:
        x: sequences (batch, time, features).
        states: `[h]` before the first step, (batch, units); None for zeros.
        kernel: W, (features, 3 units), for z, r and a.
        recurrent_kernel: U, (units, 3 units).
        bias: None, or (3 units,); (2, 3 units) with reset_after, for x and for h.
        activation: of a, one of `ACTIVATIONS`.
        recurrent_activation: of z and r, one of `ACTIVATIONS`.
        reset_after: whether r acts behind the product with U.
        recurrent_mask: (batch, units), or (3, batch, units) for masks of their own for
            z, r and a, as the layers of Keras draw them.

    The other arguments, the result and the errors are those of `simple_rnn`.

    Source: Cho et al., arXiv 1406.1078 (2014), version 1; version 3 unless reset_after.

    >>> x, w = np.ones((1, 3, 2)), np.ones((2, 3))
    >>> y, _ = gru(x, None, w, w[:1], None, return_sequences=False)
    >>> y.shape
    (1, 1)
    """
    given = x, states, kernel, recurrent_kernel, bias, mask, recurrent_mask
    plan = Plan(
        activation=_activation(activation, "activation", "gru"),
        gate=_activation(recurrent_activation, "recurrent_activation", "gru"),
        reverse=go_backwards,
        sequences=return_sequences,
        reset_after=bool(reset_after),
    )
    return _run("gru", 3, given, plan, return_state, zero_output_for_mask)


def _activation(value: Any, name: str, owner: str) -> str:
    return choice(value, ACTIVATIONS, name, owner)


def _run(
    owner: str,
    gates: int,
    given: tuple[Any, ...],
    plan: Plan,
    return_state: bool,
    zero_output: bool,
) -> tuple[Array, list[Array] | None]:
    arrays = _of_one_type(owner, gates, given[:5])
    x, length = arrays[0], arrays[0].shape[1]
    mask, factors = (None if v is None else np.asarray(getval(v)) for v in given[5:])
    _check_shapes(owner, gates, arrays, mask, factors, plan)
    if mask is not None:
        mask = mask.astype(bool)[:, :: -1 if plan.reverse else 1]
        plan = plan._replace(masked=np.ascontiguousarray(~mask.T))
    if factors is not None:
        factors = factors.astype(x.dtype).reshape(-1, *factors.shape[-2:])
        factors = np.ascontiguousarray(factors.transpose(0, 2, 1))
        plan = plan._replace(dropped=factors)
    y = recurrence(*arrays, gates=gates, plan=plan)

    def steps(start: int, stop: int) -> Array:
        ends = start, y.shape[1] - stop
        return y if ends == (0, 0) else crop(y, widths=((0, 0), ends, (0, 0)))

    def one_step(number: int) -> Array:
        part = steps(number, number + 1)
        return anp.reshape(part, (part.shape[0], part.shape[2]))

    shown = length if plan.sequences else 1
    outputs = steps(0, shown) if plan.sequences else one_step(0)
    if zero_output and mask is not None:
        keep = mask[:, :, None] if plan.sequences else mask[:, -1:]
        outputs = zero_unless(outputs, keep=np.broadcast_to(keep, outputs.shape))
    if not return_state:
        return outputs, None
    return outputs, [one_step(n) for n in range(shown - 1, shown + plan.carry)]


def _of_one_type(owner: str, gates: int, given: Sequence[Any]) -> list[Any]:
    """x, kernel, recurrent kernel, bias and each state, None where there is none."""
    x, states, *weights = given
    count = 2 if gates == 4 else 1
    states = [None] * count if states is None else list(states)
    if len(states) != count:
        raise ValueError(
            f"{owner}: `states` must be {'[h, c]' if count == 2 else '[h]'} or None. "
            f"Received: a list of {len(states)}"
        )
    arrays = [None if v is None else float_array(v) for v in (x, *weights, *states)]
    dtype = np.result_type(*(v.dtype for v in arrays if v is not None))
    return [None if v is None else convert(v, dtype) for v in arrays]


def _check_shapes(
    owner: str, gates: int, arrays: Sequence[Any], mask: Any, factors: Any, plan: Plan
) -> None:
    x, kernel, recurrent, bias, *states = arrays
    if x.ndim != 3 or 0 in x.shape[1:]:
        raise ValueError(
            f"{owner}: `x` must have the shape (batch, time, features), with at least "
            f"one step and one feature. Received: x of shape {shape_text(x.shape)}"
        )
    batch, length, features = x.shape
    units = recurrent.shape[0] if recurrent.ndim else 0
    wide, one_mask = gates * units, (batch, units)
    two_biases = gates == 3 and plan.reset_after
    expected: list[tuple[str, Any, Any]] = [
        ("recurrent_kernel", recurrent, [(units, wide)]),
        ("kernel", kernel, [(features, wide)]),
        ("bias", bias, [(2, wide) if two_biases else (wide,)]),
        *((f"states[{n}]", s, [one_mask]) for n, s in enumerate(states)),
        ("mask", mask, [(batch, length)]),
        ("recurrent_mask", factors, [one_mask, (gates, *one_mask)][: min(gates, 2)]),
    ]
    for name, value, shapes in expected:
        if value is not None and value.shape not in shapes:
            raise ValueError(
                f"{owner}: `{name}` must have the shape "
                f"{' or '.join(map(shape_text, shapes))}, for x of shape "
                f"{shape_text(x.shape)} and {units} units. "
                f"Received: shape {shape_text(value.shape)}"
            )
