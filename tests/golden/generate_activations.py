"""Write activations.json: values, gradients and configs from real Keras, in float64.

Run it with Keras and JAX installed: KERAS_BACKEND=jax python generate_activations.py
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras.src.backend import nn
from keras.src.initializers.random_initializers import compute_fans

jax.config.update("jax_enable_x64", True)
keras.config.set_floatx("float64")

GRID = [-1e4, -100.0, -20.0, -6.0, -5.0, -3.0, -2.5, -2.0, -1.0, -0.75, -0.5, -0.25]
GRID += [-1e-3, 0.0, 1e-3, 0.25, 0.5, 0.75, 1.0, 2.0, 2.5, 3.0, 5.0, 6.0, 20.0, 1e2]
GRID += [1e4]
ROWS = [[1.0, -2.0, 0.5, 0.25], [0.0, 0.0, 0.0, 0.0], [1e4, -1e4, 3.0, 0.0]]
ROWS += [[-20.0, -21.0, -19.5, -22.0]]
APART = [[3.0, 0.5, -1.0, 1.5], [-1e4, 0.0, 1e4, 5.0], [-4.5, -3.0, -9.0, -5.0]]
MATRIX = [[0.5, -1.5, 0.0, 2.0], [-0.25, 0.0, 0.75, -3.0], [1.0, 1.0, -1.0, 0.125]]

ELEMENTWISE = [
    ("linear", {}),
    ("relu", {}),
    ("relu", {"negative_slope": 0.1}),
    ("relu", {"max_value": 3.0}),
    ("relu", {"max_value": 6}),
    ("relu", {"threshold": 1.0}),
    ("relu", {"threshold": -1.0}),
    ("relu", {"negative_slope": 0.25, "max_value": 5.0}),
    ("relu", {"negative_slope": 0.25, "max_value": 6}),
    ("relu", {"negative_slope": 0.5, "threshold": 1.0}),
    ("relu", {"max_value": 3.0, "threshold": 1.0}),
    ("relu", {"max_value": 6, "threshold": 1.0}),
    ("relu", {"negative_slope": 0.5, "max_value": 3.0, "threshold": -1.0}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.5}),
    ("relu6", {}),
    ("elu", {}),
    ("elu", {"alpha": 0.5}),
    ("selu", {}),
    ("celu", {}),
    ("celu", {"alpha": 0.5}),
    ("softplus", {}),
    ("softsign", {}),
    ("squareplus", {}),
    ("squareplus", {"b": 1}),
    ("soft_shrink", {}),
    ("soft_shrink", {"threshold": 1.0}),
    ("hard_shrink", {}),
    ("hard_shrink", {"threshold": 1.0}),
    ("sparse_plus", {}),
    ("silu", {}),
    ("gelu", {}),
    ("gelu", {"approximate": True}),
    ("tanh", {}),
    ("tanh_shrink", {}),
    ("threshold", {"threshold": 0.5, "default_value": 2.0}),
    ("sigmoid", {}),
    ("exponential", {}),
    ("hard_sigmoid", {}),
    ("hard_silu", {}),
    ("hard_tanh", {}),
    ("mish", {}),
    ("log_sigmoid", {}),
    ("sparse_sigmoid", {}),
]
ALONG_AXIS = [
    ("softmax", {}, ROWS),
    ("softmax", {"axis": 0}, ROWS),
    ("log_softmax", {}, ROWS),
    ("log_softmax", {"axis": 0}, ROWS),
    ("glu", {}, ROWS),
    ("glu", {"axis": 0}, ROWS),
    ("sparsemax", {}, APART),  # one winner: with more, Keras 3.15.1 is wrong (#23425)
]
REGULARIZERS = [
    keras.regularizers.L1(),
    keras.regularizers.L1(0.5),
    keras.regularizers.L2(),
    keras.regularizers.L2(0.5),
    keras.regularizers.L1L2(),
    keras.regularizers.L1L2(l1=0.25, l2=0.125),
    keras.regularizers.OrthogonalRegularizer(),
    keras.regularizers.OrthogonalRegularizer(0.5, mode="columns"),
]
CONSTRAINTS = [
    keras.constraints.MaxNorm(),
    keras.constraints.MaxNorm(1.0, axis=1),
    keras.constraints.MaxNorm(1.5, axis=[0, 1]),
    keras.constraints.NonNeg(),
    keras.constraints.UnitNorm(),
    keras.constraints.UnitNorm(axis=1),
    keras.constraints.MinMaxNorm(),
    keras.constraints.MinMaxNorm(2.5, 3.0, rate=0.5, axis=1),
]
INITIALIZERS = [
    keras.initializers.Zeros(),
    keras.initializers.Ones(),
    keras.initializers.Constant(0.5),
    keras.initializers.Identity(2.0),
    keras.initializers.RandomNormal(),
    keras.initializers.RandomNormal(1.0, 0.5, seed=3),
    keras.initializers.RandomUniform(),
    keras.initializers.RandomUniform(-1.0, 2.0, seed=3),
    keras.initializers.TruncatedNormal(),
    keras.initializers.VarianceScaling(),
    keras.initializers.VarianceScaling(2.0, "fan_out", "uniform", seed=3),
    keras.initializers.GlorotUniform(),
    keras.initializers.GlorotUniform(seed=3),
    keras.initializers.GlorotNormal(),
    keras.initializers.LecunUniform(),
    keras.initializers.LecunNormal(),
    keras.initializers.HeUniform(),
    keras.initializers.HeNormal(),
    keras.initializers.Orthogonal(),
    keras.initializers.Orthogonal(2.0, seed=3),
    keras.initializers.STFT(),
    keras.initializers.STFT("imag", "hamming", "spectrum", True),
]
STFTS = [
    ("real", "hann", "density", False),
    ("imag", "hamming", "spectrum", True),
    ("imag", None, "density", False),
    ("real", "blackman", None, True),
    ("real", "nuttall", "density", False),
    ("real", "blackmanharris", "density", False),
    ("real", "boxcar", "spectrum", False),
]
FANS = [(), (7,), (3, 5), (3, 4, 5), (3, 3, 4, 5), (2, 3, 3, 4, 5)]


def cotangent(shape):
    """A gradient that differs from cell to cell."""
    count = int(np.prod(shape))
    return (0.5 + np.arange(count, dtype="float64") / count).reshape(shape)


def lists(array):
    assert array.dtype == "float64", array.dtype
    return np.asarray(array).tolist()


def with_gradient(function, x):
    x = jnp.asarray(x, "float64")
    y, pullback = jax.vjp(function, x)
    assert y.dtype == x.dtype, (function, y.dtype)
    (gradient,) = pullback(jnp.asarray(cotangent(y.shape)))
    return {"value": lists(y), "gradient": lists(gradient)}


def activation_cases():
    for name, arguments in ELEMENTWISE:
        yield name, arguments, "grid", GRID
    for name, arguments, x in ALONG_AXIS:
        yield name, arguments, "apart" if x is APART else "rows", x


def main():
    activations = []
    for name, arguments, where, x in activation_cases():
        function = getattr(keras.activations, name)
        if name == "tanh":
            function = nn.tanh  # keras.ops.tanh rounds float64 to float32
        case = with_gradient(lambda x, f=function, a=arguments: f(x, **a), x)
        activations.append({"name": name, "arguments": arguments, "x": where, **case})
    golden = {
        "keras": keras.__version__,
        "grid": GRID,
        "rows": ROWS,
        "apart": APART,
        "matrix": MATRIX,
        "activations": activations,
        "regularizers": [
            {
                "config": keras.regularizers.serialize(member),
                **with_gradient(member, MATRIX),
            }
            for member in REGULARIZERS
        ],
        "constraints": [
            {
                "config": keras.constraints.serialize(member),
                "value": lists(member(jnp.asarray(MATRIX, "float64"))),
            }
            for member in CONSTRAINTS
        ],
        "initializers": [keras.initializers.serialize(m) for m in INITIALIZERS],
        "stft": [
            {"arguments": a, "value": lists(keras.initializers.STFT(*a)((6, 1, 5)))}
            for a in STFTS
        ],
        "fans": [[shape, compute_fans(shape)] for shape in FANS],
    }
    path = Path(__file__).with_name("activations.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
