"""Write preprocessing.json: scales, intervals and category codes of real Keras.

Each case is a layer, what it was adapted to, its config, weights, inputs and outputs.

Run it with Keras, JAX and TensorFlow (which `adapt` asks for) installed:
KERAS_BACKEND=jax python generate_preprocessing.py
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers

SHAPES = [(), (2,), (2, 1), (2, 3), (2, 2, 3), (2, 3, 1)]
ENCODED = ["one_hot", "multi_hot", "count"]
BOUNDARIES = [-1.0, 0.0, 0.25, 2.0]


def numbers(shape, seed=0):
    """Rounded to 1/64, so that they are written in few digits."""
    values = np.random.RandomState(seed).normal(1, 3, shape)
    return (np.round(values * 64) / 64).tolist()


def whole(shape, below=4):
    return np.random.RandomState(1).randint(0, below, shape).tolist()


def batches(*arrays):
    return {"batches": list(arrays)}


def rescaling():
    for scale, offset in ((0.25, 0.0), (2, -1.5), ([1.0, 2.0, 4.0], [0.5, 0, -1])):
        for x in (numbers((2, 3)), whole((2, 2, 3), 256)):
            yield "Rescaling", {"scale": scale, "offset": offset}, None, x


def normalization():
    """Class, arguments, data to adapt to, input."""
    table, images = numbers((7, 3)), numbers((4, 3, 2, 2), 1)
    for invert in (False, True):
        more = {"invert": True} if invert else {}
        yield "Normalization", more, table, numbers((2, 3), 2)
        yield "Normalization", {"axis": None, **more}, table, numbers((2, 3), 2)
        yield "Normalization", {"axis": [1, 3], **more}, images, numbers((2, 3, 2, 2))
        given = {"mean": [1.0, 2.0, 3.0], "variance": [4.0, 0.0, 2.0], **more}
        yield "Normalization", given, None, numbers((2, 3))
        scalar = {"mean": 3.0, "variance": 2.0, **more}
        yield "Normalization", scalar, None, numbers((2, 3))
        yield "Normalization", {**scalar, "axis": None}, None, numbers((3,))
    yield "Normalization", {"axis": None}, numbers((9,)), numbers((3,))
    yield "Normalization", {"axis": 2}, images, numbers((2, 3, 2, 2))
    yield "Normalization", {"axis": [0, 1]}, table, table
    yield "Normalization", {}, [[1.0, 2.0]] * 3, [[1.0, 2.0], [3.0, 1.0]]
    yield "Normalization", {}, whole((9, 2), 50), whole((2, 2), 50)
    parts = [numbers((n, 3), n) for n in (4, 1, 6)]
    yield "Normalization", {}, batches(*parts), numbers((2, 3))
    yield "Normalization", {"axis": None}, batches(*parts), numbers((2, 3))
    mixed = {"axis": [1, 2], "mean": [1.0, 2.0], "variance": [[1.0, 2.0]]}
    mixed["mean"] = [[1.0, 2.0]]
    yield "Normalization", mixed, None, numbers((2, 3, 2))
    last = {"axis": [1, 2], "mean": [1.0, 2.0], "variance": [1.0, 4.0]}
    yield "Normalization", last, None, numbers((2, 3, 2))


def discretization():
    x = numbers((4, 3))
    for mode in ["int", *ENCODED]:
        for shape in SHAPES:
            arguments = {"bin_boundaries": BOUNDARIES, "output_mode": mode}
            x = np.resize([-1.0, 7.0, 0.0, 0.25, -3.5, 1.0], shape).tolist()
            yield "Discretization", arguments, None, x
    yield "Discretization", {"bin_boundaries": []}, None, numbers((5,))
    yield "Discretization", {"bin_boundaries": [0, 2]}, None, [-1, 0, 1, 2, 3]
    long = numbers((230,))
    for bins in (1, 2, 5, 9):
        for epsilon in (0.01, 0.125, 0.3):
            arguments = {"num_bins": bins, "epsilon": epsilon}
            yield "Discretization", arguments, long, numbers((5, 2), 3)
    parts = [numbers((n,), n) for n in (50, 3, 120)]
    for epsilon in (0.01, 0.1):
        arguments = {"num_bins": 4, "epsilon": epsilon, "output_mode": "one_hot"}
        yield "Discretization", arguments, batches(*parts), numbers((5, 1), 3)
    yield "Discretization", {"num_bins": 4}, batches(1.0, 2.0, 3.0, 4.0, 5.0), [2.5]
    yield "Discretization", {"num_bins": 3}, [1.0, 1.0, 1.0, 2.0], [0.5, 1.0, 1.5]


def category_encoding():
    for mode in ENCODED:
        for shape in SHAPES:
            arguments = {"num_tokens": 4, "output_mode": mode}
            yield "CategoryEncoding", arguments, None, whole(shape)


def weighted():
    for shape in ((3,), (2, 3)):
        weights = np.abs(numbers(shape)).tolist()
        arguments = {"num_tokens": 4, "output_mode": "count"}
        yield "CategoryEncoding", arguments, None, whole(shape), weights


def answer(name, arguments, data, x, weights=None):
    made = {k: np.array(v) if k in ("scale",) else v for k, v in arguments.items()}
    layer = getattr(layers, name)(**made, name="it")
    if isinstance(data, dict):
        layer.adapt(np.array(batch) for batch in data["batches"])
    elif data is not None:
        layer.adapt(np.array(data))
    more = {} if weights is None else {"count_weights": np.array(weights)}
    y = np.asarray(layer(np.array(x), **more))
    case = {
        "layer": name,
        "arguments": arguments,
        "adapt": data,
        "config": layer.get_config(),
        "weights": [[w.name, w.shape, np.asarray(w).tolist()] for w in layer.weights],
        "x": x,
        "y": y.tolist(),
        "dtype": y.dtype.name,
        "shape": y.shape,
    }
    if weights is not None:
        case["count_weights"] = weights
    return case


def main():
    groups = rescaling, normalization, discretization, category_encoding, weighted
    cases = [answer(*case) for group in groups for case in group()]
    golden = {"keras": keras.__version__, "cases": cases}
    path = Path(__file__).with_name("preprocessing.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, {len(cases)} cases", file=sys.stderr)


if __name__ == "__main__":
    main()
