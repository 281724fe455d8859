"""Trajectories of the rarer optimizers and values of the schedules, from Keras.

KERAS_BACKEND=jax python tests/golden/generate_optimizers_more.py
"""

import json
from pathlib import Path

import keras
import numpy as np

OPTIMIZERS = {
    "Adadelta": [{}, {"learning_rate": 1.0, "rho": 0.8}],
    "Adafactor": [{}, {"learning_rate": 0.1, "relative_step": False}],
    "Adagrad": [{}, {"learning_rate": 0.1, "initial_accumulator_value": 0.0}],
    "Adamax": [{}, {"learning_rate": 0.05, "beta_1": 0.5}],
    "AdamW": [{}, {"learning_rate": 0.05, "weight_decay": 0.1, "amsgrad": True}],
    "Ftrl": [
        {},
        {
            "learning_rate": 0.1,
            "l1_regularization_strength": 0.01,
            "l2_regularization_strength": 0.02,
            "l2_shrinkage_regularization_strength": 0.03,
            "beta": 0.1,
        },
    ],
    "Lamb": [{}, {"learning_rate": 0.05}],
    "Lion": [{}, {"learning_rate": 0.01, "beta_2": 0.9}],
    "Nadam": [{}, {"learning_rate": 0.05, "beta_1": 0.8}],
}
COMMON = ({}, {"weight_decay": 0.02}, {"clipnorm": 0.5}, {"use_ema": True})
SCHEDULES = [
    ("ExponentialDecay", [0.1, 7, 0.5]),
    ("ExponentialDecay", [0.1, 7, 0.5, True]),
    ("InverseTimeDecay", [0.1, 7, 0.5]),
    ("InverseTimeDecay", [0.1, 7, 0.5, True]),
    ("PolynomialDecay", [0.1, 20]),
    ("PolynomialDecay", [0.1, 20, 0.01, 2.0, True]),
    ("PiecewiseConstantDecay", [[3, 10], [0.1, 0.2, 0.3]]),
    ("CosineDecay", [0.1, 20, 0.1]),
    ("CosineDecay", [0.01, 20, 0.1, "warm", 0.2, 5]),
    ("CosineDecayRestarts", [0.1, 5]),
    ("CosineDecayRestarts", [0.1, 5, 1.0, 0.5, 0.1]),
    ("CosineDecayRestarts", [0.1, 5, 1.5, 0.5, 0.1]),
]
STEPS = 12


def numbers(array):
    return [float(str(np.float32(n))) for n in np.ravel(array)]


def trajectory(name, arguments, weights, gradients):
    keras.utils.clear_session()
    optimizer = getattr(keras.optimizers, name)(**arguments)
    variables = [keras.Variable(w, name=f"v{i}") for i, w in enumerate(weights)]
    for gradient in gradients:
        optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradient], variables)
    return {
        "name": name,
        "arguments": arguments,
        "config": optimizer.get_config(),
        "variables": [v.path for v in optimizer.variables],
        "weights": [numbers(v) for v in variables],
    }


def main():
    rng = np.random.default_rng(0)
    shapes = [(4, 3), (3,), (2, 2, 3)]
    weights = [rng.normal(size=s).astype("float32") for s in shapes]
    gradients = [
        [rng.normal(size=s).astype("float32") for s in shapes] for _ in range(STEPS)
    ]
    cases = [
        trajectory(name, {**own, **common}, weights, gradients)
        for name, owns in OPTIMIZERS.items()
        for own in owns
        for common in (COMMON if not own else COMMON[:1])
    ]
    schedules = []
    for name, arguments in SCHEDULES:
        schedule = getattr(keras.optimizers.schedules, name)(*arguments)
        rates = [float(schedule(step)) for step in range(40)]
        config = schedule.get_config()
        schedules.append(
            {"name": name, "arguments": arguments, "config": config, "rates": rates}
        )
    found = {
        "version": keras.__version__,
        "shapes": shapes,
        "start": [numbers(w) for w in weights],
        "gradients": [[numbers(g) for g in gradient] for gradient in gradients],
        "optimizers": cases,
        "schedules": schedules,
    }
    path = Path(__file__).with_name("optimizers_more.json")
    path.write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
