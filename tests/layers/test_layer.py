"""Layers of one's own, in the ways people write them."""

import copy
import gc
import pickle
import threading
import weakref

import autograd.numpy as anp
import numpy as np
import pytest
from autograd.core import VJPNode
from autograd.tracer import isbox

import minikeras as keras
from minikeras import layers, ops
from minikeras.training.step import backpropagate
from minikeras.variables import structure

X = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


@pytest.fixture(autouse=True)
def _fresh():
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)


def gradients(layer, x=X, variables=None):
    """Gradients of sum(layer(x) ** 2), by path."""
    layer(x)
    variables = layer.trainable_weights if variables is None else variables
    _, _, found = backpropagate(
        lambda: (ops.sum(ops.square(layer(x, training=True))), None), variables
    )
    return {v.path: g for v, g in zip(variables, found, strict=True)}


def close(found, expected, tolerance=1e-5):
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


# build, call, add_weight ------------------------------------------------------------


class Scale(layers.Layer):
    """y = x * scale, computed by one of four ways to write it."""

    def __init__(self, how="operator", **kwargs):
        super().__init__(**kwargs)
        self.how = how

    def build(self, input_shape):
        self.scale = self.add_weight((input_shape[-1],), "ones", name="scale")

    def call(self, inputs):
        if self.how == "operator":
            return inputs * self.scale
        if self.how == "reflected":
            return self.scale * inputs
        if self.how == "ops":
            return ops.multiply(inputs, self.scale)
        return anp.multiply(inputs, self.scale)


@pytest.mark.parametrize("how", ["operator", "reflected", "ops", "autograd"])
def test_every_way_to_compute(how):
    layer = Scale(how)
    close(layer(X), X)
    assert isinstance(layer.scale, np.ndarray)
    (gradient,) = gradients(layer).values()
    assert gradient.dtype == np.float32
    close(gradient, (2 * X**2).sum(0))
    assert isinstance(layer.scale, np.ndarray)  # the box is gone again


class Polynomial(layers.Layer):
    """Handles that are kept in a list or a dictionary instead of an attribute."""

    def __init__(self, kind, **kwargs):
        super().__init__(**kwargs)
        self.kind = kind

    def build(self, input_shape):
        made = {f"c{i}": self.add_weight((), "ones", name=f"c{i}") for i in range(3)}
        self.coefficients = made if self.kind == "dict" else list(made.values())

    def call(self, x):
        c = self.coefficients
        a, b, d = c.values() if self.kind == "dict" else c
        return ops.add(a, ops.multiply(b, x)) + d * anp.power(x, 2)


@pytest.mark.parametrize("kind", ["list", "dict"])
def test_handles_in_lists_and_dictionaries(kind):
    layer = Polynomial(kind)
    y = layer(X)
    close(y, 1 + X + X**2)
    assert y.dtype == np.float32
    found = gradients(layer)
    assert list(found) == ["polynomial/c0", "polynomial/c1", "polynomial/c2"]
    for power, gradient in enumerate(found.values()):
        close(gradient, (2 * y * X**power).sum(), 1e-4)


def test_handles_made_by_the_user_are_weights_too():
    class Own(layers.Layer):
        def __init__(self):
            super().__init__()
            self.one = keras.Variable(np.ones(3, "float32"), name="one")
            self.more = [keras.Variable(np.ones(3, "float32"), name="two")]
            self._hidden = {"x": (keras.Variable(np.ones(3, "float32")),)}
            self.fixed = keras.Variable(np.ones(3, "float32"), trainable=False)

        def call(self, x):
            return x * self.one * self.more[0] * self._hidden["x"][0] * self.fixed

    layer = Own()
    assert len(layer.weights) == 4
    assert len(layer.trainable_weights) == 3
    for gradient in gradients(layer).values():
        close(gradient, (2 * X**2).sum(0))
    model = keras.Sequential([layer])
    for _ in range(2):  # freezing twice is freezing once
        layer.trainable = False
        assert layer.trainable_weights == model.trainable_weights == []
    layer.trainable = True
    assert len(model.trainable_weights) == 3


