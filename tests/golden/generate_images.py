"""Write images.json and images.npz: image functions and image layers of real Keras.

`ops`: name, arguments, inputs and the result; where the result is float, the gradient
of the first input for the cotangent 0.5 + k / n over the n outputs.
`layers`: class, arguments, config, output shape, the transformation that Keras drew,
and the images it made of it in training and outside, of floats and of whole numbers.
`index`: for each array its number type, where it starts among the numbers of that type
in images.npz, and its shape.

Run it with Keras and JAX installed: KERAS_BACKEND=jax python generate_images.py
"""

import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras import layers, ops

HERE = Path(__file__).parent
BATCH, FIRST, ONE = (2, 5, 6, 2), (2, 2, 5, 6), (4, 7, 3)
METHODS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
MODES = ("constant", "nearest", "wrap", "mirror", "reflect")
rng = np.random.default_rng(0)
arrays = {}


def floats(*shape):
    return rng.random(shape).astype("float32")


def bytes_(*shape):
    return rng.integers(0, 256, shape).astype("uint8")


def rows(count):
    """Transforms that lead well outside of the image on all sides."""
    turn = rng.normal(size=(count, 6)) * [1, 1, 4, 1, 1, 4]
    return np.concatenate([turn, np.zeros((count, 2))], 1).astype("float32")


def op_cases():
    for i, method in enumerate(METHODS):
        for more in (
            {"size": [8, 4]},
            {"size": [2, 9], "antialias": True},
            {"size": [3, 3], "crop_to_aspect_ratio": True},
            {"size": [4, 9], "pad_to_aspect_ratio": True, "fill_value": 0.25},
        ):
            yield "resize", [floats(*BATCH)], {**more, "interpolation": method}
        yield "resize", [bytes_(*ONE)], {"size": [5, 3], "interpolation": method}
        more = {"data_format": "channels_first", "interpolation": method}
        yield "resize", [floats(*FIRST)], {"size": [2 + i, 20], **more}
    more = {"size": [9, 4], "pad_to_aspect_ratio": True, "fill_value": 3}
    yield "resize", [bytes_(*ONE)], more
    for method in METHODS[:2]:
        for mode in MODES:
            more = {"interpolation": method, "fill_mode": mode, "fill_value": 0.5}
            yield "affine_transform", [floats(*BATCH), rows(2)], more
            order = {"order": METHODS.index(method), "fill_mode": mode}
            places = (rng.normal(size=(2, 9)) * 6).astype("float32")
            yield "map_coordinates", [floats(4, 5), places], order
        more = {"data_format": "channels_first", "interpolation": method}
        yield "affine_transform", [floats(*FIRST), rows(2)], more
        yield "affine_transform", [bytes_(*ONE), rows(1)[0]], {"interpolation": method}
        start = floats(2, 4, 2) * 5
        points = [start, start + floats(2, 4, 2)]
        more = {"interpolation": method, "fill_value": 0.5}
        yield "perspective_transform", [floats(*BATCH), *points], more
    yield "map_coordinates", [bytes_(4, 5), floats(2, 9) * 5], {"order": 1}
    yield "map_coordinates", [floats(4), floats(1, 3, 2) * 5], {"order": 1}
    more = {"top_padding": 1, "bottom_padding": 2, "left_padding": 0}
    yield "pad_images", [floats(*BATCH)], {**more, "target_width": 9}
    more = {"target_height": 6, "bottom_padding": 2, "right_padding": 1}
    more = {**more, "left_padding": 1, "data_format": "channels_first"}
    yield "pad_images", [bytes_(3, 4, 2)], more
    more = {"top_cropping": 1, "bottom_cropping": 2, "left_cropping": 3}
    yield "crop_images", [floats(*BATCH)], {**more, "target_width": 2}
    more = {"target_height": 3, "bottom_cropping": 1, "right_cropping": 0}
    more = {**more, "target_width": 4, "data_format": "channels_first"}
    yield "crop_images", [bytes_(2, 5, 6)], more
    for more in (
        {"size": 2},
        {"size": [3, 2], "strides": 1, "padding": "same"},
        {"size": [2, 3], "strides": [2, 1]},
        {"size": 2, "strides": 1, "dilation_rate": 2, "padding": "same"},
        {"size": [2, 1, 2]},
    ):
        volume = len(np.atleast_1d(more["size"])) == 3
        yield "extract_patches", [floats(1, 3, *BATCH[1:] if volume else (4, 2))], more
    more = {"size": 2, "strides": 1, "data_format": "channels_first"}
    yield "extract_patches", [floats(*FIRST)], more
    yield "extract_patches", [floats(*ONE)], {"size": 2}
    yield "extract_patches_3d", [floats(2, 3, 3, 1)], {"size": 2, "strides": 1}
    colours = floats(2, 3, 4, 3)
    colours[colours < 0.2], colours[colours > 0.8] = 0, 1
    yield "rgb_to_hsv", [colours], {}
    yield "hsv_to_rgb", [colours * 1.5 - 0.25], {}
    first = {"data_format": "channels_first"}
    yield "rgb_to_hsv", [floats(3, 2, 4)], first
    yield "hsv_to_rgb", [floats(3, 2, 4)], first
    yield "rgb_to_grayscale", [floats(2, 3, 4, 3)], {}
    yield "rgb_to_grayscale", [bytes_(3, 3, 4)], first
    yield "rgb_to_grayscale", [floats(3, 4, 1)], {}


