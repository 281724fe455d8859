import io
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minikeras.models.summary import print_summary
from minikeras.models.summary_tables import cell_width, wrap

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "summary.json").read_text("utf-8")
)


# Stand-ins: what a summary reads, and nothing else.
def weight(shape, dtype="float32"):
    return SimpleNamespace(shape=tuple(shape), dtype=dtype, size=math.prod(shape))


class Layer:
    def __init__(self, name, params=0, built=True, trainable=True, weights=None):
        self.name = name
        self.built = built
        self.trainable = trainable
        self.params = params
        self.weights = (
            [weight((params,))] * bool(params) if weights is None else weights
        )

    def count_params(self):
        assert self.built
        return self.params


def layer(kind, name, shape, params=0, layers=(), **kwargs):
    """A stand-in whose class is called `kind`; without `shape` it was never called."""
    made = type(kind, (Layer,), {})(name, params, **kwargs)
    if shape is not None:
        made.output_shape = tuple(shape)
    if layers:
        made.layers = list(layers)
    return made


def sequential(layers, name="sequential", **kwargs):
    weights = [w for each in layers for w in each.weights if each.trainable]
    frozen = [w for each in layers for w in each.weights if not each.trainable]
    return SimpleNamespace(
        name=name,
        layers=list(layers),
        built=all(each.built for each in layers),
        trainable_weights=weights,
        non_trainable_weights=frozen,
        weights=weights + frozen,
        **{"compiled": False, "optimizer": None, **kwargs},
    )


def summary(model, **options):
    texts = []
    print_summary(model, print_fn=texts.append, **options)
    return texts


# The model of the examples in three variants.
def example(*middle, flat, params):
    return sequential(
        [
            layer("Dense", "dense", (None, 20, 20, 16), 64),
            *middle,
            layer("Flatten", "flatten", (None, flat)),
            layer("Dense", "dense_1", (None, 2), params),
        ]
    )


VALID = example(
    layer("Conv2D", "conv2d", (None, 18, 18, 32), 4640),
    layer("Conv2D", "conv2d_1", (None, 14, 14, 64), 51264),
    layer("Conv2D", "conv2d_2", (None, 8, 8, 128), 401536),
    flat=8192,
    params=16386,
)
SAME = example(
    layer("Conv2D", "conv2d", (None, 20, 20, 32), 4640),
    layer("Conv2D", "conv2d_1", (None, 20, 20, 64), 51264),
    layer("Conv2D", "conv2d_2", (None, 20, 20, 128), 401536),
    flat=51200,
    params=102402,
)
POOLED = example(
    layer("Conv2D", "conv2d", (None, 20, 20, 32), 4640),
    layer("MaxPooling2D", "max_pooling2d", (None, 10, 10, 32)),
    layer("Conv2D", "conv2d_1", (None, 10, 10, 64), 51264),
    flat=6400,
    params=12802,
)


def table(text):
    """Put back the spaces at the ends of the rows, which editors remove."""
    lines = text.strip("\n").split("\n")
    start, end = 1, max(i for i, line in enumerate(lines) if line[0] == "=")
    width = len(lines[start])
    return [
        line.ljust(width) if start < i < end else line for i, line in enumerate(lines)
    ]


