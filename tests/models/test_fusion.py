"""Layers that a model joins give what they give one after the other."""

import numpy as np
import pytest
from autograd import elementwise_grad
from autograd.test_util import check_grads

import minikeras as keras
from minikeras import layers, ops, weight_gradients
from minikeras.kernels.dense_stack import ACTIVATIONS
from minikeras.models import fusion


def apart(model, x):
    for layer in model.layers:
        x = layer(x)
    return x


def joined(model):
    return [pair for pair in fusion.joins(model.layers) if pair[1] is not None]


def network(activation="relu", **pool):
    return keras.Sequential(
        [
            keras.Input((11, 11, 2)),
            layers.Conv2D(3, 3, activation=activation, bias_initializer="ones"),
            layers.MaxPooling2D(2, **pool),
            layers.Conv2D(4, 2, padding="same"),
            layers.MaxPooling2D((1, 2)),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


X = np.random.default_rng(0).normal(size=(5, 11, 11, 2)).astype("float32")


@pytest.mark.parametrize("activation", ["relu", None])
def test_output_and_gradients(activation):
    model = network(activation)
    assert len(joined(model)) == 2
    np.testing.assert_allclose(model(X), apart(model, X), rtol=1e-5, atol=1e-6)
    results = [
        weight_gradients(lambda f=f: ops.sum(ops.square(f())), model)
        for f in (lambda: model(X), lambda: apart(model, X))
    ]
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-5)
    for one, other in zip(results[0][1], results[1][1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def test_other_kinds_are_called_one_after_the_other():
    class Own(layers.Conv2D):
        pass

    def count(conv, pool):
        return len(joined(keras.Sequential([keras.Input((9, 9, 4)), conv, pool])))

    conv = layers.Conv2D
    assert count(conv(4, 3), layers.MaxPooling2D()) == 1
    assert count(conv(4, 3, activation="tanh"), layers.MaxPooling2D()) == 0
    assert count(conv(4, 3, groups=2), layers.MaxPooling2D()) == 0
    assert count(conv(4, 3), layers.MaxPooling2D(3, strides=2)) == 0
    assert count(conv(4, 3), layers.MaxPooling2D(padding="same")) == 0
    assert count(conv(4, 3), layers.AveragePooling2D()) == 0
    assert count(Own(4, 3), layers.MaxPooling2D()) == 0
    assert count(conv(4, 3, activity_regularizer="l2"), layers.MaxPooling2D()) == 0


def test_a_replaced_call_is_called():
    model = network()
    before = model(X)
    pool = model.layers[1]
    pool.call = lambda inputs: inputs[:, ::2, ::2][:, :4, :4] * 0
    assert len(joined(model)) == 1
    assert (model(X) != before).any()


def test_a_layer_that_is_added_or_taken_away_counts():
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(2, 3)])
    x = X[:, :8, :8, :1]
    assert model(x).shape == (5, 6, 6, 2)
    model.add(layers.MaxPooling2D())
    assert model(x).shape == (5, 3, 3, 2)
    model.pop()
    assert model(x).shape == (5, 6, 6, 2)


def test_a_mask_is_not_lost_without_a_warning():
    model = keras.Sequential([layers.Conv1D(2, 3), layers.MaxPooling1D()])
    x = X[:, 0, :8]
    model(x)
    keras.masks.set_mask(x, np.ones((5, 8), bool))
    with pytest.warns(UserWarning, match="received an input with a mask"):
        model(x)


def test_errors_name_the_layer():
    model = network()
    with pytest.raises(ValueError, match="Sequential"):
        model(X[..., :1])
    first = model.layers[0]
    with pytest.raises(ValueError, match="Conv2D"):
        fusion.convolve_and_pool((first, model.layers[1]), X[..., :1], True)


# --- batch normalisation and ReLU -----------------------------------------------


@pytest.fixture
def cut(monkeypatch):
    """What the joined pair returned, each time it was asked."""
    monkeypatch.setattr(keras.masks, "_known", {})  # of arrays that others keep
    outputs, function = [], fusion.normalize_and_cut

    def counted(*arguments):
        outputs.append(function(*arguments))
        return outputs[-1]

    monkeypatch.setattr(fusion, "normalize_and_cut", counted)
    return outputs


RELUS = {
    "ReLU": layers.ReLU,
    "Activation": lambda **kwargs: layers.Activation("relu", **kwargs),
}


def normed(relu, shape=(6, 3), dtype="float32", seed=0, **settings):
    """The pair between two dense layers, all weights drawn."""
    model = keras.Sequential(
        [
            keras.Input(shape, dtype=dtype),
            layers.Dense(shape[-1], dtype=dtype),
            layers.BatchNormalization(dtype=dtype, **settings),
            RELUS[relu](dtype=dtype),
            layers.Dense(2, dtype=dtype),
        ]
    )
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])
    return model


