"""Differentiation: gradients, what is left behind after it, and threads."""

import gc
import threading
import tracemalloc
import weakref

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from autograd.tracer import getval, isbox, trace_stack

import minikeras as keras
from minikeras import ops
from minikeras.training.step import backpropagate


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    before = trace_stack.top
    yield
    assert trace_stack.top == before


def variable(value, name="w"):
    return keras.Variable(np.asarray(value, "float64"), name)


def numeric(function, variables, step=1e-6):
    """Central differences of a scalar function of no argument."""
    found = []
    for v in variables:
        gradient = np.empty(v.shape)
        for index in np.ndindex(*v.shape):
            before = v.array[index]
            v.array[index] = before + step
            above = float(function())
            v.array[index] = before - step
            below = float(function())
            v.array[index] = before
            gradient[index] = (above - below) / (2 * step)
        found.append(gradient)
    return found


def plain(variables):
    return all(v._box is None and type(v.value) is np.ndarray for v in variables)


# --- gradients -----------------------------------------------------------------------


def test_value_extra_and_gradients():
    rng = np.random.default_rng(0)
    a, b, c = (
        variable(rng.normal(size=(4, 3)), "a"),
        variable(rng.normal(size=3), "b"),
        variable(rng.normal(), "c"),
    )
    x = rng.normal(size=(5, 4))

    def loss():
        hidden = ops.tanh(x @ a + b)
        return ops.sum(ops.square(hidden)) * c + ops.sum(hidden * a[0])

    value, extra, gradients = backpropagate(
        lambda: (loss(), {"h": [x @ a], "n": 3}), [a, b, c]
    )
    assert value == float(loss())
    assert type(extra["h"][0]) is np.ndarray and extra["n"] == 3
    for ours, expected in zip(gradients, numeric(loss, [a, b, c]), strict=True):
        assert ours.shape == expected.shape
        np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-7)
    assert plain([a, b, c])


def test_a_model_in_float64():
    keras.config.set_floatx("float64")
    try:
        keras.utils.set_random_seed(1)
        model = keras.Sequential(
            [
                keras.Input((5, 5, 2)),
                keras.layers.Conv2D(3, 3, activation="tanh", kernel_regularizer="l2"),
                keras.layers.Flatten(),
                keras.layers.Dense(4, activation="softmax"),
            ]
        )
        model.compile("sgd", "sparse_categorical_crossentropy")
        rng = np.random.default_rng(2)
        x, y = rng.normal(size=(3, 5, 5, 2)), np.array([0, 3, 1])

        def loss():
            model._clear_losses()
            return model.compute_loss(x, y, model(x, training=True))

        weights = model.trainable_weights
        _, _, gradients = backpropagate(lambda: (loss(), None), weights)
        for ours, expected in zip(gradients, numeric(loss, weights), strict=True):
            np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-8)
    finally:
        keras.config.set_floatx("float32")


def test_an_unused_weight_has_no_gradient():
    used, unused = variable([2.0]), variable([3.0])
    _, _, gradients = backpropagate(lambda: (ops.sum(used * 3), None), [used, unused])
    np.testing.assert_array_equal(gradients[0], [3.0])
    assert gradients[1] is None


def test_a_loss_without_any_weight():
    weight = variable([2.0])
    value, extra, gradients = backpropagate(lambda: (4.0, weight * 2), [weight])
    assert (value, gradients) == (4.0, [None])
    assert not isbox(extra)


def test_a_weight_that_is_used_twice():
    weight = variable([2.0])
    _, _, (gradient,) = backpropagate(
        lambda: (ops.sum(weight * weight) + ops.sum(weight), None), [weight]
    )
    np.testing.assert_array_equal(gradient, [5.0])


def test_the_loss_may_be_the_weight():
    weight = variable(2.0)
    value, _, (gradient,) = backpropagate(lambda: (weight.value, None), [weight])
    assert (float(value), float(gradient)) == (2.0, 1.0)


