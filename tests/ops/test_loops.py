"""Loops, choices, own derivatives and derivatives in a direction.

Values are those of Keras, in test_ops_nn_golden.py.
"""

from collections import namedtuple

import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from minikeras import ops
from minikeras.ops import control, row_loops
from minikeras.ops.casting import dtype, is_tensor, saturate_cast
from minikeras.ops.custom import custom_gradient
from minikeras.ops.forward_mode import jvp
from minikeras.training.step import backpropagate
from minikeras.variables import Variable

X = np.random.default_rng(2).normal(size=(5, 3))


def doubled(carry, x):
    return carry * x + x, {"less": carry - x}


LOOPS = {
    "map": lambda x: row_loops.map(lambda row: row * row, x),
    "map of one": lambda x: row_loops.map(lambda row: row * row, x[:1]),
    "vectorized_map": lambda x: row_loops.vectorized_map(
        lambda rows: rows[0] * rows[1], [x, x * x]
    ),
    "scan": lambda x: row_loops.scan(doubled, x[0], x)[1]["less"],
    "scan carry": lambda x: row_loops.scan(doubled, x[0], x, reverse=True)[0],
    "associative_scan": lambda x: row_loops.associative_scan(lambda a, b: a * b, x),
    "reverse": lambda x: row_loops.associative_scan(
        lambda a, b: a * b, x, reverse=True, axis=-1
    ),
    "fori_loop": lambda x: control.fori_loop(0, 3, lambda i, s: s * x + i, x),
    "while_loop": lambda x: control.while_loop(
        lambda i, s: i < 3, lambda i, s: (i + 1, s * x), (0, x)
    )[1],
    "while by value": lambda x: control.while_loop(
        lambda s: ops.sum(ops.square(s)) < 100, lambda s: s * 2 + s * s, x
    ),
    "cond": lambda x: control.cond(ops.sum(x) < 1e9, lambda: x * x, lambda: x),
    "switch": lambda x: control.switch(1, [ops.exp, ops.square], x),
}


@pytest.mark.parametrize("name", LOOPS)
def test_derivatives(name):
    check_grads(LOOPS[name], modes=["fwd", "rev"], order=2)(X)


@pytest.mark.parametrize("name", LOOPS)
def test_float32_stays(name):
    x = X.astype("float32")
    loss = lambda x: ops.sum(LOOPS[name](x))  # noqa: E731
    assert LOOPS[name](x).dtype == np.float32
    assert grad(loss)(x).dtype == np.float32


@pytest.mark.parametrize("name", LOOPS)
def test_weights_are_taken(name):
    weight = Variable(X)
    _, _, (gradient,) = backpropagate(
        lambda: (ops.sum(LOOPS[name](weight.value)), None), [weight]
    )
    np.testing.assert_allclose(gradient, grad(lambda x: ops.sum(LOOPS[name](x)))(X))


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("count", range(1, 10))
def test_associative_scan_of_any_length(count, reverse):
    calls = []

    def join(a, b):
        calls.append(len(a))
        return a * 10 + b

    # a * 10 + b is not associative: what is asked is that of the order, by digits
    words = np.array([chr(97 + n) for n in range(count)], dtype=object)
    found = row_loops.associative_scan(
        lambda a, b: (np.maximum(a[0], b[0]), a[1] + b[1]),
        (np.arange(count), np.ones(count)),
        reverse,
    )
    steps = np.arange(1, count + 1)
    assert words.shape == steps.shape
    np.testing.assert_array_equal(found[1], steps[::-1] if reverse else steps)
    wanted = np.full(count, count - 1) if reverse else np.arange(count)
    np.testing.assert_array_equal(found[0], wanted)
    row_loops.associative_scan(join, np.arange(count), reverse)
    assert len(calls) <= 2 * np.ceil(np.log2(count + 1))