def inputs(shape, dtype="float32", count=8):
    rng = np.random.default_rng(3)
    return rng.normal(size=(count, *shape)).astype(dtype)


def apart_in(model, x, training):
    for layer in model.layers:
        x = layer(x, training=training)
    return x


NORMED = [
    ((6,), {}),
    ((6, 3), {}),
    ((4, 5, 3), {}),
    ((4, 5, 3), {"axis": 1}),
    ((4, 5, 3), {"axis": 2, "momentum": 0.5}),
    ((6, 3), {"scale": False}),
    ((6, 3), {"center": False, "epsilon": 0.1}),
    ((6, 3), {"scale": False, "center": False}),
    ((6, 3), {"trainable": False}),
]


@pytest.mark.parametrize("relu", RELUS)
@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-4), ("float64", 1e-11)])
@pytest.mark.parametrize("training", [True, False, None])
@pytest.mark.parametrize("shape, settings", NORMED, ids=str)
def test_normalisation_and_relu(shape, settings, training, dtype, tolerance, relu, cut):
    x = inputs(shape, dtype)
    results = []
    for together in (True, False):
        model = normed(relu, shape, dtype, **settings)
        assert len(joined(model)) == 1

        def run(model=model, together=together):
            f = model if together else lambda *a, **k: apart_in(model, *a, **k)
            y = f(x, training=training)
            return ops.sum(ops.power(y, 3)), y

        (loss, y), gradients = weight_gradients(run, model)
        assert len(cut) == 1 and cut[0] is not None
        assert y.dtype == dtype
        assert all(g is None or g.dtype == dtype for g in gradients)
        results.append([loss, y, *gradients, *model.get_weights()])
    for one, other in zip(*results, strict=True):
        scale = np.abs(other).max()
        np.testing.assert_allclose(one, other, 0, tolerance * max(1.0, scale))


