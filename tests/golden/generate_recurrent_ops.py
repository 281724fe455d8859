"""Write recurrent_ops.json and recurrent_ops.npz: recurrent layers of real Keras.

Outputs, last states, and gradients of a loss on both, in float64: by the input, the
weights (kernel, recurrent kernel, bias) and the initial states.

Run it with Keras and JAX installed:
KERAS_BACKEND=jax python generate_recurrent_ops.py
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

dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # as on TensorFlow
jax.config.update("jax_enable_x64", True)

BATCH, STEPS, FEATURES, UNITS = 3, 4, 2, 3
CELLS = [
    ("SimpleRNN", 1, {}),
    ("LSTM", 4, {}),
    ("GRU", 3, {}),
    ("GRU", 3, {"reset_after": False}),
]
# at the start, in the middle and at the end; one sequence has nothing else
MASK = np.array([[0, 1, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]], bool)
OTHERS = [  # arguments, mask, initial states, recurrent dropout
    ({}, False, False, False),
    ({}, True, True, False),
    ({"return_sequences": False}, True, False, False),
    ({"go_backwards": True}, False, True, False),
    ({"go_backwards": True}, True, True, False),
    ({"zero_output_for_mask": True}, True, True, False),
    ({"zero_output_for_mask": True, "return_sequences": False}, True, True, False),
    ({"use_bias": False}, False, False, False),
    ({"activation": "relu"}, False, True, False),
    ({"activation": "sigmoid"}, False, True, False),
    ({"activation": "linear"}, True, False, False),
    ({"recurrent_activation": "hard_sigmoid"}, True, True, False),
    ({}, True, True, True),
]

arrays = {}
rng = np.random.default_rng(31)


def case(index, name, gates, arguments, masked, started, dropped):
    arguments = {"return_sequences": True, "return_state": True, **arguments}
    if dropped:
        arguments["recurrent_dropout"] = 0.5
    zero = arguments.pop("zero_output_for_mask", False)
    layer = getattr(keras.layers, name)(UNITS, dtype="float64", **arguments)
    layer.zero_output_for_mask = zero
    layer.build((BATCH, STEPS, FEATURES))
    x = rng.normal(size=(BATCH, STEPS, FEATURES))
    weights = [rng.normal(size=v.shape) for v in layer.trainable_variables]
    count = 2 if name == "LSTM" else 1
    states = [rng.normal(size=(BATCH, UNITS)) for _ in range(count if started else 0)]
    factors = 2.0 * (rng.random((gates, BATCH, UNITS)) < 0.5)
    fixed = [v.value for v in layer.non_trainable_variables]

    def run(x, weights, states):
        if dropped:  # the masks that the layer would draw
            own = [jnp.asarray(factor) for factor in factors]
            layer.cell._recurrent_dropout_mask = own if gates > 1 else own[0]
        given = {"initial_state": states} if started else {}
        given["mask"] = jnp.asarray(MASK) if masked else None
        result, _ = layer.stateless_call(weights, fixed, x, training=dropped, **given)
        return result

    results = run(jnp.asarray(x), weights, states)
    slopes = [rng.normal(size=value.shape) for value in results]

    def loss(*inputs):
        pairs = zip(run(*inputs), slopes, strict=True)
        return sum((value * slope).sum() for value, slope in pairs)

    inputs = jnp.asarray(x), weights, states
    dx, dw, ds = jax.grad(loss, (0, 1, 2))(*inputs)
    stored = {
        "x": [x],
        "weights": weights,
        "states": states,
        "factors": [factors] if dropped else [],
        "results": results,
        "slopes": slopes,
        "dx": [dx],
        "dweights": dw,
        "dstates": ds,
    }
    for key, values in stored.items():
        for i, value in enumerate(values):
            arrays[f"{index}/{key}/{i}"] = np.asarray(value, np.float64)
    arguments.pop("return_state")
    arguments.pop("recurrent_dropout", None)
    return {
        "name": name,
        "arguments": {**arguments, "zero_output_for_mask": zero},
        "masked": masked,
        "counts": {key: len(values) for key, values in stored.items()},
    }


def cases():
    chosen = [
        (name, gates, {**own, **arguments}, *rest)
        for name, gates, own in CELLS
        for arguments, *rest in OTHERS
        if name != "SimpleRNN" or "recurrent_activation" not in arguments
    ]
    return [case(i, *one) for i, one in enumerate(chosen)]


if __name__ == "__main__":
    keras.config.set_floatx("float64")
    found = cases()
    index, start = {}, 0
    for key, value in arrays.items():
        index[key] = [start, list(value.shape)]
        start += value.size
    content = {
        "versions": {"keras": keras.__version__, "jax": jax.__version__},
        "mask": MASK.tolist(),
        "cases": found,
        "index": index,
    }
    here = Path(__file__).parent
    text = json.dumps(content, separators=(",", ":"))
    (here / "recurrent_ops.json").write_text(text + "\n")
    flat = np.concatenate([value.ravel() for value in arrays.values()])
    np.savez_compressed(here / "recurrent_ops.npz", values=flat)