def test_plain_autograd_functions_work():
    weight = variable([1.0, 2.0])
    _, _, (gradient,) = backpropagate(
        lambda: (anp.sum(anp.exp(weight.value)), None), [weight]
    )
    np.testing.assert_allclose(gradient, np.exp([1.0, 2.0]))


def test_nested():
    """The gradient of the squared length of a gradient, as in a gradient penalty."""
    weight = variable([1.0, 2.0, -1.0])

    def inner():
        return ops.sum(weight * weight * weight), None

    def outer():
        _, _, (gradient,) = backpropagate(inner, [weight])
        assert isbox(gradient)
        return ops.sum(gradient * gradient), None

    value, _, (gradient,) = backpropagate(outer, [weight])
    w = weight.numpy()
    np.testing.assert_allclose(value, (9 * w**4).sum())
    np.testing.assert_allclose(gradient, 36 * w**3)
    assert plain([weight])


def test_inside_of_autograd():
    weight = variable([2.0, 3.0])

    def length(x):
        _, _, (gradient,) = backpropagate(
            lambda: (ops.sum(weight * weight * x), None), [weight]
        )
        return ops.sum(gradient)  # 2 (w_1 + w_2) x

    assert autograd.grad(length)(1.5) == 10.0


def test_a_loss_that_is_no_scalar():
    weight = variable([1.0, 2.0])
    for shape, loss in (((2,), lambda: weight * 2), ((1,), lambda: weight[:1])):
        message = f"one number. Received an array of shape {shape}".replace("(", r"\(")
        with pytest.raises(ValueError, match=message.replace(")", r"\)")):
            backpropagate(lambda f=loss: (f(), None), [weight])
    assert plain([weight])


# --- after errors --------------------------------------------------------------------


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, MemoryError])
def test_an_error_inside_leaves_nothing_boxed(error):
    weights = [variable([1.0]), variable([2.0])]

    def broken():
        assert isbox(weights[0].value)
        ops.sum(weights[0] * 2)
        raise error

    top = trace_stack.top
    for _ in range(3):
        with pytest.raises(error):
            backpropagate(broken, weights)
        assert trace_stack.top == top
        assert plain(weights)
    _, _, gradients = backpropagate(
        lambda: (ops.sum(weights[0] * 3), None), weights[:1]
    )
    np.testing.assert_array_equal(gradients[0], [3.0])


def test_an_error_on_the_way_back():
    @autograd.extend.primitive
    def twice(x):
        return 2 * x

    def broken(ans, x):
        def vjp(g):
            raise ArithmeticError

        return vjp

    autograd.extend.defvjp(twice, broken)
    weight = variable([1.0])
    with pytest.raises(ArithmeticError):
        backpropagate(lambda: (ops.sum(twice(weight.value)), None), [weight])
    assert plain([weight])


def test_an_error_in_a_nested_gradient():
    weight = variable([1.0])

    def broken():
        raise RuntimeError

    def outer():
        with pytest.raises(RuntimeError):
            backpropagate(broken, [weight])
        return ops.sum(weight * 5), None

    _, _, (gradient,) = backpropagate(outer, [weight])
    np.testing.assert_array_equal(gradient, [5.0])


# --- memory --------------------------------------------------------------------------


