"""What holds while kernels run: BLAS on one thread, NumPy without warnings."""

import threading
from typing import Any

import numpy as np


class BlasHold:
    """Holds BLAS to one thread while any parallel region of ours is running.

    Regions may nest and may be entered from several threads at once; the first one in
    saves the thread counts and the last one out restores them. Inside of `session`
    they stay as they are until its end, so that a step with many regions sets them
    once, and one that is too small for a region never.
    """

    def __init__(self) -> None:
        self.session = _Session(self)
        self.forget()

    def forget(self) -> None:
        """Begin anew, as if no region were running."""
        self._lock = threading.Lock()
        self._inside = 0
        self._sessions = 0
        self._held = False
        self._libraries: list[Any] | None = None
        self._before: list[int] = []

    @property
    def libraries(self) -> list[Any]:
        """The BLAS libraries that are loaded, as threadpoolctl knows them."""
        if self._libraries is None:
            import threadpoolctl

            controller = threadpoolctl.ThreadpoolController()
            self._libraries = controller.select(user_api="blas").lib_controllers
        return self._libraries

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if not self._held:
                self._before = [lib.get_num_threads() for lib in self.libraries]
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

_local = threading.local()


class _Quiet:
    """A `with` block without warnings of NumPy: an infinity is the caller's to report.

    Inside of another such block it is hardly more than a look, where `np.errstate`
    takes as long as a small product (benchmarks/kernels.py, "quiet").
    """

    def __enter__(self) -> None:
        depth = getattr(_local, "quiet", 0)
        if depth == 0:
            _local.errors = np.errstate(all="ignore")
            _local.errors.__enter__()
        _local.quiet = depth + 1

    def __exit__(self, *exception: object) -> None:
        _local.quiet -= 1
        if _local.quiet == 0:
            _local.errors.__exit__(*exception)


quiet = _Quiet()