FIRST_FORMAT = {"data_format": "channels_first"}
RANGE = {"value_range": [0.2, 0.9]}
LAYERS = [
    ("CenterCrop", {"height": 3, "width": 3}, BATCH),
    ("CenterCrop", {"height": 2, "width": 5, **FIRST_FORMAT}, FIRST),
    ("CenterCrop", {"height": 7, "width": 3}, BATCH),
    ("CenterCrop", {"height": 6, "width": 9}, ONE),
    ("Resizing", {"height": 3, "width": 8}, BATCH),
    ("Resizing", {"height": 3, "width": 3, "interpolation": "bicubic"}, ONE),
    ("Resizing", {"height": 2, "width": 2, "antialias": True, **FIRST_FORMAT}, FIRST),
    ("Resizing", {"height": 3, "width": 3, "crop_to_aspect_ratio": True}, BATCH),
    (
        "Resizing",
        {"height": 4, "width": 9, "pad_to_aspect_ratio": True, "fill_value": 0.5},
        BATCH,
    ),
    ("RandomCrop", {"height": 3, "width": 4, "seed": 1}, BATCH),
    ("RandomCrop", {"height": 3, "width": 4, "seed": 2, **FIRST_FORMAT}, FIRST),
    ("RandomCrop", {"height": 7, "width": 3, "seed": 3}, BATCH),
    ("RandomCrop", {"height": 4, "width": 3, "seed": 3}, ONE),
    ("RandomFlip", {"seed": 4}, BATCH),
    ("RandomFlip", {"mode": "horizontal", "seed": 5}, BATCH),
    ("RandomFlip", {"mode": "vertical", "seed": 6, **FIRST_FORMAT}, FIRST),
    ("RandomFlip", {"seed": 7}, ONE),
    *[
        ("RandomRotation", {"factor": 0.3, "fill_mode": mode, "seed": 8}, BATCH)
        for mode in ("reflect", "constant", "nearest", "wrap")
    ],
    (
        "RandomRotation",
        {"factor": [0.1, 0.4], "interpolation": "nearest", "seed": 9, **FIRST_FORMAT},
        FIRST,
    ),
    ("RandomRotation", {"factor": 0.3, "seed": 10}, ONE),
    (
        "RandomTranslation",
        {"height_factor": 0.5, "width_factor": 0.4, "seed": 1},
        BATCH,
    ),
    (
        "RandomTranslation",
        {
            "height_factor": [-0.3, 0.9],
            "width_factor": 0.8,
            "fill_mode": "constant",
            "fill_value": 0.5,
            "seed": 2,
            **FIRST_FORMAT,
        },
        FIRST,
    ),
    (
        "RandomTranslation",
        {
            "height_factor": 0.5,
            "width_factor": 0.5,
            "interpolation": "nearest",
            "fill_mode": "wrap",
            "seed": 3,
        },
        ONE,
    ),
    ("RandomZoom", {"height_factor": 0.5, "seed": 1}, BATCH),
    (
        "RandomZoom",
        {
            "height_factor": [-0.3, 0.2],
            "width_factor": [0.1, 0.9],
            "fill_mode": "constant",
            "fill_value": 0.5,
            "seed": 2,
            **FIRST_FORMAT,
        },
        FIRST,
    ),
    ("RandomZoom", {"height_factor": 0.5, "fill_mode": "nearest", "seed": 3}, ONE),
    ("RandomContrast", {"factor": 0.9, "seed": 1, **RANGE}, BATCH),
    ("RandomContrast", {"factor": [0.5, 0.9], "seed": 2, **FIRST_FORMAT}, FIRST),
    ("RandomContrast", {"factor": 0.9, "seed": 3}, ONE),
    ("RandomBrightness", {"factor": 0.5, "seed": 1, **RANGE}, BATCH),
    ("RandomBrightness", {"factor": [0.1, 0.3], "seed": 2, **FIRST_FORMAT}, FIRST),
    ("RandomBrightness", {"factor": [0.1, 0.3], "seed": 3}, ONE),
]


