"""Write attention.json and attention.npz: attention and merging layers of real Keras.

Layers are called in float64; Keras on JAX takes the softmax of its fused attention in
float32 nevertheless ("single" below): such values are good to 1e-6. Inputs, weights and
cotangents are `recipes.transformer.numbers`, from seeds that the test counts likewise.

Run it with Keras and JAX installed: KERAS_BACKEND=jax python generate_attention.py
"""

import itertools
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras.src import backend
from keras.src.backend.common import dtypes
from recipes import transformer
from recipes.transformer import numbers

# As in generate_normalization.py: otherwise Keras rounds float64 in some functions.
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
jax.config.update("jax_enable_x64", True)

MHA, GQA, DOT, ADD = (
    "MultiHeadAttention",
    "GroupQueryAttention",
    "Attention",
    "AdditiveAttention",
)
Q, V, K = (2, 3, 5), (2, 4, 4), (2, 4, 3)
GRID = (2, 3, 4, 5)
HEADS = {"num_heads": 2, "key_dim": 3}
GROUPS = {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2}
L2 = {"class_name": "L2", "config": {"l2": 0.25}}
MASKS = {
    "query": [[1, 1, 0], [1, 0, 0]],
    "value": [[1, 0, 1, 1], [1, 1, 0, 0]],
    "none": [[1, 0, 1, 1], [0, 0, 0, 0]],
    "key": [[1, 1, 0, 1], [0, 1, 1, 1]],
    "pairs": [
        [[1, 0, 0, 1], [1, 1, 1, 1], [0, 0, 0, 0]],
        [[0, 1, 0, 0], [1, 1, 0, 1], [1, 0, 1, 0]],
    ],
    "shared": [[[1, 0, 0, 1], [1, 1, 1, 1], [0, 1, 0, 0]]],
    "heads": [[[[1, 0, 0, 1]] * 3, [[1, 1, 1, 0]] * 3]],
    "steps": [[[1, 0, 1]] * 3, [[0, 1, 1]] * 3],
    "features": [[[1, 0, 1, 1]] * 4, [[0, 1, 1, 0]] * 4],
}
SCORES = {"return_attention_scores": True}
CAUSAL = {"use_causal_mask": True}

