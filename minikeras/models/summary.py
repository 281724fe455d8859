"""What `model.summary()` prints: layers, output shapes, numbers of parameters."""

import re
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from minikeras.models.summary_tables import (
    ASCII_LINES,
    Row,
    box_table,
    classic_table,
    wrap,
)
from minikeras.validation import choice

HEADER = ("Layer (type)", "Output Shape", "Param #")
CLASSIC_LENGTH, CLASSIC_POSITIONS = 65, (0.45, 0.85, 1.0)
BOX_LENGTH, BOX_POSITIONS = 88, (0.45, 0.8, 1.0)
TRAINABLE_LENGTH = {"classic": 11, "keras3": 12}


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
    style: str = "classic",
) -> None:
    """Print a table of a model's layers and its numbers of parameters.

    The classic table becomes as wide as its longest cells need. If `line_length` or
    `positions` is given it keeps that width, and long cells continue on the next line.
    The box of Keras 3 has a given width; its cells continue on the next line too, and
    a single word that is longer than its column ends in `…`.

    Args:
        model: the model; it need not be built.
        line_length: characters in a line. The default is 65 in the classic style (76
            with `show_trainable`); in the style of Keras 3 it is 88 (100), or the
            width of the terminal less 4 if that is smaller.
        positions: where the columns for name, output shape and parameters end: either
            fractions of the line, the last at most 1, or numbers of characters. The
            column of `show_trainable` comes on top.
        print_fn: called with the text instead of printing it: in the classic style
            once a line, in the style of Keras 3 once with everything.
        expand_nested: whether to list the layers inside nested models too.
        show_trainable: whether to add a column that says which layers are trainable.
        layer_range: two regular expressions that match the beginning of the names of
            the first and the last layer to list, both included. The totals are those
            of the whole model.
        style: `"classic"`, the table of Keras 2, or `"keras3"`.

    Raises:
        ValueError: if `style` is unknown, `layer_range` is malformed or fits no layer,
            or a column has no room for text.

    >>> from minikeras.layers import Dense, Input
    >>> from minikeras.models import Sequential
    >>> model = Sequential([Input((4,)), Dense(3, name="hidden")], name="small")
    >>> print_summary(model)  # doctest: +NORMALIZE_WHITESPACE
    Model: "small"
    _________________________________________________________________
    Layer (type)                 Output Shape              Param #
    =================================================================
    hidden (Dense)               (None, 3)                 15
    =================================================================
    Total params: 15
    Trainable params: 15
    Non-trainable params: 0
    _________________________________________________________________
    """
    choice(style, ("classic", "keras3"), "style", "summary")
    layers = _in_range(model.layers, layer_range)
    rows = list(_rows(layers, style, expand_nested, show_trainable))
    if style == "classic":
        lines = _classic(model, rows, line_length, positions, show_trainable)
    else:
        lines = _keras3(model, rows, line_length, positions, show_trainable)
    if print_fn is None:
        _write("\n".join(lines))
    elif style == "classic":
        for line in lines:
            print_fn(line)
    else:
        print_fn("\n".join([*lines, ""]))


def _classic(
    model: Any,
    rows: list[Row],
    line_length: int | None,
    positions: Sequence[float] | None,
    show_trainable: bool,
) -> list[str]:
    given = bool(line_length or positions)
    extra = TRAINABLE_LENGTH["classic"] * show_trainable
    length = line_length - extra if line_length else CLASSIC_LENGTH
    ends = _ends(positions or CLASSIC_POSITIONS, length)
    if line_length:
        ends[-1] = max(ends[-1], length)
    if show_trainable:
        ends.append(ends[-1] + extra)
    table = classic_table(_header(show_trainable), rows, _widths(ends), not given)
    trainable, rest = _size(model.trainable_weights), _size(model.non_trainable_weights)
    return [
        f'Model: "{_printable(model.name)}"',
        *table,
        f"Total params: {trainable + rest:,}",
        f"Trainable params: {trainable:,}",
        f"Non-trainable params: {rest:,}",
        table[0],
    ]


def _keras3(
    model: Any,
    rows: list[Row],
    line_length: int | None,
    positions: Sequence[float] | None,
    show_trainable: bool,
) -> list[str]:
    terminal = shutil.get_terminal_size().columns
    length = BOX_LENGTH + TRAINABLE_LENGTH["keras3"] * show_trainable
    length = line_length or min(length, terminal - 4)
    ends = _ends(positions or BOX_POSITIONS, length, 0.9 if show_trainable else 1.0)
    if show_trainable:
        ends.append(length)
    aligns = ("left", "left", "right", "center")[: len(ends)]
    table = box_table(_header(show_trainable), rows, _widths(ends), aligns, length)
    parts = {
        "Trainable": model.trainable_weights,
        "Non-trainable": model.non_trainable_weights,
    }
    optimizer = getattr(model, "optimizer", None)
    if getattr(model, "compiled", False) and optimizer and optimizer.built:
        parts["Optimizer"] = optimizer.variables
    parts = {"Total": [w for part in parts.values() for w in part], **parts}
    totals = [
        f" {name} params: {_size(weights):,} ({_memory(weights)})"
        for name, weights in parts.items()
    ]
    lines = wrap(f'Model: "{_printable(model.name)}"', terminal) + table
    for total in totals:
        lines += wrap(total, terminal)
    return lines


