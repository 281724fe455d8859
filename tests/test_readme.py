"""README shows what really comes out."""

import contextlib
import io
import re
from pathlib import Path

import numpy as np

import minikeras as keras

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.M | re.S)


def blocks(kind):
    return [text for name, text in BLOCKS if name == kind]


def numbers(line):
    return [float(n) for n in re.findall(r"(?:loss|ccuracy): (\d\.\d+)", line)]


def test_the_example_prints_what_is_shown():
    keras.utils.clear_session()
    shown = blocks("text")[0].splitlines()
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        exec(compile(blocks("python")[0], "README.md", "exec"), {})
    printed = stream.getvalue().splitlines()
    assert len(printed) == len(shown)
    for line, expected in zip(printed, shown, strict=True):
        if not numbers(expected):
            assert line == expected
        else:  # the last bits depend on the machine, and grow in training
            np.testing.assert_allclose(numbers(line), numbers(expected), atol=0.02)


def test_a_layer_of_your_own_learns():
    keras.utils.set_random_seed(0)
    names = {"layers": keras.layers}
    exec(blocks("python")[1], names)
    model = keras.Sequential(
        [keras.Input((3,)), names["Gate"](), keras.layers.Dense(1)]
    )
    x = np.random.default_rng(0).normal(size=(64, 3))
    y = (x / (1 + np.exp(-2 * x))).sum(axis=1, keepdims=True)
    model.compile(keras.optimizers.Adam(0.05), "mse")
    before = model.evaluate(x, y, verbose=0)
    model.fit(x, y, epochs=60, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 0.5 * before


def test_there_are_two_commands():
    commands = [line for text in blocks("sh") for line in text.splitlines()]
    assert len(commands) == 2
    assert "examples/mnist_cnn.py" in commands[0]
    assert "pytest" in commands[1]


def test_the_map_names_what_exists():
    package = ROOT / "minikeras"
    table = README[README.index("## A map") :]
    named = set(re.findall(r"`(?:minikeras/)?([\w]+(?:\.py|/))`", table))
    folders = {p.name + "/" for p in package.iterdir() if (p / "__init__.py").exists()}
    assert folders <= named
    outside = {"examples/", "benchmarks/", "tests/"}
    assert all((package / name).exists() for name in named - outside)


def test_the_figures_in_the_text():
    golden = ROOT / "tests" / "golden"
    feedforward = (golden / "feedforward.json").read_text()
    import json

    assert f"{len(json.loads(feedforward)['cases'])} random models" in README
    fits = json.loads((golden / "fit.json").read_text())["fit"]
    assert f"{len(fits)} trainings" in README
