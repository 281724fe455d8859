"""Write convolutional.json and convolutional.npz: the layers of the convolution family.

Run it with Keras and JAX installed: KERAS_BACKEND=jax python generate_convolutional.py

Everything is computed in float64 and kept in float32. Inputs, weights and the
direction of the gradient are not kept: they are `wave(shape, phase)`.

convolutional.json: `versions`; `signatures`, the arguments of each class in order;
`cases`: `name`, `layer` (class), `arguments`, `input_shape`, `output_shape`,
`weights` (name and shape of each) and `config`; and `transposed_shapes`, what
`keras.ops.conv_transpose` makes of one axis: rows of size, kernel, stride, padding,
output padding, dilation and output size.

convolutional.npz: for each case, by its name and `/`: `y`, the output; `x`, the
gradient of sum(y * wave) by the input; and `0`, `1`, the gradients by the weights.
"""

import inspect
import json
import os
from itertools import product
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np

jax.config.update("jax_enable_x64", True)
keras.config.set_floatx("float64")

HERE = Path(__file__).parent
FIRST = {"data_format": "channels_first"}
SAME = {"padding": "same"}

CASES = [
    ("Conv1D", {"filters": 3, "kernel_size": 3}, (6, 2)),
    ("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "causal"}, (6, 2)),
    (
        "Conv1D",
        {"filters": 2, "kernel_size": 3, "padding": "causal", "dilation_rate": 2}
        | {"activation": "relu"},
        (7, 2),
    ),
    (
        "Conv1D",
        {"filters": 2, "kernel_size": 2, "padding": "causal", "strides": 2} | FIRST,
        (3, 5),
    ),
    ("Conv1D", {"filters": 4, "kernel_size": 2, "groups": 2} | SAME, (5, 4)),
    ("Conv1D", {"filters": 4, "kernel_size": 3, "groups": 4} | SAME, (5, 4)),
    (
        "Conv2D",
        {"filters": 6, "kernel_size": (2, 3), "groups": 3, "strides": (2, 1)}
        | {"activation": "relu"},
        (5, 4, 3),
    ),
    ("Conv2D", {"filters": 2, "kernel_size": 2, "groups": 2} | SAME | FIRST, (2, 3, 4)),
    ("Conv3D", {"filters": 2, "kernel_size": 2}, (3, 2, 3, 2)),
    (
        "Conv3D",
        {"filters": 2, "kernel_size": (1, 2, 3), "strides": (1, 2, 1)}
        | {"activation": "tanh"}
        | SAME
        | FIRST,
        (2, 2, 3, 4),
    ),
    (
        "Conv3D",
        {"filters": 2, "kernel_size": 2, "dilation_rate": (1, 1, 2)},
        (2, 2, 4, 1),
    ),
    ("Conv1DTranspose", {"filters": 2, "kernel_size": 3}, (4, 3)),
    ("Conv1DTranspose", {"filters": 2, "kernel_size": 2, "strides": 3}, (4, 3)),
    (
        "Conv1DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": 2, "output_padding": 1} | SAME,
        (4, 3),
    ),
    (
        "Conv1DTranspose",
        {"filters": 2, "kernel_size": 3, "dilation_rate": 2, "use_bias": False} | FIRST,
        (3, 4),
    ),
    ("Conv2DTranspose", {"filters": 2, "kernel_size": 3}, (3, 4, 3)),
    (
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": 3, "strides": 2, "activation": "relu"} | SAME,
        (3, 2, 3),
    ),
    (
        "Conv2DTranspose",
        {"filters": 1, "kernel_size": 4, "strides": 2} | SAME,
        (2, 3, 3),
    ),
    (
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": (5, 2), "strides": (3, 2)}
        | {"output_padding": (2, 0)},
        (2, 3, 2),
    ),
    (
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": (2, 3), "strides": (3, 2)}
        | {"output_padding": (0, 1)}
        | SAME
        | FIRST,
        (2, 3, 2),
    ),
    (
        "Conv2DTranspose",
        {"filters": 2, "kernel_size": 2, "dilation_rate": (2, 3)} | SAME,
        (3, 4, 2),
    ),
    (
        "Conv2DTranspose",
        {"filters": 3, "kernel_size": 2, "activation": "softmax"} | FIRST,
        (2, 2, 3),
    ),
    ("Conv3DTranspose", {"filters": 2, "kernel_size": 2}, (2, 1, 3, 2)),
    (
        "Conv3DTranspose",
        {"filters": 1, "kernel_size": (3, 2, 3), "strides": (2, 1, 2)}
        | {"activation": "relu"}
        | SAME,
        (2, 2, 2, 2),
    ),
    (
        "Conv3DTranspose",
        {"filters": 2, "kernel_size": 1, "strides": 2, "output_padding": 1} | FIRST,
        (1, 1, 2, 2),
    ),
    ("DepthwiseConv1D", {"kernel_size": 3}, (6, 3)),
    (
        "DepthwiseConv1D",
        {"kernel_size": 2, "strides": 3, "depth_multiplier": 2, "activation": "relu"}
        | SAME,
        (7, 2),
    ),
    ("DepthwiseConv1D", {"kernel_size": 3, "dilation_rate": 2} | FIRST, (2, 7)),
    ("DepthwiseConv2D", {"kernel_size": 3}, (4, 5, 2)),
    (
        "DepthwiseConv2D",
        {"kernel_size": 3, "strides": 2, "depth_multiplier": 2, "activation": "relu"}
        | SAME,
        (5, 4, 2),
    ),
    (
        "DepthwiseConv2D",
        {"kernel_size": (2, 3), "dilation_rate": (1, 2), "use_bias": False} | SAME,
        (3, 5, 2),
    ),
    ("DepthwiseConv2D", {"kernel_size": 2, "depth_multiplier": 3} | FIRST, (2, 3, 4)),
    ("DepthwiseConv2D", {"kernel_size": 1, "activation": "softmax"} | FIRST, (2, 3, 2)),
    ("SeparableConv1D", {"filters": 3, "kernel_size": 3}, (5, 2)),
    (
        "SeparableConv1D",
        {"filters": 2, "kernel_size": 2, "strides": 2, "depth_multiplier": 2}
        | {"activation": "relu"}
        | SAME
        | FIRST,
        (3, 5),
    ),
    ("SeparableConv2D", {"filters": 3, "kernel_size": 3}, (4, 4, 2)),
    (
        "SeparableConv2D",
        {"filters": 2, "kernel_size": 3, "strides": 2, "depth_multiplier": 3}
        | {"activation": "relu"}
        | SAME,
        (5, 4, 2),
    ),
    (
        "SeparableConv2D",
        {"filters": 2, "kernel_size": 2, "dilation_rate": 2, "use_bias": False} | FIRST,
        (3, 4, 3),
    ),
]


