"""Handles, binding to boxes in one thread, and flat vectors of weights."""

import copy
import operator
import pickle
import threading

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from autograd.tracer import isbox

from minikeras import config, ops
from minikeras.training.step import backpropagate
from minikeras.variables import (
    ParameterVector,
    Variable,
    bind,
    count_params,
    default_dtype,
)


def variable(*values, **kwargs):
    return Variable(np.array(values, "float32"), **kwargs)


def in_thread(function):
    results = []

    def run():
        try:
            results.append(function())
        except Exception as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return results[0]


# The handle -------------------------------------------------------------------------


def test_what_a_handle_knows():
    v = Variable([[1, 2, 3]], name="kernel", dtype="float32", trainable=False)
    assert (v.name, v.path, v.trainable) == ("kernel", "kernel", False)
    assert (v.shape, v.ndim, v.size, len(v)) == ((1, 3), 2, 3, 1)
    assert v.dtype == "float32" and v.T.shape == (3, 1)
    assert v.regularizer is None and v.constraint is None
    assert repr(v) == "<Variable kernel, shape=(1, 3), dtype=float32>"
    assert v.value is v.array
    with pytest.raises(AttributeError):
        v.colour = "red"


def test_the_initial_array_is_copied():
    x = np.ones(2)
    v = Variable(x)
    x[:] = 5
    np.testing.assert_array_equal(v.array, [1, 1])
    copied = v.numpy()
    copied[:] = 6
    np.testing.assert_array_equal(v.array, [1, 1])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(), (3,), (5, 7), (300, 20)])
def test_floats_begin_at_a_cache_line(shape, dtype):
    for _ in range(5):
        array = Variable(np.ones(shape, dtype)).array
        assert array.__array_interface__["data"][0] % 64 == 0
        assert array.shape == shape and array.dtype == dtype
        assert array.flags.c_contiguous and array.flags.writeable
        np.testing.assert_array_equal(array, np.ones(shape))


@pytest.mark.parametrize("value", [[1, 2], [True, False], ["a", "bc"], [1 + 2j]])
def test_other_arrays_are_copied_too(value):
    given = np.array(value)
    array = Variable(given).array
    assert array is not given and not np.shares_memory(array, given)
    np.testing.assert_array_equal(array, given)


def test_assign():
    v = variable(1, 2)
    array = v.array
    assert v.assign([3, 4]) is v
    np.testing.assert_array_equal(array, [3, 4])
    v.assign_add([1, 1]).assign_sub(variable(0, 2))
    np.testing.assert_array_equal(array, [4, 3])
    v.assign(v)
    v.assign(variable(7, 8))
    np.testing.assert_array_equal(array, [7, 8])
    assert v.array is array and array.dtype == np.float32
    for wrong in (1.0, [1], [[1, 2]], [1, 2, 3]):
        with pytest.raises(ValueError, match=r"Weight 'variable' has shape \(2,\)"):
            v.assign(wrong)
    np.testing.assert_array_equal(array, [7, 8])


