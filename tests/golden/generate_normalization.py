"""Write normalization.json and normalization.npz: layers and functions of real Keras.

Outputs, gradients, moving averages and whole training runs, most of them in float64.

Run it with Keras and JAX installed:
KERAS_BACKEND=jax python generate_normalization.py
"""

import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras.src.backend.common import dtypes

# On JAX, Keras converts float64 to float32 before it normalises. This is the entry
# it has on TensorFlow; with it the numbers are good to 1e-12.
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
jax.config.update("jax_enable_x64", True)

BN, LN, GN = "BatchNormalization", "LayerNormalization", "GroupNormalization"
RMS, UNIT = "RMSNormalization", "UnitNormalization"
SMALL = {"center": False, "scale": False}

# class, arguments, input shape, extras: training, mask, mean, dtype, trainable
LAYERS = [
    (BN, {}, (6, 3), {"training": True}),
    (BN, {}, (6, 3), {"training": False}),
    (BN, {}, (6, 3), {"training": True, "trainable": False}),
    (BN, {"momentum": 0.5, "epsilon": 0.01}, (2, 5, 3), {"training": True}),
    (BN, {}, (2, 3, 4, 5), {"training": True}),
    (BN, {"axis": 1}, (2, 3, 4, 5), {"training": True}),
    (BN, {"axis": 1}, (2, 3, 4, 5), {"training": False}),
    (BN, {"axis": -2}, (2, 3, 4), {"training": True}),
    (BN, {}, (2, 2, 3, 2, 3), {"training": True}),
    (BN, {"axis": 1}, (2, 2, 3, 2, 3), {"training": True}),
    (BN, {"center": False}, (5, 3), {"training": True}),
    (BN, {"scale": False}, (5, 3), {"training": True}),
    (BN, SMALL, (5, 3), {"training": True}),
    (BN, SMALL, (5, 3), {"training": False}),
    (BN, {}, (1, 4), {"training": True}),
    (BN, {}, (3, 4, 3), {"training": True, "mask": True}),
    (BN, {}, (3, 4, 3), {"training": False, "mask": True}),
    (BN, {"axis": 1}, (3, 4, 3), {"training": True, "mask": True}),
    (BN, {}, (40, 3), {"training": True, "mean": 1e3}),
    (BN, {}, (40, 3), {"training": True, "dtype": "float32"}),
    (BN, {}, (40, 3), {"training": True, "mean": 1e3, "dtype": "float32"}),
    (BN, {}, (40, 3), {"training": False, "dtype": "float32"}),
    (LN, {}, (4, 6), {}),
    (LN, {"axis": 1}, (4, 3, 5), {}),
    (LN, {"axis": [1, 2]}, (3, 4, 5), {}),
    (LN, {"axis": [-1, -2]}, (3, 4, 5), {}),
    (LN, {"axis": [2, 1, 3]}, (2, 3, 2, 4), {}),
    (LN, {"axis": [1, 3]}, (2, 3, 2, 4), {}),
    (LN, {"axis": [1, -1]}, (2, 3, 2, 4), {}),
    (LN, {"epsilon": 0.1, "center": False}, (2, 2, 2, 2, 3), {}),
    (LN, {"scale": False}, (4, 6), {}),
    (LN, SMALL, (4, 6), {}),
    (LN, {}, (4, 30), {"mean": 1e3}),
    (LN, {}, (4, 30), {"dtype": "float32"}),
    (LN, {"rms_scaling": True}, (4, 6), {}),
    (LN, {"rms_scaling": True, "axis": [1]}, (4, 3, 5), {}),
    (GN, {"groups": 2}, (3, 4), {}),
    (GN, {"groups": 2}, (2, 3, 3, 6), {}),
    (GN, {"groups": -1}, (2, 3, 3, 4), {}),
    (GN, {"groups": 1}, (2, 3, 4), {}),
    (GN, {"groups": 3, "axis": 1}, (2, 6, 3, 2), {}),
    (GN, {"groups": 2, "axis": -2}, (2, 3, 4, 3), {}),
    (GN, {"groups": 2, "epsilon": 0.1, "center": False}, (2, 2, 2, 3, 4), {}),
    (GN, {"groups": 2, "scale": False}, (2, 3, 4), {}),
    (GN, {"groups": 2}, (2, 9, 4), {"mean": 1e3}),
    (GN, {"groups": 2}, (2, 9, 4), {"dtype": "float32"}),
    (RMS, {}, (4, 5), {}),
    (RMS, {"axis": [1, 2], "epsilon": 0.1}, (2, 3, 4), {}),
    (RMS, {"axis": 1}, (2, 3, 3), {}),
    (RMS, {}, (4, 30), {"dtype": "float32"}),
    (UNIT, {}, (4, 5), {}),
    (UNIT, {"axis": [1, 2]}, (3, 4, 2), {}),
    (UNIT, {"axis": 1}, (2, 3, 4, 2), {}),
]