VALID_TEXT = """
Model: "sequential"
_________________________________________________________________
Layer (type)                 Output Shape              Param #
=================================================================
dense (Dense)                (None, 20, 20, 16)        64
_________________________________________________________________
conv2d (Conv2D)              (None, 18, 18, 32)        4640
_________________________________________________________________
conv2d_1 (Conv2D)            (None, 14, 14, 64)        51264
_________________________________________________________________
conv2d_2 (Conv2D)            (None, 8, 8, 128)         401536
_________________________________________________________________
flatten (Flatten)            (None, 8192)              0
_________________________________________________________________
dense_1 (Dense)              (None, 2)                 16386
=================================================================
Total params: 473,890
Trainable params: 473,890
Non-trainable params: 0
_________________________________________________________________
"""
SAME_TEXT = """
Model: "sequential"
_________________________________________________________________
Layer (type)                 Output Shape              Param #
=================================================================
dense (Dense)                (None, 20, 20, 16)        64
_________________________________________________________________
conv2d (Conv2D)              (None, 20, 20, 32)        4640
_________________________________________________________________
conv2d_1 (Conv2D)            (None, 20, 20, 64)        51264
_________________________________________________________________
conv2d_2 (Conv2D)            (None, 20, 20, 128)       401536
_________________________________________________________________
flatten (Flatten)            (None, 51200)             0
_________________________________________________________________
dense_1 (Dense)              (None, 2)                 102402
=================================================================
Total params: 559,906
Trainable params: 559,906
Non-trainable params: 0
_________________________________________________________________
"""
POOLED_TEXT = """
Model: "sequential"
_________________________________________________________________
Layer (type)                 Output Shape              Param #
=================================================================
dense (Dense)                (None, 20, 20, 16)        64
_________________________________________________________________
conv2d (Conv2D)              (None, 20, 20, 32)        4640
_________________________________________________________________
max_pooling2d (MaxPooling2D) (None, 10, 10, 32)        0
_________________________________________________________________
conv2d_1 (Conv2D)            (None, 10, 10, 64)        51264
_________________________________________________________________
flatten (Flatten)            (None, 6400)              0
_________________________________________________________________
dense_1 (Dense)              (None, 2)                 12802
=================================================================
Total params: 68,770
Trainable params: 68,770
Non-trainable params: 0
_________________________________________________________________
"""


@pytest.mark.parametrize(
    ("model", "text"),
    [(VALID, VALID_TEXT), (SAME, SAME_TEXT), (POOLED, POOLED_TEXT)],
    ids=["valid", "same", "pooled"],
)
def test_classic_to_the_character(model, text):
    assert summary(model) == table(text)


def test_a_row_ends_at_the_line_length():
    lines = summary(VALID)
    assert (
        lines[2] == "Layer (type)                 Output Shape              Param #   "
    )
    assert {len(line) for line in lines[1:-4]} == {65}


def test_classic_grows_for_long_cells():
    model = sequential(
        [
            layer("BatchNormalization", "batch_normalization", (None, 4), 16),
            layer("Reshape", "reshape", (None, 1, 2, 3, 4, 5, 6, 7, 8, 9), 0),
            layer("Dense", "dense", (None, 2), 12345678901),
        ]
    )
    assert summary(model)[:10] == table(
        """
Model: "sequential"
______________________________________________________________________________________
Layer (type)                             Output Shape                      Param #
======================================================================================
batch_normalization (BatchNormalization) (None, 4)                         16
______________________________________________________________________________________
reshape (Reshape)                        (None, 1, 2, 3, 4, 5, 6, 7, 8, 9) 0
______________________________________________________________________________________
dense (Dense)                            (None, 2)                         12345678901
======================================================================================
"""
    )


# Names that a loaded file could hold: any character but the two halves of others.
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
SHAPES = st.none() | st.lists(st.none() | st.integers(1, 10**6), max_size=12)


@st.composite
def any_layer(draw, depth=0):
    inner = draw(st.lists(any_layer(depth + 1), max_size=3)) if depth < 3 else []
    return layer(
        draw(st.sampled_from(["Dense", "BatchNormalization", "GlobalMaxPooling2D"])),
        draw(NAMES),
        draw(SHAPES),
        draw(st.integers(0, 10**15)),
        inner,
        built=draw(st.booleans()),
        trainable=draw(st.booleans()),
    )


def flat(layers):
    for each in layers:
        yield each
        yield from flat(getattr(each, "layers", []))


