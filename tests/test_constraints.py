"""Constraints against real Keras, and their messages."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from minikeras import constraints
from minikeras.variables import Variable

GOLDEN = json.loads((Path(__file__).parent / "golden/activations.json").read_text())
CASES = GOLDEN["constraints"]


def case_id(case):
    arguments = case["config"]["config"].values()
    return "-".join([case["config"]["class_name"], *map(str, arguments)])


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-13), ("float32", 1e-6)])
@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_values_are_those_of_keras(case, dtype, tolerance):
    w = np.array(GOLDEN["matrix"], dtype)
    before = w.copy()
    allowed = constraints.deserialize(case["config"])(w)
    assert type(allowed) is np.ndarray
    assert allowed.dtype == dtype
    np.testing.assert_allclose(allowed, case["value"], rtol=tolerance, atol=tolerance)
    np.testing.assert_array_equal(w, before)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_configs_of_keras_load_and_come_back(case):
    loaded = constraints.deserialize(case["config"])
    assert constraints.serialize(loaded) == case["config"]
    again = type(loaded).from_config(loaded.get_config())
    assert again.get_config() == loaded.get_config()
    assert type(constraints.get(case["config"])) is type(loaded)


def test_lengths_of_convolution_kernels():
    w = np.random.default_rng(0).normal(size=(3, 3, 4, 8)).astype("float32") * 3

    def lengths(w):
        return np.sqrt((w * w).sum((0, 1, 2)))

    for axis in [(0, 1, 2), [0, 1, 2]]:
        assert lengths(constraints.MaxNorm(1.5, axis)(w)).max() < 1.5 + 1e-6
        np.testing.assert_allclose(lengths(constraints.UnitNorm(axis)(w)), 1, rtol=1e-6)
        between = constraints.MinMaxNorm(20.0, 21.0, axis=axis)(w)
        assert lengths(between).min() > 20 - 1e-4
        assert lengths(between).max() < 21 + 1e-4
    whole = constraints.UnitNorm(axis=None)(w)
    np.testing.assert_allclose(np.sum(whole * whole), 1, rtol=1e-5)


def test_vectors_of_length_zero_stay():
    zeros = np.zeros((3, 2), "float32")
    for name in ("max_norm", "unit_norm", "min_max_norm", "non_neg"):
        np.testing.assert_array_equal(constraints.get(name)(zeros), zeros)


def test_handles_lists_and_numpy_numbers():
    weight = Variable(np.float32([[3], [4]]))
    np.testing.assert_allclose(
        constraints.MaxNorm(np.float64(1))(weight), [[0.6], [0.8]], rtol=1e-6
    )
    assert constraints.MaxNorm(np.float64(1))(weight).dtype == np.float32
    assert type(constraints.MaxNorm(np.float32(1)).get_config()["max_value"]) is float
    assert constraints.UnitNorm()([3, 4]).dtype == np.float32


def test_names():
    for alias, name in {
        "max_norm": "MaxNorm",
        "non_neg": "NonNeg",
        "unit_norm": "UnitNorm",
        "min_max_norm": "MinMaxNorm",
    }.items():
        cls = getattr(constraints, name)
        assert getattr(constraints, alias) is cls
        assert type(constraints.get(alias)) is type(constraints.get(name)) is cls


def test_get():
    assert constraints.get(None) is None
    assert type(constraints.get(constraints.NonNeg)) is constraints.NonNeg
    non_neg = constraints.NonNeg()
    assert constraints.get(non_neg) is non_neg
    assert constraints.get(np.abs) is np.abs


def test_own_constraint():
    class Half(constraints.Constraint):
        def __call__(self, w):
            return w / 2

    config = constraints.serialize(Half())
    loaded = constraints.deserialize(config, custom_objects={"Half": Half})
    np.testing.assert_array_equal(loaded(np.ones(2)), [0.5, 0.5])
    np.testing.assert_array_equal(constraints.Constraint()(np.ones(2)), [1, 1])


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: constraints.get("norm"), ValueError, "Unknown constraint: 'norm'"),
        (lambda: constraints.get(3), TypeError, "Expected the constraint as a name"),
        (
            lambda: constraints.MaxNorm(-1),
            ValueError,
            "MaxNorm: `max_value` must be a number, not negative. Received: "
            "max_value=-1",
        ),
        (
            lambda: constraints.MinMaxNorm("a"),
            ValueError,
            "MinMaxNorm: `min_value` must be a number, not negative. Received: "
            "min_value='a'",
        ),
        (
            lambda: constraints.MinMaxNorm(2, 1),
            ValueError,
            "MinMaxNorm: `min_value` must not be above `max_value`. Received: "
            "min_value=2, max_value=1",
        ),
        (
            lambda: constraints.MinMaxNorm(rate=1.5),
            ValueError,
            "MinMaxNorm: `rate` must be from 0 to 1. Received: rate=1.5",
        ),
    ],
)
def test_messages(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()
