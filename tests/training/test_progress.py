import contextlib
import functools
import io
import os
import re
import subprocess
import sys
import textwrap
import threading
import warnings

import numpy as np
import pytest

from minikeras.training import progress
from minikeras.training.progress import Progress

LOGS = {"loss": 0.3312, "accuracy": 0.9012}
VAL = {**LOGS, "val_loss": 0.342, "val_accuracy": 0.899}


class Screen:
    """What a terminal shows after some text: lines, without spaces at their ends."""

    def __init__(self, text, columns=200):
        self.rows, self.row, self.column = [[]], 0, 0
        for character in text.replace("\r\n", "\n"):
            if character == "\r":
                self.column = 0
            elif character == "\n":
                self.next_row()
            else:
                if self.column == columns:
                    self.next_row()
                line = self.rows[self.row]
                line.extend(" " * (self.column + 1 - len(line)))
                line[self.column] = character
                self.column += 1

    def next_row(self):
        self.row, self.column = self.row + 1, 0
        if self.row == len(self.rows):
            self.rows.append([])

    @property
    def lines(self):
        return ["".join(row).rstrip() for row in self.rows]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True

    @property
    def lines(self):
        return Screen(self.getvalue()).lines


class Clock:
    """Seconds that pass only when they are told to."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "_clock", clock)
    return clock


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


def shown(test):
    """Run the test with its `terminal` as stdout; pytest undoes what a fixture does."""

    @functools.wraps(test)
    def run(terminal, **fixtures):
        with contextlib.redirect_stdout(terminal):
            test(terminal=terminal, **fixtures)

    return run


def run_epochs(show, clock, epochs=1, steps=200, logs=VAL, seconds=0.8, known=True):
    for epoch in range(epochs):
        show.begin_epoch(epoch, steps if known or epoch else None)
        for step in range(steps):
            clock.now += seconds / steps
            show.update(step, LOGS)
        show.end_epoch(logs)
    show.close()


# The argument `verbose`


@pytest.mark.parametrize("verbose", ["loud", "1", 3, -1, 1.5, None, [1], {}])
@pytest.mark.parametrize("stage", ["fit", "predict"])
def test_other_verbose_is_refused(verbose, stage):
    message = re.escape(
        f"{stage}: `verbose` must be 'auto', 0 (silent), 1 (a progress bar) or 2 (a "
        f"line per epoch). Received: verbose={verbose!r}"
    )
    with pytest.raises(ValueError, match=message):
        Progress(verbose, stage=stage)


@pytest.mark.parametrize(
    ("verbose", "level"), [("auto", 1), (True, 1), (False, 0), (np.int64(2), 2)]
)
def test_verbose_in_other_words(verbose, level):
    assert Progress(verbose).verbose == level


# Without a terminal


def test_silence(capsys, clock):
    def never():
        raise AssertionError

    show = Progress(0, 2)
    show.begin_epoch(0, 2)
    show.update(0, never)
    show.update(1, never)
    show.end_epoch(never)
    show.close()
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


@pytest.mark.parametrize("verbose", [1, 2, "auto"])
@pytest.mark.parametrize("known", [True, False])
def test_one_line_per_epoch(capsys, clock, verbose, known):
    run_epochs(Progress(verbose, 5), clock, epochs=2, logs=LOGS, known=known)
    captured = capsys.readouterr()
    assert captured.out == (
        "Epoch 1/5 - 0.8s - 4ms/step - loss: 0.3312 - accuracy: 0.9012\n"
        "Epoch 2/5 - 0.8s - 4ms/step - loss: 0.3312 - accuracy: 0.9012\n"
    )
    assert captured.err == ""


def test_time_of_the_epoch_includes_validation_but_that_of_a_step_does_not(
    capsys, clock
):
    for steps in (4, None):
        show = Progress(2, 3)
        show.begin_epoch(1, steps)
        for step in range(4):
            clock.now += 0.5
            show.update(step, LOGS)
        clock.now += 8
        show.end_epoch(dict)
        assert capsys.readouterr().out == "Epoch 2/3 - 10.0s - 500ms/step\n"


@pytest.mark.parametrize("stage", ["fit", "evaluate", "predict"])
def test_a_single_epoch_shows_its_steps(capsys, clock, stage):
    run_epochs(Progress(2, 1, stage), clock, logs={"loss": 0.5})
    assert capsys.readouterr().out == "200/200 - 0.8s - 4ms/step - loss: 0.5000\n"


def test_no_metrics(capsys, clock):
    run_epochs(Progress(2, 1, "predict"), clock, logs=None)
    assert capsys.readouterr().out == "200/200 - 0.8s - 4ms/step\n"


def test_an_epoch_that_stopped_early(capsys, clock):
    show = Progress(2)
    show.begin_epoch(0, 200)
    clock.now += 1
    show.update(1, LOGS)
    show.end_epoch(LOGS)
    out = capsys.readouterr().out
    assert out == "2/200 - 1.0s - 500ms/step - loss: 0.3312 - accuracy: 0.9012\n"


def test_an_epoch_without_batches(capsys, clock):
    show = Progress(1)
    show.begin_epoch(0, None)
    show.end_epoch({})
    assert capsys.readouterr().out == "0/0 - 0ms\n"


def test_an_epoch_that_did_not_end_leaves_no_line(capsys, clock):
    show = Progress(1, 2)
    show.begin_epoch(0, 10)
    show.update(0, LOGS)
    show.close()
    show.close()
    assert capsys.readouterr().out == ""


def test_stdout_is_looked_up_when_it_is_written(capsys, clock):
    show = Progress(1, 5)
    for kept in (io.StringIO(), io.StringIO()):
        with contextlib.redirect_stdout(kept):
            run_epochs(show, clock)
        assert kept.getvalue().startswith("Epoch 1/5 - 0.8s - 4ms/step - loss: 0.33")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("stream", [None, object()])
def test_no_stdout_at_all(monkeypatch, clock, stream):
    if stream is not None:
        stream = io.TextIOWrapper(io.BytesIO())  # no isatty() once it is closed
        stream.close()
    monkeypatch.setattr(sys, "stdout", stream)
    show = Progress(1, 5)
    show.begin_epoch(0, 3)
    show.update(2, LOGS)
    if stream is None:
        show.end_epoch(LOGS)
    show.close()


@shown
def test_a_dumb_terminal_gets_lines(terminal, clock, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    run_epochs(Progress(1, 2), clock)
    assert "\r" not in terminal.getvalue()
    assert terminal.getvalue().count("\n") == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.33123, "0.3312"),
        (np.float32(12.5), "12.5000"),
        (0, "0.0000"),
        (-2.0, "-2.0000"),
        (3.21e-5, "3.2100e-05"),
        (1.5e30, "1.5000e+30"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        (np.array([1, 2]), "[1 2]"),
        ("text", "text"),
    ],
)
def test_numbers(capsys, clock, value, text):
    run_epochs(Progress(2), clock, logs={"x": value})
    assert capsys.readouterr().out.endswith(f" - x: {text}\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.02, "20ms - 10ms/step"),
        (0.0004, "0ms - 200us/step"),
        (3, "3.0s - 1.5s/step"),
        (59.97, "1m00s - 30.0s/step"),
        (3725, "1h02m05s - 1862.5s/step"),
    ],
)
def test_times(capsys, clock, seconds, text):
    run_epochs(Progress(2), clock, steps=2, logs=None, seconds=seconds)
    assert capsys.readouterr().out == f"2/2 - {text}\n"


# On a terminal


@shown
def test_bar_while_it_works(terminal, clock):
    show = Progress("auto", 5)
    show.begin_epoch(0, 4)
    assert terminal.lines == [
        "Epoch 1/5",
        "  0%|                    | 0/4 [00:00<?, ?it/s]",
    ]
    clock.now += 1
    show.update(1, LOGS)
    epoch, bar = terminal.lines
    assert epoch == "Epoch 1/5"
    assert re.fullmatch(
        r" 50%\|█{10} {10}\| 2/4 \[00:00<00:00, *\d+\.\d\dit/s\] "
        r"loss: 0\.3312 - accuracy: 0\.9012",
        bar,
    )
    show.close()
    assert terminal.lines[0] == epoch
    assert terminal.lines[1].startswith(" 50%|██████████          | 2/4 [")
    assert terminal.lines[2:] == [""]


@shown
def test_one_bar_per_epoch_stays_with_its_results(terminal, clock):
    run_epochs(Progress(1, 2), clock, epochs=2, logs=VAL)
    bar = (
        "100%|████████████████████| 200/200 [0.8s, 4ms/step] loss: 0.3312 - "
        "accuracy: 0.9012 - val_loss: 0.3420 - val_accuracy: 0.8990"
    )
    assert terminal.lines == ["Epoch 1/2", bar, "Epoch 2/2", bar, ""]
    assert sys.stdout is terminal


@pytest.mark.parametrize("stage", ["evaluate", "predict"])
@shown
def test_other_stages_show_only_a_bar(terminal, clock, stage):
    run_epochs(Progress(1, 1, stage), clock, logs=None)
    assert terminal.lines == ["100%|████████████████████| 200/200 [0.8s, 4ms/step]", ""]


@shown
def test_unknown_number_of_steps(terminal, clock):
    show = Progress(1, 2)
    show.begin_epoch(0, None)
    clock.now += 1
    show.update(6, LOGS)
    assert re.fullmatch(
        r"7it \[00:00, *\d+\.\d\dit/s\] loss: 0\.3312 - accuracy: 0\.9012",
        terminal.lines[-1],
    )
    show.end_epoch(LOGS)
    assert terminal.lines[1].startswith("100%|████████████████████| 7/7 [1.0s, 143ms/")


@shown
def test_drawn_ten_times_a_second_and_at_the_last_batch(terminal, clock):
    made = []

    def logs():
        made.append(clock.now)
        return LOGS

    show = Progress(1)
    show.begin_epoch(0, 1000)
    for step in range(999):
        clock.now += 0.001
        show.update(step, logs)
    assert 8 <= len(made) <= 9
    assert min(np.diff(made)) >= 0.0999
    show.update(999, logs)
    assert len(made) <= 10
    assert terminal.lines[-1].startswith("100%|████████████████████| 1000/1000 [00:0")
    show.close()


@shown
def test_what_others_print_goes_above_the_bar(terminal, clock):
    show = Progress(1, 2)
    show.begin_epoch(0, 4)
    clock.now += 1
    show.update(0, VAL)
    print("hello")
    sys.stdout.writelines(["two\n", "three\n"])
    print("", end="")
    assert terminal.lines[:4] == ["Epoch 1/2", "hello", "two", "three"]
    assert terminal.lines[4].startswith(" 25%|█████ ")
    assert len(terminal.lines) == 5
    show.end_epoch(LOGS)
    print("after")
    assert terminal.lines[:4] == ["Epoch 1/2", "hello", "two", "three"]
    assert terminal.lines[4].startswith("100%|") or terminal.lines[4].startswith(
        " 25%|"
    )
    assert terminal.lines[5:] == ["after", ""]


@shown
def test_the_bar_waits_for_the_end_of_a_line(terminal, clock):
    show = Progress(1)
    show.begin_epoch(0, 4)
    for step in range(3):
        clock.now += 1
        show.update(step, LOGS)
        print(".", end="")
    assert terminal.lines == ["..."]
    show.end_epoch(LOGS)
    assert terminal.lines[0] == "..."
    assert terminal.lines[1].startswith(" 75%|███████████████     | 3/4 [3.0s, 1.0s/st")
    assert terminal.lines[2:] == [""]


@shown
def test_warnings_go_above_the_bar(terminal, clock, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal)
    show = Progress(1)
    show.begin_epoch(0, 4)
    print("careful", file=sys.stderr)
    assert terminal.lines == [
        "careful",
        "  0%|                    | 0/4 [00:00<?, ?it/s]",
    ]
    show.close()
    assert sys.stderr is sys.stdout is terminal


@shown
def test_stderr_in_a_file_is_left_alone(terminal, clock, monkeypatch):
    file = io.StringIO()
    monkeypatch.setattr(sys, "stderr", file)
    show = Progress(1)
    show.begin_epoch(0, 4)
    assert sys.stderr is file
    show.close()


@shown
def test_a_bar_inside_a_bar(terminal, clock):
    outer, inner = Progress(1, 2), Progress(1, 1, "evaluate")
    outer.begin_epoch(0, 4)
    outer.update(0)
    run_epochs(inner, clock, logs={"loss": 0.5})
    assert terminal.lines[1] == (
        "100%|████████████████████| 200/200 [0.8s, 4ms/step] loss: 0.5000"
    )
    assert terminal.lines[2].startswith("  0%|")
    outer.end_epoch(LOGS)
    assert sys.stdout is terminal
    assert terminal.lines[2].startswith(" 25%|█████               | 1/4 [0.8s, ")
    assert terminal.lines[3:] == [""]


@shown
def test_stdout_that_someone_replaced_is_left_alone(terminal, clock):
    show = Progress(1)
    show.begin_epoch(0, 4)
    kept = io.StringIO()
    with contextlib.redirect_stdout(kept):
        show.close()
        print("kept")
        assert sys.stdout is kept
    print("shown")
    assert terminal.lines[1:] == ["shown", ""]
    run_epochs(show, clock)
    assert sys.stdout is terminal


@shown
def test_stderr_that_someone_replaced_is_left_alone(terminal, clock):
    show = Progress(1)
    with contextlib.redirect_stderr(terminal):
        show.begin_epoch(0, 4)
        with contextlib.redirect_stderr(io.StringIO()) as kept:
            show.close()
            assert sys.stderr is kept
        print("shown", file=sys.stderr)
        assert terminal.lines[1:] == ["shown", ""]
        run_epochs(show, clock)
        assert sys.stderr is terminal


@shown
def test_streams_keep_their_other_methods(terminal, clock):
    show = Progress(1)
    show.begin_epoch(0, 4)
    assert sys.stdout.isatty() and sys.stdout.encoding == "utf-8"
    show.close()


@shown
def test_below_the_bar_of_a_user(terminal, clock):
    from tqdm import tqdm

    class Quiet(tqdm):
        monitor_interval = 0

    with Quiet(total=3, file=terminal, ncols=60) as bar:
        run_epochs(Progress(1, 2), clock)
        bar.update()
        assert terminal.lines[0].startswith("  0%|")
        assert terminal.lines[1] == "Epoch 1/2"
        assert terminal.lines[2].startswith("100%|████████████████████| 200/200 [0.8s")


@shown
def test_an_error_in_an_epoch(terminal, clock):
    show = Progress(1, 2)
    with pytest.raises(KeyboardInterrupt):
        try:
            show.begin_epoch(0, 4)
            raise KeyboardInterrupt
        finally:
            show.close()
            show.close()
    assert len(terminal.lines) == 3 and terminal.lines[-1] == ""
    assert sys.stdout is terminal
    run_epochs(show, clock)
    assert terminal.lines[3].startswith("100%|")


class CtrlC:
    """Raises KeyboardInterrupt before the `moment`-th line of the watched code."""

    def __init__(self, moment, is_watched):
        self.left, self.is_watched = moment, is_watched

    def __call__(self, frame, event, argument):
        if not self.is_watched(frame.f_code):
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self


def _is_progress(code):
    return code.co_filename == progress.__file__ and code.co_name != "__del__"


def _is_tqdm(code):  # Python itself drops what is raised in `__del__`
    return f"{os.sep}tqdm{os.sep}" in code.co_filename and code.co_name != "__del__"


@pytest.mark.parametrize("is_watched, every", [(_is_progress, 1), (_is_tqdm, 17)])
@shown
def test_ctrl_c_at_any_moment(terminal, clock, is_watched, every):
    streams, tracer = (sys.stdout, sys.stderr), sys.gettrace()

    def run(moment):
        show, ctrl_c = Progress(1, 2), CtrlC(moment, is_watched)
        try:
            sys.settrace(ctrl_c)
            run_epochs(show, clock, epochs=2, steps=2, logs=LOGS)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(tracer)
            show.close()
        return -ctrl_c.left

    run(0)  # imports tqdm
    moments = run(0)
    assert moments > 300
    for moment in range(1, moments + 1, every):
        run(moment)
        assert (sys.stdout, sys.stderr) == streams, moment
    for line in Screen(terminal.getvalue()).lines:  # no bar begins behind another
        assert line.count("%|") <= 1, line


@shown
def test_metrics_that_fail_leave_the_terminal_in_order(terminal, clock):
    show = Progress(1)
    with pytest.raises(ZeroDivisionError):
        try:
            show.begin_epoch(0, 4)
            show.end_epoch(lambda: 1 / 0)
        finally:
            show.close()
    assert sys.stdout is terminal
    assert terminal.lines[1:] == [""]


@pytest.mark.parametrize("columns", [12, 24, 40, 60, 80])
@shown
def test_a_narrow_terminal_keeps_the_bar_on_one_line(
    terminal, clock, monkeypatch, columns
):
    monkeypatch.setenv("COLUMNS", str(columns))
    show = Progress(1)
    show.begin_epoch(0, 4)
    clock.now += 1
    show.update(1, LOGS)
    lines = Screen(terminal.getvalue(), columns).lines
    assert len(lines) == 1
    assert "2/4" in lines[0]
    assert ("loss: 0.3312 - accuracy: 0.9012" in lines[0]) == (columns >= 40)
    clock.now += 1
    show.update(3, LOGS)
    show.end_epoch(VAL)
    lines = Screen(terminal.getvalue(), columns).lines
    text = "".join(lines)
    assert lines[0].startswith("100%|██")
    assert text.count("100%|") == 1
    for name, value in VAL.items():
        assert f"{name}:{value:.4f}" in text.replace(" ", "")
    if columns == 80:
        assert lines[1:] == ["    val_loss: 0.3420 - val_accuracy: 0.8990", ""]


@shown
def test_a_terminal_without_unicode(terminal, clock, monkeypatch):
    monkeypatch.setattr(Terminal, "encoding", "ascii")
    run_epochs(Progress(1), clock, logs=LOGS)
    assert terminal.getvalue().isascii()
    assert terminal.lines[0].startswith("100%|####################| 200/200 [0.8s")


@shown
def test_names_with_braces(terminal, clock):
    run_epochs(Progress(1), clock, logs={"{f1}": 0.5, "{bar}": 1.0})
    assert terminal.lines[0].endswith("{f1}: 0.5000 - {bar}: 1.0000")


@shown
def test_tqdm_can_be_switched_off(terminal, clock, monkeypatch):
    monkeypatch.setenv("TQDM_DISABLE", "1")
    code = """
        import io, sys
        from minikeras.training.progress import Progress

        class Terminal(io.StringIO):
            isatty = lambda self: True

        sys.stdout = stream = Terminal()
        show = Progress(1, 2)
        for epoch in range(2):
            show.begin_epoch(epoch, 4)
            show.update(0)
            print("hello")
            show.update(3)
            show.end_epoch({"loss": 1.0})
        show.close()
        assert sys.stdout is stream
        sys.__stdout__.write(stream.getvalue())
    """
    out = run_python(code).stdout
    assert out.decode().split("\n") == ["Epoch 1/2", "hello", "Epoch 2/2", "hello", ""]


@shown
def test_leaves_no_threads_and_no_shared_state(terminal, clock):
    from tqdm import tqdm

    before = threading.active_count(), tqdm.monitor, len(tqdm._instances)
    lock = vars(tqdm).get("_lock")
    run_epochs(Progress(1, 3), clock, epochs=3)
    assert (threading.active_count(), tqdm.monitor, len(tqdm._instances)) == before
    assert vars(tqdm).get("_lock") is lock


# In a process of its own


def run_python(code):
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code)]
    return subprocess.run(command, capture_output=True, check=True, timeout=60)


FIT = """
    import sys, time
    from minikeras.training.progress import Progress

    show = Progress("auto", 2)
    try:
        for epoch in range(2):
            show.begin_epoch(epoch, 20)
            for step in range(20):
                time.sleep(0.01)
                show.update(step, lambda: {"loss": 1 / (step + 1)})
                if step == 10 and "print" in sys.argv:
                    print("hello")
                if step == 15 and "interrupt" in sys.argv:
                    raise KeyboardInterrupt
            show.end_epoch({"loss": 0.05, "val_loss": 0.1})
    except KeyboardInterrupt:
        pass
    finally:
        show.close()
    print("end")