OPS = [
    ("moments", [[3, 4]], {"axes": [0]}),
    ("moments", [[3, 4, 2]], {"axes": [0, 2], "keepdims": True}),
    ("batch_normalization", [[6, 3], [3], [3]], {"axis": -1}),
    ("batch_normalization", [[2, 3, 4], [3], [3]], {"axis": 1, "epsilon": 0.1}),
    ("layer_normalization", [[4, 5]], {}),
    ("layer_normalization", [[4, 5], [5], [5]], {"epsilon": 0.01}),
    ("layer_normalization", [[4, 5, 3], [5, 3], [5, 3]], {"axis": [1, 2]}),
    ("layer_normalization", [[4, 5, 3], [5], [5]], {"axis": 1}),
    ("rms_normalization", [[4, 5]], {}),
    ("rms_normalization", [[4, 5], [5]], {"epsilon": 0.01}),
    ("rms_normalization", [[4, 5, 3], [3]], {"axis": [1]}),
    ("rms_normalization", [[4, 5, 3], [5, 3]], {"axis": [1, 2]}),
    ("normalize", [[4, 5]], {}),
    ("normalize", [[4, 5]], {"order": 1}),
    ("normalize", [[4, 5]], {"order": 3, "axis": 0}),
    ("normalize", [[4, 5]], {"epsilon": 3.0}),
    ("normalize", [[4, 5, 2]], {"axis": [0, 2]}),
    ("normalize", [[4, 5, 2]], {"axis": None}),
]

rng = np.random.default_rng(20)
arrays = {}


def layer_case(index, name, arguments, shape, extras):
    dtype = extras.get("dtype", "float64")
    layer = getattr(keras.layers, name)(dtype=dtype, name="layer", **arguments)
    x = rng.normal(size=shape) + extras.get("mean", 0.0)
    x = x.astype("float32").astype(dtype)
    layer.build(shape)
    layer.trainable = extras.get("trainable", True)
    weights = []
    for variable in layer.variables:
        value = rng.normal(size=variable.shape)
        value = np.abs(value) + 0.1 if "variance" in variable.name else value
        weights.append(value.astype(dtype))
    layer.set_weights(weights)
    given = {}
    if "training" in extras:
        given["training"] = extras["training"]
    mask = None
    if extras.get("mask"):
        mask = given["mask"] = rng.random(shape[:-1]) < 0.6
    out_grad = rng.normal(size=shape).astype(dtype)
    fixed = [v.value for v in layer.non_trainable_variables]
    start = [v.value for v in layer.trainable_variables]

    def run(variables, inputs):
        return layer.stateless_call(variables, fixed, inputs, **given)

    outputs, pull, after = jax.vjp(run, start, jnp.asarray(x), has_aux=True)
    grads, x_grad = pull(jnp.asarray(out_grad, outputs.dtype))
    key = f"layer/{index}/"
    stored = {"x": x, "g": out_grad, "y": outputs, "dx": x_grad, "mask": mask}
    for k, value in stored.items():
        if value is not None:
            arrays[key + k] = np.asarray(value)
    for k, values in (("w", weights), ("dw", grads), ("after", after)):
        for i, value in enumerate(values):
            arrays[f"{key}{k}/{i}"] = np.asarray(value)
    return {
        "class_name": name,
        "arguments": arguments,
        "extras": extras,
        "config": layer.get_config(),
        "weights": [[v.name, list(v.shape), v.trainable] for v in layer.variables],
        "after": len(after),
        "gradients": len(grads),
    }