# class, arguments, shapes of the inputs, call; masks in a call are names above
HEADED = [
    (MHA, HEADS, (Q, V), {}),
    (MHA, HEADS, (Q, V, K), {}),
    (MHA, HEADS, (Q, V, K), SCORES),
    # Without the scores, Keras on JAX refuses a value_dim that is not the key_dim.
    (MHA, {**HEADS, "value_dim": 2}, (Q, V), SCORES),
    (MHA, {**HEADS, "value_dim": 4, "use_bias": False}, (Q, V), SCORES),
    (MHA, {**HEADS, "output_shape": 3}, (Q, V), {}),
    (MHA, {**HEADS, "output_shape": (2, 3)}, (Q, V), SCORES),
    (MHA, {**HEADS, "use_gate": True}, (Q, V), {}),
    (MHA, {**HEADS, "use_gate": True, "value_dim": 4}, (Q, V), SCORES),
    (MHA, {"num_heads": 1, "key_dim": 1}, ((1, 1, 1), (1, 1, 1)), {}),
    *[
        (MHA, HEADS, (Q, V), {**call, **more})
        for call in (
            CAUSAL,
            {"value_mask": "value"},
            {"value_mask": "none"},
            {"query_mask": "query", "value_mask": "value"},
            {"attention_mask": "pairs"},
            {"attention_mask": "shared", "value_mask": "value", **CAUSAL},
            {"attention_mask": "heads"},
        )
        for more in ({}, SCORES)
    ],
    (MHA, HEADS, (Q, V, K), {"value_mask": "value", "key_mask": "key"}),
    (MHA, {**HEADS, "sliding_window": 1}, (Q, V), {}),
    (MHA, {**HEADS, "sliding_window": 2}, (Q, V), CAUSAL),
    (MHA, {**HEADS, "sliding_window": 2}, (Q, V), SCORES),
    *[
        (MHA, {**HEADS, "attention_axes": axes}, (GRID, GRID), call)
        for axes in (None, 1, (2,), (1, 2), -2)
        for call in ({}, SCORES)
    ],
    (MHA, {**HEADS, "attention_axes": 1}, (GRID, GRID), {"attention_mask": "steps"}),
    (MHA, {**HEADS, "attention_axes": 2}, (GRID, GRID), {"attention_mask": "features"}),
    (MHA, {**HEADS, "attention_axes": 1}, (GRID, GRID), CAUSAL),
    (
        MHA,
        {
            **HEADS,
            "kernel_regularizer": L2,
            "bias_regularizer": L2,
            "activity_regularizer": L2,
            "bias_initializer": "ones",
            "seed": 3,
        },
        (Q, V),
        {},
    ),
    (GQA, GROUPS, (Q, V), {}),
    (GQA, GROUPS, (Q, V, K), SCORES),
    (GQA, {**GROUPS, "use_gate": True}, (Q, V), {"attention_mask": "pairs"}),
    (GQA, {**GROUPS, "use_gate": True}, (Q, V), {"attention_mask": "pairs", **SCORES}),
    (GQA, {**GROUPS, "num_key_value_heads": 1, "use_bias": False}, (Q, V), CAUSAL),
    (GQA, {**GROUPS, "num_key_value_heads": 4, "sliding_window": 2}, (Q, V), SCORES),
    (GQA, GROUPS, (Q, V), {"query_mask": "query", "value_mask": "none"}),
    (GQA, {**GROUPS, "activity_regularizer": L2}, (Q, V), {}),
]
S, T = (2, 3, 4), (2, 4, 4)
LISTED = [
    (name, arguments, shapes, call)
    for name, arguments in (
        (DOT, {}),
        (DOT, {"use_scale": True}),
        (DOT, {"score_mode": "concat"}),
        (DOT, {"score_mode": "concat", "use_scale": True}),
        (ADD, {}),
        (ADD, {"use_scale": False}),
    )
    for shapes, call in (
        ((S, T), {}),
        ((S, (2, 4, 6), T), {**SCORES}),
        ((S, T), {"mask": ["query", "value"], **CAUSAL}),
        ((S, T), {"mask": [None, "none"], **SCORES}),
    )
]
ONE, TWO = [[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [1, 0, 0]]
A, B = (2, 3, 4), (2, 1, 4)
MERGES = [
    *[
        (name, {}, shapes, masks)
        for name, (shapes, masks) in itertools.product(
            ("Add", "Multiply", "Average", "Maximum", "Minimum"),
            (
                ((A, A), None),
                ((A, B, A), None),
                ((A, (2, 4)), None),
                ((A, A), [ONE, TWO]),
                ((A, A), [ONE, None]),
                ((A, A, A), [None, ONE, TWO]),
                ((A, A, A), [ONE, TWO, TWO]),
            ),
        )
    ],
    ("Subtract", {}, (A, B), None),
    ("Subtract", {}, (A, A), [ONE, TWO]),
    ("Add", {}, (A,), None),
    ("Concatenate", {}, (A, (2, 3, 2)), None),
    ("Concatenate", {"axis": 1}, (A, B, A), None),
    ("Concatenate", {"axis": -2}, (A, A), [ONE, TWO]),
    ("Concatenate", {}, (A, (2, 3, 1)), [ONE, TWO]),
    ("Concatenate", {"axis": 1}, (A, B), [ONE, None]),
    ("Dot", {"axes": 1}, ((2, 3), (2, 3)), None),
    ("Dot", {"axes": -1, "normalize": True}, ((2, 3), (2, 3)), None),
    ("Dot", {"axes": (1, 2)}, ((2, 3, 5), (2, 4, 3)), None),
    ("Dot", {"axes": (2, 1), "normalize": True}, ((2, 3, 5), (2, 5, 4)), None),
    ("Dot", {"axes": (1, 1)}, ((2, 3), (2, 3, 4)), None),
    ("Dot", {"axes": (2, 1)}, ((2, 4, 3), (2, 3)), None),
    ("Dot", {"axes": (-1, 2)}, ((2, 2, 4, 3), (2, 2, 3, 2)), None),
    ("Dot", {"axes": 2}, ((2, 2, 3), (2, 4, 3, 2)), None),
]
# shapes of query, key and value; options, where arrays are shapes or names of masks
PRODUCTS = [
    ((2, 3, 2, 4), (2, 5, 2, 4), (2, 5, 2, 4), {}),
    ((2, 3, 2, 4), (2, 5, 2, 4), (2, 5, 2, 4), {"is_causal": True, "scale": 0.7}),
    ((2, 3, 4, 3), (2, 4, 2, 3), (2, 4, 2, 3), {"bias": (2, 4, 3, 4)}),
    ((2, 3, 2, 3), (2, 4, 1, 3), (2, 4, 1, 3), {"bias": (1, 1, 3, 4)}),
    ((2, 3, 2, 3), (2, 4, 2, 3), (2, 4, 2, 3), {"mask": "heads", "is_causal": True}),
]


class Store:
    """Arrays by name, all in one vector."""

    def __init__(self):
        self.index, self.parts, self.size = {}, [], 0

    def add(self, name, array):
        array = np.asarray(array, "float64")
        self.index[name] = [self.size, list(array.shape)]
        self.parts.append(array.ravel())
        self.size += array.size


def mask_of(name):
    return None if name is None else jnp.asarray(MASKS[name], bool)


def several(shapes, seed):
    return [jnp.asarray(numbers(shape, seed + k)) for k, shape in enumerate(shapes)]


def layer_case(key, case, store, listed):
    name, arguments, shapes, call = case
    keras.utils.clear_session()
    layer = getattr(keras.layers, name)(**arguments, dtype="float64")
    before = getattr(keras.layers, name)(**arguments, name="it").get_config()
    inputs = several(shapes, 10)
    options = {
        k: [mask_of(m) for m in v]
        if k == "mask"
        else mask_of(v)
        if isinstance(v, str)
        else v
        for k, v in call.items()
    }
    attached = None if listed else options.pop("query_mask", None)

    def call_it(*arrays):
        if attached is not None:
            backend.set_keras_mask(arrays[0], attached)
        return layer([*arrays], **options) if listed else layer(*arrays, **options)

    call_it(*inputs)
    weights = [numbers(w.shape, 50 + k) for k, w in enumerate(layer.weights)]
    layer.set_weights(weights)
    outputs = call_it(*inputs)
    many = isinstance(outputs, tuple)
    outputs = outputs if many else (outputs,)
    mask = backend.get_keras_mask(outputs[0])
    for k, y in enumerate(outputs):
        store.add(f"{key}/y{k}", y)
    losses = [float(loss) for loss in layer.losses]

    def run(arrays, weights):
        variables = zip(layer.trainable_variables, weights, strict=True)
        with backend.StatelessScope(state_mapping=list(variables)):
            got = call_it(*arrays)
        return got if many else (got,)

    cotangents = several([y.shape for y in outputs], 90)
    _, pullback = jax.vjp(run, inputs, [v.value for v in layer.trainable_variables])
    by_inputs, by_weights = pullback(tuple(cotangents))
    for k, g in enumerate(by_inputs):
        store.add(f"{key}/x{k}", g)
    for k, g in enumerate(by_weights):
        store.add(f"{key}/w{k}", g)
    single = (
        not listed and "return_attention_scores" not in call and len(shapes[0]) == 3
    )
    built = layer.get_config()
    return {
        "key": key,
        "layer": name,
        "arguments": arguments,
        "shapes": shapes,
        "call": call,
        "single": single,
        "weights": [[w.path, list(w.shape)] for w in layer.weights],
        "losses": losses,
        "mask": None if mask is None else np.asarray(mask).tolist(),
        "config": before,
        "built_axes": built.get("attention_axes"),
    }


def merge_case(key, case, store):
    name, arguments, shapes, masks = case
    layer = getattr(keras.layers, name)(**arguments, dtype="float64", name="it")
    inputs = several(shapes, 10)

    def run(*arrays):
        for x, mask in zip(arrays, masks or [None] * len(arrays), strict=True):
            if mask is not None:
                backend.set_keras_mask(x, jnp.asarray(mask, bool))
        return layer([*arrays])

    y = run(*inputs)
    mask = backend.get_keras_mask(y)
    _, pullback = jax.vjp(run, *inputs)
    store.add(f"{key}/y", y)
    for k, g in enumerate(pullback(jnp.asarray(numbers(y.shape, 90)))):
        store.add(f"{key}/x{k}", g)
    shape = layer.compute_output_shape([(None, *s[1:]) for s in shapes])
    config = getattr(keras.layers, name)(**arguments, name="it").get_config()
    return {
        "key": key,
        "layer": name,
        "arguments": arguments,
        "shapes": shapes,
        "masks": masks,
        "mask": None if mask is None else np.asarray(mask).tolist(),
        "output_shape": shape,
        "config": config,
    }


def product_case(key, case, store):
    *shapes, options = case
    arrays = several(shapes, 10)
    if "bias" in options:
        arrays.append(jnp.asarray(numbers(options["bias"], 30)))
    rest = {k: v for k, v in options.items() if k != "bias"}
    if "mask" in rest:
        rest["mask"] = mask_of(rest["mask"])

    def run(*arrays):
        return keras.ops.nn.dot_product_attention(*arrays, **rest)

    y, pullback = jax.vjp(run, *arrays)
    store.add(f"{key}/y", y)
    for k, g in enumerate(pullback(jnp.asarray(numbers(y.shape, 90)))):
        store.add(f"{key}/x{k}", g)
    return {"key": key, "shapes": shapes, "options": options}


def transformer_case(key, mask_zero, store):
    keras.utils.clear_session()
    model = transformer.model(keras, mask_zero=mask_zero)
    x, y = transformer.data()
    model(x)
    model.set_weights(
        [numbers(w.shape, 50 + k, 0.5) for k, w in enumerate(model.weights)]
    )
    store.add(f"{key}/predict", model.predict(x, verbose=0))

    def loss(weights):
        outputs, _ = model.stateless_call(weights, [], jnp.asarray(x), training=True)
        return keras.ops.mean(
            keras.losses.sparse_categorical_crossentropy(jnp.asarray(y), outputs)
        )

    kept = list(model.non_trainable_variables)
    if kept:
        raise ValueError(kept)
    gradients = jax.grad(loss)([v.value for v in model.trainable_variables])
    for k, g in enumerate(gradients):
        store.add(f"{key}/w{k}", g)
    losses = [float(model.train_on_batch(x, y)) for _ in range(3)]
    for k, w in enumerate(model.get_weights()):
        store.add(f"{key}/after{k}", w)
    lines = []
    model.summary(print_fn=lambda line, **_: lines.append(line))
    return {
        "key": key,
        "mask_zero": mask_zero,
        "weights": [[w.path, list(w.shape)] for w in model.weights],
        "losses": losses,
        "count_params": model.count_params(),
        "layers": [layer.name for layer in model.layers],
    }


def main():
    store = Store()
    golden = {
        "keras": keras.__version__,
        "masks": MASKS,
        "headed": [
            layer_case(f"h{k}", case, store, False) for k, case in enumerate(HEADED)
        ],
        "listed": [
            layer_case(f"l{k}", case, store, True) for k, case in enumerate(LISTED)
        ],
        "merges": [merge_case(f"m{k}", case, store) for k, case in enumerate(MERGES)],
        "products": [
            product_case(f"p{k}", case, store) for k, case in enumerate(PRODUCTS)
        ],
        "transformers": [
            transformer_case(f"t{k}", mask_zero, store)
            for k, mask_zero in enumerate((False, True))
        ],
        "index": store.index,
    }
    path = Path(__file__).with_name("attention.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    np.savez_compressed(path.with_suffix(".npz"), values=np.concatenate(store.parts))
    for made in (path, path.with_suffix(".npz")):
        print(f"{made}: {made.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