@pytest.mark.parametrize("relu", RELUS)
@pytest.mark.parametrize("axis", [1, -1])
def test_normalisation_and_relu_by_their_formula(axis, relu, cut):
    x = inputs((4, 3), "float64") * 2 + 1
    model = keras.Sequential(
        [
            keras.Input((4, 3)),
            layers.BatchNormalization(axis, 0.9, 0.1, dtype="float64"),
            RELUS[relu](dtype="float64"),
        ],
        name="pair",
    )
    channels = x.shape[axis]
    gamma, beta, mean, variance = np.random.default_rng(0).uniform(
        0.5, 1.5, (4, channels)
    )
    model.layers[0].set_weights([gamma, beta, mean, variance])
    other = tuple(i for i in range(3) if i != axis % 3)
    wide = [1, 1, 1]
    wide[axis] = channels

    def formula(mean, variance):
        xhat = (x - mean.reshape(wide)) / np.sqrt(variance.reshape(wide) + 0.1)
        return np.maximum(xhat * gamma.reshape(wide) + beta.reshape(wide), 0)

    for training in (False, True):
        found = mean, variance
        if training:
            found = x.mean(axis=other), x.var(axis=other)
        y = model.layers[1](model.layers[0](x, training=training))
        assert (y == 0).any() and (y > 0).any()
        model.layers[0].set_weights([gamma, beta, mean, variance])
        run, function = fusion.joins(model.layers)[0]
        joined_y = function(run, x, training)
        np.testing.assert_allclose(y, formula(*found), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(joined_y, formula(*found), rtol=1e-12, atol=1e-13)
    averages = model.layers[0].get_weights()[2:]
    for average, before, batch in zip(averages, (mean, variance), found, strict=True):
        np.testing.assert_allclose(average, 0.9 * before + 0.1 * batch, rtol=1e-12)
    assert len(cut) == 2


@pytest.mark.parametrize("relu", RELUS)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape, settings", [((5,), {}), ((3, 4), {"axis": 1})])
def test_second_order_of_normalisation_and_relu(shape, settings, training, relu, cut):
    model = normed(relu, shape, "float64", epsilon=0.1, **settings)
    check_grads(lambda x: model(x, training=training), order=2)(
        inputs(shape, "float64", count=4)
    )
    assert len(cut) > 10 and all(y is not None for y in cut)


def test_gradients_of_gradients_of_normalisation_and_relu():
    # A penalty on the slope of the output by the input, as in improved GANs.
    x, results = inputs((5,), "float64"), []
    for together in (True, False):
        model = normed("ReLU", (5,), "float64")

        def run(model=model, together=together):
            f = model if together else lambda *a, **k: apart_in(model, *a, **k)
            slope = elementwise_grad(lambda x: ops.sum(f(x, training=True) ** 2))(x)
            return ops.sum(slope**2)

        results.append(weight_gradients(run, model))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-11)
    for one, other in zip(results[0][1], results[1][1], strict=True):
        if other is None:
            assert one is None
        else:
            scale = np.abs(other).max()
            np.testing.assert_allclose(one, other, 0, 1e-10 * max(1.0, scale))


def test_half_precision(cut):
    x, results = inputs((6, 3), "float16"), []
    for together in (True, False):
        model = normed("ReLU", dtype="float16")
        f = model if together else lambda x, m=model, **kw: apart_in(m, x, **kw)
        y = f(x, training=True)
        assert y.dtype == "float16"
        results.append([y, *model.get_weights()])
    assert len(cut) == 1
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(
            one.astype("float32"), other.astype("float32"), rtol=2e-3, atol=2e-3
        )


class OwnNormalization(layers.BatchNormalization):
    pass


class OwnReLU(layers.ReLU):
    pass


class OwnActivation(layers.Activation):
    pass


NORM = layers.BatchNormalization


@pytest.mark.parametrize(
    "make, count",
    [
        (lambda: (NORM(), layers.ReLU()), 1),
        (lambda: (NORM(), layers.ReLU(None, 0.0, 0.0)), 1),
        (lambda: (NORM(), layers.Activation("relu")), 1),
        (lambda: (NORM(), layers.Activation(keras.activations.relu)), 1),
        (lambda: (NORM(), NORM(), layers.ReLU(), layers.ReLU()), 1),
        (lambda: (NORM(), layers.ReLU(), NORM(), layers.Activation("relu")), 2),
        (lambda: (NORM(), layers.ReLU(max_value=6)), 0),
        (lambda: (NORM(), layers.ReLU(negative_slope=0.1)), 0),
        (lambda: (NORM(), layers.ReLU(threshold=0.5)), 0),
        (lambda: (NORM(), layers.LeakyReLU()), 0),
        (lambda: (NORM(), layers.Activation("relu6")), 0),
        (lambda: (NORM(), layers.Activation("tanh")), 0),
        (lambda: (NORM(), layers.Activation(lambda x: ops.relu(x) + 1)), 0),
        (lambda: (NORM(), OwnReLU()), 0),
        (lambda: (NORM(), OwnActivation("relu")), 0),
        (lambda: (OwnNormalization(), layers.ReLU()), 0),
        (lambda: (NORM(), layers.ReLU(activity_regularizer="l2")), 0),
        (lambda: (NORM(activity_regularizer="l2"), layers.ReLU()), 0),
        (lambda: (layers.ReLU(), NORM()), 0),
        (lambda: (NORM(), layers.Dropout(0.5), layers.ReLU()), 0),
        (lambda: (layers.LayerNormalization(), layers.ReLU()), 0),
        (lambda: (NORM(), layers.Dense(3, activation="relu")), 0),
    ],
)
def test_which_are_joined_to_a_normalisation(make, count, cut):
    model = keras.Sequential([keras.Input((3,)), *make()])
    assert len(joined(model)) == count
    weights, x = model.get_weights(), inputs((3,)) * 5
    y = model(x)
    assert len(cut) == count
    np.testing.assert_allclose(y, apart(model, x), rtol=1e-5, atol=1e-6)
    if any(isinstance(layer, layers.Dropout) for layer in model.layers):
        return
    y = model(x, training=True)
    assert len(cut) == 2 * count
    model.set_weights(weights)
    np.testing.assert_allclose(y, apart_in(model, x, True), rtol=1e-4, atol=1e-5)


