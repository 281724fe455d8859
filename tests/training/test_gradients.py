"""Gradients in the user's hands, against finite differences and closed forms."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import input_gradients, layers, ops, weight_gradients


@pytest.fixture(autouse=True)
def float64():
    keras.config.set_floatx("float64")
    keras.utils.set_random_seed(3)
    yield
    keras.config.set_floatx("float32")


def network():
    return keras.Sequential(
        [keras.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(1)]
    )


X = np.random.default_rng(0).normal(size=(5, 3))


def numerical(function, model, step=1e-6):
    """Central differences with respect to all weights of a model."""
    found = []
    for variable in model.trainable_weights:
        slope = np.zeros(variable.shape)
        for index in np.ndindex(*variable.shape):
            before = variable.array[index]
            values = []
            for change in (step, -step):
                variable.array[index] = before + change
                values.append(float(function()))
            variable.array[index] = before
            slope[index] = (values[0] - values[1]) / (2 * step)
        found.append(slope)
    return found


def check(function, model):
    loss, gradients = weight_gradients(function, model)
    assert float(loss) == float(function())
    expected = numerical(function, model)
    for got, want in zip(gradients, expected, strict=True):
        if got is None:
            got = np.zeros_like(want)
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-8)


def test_weights():
    model = network()
    check(lambda: ops.mean(ops.square(model(X))), model)


def test_a_gradient_penalty():
    model = network()

    def penalty():
        _, (slopes,) = input_gradients(lambda x: ops.sum(model(x)), X)
        norms = ops.sqrt(ops.sum(ops.square(slopes), axis=1))
        return ops.mean(ops.square(norms - 1))

    check(penalty, model)


def test_meta_learning_by_one_inner_step():
    model = network()

    def after_a_step():
        _, slopes = weight_gradients(lambda: ops.mean(ops.square(model(X) - 1)), model)
        weights = [
            variable.value - 0.1 * slope
            for variable, slope in zip(model.trainable_weights, slopes, strict=True)
        ]
        outputs, _ = model.stateless_call(weights, [], X)
        return ops.mean(ops.square(outputs - 1))

    before = model.get_weights()
    check(after_a_step, model)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_three_levels():
    value, (third,) = input_gradients(
        lambda x: ops.sum(
            input_gradients(
                lambda x: ops.sum(
                    input_gradients(lambda x: ops.sum(ops.power(x, 5)), x)[1][0]
                ),
                x,
            )[1][0]
        ),
        np.array([1.0, 2.0]),
    )
    np.testing.assert_allclose(third, [60.0, 240.0])
    assert float(value) == pytest.approx(20 + 160)


def test_more_results_pass_through():
    model = network()
    (loss, outputs), _ = weight_gradients(
        lambda: (ops.sum(model(X)), {"outputs": model(X)}), model
    )
    np.testing.assert_allclose(outputs["outputs"].sum(), loss)
    assert isinstance(outputs["outputs"], np.ndarray)


def test_a_list_of_weights_and_what_the_loss_does_not_depend_on():
    model = network()
    first, second = model.layers
    _, gradients = weight_gradients(
        lambda: ops.sum(first(X)), [first.weights[0], second.weights[0]]
    )
    assert gradients[0].shape == (3, 4) and gradients[1] is None


def test_several_inputs_of_whole_numbers():
    _, (one, two, none) = input_gradients(
        lambda a, b, c: ops.sum(a * b), [1, 2], [3, 4], [5, 6]
    )
    np.testing.assert_array_equal(one, [3, 4])
    np.testing.assert_array_equal(two, [1, 2])
    assert none is None


def test_float32_stays_float32():
    keras.config.set_floatx("float32")
    model = network()
    x = X.astype("float32")

    def penalty():
        _, (slopes,) = input_gradients(lambda x: ops.sum(model(x)), x)
        return ops.mean(ops.square(slopes))

    loss, gradients = weight_gradients(penalty, model)
    assert loss.dtype == "float32"
    assert {g.dtype.name for g in gradients if g is not None} == {"float32"}


def test_a_training_loop_of_ones_own_equals_fit():
    y = X[:, :1] * 2
    ours, theirs = network(), network()
    theirs.set_weights(ours.get_weights())
    optimizer = keras.optimizers.Adam(0.01)
    theirs.compile(keras.optimizers.Adam(0.01), "mse")
    loss_fn = keras.losses.MeanSquaredError()
    for _ in range(5):
        _, gradients = weight_gradients(lambda: loss_fn(y, ours(X)), ours)
        optimizer.apply(gradients, ours.trainable_weights)
    theirs.fit(X, y, epochs=5, verbose=0, shuffle=False)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_stateless_call_leaves_moving_averages_alone():
    layer = layers.BatchNormalization()
    layer.build((None, 3))
    before = layer.get_weights()
    gamma, beta, mean, variance = before
    outputs, state = layer.stateless_call(
        [gamma * 2, beta], [mean + 1, variance], X, training=True
    )
    for now, then in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    np.testing.assert_allclose(state[0], 0.99 * (mean + 1) + 0.01 * X.mean(0))
    np.testing.assert_allclose(outputs, layer(X, training=True) * 2)


def test_stateless_call_returns_losses():
    layer = layers.Dense(2, kernel_regularizer=keras.regularizers.L2(1.0))
    layer.build((None, 3))
    kernel = np.ones((3, 2))
    _, _, losses = layer.stateless_call(
        [kernel, np.zeros(2)], [], X, return_losses=True
    )
    assert [float(loss) for loss in losses] == [6.0]


def test_errors():
    model = network()
    with pytest.raises(TypeError, match="`weights` must be a layer, a model or a list"):
        weight_gradients(lambda: 1.0, X)
    with pytest.raises(ValueError, match="The loss must be one number"):
        weight_gradients(lambda: model(X), model)
    with pytest.raises(ValueError, match="The loss must be one number"):
        input_gradients(lambda x: x, X)
    with pytest.raises(ValueError, match="stateless_call needs a value for each"):
        model.stateless_call([], [], X)
    with pytest.raises(ValueError, match="stateless_call cannot replace them"):
        layers.Dense(2).stateless_call([], [], X)
