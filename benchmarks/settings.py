"""Other settings for the length of one call."""

from collections.abc import Callable
from typing import Any

from minikeras import config
from minikeras.kernels import blocking


def run_with(
    run: Callable[[], Any], threads: int | None = None, size: int | None = None
) -> None:
    """Call `run` on a number of threads, with slices of a number of bytes."""
    names = "SLICE_BYTES", "MIN_SLICES", "LONG_SLICE_WORK"
    before = {name: getattr(blocking, name) for name in names}
    config.set_threads(threads)
    if size is not None:
        vars(blocking).update(SLICE_BYTES=size, MIN_SLICES=1, LONG_SLICE_WORK=1 << 62)
    try:
        run()
    finally:
        vars(blocking).update(before)
        config.set_threads(None)


def replaced(module: Any, name: str, value: Any, run: Callable[[], Any]) -> Any:
    """A function that calls `run` while the module has another value of that name."""

    def other() -> None:
        before = getattr(module, name)
        setattr(module, name, value)
        try:
            run()
        finally:
            setattr(module, name, before)

    return other
