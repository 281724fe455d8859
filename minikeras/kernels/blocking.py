"""Threads, cache-sized slices of a batch, and arrays that are used again.

The one file that knows about cores and bytes. Work is cut by shape, never by the
number of threads, and partial sums are added in a fixed order, so results are the
same bits on one thread and on many.
"""

import os
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import prod
from typing import Any

import numpy as np
import threadpoolctl

from minikeras import config

SLICE_BYTES = 4 << 20  # windows of one slice: smaller ones hand over too often
MIN_SLICES = 8  # so that few cores are evenly loaded, if the work is worth it
MIN_SLICE_WORK = 1 << 18  # operations below which a slice is not worth a hand-over
PIECE = 1 << 18  # numbers of a piece in operations on each number by itself
SMALL = 1 << 16  # bytes below which malloc is faster than the pool
POOL_LIMIT = 1 << 30  # idle bytes kept at the most


class BlasHold:
    """Holds BLAS to one thread while any parallel region of ours is running.

    Regions may nest and may be entered from several threads at once; the first one in
    saves the thread counts and the last one out restores them. Inside of `session`
    they stay as they are until its end, so that a step with many regions sets them
    once, and one that is too small for a region never.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._sessions = 0
        self._held = False
        self._libraries: list[Any] | None = None
        self._before: list[int] = []
        self.session = _Session(self)

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if not self._held:
                if self._libraries is None:
                    controller = threadpoolctl.ThreadpoolController()
                    self._libraries = controller.select(user_api="blas").lib_controllers
                self._before = [lib.get_num_threads() for lib in self._libraries]
                self._set([1] * len(self._before))
                self._held = True

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._inside -= 1
            self._restore_if_idle()

    def _restore_if_idle(self) -> None:
        if self._held and not self._inside and not self._sessions:
            self._set(self._before)
            self._held = False

    def _set(self, counts: list[int]) -> None:
        for lib, before, count in zip(
            self._libraries or (), self._before, counts, strict=True
        ):
            if before == 1:
                continue
            # threadpoolctl 3.7 and later ignores, without a word, all threads but the
            # first one that set OpenBLAS; ours take turns under the lock.
            release = getattr(lib, "clear_controlling_thread", lambda force: None)
            release(force=True)
            lib.set_num_threads(count)
            release(force=True)


class _Session:
    """What `BlasHold.session` is: a `with` block between whose regions counts stay."""

    def __init__(self, hold: BlasHold) -> None:
        self._hold = hold

    def __enter__(self) -> None:
        with self._hold._lock:
            self._hold._sessions += 1

    def __exit__(self, *exception: object) -> None:
        hold = self._hold
        with hold._lock:
            hold._sessions -= 1
            hold._restore_if_idle()


single_threaded_blas = BlasHold()

_executor: ThreadPoolExecutor | None = None
_executor_size = 0
_executor_lock = threading.Lock()
_local = threading.local()


def slices(
    count: int, bytes_each: int, work_each: int, most: int | None = None
) -> list[slice]:
    """Cut `count` items into slices that fit the cache.

    Args:
        count: number of items, such as images.
        bytes_each: bytes of working memory an item takes.
        work_each: arithmetic operations an item takes.
        most: upper limit on the number of slices.
    """
    by_cache = max(1, SLICE_BYTES // max(1, bytes_each))
    by_work = max(1, MIN_SLICE_WORK // max(1, work_each))
    length = min(by_cache, max(-(-count // MIN_SLICES), by_work))
    if most is not None:
        length = max(length, -(-count // most))
    return [slice(i, min(i + length, count)) for i in range(0, count, max(1, length))]


def parallel(task: Callable[[Any], None], items: Sequence[Any]) -> None:
    """Call `task` on every item, on several threads when there are several items.

    NumPy lets go of the interpreter lock in copies, ufuncs and matmul, so slices run
    side by side. BLAS is held to one thread meanwhile.
    """
    threads = min(config.threads(), len(items))
    if threads <= 1 or getattr(_local, "inside", False):
        with single_threaded_blas, np.errstate(all="ignore"):
            for item in items:
                task(item)
        return
    pool = _pool(threads - 1)
    queue = iter(items)
    lock = threading.Lock()

    def work() -> None:
        _local.inside = True
        try:
            with np.errstate(all="ignore"):  # an infinity is the caller's to report
                while True:
                    with lock:
                        item = next(queue, queue)
                    if item is queue:
                        return
                    task(item)
        finally:
            _local.inside = False

    with single_threaded_blas:
        futures = [pool.submit(work) for _ in range(threads - 1)]
        try:
            work()
        except BaseException:
            with lock:
                for _ in queue:  # an error or Ctrl-C: nobody takes another item
                    pass
            raise
        finally:
            running = [future for future in futures if not future.cancel()]
            for future in running:
                future.exception()  # waits
        for future in running:
            future.result()


def each_piece(change: Callable[..., None], *arrays: np.ndarray) -> None:
    """Call `change` on matching pieces of arrays, on several threads if they are long.

    Pieces fit the cache, so a few operations on one cost little more than the first
    (benchmarks/kernels.py, "relu"). Arrays of different shapes, or that do not lie in
    one run, are one piece.
    """
    size = arrays[0].size
    alike = all(
        array.flags.c_contiguous and array.shape == arrays[0].shape for array in arrays
    )
    if size < 2 * PIECE or not alike:
        change(*arrays)
        return
    flat = [array.reshape(-1) for array in arrays]

    def task(part: slice) -> None:
        change(*(array[part] for array in flat))

    parallel(task, [slice(i, min(i + PIECE, size)) for i in range(0, size, PIECE)])


def _pool(size: int) -> ThreadPoolExecutor:
    global _executor, _executor_size
    if _executor is None or _executor_size < size:
        with _executor_lock:
            if _executor is None or _executor_size < size:
                _executor = ThreadPoolExecutor(size, "minikeras")
                _executor_size = size
    return _executor


def _forget_threads() -> None:
    """After fork() the child has none of the parent's threads."""
    global _executor, _executor_lock, _pool_lock
    _executor, _executor_lock, _pool_lock = None, threading.Lock(), threading.Lock()
    single_threaded_blas.__init__()  # type: ignore[misc]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


