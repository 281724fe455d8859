"""Choices and loops by a number or a condition: Python's own, on arrays.

Nothing is compiled, so a loop may run as often as its numbers say and is differentiable
all the same. Python's numbers stay what they are inside a loop, where they promote no
array; results are arrays.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minikeras.ops.base import convert, getval
from minikeras.ops.trees import mapped
from minikeras.validation import shape_text


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """What `true_fn()` returns if `pred` holds, or else what `false_fn()` returns.

    Raises:
        ValueError: if `pred` is not one truth value.

    >>> float(cond(2 > 1, lambda: 5.0, lambda: 7.0))
    5.0
    """
    branch = true_fn if _truth(pred, "cond", "`pred`") else false_fn
    return mapped(convert, branch())


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """What branch number `index` returns for the operands.

    An index below 0 means the first branch, one that is too large the last.

    Raises:
        ValueError: if `index` is not one whole number, or there are no branches.

    >>> float(switch(1, [lambda x: x + 1, lambda x: x * 2], 3.0))
    6.0
    """
    number = np.asarray(getval(convert(index)))
    if number.ndim or number.dtype.kind not in "iu":
        raise ValueError(
            f"switch: `index` must be one whole number. Received: index={index!r}"
        )
    if not branches:
        raise ValueError("switch: `branches` must hold a function. Received: none")
    branch = branches[min(max(int(number), 0), len(branches) - 1)]
    return mapped(convert, branch(*operands))


def while_loop(
    cond: Callable[..., Any],
    body: Callable[..., Any],
    loop_vars: Any,
    maximum_iterations: int | None = None,
) -> Any:
    """Replace variables by what `body` makes of them, as long as `cond` holds.

    Args:
        cond: takes the variables, returns one truth value.
        body: takes the variables, returns their next values.
        loop_vars: the first values. A tuple or list is passed as several arguments
            and returned as a tuple.
        maximum_iterations: calls of `body` after which the loop ends in any case.

    Raises:
        ValueError: if `cond` returns no truth value, or `body` another number of
            variables.

    >>> int(while_loop(lambda i: i < 10, lambda i: i + 3, 0))
    12
    """
    several = isinstance(loop_vars, list | tuple)
    values = tuple(loop_vars) if several else (loop_vars,)
    count = 0
    while (maximum_iterations is None or count < maximum_iterations) and _truth(
        cond(*values), "while_loop", "what `cond` returns"
    ):
        result = body(*values)
        following = tuple(result) if several else (result,)
        if len(following) != len(values):
            raise ValueError(
                f"while_loop: `body` must return {len(values)} variables, as it takes. "
                f"Received: {len(following)}"
            )
        values = following
        count += 1
    values = mapped(convert, values)
    return values if several else values[0]


def fori_loop(
    lower: Any, upper: Any, body_fun: Callable[[int, Any], Any], init_val: Any
) -> Any:
    """state = body_fun(i, state) for i from `lower` up to, but not including, `upper`.

    >>> int(fori_loop(0, 5, lambda i, total: total + i, 0))
    10
    """
    state = init_val
    for i in range(int(getval(convert(lower))), int(getval(convert(upper)))):
        state = body_fun(i, state)
    return mapped(convert, state)


def _truth(value: Any, owner: str, what: str) -> bool:
    value = np.asarray(getval(convert(value)))
    if value.ndim:
        raise ValueError(
            f"{owner}: {what} must be one truth value. Received: an array of shape "
            f"{shape_text(value.shape)}; reduce it with `ops.any` or `ops.all`."
        )
    return bool(value)