def test_containers_stay_what_they_are():
    Pair = namedtuple("Pair", "a b")
    found = row_loops.map(lambda p: Pair(p.b, {"x": [p.a]}), Pair(X, X[:, 0]))
    assert isinstance(found, Pair)
    np.testing.assert_array_equal(found.a, X[:, 0])
    np.testing.assert_array_equal(found.b["x"][0], X)
    carry, none = row_loops.scan(lambda c, row: (c + row, None), X[0] * 0, X)
    assert none is None
    np.testing.assert_allclose(carry, X.sum(axis=0))


def test_nothing_to_do():
    assert row_loops.map(lambda row: (row.sum(), row), X[:0])[1].shape == (0, 3)
    carry, ys = row_loops.scan(doubled, np.ones(3, "float32"), X[:0])
    assert ys["less"].shape == (0, 3)
    np.testing.assert_array_equal(carry, 1)
    assert control.fori_loop(3, 3, None, 7.0) == 7
    assert control.cond(True, lambda: None, None) is None
    assert row_loops.associative_scan(lambda a, b: a + b, X[:0]).shape == (0, 3)


@custom_gradient
def softplus(x):
    """log(1 + exp(x)) with its own derivative."""
    e = ops.exp(x)
    return ops.log(1 + e), lambda upstream: upstream * (1 - 1 / (1 + e))


@custom_gradient
def products(a, pair, *, scale=1.0):
    b, c = pair["b"], pair["c"]

    def derivative(g):
        less, times = g["less"], g["times"]
        parts = {"b": (times * a - less) * scale, "c": None}
        return (times * b + less) * scale, parts

    return {"times": a * b, "less": a - b + 0 * c}, derivative


def test_custom_gradient():
    check_grads(softplus, modes=["rev"], order=3)(X)

    def both(a, b):
        y = products(a, {"b": b, "c": 1.0})
        return y["times"] * y["less"]

    check_grads(both, [0, 1], modes=["rev"], order=2)(X, X[::-1] + 1)
    assert softplus.__doc__.startswith("log(1")
    assert softplus([0.0]).dtype == np.float32
    g = grad(lambda x: ops.sum(products(x, {"b": X, "c": X}, scale=10.0)["times"]))(X)
    np.testing.assert_allclose(g, 10 * X)
    single = grad(lambda x: ops.sum(softplus(x)))(X.astype("float32"))
    assert single.dtype == np.float32


def test_custom_gradient_of_a_weight():
    weight = Variable(np.ones(3, "float32"))
    reverse = custom_gradient(lambda x: (x * 1.0, lambda g: -g))
    _, _, (g,) = backpropagate(lambda: (ops.sum(reverse(weight)), None), [weight])
    np.testing.assert_array_equal(g, -np.ones(3))


def test_custom_gradient_wants_the_containers_of_its_arguments():
    first = custom_gradient(lambda pair: (pair[0], lambda g: (g, g, g)))
    with pytest.raises(ValueError, match=r"\(\('\*', '\*', '\*'\),\) for \("):
        grad(lambda x: ops.sum(first((x, x))))(X)


@pytest.mark.parametrize(
    "function, message",
    [
        (lambda x: x, "must return its output and a function"),
        (lambda x: (x, 3), "must return its output and a function"),
        (lambda x: (x, lambda g: (g, g)), "containers of the arguments.*for"),
        (lambda x: (x, lambda g: g[:1]), r"shape \(5, 3\).*Received: \(1, 3\)"),
    ],
)
def test_custom_gradient_messages(function, message):
    with pytest.raises(ValueError, match=f"custom_gradient: .*{message}"):
        grad(lambda x: ops.sum(custom_gradient(function)(x)))(X)


def test_custom_gradient_refuses_arrays_by_name():
    call = lambda x: ops.sum(softplus(x=x))  # noqa: E731
    with pytest.raises(TypeError, match="by position. Received: x"):
        grad(call)(X)