@settings(deadline=None)
@given(st.lists(any_layer(), max_size=4), st.booleans(), st.booleans())
def test_any_classic_table_is_straight_and_whole(layers, expand, trainable):
    lines = summary(sequential(layers), expand_nested=expand, show_trainable=trainable)
    rows = lines[1:-4]
    assert {cell_width(line) for line in rows} == {cell_width(lines[1])}
    assert all(line.isprintable() for line in lines)
    rest = iter(rows)
    for each in flat(layers) if expand else layers:
        name = each.name if each.name.isprintable() else ""
        cells = [
            f"{name} ({type(each).__name__})" if name else f"({type(each).__name__})",
            str(each.output_shape) if hasattr(each, "output_shape") else "?",
            str(each.params) if each.built else "0 (unbuilt)",
        ]
        row = next(line for line in rest if cells[0] in line)
        positions = [row.index(cell) for cell in cells[:1]]
        for cell in cells[1:]:
            positions.append(row.index(f" {cell}", positions[-1]))
        assert positions == sorted(positions)


@settings(deadline=None)
@given(NAMES, st.integers(2, 40))
def test_wrapping_keeps_everything_but_spaces(text, width):
    lines = wrap(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cell_width(line) <= width for line in lines)


@pytest.mark.parametrize(
    ("text", "width"), [("dense", 5), ("全結合", 6), ("e\u0301", 1), ("", 0)]
)
def test_cell_width(text, width):
    assert cell_width(text) == width


def test_control_characters_are_spelled_out():
    model = sequential([layer("Dense", "a\nb\x1b[31m\u202e", (2,))], name="x\ny")
    for style in ("classic", "keras3"):
        text = "".join(summary(model, style=style))
        assert r"a\nb\x1b[31m\u202e" in text
        assert r'Model: "x\ny"' in text


NESTED = sequential(
    [
        layer(
            "Sequential",
            "middle",
            (None, 3),
            74,
            [
                layer(
                    "Sequential",
                    "inner",
                    (None, 4),
                    59,
                    [
                        layer("Dense", "dense", (None, 5), 35),
                        layer("Dense", "dense_1", (None, 4), 24),
                    ],
                ),
                layer("ReLU", "re_lu", (None, 4)),
            ],
        ),
        layer("Dense", "dense_3", (None, 2), 8, trainable=False),
        layer("Softmax", "softmax", (None, 2)),
    ],
    name="outer",
)


def test_classic_nested_and_trainable():
    assert summary(NESTED, expand_nested=True, show_trainable=True) == table(
        """
Model: "outer"
____________________________________________________________________________
Layer (type)                 Output Shape              Param #   Trainable
============================================================================
middle (Sequential)          (None, 3)                 74        Y
|¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯|
| inner (Sequential)         (None, 4)                 59        Y         |
||¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯||
|| dense (Dense)             (None, 5)                 35        Y        ||
||________________________________________________________________________||
|| dense_1 (Dense)           (None, 4)                 24        Y        ||
|¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯|
| re_lu (ReLU)               (None, 4)                 0         Y         |
¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯¯
dense_3 (Dense)              (None, 2)                 8         N
____________________________________________________________________________
softmax (Softmax)            (None, 2)                 0         Y
============================================================================
Total params: 82
Trainable params: 74
Non-trainable params: 8
____________________________________________________________________________
"""
    )


def test_nested_models_are_folded_by_default():
    assert [line.split()[0] for line in summary(NESTED)[4::2][:3]] == [
        "middle",
        "dense_3",
        "softmax",
    ]


def test_a_last_nested_model_is_closed_before_the_end():
    model = sequential(NESTED.layers[:1])
    lines = summary(model, expand_nested=True)
    assert lines[-7:-4] == [
        "| re_lu (ReLU)               (None, 4)                 0        |",
        "¯" * 65,
        "=" * 65,
    ]


@pytest.mark.parametrize(
    ("options", "ends", "width"),
    [
        ({"line_length": 100}, [45, 85], 100),
        ({"line_length": 111, "show_trainable": True}, [45, 85, 100], 111),
        ({"positions": [0.6, 0.8, 1.0]}, [39, 52], 65),
        ({"positions": [40, 70, 80]}, [40, 70], 80),
        ({"positions": [40, 70, 80], "line_length": 90}, [40, 70], 90),
        ({"positions": [40, 70, 80], "show_trainable": True}, [40, 70, 80], 91),
    ],
)
def test_classic_columns_follow_the_options(options, ends, width):
    lines = summary(VALID, **options)
    assert {len(line) for line in lines[1:-4]} == {width}
    starts = [lines[2].index(title) for title in ("Output", "Param #")]
    if "show_trainable" in options:
        starts.append(lines[2].index("Trainable"))
    assert starts == ends