def op_case(index, name, shapes, arguments):
    inputs = [rng.normal(size=shape) for shape in shapes]
    if name == "batch_normalization":
        inputs[2] = np.abs(inputs[2]) + 0.1
    positional = [jnp.asarray(value) for value in inputs]
    outputs = getattr(keras.ops, name)(*positional, **arguments)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    for i, value in enumerate(inputs):
        arrays[f"op/{index}/in/{i}"] = value
    for i, value in enumerate(outputs):
        arrays[f"op/{index}/out/{i}"] = np.asarray(value)
    counts = {"inputs": len(inputs), "outputs": len(outputs)}
    return {"name": name, "arguments": arguments, **counts}


def model_case(name, model, shape, targets):
    x = rng.normal(size=(12, *shape))
    y = rng.normal(size=(12, *targets))
    start = []
    for v in model.weights:
        value = 0.5 * rng.normal(size=v.shape)
        start.append(np.abs(value) + 0.5 if "variance" in v.name else value)
    model.set_weights(start)
    model.compile(optimizer=keras.optimizers.SGD(0.05), loss="mse")
    history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    arrays[f"{name}/x"], arrays[f"{name}/y"] = x, y
    for i, value in enumerate(start):
        arrays[f"{name}/w/{i}"] = value
    for i, value in enumerate(model.get_weights()):
        arrays[f"{name}/after/{i}"] = value
    arrays[f"{name}/predict"] = model.predict(x, verbose=0)
    return {
        "name": name,
        "config": model.get_config(),
        "paths": [v.path for v in model.weights],
        "trainable": [v.path for v in model.trainable_variables],
        "loss": history.history["loss"],
        "evaluate": float(model.evaluate(x, y, verbose=0)),
    }


def models():
    layers = keras.layers
    keras.config.set_floatx("float64")
    block = [
        layers.Input((3, 3, 4)),
        layers.BatchNormalization(momentum=0.9),
        layers.Activation("relu"),
    ]
    yield model_case(
        "blocks",
        keras.Sequential(
            [
                layers.Input((6, 6, 2)),
                layers.Conv2D(4, 3, padding="same"),
                layers.BatchNormalization(momentum=0.8),
                layers.MaxPooling2D(2),
                keras.Sequential(block, name="block"),
                layers.Flatten(),
                layers.LayerNormalization(),
                layers.Dense(2),
            ],
            name="blocks",
        ),
        (6, 6, 2),
        (2,),
    )
    yield model_case(
        "spectral",
        keras.Sequential(
            [
                layers.Input((4, 4, 2)),
                layers.SpectralNormalization(layers.Conv2D(3, 2)),
                layers.Flatten(),
                layers.SpectralNormalization(layers.Dense(2), power_iterations=3),
            ],
            name="spectral",
        ),
        (4, 4, 2),
        (2,),
    )


def spectral_call():
    layer = keras.layers.SpectralNormalization(keras.layers.Dense(3), dtype="float64")
    x = rng.normal(size=(2, 4))
    layer.build((None, 4))
    weights = [rng.normal(size=v.shape) for v in layer.variables]
    layer.set_weights(weights)
    arrays["eager/x"] = x
    arrays["eager/y"] = np.asarray(layer(x, training=True))
    for i, value in enumerate(weights):
        arrays[f"eager/w/{i}"] = value
    for i, value in enumerate(layer.get_weights()):
        arrays[f"eager/after/{i}"] = value
    return [v.name for v in layer.variables]


def packed():
    """One flat array for each number type, and where in them each array lies."""
    parts, index = {"float64": [], "float32": []}, {}
    for key, value in arrays.items():
        kind = "float32" if value.dtype == np.float32 else "float64"
        start = sum(part.size for part in parts[kind])
        index[key] = [kind, start, list(value.shape)]
        parts[kind].append(value.astype(kind).ravel())
    return {kind: np.concatenate(values) for kind, values in parts.items()}, index


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    cases = {
        "versions": {"keras": keras.__version__, "jax": jax.__version__},
        "layers": [layer_case(i, *case) for i, case in enumerate(LAYERS)],
        "ops": [op_case(i, *case) for i, case in enumerate(OPS)],
        "models": list(models()),
        "eager": spectral_call(),
    }
    flat, cases["index"] = packed()
    here = Path(__file__).parent
    text = json.dumps(cases, separators=(",", ":"))
    (here / "normalization.json").write_text(text + "\n")
    np.savez_compressed(here / "normalization.npz", **flat)
