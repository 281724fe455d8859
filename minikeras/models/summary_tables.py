"""The two tables of `summary()`: rows of text in, lines of text out.

Widths are counted in terminal cells: two for wide characters (as in Chinese), none
for combining marks.
"""

import re
from collections.abc import Iterator, Sequence
from math import ceil
from typing import NamedTuple
from unicodedata import category, east_asian_width

# For an output whose encoding has none of the characters that draw the tables.
ASCII_LINES = str.maketrans("┏━┳┓┃┡╇┩│├─┼┤└┴┘¯…", "+--+||+|||-+|+-+-.")


class Row(NamedTuple):
    """The cells of one layer, and the number of expanded models around it."""

    cells: Sequence[str]
    depth: int = 0


def cell_width(text: str) -> int:
    """How many terminal cells `text` takes.

    >>> cell_width("dense"), cell_width("全結合")
    (5, 6)
    """
    return len(text) if text.isascii() else sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if category(character) in ("Mn", "Me"):
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def wrap(text: str, width: int, fold: bool = True) -> list[str]:
    """Lines of at most `width` cells that hold `text`, but for spaces at their ends.

    Breaks before a word that would not fit. A word longer than a line starts on a new
    one, and is folded or else cut short.

    >>> wrap("dense (Dense)", 9)
    ['dense ', '(Dense)']
    >>> wrap("convolution_1", 9), wrap("convolution_1", 9, fold=False)
    (['convoluti', 'on_1'], ['convolut…'])
    """
    lines, line = [], ""
    for word in re.findall(r"\s*\S+\s*", text):
        length = cell_width(word.rstrip())
        if cell_width(line) + length <= width:
            line += word
            continue
        if line:
            lines.append(line)
        if length <= width:
            line = word
        elif fold:
            *full, line = _fold(word, width)
            lines += full
        else:
            start = _fold(word, width - 1)[0] if width > 1 else ""
            line = _pad(start, width - 1) + "…"
    return [_without_overhang(line, width) for line in [*lines, line]]


def _fold(word: str, width: int) -> list[str]:
    chunks = [""]
    for character in word:
        if cell_width(chunks[-1] + character) > width and chunks[-1]:
            chunks.append("")
        chunks[-1] += character
    return chunks


def _without_overhang(line: str, width: int) -> str:
    """`line` without those of its last spaces that lie beyond `width`."""
    content = line.rstrip()
    return content + line[len(content) :][: max(0, width - cell_width(content))]


