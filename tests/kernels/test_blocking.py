"""Slices, threads and memory that is used again."""

import gc
import os
import subprocess
import sys
import threading
import time
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import threadpoolctl
from hypothesis import given, settings
from hypothesis import strategies as st

from minikeras import config
from minikeras.kernels import blocking

LARGE = 1 << 20  # bytes: well above those that the pool leaves to malloc


@pytest.fixture
def pool(monkeypatch):
    """An empty memory pool."""
    monkeypatch.setattr(blocking, "_local", threading.local())
    monkeypatch.setattr(blocking, "keepers", blocking.Keepers())


# --- slices ---------------------------------------------------------------------


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.integers(0, 500),
    st.integers(0, 1 << 23),
    st.integers(0, 1 << 20),
    st.none() | st.integers(1, 50),
)
def test_slices_cover_everything_once(count, bytes_each, work_each, most):
    parts = blocking.slices(count, bytes_each, work_each, most)
    covered = [i for part in parts for i in range(part.start, part.stop)]
    assert covered == list(range(count))
    assert all(part.stop > part.start for part in parts)
    if most is not None:
        assert len(parts) <= most
    elif any(part.stop - part.start > 1 for part in parts):
        longest = max(part.stop - part.start for part in parts)
        assert longest * bytes_each <= blocking.SLICE_BYTES


def test_slices_depend_on_the_shape_only():
    cuts = []
    for threads in (1, 2, 7):
        config.set_threads(threads)
        cuts.append(blocking.slices(100, 1 << 19, 1 << 20))
    assert cuts[0] == cuts[1] == cuts[2]
    assert len(cuts[0]) == 20  # 25 are worth a core each; 24 share evenly
    cuts = blocking.slices(100, 1 << 20, 1)
    assert len(cuts) == 15  # 13 would do: eight images fill a slice; 16 share evenly


def test_work_that_is_not_worth_a_thread_is_one_slice():
    assert blocking.slices(100, 8, 8) == [slice(0, 100)]
    heavy = blocking.slices(100, 8, blocking.MIN_SLICE_WORK)
    assert len(heavy) == blocking.MIN_SLICES
    assert len(blocking.slices(100, 8, blocking.LONG_SLICE_WORK)) == 100


# --- threads --------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 40])
def test_every_item_is_done_once(threads, count):
    config.set_threads(threads)
    done = []
    blocking.parallel(done.append, range(count))
    assert sorted(done) == list(range(count))


@pytest.mark.parametrize("threads", [2, 5])
def test_items_run_side_by_side(threads):
    config.set_threads(threads)
    everybody = threading.Barrier(threads, timeout=30)
    names = set()

    def task(item):
        everybody.wait()  # passes only if as many threads are here at once
        names.add(threading.current_thread().name)

    blocking.parallel(task, range(threads))
    assert len(names) == threads


@pytest.mark.parametrize("most", [1, 2, 3])
def test_no_more_threads_than_asked(most):
    config.set_threads(4)
    seen = set()

    def task(_):
        seen.add(threading.get_ident())
        time.sleep(0.005)  # so that all who may take an item do

    blocking.parallel(task, range(12), most)
    assert len(seen) == most


def test_one_thread_means_the_caller():
    config.set_threads(1)
    threads = set()
    blocking.parallel(lambda item: threads.add(threading.get_ident()), range(5))
    assert threads == {threading.get_ident()}


def meet_and_raise(guilty):
    """Two items on two threads; the one on a `guilty` thread raises."""
    both = threading.Barrier(2, timeout=30)
    caller = threading.get_ident()

    def task(item):
        both.wait()
        if (threading.get_ident() == caller) is (guilty == "caller"):
            raise KeyError(guilty)

    return task


@pytest.mark.parametrize("guilty", ["caller", "worker"])
def test_an_error_comes_out_and_the_threads_stay_usable(guilty):
    config.set_threads(2)
    for _ in range(3):
        with pytest.raises(KeyError, match=guilty):
            blocking.parallel(meet_and_raise(guilty), range(2))
        done = []
        blocking.parallel(done.append, range(20))
        assert sorted(done) == list(range(20))