def test_weight_operators_agree_with_numpy():
    class Operators(layers.Layer):
        def build(self, input_shape):
            self.ws = [self.add_weight((3, 3), "glorot_uniform", name="w")]

        def call(self, x):
            w = self.ws[0]
            return (
                (x @ w + w[0] - w.T[1]) / (abs(w) + 2)[0] + (-w)[1] * 2.0 + w**2 @ x.T
            )

    layer = Operators()
    x = X[:3]
    y = layer(x)
    w = layer.get_weights()[0]
    close(y, (x @ w + w[0] - w.T[1]) / (abs(w) + 2)[0] - w[1] * 2 + w**2 @ x.T)
    assert y.dtype == np.float32
    (gradient,) = gradients(layer, x).values()
    assert gradient.shape == (3, 3) and np.all(gradient != 0)


def test_add_weight_defaults():
    layer = layers.Layer()
    assert layer.add_weight().shape == ()
    kernel = layer.add_weight((50, 50))
    assert kernel.dtype == "float32" and kernel.name == "variable"
    limit = np.sqrt(6 / 100)  # Glorot uniform
    assert 0.9 * limit < np.abs(kernel.array).max() <= limit
    count = layer.add_weight((), dtype="int64", trainable=False)
    assert count.dtype == "int64" and count.array == 0
    assert layer.add_weight(3).shape == (3,)
    assert layer.weights == [*layer.trainable_weights, count]


def test_initializers_of_all_kinds():
    layer = layers.Layer()
    values = [
        layer.add_weight((2,), initializer).array
        for initializer in (
            "ones",
            keras.initializers.Constant(1.0),
            lambda shape, dtype: np.ones(shape, dtype),
            {"class_name": "Ones", "config": {}},
            keras.initializers.Ones,
        )
    ]
    for value in values:
        np.testing.assert_array_equal(value, np.ones(2, "float32"))
        assert value.dtype == np.float32


def test_initializers_that_do_not_fit():
    with pytest.raises(ValueError, match=r"'w' returned shape \(3,\), expected \(2,\)"):
        layers.Layer().add_weight((2,), lambda s, dtype: np.ones(3), name="w")
    with pytest.raises(ValueError, match="needs a shape of whole numbers"):
        layers.Layer().add_weight((None, 3))
    with pytest.raises(ValueError, match="not offered"):
        layers.Layer().add_weight((2,), aggregation="mean")


def test_the_order_of_weights_is_that_of_keras():
    class Mixed(layers.Layer):
        def build(self, input_shape):
            self.inner = layers.Dense(2, name="inner")
            self.mean = self.add_weight((1,), "zeros", trainable=False, name="mean")
            self.gain = self.add_weight((1,), "ones", name="gain")

        def call(self, x):
            return self.inner(x) * self.gain + self.mean

    layer = Mixed()
    layer(X)
    paths = ["mixed/gain", "mixed/mean", "mixed/inner/kernel", "mixed/inner/bias"]
    assert [v.path for v in layer.weights] == paths
    assert [v.path for v in layer.trainable_weights] == [paths[0], *paths[2:]]
    assert [v.path for v in layer.non_trainable_weights] == paths[1:2]


# Composite layers -------------------------------------------------------------------


