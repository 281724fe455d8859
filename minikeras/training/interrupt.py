"""Ctrl-C in the middle of a step is answered at its end.

An exception that comes between any two instructions can leave a lock taken, a weight
boxed or an update half done, and no `finally` is safe from it either.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Shield:
    """While active, Ctrl-C waits for the end of a `with shield:` block.

    Those who cannot wait press it again: a second one is answered at once, except in a
    `with shield:` block inside the first. Outside of such blocks, and in threads other
    than the main one, where Python runs no signal handlers, nothing changes.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._waiting: tuple[int, FrameType | None] | None = None
        self._handler: Any = None
        self._installed = False

    @contextmanager
    def active(self) -> Iterator["Shield"]:
        """Take over Ctrl-C for the length of a `with` block."""
        handler = None
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            yield self
            return
        self._handler = handler
        self._installed = True
        signal.signal(signal.SIGINT, self._on_signal)
        try:
            yield self
        finally:
            self.release()

    def release(self) -> None:
        """Give Ctrl-C back. Of use where one may cut the end of `active` short."""
        if self._installed:
            signal.signal(signal.SIGINT, self._handler)
            self._installed = False

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._depth > 1 or (self._depth and self._waiting is None):
            self._waiting = (number, frame)
        else:
            self._waiting = None
            self._handler(number, frame)

    def __enter__(self) -> None:
        self._depth += 1

    def __exit__(self, *exception: object) -> None:
        self._depth -= 1
        if self._depth == 0 and self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self._handler(*waiting)