def test_pairs_of_both_kinds(cut):
    model = keras.Sequential(
        [
            keras.Input((11, 11, 2)),
            layers.Conv2D(3, 3),
            layers.MaxPooling2D(),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]
    )
    assert [function.__name__ for *_, function in joined(model)] == [
        "convolve_and_pool",
        "counted",
    ]
    np.testing.assert_allclose(model(X), apart(model, X), rtol=1e-5, atol=1e-6)
    assert len(cut) == 1


@pytest.mark.parametrize("relu", RELUS)
def test_layers_of_other_types_are_called_one_after_the_other(relu, cut):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.BatchNormalization(dtype="float32"),
            RELUS[relu](dtype="float64"),
        ]
    )
    y = model(inputs((3,)))
    assert y.dtype == "float64"
    np.testing.assert_array_equal(y, apart(model, inputs((3,))))
    assert cut == [None]


@pytest.mark.parametrize("relu", RELUS)
@pytest.mark.parametrize("training", [True, False])
def test_a_mask_counts_for_the_statistics(relu, training, cut):
    x = inputs((6, 3))
    x[0, 2:] = x[3, :4] = x[5] = 0
    model = keras.Sequential(
        [
            keras.Input((6, 3)),
            layers.Masking(),
            layers.BatchNormalization(momentum=0.5, epsilon=0.1),
            RELUS[relu](),
        ]
    )
    y = model(x, training=training)
    keep = (x != 0).any(axis=-1)
    np.testing.assert_array_equal(keras.masks.get_mask(y), keep)
    mean, variance = np.zeros(3), np.ones(3)
    if training:
        mean, variance = x[keep].mean(axis=0), x[keep].var(axis=0)
        averages = model.layers[1].get_weights()[2:]
        np.testing.assert_allclose(averages[0], mean / 2, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(averages[1], (1 + variance) / 2, rtol=1e-5)
    expected = np.maximum((x - mean) / np.sqrt(variance + 0.1), 0)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    assert cut == [None]


def test_a_mask_given_to_the_model_counts(cut):
    x, keep = inputs((6, 3)), np.arange(6) < np.arange(8)[:, None]
    model = keras.Sequential(
        [keras.Input((6, 3)), layers.BatchNormalization(epsilon=0.1), layers.ReLU()]
    )
    y = model(x, training=True, mask=keep)
    mean, variance = x[keep].mean(axis=0), x[keep].var(axis=0)
    expected = np.maximum((x - mean) / np.sqrt(variance + 0.1), 0)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
    assert cut == [None]


def test_a_replaced_call_behind_a_normalisation_is_called():
    model = normed("ReLU")
    x = inputs((6, 3))
    model(x)
    model.layers[2].call = lambda inputs: inputs * 0 + 1
    assert not joined(model)
    np.testing.assert_array_equal(model(x), apart(model, x))


@pytest.mark.parametrize(
    "name, value", [("max_value", 0.5), ("negative_slope", 0.3), ("threshold", 0.4)]
)
def test_a_setting_of_the_relu_that_is_changed_counts(name, value):
    model, x = normed("ReLU"), inputs((6, 3))
    before = model(x)
    setattr(model.layers[2], name, value)
    assert (apart(model, x) != before).any()
    np.testing.assert_allclose(model(x), apart(model, x), rtol=1e-5)


def test_another_activation_counts():
    model, x = normed("Activation"), inputs((6, 3))
    model(x)
    model.layers[2].activation = keras.activations.tanh
    np.testing.assert_allclose(model(x), apart(model, x), rtol=1e-5)
    model.layers[2].activation = keras.activations.relu
    assert len(joined(model)) == 1
    np.testing.assert_allclose(model(x), apart(model, x), rtol=1e-5, atol=1e-6)


def test_frozen_and_thawed(cut):
    model, x = normed("ReLU"), inputs((6, 3))
    norm = model.layers[1]
    before = norm.get_weights()[2:]
    norm.trainable = False
    still = model(x, training=True)
    np.testing.assert_allclose(still, model(x, training=False), rtol=1e-6)
    for old, new in zip(before, norm.get_weights()[2:], strict=True):
        np.testing.assert_array_equal(old, new)
    norm.trainable = True
    assert (model(x, training=True) != still).any()
    assert all(
        (a != b).all() for a, b in zip(before, norm.get_weights()[2:], strict=True)
    )
    assert len(cut) == 3


class WithoutTraining(keras.Sequential):
    """A call that leaves it to the layers whether they train."""

    def call(self, inputs):
        return super().call(inputs)


class Block(layers.Layer):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, inputs):
        return self.inner(inputs)


