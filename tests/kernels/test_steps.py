"""Lists of calls, and when they are made."""

import numpy as np
import pytest

from minikeras import config
from minikeras.kernels import steps


@pytest.mark.parametrize("count", [0, 1, steps.FEW, steps.FEW + 1, 40])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_few_tasks_are_listed_before_any_begins_many_one_by_one(count, threads):
    """As many as `FEW` may take their memory at once, but on one thread in turn."""
    events = []

    def steps_of(item):
        events.append((item, "listed"))
        one = (lambda a, b, out: events.append((item, a)), "first", None, None)
        other = (lambda a, b, out: events.append((item, b)), None, "second", None)
        return [one, other]

    config.set_threads(threads)
    try:
        steps.do_each(steps_of, range(count))
    finally:
        config.set_threads(None)
    in_turn = [
        (i, what) for i in range(count) for what in ("listed", "first", "second")
    ]
    assert sorted(events) == sorted(in_turn)
    for item in range(count):
        assert [what for i, what in events if i == item] == [
            "listed",
            "first",
            "second",
        ]
    if threads == 1:
        assert events == in_turn
    elif count <= steps.FEW:
        assert events[:count] == [(i, "listed") for i in range(count)]
    else:  # no thread lists a task before it has done the last one
        ahead = [
            sum(what == "listed" for _, what in events[:end])
            - sum(what == "second" for _, what in events[:end])
            for end in range(len(events))
        ]
        assert max(ahead) <= threads


def test_steps_that_copy_and_put():
    x, y = np.arange(6.0).reshape(2, 3), np.zeros((3, 2))
    steps.do([steps.copy(x.T, y), steps.put(x, x > 3, -1.0)])
    assert y.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert x.tolist() == [[0, 1, 2], [3, -1, -1]]
    steps.do([steps.put(y, None, 7.0)])
    assert (y == 7).all()


@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_what_lies_in_one_run_is_not_copied(dtype):
    x = np.arange(24).reshape(2, 3, 4).astype(dtype)
    nothing, same = steps.in_one_run(x)
    assert nothing == [] and same is x
    for view in (x.swapaxes(0, 2), x[:, ::2], np.broadcast_to(x[:, :1], x.shape)):
        to_do, run = steps.in_one_run(view)
        steps.do(to_do)
        assert run.flags.c_contiguous and run.dtype == dtype
        np.testing.assert_array_equal(run, view)
