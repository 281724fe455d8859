"""Write optimizers.json: twenty steps of real Keras' optimizers on two variables.

Run it with Keras and JAX installed: KERAS_BACKEND=jax python generate_optimizers.py

`gradients` holds the gradients of each step, `start` the initial values; both belong to
variables named "kernel" and "bias". Each case has `class_name`, `config`, and

- `schedule`: the learning rate is initial / (1 + rate * step)
- `learning_rates`: what the learning rate is set to before which step
- `exclude`: arguments of `exclude_from_weight_decay`, `var_list` as positions
- `constraints`: class names of the variables' constraints
- `weights`: after each step, both variables
- `finalized`: after `finalize_variable_values`
- `variables`: `[name, path, value]` of the optimizer's variables after the last step
- `iterations`: the property's value then
"""

import json
import os
from importlib.metadata import version
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

STEPS = 20
SHAPES = {"kernel": (2, 3), "bias": (3,)}


class Inverse(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, initial, rate):
        self.initial, self.rate = initial, rate

    def __call__(self, step):
        return self.initial / (1.0 + self.rate * keras.ops.cast(step, "float32"))


def cases():
    sgd, rmsprop, adam = "SGD", "RMSprop", "Adam"
    rate = {"learning_rate": 0.1}
    yield "sgd", sgd, rate, {}
    yield "sgd_default", sgd, {}, {}
    yield "sgd_momentum", sgd, {**rate, "momentum": 0.9}, {}
    yield "sgd_nesterov", sgd, {**rate, "momentum": 0.8, "nesterov": True}, {}
    yield "sgd_nesterov_without_momentum", sgd, {**rate, "nesterov": True}, {}
    yield "rmsprop_default", rmsprop, {}, {}
    yield "rmsprop", rmsprop, {**rate, "rho": 0.8, "epsilon": 1e-3}, {}
    yield "rmsprop_momentum", rmsprop, {"learning_rate": 0.01, "momentum": 0.7}, {}
    yield "rmsprop_centered", rmsprop, {"learning_rate": 0.01, "centered": True}, {}
    both = {"learning_rate": 0.01, "centered": True, "momentum": 0.5}
    yield "rmsprop_centered_momentum", rmsprop, both, {}
    yield "adam_default", adam, {}, {}
    yield "adam", adam, {**rate, "beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-3}, {}
    yield "adam_amsgrad", adam, {**rate, "amsgrad": True, "beta_2": 0.5}, {}
    momentum = {**rate, "momentum": 0.9}
    for name, options in (
        ("clipnorm", {"clipnorm": 0.7}),
        ("clipvalue", {"clipvalue": 0.3}),
        ("global_clipnorm", {"global_clipnorm": 0.9}),
        ("weight_decay", {"weight_decay": 0.2}),
        ("ema", {"use_ema": True, "ema_momentum": 0.8}),
        (
            "ema_overwrite",
            {"use_ema": True, "ema_momentum": 0.7, "ema_overwrite_frequency": 3},
        ),
        ("accumulation", {"gradient_accumulation_steps": 3}),
        ("loss_scale", {"loss_scale_factor": 8.0}),
        (
            "accumulation_decay_clip",
            {
                "gradient_accumulation_steps": 2,
                "weight_decay": 0.1,
                "global_clipnorm": 0.5,
            },
        ),
        (
            "accumulation_ema",
            {
                "gradient_accumulation_steps": 2,
                "use_ema": True,
                "ema_momentum": 0.6,
                "ema_overwrite_frequency": 4,
            },
        ),
    ):
        yield f"sgd_{name}", sgd, {**momentum, **options}, {}
        yield f"rmsprop_{name}", rmsprop, {"learning_rate": 0.02, **options}, {}
        yield f"adam_{name}", adam, {"learning_rate": 0.05, **options}, {}
    every = {
        "use_ema": True,
        "ema_momentum": 0.9,
        "gradient_accumulation_steps": 2,
        "amsgrad": True,
    }
    yield "adam_all_slots", adam, every, {}
    decay = {"learning_rate": 0.05, "weight_decay": 0.3}
    yield "exclude_names", adam, decay, {"exclude": {"var_names": ["bi.s"]}}
    yield "exclude_paths", adam, decay, {"exclude": {"var_names": ["layer"]}}
    yield "exclude_variables", adam, decay, {"exclude": {"var_list": [0]}}
    for cls in (sgd, rmsprop, adam):
        name = cls.lower()
        yield f"{name}_schedule", cls, {}, {"schedule": {"initial": 0.1, "rate": 0.5}}
        changes = {"5": 0.02, "12": 0.3}
        yield f"{name}_changed_rate", cls, rate, {"learning_rates": changes}
    constraints = {"constraints": ["NonNeg", "UnitNorm"]}
    yield "constraints", sgd, momentum, constraints
    ema = {"learning_rate": 0.1, "use_ema": True, "ema_overwrite_frequency": 2}
    yield "constraints_ema", adam, ema, constraints
    schedule = {"schedule": {"initial": 0.1, "rate": 0.5}}
    steps = {"gradient_accumulation_steps": 2, "weight_decay": 0.1}
    yield "schedule_accumulation", adam, steps, schedule


def run(class_name, config, extra, start, gradients):
    keras.backend.clear_session()
    config = dict(config)
    if "schedule" in extra:
        config["learning_rate"] = Inverse(**extra["schedule"])
    optimizer = getattr(keras.optimizers, class_name)(**config)
    variables = [keras.Variable(start[name], name=name) for name in SHAPES]
    for variable, name in zip(variables, extra.get("constraints", ()), strict=False):
        variable.constraint = getattr(keras.constraints, name)()
    if "exclude" in extra:
        exclude = dict(extra["exclude"])
        if "var_list" in exclude:
            exclude["var_list"] = [variables[i] for i in exclude["var_list"]]
        optimizer.exclude_from_weight_decay(**exclude)
    weights = []
    for step in range(STEPS):
        if str(step) in extra.get("learning_rates", {}):
            optimizer.learning_rate = extra["learning_rates"][str(step)]
        optimizer.apply([gradients[name][step] for name in SHAPES], variables)
        weights.append([plain(v) for v in variables])
    state = [[v.name, v.path, plain(v)] for v in optimizer.variables]
    optimizer.finalize_variable_values(variables)
    return {
        "weights": weights,
        "finalized": [plain(v) for v in variables],
        "variables": state,
        "iterations": int(optimizer.iterations),
    }


def plain(variable):
    """The value, with the fewest digits that give the same float32."""
    array = np.asarray(variable)
    if array.ndim:
        return [plain(item) for item in array]
    return float(str(array)) if array.dtype.kind == "f" else int(array)


def main():
    rng = np.random.default_rng(20_260_105)
    start = {n: rng.standard_normal(s).round(3) for n, s in SHAPES.items()}
    gradients = {}
    for name, shape in SHAPES.items():
        values = rng.standard_normal((STEPS, *shape)) * rng.uniform(0.1, 2, shape)
        gradients[name] = (values + 0.3).round(3).astype("float32")
    start = {name: value.astype("float32") for name, value in start.items()}
    found = []
    for name, class_name, config, extra in cases():
        results = run(class_name, config, extra, start, gradients)
        case = {"name": name, "class_name": class_name, "config": config}
        found.append({**case, **extra, **results})
    content = {
        "versions": {name: version(name) for name in ("keras", "jax", "numpy")},
        "start": {name: plain(value) for name, value in start.items()},
        "gradients": {name: plain(value) for name, value in gradients.items()},
        "cases": found,
    }
    lines = ",\n".join(json.dumps(case) for case in content.pop("cases"))
    head = json.dumps(content)[:-1]
    path = Path(__file__).with_name("optimizers.json")
    path.write_text(f'{head},\n"cases": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