def test_an_error_comes_out_of_one_thread():
    config.set_threads(1)
    with pytest.raises(ZeroDivisionError):
        blocking.parallel(lambda item: 1 // item, [1, 0, 1])


def test_after_an_interrupt_nobody_takes_another_item():
    config.set_threads(2)
    caller, started = threading.get_ident(), []
    both = threading.Barrier(2, timeout=30)

    def task(item):
        started.append(item)
        if len(started) <= 2:
            both.wait()
        if threading.get_ident() == caller:
            raise KeyboardInterrupt
        time.sleep(0.02)

    with pytest.raises(KeyboardInterrupt):
        blocking.parallel(task, range(100))
    assert len(started) < 20


@pytest.mark.parametrize("threads", [1, 3])
def test_parallel_inside_parallel(threads):
    config.set_threads(threads)
    done = []

    def outer(i):
        blocking.parallel(lambda j: done.append((i, j)), range(5))

    blocking.parallel(outer, range(5))
    assert sorted(done) == [(i, j) for i in range(5) for j in range(5)]


def test_the_inner_region_stays_on_its_thread():
    config.set_threads(3)
    places = []

    def outer(i):
        here = threading.get_ident()

        def inner(j):
            time.sleep(0.005)  # time for an idle thread to come
            places.append((here, threading.get_ident()))

        blocking.parallel(inner, range(5))

    blocking.parallel(outer, range(2))
    assert len(places) == 10
    assert all(here == there for here, there in places)


def test_eight_threads_at_once():
    config.set_threads(3)
    together = threading.Barrier(8, timeout=30)

    def caller(number):
        results = []
        together.wait()
        for _ in range(20):
            out = np.zeros(50)

            def task(i, out=out):
                out[i] = number * i

            blocking.parallel(task, range(50))
            results.append(out)
        return results

    with ThreadPoolExecutor(8) as callers:
        for number, results in enumerate(callers.map(caller, range(8))):
            for out in results:
                np.testing.assert_array_equal(out, number * np.arange(50))


@pytest.mark.parametrize("threads", [1, 2])
def test_infinities_are_the_callers_to_report(threads):
    # The same warnings, none, whatever the number of threads and of slices.
    config.set_threads(threads)
    out = np.zeros(4)

    def task(i):
        out[i] = (np.full(3, 1e300) * np.full(3, 1e300))[0]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        blocking.parallel(task, range(4))
        blocking.parallel(task, range(1))
    assert np.isinf(out).all()
    with np.errstate(over="raise"):
        blocking.parallel(task, range(4))
        with pytest.raises(FloatingPointError):  # the caller's setting is back
            np.full(3, 1e300) * np.full(3, 1e300)


# --- BLAS -----------------------------------------------------------------------


def blas_threads():
    info = threadpoolctl.threadpool_info()
    return [lib["num_threads"] for lib in info if lib["user_api"] == "blas"]


@pytest.fixture
def two_blas_threads():
    with threadpoolctl.threadpool_limits(2, "blas"):
        before = blas_threads()
        if 2 not in before:
            pytest.skip("this BLAS has no threads to count")
        yield before


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("items", [1, 4])
def test_blas_is_held_to_one_thread_inside_only(threads, items, two_blas_threads):
    config.set_threads(threads)
    inside = []
    blocking.parallel(lambda item: inside.append(blas_threads()), range(items))
    assert inside == [[1] * len(two_blas_threads)] * items
    assert blas_threads() == two_blas_threads


@pytest.mark.parametrize("guilty", ["caller", "worker"])
def test_blas_has_its_threads_back_after_an_error(guilty, two_blas_threads):
    config.set_threads(2)
    with pytest.raises(KeyError):
        blocking.parallel(meet_and_raise(guilty), range(2))
    assert blas_threads() == two_blas_threads


def test_nested_regions_hold_blas_to_the_end_of_the_outer(two_blas_threads):
    config.set_threads(2)
    after_inner = []

    def outer(item):
        blocking.parallel(lambda j: None, range(3))
        after_inner.append(blas_threads())

    blocking.parallel(outer, range(3))
    assert after_inner == [[1] * len(two_blas_threads)] * 3
    assert blas_threads() == two_blas_threads


def test_overlapping_regions_of_several_threads(two_blas_threads):
    first_in, second_out = threading.Event(), threading.Event()
    seen = []

    def first():
        with blocking.single_threaded_blas:
            first_in.set()
            second_out.wait(30)
            seen.append(blas_threads())

    thread = threading.Thread(target=first)
    thread.start()
    first_in.wait(30)
    with blocking.single_threaded_blas:
        seen.append(blas_threads())
    seen.append(blas_threads())  # the first region goes on
    second_out.set()
    thread.join()
    assert seen == [[1] * len(two_blas_threads)] * 3
    assert blas_threads() == two_blas_threads


def test_regions_of_a_second_thread_count_too(two_blas_threads):
    # threadpoolctl lets only one thread set OpenBLAS, until it is told otherwise.
    config.set_threads(2)
    blocking.parallel(lambda item: None, range(3))
    inside = []

    def caller():
        blocking.parallel(lambda item: inside.append(blas_threads()), range(3))

    thread = threading.Thread(target=caller)
    thread.start()
    thread.join()
    assert inside == [[1] * len(two_blas_threads)] * 3
    assert blas_threads() == two_blas_threads


def test_the_last_thread_out_gives_the_counts_back(two_blas_threads):
    first_in, second_in, first_out, end = (threading.Event() for _ in range(4))

    def first():
        with blocking.single_threaded_blas:
            first_in.set()
            second_in.wait(30)
        first_out.set()
        end.wait(30)  # alive, so that it stays the thread that set BLAS first

    thread = threading.Thread(target=first)
    thread.start()
    first_in.wait(30)
    with blocking.single_threaded_blas:
        second_in.set()
        first_out.wait(30)
    assert blas_threads() == two_blas_threads
    end.set()
    thread.join()


def test_others_may_set_blas_afterwards(two_blas_threads):
    used, end = threading.Event(), threading.Event()

    def caller():
        blocking.parallel(lambda item: None, range(2))
        used.set()
        end.wait(30)  # alive, as the threads of a server are

    thread = threading.Thread(target=caller)
    thread.start()
    used.wait(30)
    with threadpoolctl.threadpool_limits(1, "blas"):
        assert blas_threads() == [1] * len(two_blas_threads)
    end.set()
    thread.join()


def test_many_short_regions_leave_the_counts_alone(two_blas_threads):
    config.set_threads(2)

    def caller(number):
        for _ in range(100):
            blocking.parallel(lambda item: None, range(3))

    with ThreadPoolExecutor(6) as callers:
        list(callers.map(caller, range(6)))
    assert blas_threads() == two_blas_threads


# --- memory ---------------------------------------------------------------------


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (4, 0, 5), (300, 70, 5), [200, 999]])
def test_empty_has_the_shape_and_type_asked_for(shape, dtype, pool):
    array = blocking.empty(shape, dtype)
    assert array.shape == tuple(shape) and array.dtype == dtype
    assert array.flags.c_contiguous and array.flags.writeable
    array[...] = 1
    assert (array == 1).all()