def test_assign_takes_boxes_off():
    v = variable(0, 0)

    def loss(x):
        v.assign(x * 2)
        v.assign_add(x)
        return ops.sum(x)

    autograd.grad(loss)(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(v.array, [3, 6])
    autograd.grad(lambda x: autograd.grad(loss)(x).sum() + x.sum())(np.ones(2))
    np.testing.assert_array_equal(v.array, [3, 3])
    assert type(v.array) is np.ndarray


OPERATORS = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"]
OPERATORS += ["lt", "le", "gt", "ge"]


@pytest.mark.parametrize("name", OPERATORS)
def test_operators(name):
    function = getattr(operator, name)
    a, b = np.array([1.5, 2.0, 4.0]), np.array([2.0, 2.0, 0.5])
    v, w = Variable(a), Variable(b)
    expected = function(a, b)
    for found in (function(v, b), function(a, w), function(v, w)):
        np.testing.assert_array_equal(found, expected)
        assert type(found) is np.ndarray
    np.testing.assert_array_equal(function(v, 2.0), function(a, 2.0))
    np.testing.assert_array_equal(function(2.0, v), function(2.0, a))


def test_the_other_operators():
    a = np.array([[1.0, -2.0], [3.0, 4.0]])
    v = Variable(a)
    np.testing.assert_array_equal(v @ a, a @ a)
    np.testing.assert_array_equal(a @ v, a @ a)
    np.testing.assert_array_equal(-v, -a)
    np.testing.assert_array_equal(abs(v), abs(a))
    np.testing.assert_array_equal(v[0, 1], a[0, 1])
    np.testing.assert_array_equal(v[:, 0], a[:, 0])
    np.testing.assert_array_equal(list(v), list(a))
    np.testing.assert_array_equal(v.T, a.T)
    one = Variable(2.5)
    assert float(one) == 2.5 and int(one) == 2 and bool(one)
    assert v == v and v != Variable(a) and hash(v) == id(v)  # a handle is itself
    assert v in [Variable(a), v]
    assert variable(1, 2) * 2.0 @ np.ones(2, "float32") == 6


def test_float32_is_not_promoted():
    v = variable(1, 2)
    x = np.ones(2, "float32")
    for found in (v * 2, v + 1.0, x / v, v**2, -v, v @ x, ops.exp(v), anp.exp(v)):
        assert found.dtype == np.float32


def test_as_an_array():
    v = variable(1, 2)
    assert np.asarray(v) is v.array
    assert np.asarray(v, "float64").dtype == np.float64
    copied = np.array(v)
    copied[:] = 9
    np.testing.assert_array_equal(v.array, [1, 2])
    np.testing.assert_array_equal(np.exp(v), np.exp(v.array))
    assert np.sum(v) == 3


# Bound ------------------------------------------------------------------------------


def test_bind_stands_for_the_box_in_this_thread_only():
    v = variable(1, 2)
    box = object()
    with bind([v], [box]):
        assert v.value is box
        assert in_thread(lambda: v.value) is v.array
        assert v.array is not box
        np.testing.assert_array_equal(in_thread(lambda: v * 2), [2, 4])
        np.testing.assert_array_equal(in_thread(lambda: np.asarray(v)), [1, 2])
    assert v.value is v.array


def test_bind_nests():
    v, w = variable(1), variable(2)
    outer, inner = object(), object()
    with bind([v, w], [outer, outer]):
        with bind([v], [inner]):
            assert v.value is inner and w.value is outer
        assert v.value is outer
    assert v.value is v.array and w.value is w.array


def test_bind_puts_the_arrays_back_after_an_error():
    v = variable(1)
    with pytest.raises(KeyError), bind([v], [object()]):
        raise KeyError
    assert v.value is v.array
    with pytest.raises(ValueError), bind([v, variable(2)], [object()]):
        pass
    assert v.value is v.array


def test_gradients_arrive_through_everything_that_takes_a_handle():
    v = variable(1, 2, 3)
    expected = 2 * np.array([1, 2, 3], "float32")
    for square in (
        lambda: v * v,
        lambda: v**2,
        lambda: ops.square(v),
        lambda: ops.multiply(v, v),
        lambda: anp.multiply(v, v),
        lambda: anp.square(v),
        lambda: ops.stack([v[0] ** 2, v[1] * v[1], v[2] * v[2]]),
        lambda: ops.convert_to_tensor(v) * v,
        lambda: v @ ops.reshape(v, (3, 1)),
        lambda: ops.stack([i * i for i in v]),
    ):
        value, _, (gradient,) = backpropagate(
            lambda square=square: (ops.sum(square()), None), [v]
        )
        assert float(value) == 14
        np.testing.assert_allclose(gradient, expected, rtol=1e-6)
        assert gradient.dtype == np.float32
        assert v.value is v.array


def test_second_derivatives():
    v = Variable(np.array([1.0, 2.0]))

    def outer(scale):
        _, _, (gradient,) = backpropagate(lambda: (ops.sum(scale * v**3), None), [v])
        return ops.sum(gradient)

    np.testing.assert_allclose(autograd.grad(outer)(2.0), 3 * (1 + 4))


def test_plain_numpy_is_refused_while_a_gradient_is_taken():
    v = variable(1, 2, name="kernel")
    for use in (np.exp, np.asarray, np.sum, lambda v: np.ones(2) * np.array(v)):
        with pytest.raises(TypeError, match="'kernel' would lose its gradient"):
            backpropagate(lambda use=use: (use(v), None), [v])
    assert v.value is v.array


def test_a_weight_that_is_not_differentiated_stays_plain():
    v, fixed = variable(1, 2), variable(3, 4)
    seen = []

    def loss():
        seen.extend([isbox(v.value), isbox(fixed.value), np.exp(fixed)])
        return ops.sum(v * fixed), None

    _, _, (gradient,) = backpropagate(loss, [v])
    assert seen[:2] == [True, False]
    np.testing.assert_array_equal(gradient, [3, 4])


def test_another_thread_may_predict_meanwhile():
    v = variable(1, 2)
    inside, done = threading.Event(), threading.Event()
    outputs = []

    def predict():
        inside.wait(10)
        outputs.append((v * 2, ops.exp(v), np.asarray(v)))
        done.set()

    thread = threading.Thread(target=predict)
    thread.start()

    def loss():
        inside.set()
        assert done.wait(10)
        return ops.sum(v * v), None

    _, _, (gradient,) = backpropagate(loss, [v])
    thread.join()
    assert not any(isbox(output) for output in outputs[0])
    np.testing.assert_array_equal(gradient, [2, 4])


# Copies -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))]
)
def test_copies(again):
    v = Variable(np.ones(2, "float64"), "w", False)
    v.path = "model/w"
    other = again(v)
    assert (other.name, other.path, other.trainable) == ("w", "model/w", False)
    assert other.dtype == "float64"
    other.assign([5, 5])
    np.testing.assert_array_equal(v.array, [1, 1])