# Arrays used again. Page faults of fresh large arrays make a convnet's step slower
# (benchmarks/kernels.py, "buffers"). A base array is idle when only the pool refers to
# it; every view of it, however deep, keeps a reference to the base.
_pool_lock = threading.Lock()
_bases: defaultdict[int, list[np.ndarray]] = defaultdict(list)
_pool_bytes = 0


def _references(bucket: list[np.ndarray], index: int) -> int:
    return sys.getrefcount(bucket[index])


_IDLE = _references([np.empty(0)], 0)  # what an array only a list holds counts here


def empty(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """An uninitialised array, in memory used before if enough of it is idle."""
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    if size < SMALL:
        return np.empty(shape, dtype)
    step = 1 << (size.bit_length() - 3)  # buckets an eighth to a quarter apart
    room = -(-size // step) * step
    with _pool_lock:
        base = _idle_base(room)
    return base[:size].view(dtype).reshape(shape)


def _idle_base(room: int) -> np.ndarray:
    global _pool_bytes
    bucket = _bases[room]
    for index in range(len(bucket)):
        if _references(bucket, index) == _IDLE:
            return bucket[index]
    if _pool_bytes + room > POOL_LIMIT:
        _drop_idle()
    base = np.empty(room, np.uint8)
    if _pool_bytes + room <= POOL_LIMIT:
        bucket.append(base)
        _pool_bytes += room
    return base


def _drop_idle() -> None:
    global _pool_bytes
    for room, bucket in _bases.items():
        idle = [i for i in range(len(bucket)) if _references(bucket, i) == _IDLE]
        for index in reversed(idle):
            del bucket[index]
            _pool_bytes -= room


def release_memory() -> None:
    """Give idle buffers back to the operating system."""
    with _pool_lock:
        _drop_idle()
