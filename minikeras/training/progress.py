"""What `fit`, `evaluate` and `predict` show while they work.

A bar on a terminal and in a notebook, by tqdm; one finished line per epoch anywhere
else, so that log files stay readable.
"""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from math import inf
from time import perf_counter
from typing import Any

INTERVAL = 0.1  # seconds between two drawings of a bar
BAR = 20  # columns; 5 when there is no room
_clock = perf_counter

Logs = Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None


class Progress:
    """The display of one call of `fit`, `evaluate` or `predict`.

    `begin_epoch`, `update` after each batch, `end_epoch`; `close` in any case.

    Args:
        verbose: 0 for silence, 1 or `"auto"` for a bar, 2 for one line per epoch.
        epochs: how many epochs there will be; with one, no "Epoch 1/1" is shown.
        stage: `"fit"`, `"evaluate"` or `"predict"`.

    Raises:
        ValueError: `verbose` is none of these.

    >>> show = Progress(verbose=0, epochs=2)
    >>> show.begin_epoch(0, steps=10)
    >>> show.update(0, {"loss": 0.5})
    >>> show.end_epoch({"loss": 0.4})
    >>> show.close()
    """

    def __init__(
        self, verbose: Any = "auto", epochs: int = 1, stage: str = "fit"
    ) -> None:
        self.verbose = _verbosity(verbose, stage)
        self.epochs = epochs if stage == "fit" else 1
        self._display: Any = None
        self._first = True
        self._begin(0, None)

    def _begin(self, epoch: int, steps: int | None) -> None:
        self._epoch = epoch
        self._steps = steps
        self._done = 0  # steps
        # Batches before this one are not looked at until `_due`.
        self._last = -1 if steps is None else steps - 1
        self._due = inf
        self._start = _clock()
        # Steps and seconds when they were last compared: before the validation.
        self._timed = (0, 0.0)

    def begin_epoch(self, epoch: int, steps: int | None) -> None:
        """Show that an epoch begins.

        Args:
            epoch: its index, counted from 0.
            steps: batches in it, or None when that is not known.
        """
        self.close()
        self._begin(epoch, steps)
        display = _kind_of_display(sys.stdout) if self.verbose == 1 else None
        if display is not None:
            if self._first and display is _TerminalDisplay and _below_a_bar():
                print()
            self._first = False
            if self.epochs > 1:
                print(f"Epoch {epoch + 1}/{self.epochs}", flush=True)
            # Known here before it puts itself in the place of `sys.stdout`: from then
            # on `close` takes it away again, whenever Ctrl-C comes.
            self._display = display(steps)
            self._display.open()
            self._due = self._start + INTERVAL

    def update(self, step: int, logs: Logs = None) -> None:
        """Count a batch, and draw if it is time to.

        Args:
            step: index of the batch that has ended, counted from 0.
            logs: names and values to show, or a function that returns them: it is
                called only when they are drawn.
        """
        self._done = step + 1
        if step < self._last and _clock() < self._due:
            return
        now = _clock()
        self._timed = (self._done, now - self._start)
        if self._display is not None and (now >= self._due or step == self._last):
            self._display.draw(self._done, _text(logs))
            self._due = _clock() + INTERVAL

    def end_epoch(self, logs: Logs = None) -> None:
        """Show the results of an epoch and the time it took.

        Args:
            logs: names and values, or a function that returns them.
        """
        if self.verbose == 0:
            return
        metrics = _text(logs)
        elapsed = _clock() - self._start
        steps, seconds = self._timed if self._timed[0] else (self._done, elapsed)
        times = list(filter(None, (_duration(elapsed), _pace(seconds, steps))))
        if self._display is not None:
            self._display.finish(self._done, ", ".join(times), metrics)
            self._display = None
        else:
            count = f"{self._done}/{self._steps or self._done}"
            if self.epochs > 1:
                count = f"Epoch {self._epoch + 1}/{self.epochs}"
            print(" - ".join(filter(None, (count, *times, metrics))), flush=True)

    def close(self) -> None:
        """Leave a bar that has not ended as it is, with the cursor on a new line."""
        if self._display is not None:
            if self._display.bar is not None:
                self._display.bar.n = self._done
                self._display.close()
            self._display = None


def _verbosity(verbose: Any, stage: str) -> int:
    if isinstance(verbose, str):
        level = 1 if verbose == "auto" else None
    else:
        level = next((known for known in (0, 1, 2) if verbose == known), None)
    if level is None:
        raise ValueError(
            f"{stage}: `verbose` must be 'auto', 0 (silent), 1 (a progress bar) or "
            f"2 (a line per epoch). Received: verbose={verbose!r}"
        )
    return level


def _text(logs: Logs) -> str:
    """`loss: 0.3312 - accuracy: 0.9012`."""
    values = logs() if callable(logs) else logs
    return " - ".join(f"{name}: {_number(v)}" for name, v in (values or {}).items())


