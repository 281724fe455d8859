"""Regularizers against real Keras, and their messages."""

import json
import re
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from minikeras import ops, regularizers
from minikeras.variables import Variable

GOLDEN = json.loads((Path(__file__).parent / "golden/activations.json").read_text())
CASES = GOLDEN["regularizers"]
KINKS = np.array(GOLDEN["matrix"]) == 0


def case_id(case):
    arguments = case["config"]["config"].values()
    return "-".join([case["config"]["class_name"], *map(str, arguments)])


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-13), ("float32", 1e-6)])
@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_values_and_gradients_are_those_of_keras(case, dtype, tolerance):
    regularizer = regularizers.deserialize(case["config"])
    x = np.array(GOLDEN["matrix"], dtype)
    penalty = regularizer(x)
    assert penalty.dtype == dtype
    assert penalty.shape == ()
    np.testing.assert_allclose(penalty, case["value"], rtol=tolerance)
    if not case["value"]:
        return
    # the generator differentiates half of the penalty
    gradient = grad(lambda x: regularizer(x) * np.asarray(0.5, dtype))(x)
    assert gradient.dtype == dtype
    expected = np.array(case["gradient"])
    if "l1" in case["config"]["config"]:
        # d|x|/dx at 0: 1 for Keras on JAX, 0 on TensorFlow and torch, and here
        expected[KINKS] = 0
    np.testing.assert_allclose(gradient, expected, rtol=10 * tolerance, atol=tolerance)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_configs_of_keras_load_and_come_back(case):
    loaded = regularizers.deserialize(case["config"])
    assert regularizers.serialize(loaded) == case["config"]
    again = type(loaded).from_config(loaded.get_config())
    assert again.get_config() == loaded.get_config()
    assert type(regularizers.get(case["config"])) is type(loaded)


@pytest.mark.parametrize("case", [c for c in CASES if c["value"]], ids=case_id)
def test_derivatives_to_second_order(case):
    regularizer = regularizers.deserialize(case["config"])
    x = np.random.default_rng(0).normal(size=(3, 4))
    # a curved term, since autograd warns of derivatives that are constant
    check_grads(lambda x: regularizer(x) + anp.sum(x**3), order=2)(x)


def test_l1_has_no_pull_at_zero():
    assert grad(regularizers.L1(1.0))(np.float32([0, -0.0, 2])).tolist() == [0, 0, 1]


def test_scalar_weight_keeps_its_type():
    for name in ("l1", "l2"):
        assert regularizers.get(name)(np.asarray(2, "float32")).dtype == np.float32


def test_a_weight_handle_is_accepted():
    weight = Variable(np.float32([1, -2]))
    assert regularizers.L1(0.5)(weight) == 1.5


def test_orthogonal_regularizer_by_hand():
    x = np.random.default_rng(0).normal(size=(4, 3))
    for mode, rows in (("rows", x), ("columns", x.T)):
        units = [row / np.linalg.norm(row) for row in rows]
        pairs = [abs(a @ b) for i, a in enumerate(units) for b in units[:i]]
        penalty = regularizers.OrthogonalRegularizer(2.0, mode)(x)
        np.testing.assert_allclose(penalty, 2 * np.mean(pairs))


def test_orthogonal_regularizer_of_zero_rows_and_of_one_row():
    x = np.float32([[0, 0], [3, 4], [0, 1]])
    regularizer = regularizers.OrthogonalRegularizer(1.0)
    np.testing.assert_allclose(regularizer(x), 0.8 / 3, rtol=1e-6)
    assert np.all(np.isfinite(grad(regularizer)(x)))
    assert regularizer(np.float32([[1, 2]])) == 0


def test_names():
    assert regularizers.l1 is regularizers.L1
    assert regularizers.l2 is regularizers.L2
    assert regularizers.l1_l2 is regularizers.L1L2
    cls = regularizers.OrthogonalRegularizer
    assert regularizers.orthogonal_regularizer is cls
    for name in ("L1", "l1", "L2", "l2", "L1L2", "l1l2", "l1_l2"):
        assert isinstance(regularizers.get(name), regularizers.Regularizer)
    assert type(regularizers.get("orthogonal_regularizer")) is cls


def test_get():
    assert regularizers.get(None) is None
    assert regularizers.get(regularizers.L2).l2 == 0.01
    l2 = regularizers.L2(0.5)
    assert regularizers.get(l2) is l2
    assert regularizers.get(np.sum) is np.sum
    assert regularizers.L1(None).l1 == regularizers.L2(None).l2 == 0.01
    assert regularizers.L1L2(None, None).get_config() == {"l1": 0.0, "l2": 0.0}


@pytest.mark.parametrize("library", [ops, anp])
def test_own_regularizer(library):
    class Mean(regularizers.Regularizer):
        def __call__(self, x):
            return library.mean(x * x)

        def get_config(self):
            return {}

    config = regularizers.serialize(Mean())
    loaded = regularizers.deserialize(config, custom_objects={"Mean": Mean})
    np.testing.assert_allclose(grad(loaded)(np.array([1.0, 3.0])), [1, 3])
    assert regularizers.Regularizer()(np.ones(2)) == 0


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: regularizers.get("l3"), ValueError, "Unknown regularizer: 'l3'"),
        (lambda: regularizers.get(3), TypeError, "Expected the regularizer as a name"),
        (
            lambda: regularizers.Regularizer().get_config(),
            NotImplementedError,
            "Regularizer cannot be saved: define `get_config`",
        ),
        (
            lambda: regularizers.L1(-1),
            ValueError,
            "L1: `l1` must be a finite number, not negative. Received: l1=-1",
        ),
        (
            lambda: regularizers.L2("a"),
            ValueError,
            "L2: `l2` must be a finite number, not negative. Received: l2='a'",
        ),
        (
            lambda: regularizers.L1L2(l1=float("nan")),
            ValueError,
            "L1L2: `l1` must be a finite number, not negative. Received: l1=nan",
        ),
        (
            lambda: regularizers.L1L2(l2=float("inf")),
            ValueError,
            "L1L2: `l2` must be a finite number, not negative. Received: l2=inf",
        ),
        (
            lambda: regularizers.OrthogonalRegularizer(-1.0),
            ValueError,
            "OrthogonalRegularizer: `factor` must be a finite number, not negative.",
        ),
        (
            lambda: regularizers.OrthogonalRegularizer(mode="row"),
            ValueError,
            "OrthogonalRegularizer: `mode` must be one of 'rows', 'columns'. Received: "
            "mode='row'",
        ),
        (
            lambda: regularizers.OrthogonalRegularizer()(np.ones(3)),
            ValueError,
            "OrthogonalRegularizer expects a matrix (2 axes). Received: inputs of "
            "shape (3,)",
        ),
    ],
)
def test_messages(make, error, message):
    with pytest.raises(error, match=re.escape(message)):
        make()