def test_classic_of_given_width_wraps_long_cells():
    model = sequential(
        [layer("BatchNormalization", "batch_normalization_1", (None, 20, 20, 16), 64)]
    )
    assert summary(model, line_length=40)[1:7] == [
        "________________________________________",
        "Layer (type)      Output Shape    Param ",
        "                                  #     ",
        "========================================",
        "batch_normalizati (None, 20, 20,  64    ",
        "on_1              16)                   ",
    ]


def test_positions_are_not_changed():
    positions = [30, 50, 60]
    summary(VALID, positions=positions, show_trainable=True)
    assert positions == [30, 50, 60]


UNBUILT = sequential(
    [
        layer("Dense", "dense", None, built=False),
        layer("Dropout", "dropout", None),
    ]
)


def test_classic_unbuilt():
    lines = summary(UNBUILT)
    assert lines[4].split() == ["dense", "(Dense)", "?", "0", "(unbuilt)"]
    assert lines[6].split() == ["dropout", "(Dropout)", "?", "0"]
    assert lines[-4:-1] == [
        "Total params: 0",
        "Trainable params: 0",
        "Non-trainable params: 0",
    ]


def test_classic_without_layers():
    assert summary(sequential([], name="empty")) == table(
        """
Model: "empty"
_________________________________________________________________
Layer (type)                 Output Shape              Param #
=================================================================
Total params: 0
Trainable params: 0
Non-trainable params: 0
_________________________________________________________________
"""
    )


# Against the text that real Keras printed.
def rebuilt_layer(case):
    return layer(
        case["class"],
        case["name"],
        case["output_shape"],
        case["params"],
        [rebuilt_layer(inner) for inner in case["layers"]],
        built=case["built"],
        trainable=case["trainable"],
        weights=[weight(())] * case["weights"],
    )


def rebuilt(case):
    model = SimpleNamespace(**case)
    model.layers = [rebuilt_layer(each) for each in case["layers"]]
    model.trainable_weights = [weight(*w) for w in case["trainable_weights"]]
    model.non_trainable_weights = [weight(*w) for w in case["non_trainable_weights"]]
    if case["optimizer"]:
        model.optimizer = SimpleNamespace(**case["optimizer"])
        model.optimizer.variables = [weight(*w) for w in case["optimizer"]["variables"]]
    return model


@pytest.mark.parametrize(
    "case", GOLDEN["cases"], ids=[case["case"] for case in GOLDEN["cases"]]
)
def test_keras3_to_the_character(case, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(case["columns"]))
    texts = summary(rebuilt(case["model"]), style="keras3", **case["options"])
    assert texts == [case["text"]]


@pytest.mark.parametrize(
    "case", GOLDEN["cases"], ids=[case["case"] for case in GOLDEN["cases"]]
)
def test_classic_of_the_same_models(case):
    model = rebuilt(case["model"])
    for options in ({}, {"show_trainable": True}, {"expand_nested": True}):
        rows = summary(model, **options)[1:-4]
        assert len({cell_width(row) for row in rows}) == 1


@pytest.fixture
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")


def test_keras3_takes_positions_in_characters(wide):
    relative = summary(VALID, style="keras3", line_length=80, positions=[0.5, 0.75, 1])
    assert relative == summary(
        VALID, style="keras3", line_length=80, positions=[40, 60, 80]
    )


