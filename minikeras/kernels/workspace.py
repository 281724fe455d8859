"""Memory of a thread for programs: lists of calls made once, with their arrays.

Where the same shapes come again and again, lists of steps need not be made again
(benchmarks/kernels.py, "conv-fourier"). A program's arrays hold nothing between its
runs, so all programs of a thread share the same memory.
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from math import prod
from typing import Any

import numpy as np

from minikeras.kernels import blocking

MOST = 64  # programs

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
