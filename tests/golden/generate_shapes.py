"""Write shapes.json and shapes.npz: pooling and reshaping layers of real Keras.

Run it with Keras and JAX installed: KERAS_BACKEND=jax python generate_shapes.py

Inputs and weights of the outputs are whole numbers from a formula (`pattern`), so only
results are stored: `<case>/y`, the output, and `<case>/dx`, the gradient by the input
of sum(output * pattern). Small patterns hold many ties.
"""

import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras
import numpy as np

LAST, FIRST = "channels_last", "channels_first"
IMAGE, VOLUME = (2, 6, 5, 3), (2, 4, 5, 3, 2)


def pattern(shape, modulus):
    """Whole numbers around 0 in float32; the same formula stands in the tests."""
    k = np.arange(int(np.prod(shape)), dtype="int64")
    return (
        ((k * k * 7 + k * 13 + 5) % modulus - modulus // 2).astype("f").reshape(shape)
    )


def cases():
    shapes = {1: (2, 7, 3), 2: IMAGE, 3: VOLUME}
    for rank, shape in shapes.items():
        for kind in ("Max", "Average"):
            name = f"Global{kind}Pooling{rank}D"
            yield name, {}, shape, 257
            yield name, {"keepdims": True, "data_format": FIRST}, shape, 5
    for size, out in [(7, 3), (5, 2), (10, 4), (6, 3), (4, 1), (2, 3), (1, 4), (5, 5)]:
        for kind in ("Max", "Average"):
            name = f"Adaptive{kind}Pooling1D"
            yield name, {"output_size": out}, (2, size, 3), 257
    for kind in ("Max", "Average"):
        for modulus in (257, 3):
            name = f"Adaptive{kind}Pooling2D"
            yield name, {"output_size": 3}, (2, 7, 5, 2), modulus
            yield name, {"output_size": [2, 4]}, (1, 6, 10, 2), modulus
            yield name, {"output_size": [3, 2], "data_format": FIRST}, IMAGE, modulus
            name = f"Adaptive{kind}Pooling3D"
            yield name, {"output_size": [2, 1, 2]}, VOLUME, modulus
            yield (
                name,
                {"output_size": 2, "data_format": FIRST},
                (1, 2, 3, 4, 5),
                modulus,
            )
    yield "Reshape", {"target_shape": [5, -1]}, IMAGE, 257
    yield "Reshape", {"target_shape": [90]}, IMAGE, 257
    yield "Permute", {"dims": [3, 1, 2]}, IMAGE, 257
    yield "Permute", {"dims": [2, 1]}, (2, 4, 3), 257
    yield "RepeatVector", {"n": 3}, (2, 4), 257
    yield "ZeroPadding1D", {}, (2, 4, 3), 257
    yield "ZeroPadding1D", {"padding": [0, 3]}, (2, 4, 3), 257
    yield "ZeroPadding1D", {"padding": 2, "data_format": FIRST}, (2, 4, 3), 257
    for padding in (2, [1, 0], [[1, 0], [2, 3]]):
        yield "ZeroPadding2D", {"padding": padding}, IMAGE, 257
    yield "ZeroPadding2D", {"padding": [[1, 0], [2, 0]], "data_format": FIRST}, IMAGE, 9
    for padding in (1, [1, 0, 2], [[1, 0], [0, 2], [1, 1]]):
        yield "ZeroPadding3D", {"padding": padding}, (1, 2, 1, 2, 2), 257
    yield "ZeroPadding3D", {"padding": 1, "data_format": FIRST}, (1, 2, 1, 2, 1), 257
    yield "Cropping1D", {}, (2, 4, 3), 257
    yield "Cropping1D", {"cropping": [2, 0]}, (2, 4, 3), 257
    yield "Cropping2D", {}, IMAGE, 257
    for cropping in (1, [2, 0], [[0, 3], [1, 2]]):
        yield "Cropping2D", {"cropping": cropping}, IMAGE, 257
    yield "Cropping2D", {"cropping": [[0, 2], [1, 0]], "data_format": FIRST}, IMAGE, 9
    for cropping in (1, [1, 2, 0], [[0, 1], [2, 0], [1, 1]]):
        yield "Cropping3D", {"cropping": cropping}, VOLUME, 257
    yield "Cropping3D", {"cropping": 1, "data_format": FIRST}, (1, 2, 4, 5, 3), 257
    yield "UpSampling1D", {}, (2, 4, 3), 257
    yield "UpSampling1D", {"size": 3}, (2, 4, 3), 257
    yield "UpSampling3D", {}, (1, 2, 1, 2, 2), 257
    yield "UpSampling3D", {"size": [1, 3, 2], "data_format": FIRST}, VOLUME[::-1], 257
    for how in ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5"):
        name, option = "UpSampling2D", {"interpolation": how}
        yield name, {"size": 2, **option}, (2, 4, 3, 2), 257
        yield name, {"size": [3, 1], **option}, (1, 5, 2, 1), 257
        yield name, {"size": [2, 5], "data_format": FIRST, **option}, (1, 2, 3, 4), 257
        yield name, {"size": [1, 3], **option}, (1, 1, 61, 1), 257
        yield name, {"size": 4, **option}, (1, 2, 1, 9), 257


def main():
    found, arrays = [], {}
    for number, (name, arguments, shape, modulus) in enumerate(cases()):
        keras.utils.clear_session()
        layer = getattr(keras.layers, name)(**arguments)
        x = pattern(shape, modulus)
        y = layer(x)
        g = pattern(y.shape, 31)
        dx = jax.grad(lambda x, layer=layer, g=g: (layer(x) * g).sum())(x)
        free = layer.compute_output_shape((None, *shape[1:]))
        arrays[f"{number}/y"], arrays[f"{number}/dx"] = np.asarray(y), np.asarray(dx)
        case = {"class_name": name, "arguments": arguments, "modulus": modulus}
        case.update(input_shape=shape, output_shape=free, config=layer.get_config())
        found.append(case)
    folder = Path(__file__).parent
    versions = {"keras": keras.__version__, "jax": jax.__version__}
    text = json.dumps({"versions": versions, "cases": found}, indent=None)
    (folder / "shapes.json").write_text(
        text.replace('{"class_name": "', '\n{"class_name": "') + "\n"
    )
    np.savez_compressed(folder / "shapes.npz", **arrays)


if __name__ == "__main__":
    main()