class Composite(layers.Layer):
    """Sublayers in an attribute, a list, a dictionary, and made in `build`."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(4, "tanh")
        self.middle = [layers.Dense(4), (layers.Dense(4), layers.Dropout(0.0))]
        self.named = {"out": layers.Dense(2)}

    def build(self, input_shape):
        self.late = layers.Dense(2)
        self.gain = self.add_weight((2,), "ones", name="gain")

    def call(self, x):
        x = self.middle[0](self.first(x))
        for layer in self.middle[1]:
            x = layer(x)
        return self.late(self.named["out"](x)) * self.gain


def test_sublayers_are_found_wherever_they_are():
    layer = Composite()
    assert layer.weights == []
    y = layer(X)
    # What Keras gives for this class.
    names = [
        "gain",
        "dense/kernel",
        "dense/bias",
        "dense_1/kernel",
        "dense_1/bias",
        "dense_2/kernel",
        "dense_2/bias",
        "dense_3/kernel",
        "dense_3/bias",
        "dense_4/kernel",
        "dense_4/bias",
    ]
    assert [v.path for v in layer.weights] == [f"composite/{n}" for n in names]
    assert layer.count_params() == 2 + 16 + 20 + 20 + 10 + 6
    w = layer.get_weights()
    expected = np.tanh(X @ w[1] + w[2])
    for kernel, bias in zip(w[3::2], w[4::2], strict=True):
        expected = expected @ kernel + bias
    close(y, expected * w[0])
    found = gradients(layer)
    assert all(g is not None and np.any(g) for g in found.values())


def test_a_composite_in_a_model_of_known_shape_is_built_at_once():
    model = keras.Sequential([keras.Input((3,)), Composite(), layers.Dense(1)])
    assert model.built and len(model.weights) == 13
    assert model.output_shape == (None, 1)
    assert model.layers[0].output_shape == (None, 2)
    assert model.weights[1].path == "sequential/composite/dense/kernel"
    assert len({v.path for v in model.weights}) == 13
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.train_on_batch(X, np.ones((5, 1), "float32"))
    for old, new in zip(before, model.get_weights(), strict=True):
        assert not np.array_equal(old, new)


def test_one_sublayer_in_two_places_counts_once():
    class Twice(layers.Layer):
        def __init__(self):
            super().__init__()
            self.a = layers.Dense(3, use_bias=False)
            self.again = [self.a]

        def call(self, x):
            return self.again[0](self.a(x))

    layer = Twice()
    close(layer(X), X @ layer.a.kernel @ layer.a.kernel)
    assert len(layer.weights) == 1


class Noisy(layers.Layer):
    """Does not mention `training`, as most layers of users do not."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.drop = layers.Dropout(0.5)

    def call(self, x):
        return self.drop(x)


def test_training_reaches_sublayers_by_itself():
    layer = Noisy()
    ones = np.ones((20, 20), "float32")
    assert np.any(layer(ones, training=True) == 0)
    for silent in (layer(ones), layer(ones, training=False)):
        np.testing.assert_array_equal(silent, ones)
    model = keras.Sequential([keras.Sequential([Noisy()])])
    assert np.any(model(ones, training=True) == 0)
    np.testing.assert_array_equal(model(ones), ones)
    np.testing.assert_array_equal(model.predict(ones, verbose=0), ones)


def test_training_does_not_leak_after_an_error_or_to_other_threads():
    class Fails(layers.Layer):
        def call(self, x):
            raise KeyError("x")

    drop, ones, seen = layers.Dropout(0.5), np.ones((9, 9), "float32"), []

    class Outer(layers.Layer):
        def call(self, x):
            thread = threading.Thread(target=lambda: seen.append(drop(ones)))
            thread.start()
            thread.join()
            return x

    with pytest.raises(KeyError):
        Fails()(X, training=True)
    np.testing.assert_array_equal(drop(ones), ones)
    Outer()(X, training=True)
    np.testing.assert_array_equal(seen[0], ones)


def test_an_explicit_training_wins_over_the_inherited_one():
    class Certain(layers.Layer):
        def __init__(self):
            super().__init__()
            self.drop = layers.Dropout(0.5)

        def call(self, x, training=None):
            assert training is True
            return self.drop(x, training=False)

    np.testing.assert_array_equal(Certain()(X, training=True), X)


