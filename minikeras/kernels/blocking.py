"""Threads, cache-sized slices of a batch, and arrays that are used again.

The one file that knows about cores and bytes. Work is cut by shape, never by the
number of threads, and partial sums are added in a fixed order, so results are the
same bits on one thread and on many.
"""

import os
import sys
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from math import prod
from queue import SimpleQueue
from typing import Any, NamedTuple
from weakref import WeakSet

import numpy as np

from minikeras import config
from minikeras.kernels.session import quiet, single_threaded_blas

SLICE_BYTES = 8 << 20  # windows of one slice: smaller ones hand over too often
MIN_SLICES = 4  # so that few cores are evenly loaded, if the work is worth it
MIN_SLICE_WORK = 1 << 18  # operations below which a slice is not worth a hand-over
LONG_SLICE_WORK = 1 << 22  # operations of a slice, if there are more than four
PRODUCT = 64  # operations of a product in the time of one other operation
PIECE = 1 << 18  # numbers of a piece in operations on each number by itself
SMALL = 1 << 16  # bytes below which malloc is faster than the pool
SHARED = 4 << 20  # bytes up to which arrays of many sizes share memory
POOL_LIMIT = 1 << 30  # idle bytes kept at the most
LINE = 64  # bytes of a cache line, and of the widest register


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
    needed = -(-count // max(1, SLICE_BYTES // max(1, bytes_each)))
    worth = count // max(1, MIN_SLICE_WORK // max(1, work_each))
    many = count * work_each // LONG_SLICE_WORK
    number = max(needed, min(MIN_SLICES, worth), min(many, count), 1)
    shared = _shareable(number)
    if shared < needed:  # the next that two or four threads share evenly
        shared = 2 * shared if shared < 4 else shared + 4
    if most is not None:
        shared = min(shared, _shareable(most))
    return cut(count, max(1, -(-count // shared)))


def product_work(numbers: int, columns: int) -> int:
    """Operations in the time of a product whose left matrix has so many numbers; few
    columns take as long as 24 do (benchmarks/kernels.py, "few-channels")."""
    return 2 * numbers * max(columns, 24) // PRODUCT


def cut(count: int, length: int) -> list[slice]:
    """Slices of `length` items, of which the last one may be shorter.

    >>> cut(5, 2)
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    return [slice(i, min(i + length, count)) for i in range(0, count, length)]


def _shareable(number: int) -> int:
    """The most slices up to `number` that two threads, or four, share evenly."""
    return number - number % 4 if number >= 4 else min(number, 2)


def parallel(
    task: Callable[[Any], None], items: Sequence[Any], most: int | None = None
) -> None:
    """Call `task` on every item, on several threads when there are several items.

    NumPy lets go of the interpreter lock in copies, ufuncs and matmul, so slices run
    side by side. BLAS is held to one thread meanwhile.

    Args:
        most: upper limit on the number of threads.
    """
    most = len(items) if most is None else min(len(items), most)
    threads = min(config.threads(), most) if most > 1 else 1
    if threads == 1 or getattr(_local, "inside", False):
        with single_threaded_blas, quiet:
            for item in items:
                task(item)
        return
    # A deque needs no lock of ours, which would put a thread to sleep now and then
    # (benchmarks/kernels.py, "hand-over").
    queue = deque(items)

    def work() -> None:
        _local.inside = True
        try:
            with quiet:
                while queue:
                    try:
                        item = queue.popleft()
                    except IndexError:  # another thread was faster
                        return
                    task(item)
        finally:
            _local.inside = False

    with single_threaded_blas:
        jobs = [_Job(work) for _ in range(threads - 1)]
        _helpers.give(jobs)
        try:
            work()
        except BaseException:
            queue.clear()  # an error or Ctrl-C: nobody takes another item
            raise
        finally:
            running = [job for job in jobs if not job.claim()]
            for job in running:
                job.wait()
        for job in running:
            if job.error is not None:
                raise job.error


class _Job:
    """Work for one helper. It is done by whoever claims it first, or by nobody."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._claimed, self._done = threading.Lock(), threading.Lock()
        self._done.acquire()
        self.error: BaseException | None = None

    def claim(self) -> bool:
        return self._claimed.acquire(blocking=False)

    def run(self) -> None:
        if self.claim():
            try:
                self._work()
            except BaseException as error:
                self.error = error
            finally:
                self._done.release()

    def wait(self) -> None:
        self._done.acquire()


class _Helpers:
    """Threads that wait for jobs. With an executor and its futures a region takes 10
    to 20 microseconds more (benchmarks/kernels.py, "hand-over")."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[_Job] = SimpleQueue()
        self._lock = threading.Lock()
        self._count = 0

    def give(self, jobs: Sequence[_Job]) -> None:
        while self._count < len(jobs):
            with self._lock:
                if self._count < len(jobs):
                    name = f"minikeras_{self._count}"
                    threading.Thread(target=self._serve, name=name, daemon=True).start()
                    self._count += 1
        for job in jobs:
            self._jobs.put(job)

    def _serve(self) -> None:
        with quiet:
            while True:
                self._jobs.get().run()


_helpers = _Helpers()


def each_piece(
    change: Callable[..., object], *arrays: np.ndarray, work: int = 1
) -> None:
    """Call `change` on matching pieces of arrays, on several threads if they are long.

    Pieces fit the cache, so a few operations on one cost little more than the first
    (benchmarks/kernels.py, "relu"). Arrays of different shapes, or that do not lie in
    one run, are one piece.

    Args:
        work: in the time of so many operations on each number; pieces are shorter.
    """
    size = arrays[0].size
    alike = all(
        array.flags.c_contiguous and array.shape == arrays[0].shape for array in arrays
    )
    if size * work < 2 * PIECE or not alike:
        change(*arrays)
        return
    flat = [array.reshape(-1) for array in arrays]

    def task(part: slice) -> None:
        change(*(array[part] for array in flat))

    parallel(task, cut(size, PIECE // work))


def sum_first(parts: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """The sum over the first axis, long ones on several threads."""
    total = empty(parts.shape[1:], parts.dtype) if out is None else out
    sums = total.reshape(-1)
    flat = parts.reshape(len(parts), sums.size)

    def task(piece: slice) -> None:
        np.add.reduce(flat[:, piece], axis=0, out=sums[piece])

    parallel(task, slices(sums.size, 1, len(parts)))
    return total


def spread(x: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """x repeated along new or short axes, long ones on several threads
    (benchmarks/kernels.py, "spread")."""
    found = empty(shape, x.dtype)
    view = np.broadcast_to(x, shape)
    if found.size < 8 * PIECE:
        np.copyto(found, view)
        return found

    def task(part: slice) -> None:
        np.copyto(found[part], view[part])

    each = found.size // len(found)
    parallel(task, slices(len(found), each * found.itemsize, each))
    return found


def _forget_threads() -> None:
    """After fork() the child has none of the parent's threads."""
    global _helpers
    _helpers = _Helpers()
    single_threaded_blas.forget()
    keepers.renew_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


# Arrays used again. Page faults of fresh large arrays make a convnet's step slower
# (benchmarks/kernels.py, "buffers"). A base array is idle when only the pool refers to
# it; every view of it, however deep, keeps a reference to the base. Arrays begin at a
# cache line: 16 bytes behind it a sum takes twice as long, and a product of small
# matrices a third more (benchmarks/kernels.py, "aligned").
class _Base(NamedTuple):
    memory: np.ndarray
    start: int  # the first byte of a cache line


class _Pool:
    """The bases of one thread: with a pool of its own, none waits for another."""

    def __init__(self) -> None:
        self.bases: defaultdict[int, list[_Base]] = defaultdict(list)

    def idle_base(self, room: int) -> _Base:
        bucket = self.bases[room]
        for index in range(len(bucket)):
            # Another thread may have dropped what is idle meanwhile.
            if index < len(bucket) and _references(bucket, index) == _IDLE:
                return bucket[index]
        if kept_bytes() + room > POOL_LIMIT:
            release_memory()
        base = _new_base(room)
        if kept_bytes() + room <= POOL_LIMIT:
            bucket.append(base)
        return base

    def bytes(self) -> int:
        return sum(room * len(bucket) for room, bucket in self.bases.copy().items())

    def drop_idle(self) -> None:
        for bucket in self.bases.copy().values():
            idle = [i for i in range(len(bucket)) if _references(bucket, i) == _IDLE]
            for index in reversed(idle):
                del bucket[index]


class Keepers:
    """What has bytes() and drop_idle(), for as long as its thread lives.

    A set cannot be walked through while another thread adds to it.
    """

    def __init__(self) -> None:
        self._all: WeakSet[Any] = WeakSet()
        self.renew_lock()

    def renew_lock(self) -> None:
        """After fork() nobody in the child would let go of it."""
        self._lock = threading.Lock()

    def add(self, keeper: Any) -> None:
        with self._lock:
            self._all.add(keeper)

    def __iter__(self) -> Iterator[Any]:
        with self._lock:
            return iter(list(self._all))


keepers = Keepers()


def _references(bucket: list[_Base], index: int) -> int:
    return sys.getrefcount(bucket[index].memory)


_IDLE = _references([_Base(np.empty(0), 0)], 0)  # what an idle base counts here


def empty(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """An uninitialised array, in memory used before if enough of it is idle."""
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    if size < SMALL:
        return np.empty(shape, dtype)
    if size <= SHARED:  # what one layer wrote last, the next one finds in the cache
        room = 1 << (size - 1).bit_length()
    else:
        step = 1 << (size.bit_length() - 3)  # buckets an eighth to a quarter apart
        room = -(-size // step) * step
    pool = getattr(_local, "pool", None)
    if pool is None:
        pool = _local.pool = _Pool()
        keepers.add(pool)
    memory, start = pool.idle_base(room)
    return memory[start : start + size].view(dtype).reshape(shape)


def aligned(x: np.ndarray) -> np.ndarray:
    """x itself if it is one run from a cache line on, else a copy that is."""
    if x.flags.c_contiguous and x.ctypes.data % LINE == 0:
        return x
    copy = scratch(x.shape, x.dtype)
    np.copyto(copy, x)
    return copy


def scratch(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
    """`empty`, at a cache line however small."""
    large = prod(shape) * np.dtype(dtype).itemsize >= SMALL
    return empty(shape, dtype) if large else aligned_empty(shape, dtype)


def aligned_empty(shape: int | tuple[int, ...], dtype: Any) -> np.ndarray:
    """An uninitialised array of its own that begins at a cache line."""
    size = np.dtype(dtype).itemsize * prod(
        shape if isinstance(shape, tuple) else [shape]
    )
    memory, start = _new_base(size)
    return memory[start : start + size].view(dtype).reshape(shape)


def _new_base(room: int) -> _Base:
    memory = np.empty(room + LINE, np.uint8)
    return _Base(memory, -memory.ctypes.data % LINE)


def kept_bytes() -> int:
    """Bytes of all buffers, those in use included."""
    return sum(keeper.bytes() for keeper in keepers)


def release_memory() -> None:
    """Give idle buffers back to the operating system."""
    for keeper in keepers:
        keeper.drop_idle()
