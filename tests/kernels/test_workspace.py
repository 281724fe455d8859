"""Programs that are made once, and the memory they share."""

import threading

import numpy as np
import pytest

from minikeras.kernels import blocking, workspace
from minikeras.kernels.workspace import Workspace


@pytest.fixture
def alone(monkeypatch):
    """No buffers and no programs but those of the test."""
    monkeypatch.setattr(blocking, "_local", threading.local())
    monkeypatch.setattr(blocking, "keepers", blocking.Keepers())
    monkeypatch.setattr(workspace, "_local", threading.local())


def address(x):
    return x.__array_interface__["data"][0]


def test_a_program_is_made_once():
    memory, made = Workspace(), []

    def make():
        made.append(None)
        return object()

    first, other = memory.program("a", make), memory.program("b", make)
    assert memory.program("a", make) is first is not other
    assert memory.program("b", make) is other and len(made) == 2


def test_a_program_that_could_not_be_made_is_not_kept():
    def fail():
        raise MemoryError

    memory = Workspace()
    with pytest.raises(MemoryError):
        memory.program("a", fail)
    assert memory.program("a", lambda: "made") == "made"


def test_so_many_programs_and_no_more(monkeypatch):
    monkeypatch.setattr(workspace, "MOST", 3)
    memory = Workspace()
    for key in range(3):
        memory.program(key, object)
    kept = memory.program(0, object)
    assert memory.program(0, object) is kept
    memory.program(3, object)  # the fourth: all others are forgotten
    assert memory.program(0, object) is not kept


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_lie_apart_and_begin_at_a_cache_line(dtype):
    shapes = [(3, 5), (1,), (0, 4), (7, 2, 2)]
    arrays = Workspace().arrays(shapes, np.dtype(dtype))
    assert [x.shape for x in arrays] == shapes
    assert all(x.dtype == dtype and x.flags.c_contiguous for x in arrays)
    assert all(address(x) % blocking.LINE == 0 for x in arrays if x.size)
    for number, x in enumerate(arrays):
        x[...] = number
    for number, x in enumerate(arrays):
        np.testing.assert_array_equal(x, np.full(x.shape, number))


def test_programs_share_memory_until_one_needs_more():
    memory, dtype = Workspace(), np.dtype("float32")
    kept = memory.program("large", lambda: memory.arrays([(100, 100)], dtype))
    before = memory.bytes()
    assert before >= 40_000
    small = memory.program("small", lambda: memory.arrays([(5,), (6,)], dtype))
    assert np.shares_memory(kept[0], small[0]) and memory.bytes() == before
    assert memory.program("large", list) is kept
    memory.program("larger", lambda: memory.arrays([(200, 100)], dtype))
    assert memory.bytes() >= 80_000
    # Programs in the memory that was too small would keep it alive.
    assert memory.program("large", list) == []


def test_a_thread_has_a_workspace_of_its_own(alone):
    found = []
    for _ in range(2):
        found.append(workspace.workspace())
    thread = threading.Thread(target=lambda: found.append(workspace.workspace()))
    thread.start()
    thread.join()
    assert found[0] is found[1] is not found[2]


def test_memory_is_counted_and_released(alone):
    memory, dtype = workspace.workspace(), np.dtype("float64")
    kept = memory.program("a", lambda: memory.arrays([(1000,)], dtype))
    assert blocking.kept_bytes() == memory.bytes() >= 8000
    blocking.release_memory()
    assert blocking.kept_bytes() == 0
    kept[0][...] = 1.0  # one that runs keeps its memory to its end
    assert memory.program("a", list) == []
