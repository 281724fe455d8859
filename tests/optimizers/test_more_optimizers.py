"""The rarer optimizers and the schedules, against real Keras."""

import json
from pathlib import Path

import numpy as np
import pytest

import minikeras as keras
from minikeras.optimizers import schedules
from minikeras.variables import Variable

PATH = Path(__file__).parent.parent / "golden" / "optimizers_more.json"
GOLDEN = json.loads(PATH.read_text())
SHAPES = GOLDEN["shapes"]


def arrays(flat, dtype="float32"):
    pairs = zip(flat, SHAPES, strict=True)
    return [np.array(numbers, dtype).reshape(shape) for numbers, shape in pairs]


def run(optimizer, gradients, dtype="float32"):
    start = arrays(GOLDEN["start"], dtype)
    variables = [Variable(w, name=f"v{i}") for i, w in enumerate(start)]
    for gradient in gradients:
        optimizer.apply(arrays(gradient, dtype), variables)
    return variables


@pytest.fixture(autouse=True)
def _fresh_names():
    keras.utils.clear_session()


def label(case):
    return f"{case['name']}-{case['arguments']}"


@pytest.mark.parametrize("case", GOLDEN["optimizers"], ids=label)
def test_trajectory(case):
    optimizer = getattr(keras.optimizers, case["name"])(**case["arguments"])
    variables = run(optimizer, GOLDEN["gradients"])
    for variable, expected in zip(variables, arrays(case["weights"]), strict=True):
        np.testing.assert_allclose(variable.array, expected, rtol=2e-5, atol=2e-6)
        assert variable.dtype == "float32"
    assert [v.path for v in optimizer.variables] == case["variables"]
    config = optimizer.get_config()
    assert config.keys() == case["config"].keys()
    for key, value in case["config"].items():
        assert config[key] == (
            pytest.approx(value) if value.__class__ is float else value
        )


@pytest.mark.parametrize("name", sorted({c["name"] for c in GOLDEN["optimizers"]}))
def test_config_and_number_types(name):
    optimizer = getattr(keras.optimizers, name)(learning_rate=0.03)
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is type(optimizer)
    assert again.get_config() == optimizer.get_config()
    assert type(keras.optimizers.get(name.lower())) is type(optimizer)
    wide = run(getattr(keras.optimizers, name)(), GOLDEN["gradients"][:3], "float64")
    assert {v.dtype for v in wide} == {"float64"}


@pytest.mark.parametrize("case", GOLDEN["schedules"], ids=label)
def test_schedule(case):
    schedule = getattr(schedules, case["name"])(*case["arguments"])
    rates = [float(schedule(step)) for step in range(len(case["rates"]))]
    np.testing.assert_allclose(rates, case["rates"], rtol=2e-6, atol=1e-8)
    assert schedule.get_config() == case["config"]
    again = schedules.deserialize(schedules.serialize(schedule))
    assert [float(again(step)) for step in range(5)] == rates[:5]


def test_a_schedule_drives_an_optimizer():
    schedule = schedules.PiecewiseConstantDecay([1], [0.5, 0.25])
    optimizer = keras.optimizers.SGD(schedule)
    weight = Variable(np.zeros(1, "float32"), name="w")
    moved = []
    for _ in range(4):
        before = float(weight[0])
        optimizer.apply([np.ones(1, "float32")], [weight])
        moved.append(before - float(weight[0]))
    assert moved == [0.5, 0.5, 0.25, 0.25]
    config = keras.optimizers.serialize(optimizer)
    again = keras.optimizers.deserialize(config)
    assert float(again.learning_rate) == 0.5


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: keras.optimizers.AdamW(weight_decay=None), "use Adam"),
        (lambda: keras.optimizers.Lion(beta_1=0), "above 0 and at most 1"),
        (lambda: keras.optimizers.Ftrl(learning_rate_power=1), "at most 0"),
        (
            lambda: keras.optimizers.Ftrl(l1_regularization_strength=-1),
            "`l1_regularization_strength` must be at least 0",
        ),
        (lambda: schedules.CosineDecay(0.1, 0), "`decay_steps` must be above 0"),
        (
            lambda: schedules.CosineDecayRestarts(0.1, -1),
            "`first_decay_steps` must be above 0",
        ),
        (
            lambda: schedules.PiecewiseConstantDecay([1, 2], [0.1]),
            "2 boundaries, 1 values",
        ),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_base_schedule_asks_for_its_methods():
    base = schedules.LearningRateSchedule()
    with pytest.raises(NotImplementedError, match="no `__call__`"):
        base(0)
    with pytest.raises(NotImplementedError, match="no `get_config`"):
        base.get_config()
