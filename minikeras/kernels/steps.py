"""Calls of NumPy that are listed before threads begin.

Between two calls of NumPy a thread holds the interpreter, and on several threads every
microsecond of that is one for which others may have to sleep. So where a task has many
short calls, they are a list by the time the threads begin, with all their arrays and
views (benchmarks/kernels.py, "calls"). That takes memory for all tasks at once: where
there are many, their calls are long, and each task lists its own; on one thread too.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from minikeras import config
from minikeras.kernels import blocking

FEW = blocking.MIN_SLICES + 1  # tasks whose memory may be taken at once

Item = TypeVar("Item")
Step = tuple[Callable[..., Any], Any, Any, np.ndarray]  # f, a, b, out


def do(steps: Sequence[Step]) -> None:
    """Call NumPy a number of times, with hardly any Python in between."""
    for function, a, b, out in steps:
        function(a, b, out=out)


def do_each(steps_of: Callable[[Item], Sequence[Step]], items: Sequence[Item]) -> None:
    """Do what `steps_of` lists for each item, on several threads."""
    if len(items) <= FEW and config.threads() > 1:
        blocking.parallel(do, [steps_of(item) for item in items])
    else:
        blocking.parallel(lambda item: do(steps_of(item)), items)


def copy(x: np.ndarray, out: np.ndarray) -> Step:
    """out = x."""
    return _copy, x, None, out


def in_one_run(x: np.ndarray) -> tuple[list[Step], np.ndarray]:
    """x itself if it is contiguous, or what will be a copy that is."""
    if x.flags.c_contiguous:
        return [], x
    run = blocking.empty(x.shape, x.dtype)
    return [copy(x, run)], run


def put(x: np.ndarray, where: np.ndarray | None, value: float) -> Step:
    """x[where] = value, or everywhere."""
    return _put, value, where, x


def _copy(x: np.ndarray, _: None, out: np.ndarray) -> None:
    np.copyto(out, x)


def _put(value: float, where: np.ndarray | None, out: np.ndarray) -> None:
    out[... if where is None else where] = value