def wave(shape, phase):
    count = int(np.prod(shape))
    return np.cos(phase + 1.3 * np.arange(count)).reshape(shape)


def run(layer_class, arguments, shape):
    keras.backend.clear_session()
    layer = getattr(keras.layers, layer_class)(**arguments)
    x = wave((2, *shape), 0.0)
    layer.build(x.shape)
    weights = [wave(w.shape, 1.0 + i) for i, w in enumerate(layer.weights)]

    def loss(x, weights):
        y, _ = layer.stateless_call(weights, [], x)
        return jnp.sum(y * wave(y.shape, 0.5)), y

    gradient = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)
    (_, y), (for_x, for_weights) = gradient(jnp.asarray(x), weights)
    facts = {
        "layer": layer_class,
        "arguments": arguments,
        "input_shape": x.shape,
        "output_shape": layer.compute_output_shape((None, *shape)),
        "weights": [[w.name, w.shape] for w in layer.weights],
        "config": layer.get_config(),
    }
    arrays = {"y": y, "x": for_x, **{str(i): g for i, g in enumerate(for_weights)}}
    return facts, arrays


def transposed_shapes():
    grid = product((1, 2, 4), (1, 2, 3, 4), (1, 2, 3), ("valid", "same"), (1, 2))
    for size, kernel, stride, padding, dilation in grid:
        for extra in (None, *range(stride)):
            x, w = np.ones((1, size, 1)), np.ones((kernel, 1, 1))
            y = keras.ops.conv_transpose(
                x, w, stride, padding, extra, "channels_last", dilation
            )
            yield [size, kernel, stride, padding, extra, dilation, y.shape[1]]


def main():
    cases, arrays = [], {}
    for number, case in enumerate(CASES):
        name = f"{case[0]}_{number}"
        facts, values = run(*case)
        cases.append({"name": name, **facts})
        for key, value in values.items():
            arrays[f"{name}/{key}"] = np.asarray(value).astype(np.float32)
    versions = {"keras": keras.__version__, "jax": jax.__version__}
    result = {
        "versions": {**versions, "numpy": np.__version__},
        "signatures": {
            name: list(inspect.signature(getattr(keras.layers, name)).parameters)
            for name in dict.fromkeys(case[0] for case in CASES)
        },
        "cases": cases,
        "transposed_shapes": list(transposed_shapes()),
    }
    parts = []
    for key, value in result.items():
        rows = isinstance(value, list)
        lines = ",\n  ".join(map(json.dumps, value)) if rows else json.dumps(value)
        parts.append(f' "{key}": ' + (f"[\n  {lines}\n ]" if rows else lines))
    (HERE / "convolutional.json").write_text("{\n" + ",\n".join(parts) + "\n}\n")
    np.savez_compressed(HERE / "convolutional.npz", **arrays)


if __name__ == "__main__":
    main()
