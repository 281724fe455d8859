"""Write small_layers.json: activation, embedding and einsum layers of real Keras.

Configs in float32; values and gradients in float64, of the input (where it is
real) and of every weight, for the cotangent 0.5 + k / n over the n outputs.

Run it with Keras and JAX installed: KERAS_BACKEND=jax python generate_small_layers.py
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
from keras import layers

jax.config.update("jax_enable_x64", True)

MASKS = {
    "row": [[True, False, True, True]],
    "full": [[True, True, False, True], [False] * 4, [True] * 4],
    "numbers": [[1.0, 0.5, 0.51, 0.0]],
    "column": [[1], [0], [1]],
}
REGULARIZED = {"class_name": "L2", "config": {"l2": 0.25}}
NON_NEGATIVE = {"class_name": "NonNeg", "config": {}}

# class, arguments, shape of the input with its batch, name of a mask
CASES = [
    ("ReLU", {}, (3, 4), None),
    ("ReLU", {"max_value": 1.0}, (3, 4), None),
    ("ReLU", {"max_value": 6, "negative_slope": 0.5}, (3, 4), None),
    ("ReLU", {"negative_slope": 0.25, "threshold": 0.75}, (3, 4), None),
    ("LeakyReLU", {}, (3, 4), None),
    ("LeakyReLU", {"negative_slope": 0.5}, (2, 3, 4), None),
    ("ELU", {}, (3, 4), None),
    ("ELU", {"alpha": 0.5}, (3, 4), None),
    ("PReLU", {}, (3, 4), None),
    ("PReLU", {"shared_axes": 1}, (2, 3, 4), None),
    ("PReLU", {"shared_axes": [1, 2]}, (2, 3, 2, 3), None),
    (
        "PReLU",
        {
            "shared_axes": [3],
            "alpha_initializer": "ones",
            "alpha_regularizer": REGULARIZED,
            "alpha_constraint": NON_NEGATIVE,
        },
        (2, 3, 2, 2),
        None,
    ),
    ("Softmax", {}, (3, 4), None),
    ("Softmax", {"axis": 1}, (2, 3, 4), None),
    ("Softmax", {"axis": [1, 2]}, (2, 3, 4), None),
    ("Softmax", {"axis": [1]}, (3, 4), None),
    *[("Softmax", {}, (3, 4), mask) for mask in MASKS],
    ("Softmax", {"axis": [-1, -2]}, (2, 3, 4), "full"),
    ("Identity", {}, (3, 4), None),
    ("ActivityRegularization", {"l1": 0.25, "l2": 0.5}, (3, 4), None),
    ("Embedding", {"input_dim": 5, "output_dim": 3}, (4, 6), None),
    ("Embedding", {"input_dim": 7, "output_dim": 1, "mask_zero": True}, (3,), None),
    (
        "Embedding",
        {
            "input_dim": 3,
            "output_dim": 2,
            "embeddings_initializer": "ones",
            "embeddings_regularizer": REGULARIZED,
            "embeddings_constraint": NON_NEGATIVE,
        },
        (2, 3, 4),
        None,
    ),
]
EQUATIONS = [
    ("ab,bc->ac", 3, None, (2, 4)),
    ("ab,bc->ac", 3, "c", (2, 4)),
    ("abc,cd->abd", (None, 3), "d", (2, 5, 4)),
    ("abc,cd->abd", (5, 3), "bd", (2, 5, 4)),
    ("abc,cd->abd", (5, 3), "b", (2, 5, 4)),
    ("abc,cde->abde", (None, 2, 3), "de", (2, 5, 4)),
    ("abde,dec->abc", (None, 3), "c", (2, 5, 2, 3)),
    ("abde,dec->abc", (None, 3), None, (1, 1, 2, 3)),
    ("abc,bde->acde", (4, 2, 3), "e", (2, 5, 4)),
    ("abc,bd->acd", (4, 3), "cd", (2, 5, 4)),
    ("abc,d->abcd", (5, 4, 3), "d", (2, 5, 4)),
    ("ab,b->ab", 4, "b", (2, 4)),
    ("abc,c->ab", (5,), None, (2, 5, 4)),
    ("abc,bcd->abd", (5, 3), "bd", (2, 5, 4)),
    ("...x,xy->...y", 3, "y", (2, 4)),
    ("...x,xy->...y", 3, "y", (2, 5, 4)),
    ("...x,xy->...y", 3, None, (2, 5, 2, 4)),
    ("...ab,bc->...ac", (5, 3), "ac", (2, 5, 4)),
    ("...ab,bc->...ac", (5, 3), "c", (2, 3, 5, 4)),
    ("ab...,bc->ac...", 3, "c", (2, 4)),
    ("ab...,bc->ac...", 3, "c", (2, 4, 5)),
    ("ab...,bc->ac...", 3, "c", (2, 4, 2, 3)),
    ("abc...,cd->abd...", (5, 3), "bd", (2, 5, 4, 2)),
]


def cases():
    yield from CASES
    for equation, output_shape, bias_axes, shape in EQUATIONS:
        arguments = {"equation": equation, "output_shape": output_shape}
        if bias_axes:
            arguments["bias_axes"] = bias_axes
            arguments["bias_initializer"] = "ones"
        if output_shape == 3:
            arguments["activation"] = "sigmoid"  # keras.ops.tanh rounds float64
        yield "EinsumDense", arguments, shape, None


def ramp(shape, low, high):
    """Numbers from low to high, in an order without a pattern; 0 is among them."""
    count = int(np.prod(shape))
    order = np.random.RandomState(count).permutation(count)
    values = np.linspace(low, high, count)[order]
    values[np.argmin(np.abs(values))] = 0
    return values.reshape(shape)


def lists(array):
    return np.asarray(array).tolist()


def answer(name, arguments, shape, mask):
    single = getattr(layers, name)(**arguments, name="it")
    layer = getattr(layers, name)(**arguments, name="it", dtype="float64")
    if name == "Embedding":
        x = np.random.RandomState(1).randint(0, arguments["input_dim"], shape)
    else:
        x = ramp(shape, -3, 3)
    call = {} if mask is None else {"mask": jnp.asarray(MASKS[mask])}
    layer(x, **call)
    layer.set_weights([ramp(w.shape, -1, 1.5) for w in layer.weights])

    def run(x, weights):
        return layer.stateless_call(weights, [], x, **call)[0]

    weights = [w.value for w in layer.trainable_variables]
    y = run(jnp.asarray(x), weights)
    assert y.dtype == "float64", (name, arguments, y.dtype)
    cotangent = (0.5 + np.arange(y.size) / y.size).reshape(y.shape)
    if name == "Embedding":
        _, pullback = jax.vjp(lambda w: run(x, w), weights)
        (by_weights,) = pullback(jnp.asarray(cotangent))
        by_input = None
    else:
        _, pullback = jax.vjp(run, jnp.asarray(x), weights)
        by_input, by_weights = pullback(jnp.asarray(cotangent))
    layer(x, **call)
    case = {
        "layer": name,
        "arguments": arguments,
        "mask": mask,
        "config": single.get_config(),
        "x": lists(x),
        "y": lists(y),
        "grad_x": None if by_input is None else lists(by_input),
        "weights": [
            {
                "name": w.name,
                "shape": w.shape,
                "value": lists(w.value),
                "grad": lists(g),
            }
            for w, g in zip(layer.weights, by_weights, strict=True)
        ],
        "losses": [float(loss) for loss in layer.losses],
    }
    computed = layer.compute_mask(jnp.asarray(x), None) if name == "Embedding" else None
    if computed is not None:
        case["computed_mask"] = lists(computed)
    return case


def configs():
    made = [
        layers.SpatialDropout1D(0.5, name="it"),
        layers.SpatialDropout2D(0.5, "channels_first", seed=3, name="it"),
        layers.SpatialDropout3D(0.25, name="it"),
        layers.GaussianNoise(0.5, name="it"),
        layers.GaussianDropout(0.5, seed=3, name="it"),
        layers.AlphaDropout(0.5, noise_shape=(None, 1), name="it"),
        layers.Dropout(0.5, noise_shape=(None, 1), seed=3, name="it"),
    ]
    return [{"layer": type(m).__name__, "config": m.get_config()} for m in made]


def main():
    golden = {
        "keras": keras.__version__,
        "masks": MASKS,
        "cases": [answer(*case) for case in cases()],
        "configs": configs(),
    }
    path = Path(__file__).with_name("small_layers.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