def _number(value: Any) -> str:
    """Four decimals, or powers of ten where these say too little or too much.

    >>> _number(0.25), _number(0), _number(3.2e-5), _number(float("nan"))
    ('0.2500', '0.0000', '3.2000e-05', 'nan')
    """
    try:
        value = float(value)
    except (TypeError, ValueError):
        return str(value)
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e6 else f"{value:.4e}"


def _duration(seconds: float) -> str:
    """
    >>> _duration(0.004), _duration(0.82), _duration(75), _duration(3725)
    ('4ms', '0.8s', '1m15s', '1h02m05s')
    """
    if seconds < 0.0995:
        return f"{1000 * seconds:.0f}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m{rest:02}s" if hours else f"{minutes}m{rest:02}s"


def _pace(seconds: float, steps: int) -> str:
    """
    >>> _pace(0.8, 200), _pace(3.0, 2), _pace(0.001, 4), _pace(1.0, 0)
    ('4ms/step', '1.5s/step', '250us/step', '')
    """
    if steps == 0:
        return ""
    each = seconds / steps
    if each >= 0.9995:
        return f"{each:.1f}s/step"
    if each >= 0.9995e-3:
        return f"{1e3 * each:.0f}ms/step"
    return f"{1e6 * each:.0f}us/step"


def _kind_of_display(stream: Any) -> Any:
    """The bar that `stream` can show, or None where only whole lines make sense."""
    while isinstance(stream, _AboveTheBar):
        stream = stream.stream
    if type(stream).__module__.startswith("ipykernel."):
        has_widgets = find_spec("ipywidgets") and find_spec("IPython")
        return _NotebookDisplay if has_widgets else _TerminalDisplay
    return _TerminalDisplay if _is_terminal(stream) else None


def _is_terminal(stream: Any) -> bool:
    try:
        return stream.isatty() and os.environ.get("TERM") != "dumb"
    except (AttributeError, ValueError):  # None, no file at all, or a closed one
        return False


def _below_a_bar() -> bool:
    """Whether the cursor is likely behind a bar that the user's program shows."""
    if "tqdm" not in sys.modules:
        return False
    from tqdm.std import tqdm

    return any(hasattr(bar, "sp") for bar in getattr(tqdm, "_instances", ()))


@cache
def _bar_class(base: Any) -> Any:
    """tqdm without its shared state: no monitor thread, no locks across processes."""
    from threading import RLock
    from weakref import WeakSet

    class Bar(base):
        monitor_interval = 0
        _lock = RLock()
        _instances: Any = WeakSet()

        def __init__(self, layout: Callable[[Any], str], **kwargs: Any) -> None:
            self.layout = layout  # before tqdm's own __init__, which draws
            super().__init__(mininterval=0, miniters=0, **kwargs)

        def refresh(self, *_: Any, **__: Any) -> bool:
            # tqdm's takes the lock and keeps it if Ctrl-C arrives while it draws.
            return not self.disable and bool(self.display())

        def __del__(self) -> None:
            """tqdm's closes it, which fails where Ctrl-C left it half made."""

        def __str__(self) -> str:
            return self.layout(self)

    return Bar


class _TerminalDisplay:
    """One bar on the last line of a terminal; what others print goes above it."""

    def __init__(self, steps: int | None) -> None:
        self.steps = steps
        self.metrics = ""
        self.final = ""  # the times to show when the epoch has ended
        self.in_a_line = False  # someone printed text without its end of line
        self.bar: Any = None
        self.out = _AboveTheBar(sys.stdout, self)
        self.err = _AboveTheBar(sys.stderr, self)

    def open(self) -> None:
        from tqdm.std import tqdm

        self.bar = _bar_class(tqdm)(
            self._layout,
            total=self.steps,
            file=sys.stdout,
            position=0,
            leave=True,
            nrows=24,  # some pseudo-terminals say 0, where tqdm shows nothing
        )
        sys.stdout = self.out
        if _is_terminal(self.out) and _is_terminal(self.err):
            sys.stderr = self.err

    def draw(self, done: int, metrics: str) -> None:
        self.metrics = metrics
        if self.in_a_line:
            self.bar.n = done
        else:
            self.bar.update(done - self.bar.n)

    def finish(self, done: int, times: str, metrics: str) -> None:
        self.hide()  # the final text may be shorter
        self.final = times
        self.metrics = metrics
        self.bar.n = done
        if self.bar.total is None:
            self.bar.total = done
        self.close()

    def close(self) -> None:
        if self.in_a_line:
            self.in_a_line = False
            self.out.stream.write("\n")
        self.out.display = self.err.display = None
        # What someone else has put there since stays.
        while isinstance(sys.stdout, _AboveTheBar) and sys.stdout.display is None:
            sys.stdout = sys.stdout.stream
        while isinstance(sys.stderr, _AboveTheBar) and sys.stderr.display is None:
            sys.stderr = sys.stderr.stream
        self.bar.close()

    def hide(self) -> None:
        if not self.in_a_line and not self.bar.disable:
            self.bar.clear(nolock=True)
            self.bar.fp.flush()

    def _layout(self, bar: Any) -> str:
        from shutil import get_terminal_size

        # The last column stays empty: some terminals wrap as soon as it is filled.
        return _fit(bar, self.metrics, self.final, get_terminal_size().columns - 1)