@pytest.mark.parametrize("kind", ["model", "block", "subclass"])
def test_training_reaches_the_pair_from_outside(kind, cut):
    x = inputs((3,)) * 3 + 2
    pair = [keras.Input((3,)), layers.BatchNormalization(epsilon=0.1), layers.ReLU()]
    inner = (WithoutTraining if kind == "subclass" else keras.Sequential)(pair)
    outer = {
        "model": lambda: keras.Sequential([keras.Input((3,)), inner]),
        "block": lambda: Block(inner),
        "subclass": lambda: inner,
    }[kind]()
    y = outer(x, training=True)
    expected = np.maximum((x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + 0.1), 0)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    average = inner.layers[0].get_weights()[2]
    np.testing.assert_allclose(average, 0.01 * x.mean(axis=0), rtol=1e-4)
    assert len(cut) == 1


def test_one_step_of_fit_is_the_same():
    x, results = inputs((6, 3)), []
    y = np.random.default_rng(5).normal(size=(8, 6, 2)).astype("float32")
    for own in (False, True):
        model = normed("ReLU")
        if own:  # takes the pair apart
            model.layers[2].call = lambda x: keras.activations.relu(x)
        assert len(joined(model)) == (0 if own else 1)
        model.compile(keras.optimizers.SGD(0.1), "mse")
        losses = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        results.append(
            [losses.history["loss"], *model.get_weights(), model.predict(x, verbose=0)]
        )
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_errors_name_the_normalisation():
    model = normed("ReLU")
    with pytest.raises(ValueError, match="BatchNormalization"):
        fusion.normalize_and_cut(tuple(model.layers[1:3]), inputs((6, 4)), True)


def test_nan_and_infinity_go_through_the_pair(cut):
    x = inputs((3,))
    x[2, 0], x[4, 1] = np.nan, np.inf
    model = keras.Sequential(
        [keras.Input((3,)), layers.BatchNormalization(epsilon=0.1), layers.ReLU()]
    )
    np.testing.assert_allclose(model(x), np.maximum(x / np.sqrt(1.1), 0), rtol=1e-5)
    y = model(x, training=True)
    assert np.isnan(y[:, 0]).all()
    last = x[:, 2]
    expected = np.maximum((last - last.mean()) / np.sqrt(last.var() + 0.1), 0)
    np.testing.assert_allclose(y[:, 2], expected, rtol=1e-4)
    assert len(cut) == 2