@pytest.fixture
def only_counted_references():
    """Without the collector: what dies, dies because nothing refers to it."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def test_no_tape_stays_alive(only_counted_references):
    weight = variable(np.ones(1000))
    seen = []

    def loss():
        middle = weight * 2
        seen.append(weakref.ref(getval(middle)))
        return ops.sum(middle * middle), middle + 1

    _, extra, gradients = backpropagate(loss, [weight])
    assert seen[0]() is None
    assert type(extra) is type(gradients[0]) is np.ndarray


def test_no_tape_stays_alive_after_an_error(only_counted_references):
    weight = variable(np.ones(1000))
    seen = []

    def loss():
        middle = weight * 2
        seen.append(weakref.ref(getval(middle)))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        backpropagate(loss, [weight])
    assert seen[0]() is None


def test_no_tape_stays_alive_after_training(only_counted_references):
    seen = []

    class Spy(keras.layers.Dense):
        def call(self, inputs):
            outputs = super().call(inputs)
            if isbox(outputs):
                seen.append(weakref.ref(getval(outputs)))
            return outputs

    model = keras.Sequential(
        [
            keras.Input((8,)),
            Spy(8, activity_regularizer="l2", activation="relu"),
            Spy(1, kernel_regularizer="l1"),
        ]
    )
    model.compile("adam", "mse", metrics=["mae"])
    x, y = np.ones((4, 8), "float32"), np.ones((4, 1), "float32")
    model.train_on_batch(x, y)
    assert len(seen) == 2
    assert [ref() for ref in seen] == [None, None]
    assert not any(isbox(loss) for loss in model.losses)


def test_memory_of_many_steps_does_not_grow():
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64)])
    model.compile("adam", "mse")
    x = np.ones((256, 64), "float32")
    for _ in range(5):
        model.train_on_batch(x, x)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(30):
            model.train_on_batch(x, x)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < 100_000  # bytes; one activation has 65,536


# --- threads -------------------------------------------------------------------------


def test_threads_get_the_gradients_of_their_own():
    rounds, errors = 60, []
    barrier = threading.Barrier(8)

    def work(number):
        try:
            weight = variable(np.full(3, float(number + 1)))
            barrier.wait()
            for i in range(rounds):
                factor = float(i + number)

                def inner(weight=weight):
                    return ops.sum(weight * weight * weight), None

                def loss(weight=weight, factor=factor, inner=inner):
                    _, _, (gradient,) = backpropagate(inner, [weight])
                    return ops.sum(gradient) * factor, None

                _, _, (gradient,) = backpropagate(loss, [weight])
                np.testing.assert_allclose(gradient, 6 * (number + 1) * factor)
        except BaseException as error:
            errors.append(error)
            barrier.abort()

    run_threads(work, 8)
    assert errors == []


def test_threads_that_share_weights():
    """A weight is boxed for the thread that differentiates, and for no other."""
    weight = variable(np.arange(4.0))
    errors, stop = [], threading.Event()

    def read():
        while not stop.is_set():
            value = weight.value
            if type(value) is not np.ndarray or isbox(weight * 2):
                errors.append("a box in another thread")
                return

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(300):
            _, _, (gradient,) = backpropagate(
                lambda: (ops.sum(weight * weight), None), [weight]
            )
            np.testing.assert_array_equal(gradient, 2 * np.arange(4.0))
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert errors == []


def test_threads_that_train_models():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 6)).astype("float32")
    y = rng.normal(size=(32, 2)).astype("float32")

    def make(seed):
        rng = np.random.default_rng(seed)
        model = keras.Sequential(
            [keras.Input((6,)), keras.layers.Dense(8, "tanh"), keras.layers.Dense(2)]
        )
        model.set_weights([rng.normal(size=w.shape) for w in model.weights])
        model.compile(keras.optimizers.Adam(0.01), "mse")
        return model

    alone = [make(i) for i in range(8)]
    for model in alone:
        model.fit(x, y, epochs=4, batch_size=4, shuffle=False, verbose=0)
    together, errors = [make(i) for i in range(8)], []

    def work(number):
        try:
            together[number].fit(x, y, epochs=4, batch_size=4, shuffle=False, verbose=0)
        except BaseException as error:
            errors.append(error)

    run_threads(work, 8)
    assert errors == []
    for one, other in zip(alone, together, strict=True):
        for expected, ours in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(ours, expected)


def run_threads(work, count):
    threads = [threading.Thread(target=work, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