def test_jvp():
    function = lambda a, b: {"product": a * b * b}  # noqa: E731
    value, slope = jvp(function, (X, X + 1), (X * 0 + 1, X * 0 + 2))
    b = X + 1
    np.testing.assert_allclose(value["product"], X * b * b)
    np.testing.assert_allclose(slope["product"], b * b + 4 * X * b)
    value, slope, aux = jvp(lambda a: (a * a, [a, "text"]), [3.0], [1.0], has_aux=True)
    assert (float(value), float(slope), float(aux[0]), aux[1]) == (9, 6, 3, "text")
    assert slope.dtype == np.float32
    _, slope = jvp(lambda a: np.ones(2), (X,), (X,))
    np.testing.assert_array_equal(slope, [0, 0])
    second = lambda x: jvp(lambda y: y**3, (x,), (np.ones(x.shape),))[1]  # noqa: E731
    check_grads(second, modes=["fwd", "rev"], order=2)(X)
    np.testing.assert_allclose(jvp(second, (X,), (X * 0 + 1,))[1], 6 * X)


def test_jvp_leaves_no_trace_after_an_error():
    from autograd.tracer import trace_stack

    before = trace_stack.top
    with pytest.raises(ZeroDivisionError):
        jvp(lambda x: 1 // 0, (X,), (X,))
    assert trace_stack.top == before


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (lambda: jvp(ops.exp, X, X), TypeError, "`primals` must be a tuple.*ndarray"),
        (lambda: jvp(ops.exp, (X,), ([X],)), ValueError, "same containers"),
        (lambda: jvp(ops.exp, (X,), (X[0],)), ValueError, r"\(5, 3\).*\(3,\)"),
        (lambda: jvp(ops.exp, (X,), (X,), True), ValueError, "must return a pair"),
        (lambda: control.cond([True], None, None), ValueError, r"cond: `pred`.*\(1,\)"),
        (
            lambda: control.while_loop(lambda x: x < 3, lambda x: x, X),
            ValueError,
            r"what `cond` returns .*\(5, 3\); .*ops.any",
        ),
        (
            lambda: control.while_loop(lambda x: True, lambda x: (1, 2), (X,)),
            ValueError,
            "must return 1 variables.*Received: 2",
        ),
        (lambda: control.switch(0.5, [ops.exp], X), ValueError, "whole number.*0.5"),
        (lambda: control.switch(0, [], X), ValueError, "must hold a function"),
        (
            lambda: row_loops.map(ops.exp, (X, X[:2])),
            ValueError,
            "map: .*`xs`.*one len",
        ),
        (lambda: row_loops.map(ops.exp, 1.0), ValueError, "first axes"),
        (lambda: row_loops.map(ops.exp, []), ValueError, "no arrays"),
        (
            lambda: row_loops.map(lambda r: (r,) if r[0] < 0 else r, X),
            ValueError,
            "map: .*same containers",
        ),
        (lambda: row_loops.scan(doubled, X[0]), ValueError, "`length` must be given"),
        (lambda: row_loops.scan(doubled, X[0], X, 7), ValueError, "5 rows.*length=7"),
        (lambda: row_loops.scan(doubled, X[0], X, unroll=0), ValueError, "unroll=0"),
        (lambda: row_loops.scan(lambda c, x: c, X[0], X), ValueError, "return a pair"),
        (lambda: row_loops.associative_scan(max, (X, X[1:])), ValueError, "one length"),
        (lambda: row_loops.associative_scan(max, X, axis=2), ValueError, "axis"),
    ],
)
def test_messages(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_number_types():
    assert dtype(np.zeros(2, "int8")) == "int8"
    assert dtype(1.0) == "float32"
    assert dtype(Variable(X)) == "float64"
    seen = []
    grad(lambda x: (seen.append((is_tensor(x), dtype(x))), ops.sum(x))[1])(X)
    assert seen == [(True, "float64")]
    assert is_tensor(X)
    assert is_tensor(X.sum())
    assert not is_tensor(Variable(X))
    assert not is_tensor([1.0])


def test_saturate_cast_lets_gradients_through_inside():
    x = np.array([-1e39, 2.0, 1e39])
    slope = grad(lambda x: ops.sum(saturate_cast(x, "float32") * np.float32(0.5)))(x)
    np.testing.assert_array_equal(slope, [0, 0.5, 0])
    assert saturate_cast(np.array([True]), "float32").dtype == np.float32
    with pytest.raises(TypeError):
        saturate_cast(x, "no type")