"""


def test_import_does_not_import_tqdm():
    code = "import sys, minikeras.training.progress; print('tqdm' in sys.modules)"
    assert run_python(code).stdout.decode().strip() == "False"


def test_a_pipe_gets_finished_lines():
    result = run_python(FIT)
    assert result.stderr == b""
    assert b"\r" not in result.stdout.replace(os.linesep.encode(), b"\n")
    first, second, end = result.stdout.decode().splitlines()
    pattern = r"Epoch {}/2 - 0\.\ds - \d\dms/step - loss: 0\.0500 - val_loss: 0\.1000"
    assert re.fullmatch(pattern.format(1), first)
    assert re.fullmatch(pattern.format(2), second)
    assert end == "end"


def in_a_terminal(code, *arguments, columns=100, rows=30):
    """What `code` writes to a pseudo-terminal of its own, both streams."""
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "PYTHONIOENCODING": "utf-8"}
    environment.pop("COLUMNS", None)
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    ) as process:
        os.close(theirs)
        chunks = []
        with contextlib.suppress(OSError):  # how Linux says that nobody writes any more
            while chunk := os.read(ours, 65536):
                chunks.append(chunk)
        os.close(ours)
    assert process.returncode == 0
    return b"".join(chunks).decode()


def test_a_pseudo_terminal_shows_bars():
    text = in_a_terminal(FIT)
    lines = Screen(text, 100).lines
    bar = (
        r"100%\|█{20}\| 20/20 \[0\.\ds, \d\dms/step\] loss: 0\.0500 - val_loss: 0\.1000"
    )
    assert lines[0] == "Epoch 1/2"
    assert re.fullmatch(bar, lines[1])
    assert lines[2] == "Epoch 2/2"
    assert re.fullmatch(bar, lines[3])
    assert lines[4:] == ["end", ""]
    # While it works: steps, time left, speed and metrics.
    assert re.search(
        r"\r +\d+%\|[^|]{20}\| \d+/20 \[00:00<00:00, +\d+\.\d\dit/s\] loss: ", text
    )


def test_a_pseudo_terminal_shows_what_is_printed():
    lines = Screen(in_a_terminal(FIT, "print"), 100).lines
    assert [line.split("|")[0] for line in lines] == [
        "Epoch 1/2",
        "hello",
        "100%",
        "Epoch 2/2",
        "hello",
        "100%",
        "end",
        "",
    ]


def test_ctrl_c_on_a_pseudo_terminal_leaves_a_fresh_line():
    lines = Screen(in_a_terminal(FIT, "interrupt"), 100).lines
    assert lines[0] == "Epoch 1/2"
    assert lines[1].startswith(" 80%|████████████████    | 16/20 [00:00<00:00, ")
    assert lines[2:] == ["end", ""]


def test_a_narrow_pseudo_terminal():
    lines = Screen(in_a_terminal(FIT, columns=30), 30).lines
    epoch = [
        r"100%\|█{10}\| 20/20 \[0\.\ds,",
        r"\d\dms/step\]",
        "    loss: 0.0500",
        "    val_loss: 0.1000",
    ]
    expected = ["Epoch 1/2", *epoch, "Epoch 2/2", *epoch, "end", ""]
    assert len(lines) == len(expected)
    assert all(map(re.fullmatch, expected, lines)), lines


def test_a_pseudo_terminal_without_rows_shows_bars():
    text = in_a_terminal(FIT, rows=0)
    assert text.count("100%|") >= 2


# In a notebook


class OutStream(Terminal):
    """Like the one of a kernel: not a terminal, but it understands carriage returns."""

    __module__ = "ipykernel.iostream"

    def isatty(self):
        return False


def test_a_notebook_without_widgets_shows_a_text_bar(monkeypatch, clock):
    monkeypatch.setattr(progress, "find_spec", lambda name: None)
    monkeypatch.setenv("COLUMNS", "150")
    stream = OutStream()
    monkeypatch.setattr(sys, "stdout", stream)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_epochs(Progress(1, 2), clock, logs=LOGS)
    assert stream.lines == [
        "Epoch 1/2",
        "100%|████████████████████| 200/200 [0.8s, 4ms/step] loss: 0.3312 - "
        "accuracy: 0.9012",
        "",
    ]
    assert "\r  0%|" in stream.getvalue()


@pytest.mark.slow  # needs the extra "notebook"
@pytest.mark.filterwarnings("default")  # those of the kernel's own packages
def test_a_kernel_with_widgets_keeps_the_bar_as_text():
    import nbclient
    import nbformat

    code = """
        import time, warnings
        warnings.simplefilter("error")
        import ipywidgets
        from minikeras.training.progress import Progress
        show = Progress(1, 2)
        show.begin_epoch(0, 10)
        time.sleep(0.2)
        show.update(4, {"loss": 0.5})
        widgets = ipywidgets.widgets.widget._instances
        bars = [w for w in widgets.values() if type(w).__name__ == "FloatProgress"]
        print(bars[0].value, bars[0].max)
        show.end_epoch({"loss": 0.25})
        show.close()
        print(len(widgets))
    """
    cell = nbformat.v4.new_code_cell(textwrap.dedent(code))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(notebook, kernel_name="python3").execute()
    outputs = notebook.cells[0].outputs
    texts = "".join(out.text for out in outputs if out.output_type == "stream")
    assert texts == "Epoch 1/2\n5.0 10.0\n0\n"
    (bar,) = (out.data for out in outputs if out.output_type == "display_data")
    assert list(bar) == ["text/plain"]
    assert re.fullmatch(
        r" 50%\|█{10} {10}\| 5/10 \[0\.\ds, \d+ms/step\] loss: 0\.2500",
        bar["text/plain"],
    )