# --- convolution and batch normalisation, for predictions -----------------------


@pytest.fixture
def whole(monkeypatch):
    """What the joined run returned, each time it was asked."""
    outputs, function = [], fusion.convolve_and_normalize

    def counted(*arguments):
        outputs.append(function(*arguments))
        return outputs[-1]

    monkeypatch.setattr(fusion, "convolve_and_normalize", counted)
    monkeypatch.setattr(keras.masks, "_known", {})  # of arrays that others keep
    return outputs


def convolved(*behind, conv=None, shape=(9, 8, 3), seed=0):
    """A convolution and what is behind it, all weights drawn."""
    conv = conv or layers.Conv2D(5, 3, padding="same")
    model = keras.Sequential([keras.Input(shape, dtype=conv.dtype), conv, *behind])
    rng = np.random.default_rng(seed)
    model.set_weights(
        [
            rng.uniform(0.5, 2, w.shape)
            if "variance" in w.path
            else rng.normal(size=w.shape)
            for w in model.weights
        ]
    )
    return model


CONVOLUTIONS = {
    "2-D": ((9, 8, 3), lambda **kwargs: layers.Conv2D(5, 3, **kwargs)),
    "same": ((9, 8, 3), lambda **kwargs: layers.Conv2D(5, 3, padding="same", **kwargs)),
    "strides": ((9, 8, 3), lambda **kwargs: layers.Conv2D(40, 2, 2, **kwargs)),
    "many": ((8, 8, 96), lambda **kwargs: layers.Conv2D(96, 3, **kwargs)),
    "1-D": ((9, 3), lambda **kwargs: layers.Conv1D(5, 3, padding="causal", **kwargs)),
    "3-D": ((4, 5, 6, 2), lambda **kwargs: layers.Conv3D(3, 2, **kwargs)),
}