class _AboveTheBar:
    """`sys.stdout` or `sys.stderr` while a bar is drawn."""

    def __init__(self, stream: Any, display: _TerminalDisplay) -> None:
        self.stream = stream
        self.display: _TerminalDisplay | None = display

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        if self.display is None or not text:
            return self.stream.write(text)
        self.display.hide()
        count = self.stream.write(text)
        self.display.in_a_line = not text.endswith("\n")
        if not self.display.in_a_line:
            self.display.bar.refresh()
        return count

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)


class _NotebookDisplay:
    """A widget; when the epoch has ended, text, which saved notebooks show, too."""

    def __init__(self, steps: int | None) -> None:
        self.steps = steps
        self.metrics = ""
        self.final = ""
        self.bar: Any = None
        self.handle: Any = None

    def open(self) -> None:
        from importlib import import_module

        from tqdm.notebook import tqdm

        layout = _layouts(self.steps)[0]
        self.bar = _bar_class(tqdm)(
            self._layout, total=self.steps, display=False, bar_format=layout
        )
        show = import_module("IPython.display").display
        if not self.bar.disable:
            self.handle = show(self.bar.container, display_id=True)

    def draw(self, done: int, metrics: str) -> None:
        self.metrics = metrics
        self.bar.bar_format = _with(_layouts(self.bar.total)[0], metrics)
        self.bar.update(done - self.bar.n)

    def finish(self, done: int, times: str, metrics: str) -> None:
        self.final = times
        self.metrics = metrics
        self.bar.n = done
        if self.bar.total is None:
            self.bar.total = done
        self.close()

    def close(self) -> None:
        if self.handle is not None:
            self.handle.update(_Text(str(self.bar)))
            self.bar.close()
            for widget in (*self.bar.container.children, self.bar.container):
                for part in (getattr(widget, "style", None), widget.layout, widget):
                    if part is not None:
                        part.close()  # saved notebooks carry what is left open

    def _layout(self, bar: Any) -> str:
        return _fit(bar, self.metrics, self.final, inf)


class _Text:
    """Shown in a notebook without quotes."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _layouts(total: int | None) -> tuple[str, ...]:
    """What a bar shows, the richest first."""
    if not total:
        return "{n_fmt}it [{elapsed}, {rate_fmt}]", "{n_fmt}it [{elapsed}]", "{n_fmt}it"
    count = "{n_fmt}/{total_fmt}"
    return (
        "{percentage:3.0f}%|{bar}| " + count + " [{elapsed}<{remaining}, {rate_fmt}]",
        "{percentage:3.0f}%|{bar}| " + count + " [{elapsed}<{remaining}]",
        count + " [{elapsed}<{remaining}]",
        count,
    )


def _with(layout: str, metrics: str) -> str:
    """The layout with the metrics behind it, whatever their names contain."""
    return f"{layout} {metrics.replace('{', '{{').replace('}', '}}')}".rstrip()


def _fit(bar: Any, metrics: str, times: str, width: float) -> str:
    """The text of a bar: one line of `width` columns, until it shows its final times.

    The final text may take several lines: nothing is drawn over it.
    """
    from tqdm.utils import disp_len

    state = {**bar.format_dict, "ncols": None}

    def text(layout: str, metrics: str, columns: float = 0) -> str:
        layout = layout.replace("{bar}", f"{{bar:{columns:.0f}}}" if columns else "")
        return bar.format_meter(**{**state, "bar_format": _with(layout, metrics)})

    if times:
        layout = "{n_fmt}/{total_fmt} [" + times + "]"
        if bar.total:
            layout = "{percentage:3.0f}%|{bar}| " + layout
        room = width - disp_len(text(layout, metrics))
        if room >= 5:
            return text(layout, metrics, min(BAR, room))
        return _wrapped(text(layout, "", BAR // 2), metrics, width)
    for layout in _layouts(bar.total):
        room = width - disp_len(text(layout, metrics))
        if room >= 5 or (room >= 0 and "{bar}" not in layout):
            return text(layout, metrics, min(BAR, room))
    state["ncols"] = max(1, int(width))
    return text(layout, metrics)


def _wrapped(head: str, metrics: str, width: float) -> str:
    """
    >>> print(_wrapped("4/4 [1.0s]", "loss: 1.0 - mae: 2.0 - val_loss: 0.5", 32))
    4/4 [1.0s] loss: 1.0 - mae: 2.0
        val_loss: 0.5
    """
    from tqdm.utils import disp_len

    lines = [head]
    link = " "
    for part in metrics.split(" - "):
        if disp_len(lines[-1] + link + part) <= width:
            lines[-1] += link + part
        else:
            lines.append("    " + part)
        link = " - "
    return "\n".join(lines)
