"""Two or more ways to do the same, timed in turns, as ratios."""

import os
import time
from collections.abc import Callable, Mapping

ROUNDS = 7
SECONDS = 0.15  # per way and round


def alternate(ways: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """Best seconds a call of each way; the ways take turns, so that a busy moment of
    the machine does not fall on one of them."""
    best = dict.fromkeys(ways, float("inf"))
    for run in ways.values():
        run()
    for _ in range(ROUNDS):
        for name, run in ways.items():
            end = time.perf_counter() + SECONDS
            while time.perf_counter() < end:
                start = time.perf_counter()
                run()
                best[name] = min(best[name], time.perf_counter() - start)
    return best


def report(title: str, ways: Mapping[str, Callable[[], object]]) -> None:
    """Print the ways' times; ratios are to the first one."""
    best = alternate(ways)
    first = next(iter(best.values()))
    print(title)
    for name, seconds in best.items():
        print(f"  {name:34} {1e3 * seconds:9.3f} ms  {first / seconds:5.2f} x")


def kept_byte_code() -> dict[str, str]:
    """The environment for a new Python that keeps byte code, as installed packages
    have theirs."""
    unset = "PYTHONDONTWRITEBYTECODE"
    return {key: value for key, value in os.environ.items() if key != unset}