@pytest.mark.parametrize("relu", [None, *RELUS])
@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("kind", CONVOLUTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_predictions_of_a_normalised_convolution(dtype, kind, use_bias, relu, whole):
    shape, make = CONVOLUTIONS[kind]
    behind = [NORM(dtype=dtype)]
    behind += [] if relu is None else [RELUS[relu](dtype=dtype)]
    model = convolved(*behind, conv=make(use_bias=use_bias, dtype=dtype), shape=shape)
    x = np.random.default_rng(1).normal(size=(6, *shape)).astype(dtype)
    y = model(x)
    assert len(whole) == 1 and whole[0] is not None and y.dtype == dtype
    np.testing.assert_array_equal(y, apart(model, x))
    assert relu is None or ((y == 0).any() and (y > 0).any())
    if dtype == "float32":  # `predict` takes float64 as the default float type
        np.testing.assert_array_equal(model.predict(x, verbose=0), y)
        assert len(whole) == 2


@pytest.mark.parametrize("settings", [{"scale": False}, {"center": False}, {}])
@pytest.mark.parametrize("far", [0.0, 1e3])
def test_settings_of_the_normalisation(settings, far, whole):
    model = convolved(NORM(epsilon=0.1, **settings), layers.ReLU())
    norm = model.layers[1]
    norm.set_weights([w + far if w.ndim else w for w in norm.get_weights()])
    x = inputs((9, 8, 3))
    y = model(x)
    np.testing.assert_array_equal(y, apart(model, x))
    assert whole[-1] is not None


def test_a_frozen_normalisation_is_joined_while_others_train(whole):
    model = convolved(NORM(), layers.ReLU(), layers.Flatten(), layers.Dense(2))
    x = inputs((9, 8, 3))
    model(x, training=True)
    assert whole == [None]
    model.layers[1].trainable = False
    before = model.layers[1].get_weights()
    y = model(x, training=True)
    assert whole[-1] is not None
    np.testing.assert_array_equal(y, apart(model, x))
    for one, other in zip(model.layers[1].get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_gradients_go_one_after_the_other(whole):
    model = convolved(NORM(), layers.ReLU())
    x = inputs((9, 8, 3))
    of_weights = weight_gradients(lambda: ops.sum(ops.square(model(x))), model)
    assert whole == [None]
    one_by_one = weight_gradients(lambda: ops.sum(ops.square(apart(model, x))), model)
    for one, other in zip(of_weights[1], one_by_one[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    slope = elementwise_grad(lambda x: ops.sum(model(x)))(x)
    assert whole[-1] is None and np.abs(slope).max() > 0


@pytest.mark.parametrize(
    "make, count",
    [
        (lambda: (layers.Conv2D(3, 2), NORM()), 1),
        (lambda: (layers.Conv2D(3, 2), NORM(), layers.ReLU()), 1),
        (lambda: (layers.Conv2D(3, 2), NORM(), layers.ReLU(6)), 1),
        (lambda: (layers.Conv2D(3, 2), NORM(3), layers.Activation("tanh")), 1),
        (lambda: (layers.Conv2D(3, 2), NORM(), layers.MaxPooling2D()), 1),
        (lambda: (layers.Conv2D(3, 2), NORM(), layers.Conv2D(2, 1), NORM()), 2),
        (lambda: (layers.Conv2D(3, 2, activation="relu"), NORM()), 0),
        (lambda: (layers.Conv2D(4, 2, groups=2), NORM()), 0),
        (lambda: (layers.Conv2D(3, 2), NORM(axis=1)), 0),
        (lambda: (layers.Conv2D(3, 2), layers.Dropout(0.5), NORM()), 0),
        (lambda: (layers.Conv2D(3, 2), OwnNormalization()), 0),
        (lambda: (layers.Conv2D(3, 2, activity_regularizer="l2"), NORM()), 0),
        (lambda: (layers.Conv2D(3, 2), NORM(activity_regularizer="l2")), 0),
        (lambda: (layers.Conv2DTranspose(3, 2), NORM()), 0),
        (lambda: (layers.DepthwiseConv2D(3), NORM()), 0),
        (lambda: (layers.Conv2D(3, 2), layers.LayerNormalization()), 0),
        (lambda: (layers.Conv2D(3, 2, dtype="float16"), NORM(dtype="float16")), 0),
        (lambda: (layers.Conv2D(3, 2, dtype="float64"), NORM()), 0),
    ],
)
def test_which_are_joined_to_a_convolution(make, count, whole):
    model = keras.Sequential([keras.Input((6, 5, 4)), *make()])
    x = inputs((6, 5, 4))
    y = model(x)
    assert len([found for found in whole if found is not None]) == count
    np.testing.assert_array_equal(y, apart(model, x))


def test_a_setting_that_is_changed_later_counts(whole):
    model = convolved(NORM(), layers.ReLU())
    x = inputs((9, 8, 3))
    model(x)
    model.layers[0].activation = keras.activations.tanh
    y = model(x)
    assert len([found for found in whole if found is not None]) == 1
    np.testing.assert_array_equal(y, apart(model, x))
    assert np.abs(model.layers[0](x)).max() <= 1
    model.layers[1].call = lambda inputs: inputs * 0 + 2
    np.testing.assert_array_equal(model(x), np.full((8, 9, 8, 5), 2))


def test_an_input_that_does_not_fit_is_refused_by_the_convolution():
    model = convolved(NORM())
    with pytest.raises(ValueError, match="Conv2D"):
        fusion.convolve_and_normalize(tuple(model.layers), inputs((9, 8, 4)), False)


# --- dense layers in a row ------------------------------------------------------


def row(*activations, units=4, **settings):
    made = [layers.Dense(units, activation=a, **settings) for a in activations]
    model = keras.Sequential([keras.Input((3,)), *made])
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.get_weights()])
    return model


@pytest.mark.parametrize("trainable", [(True, True, True), (False, True, False)])
@pytest.mark.parametrize("biased", [True, False])
def test_dense_layers_in_a_row(biased, trainable):
    results = []
    for together in (True, False):
        model = row("relu", "tanh", "softmax", dtype="float64", use_bias=biased)
        assert [len(run) for run, _ in joined(model)] == [3, 2]
        for layer, value in zip(model.layers, trainable, strict=True):
            layer.trainable = value

        def run(model=model, together=together):
            y = model(X[:, 0, :3, 0]) if together else apart(model, X[:, 0, :3, 0])
            return ops.sum(ops.square(y)), y

        (loss, y), gradients = weight_gradients(run, model)
        assert len(gradients) == sum(trainable) * (1 + biased)
        results.append([loss, y, *gradients])
    for one, other in zip(*results, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_which_activations_may_stand_in_a_row():
    """The model's list, without an import of the kernel's, has the same names."""
    known = {f.__name__ for f in keras.activations.family.members.values()}
    found = {
        name
        for name in known
        if fusion.joins([layers.Dense(4, name), layers.Dense(2)])[0][1] is not None
    }
    assert found == set(ACTIVATIONS)


class OwnDense(layers.Dense):
    pass


@pytest.mark.parametrize(
    "make, lengths",
    [
        (lambda: (layers.Dense(4), layers.Dense(3, "sigmoid")), [2]),
        (lambda: (layers.Dense(4, "relu"), layers.Dense(3, "gelu")), []),
        (lambda: (layers.Dense(4, lambda x: 2 * x), layers.Dense(3)), []),
        (lambda: (layers.Dense(4), layers.Dropout(0.5), layers.Dense(3)), []),
        (lambda: (layers.Dense(4), OwnDense(3)), []),
        (lambda: (layers.Dense(4, activity_regularizer="l2"), layers.Dense(3)), []),
        (lambda: (layers.Dense(4), layers.Dense(3), layers.ReLU()), [2]),
        (
            lambda: (
                *(layers.Dense(4), layers.Dense(3, "gelu")),
                *(layers.Dense(4), layers.Dense(3, "softmax"), layers.Dense(2)),
            ),
            [3, 2],
        ),
    ],
)
def test_which_dense_layers_are_joined(make, lengths):
    model = keras.Sequential([keras.Input((3,)), *make()])
    assert [len(run) for run, _ in joined(model)] == lengths
    np.testing.assert_allclose(model(inputs((3,))), apart(model, inputs((3,))), 1e-6)


def test_a_changed_setting_of_a_row_counts():
    model, x = row("relu", "linear"), inputs((3,))
    model(x)
    model.layers[0].activation = keras.activations.tanh
    np.testing.assert_array_equal(model(x), apart(model, x))
    model.layers[1].activation = keras.activations.gelu
    assert joined(model) == []
    np.testing.assert_array_equal(model(x), apart(model, x))
    model.layers[1].activation = keras.activations.linear
    model.layers[1].call = lambda inputs: inputs * 0
    np.testing.assert_array_equal(model(x), 0 * model(x))


def test_a_row_of_other_types_or_with_a_mask_is_called_one_by_one():
    x = inputs((3,))
    mixed = keras.Sequential([layers.Dense(4), layers.Dense(2, dtype="float64")])
    assert mixed(x).dtype == np.float64
    np.testing.assert_array_equal(mixed(x), apart(mixed, x))
    model = keras.Sequential([keras.Input((6, 3)), layers.Dense(4), layers.Dense(2)])
    x = inputs((6, 3))
    keep = np.arange(6) < 4
    keras.masks.set_mask(x, np.tile(keep, (len(x), 1)))
    np.testing.assert_array_equal(keras.masks.get_mask(model(x))[0], keep)


def test_a_row_of_layers_that_are_not_built_yet():
    model = keras.Sequential([layers.Dense(4, activation="relu"), layers.Dense(2)])
    assert model(inputs((3,))).shape == (8, 2)
    with pytest.raises(ValueError, match="expects samples of shape"):
        model(inputs((5,)))