def test_several_inputs_and_keyword_arguments():
    class Join(layers.Layer):
        def build(self, left_shape, right_shape):
            self.w = self.add_weight((left_shape[-1], right_shape[-1]), "ones")

        def call(self, left, right, factor=1.0):
            return left @ self.w * right * factor

    layer = Join()
    right = np.full((5, 2), 2, "float64")
    y = layer(X, right, factor=3.0)
    close(y, X.sum(1, keepdims=True) * 2 * 3 * np.ones((1, 2)))
    assert y.dtype == np.float32
    assert layer.get_build_config() == {
        "shapes_dict": {"left_shape": (None, 3), "right_shape": (None, 2)}
    }
    again = Join()
    again.build_from_config(layer.get_build_config())
    assert again.weights[0].shape == (3, 2)


def test_a_list_of_inputs():
    class Add(layers.Layer):
        def call(self, inputs):
            return inputs[0] + inputs[1]

        def compute_output_shape(self, input_shape):
            return input_shape[0]

    layer = Add()
    close(layer([X, X.astype("float64")]), 2 * X)
    assert layer.input_shape == [(None, 3), (None, 3)]
    assert layer.output_shape == (None, 3)


# Losses -----------------------------------------------------------------------------


class Penalty(layers.Layer):
    def call(self, x):
        self.add_loss(0.5 * ops.sum(ops.square(x)))
        return x


def test_add_loss_is_of_the_last_call():
    layer = Penalty()
    layer(X)
    layer(2 * X)
    assert len(layer.losses) == 1
    close(layer.losses[0], 2 * (X**2).sum())
    model = keras.Sequential([Penalty(), Penalty()])
    for _ in range(2):
        model(X)
        close(model.losses, [0.5 * (X**2).sum()] * 2)


def test_a_layer_used_twice_in_a_call_adds_twice():
    class Twice(layers.Layer):
        def __init__(self):
            super().__init__()
            self.inner = Penalty()

        def call(self, x):
            return self.inner(self.inner(x))

    layer = Twice()
    layer(X)
    assert len(layer.losses) == 2


