"""Every activation against real Keras, numerically, and in its number type."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from autograd import elementwise_grad, make_vjp
from autograd.test_util import check_grads

from minikeras import activations, registry
from minikeras.ops import nn
from minikeras.ops.base import float_array

GOLDEN = json.loads((Path(__file__).parent / "golden/activations.json").read_text())
CASES = GOLDEN["activations"]
NAMES = sorted({case["name"] for case in CASES})


def case_id(case):
    words = [f"{key}={value}" for key, value in case["arguments"].items()]
    return "-".join([case["name"], *words])


def bound(case):
    function = getattr(activations, case["name"])
    return lambda x: function(x, **case["arguments"])


def cotangent(shape, dtype):
    """As in golden/generate_activations.py."""
    count = int(np.prod(shape))
    return (0.5 + np.arange(count) / count).reshape(shape).astype(dtype)


def narrowed(values, dtype):
    with np.errstate(over="ignore"):
        return np.array(values).astype(dtype)


@pytest.mark.parametrize("dtype, tolerance", [("float64", 2e-14), ("float32", 1e-6)])
@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_values_and_gradients_are_those_of_keras(case, dtype, tolerance):
    x = np.array(GOLDEN[case["x"]], dtype)
    pullback, y = make_vjp(bound(case))(x)
    gradient = pullback(cotangent(y.shape, dtype))
    for ours, theirs in ((y, case["value"]), (gradient, case["gradient"])):
        theirs = narrowed(theirs, dtype)
        assert ours.dtype == dtype
        assert ours.shape == theirs.shape
        # x + sqrt(x * x + b) and the like lose digits in proportion to x
        size = np.maximum(1, np.abs(x)) if x.shape == theirs.shape else 1e4
        same = ours == theirs  # infinities
        near = np.abs(np.where(same, 0, ours) - np.where(same, 0, theirs))
        assert np.all(near <= tolerance * (size + np.where(same, 0, np.abs(theirs))))


# Away from every kink of every case.
SMOOTH = np.array([[-7.3, -4.4, -1.7, 0.61], [0.27, 1.45, 3.7, 7.9]])


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_derivatives_to_second_order(case):
    function = bound(case)
    with warnings.catch_warnings():
        # autograd says so of the second derivative of straight lines
        warnings.filterwarnings("ignore", "Output seems independent of input")
        check_grads(function, modes=["fwd", "rev"], order=2)(SMOOTH)


@pytest.mark.parametrize("case", CASES, ids=case_id)
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_float_type_is_kept(case, dtype):
    x = SMOOTH.astype(dtype)
    function = bound(case)
    assert function(x).dtype == dtype
    assert elementwise_grad(function)(x).dtype == dtype


@pytest.mark.parametrize("case", CASES[1:], ids=case_id)  # linear returns its input
def test_integers_and_lists_become_the_default_float_type(case):
    y = bound(case)([[1, -2], [3, 4]])
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, bound(case)(np.float32([[1, -2], [3, 4]])))


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_input_and_gradient_are_not_written_to(case):
    x, g = SMOOTH.copy(), np.ones_like(SMOOTH)
    pullback, y = make_vjp(bound(case))(x)
    g = np.ones(y.shape)
    pullback(g)
    np.testing.assert_array_equal(x, SMOOTH)
    np.testing.assert_array_equal(g, 1)


def test_the_table_above_has_every_activation():
    assert set(NAMES) == {f.__name__ for f in activations.family.members.values()}


def test_default_relu_is_the_primitive():
    x = float_array([-1.0, 0.0, 2.0])
    np.testing.assert_array_equal(activations.relu(x), nn._relu(x))
    pullback, _ = make_vjp(activations.relu)(x)
    assert pullback(np.ones(3, "float32")).tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    "rows", [[[0.0, 0.5, 1.0]], np.random.default_rng(0).normal(size=(50, 7))]
)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_sparsemax_is_the_nearest_distribution(rows, axis):
    """By bisection on t, rather than by sorting: sum(max(x - t, 0)) falls with t."""
    x = np.array(rows)
    low, high = x.min(axis, keepdims=True) - 1, x.max(axis, keepdims=True)
    for _ in range(80):
        middle = (low + high) / 2
        above = np.maximum(x - middle, 0).sum(axis, keepdims=True) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    y = activations.sparsemax(x, axis)
    np.testing.assert_allclose(y, np.maximum(x - low, 0), atol=1e-12)
    np.testing.assert_allclose(y.sum(axis), 1, rtol=1e-12)


def test_sparsemax_gradient_with_several_above_zero():
    x = np.array([[0.25, 0.7, 0.5, -3.0], [0.2, 0.15, 0.3, 0.33]])
    for axis in (0, 1):
        check_grads(lambda x, a=axis: activations.sparsemax(x, a), order=2)(x)


def test_softmax_along_several_axes_sums_to_one():
    y = activations.softmax(SMOOTH, axis=(0, 1))
    np.testing.assert_allclose(y.sum(), 1)


def test_glu_of_an_odd_length_is_refused():
    message = r"glu: axis -1 of `x` must exist and have an even .* x of shape \(2, 3\)"
    with pytest.raises(ValueError, match=message):
        activations.glu(np.ones((2, 3)))
    with pytest.raises(ValueError, match="glu: axis 2 of `x`"):
        activations.glu(np.ones((2, 4)), axis=2)


def test_celu_of_zero_alpha_is_refused():
    with pytest.raises(
        ValueError, match="celu: `alpha` must not be 0. Received: alpha"
    ):
        activations.celu(1.0, alpha=0)


def test_get():
    assert activations.get(None) is activations.linear
    assert activations.get("relu") is activations.relu
    assert activations.get("swish") is activations.silu
    assert activations.get("hard_swish") is activations.hard_silu
    assert activations.get(np.tanh) is np.tanh
    config = {"module": "builtins", "class_name": "function", "config": "gelu"}
    assert activations.get(config) is activations.gelu


def test_unknown_names_offer_the_nearest():
    with pytest.raises(
        ValueError, match="Unknown activation: 'rellu'. Did you mean 'relu"
    ):
        activations.get("rellu")
    with pytest.raises(
        TypeError, match="Expected the activation as a name.* 3 of type"
    ):
        activations.get(3)


@pytest.mark.parametrize("name", NAMES)
def test_serialization_is_the_name(name):
    function = getattr(activations, name)
    assert activations.serialize(function) == name
    assert activations.deserialize(name) is function
    assert activations.get(name) is function


def test_own_functions_come_back_when_named():
    def cube(x):
        return x**3

    config = activations.serialize(cube)
    assert activations.deserialize(config, custom_objects={"cube": cube}) is cube
    with registry.custom_object_scope({"cube": cube}):
        assert activations.get("cube") is cube
    with pytest.raises(TypeError, match="A lambda cannot be written as a config"):
        activations.serialize(lambda x: x)
