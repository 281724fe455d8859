"""Calls of NumPy that are listed before threads begin, and memory to keep them.

Between two calls of NumPy a thread holds the interpreter, and on several threads every
microsecond of that is one for which others may have to sleep. So where a task has many
short calls, they are a list by the time the threads begin, with all their arrays and
views (benchmarks/kernels.py, "calls"). That takes memory for all tasks at once: where
there are many, their calls are long, and each task lists its own; on one thread too.

Where the same shapes come again and again, such lists are a program that is made once
and kept (benchmarks/kernels.py, "conv-fourier"). A program's arrays hold nothing
between its runs, so all programs of a thread share the same memory.
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from math import prod
from typing import Any, TypeVar

import numpy as np

from minikeras import config
from minikeras.kernels import blocking

MOST = 64  # programs
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


_local = threading.local()


class Workspace:
    """The programs of one thread, and their memory."""

    def __init__(self) -> None:
        self._base = blocking.aligned_empty(0, np.uint8)
        self._programs: dict[Hashable, Any] = {}

    def program(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The program of that key, made the first time it is asked for."""
        found = self._programs.get(key)
        if found is None:
            found = make()
            if len(self._programs) >= MOST:
                self._programs.clear()
            self._programs[key] = found
        return found

    def arrays(
        self, shapes: Sequence[tuple[int, ...]], dtype: np.dtype
    ) -> list[np.ndarray]:
        """Uninitialised arrays for one program; each begins at a cache line."""
        sizes = [prod(shape) * dtype.itemsize for shape in shapes]
        rooms = [-(-size // blocking.LINE) * blocking.LINE for size in sizes]
        base = self._base
        if sum(rooms) > base.nbytes:
            self._programs.clear()  # they hold on to the memory that was too small
            base = self._base = blocking.aligned_empty(sum(rooms), np.uint8)
        found, start = [], 0
        for shape, size, room in zip(shapes, sizes, rooms, strict=True):
            found.append(base[start : start + size].view(dtype).reshape(shape))
            start += room
        return found

    def bytes(self) -> int:
        """Bytes of memory that programs share."""
        return self._base.nbytes

    def drop_idle(self) -> None:
        """Forget all programs; one that is running keeps its memory to its end."""
        self._programs.clear()
        self._base = blocking.aligned_empty(0, np.uint8)


def workspace() -> Workspace:
    """The workspace of this thread."""
    found = getattr(_local, "workspace", None)
    if found is None:
        found = _local.workspace = Workspace()
        blocking.keepers.add(found)
    return found