def cotangent(shape):
    count = max(1, int(np.prod(shape)))
    return (0.5 + np.arange(count) / count).astype("float32").reshape(shape)


def write_op(index, name, inputs, arguments):
    key = f"op{index}/"
    function = getattr(ops.image, name)

    def of_first(first):
        return function(first, *map(jnp.asarray, inputs[1:]), **arguments)

    for i, value in enumerate(inputs):
        arrays[f"{key}{i}"] = value
    result = arrays[f"{key}y"] = np.asarray(of_first(jnp.asarray(inputs[0])))
    if inputs[0].dtype == np.float32:
        _, pull = jax.vjp(of_first, jnp.asarray(inputs[0]))
        arrays[f"{key}g"] = np.asarray(pull(cotangent(result.shape))[0])
    return {"name": name, "arguments": arguments, "inputs": len(inputs)}


def write_layer(index, name, arguments, shape):
    key = f"layer{index}/"
    layer = getattr(layers, name)(**arguments)
    x, whole = floats(*shape), bytes_(*shape)
    drawn = layer.get_random_transformation(x, training=True)
    entries = drawn if isinstance(drawn, dict) else dict(enumerate(drawn or ()))
    arrays.update({f"{key}x": x, f"{key}whole": whole})
    for entry, value in entries.items():
        arrays[f"{key}drawn/{entry}"] = np.asarray(value)
    for entry, images in (("x", x), ("whole", whole)):
        for training in (True, False):
            batch = images if images.ndim == 4 else images[None]
            y = np.asarray(layer.transform_images(jnp.asarray(batch), drawn, training))
            arrays[f"{key}{entry}/{training}"] = y if images.ndim == 4 else y[0]
    config = layer.get_config()
    del config["name"]
    return {
        "name": name,
        "arguments": arguments,
        "config": config,
        "output_shape": layer.compute_output_shape(shape),
        "drawn": sorted(map(str, entries)),
    }


content = {
    "versions": {"keras": keras.__version__, "jax": jax.__version__},
    "ops": [write_op(i, *case) for i, case in enumerate(op_cases())],
    "layers": [write_layer(i, *case) for i, case in enumerate(LAYERS)],
}
flat, index = {}, {}
for key, array in arrays.items():
    numbers = flat.setdefault(array.dtype.name, [])
    index[key] = [array.dtype.name, len(numbers), array.shape]
    numbers.extend(array.reshape(-1))
packed = {name: np.array(numbers, name) for name, numbers in flat.items()}
np.savez_compressed(HERE / "images.npz", **packed)
lines = [f'"versions": {json.dumps(content["versions"])}']
for kind in ("ops", "layers"):
    lines.append(f'"{kind}": [\n' + ",\n".join(map(json.dumps, content[kind])) + "\n]")
lines.append(f'"index": {json.dumps(index)}')
(HERE / "images.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