def test_add_loss_trains_and_keeps_no_tape():
    class Shrink(layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((3,), "ones", name="w")

        def call(self, x):
            self.add_loss([ops.sum(ops.square(self.w))])
            return x * self.w

    model = keras.Sequential([Shrink()])
    model.compile(keras.optimizers.SGD(0.1))
    loss = model.train_on_batch(X)
    close(loss, 3.0)
    close(model.get_weights()[0], np.full(3, 0.8))
    (kept,) = model.losses
    assert type(kept) is not type(None) and not hasattr(kept, "_node")


def test_activity_regularizer_is_divided_by_the_batch():
    layer = layers.Dense(
        2,
        kernel_initializer="ones",
        kernel_regularizer=keras.regularizers.L2(0.1),
        bias_regularizer="l1",
        activity_regularizer=keras.regularizers.L1(0.5),
    )
    y = layer(X)
    # Order and values as in Keras: activity, kernel, bias.
    close(layer.losses, [0.5 * np.abs(y).sum() / 5, 0.1 * 6, 0.0])
    layer.trainable = False
    close(layer.losses, [0.5 * np.abs(y).sum() / 5])


def test_activity_regularizer_of_a_layer_of_ones_own():
    layer = Scale(activity_regularizer="l2")
    layer(X)
    close(layer.losses, [0.01 * (X**2).sum() / 5])
    layer(X[:0])  # an empty batch divides by 1, not by 0
    close(layer.losses, [0.0])
    for given in ("l2", keras.regularizers.L2(0.01)):
        config = Scale(activity_regularizer=given).get_config()
        assert config["activity_regularizer"]["class_name"] == "L2"
        assert Scale.from_config(config).activity_regularizer.l2 == 0.01


# State written in call --------------------------------------------------------------


class Moving(layers.Layer):
    """A moving average and a counter, the way a batch normalization keeps them."""

    def build(self, input_shape):
        shape = (input_shape[-1],)
        self.scale = self.add_weight(shape, "ones", name="scale")
        self.mean = self.add_weight(shape, "zeros", trainable=False, name="mean")
        self.calls = self.add_weight((), "zeros", "int32", False, name="calls")

    def call(self, x, training=False):
        y = x * self.scale
        if training:
            self.mean = 0.5 * self.mean + 0.5 * ops.mean(y, axis=0)
            self.calls = self.calls + 1
        return y


def test_state_is_written_without_boxes():
    layer = Moving()
    model = keras.Sequential([layer])
    model.compile("sgd", "mse")
    model.build((None, 3))
    array = layer.mean
    model.train_on_batch(X, X)
    close(layer.mean, 0.5 * X.mean(0))
    assert layer.mean is array and isinstance(array, np.ndarray)
    assert not isbox(array)
    assert layer.calls == 1 and layer.calls.dtype == np.int32
    model.predict(X, verbose=0)
    assert layer.calls == 1


def test_state_keeps_no_tape_alive():
    def nodes():
        gc.collect()
        return sum(type(thing) is VJPNode for thing in gc.get_objects())

    layer, before = Moving(), nodes()
    model = keras.Sequential([layer, Penalty()])
    model.compile("sgd", "mse")
    model.train_on_batch(X, X)
    assert layer.calls == 1
    assert nodes() == before
    layer.stored = backpropagate(lambda: (ops.sum(layer(X)), None), layer.weights)
    assert nodes() == before


def test_state_by_assign_and_by_handle():
    class Counter(layers.Layer):
        def __init__(self):
            super().__init__()
            self.state = {"n": self.add_weight((), "zeros", trainable=False, name="n")}

        def call(self, x):
            self.state["n"].assign_add(ops.sum(x))
            return x

    layer = Counter()
    _, _, _ = backpropagate(lambda: (ops.sum(layer(X)), None), layer.weights)
    close(layer.state["n"].array, X.sum())


def test_state_is_put_back_when_a_step_fails():
    class Fails(layers.Layer):
        def call(self, x, training=False):
            if training:
                raise RuntimeError("no")
            return x

    layer = Moving()
    model = keras.Sequential([layer, Fails()])
    model.compile("sgd", "mse")
    model.build((None, 3))
    with pytest.raises(RuntimeError, match="no"):
        model.train_on_batch(X, X)
    np.testing.assert_array_equal(layer.mean, np.zeros(3))
    assert layer.calls == 0
    assert isinstance(layer.scale, np.ndarray)


def test_a_plain_numpy_function_on_a_handle_is_refused_in_a_trace():
    class Plain(layers.Layer):
        def build(self, input_shape):
            self.ws = [self.add_weight((3,), "ones", name="w")]

        def call(self, x):
            return x * np.exp(self.ws[0])

    layer = Plain()
    close(layer(X), X * np.e)  # no gradient is being taken
    with pytest.raises(TypeError, match="'plain/w' would lose its gradient"):
        gradients(layer)
    close(layer(X), X * np.e)


# Assigning --------------------------------------------------------------------------


def test_assigning_an_array_copies_it_into_the_weight():
    layer = Scale()
    layer(X)
    handle, array = layer.weights[0], layer.scale
    mine = np.arange(3.0)
    layer.scale = mine
    mine[:] = 9
    np.testing.assert_array_equal(layer.scale, [0, 1, 2])
    assert layer.scale is array is handle.array
    assert layer.scale.dtype == np.float32
    layer.scale = [3, 2, 1]
    np.testing.assert_array_equal(handle.numpy(), [3, 2, 1])
    with pytest.raises(ValueError, match=r"'scale/scale' has shape \(3,\)"):
        layer.scale = np.ones(4)
    np.testing.assert_array_equal(layer.scale, [3, 2, 1])
    layer.scale += 1
    np.testing.assert_array_equal(handle.array, [4, 3, 2])


def test_assigning_none_or_deleting():
    layer = layers.Dense(2)
    layer.build((None, 3))
    layer.bias = None
    assert layer.bias is None
    del layer.kernel
    assert [v.name for v in layer.weights] == ["bias"]
    with pytest.raises(AttributeError):
        _ = layer.kernel
    layer.note = 1
    del layer.note
    assert not hasattr(layer, "note")


def test_sharing_a_weight_while_building():
    class Tied(layers.Layer):
        def __init__(self, source):
            super().__init__()
            self._sources = lambda: source

        def build(self, input_shape):
            self.kernel = self._sources().weights[0]

        def call(self, x):
            return x @ self.kernel.T

    encoder = layers.Dense(2, use_bias=False)
    decoder = Tied(encoder)
    model = keras.Sequential([encoder, decoder])
    y = model(X)
    close(y, X @ encoder.kernel @ encoder.kernel.T)
    assert len(model.weights) == 1 and decoder.weights == encoder.weights
    (gradient,) = gradients(model).values()
    k = encoder.kernel
    close(gradient, 2 * (X.T @ y @ k + y.T @ X @ k), 1e-4)
    model.compile(keras.optimizers.SGD(0.01), "mse")
    model.train_on_batch(X, X)
    assert decoder.kernel is encoder.kernel


def test_sharing_a_weight_of_built_layers():
    one, two = layers.Dense(3), layers.Dense(3)
    model = keras.Sequential([keras.Input((3,)), one, two])
    two.kernel = one.weights[0]
    assert two.kernel is one.kernel
    assert [v.path for v in two.weights] == [
        "sequential/dense/kernel",
        "sequential/dense_1/bias",
    ]
    assert len(model.weights) == 3
    close(gradients(model)["sequential/dense_1/bias"], 2 * model(X).sum(0), 1e-4)
    narrow = layers.Dense(2)
    narrow.build((None, 3))
    with pytest.raises(ValueError, match=r"Received a weight of shape \(3, 3\)"):
        narrow.kernel = one.weights[0]


# Freezing ---------------------------------------------------------------------------


def test_freezing_a_composite_freezes_what_is_inside():
    layer = Composite()
    layer(X)
    layer.trainable = False
    assert layer.trainable_weights == []
    assert layer.non_trainable_weights == layer.weights
    assert not layer.first.trainable and not layer.late.trainable
    assert not any(v.trainable for v in layer.weights)
    layer.trainable = True
    assert layer.trainable_weights == layer.weights


def test_freezing_before_building_lets_later_sublayers_train_as_in_keras():
    layer = Composite()
    layer.trainable = False
    layer(X)
    assert layer.trainable_weights == []
    assert [v.trainable for v in layer.weights] == [False] * 9 + [True] * 2


def test_a_frozen_sublayer_does_not_move():
    layer = Composite()
    model = keras.Sequential([layer])
    model(X)
    layer.middle[0].trainable = False
    assert len(layer.trainable_weights) == 9
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = {v.path: v.numpy() for v in model.weights}
    model.train_on_batch(X, np.ones((5, 2), "float32"))
    for variable in model.weights:
        moved = not np.array_equal(variable.array, before[variable.path])
        assert moved == ("/dense_1/" not in variable.path)


def test_one_weight_can_be_frozen():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    kernel, bias = model.weights
    kernel.trainable = False
    assert model.trainable_weights == [bias]
    assert model.non_trainable_weights == [kernel]
    model.compile("sgd", "mse")
    before = kernel.numpy()
    model.train_on_batch(X, np.ones((5, 2), "float32"))
    np.testing.assert_array_equal(kernel.array, before)
    model.trainable = True  # sets all of them, as in Keras
    assert kernel.trainable


def test_fixed_weights_stay_fixed():
    layer = Moving()
    layer(X)
    layer.trainable = False
    layer.trainable = True
    assert [v.name for v in layer.trainable_weights] == ["scale"]


# Faults of the user -----------------------------------------------------------------


def test_missing_super_init():
    class Forgot(layers.Layer):
        def __init__(self):
            self.units = 3
            self.inner = layers.Dense(2)

        def call(self, x):
            return x

    with pytest.raises(RuntimeError, match=r"Forgot.__init__ did not call super\(\)"):
        Forgot()(X)


def test_attributes_before_super_init_are_fine():
    class Early(layers.Layer):
        def __init__(self):
            self.inner = layers.Dense(2)
            super().__init__()

        def call(self, x):
            return self.inner(x)

    layer = Early()
    assert layer(X).shape == (5, 2) and len(layer.weights) == 2


def test_missing_call():
    class Empty(layers.Layer):
        pass

    with pytest.raises(NotImplementedError, match="Layer Empty has no `call` method"):
        Empty()(X)


def test_bad_names_and_flags():
    with pytest.raises(ValueError, match="string without '/'. Received: name='a/b'"):
        Scale(name="a/b")
    with pytest.raises(ValueError, match="Received: name=3"):
        Scale(name=3)
    with pytest.raises(ValueError, match="Received: trainable='no'"):
        Scale(trainable="no")
    with pytest.raises(ValueError, match="`dtype` must be one of float16, float32"):
        Scale(dtype="int32")


def test_properties_keep_their_own_errors():
    class Broken(layers.Layer):
        @property
        def answer(self):
            return self.nowhere

    with pytest.raises(AttributeError, match="has no attribute 'nowhere'"):
        _ = Broken().answer
    with pytest.raises(AttributeError, match="it has not been built"):
        _ = layers.Dense(1).input_shape
    with pytest.raises(AttributeError, match="no weight `kernel` yet"):
        _ = layers.Dense(1).kernel
    with pytest.raises(AttributeError, match="has no attribute 'colour'"):
        _ = layers.Dense(1).colour


def test_set_weights_changes_nothing_on_an_error():
    layer = layers.Dense(2)
    layer.build((None, 3))
    before = layer.get_weights()
    with pytest.raises(ValueError, match="has 2 weights, set_weights received 1"):
        layer.set_weights([np.zeros((3, 2))])
    with pytest.raises(ValueError, match=r"'dense/bias' has shape \(2,\)"):
        layer.set_weights([np.zeros((3, 2)), np.zeros(3)])
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    before[0][:] = 7  # get_weights gave copies
    assert not np.any(layer.kernel == 7)


def test_count_params_needs_a_built_layer():
    with pytest.raises(ValueError, match="has no weights yet"):
        layers.Dense(1).count_params()


# Configs and shapes -----------------------------------------------------------------


def test_get_config_of_a_layer_without_one():
    config = Scale("ops", name="mine", trainable=False).get_config()
    assert config.pop("dtype")["config"] == {"name": "float32"}
    assert config == {"name": "mine", "trainable": False, "how": "ops"}
    again = Scale.from_config(Scale("ops", name="mine").get_config())
    assert (again.how, again.name) == ("ops", "mine")


def test_get_config_whatever_the_keywords_are_called():
    class Odd(layers.Layer):
        def __init__(self, size, *rest, depth=2, **options):
            super().__init__(**options)

        def call(self, x):
            return x

    config = Odd(1, depth=3, name="odd_one").get_config()
    assert (config["size"], config["depth"], config["name"]) == (1, 3, "odd_one")
    assert "options" not in config and "rest" not in config


def test_get_config_refuses_arguments_it_cannot_write():
    class Holds(layers.Layer):
        def __init__(self, thing):
            super().__init__()

    with pytest.raises(NotImplementedError, match="`thing` is a ndarray"):
        Holds(np.ones(3)).get_config()


def test_a_layer_of_ones_own_through_the_registry():
    layer = Scale("ops")
    layer.build((None, 3))
    model = keras.Sequential([layer], name="m")
    serialized = keras.saving.serialize_keras_object(model)
    with pytest.raises(ValueError, match="Unknown class or function 'Scale'"):
        keras.saving.deserialize_keras_object(serialized)
    again = keras.saving.deserialize_keras_object(serialized, {"Scale": Scale})
    assert type(again.layers[0]) is Scale and again.layers[0].how == "ops"
    assert again.layers[0].built


def test_shapes_found_by_trying():
    class Windows(layers.Layer):
        def call(self, x):
            return ops.concatenate([x[:, 1:], x[:, :-1]], axis=-1)

    model = keras.Sequential([keras.Input((None, 3)), Windows(), layers.Dense(2)])
    assert model.layers[0].output_shape == (None, None, 6)
    assert model.output_shape == (None, None, 2)
    assert Windows().compute_output_shape((4, 7, 3)) == (4, 6, 6)
    assert model(np.zeros((2, 5, 3))).shape == (2, 4, 2)


def test_trying_shapes_leaves_no_losses():
    layer = Penalty()
    assert layer.compute_output_shape((None, 3)) == (None, 3)
    assert layer.losses == []


# Copies -----------------------------------------------------------------------------


def trained():
    model = keras.Sequential(
        [keras.Input((3,)), Scale(), layers.Dense(4, "relu"), layers.Dense(1)]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.train_on_batch(X, np.ones((5, 1), "float32"))
    return model


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda m: pickle.loads(pickle.dumps(m))}


@pytest.mark.parametrize("how", COPIES)
def test_copies_of_a_layer_are_independent(how):
    layer = layers.Dense(2, "relu", kernel_regularizer="l2")
    layer(X)
    other = COPIES[how](layer)
    assert other.name == layer.name and other.built
    assert other.get_config() == layer.get_config()
    np.testing.assert_array_equal(other(X), layer(X))
    other.kernel = np.zeros((3, 2))
    assert np.any(layer.kernel)
    assert not np.any(other.weights[0].array)
    assert [v.path for v in other.weights] == [v.path for v in layer.weights]
    close(other.losses, [0.0])


@pytest.mark.parametrize("how", COPIES)
def test_copies_of_a_model_train_on_their_own(how):
    model = trained()
    other = COPIES[how](model)
    before = model.get_weights()
    other.compile("sgd", "mse")
    other.train_on_batch(X, np.ones((5, 1), "float32"))
    for old, now, new in zip(
        before, model.get_weights(), other.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, now)
        assert not np.array_equal(old, new)


@pytest.mark.parametrize("how", COPIES)
def test_what_a_copy_consists_of_is_found_anew(how):
    model = trained()
    model.plan()
    version = structure.version
    other = COPIES[how](model)
    extra = other.layers[0].add_weight((2,), "ones")
    # Even where as much had changed as before the copy was made.
    structure.version = copy.copy(version)
    assert any(v is extra for v in other.plan().trainable)
    assert not any(v is extra for v in model.plan().trainable)


@pytest.mark.parametrize("how", COPIES)
def test_copies_of_a_trained_model_train_on_alike(how):
    model = trained()
    other = COPIES[how](model)
    for old, new in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    before = model.get_weights()
    y = np.ones((5, 1), "float32")
    losses = [other.train_on_batch(X, y) for _ in range(3)]
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert losses == [model.train_on_batch(X, y) for _ in range(3)]
    for old, new in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_layers_are_released():
    layer = Composite()
    layer(X)
    gradients(layer)
    reference = weakref.ref(layer)
    del layer
    gc.collect()
    assert reference() is None


def test_attributes_that_another_thread_sets_meanwhile_disturb_nobody():
    """As `fit` in one thread may, while `predict` in another walks through a layer."""

    class Meanwhile(list):
        def __iter__(self):
            for number in range(100):
                setattr(layer, f"found_{number}", number)
            return super().__iter__()

    layer = layers.Dense(2)
    layer.build((None, 3))
    layer.others = Meanwhile([layers.Dense(1)])
    assert [v.name for v in layer.weights] == ["kernel", "bias"]
    assert layer.found_99 == 99

    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile("sgd", "mse", metrics=["mae"])
    for number in range(100):
        delattr(layer, f"found_{number}")
    model.fit(np.zeros((2, 3)), np.zeros((2, 2)), verbose=0)
    assert [metric.name for metric in model.metrics] == ["loss", "compile_metrics"]