# ParameterVector --------------------------------------------------------------------


def several():
    return [
        Variable(np.arange(6, dtype="float32").reshape(2, 3), "a"),
        Variable(np.arange(3, dtype="float64"), "b"),
        Variable(np.float32(7), "c"),
        Variable(np.zeros((0, 4), "float32"), "empty"),
        Variable(np.arange(20, dtype="float32"), "d"),
        Variable(np.arange(2, dtype="float64") - 1, "e"),
    ]


def test_values_stay_and_arrays_become_views():
    variables = several()
    before = [v.numpy() for v in variables]
    vector = ParameterVector(variables)
    assert vector.variables == tuple(variables)
    assert [flat.dtype for flat in vector.flat] == [np.float32, np.float64]
    for v, old in zip(variables, before, strict=True):
        np.testing.assert_array_equal(v.array, old)
        assert v.array.dtype == old.dtype and v.shape == old.shape
        if v.size:
            assert any(np.shares_memory(v.array, flat) for flat in vector.flat)
    vector.flat[0][:] = 3
    np.testing.assert_array_equal(variables[0].array, np.full((2, 3), 3))
    assert float(variables[2]) == 3
    np.testing.assert_array_equal(variables[1].array, [0, 1, 2])
    variables[4].assign(np.full(20, 9))
    assert np.count_nonzero(vector.flat[0] == 9) == 20


def test_every_variable_starts_at_a_cache_line_and_none_overlap():
    variables = several()
    vector = ParameterVector(variables)
    used = [np.zeros(flat.size, int) for flat in vector.flat]
    for v in variables:
        flat = vector.flat[0 if v.dtype == "float32" else 1]
        offset = v.array.ctypes.data - flat.ctypes.data if v.size else 0
        assert offset % 64 == 0
        assert v.size == 0 or v.array.ctypes.data % 64 == 0
        start = offset // flat.itemsize
        used[0 if v.dtype == "float32" else 1][start : start + v.size] += 1
    for counts, flat in zip(used, vector.flat, strict=True):
        assert counts.max() == 1
        np.testing.assert_array_equal(flat[counts == 0], 0)  # the gaps
        assert flat.nbytes % 64 == 0


def test_zeros_and_views():
    variables = several()
    vector = ParameterVector(variables)
    zeros = vector.zeros()
    assert [z.dtype for z in zeros] == [np.float32, np.float64]
    assert [z.shape for z in zeros] == [flat.shape for flat in vector.flat]
    assert not any(np.any(z) for z in zeros)
    assert all(z.ctypes.data % 64 == 0 for z in zeros)
    views = vector.views_of(zeros)
    assert [view.shape for view in views] == [v.shape for v in variables]
    for number, view in enumerate(views):
        view[...] = number + 1
        assert view.size == 0 or any(np.shares_memory(view, z) for z in zeros)
    for number, view in enumerate(views):
        np.testing.assert_array_equal(view, np.full(view.shape, number + 1))
    assert vector.flat[0].max() < 20


def test_is_current():
    variables = several()
    vector = ParameterVector(variables)
    assert vector.is_current(variables)
    assert not vector.is_current(variables[:-1])
    assert not vector.is_current(variables[::-1])
    assert not vector.is_current([*variables[:-1], Variable([1.0, 2.0])])
    variables[0].assign(np.ones((2, 3)))
    assert vector.is_current(variables)
    ParameterVector(variables[2:4])  # moves two of them away
    assert not vector.is_current(variables)
    assert ParameterVector([]).is_current([])
    assert ParameterVector([]).flat == []


def test_copies_of_a_vector_are_not_current():
    vector = ParameterVector(several())
    other = copy.deepcopy(vector)
    assert not other.is_current(other.variables)
    for old, new in zip(vector.variables, other.variables, strict=True):
        np.testing.assert_array_equal(old.array, new.array)
        assert new.size == 0 or not np.shares_memory(old.array, new.array)


# Small ones -------------------------------------------------------------------------


def test_count_params():
    assert count_params(several()) == 6 + 3 + 1 + 0 + 20 + 2
    assert count_params([]) == 0


def test_default_dtype():
    assert default_dtype(None) == "float32"
    assert default_dtype("int8") == "int8"
    config.set_floatx("float64")
    try:
        assert default_dtype(None) == "float64"
    finally:
        config.set_floatx("float32")