def _header(show_trainable: bool) -> tuple[str, ...]:
    return (*HEADER, "Trainable") if show_trainable else HEADER


def _rows(
    layers: Iterable[Any],
    style: str,
    expand_nested: bool,
    show_trainable: bool,
    depth: int = 0,
) -> Iterable[Row]:
    for layer in layers:
        cells = [
            f"{_printable(layer.name)} ({type(layer).__name__})",
            _shape(layer, style),
            _count(layer, style),
        ]
        if show_trainable:
            # Keras 3 has a dash for layers without weights, Keras 2 has not.
            silent = style == "keras3" and not layer.weights
            cells.append("-" if silent else "Y" if layer.trainable else "N")
        yield Row(cells, depth)
        if expand_nested:
            inner = getattr(layer, "layers", None) or ()
            yield from _rows(inner, style, True, show_trainable, depth + 1)


def _printable(name: str) -> str:
    """`name` with line breaks and control characters spelled out."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in name
    )


def _shape(layer: Any, style: str) -> str:
    shape = getattr(layer, "output_shape", None)
    if shape is None:
        return "?"
    if style == "classic":
        return str(shape)
    while len(shape) == 1 and isinstance(shape[0], list | tuple):
        shape = shape[0]
    return _keras3_shape(shape)


def _keras3_shape(shape: Any) -> str:
    """As Keras 3 writes shapes: without the comma of a tuple of one."""
    if not isinstance(shape, list | tuple):
        return str(shape)
    text = ", ".join(map(_keras3_shape, shape))
    return f"[{text}]" if isinstance(shape, list) else f"({text})"


def _count(layer: Any, style: str) -> str:
    if not layer.built:
        return "0 (unbuilt)"
    count = layer.count_params()
    return str(count) if style == "classic" else f"{count:,}"


def _size(weights: Iterable[Any]) -> int:
    return sum(int(weight.size) for weight in weights)


def _memory(weights: Iterable[Any]) -> str:
    """Memory that the weights take, in the largest unit that leaves it above 1."""
    count = float(sum(w.size * np.dtype(w.dtype).itemsize for w in weights))
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if count < 1024:
            return f"{count:.2f} {unit}"
        count /= 1024
    return f"{count:.2f} PB"


def _ends(
    positions: Sequence[float], line_length: int, scale: float = 1.0
) -> list[int]:
    """Where columns end, in characters."""
    rising = all(a < b for a, b in zip(positions, positions[1:], strict=False))
    if len(positions) != len(HEADER) or not rising or positions[0] <= 0:
        raise ValueError(
            f"summary: `positions` must be {len(HEADER)} rising positive numbers, one "
            f"for each of {HEADER}. Received: positions={positions!r}"
        )
    unit = line_length if positions[-1] <= 1 else 1
    return [int(position * scale * unit) for position in positions]


def _widths(ends: Sequence[int]) -> list[int]:
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def _in_range(layers: Sequence[Any], layer_range: Sequence[str] | None) -> list[Any]:
    """The layers from the first to the last that `layer_range` names."""
    if layer_range is None:
        return list(layers)
    if (
        not isinstance(layer_range, list | tuple)
        or len(layer_range) != 2
        or not all(isinstance(pattern, str) for pattern in layer_range)
    ):
        raise ValueError(
            "summary: `layer_range` must be a list or tuple of two strings. "
            f"Received: layer_range={layer_range!r}"
        )
    first, last = (_matches(layers, pattern) for pattern in layer_range)
    if not first or not last:
        names = [layer.name for layer in layers]
        raise ValueError(
            "summary: both parts of `layer_range` must match the name of a layer, one "
            f"of {names}. Received: layer_range={layer_range!r}"
        )
    if first[0] > last[-1]:
        first, last = last, first
    return list(layers[first[0] : last[-1] + 1])


def _matches(layers: Sequence[Any], pattern: str) -> list[int]:
    try:
        return [i for i, layer in enumerate(layers) if re.match(pattern, layer.name)]
    except re.error as error:
        raise ValueError(
            "summary: `layer_range` must consist of names or regular expressions. "
            f"Received {pattern!r}: {error}"
        ) from error


def _write(text: str) -> None:
    """Print `text`, with plainer characters where the output cannot show them."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        plain = text.translate(ASCII_LINES)
        text = plain.encode(encoding, "backslashreplace").decode(encoding)
    print(text)