def _pad(text: str, width: int, align: str = "left") -> str:
    text = text.rstrip()
    spare = max(0, width - cell_width(text))
    before = {"left": 0, "center": spare // 2, "right": spare}[align]
    return " " * before + text + " " * (spare - before)


def _check_rooms(rooms: Sequence[int], least: int = 1) -> None:
    if min(rooms) < least:
        raise ValueError(
            f"summary: every column needs room for {least} characters. Received a "
            f"`line_length` and `positions` that leave {list(rooms)} for them. "
            "Increase `line_length` or space `positions` more evenly."
        )


def classic_table(
    header: Sequence[str], rows: Sequence[Row], widths: Sequence[int], grow: bool
) -> list[str]:
    """The table of Keras 2: columns of spaces, rules of `_` and `=`.

    Layers of an expanded model stand between bars, below a rule of `¯`.

    Args:
        widths: of the columns in characters, with the space that parts them.
        grow: widen columns for cells that do not fit; otherwise wrap the cells.

    Raises:
        ValueError: if a column has no room for text and may not grow.
    """
    last = len(widths) - 1

    def taken(column: int, depth: int) -> int:
        """Characters of a column that are not for text: bars, and a space after."""
        if column == last:
            return depth
        return 1 + (depth + 1 if depth and column == 0 else 0)

    def rooms(depth: int) -> list[int]:
        return [width - taken(i, depth) for i, width in enumerate(widths)]

    if grow:
        needs = [
            [cell_width(cell) + taken(i, depth) for i, cell in enumerate(cells)]
            for cells, depth in rows
        ]
        widths = [max(column) for column in zip(widths, *needs, strict=True)]
    _check_rooms(rooms(max((row.depth for row in rows), default=0)))
    total = sum(widths)

    def rule(character: str, depth: int = 0) -> str:
        return "|" * depth + character * (total - 2 * depth) + "|" * depth

    def text(row: Row) -> Iterator[str]:
        bars = "|" * row.depth
        for line in _wrapped(row.cells, rooms(row.depth), fold=True):
            padded = map(_pad, line, rooms(row.depth))
            yield (bars and bars + " ") + " ".join(padded) + bars

    def closing(depth: int, target: int) -> list[str]:
        return [rule("¯", level) for level in range(depth - 1, target - 1, -1)]

    lines = [rule("_"), *text(Row(header)), rule("=")]
    depth = 0
    for index, row in enumerate(rows):
        if row.depth > depth:
            lines.append(rule("¯", row.depth))
        elif row.depth < depth:
            lines += closing(depth, row.depth)
        elif index:
            lines.append(rule("_", depth))
        lines += text(row)
        depth = row.depth
    return [*lines, *closing(depth, 0), rule("=")] if rows else lines


def box_table(
    header: Sequence[str],
    rows: Sequence[Row],
    widths: Sequence[int],
    aligns: Sequence[str],
    total: int,
) -> list[str]:
    """The box of Keras 3. A layer of an expanded model is indented after `└`.

    Cells wrap between words; as in Keras, a word longer than its column is cut short
    and ends in `…`.

    Args:
        widths: of the columns in characters, before the box takes its share.
        aligns: `"left"`, `"center"` or `"right"`, one a column.
        total: width of the table.

    Raises:
        ValueError: if a column has no room for text.
    """
    _check_rooms(widths, least=4)  # as Keras asks, although it then takes some away
    widths = _box_widths(widths, total)
    rooms = [width - 2 for width in widths]
    _check_rooms(rooms)

    def rule(left: str, line: str, joint: str, right: str) -> str:
        return left + joint.join(line * width for width in widths) + right

    def text(cells: Sequence[str], edge: str, at_bottom: bool = False) -> Iterator[str]:
        for line in _wrapped(cells, rooms, False, at_bottom):
            padded = map(_pad, line, rooms, aligns)
            yield edge + edge.join(f" {cell} " for cell in padded) + edge

    lines = [rule(*"┏━┳┓"), *text(header, "┃", at_bottom=True), rule(*"┡━╇┩")]
    for index, (cells, depth) in enumerate(rows):
        if index:
            lines.append(rule(*"├─┼┤"))
        indent = "   " * depth + "└ " if depth else ""
        lines += text([indent + cells[0], *cells[1:]], "│")
    return [*lines, rule(*"└─┴┘")]


def _wrapped(
    cells: Sequence[str], rooms: Sequence[int], fold: bool, at_bottom: bool = False
) -> Iterator[tuple[str, ...]]:
    """The lines of a row, each with one piece of every cell."""
    columns = [wrap(cell, room, fold) for cell, room in zip(cells, rooms, strict=True)]
    height = max(map(len, columns))
    for column in columns:
        blank = [""] * (height - len(column))
        column[:] = blank + column if at_bottom else column + blank
    return zip(*columns, strict=True)


def _box_widths(widths: Sequence[int], total: int) -> list[int]:
    """Widths between the lines of a box that is `total` wide.

    A column has a space on both sides. What is too much for the box is taken from all
    columns alike, what it has to spare goes to them in proportion, with the rounding
    of Keras 3 (which leaves its table to the library rich).
    """
    room = total - len(widths) - 1
    widths = [min(width + 2, room) for width in widths]
    excess = sum(widths) - room
    weight = sum(widths)
    fitted = []
    for index, width in enumerate(widths):
        if excess > 0:
            change = min(width, round(excess / (len(widths) - index)))
        else:
            change = -ceil(width * -excess / weight)
        fitted.append(width - change)
        excess -= change
        weight -= width
    return fitted