def test_arrays_in_use_are_distinct(pool):
    arrays = [blocking.empty((LARGE,), "uint8") for _ in range(10)]
    for number, array in enumerate(arrays):
        array[...] = number
    assert [set(array.tolist()) for array in arrays] == [{n} for n in range(10)]


def test_memory_is_used_again_once_nothing_refers_to_it(pool):
    array = blocking.empty((LARGE,), "uint8")
    where = address(array)
    del array
    again = blocking.empty((LARGE // 8,), "float64")
    assert address(again) == where


VIEWS = {
    "slice": lambda a: a[5:],
    "view of a view": lambda a: a[5:][::2].reshape(-1, 1)[1:],
    "other type": lambda a: a.view("float32")[3:],
    "transposed": lambda a: a.reshape(2, -1).T,
    "broadcast": lambda a: np.broadcast_to(a[:1], (5, 1)),
    "buffer": lambda a: memoryview(a[1:]),
    "array of a buffer": lambda a: np.frombuffer(memoryview(a[1:]), "uint8"),
    "iterator": lambda a: a.flat,
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_a_view_keeps_its_memory(view, pool):
    array = blocking.empty((LARGE,), "uint8")
    where = address(array)
    kept = view(array)
    del array
    other = blocking.empty((LARGE,), "uint8")
    assert address(other) != where
    del kept
    assert address(blocking.empty((LARGE,), "uint8")) == where


def test_sizes_near_one_another_share_memory(pool):
    first = blocking.empty((5 << 17,), "uint8")  # 640 kB
    where = address(first)
    del first
    assert address(blocking.empty((1 << 20,), "uint8")) == where
    assert address(blocking.empty(((1 << 19) + 1,), "uint8")) == where
    assert address(blocking.empty((1 << 19,), "uint8")) != where


def test_small_arrays_are_left_to_malloc(pool):
    blocking.empty((blocking.SMALL - 1,), "uint8")
    assert blocking.kept_bytes() == 0
    blocking.empty((blocking.SMALL,), "uint8")
    assert blocking.kept_bytes() > 0


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(blocking.SMALL, 1 << 24))
def test_little_memory_is_wasted(size):
    base = blocking.empty((size,), "uint8").base
    most = 2 * size if size <= blocking.SHARED else 1.25 * size
    assert size + blocking.LINE <= base.nbytes <= most + blocking.LINE
    blocking.release_memory()


def test_threads_never_share_memory_in_use(pool, monkeypatch):
    together = threading.Barrier(8, timeout=30)
    references = blocking._references

    def slowly(bucket, index):
        count = references(bucket, index)
        time.sleep(1e-5)  # lets others look before the array is taken
        return count

    monkeypatch.setattr(blocking, "_references", slowly)

    def user(number):
        together.wait()
        for turn in range(60):
            array = blocking.empty((blocking.SMALL,), "uint8")
            view = array[1::3]
            del array
            view[...] = number
            if turn % 10 == 0:
                time.sleep(0.001)  # lets others write, if they can
            if (view != number).any():
                return False
        return True

    with ThreadPoolExecutor(8) as users:
        assert all(users.map(user, range(8)))
    assert blocking.kept_bytes() <= 8 * 2 * blocking.SMALL  # and it was used again


def test_no_more_than_the_limit_is_kept(pool, monkeypatch):
    monkeypatch.setattr(blocking, "POOL_LIMIT", 3 * LARGE)
    arrays = [blocking.empty((LARGE,), "uint8") for _ in range(6)]
    bases = [weakref.ref(array.base) for array in arrays]
    assert len({address(array) for array in arrays}) == 6
    assert blocking.kept_bytes() <= 3 * LARGE
    del arrays
    assert sum(base() is not None for base in bases) == 3


def test_idle_memory_makes_room_for_other_sizes(pool, monkeypatch):
    monkeypatch.setattr(blocking, "POOL_LIMIT", 3 * LARGE)
    arrays = [blocking.empty((LARGE,), "uint8") for _ in range(3)]
    bases = [weakref.ref(array.base) for array in arrays]
    del arrays
    large = blocking.empty((2 * LARGE,), "uint8")
    assert [base() for base in bases] == [None] * 3
    where = address(large)
    del large
    assert address(blocking.empty((2 * LARGE,), "uint8")) == where
    assert blocking.kept_bytes() == 2 * LARGE


def test_release_memory_gives_back_what_is_idle(pool):
    idle, used = (blocking.empty((LARGE,), "uint8") for _ in range(2))
    used[...] = 7
    references = weakref.ref(idle.base), weakref.ref(used.base)
    del idle
    blocking.release_memory()
    assert references[0]() is None and references[1]() is not None
    assert (used == 7).all()
    assert blocking.kept_bytes() == LARGE


FORK = """
import os, signal, threading
import numpy as np
from minikeras import config
from minikeras.kernels import blocking, conv
from minikeras.kernels.windows import geometry

config.set_threads(3)
blocking.MIN_SLICE_WORK = 1
rng = np.random.default_rng(0)
x, w = rng.standard_normal((64, 16, 16, 4)), rng.standard_normal((3, 3, 4, 8))
place = geometry((16, 16), (3, 3), (1, 1), "same")
expected = conv.convolve(x, w, None, place).copy()
held, done = threading.Event(), threading.Event()

def hold():  # the locks are taken at the moment of the fork
    with blocking._helpers._lock, blocking.single_threaded_blas:
        with blocking.single_threaded_blas._lock:
            held.set()
            done.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if not child:
    signal.alarm(60)
    same = np.array_equal(conv.convolve(x, w, None, place), expected)
    together = threading.Barrier(3, timeout=30)
    try:
        blocking.parallel(lambda item: together.wait(), range(3))
    except threading.BrokenBarrierError:
        os._exit(4)
    os._exit(0 if same else 3)
done.set()
thread.join()
_, status = os.waitpid(child, 0)
assert np.array_equal(conv.convolve(x, w, None, place), expected)
raise SystemExit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_has_threads_and_memory_of_its_own():
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert result.returncode == 0, result.stderr


# --- pieces ---------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("size", [0, 1, 19, 20, 21, 64])
@pytest.mark.parametrize("work", [1, 4])
def test_each_piece_is_changed_once(size, threads, work, monkeypatch):
    monkeypatch.setattr(blocking, "PIECE", 10 * work)
    config.set_threads(threads)
    x, y = np.arange(float(size)), np.zeros(size)
    lengths = []

    def change(x, y):
        lengths.append(len(x))
        y += x + 1

    blocking.each_piece(change, x, y, work=work)
    np.testing.assert_array_equal(y, x + 1)
    assert sum(lengths) == size
    assert len(lengths) == (1 if size < 20 else -(-size // 10))


def test_arrays_that_do_not_match_are_one_piece(monkeypatch):
    monkeypatch.setattr(blocking, "PIECE", 2)
    calls = []
    square = np.zeros((4, 4))
    for other in (square.T, square[:, ::2], np.zeros(4)):
        blocking.each_piece(lambda *arrays: calls.append(arrays), square, other)
    assert [len(arrays[0]) for arrays in calls] == [4, 4, 4]


@pytest.mark.parametrize("columns, work", [(64, 2000), (32, 1000), (16, 750), (1, 750)])
def test_the_work_of_a_product(columns, work):
    assert blocking.product_work(1000, columns) == work


# --- cache lines ----------------------------------------------------------------


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.integers(blocking.SMALL, 1 << 21),
    st.sampled_from(["uint8", "float16", "float32", "float64"]),
)
def test_large_arrays_begin_at_a_cache_line(size, dtype):
    count = -(-size // np.dtype(dtype).itemsize)
    first, second = blocking.empty((count,), dtype), blocking.empty((count,), dtype)
    assert address(first) % 64 == address(second) % 64 == 0
    first[...], second[...] = 1, 2
    assert (first == 1).all() and (second == 2).all()


def test_memory_that_is_used_again_begins_at_a_cache_line(pool):
    places = []
    for shape, dtype in (
        ((LARGE,), "uint8"),
        ((LARGE // 8 - 3,), "float64"),
        ((7, LARGE // 31), "float32"),
    ):
        array = blocking.empty(shape, dtype)
        places.append(address(array))
        array[...] = 0
        del array
    assert len(set(places)) == 1 and places[0] % 64 == 0


def test_every_thread_gets_memory_at_a_cache_line(pool):
    places, together = [], threading.Barrier(4, timeout=30)

    def user(number):
        together.wait()
        arrays = [blocking.empty((LARGE + 100 * k,), "uint8") for k in range(5)]
        places.extend(address(array) for array in arrays)
        return arrays

    with ThreadPoolExecutor(4) as users:
        kept = list(users.map(user, range(4)))
    assert len(kept) == 4 and len(set(places)) == 20
    assert all(place % 64 == 0 for place in places)


def at_offset(offset, values):
    """The values in memory that begins so many bytes behind a cache line."""
    memory = np.empty(values.nbytes + 128, "uint8")
    start = -address(memory) % 64 + offset
    array = memory[start : start + values.nbytes].view(values.dtype)
    array = array.reshape(values.shape)
    array[...] = values
    return array


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16"])
@pytest.mark.parametrize("shape", [(1,), (3, 5), (2, 1, 40), (), (17, 1001)])
@pytest.mark.parametrize("offset", [0, 8, 16, 32, 56])
def test_aligned(shape, dtype, offset):
    values = np.arange(float(np.prod(shape))).reshape(shape).astype(dtype)
    x = at_offset(offset, values)
    assert address(x) % 64 == offset
    found = blocking.aligned(x)
    assert (found is x) is (offset == 0)
    assert address(found) % 64 == 0 and found.flags.c_contiguous
    assert found.shape == shape and found.dtype == dtype
    np.testing.assert_array_equal(found, values)
    if found is not x:
        found[...] = -1
        np.testing.assert_array_equal(x, values)


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a.T,
        lambda a: a[:, ::2],
        lambda a: a[::-1],
        lambda a: a[:, :5],
        lambda a: np.broadcast_to(a[:1], a.shape),
        lambda a: a.swapaxes(0, 1)[1:],
    ],
)
def test_aligned_copies_what_is_not_one_run(view):
    values = np.arange(15 * 16.0).reshape(15, 16)
    x = view(at_offset(0, values))
    expected = x.tolist()
    found = blocking.aligned(x)
    assert address(found) % 64 == 0
    assert found.flags.c_contiguous and found.flags.writeable
    assert not np.shares_memory(found, x)
    assert found.tolist() == expected


@pytest.mark.parametrize("shape", [(0,), (3, 0, 2), (0, 4)])
def test_aligned_empty_array(shape):
    found = blocking.aligned(at_offset(8, np.empty(shape, "float32")))
    assert found.shape == shape and found.dtype == "float32"


def test_aligned_reads_only():
    x = at_offset(4, np.arange(40, dtype="float32"))
    x.setflags(write=False)
    np.testing.assert_array_equal(blocking.aligned(x), np.arange(40))


@pytest.mark.parametrize(
    "shape, to",
    [
        ((), ()),
        ((), (3,)),
        ((1,), (0,)),
        ((4,), (3, 4)),
        ((2, 1, 5), (2, 6, 5)),
        ((3, 1), (0, 3, 4)),
        ((1, 40), (30_000, 40)),
        ((20, 1, 1, 64), (20, 30, 30, 64)),
        ((1,), (1 << 20,)),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "bool"])
@pytest.mark.parametrize("threads", [1, 3])
def test_spread_is_the_broadcast_array(shape, to, dtype, threads, monkeypatch):
    monkeypatch.setattr(blocking, "PIECE", 1 << 10)
    cuts = []
    slices = blocking.slices
    monkeypatch.setattr(
        blocking, "slices", lambda *how: cuts.append(slices(*how)) or cuts[-1]
    )
    x = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    config.set_threads(threads)
    try:
        found = blocking.spread(x, to)
    finally:
        config.set_threads(None)
    assert found.dtype == dtype and found.flags.writeable
    np.testing.assert_array_equal(found, np.broadcast_to(x, to))
    found[...] = 0
    assert not np.shares_memory(found, x)
    assert [len(cut) > 1 for cut in cuts] == [True] * (found.size > 1 << 13)


def test_what_keeps_memory_may_be_walked_through_while_threads_add_to_it():
    class Keeper:
        pass

    keepers, kept = blocking.Keepers(), [Keeper() for _ in range(3)]
    for keeper in kept:
        keepers.add(keeper)
    for _ in keepers:  # as if another thread came meanwhile
        kept.append(Keeper())
        keepers.add(kept[-1])
    assert set(keepers) == set(kept) and len(kept) == 6
    del keeper, kept[3:]
    gc.collect()
    assert set(keepers) == set(kept)
