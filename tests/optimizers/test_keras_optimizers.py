"""Optimizers against twenty steps of real Keras."""

import json
from pathlib import Path

import numpy as np
import pytest

import minikeras as keras

FILE = Path(__file__).parents[1] / "golden" / "optimizers.json"
GOLDEN = json.loads(FILE.read_text())
GRADIENTS = {k: np.array(v, "float32") for k, v in GOLDEN["gradients"].items()}


class Inverse(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, initial, rate):
        self.initial, self.rate = initial, rate

    def __call__(self, step):
        return self.initial / (1.0 + self.rate * step)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: case["name"])
def test_twenty_steps(case):
    keras.utils.clear_session()
    config = dict(case["config"])
    if "schedule" in case:
        config["learning_rate"] = Inverse(**case["schedule"])
    optimizer = getattr(keras.optimizers, case["class_name"])(**config)
    variables = [
        keras.Variable(np.array(value, "float32"), name=name)
        for name, value in GOLDEN["start"].items()
    ]
    for variable, name in zip(variables, case.get("constraints", ()), strict=False):
        variable.constraint = getattr(keras.constraints, name)()
    if "exclude" in case:
        exclude = dict(case["exclude"])
        if "var_list" in exclude:
            exclude["var_list"] = [variables[i] for i in exclude["var_list"]]
        optimizer.exclude_from_weight_decay(**exclude)
    for step, expected in enumerate(case["weights"]):
        if str(step) in case.get("learning_rates", {}):
            optimizer.learning_rate = case["learning_rates"][str(step)]
        optimizer.apply([GRADIENTS[v.name][step] for v in variables], variables)
        for variable, values in zip(variables, expected, strict=True):
            assert variable.dtype == "float32"
            close(variable.numpy(), values)
    assert int(optimizer.iterations) == case["iterations"]
    assert [[v.name, v.path] for v in optimizer.variables] == [
        [name, path] for name, path, _ in case["variables"]
    ]
    for variable, (_, _, value) in zip(
        optimizer.variables, case["variables"], strict=True
    ):
        close(variable.numpy(), value)
    optimizer.finalize_variable_values(variables)
    for variable, values in zip(variables, case["finalized"], strict=True):
        close(variable.numpy(), values)


def close(ours, theirs):
    # Keras computes 1 - beta_2^t in float32, which costs Adam its fifth digit.
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=5e-6)