def test_keras3_several_outputs(wide):
    several = layer("Split", "split", None)
    several.output_shape = [(None, 2), (None,)]
    one = layer("One", "one", None)
    one.output_shape = [(None, 2)]
    (text,) = summary(sequential([several, one]), style="keras3")
    assert "│ [(None, 2), (None)] " in text
    assert "│ (None, 2) " in text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0.00 B"),
        (1023, "1023.00 B"),
        (1024, "1.00 KB"),
        (1024**2 * 3 // 2, "1.50 MB"),
        (1024**6 * 5, "5120.00 PB"),
    ],
)
def test_keras3_memory(size, text, wide):
    model = sequential(
        [layer("Dense", "d", (1,), 1, weights=[weight((size,), "int8")])]
    )
    assert f" Total params: {size:,} ({text})\n" in summary(model, style="keras3")[0]


@pytest.mark.parametrize(
    ("first", "last", "names"),
    [
        ("conv2d", "flatten", ["conv2d", "conv2d_1", "conv2d_2", "flatten"]),
        ("conv2d_1", "conv2d", ["conv2d_1", "conv2d_2"]),
        ("flatten", "conv2d$", ["conv2d", "conv2d_1", "conv2d_2", "flatten"]),
        (".*_2", ".*_2", ["conv2d_2"]),
        ("dense_1", "dense_1", ["dense_1"]),
    ],
)
def test_layer_range(first, last, names):
    lines = summary(VALID, layer_range=[first, last])
    assert [line.split()[0] for line in lines[4:-4:2]] == names
    assert lines[-4] == "Total params: 473,890"


@pytest.mark.parametrize("style", ["classic", "keras3"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer_range": ["dense"]}, "list or tuple of two strings.*\\['dense'\\]"),
        ({"layer_range": ["a", 1]}, "list or tuple of two strings.*\\['a', 1\\]"),
        ({"layer_range": "ab"}, "list or tuple of two strings.*'ab'"),
        ({"layer_range": ["dense", "x"]}, "must match .*conv2d_1.*\\['dense', 'x'\\]"),
        ({"layer_range": ["dense", "("]}, "regular expressions. Received '\\('"),
        ({"positions": [0.5, 1.0]}, r"3 rising positive .*positions=\[0.5, 1.0\]"),
        ({"positions": [0.5, 0.5, 1.0]}, "3 rising positive numbers"),
        ({"positions": [0, 0.5, 1.0]}, "3 rising positive numbers"),
        (
            {"positions": [0.9, 0.91, 0.92], "line_length": 40},
            r"every column .*\[3\d, ",
        ),
        ({"line_length": 3}, "every column needs room"),
    ],
)
def test_errors(style, options, message):
    with pytest.raises(ValueError, match=message):
        summary(VALID, style=style, **options)


def test_narrow_columns_of_a_box():
    with pytest.raises(ValueError, match="every column needs room for 1 characters"):
        summary(VALID, style="keras3", line_length=40, positions=[0.8, 0.9, 1.0])


def test_unknown_style():
    with pytest.raises(ValueError, match="'classic', 'keras3'. Received: style='rich'"):
        summary(VALID, style="rich")


@pytest.mark.parametrize("style", ["classic", "keras3"])
def test_prints_by_default(style, capsys, wide):
    print_summary(VALID, style=style)
    end = "\n" if style == "classic" else ""
    expected = "".join(text + end for text in summary(VALID, style=style))
    assert capsys.readouterr().out == expected


def test_plain_characters_where_the_output_has_no_others(monkeypatch, wide):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    monkeypatch.setattr(sys, "stdout", stream)
    inner = [layer("Dense", "inner", (None, 2), 3)]
    model = sequential([layer("Block", "block", (None, 2), 3, inner)], name="modèle")
    print_summary(model, style="keras3", expand_nested=True, line_length=48)
    print_summary(model, expand_nested=True)
    stream.flush()
    lines = stream.buffer.getvalue().decode("ascii").split("\n")
    assert lines[:7] == [
        r'Model: "mod\xe8le"',
        "+----------------------------------------------+",
        "| Layer (type)       | Output Shape  | Param # |",
        "|--------------------+---------------+---------|",
        "| block (Block)      | (None, 2)     |       3 |",
        "|--------------------+---------------+---------|",
        "|    + inner (Dense) | (None, 2)     |       3 |",
    ]
    assert lines[16] == f"|{'-' * 63}|"
