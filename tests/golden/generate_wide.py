"""Write wide.json: convolutions of many channels, as models train in Keras.

Run it with Keras and JAX installed: KERAS_BACKEND=jax python generate_wide.py

Weights and data are not kept: `recipes/wide.py` draws them. wide.json: `versions`,
and for each model of `MODELS`

- `config`: `Sequential.get_config()`
- `predict`: `model.predict(x)`
- `loss`, and `gradients`: of the loss by each weight, `projections` in float64
- `sgd`, `adam`: the losses of ten calls of `train_on_batch`, and `trained`, the
  projections of what each weight moved
"""

import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras
import numpy as np
from recipes.wide import data, projections, weights

HERE = Path(__file__).parent
layers = keras.layers
SAME = {"padding": "same", "activation": "relu"}

MODELS = {
    "small images": (
        (8, 8, 48),
        [
            layers.Conv2D(96, 3, name="first", **SAME),
            layers.Conv2D(128, 3, name="second", **SAME),
            layers.MaxPooling2D(2, name="pool"),
            layers.Conv2D(128, 3, name="third", **SAME),
        ],
    ),
    "large filters": (
        (18, 17, 32),
        [
            layers.Conv2D(64, 5, use_bias=False, padding="same", name="first"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="relu"),
            layers.Conv2D(64, 7, name="second"),
        ],
    ),
    "gaps and edges": (
        (14, 12, 48),
        [
            layers.ZeroPadding2D(((0, 3), (2, 0)), name="zeros"),
            layers.Conv2D(64, (5, 4), activation="tanh", name="first"),
            layers.Conv2D(64, 3, dilation_rate=(2, 1), name="second", **SAME),
        ],
    ),
}
STEPS = 10
OPTIMIZERS = {
    "sgd": {"class_name": "SGD", "config": {"learning_rate": 0.005}},
    "adam": {"class_name": "Adam", "config": {"learning_rate": 0.0001}},
}


def gradients(model, x, y):
    trainable = [w.value for w in model.trainable_variables]
    others = [w.value for w in model.non_trainable_variables]

    def loss(trainable):
        y_pred, _ = model.stateless_call(trainable, others, x, training=True)
        return model.compute_loss(x, y, y_pred)

    value, found = jax.value_and_grad(loss)(trainable)
    return float(value), [projections(g) for g in found]


def answers(shape, own_layers):
    end = [
        layers.GlobalAveragePooling2D(name="mean"),
        layers.Dense(5, activation="softmax", name="end"),
    ]
    model = keras.Sequential([keras.Input(shape), *own_layers, *end])
    x, y = data(model)
    begin = weights(model)
    model.set_weights(begin)
    found = {"config": model.get_config(), "predict": model.predict(x, verbose=0)}
    model.compile("sgd", "sparse_categorical_crossentropy")
    found["loss"], found["gradients"] = gradients(model, x, y)
    for name, optimizer in OPTIMIZERS.items():
        model.set_weights(begin)
        model.compile(
            keras.optimizers.deserialize(optimizer), "sparse_categorical_crossentropy"
        )
        losses = [float(model.train_on_batch(x, y)) for _ in range(STEPS)]
        moved = [a - b for a, b in zip(model.get_weights(), begin, strict=True)]
        found[name] = {"losses": losses, "trained": [projections(m) for m in moved]}
    found["predict"] = [[float(str(v)) for v in row] for row in found["predict"]]
    return found


def main():
    found = {
        "versions": {"keras": keras.__version__, "jax": jax.__version__}
        | {"numpy": np.__version__}
    }
    for name, (shape, own_layers) in MODELS.items():
        found[name] = answers(shape, own_layers)
    text = json.dumps(found, separators=(",", ":"), sort_keys=True)
    (HERE / "wide.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
