"""compile, fit, evaluate and predict: arguments, callbacks, errors, Ctrl-C, threads."""

import io
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings

import numpy as np
import pytest

import minikeras as keras
from minikeras import ops
from minikeras.callbacks import Callback

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 4)).astype("float32")
Y = (X @ RNG.normal(size=(4, 1)) + 0.1).astype("float32")
LABELS = RNG.integers(0, 3, 20)


@pytest.fixture(autouse=True)
def _ctrl_c_is_heard():
    """Also in a job that a shell started in the background, where it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.clear_session()
    keras.utils.set_random_seed(7)


def regression(optimizer="sgd", loss="mse", layers=None, **options):
    layers = layers or [keras.layers.Dense(5, "tanh"), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile(optimizer, loss, **options)
    return model


def classifier(optimizer="sgd", units=3, **options):
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(units, activation="softmax")]
    )
    model.compile(optimizer, "sparse_categorical_crossentropy", **options)
    return model


def same(ours, expected):
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def close(ours, expected, rtol=1e-5):
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-6)


class Recorder(Callback):
    """Notes every hook with its number and the names in its logs."""

    def __init__(self):
        self.seen = []

    def note(self, hook, number=None, logs=None):
        assert isinstance(logs, dict)
        number = () if number is None else (number,)
        self.seen.append((hook, *number, " ".join(logs)))


def _hooks():
    for stage in ("train", "test", "predict"):
        for end in ("begin", "end"):
            yield f"on_{stage}_{end}", False
            yield f"on_{stage}_batch_{end}", True
    yield "on_epoch_begin", True
    yield "on_epoch_end", True


for _name, _numbered in _hooks():
    if _numbered:

        def _method(self, number, logs=None, _name=_name):
            self.note(_name, number, logs)

    else:

        def _method(self, logs=None, _name=_name):
            self.note(_name, None, logs)

    setattr(Recorder, _name, _method)


# --- callbacks -----------------------------------------------------------------------

# What Keras 3.15.1 calls, with 5 samples in batches of 2 and validation, two epochs.
FIT = [("on_train_begin", "")]
for _epoch in (0, 1):
    FIT += [("on_epoch_begin", _epoch, "")]
    for _batch in (0, 1, 2):
        FIT += [("on_train_batch_begin", _batch, "")]
        FIT += [("on_train_batch_end", _batch, "loss mae")]
    FIT += [("on_test_begin", "")]
    for _batch in (0, 1, 2):
        FIT += [("on_test_batch_begin", _batch, "")]
        FIT += [("on_test_batch_end", _batch, "loss mae")]
    FIT += [("on_test_end", "loss mae")]
    FIT += [("on_epoch_end", _epoch, "loss mae val_loss val_mae")]
FIT += [("on_train_end", "loss mae val_loss val_mae")]


def test_hooks_of_fit_come_in_keras_order():
    model, recorder = regression(metrics=["mae"]), Recorder()
    x, y = X[:5], Y[:5]
    model.fit(
        x, y, batch_size=2, epochs=2, validation_data=(x, y), callbacks=[recorder]
    )
    assert recorder.seen == FIT
    assert recorder.params == {"verbose": "auto", "epochs": 2, "steps": 3}
    assert recorder.model is model


def test_hooks_of_evaluate_and_predict_come_in_keras_order():
    model, recorder = regression(metrics=["mae"]), Recorder()
    model.evaluate(X[:3], Y[:3], batch_size=2, callbacks=[recorder], verbose=0)
    assert recorder.seen == [
        ("on_test_begin", ""),
        ("on_test_batch_begin", 0, ""),
        ("on_test_batch_end", 0, "loss mae"),
        ("on_test_batch_begin", 1, ""),
        ("on_test_batch_end", 1, "loss mae"),
        ("on_test_end", "loss mae"),
    ]
    assert recorder.params == {"verbose": 0, "epochs": 1, "steps": 2}
    recorder = Recorder()
    model.predict(X[:3], batch_size=2, callbacks=recorder, verbose=0)
    assert recorder.seen == [
        ("on_predict_begin", ""),
        ("on_predict_batch_begin", 0, ""),
        ("on_predict_batch_end", 0, "outputs"),
        ("on_predict_batch_begin", 1, ""),
        ("on_predict_batch_end", 1, "outputs"),
        ("on_predict_end", ""),
    ]


def test_steps_per_execution_groups_batch_hooks_as_keras_does():
    model = regression(metrics=["mae"], steps_per_execution=2)
    for stage, call in (
        ("train", lambda r: model.fit(X[:5], Y[:5], 1, callbacks=r, verbose=0)),
        ("test", lambda r: model.evaluate(X[:5], Y[:5], 1, callbacks=r, verbose=0)),
        ("predict", lambda r: model.predict(X[:5], 1, callbacks=r, verbose=0)),
    ):
        recorder = Recorder()
        call(recorder)
        batches = [entry[:2] for entry in recorder.seen if "_batch_" in entry[0]]
        begin, end = f"on_{stage}_batch_begin", f"on_{stage}_batch_end"
        expected = [(begin, 0), (end, 1), (begin, 2), (end, 3), (begin, 4), (end, 5)]
        assert batches == expected


def test_outputs_of_a_group_come_together():
    model, seen = regression(steps_per_execution=3), []
    keep = keras.callbacks.LambdaCallback()
    keep.on_predict_batch_end = lambda batch, logs: seen.append(logs["outputs"])
    outputs = model.predict(X[:8], batch_size=2, callbacks=keep, verbose=0)
    assert [len(part) for part in seen] == [6, 2]
    np.testing.assert_array_equal(np.concatenate(seen), outputs)


def test_steps_per_execution_gives_the_same_weights():
    one, many = regression(), regression(steps_per_execution=3)
    many.set_weights(one.get_weights())
    for model in (one, many):
        model.fit(X, Y, batch_size=3, epochs=2, shuffle=False, verbose=0)
    same(many.get_weights(), one.get_weights())


def test_logs_of_a_batch_are_the_means_since_the_epoch_began():
    model, seen = regression("sgd"), []
    model.optimizer.learning_rate = 0.0
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(logs["loss"])
    )
    model.fit(X, Y, batch_size=8, epochs=2, shuffle=False, callbacks=[look], verbose=0)
    errors = ((model.predict(X, verbose=0) - Y) ** 2)[:, 0]
    expected = [errors[:8].mean(), errors[:16].mean(), errors.mean()]
    np.testing.assert_allclose(seen, expected * 2, rtol=1e-5)


def test_stop_training_in_a_batch_and_in_an_epoch():
    class Stop(Callback):
        def __init__(self, hook):
            setattr(self, hook, self.stop)

        def stop(self, number, logs=None):
            if number == 1:
                self.model.stop_training = True

    model = regression()
    history = model.fit(
        X, Y, batch_size=4, epochs=5, callbacks=Stop("on_epoch_end"), verbose=0
    )
    assert history.epoch == [0, 1]
    before = int(model.optimizer.iterations)
    history = model.fit(
        X, Y, batch_size=4, epochs=5, callbacks=Stop("on_train_batch_end"), verbose=0
    )
    assert history.epoch == [0]
    assert int(model.optimizer.iterations) - before == 2
    assert model.fit(X, Y, epochs=2, verbose=0).epoch == [0, 1]


def test_wrong_callbacks():
    with pytest.raises(TypeError, match="must be a Callback"):
        regression().fit(X, Y, callbacks=[print], verbose=0)


# --- arguments of fit ----------------------------------------------------------------


def test_initial_epoch():
    history = regression().fit(X, Y, initial_epoch=2, epochs=5, verbose=0)
    assert history.epoch == [2, 3, 4]
    model = regression()
    before = model.get_weights()
    assert model.fit(X, Y, initial_epoch=3, epochs=3, verbose=0).history == {}
    same(model.get_weights(), before)


@pytest.mark.parametrize("frequency, epochs", [(2, [1, 3]), ([1, 4], [0, 3]), (9, [])])
def test_validation_freq(frequency, epochs):
    seen = []
    look = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: "val_loss" in logs and seen.append(epoch)
    )
    regression().fit(
        X,
        Y,
        epochs=4,
        validation_data=(X, Y),
        validation_freq=frequency,
        callbacks=look,
        verbose=0,
    )
    assert seen == epochs


def test_validation_steps_and_batch_size():
    recorder = Recorder()
    regression().fit(
        X,
        Y,
        validation_data=[X, Y],
        validation_steps=2,
        validation_batch_size=5,
        callbacks=recorder,
        verbose=0,
    )
    tests = [entry for entry in recorder.seen if entry[0] == "on_test_batch_end"]
    assert len(tests) == 2


def test_validation_does_not_train():
    one, other = regression(), regression()
    other.set_weights(one.get_weights())
    one.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    other.fit(X, Y, epochs=2, shuffle=False, verbose=0, validation_data=(X, Y))
    same(other.get_weights(), one.get_weights())


def test_validation_split_takes_the_last_samples():
    model = regression()
    history = model.fit(X, Y, validation_split=0.25, verbose=0)
    expected = model.evaluate(X[15:], Y[15:], verbose=0)
    assert history.history["val_loss"] == [pytest.approx(expected, rel=1e-6)]


def test_shuffle_changes_the_order_and_false_does_not():
    seen = []

    class Look(keras.layers.Layer):
        def call(self, inputs):
            seen.append(np.asarray(inputs)[:, 0].tolist())
            return inputs

    model = regression(layers=[Look(), keras.layers.Dense(1)])
    seen.clear()
    model.fit(X, Y, batch_size=20, epochs=2, shuffle=False, verbose=0)
    assert seen == [X[:, 0].tolist()] * 2
    seen.clear()
    model.fit(X, Y, batch_size=20, epochs=2, verbose=0)
    assert seen[0] != seen[1]
    assert sorted(seen[0]) == sorted(seen[1]) == sorted(X[:, 0].tolist())


def test_a_fit_goes_on_where_the_last_one_ended():
    one, two = regression("adam"), regression("adam")
    two.set_weights(one.get_weights())
    one.fit(X, Y, epochs=4, shuffle=False, verbose=0)
    two.fit(X, Y, epochs=2, shuffle=False, verbose=0)
    two.fit(X, Y, epochs=4, initial_epoch=2, shuffle=False, verbose=0)
    same(two.get_weights(), one.get_weights())


@pytest.mark.parametrize(
    "verbose, lines",
    [(0, 0), (1, 2), (2, 2), ("auto", 2), (True, 2), (False, 0)],
)
def test_verbose(verbose, lines, capsys):
    model = regression()
    capsys.readouterr()
    model.fit(X, Y, epochs=2, verbose=verbose)
    out = capsys.readouterr().out
    assert len(out.splitlines()) == lines
    for number, line in enumerate(out.splitlines(), 1):
        assert line.startswith(f"Epoch {number}/2") and "loss: " in line
    model.evaluate(X, Y, verbose=verbose)
    model.predict(X, verbose=verbose)
    assert len(capsys.readouterr().out.splitlines()) == lines


def test_the_loss_is_shown_first_and_logged_in_alphabetical_order(capsys):
    model = classifier(metrics=["accuracy"])
    data = {"epochs": 2, "validation_data": (X, LABELS)}
    history = model.fit(X, LABELS, verbose=2, **data)
    for line in capsys.readouterr().out.splitlines():
        names = [part.split(":")[0] for part in line.split(" - ") if ": " in part]
        assert names == ["loss", "accuracy", "val_loss", "val_accuracy"]
    names = ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert list(history.history) == names
    model.evaluate(X, LABELS, verbose=2)
    assert "loss: " in capsys.readouterr().out.split(" - accuracy: ")[0]


def test_a_step_follows_the_formula():
    model = regression(layers=[keras.layers.Dense(1)])
    model.optimizer.learning_rate = 0.1
    kernel, bias = model.get_weights()
    error = X @ kernel + bias - Y
    loss = model.train_on_batch(X, Y)
    assert loss == pytest.approx((error**2).mean(), rel=1e-5)
    expected = [kernel - 0.2 * X.T @ error / 20, bias - 0.2 * error.mean(0)]
    close(model.get_weights(), expected)


# --- weights of samples, regularization, weighted losses -----------------------------


@pytest.mark.parametrize("shape", [(20,), (20, 1)])
def test_sample_weights(shape):
    weight = RNG.uniform(0, 2, 20).astype("float32")
    model = regression(layers=[keras.layers.Dense(1)], weighted_metrics=["mae"])
    kernel, bias = model.get_weights()
    error = X @ kernel + bias - Y
    loss, mae = model.train_on_batch(X, Y, sample_weight=weight.reshape(shape))
    assert loss == pytest.approx((error[:, 0] ** 2 * weight).mean(), rel=1e-5)
    expected = (abs(error[:, 0]) * weight).sum() / weight.sum()
    assert mae == pytest.approx(expected, rel=1e-5)
    step = 0.01 * 2 * X.T @ (error * weight[:, None]) / 20
    close(model.get_weights(), [kernel - step, model.get_weights()[1]])


def test_a_sample_of_weight_zero_does_not_count():
    weight = np.ones(20, "float32")
    weight[10:] = 0
    wrong = Y.copy()
    wrong[10:] = 1e6
    one, other = regression(), regression()
    other.set_weights(one.get_weights())
    one.train_on_batch(X, Y, sample_weight=weight)
    other.train_on_batch(X, wrong, sample_weight=weight)
    close(other.get_weights(), one.get_weights())


def test_class_weight_is_a_sample_weight():
    one, other = classifier(), classifier()
    other.set_weights(one.get_weights())
    by_class = {0: 2.0, 1: 0.25}
    weight = np.array([by_class.get(label, 1.0) for label in LABELS])
    first = one.fit(X, LABELS, class_weight=by_class, shuffle=False, verbose=0)
    second = other.fit(X, LABELS, sample_weight=weight, shuffle=False, verbose=0)
    assert first.history == second.history
    same(other.get_weights(), one.get_weights())


def test_regularization_is_part_of_the_loss():
    dense = keras.layers.Dense(
        1, kernel_regularizer=keras.regularizers.L2(0.5), activity_regularizer="l2"
    )
    model = regression(layers=[dense])
    kernel, bias = model.get_weights()
    outputs = X @ kernel + bias
    penalty = 0.5 * (kernel**2).sum() + 0.01 * (outputs**2).sum() / 20
    expected = ((outputs - Y) ** 2).mean() + penalty
    for value in (model.test_on_batch(X, Y), model.evaluate(X, Y, 20, verbose=0)):
        assert value == pytest.approx(expected, rel=1e-5)
    assert model.train_on_batch(X, Y) == pytest.approx(expected, rel=1e-5)


def test_losses_of_layers_do_not_pile_up_in_predict():
    dense = keras.layers.Dense(1, activity_regularizer="l2")
    model = regression(layers=[dense])
    for _ in range(300):
        model.predict(X, verbose=0)
    assert len(dense._losses) < 100
    expected = model.test_on_batch(X, Y)
    for _ in range(3):
        model.predict(X, verbose=0)
    assert model.test_on_batch(X, Y) == expected


@pytest.mark.parametrize("weight", [0.5, [0.5], {"dense": 0.5}])
def test_loss_weights(weight):
    half, whole = regression(loss_weights=weight), regression()
    half.set_weights(whole.get_weights())
    expected = whole.evaluate(X, Y, verbose=0) / 2
    assert half.evaluate(X, Y, verbose=0) == pytest.approx(expected, rel=1e-6)


def test_a_layer_may_add_the_whole_loss():
    class Own(keras.layers.Layer):
        def build(self, input_shape):
            self.w = self.add_weight((4,), "ones", name="w")

        def call(self, inputs):
            self.add_loss(ops.sum(ops.square(self.w)))
            return inputs * self.w

    model = regression("sgd", None, layers=[Own()])
    assert model.train_on_batch(X) == 4.0
    close(model.get_weights(), [np.full(4, 0.98)])
    assert model.fit(X, verbose=0).history["loss"] == [pytest.approx(4 * 0.98**2)]


@pytest.mark.parametrize(
    "loss",
    [
        lambda t, p: ops.mean(ops.square(t - p)),
        lambda t, p: ops.mean(ops.square(t - p), axis=-1),
        lambda t, p: ops.square(t - p),
        keras.losses.MeanSquaredError(),
        "MeanSquaredError",
        keras.losses.MeanSquaredError,
        ["mse"],
    ],
    ids=["scalar", "samples", "values", "object", "name", "class", "list"],
)
def test_kinds_of_losses(loss):
    own, mse = regression(loss=loss), regression()
    own.set_weights(mse.get_weights())
    histories = [m.fit(X, Y, shuffle=False, verbose=0) for m in (own, mse)]
    assert histories[0].history["loss"] == pytest.approx(histories[1].history["loss"])
    close(own.get_weights(), mse.get_weights())


def test_a_loss_without_reduction_is_summed():
    none = keras.losses.MeanSquaredError(reduction=None)
    model, mean = regression(loss=none), regression()
    mean.set_weights(model.get_weights())
    expected = 20 * mean.train_on_batch(X, Y)
    assert model.train_on_batch(X, Y) == pytest.approx(expected, rel=1e-5)


# --- evaluate and predict ------------------------------------------------------------


def test_evaluate_is_the_mean_over_all_samples():
    model = regression(metrics=["mae"])
    error = model.predict(X, verbose=0) - Y
    for size in (1, 3, 20, 32):
        loss, mae = model.evaluate(X, Y, batch_size=size, verbose=0)
        assert loss == pytest.approx((error**2).mean(), rel=1e-5)
        assert mae == pytest.approx(abs(error).mean(), rel=1e-5)
    named = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert list(named) == ["loss", "mae"]
    loss, _ = model.evaluate(X, Y, batch_size=4, steps=2, verbose=0)
    assert loss == pytest.approx((error[:8] ** 2).mean(), rel=1e-5)


def test_evaluate_of_a_generator():
    model = regression()
    expected = model.evaluate(X, Y, batch_size=5, verbose=0)
    batches = ((X[i : i + 5], Y[i : i + 5]) for i in range(0, 20, 5))
    assert model.evaluate(batches, verbose=0) == pytest.approx(expected, rel=1e-6)


def test_evaluate_refuses_unknown_arguments():
    with pytest.raises(ValueError, match="evaluate: unrecognized arguments: batch"):
        regression().evaluate(X, Y, batch=3)


def test_predict_joins_the_batches():
    model = regression()
    (first, b1), (second, b2) = [layer.get_weights() for layer in model.layers]
    expected = np.tanh(X @ first + b1) @ second + b2
    for size in (1, 7, 20, 64):
        outputs = model.predict(X, batch_size=size, verbose=0)
        assert outputs.dtype == np.float32 and outputs.shape == (20, 1)
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    assert model.predict(X, batch_size=4, steps=2, verbose=0).shape == (8, 1)


def test_predict_of_one_sample():
    model = regression()
    whole = model.predict(X, verbose=0)
    np.testing.assert_allclose(model.predict(X[:1], verbose=0), whole[:1], rtol=1e-6)
    with pytest.raises(ValueError, match="leave out the batch axis"):
        model.predict(X[0], verbose=0)


def test_predictions_stay_as_they_are():
    model = regression()
    first = model.predict(X, verbose=0)
    kept = first.copy()
    model.predict(X * 2, verbose=0)
    model.predict_on_batch(X * 3)
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(first, kept)
    one = model.predict_on_batch(X)
    one[...] = 0
    assert model.predict_on_batch(X).any()


def test_predict_does_not_return_the_input():
    class Same(keras.layers.Layer):
        def call(self, inputs):
            return inputs

    model = keras.Sequential([keras.Input((4,)), Same()])
    for outputs in (model.predict(X, verbose=0), model.predict_on_batch(X)):
        assert not np.shares_memory(outputs, X)


def test_a_model_that_is_not_compiled():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    assert model.predict(X, verbose=0).shape == (20, 1)
    assert model.predict_on_batch(X).shape == (20, 1)
    assert model.metrics == [] and model.get_compile_config() is None
    for method in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        with pytest.raises(ValueError, match=f"Call `compile` before `{method}`"):
            getattr(model, method)(X, Y)


def test_fit_and_predict_build_the_model():
    for first in ("fit", "evaluate", "train_on_batch", "predict"):
        model = keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        assert not model.built
        getattr(model, first)(*((X,) if first == "predict" else (X, Y)))
        assert model.built and model.output_shape == (None, 1)


def test_default_optimizer():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    assert isinstance(model.optimizer, keras.optimizers.RMSprop)
    model.fit(X, Y, verbose=0)


# --- compile and trainable weights ---------------------------------------------------


def test_compile_again_keeps_weights_and_not_the_state():
    model = regression("adam")
    model.fit(X, Y, verbose=0)
    before = model.get_weights()
    model.compile("adam", "mae")
    same(model.get_weights(), before)
    assert int(model.optimizer.iterations) == 0
    model.fit(X, Y, verbose=0)
    fresh = regression("adam", "mae")
    fresh.set_weights(before)
    fresh.fit(X, Y, verbose=0, shuffle=False)
    assert int(model.optimizer.iterations) == int(fresh.optimizer.iterations)


def test_a_compile_that_fails_changes_nothing():
    model = regression(metrics=["mae"])
    optimizer = model.optimizer
    for options in ({"loss": "msse"}, {"loss": "mse", "metrics": ["acurate"]}):
        with pytest.raises(ValueError):
            model.compile("adam", **options)
        assert model.optimizer is optimizer and model.loss == "mse"
    model.fit(X, Y, verbose=0)


def test_freezing_after_compile():
    model = regression("adam")
    model.fit(X, Y, verbose=0)
    model.layers[0].trainable = False
    frozen, free = model.layers[0].get_weights(), model.layers[1].get_weights()
    model.fit(X, Y, verbose=0)
    same(model.layers[0].get_weights(), frozen)
    assert (model.layers[1].get_weights()[0] != free[0]).any()
    model.layers[0].trainable = True
    model.fit(X, Y, verbose=0)
    assert (model.layers[0].get_weights()[0] != frozen[0]).any()


def test_freezing_and_thawing_keeps_the_momentum():
    def steps(model, count):
        for _ in range(count):
            model.train_on_batch(X, Y)

    def first(model):
        return model.layers[0].weights[0]

    model = regression(keras.optimizers.SGD(0.01, momentum=0.9))
    steps(model, 3)
    momentum = [v for v in model.optimizer.variables if v.shape == first(model).shape]
    before = momentum[0].numpy()
    assert before.any()
    model.layers[0].trainable = False
    steps(model, 2)
    model.layers[0].trainable = True
    weights, x = first(model).numpy(), X
    _, gradients = keras.weight_gradients(
        lambda: keras.losses.MeanSquaredError()(Y, model(x)), [first(model)]
    )
    steps(model, 1)
    expected = weights + 0.9 * before - 0.01 * gradients[0]
    np.testing.assert_allclose(first(model).array, expected, rtol=1e-5, atol=1e-6)


def test_a_model_without_trainable_weights():
    model = regression(layers=[keras.layers.Dense(1)])
    model.trainable = False
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    same(model.get_weights(), before)


def test_two_models_that_share_layers():
    """Trained in turn, each keeps its optimizer's state."""
    rng = np.random.default_rng(1)
    start = [rng.normal(size=s) for s in ((4, 3), (3,), (3, 1), (1,), (3, 1), (1,))]

    def train(make_shared):
        shared = keras.layers.Dense(3, "tanh")
        heads = [keras.layers.Dense(1), keras.layers.Dense(1)]
        models = []
        for head in heads:
            model = keras.Sequential([keras.Input((4,)), shared, head])
            model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
            models.append(model)
        shared.set_weights(start[:2])
        heads[0].set_weights(start[2:4])
        heads[1].set_weights(start[4:])
        return shared, heads, models

    shared, heads, models = train(True)
    for step in range(6):
        models[step % 2].train_on_batch(X, Y)
    weights = [w.copy() for w in start]
    moments = [[np.zeros_like(w) for w in start] for _ in models]
    for step in range(6):
        which = step % 2
        kernel, bias = weights[2 + 2 * which : 4 + 2 * which]
        hidden = np.tanh(X @ weights[0] + weights[1])
        error = 2 * (hidden @ kernel + bias - Y) / 20
        back = error @ kernel.T * (1 - hidden**2)
        gradients = {0: X.T @ back, 1: back.sum(0)}
        gradients |= {2 + 2 * which: hidden.T @ error, 3 + 2 * which: error.sum(0)}
        for place, gradient in gradients.items():
            moment = moments[which][place]
            moment[...] = 0.9 * moment - 0.1 * gradient
            weights[place] = weights[place] + moment
    found = [*shared.get_weights(), *heads[0].get_weights(), *heads[1].get_weights()]
    close(found, weights, rtol=1e-4)


def test_compile_config_goes_round():
    model = regression("adam", "mse", metrics=["mae"], loss_weights=0.5)
    other = regression()
    other.compile_from_config(model.get_compile_config())
    assert isinstance(other.optimizer, keras.optimizers.Adam)
    assert other.get_compile_config() == model.get_compile_config()


# --- numbers that are not finite, and errors -----------------------------------------


def test_nan_is_warned_of_once():
    model = regression()
    y = Y.copy()
    y[5] = np.nan
    with pytest.warns(RuntimeWarning) as caught:
        model.fit(X, y, batch_size=4, epochs=3, shuffle=False, verbose=0)
    messages = [str(w.message) for w in caught]
    assert len(messages) == 1
    assert "NaN in epoch 1, batch 2" in messages[0]
    assert caught[0].filename == __file__


def test_infinity_is_no_warning_of_numpy():
    model = regression(layers=[keras.layers.Dense(1, activation="relu")])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.evaluate(X * 1e38, Y, verbose=0)
        model.predict(X * 1e38, verbose=0)


@pytest.mark.parametrize("label", [3, -1, 7])
def test_labels_out_of_range(label):
    model = classifier()
    before = model.get_weights()
    labels = LABELS.copy()
    labels[3] = label
    for method in (model.fit, model.evaluate):
        with pytest.raises(
            ValueError, match=rf"0 to 2. Received labels such as {label}"
        ):
            method(X, labels, batch_size=20, verbose=0)
    same(model.get_weights(), before)


def test_y_of_another_length():
    for method in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        with pytest.raises(ValueError, match="x has 20, y has 19"):
            getattr(regression(), method)(X, Y[:19])


def test_y_that_is_missing():
    for method in ("fit", "evaluate", "train_on_batch"):
        with pytest.raises(ValueError, match="targets `y` are missing"):
            getattr(regression(), method)(X)


def counting_layer():
    class Counting(keras.layers.Layer):
        """Writes into its state in `call`, as moving averages do."""

        def build(self, input_shape):
            self.seen = self.add_weight((), "zeros", trainable=False, name="seen")

        def call(self, inputs, training=None):
            if training:
                self.seen = self.seen + 1.0
            return inputs

    return Counting()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("place", ["loss", "layer", "optimizer"])
def test_an_error_in_a_step_leaves_the_weights_of_the_last_one(error, place):
    broken = False

    def maybe(where):
        if broken and where == place:
            raise error

    def loss(y_true, y_pred):
        maybe("loss")
        return ops.mean(ops.square(y_true - y_pred), axis=-1)

    class Layer(keras.layers.Layer):
        def call(self, inputs):
            maybe("layer")
            return inputs

    class Optimizer(keras.optimizers.Adam):
        def apply_flat(self, *arguments):
            maybe("optimizer")
            super().apply_flat(*arguments)

    layers = [counting_layer(), keras.layers.Dense(3), Layer(), keras.layers.Dense(1)]
    model = regression(Optimizer(), loss, layers)
    model.fit(X, Y, verbose=0)
    before = model.get_weights()
    state = [v.numpy() for v in model.optimizer.variables]
    broken = True
    for method in (model.fit, model.train_on_batch):
        with pytest.raises(error):
            method(X, Y)
        same(model.get_weights(), before)
        same([v.numpy() for v in model.optimizer.variables], state)
    broken = False
    model.fit(X, Y, verbose=0)
    assert float(model.layers[0].seen) == float(before[0]) + 1


# --- Ctrl-C --------------------------------------------------------------------------


def interrupt():
    """As Ctrl-C: the handler runs in the next line of Python."""
    signal.raise_signal(signal.SIGINT)


def interrupting(hook, at, calls=1):
    class Interrupting(Callback):
        pass

    def method(self, number, logs=None):
        if number == at:
            for _ in range(calls):
                interrupt()

    setattr(Interrupting, hook, method)
    return Interrupting()


def step_by_step(model, steps, size=4):
    """Weights after each of the first steps over X without shuffling."""
    found = []
    for step in range(steps):
        rows = slice(step * size % 20, step * size % 20 + size)
        model.train_on_batch(X[rows], Y[rows])
        found.append(model.get_weights())
    return found


@pytest.mark.parametrize(
    "hook, at, steps",
    [
        ("on_train_batch_begin", 2, 2),
        ("on_train_batch_end", 2, 3),
        ("on_epoch_begin", 1, 5),
        ("on_epoch_end", 0, 5),
        ("on_test_batch_begin", 1, 5),
        ("on_test_batch_end", 0, 5),
    ],
)
def test_ctrl_c_in_a_callback(hook, at, steps):
    model, twin = regression("adam"), regression("adam")
    twin.set_weights(model.get_weights())
    expected = step_by_step(twin, 5)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        model.fit(
            X,
            Y,
            batch_size=4,
            epochs=3,
            shuffle=False,
            validation_data=(X, Y),
            callbacks=interrupting(hook, at),
            verbose=0,
        )
    same(model.get_weights(), expected[steps - 1])
    assert signal.getsignal(signal.SIGINT) is handler
    model.fit(X, Y, verbose=0)


class Interrupted(keras.layers.Layer):
    """Ctrl-C in the middle of a step."""

    at = None
    times = 1
    count = 0

    def call(self, inputs, training=None):
        if training:
            self.count += 1
            if self.count == self.at:
                for _ in range(self.times):
                    interrupt()
        return inputs


@pytest.mark.parametrize("batches", ["fit", "train_on_batch"])
def test_ctrl_c_in_a_step_waits_for_its_end(batches):
    layers = [keras.layers.Dense(3), Interrupted(), keras.layers.Dense(1)]
    model, twin = regression("adam", layers=layers), regression("adam")
    twin = regression("adam", layers=[keras.layers.Dense(3), keras.layers.Dense(1)])
    twin.set_weights(model.get_weights())
    expected = step_by_step(twin, 3)
    layers[1].at = layers[1].count + 3
    with pytest.raises(KeyboardInterrupt):
        if batches == "fit":
            model.fit(X, Y, batch_size=4, shuffle=False, verbose=0)
        else:
            step_by_step(model, 5)
    same(model.get_weights(), expected[2])
    assert int(model.optimizer.iterations) == 3
    model.fit(X, Y, verbose=0)


def test_a_second_ctrl_c_does_not_wait():
    layers = [keras.layers.Dense(3), Interrupted(), keras.layers.Dense(1)]
    model = regression("adam", layers=layers)
    before = model.get_weights()
    layers[1].at, layers[1].times = layers[1].count + 1, 2
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, verbose=0)
    same(model.get_weights(), before)
    model.fit(X, Y, verbose=0)


def test_ctrl_c_never_cuts_an_update():
    class Slow(keras.optimizers.Adam):
        def update_flat(self, weights, *arguments):
            interrupt()
            interrupt()
            super().update_flat(weights, *arguments)
            interrupt()

    model, twin = regression(Slow()), regression("adam")
    twin.set_weights(model.get_weights())
    (expected,) = step_by_step(twin, 1)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, Y, batch_size=4, shuffle=False, verbose=0)
    same(model.get_weights(), expected)


def test_a_handler_of_the_users_own_is_called():
    calls = []
    before = signal.signal(signal.SIGINT, lambda *arguments: calls.append(arguments))
    try:
        layers = [Interrupted(), keras.layers.Dense(1)]
        model = regression(layers=layers)
        layers[0].at = layers[0].count + 1
        history = model.fit(X, Y, batch_size=4, verbose=0)
        assert len(calls) == 1 and calls[0][0] == signal.SIGINT
        assert history.epoch == [0]
    finally:
        signal.signal(signal.SIGINT, before)


def test_fit_in_a_thread_leaves_signals_alone():
    model, errors = regression(), []

    def work():
        try:
            model.fit(X, Y, verbose=0)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == [] and int(model.optimizer.iterations) == 1


CHILD = """
    import io, signal, sys
    import numpy as np
    import minikeras as keras

    signal.signal(signal.SIGINT, signal.default_int_handler)

    class Terminal(io.StringIO):
        encoding = "utf-8"
        def isatty(self):
            return True

    class Seen(keras.layers.Layer):
        def build(self, input_shape):
            self.seen = self.add_weight((), "zeros", trainable=False, name="seen")
        def call(self, inputs, training=None):
            if training:
                self.seen = self.seen + 1.0
            return inputs

    x = np.random.default_rng(0).normal(size=(40, 6)).astype("float32")
    y = x[:, :2] * 0.5

    def make():
        keras.utils.clear_session()
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(16, "relu"),
            Seen(), keras.layers.Dropout(0.2), keras.layers.Dense(2)])
        model.compile("adam", "mse", metrics=["mae"])
        return model

    def train(model, *callbacks):
        model.fit(x, y, batch_size=4, epochs=150, callbacks=list(callbacks),
            validation_data=(x, y))

    bits = lambda model: b"".join(w.tobytes() for w in model.get_weights())
    steps = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(bits(model)))
    real, sys.stdout = sys.stdout, Terminal()
    model = make()
    steps.append(bits(model))
    train(model, record)
    assert len(steps) == 1501
    for trial in range(int(sys.argv[1])):
        model = make()
        model.predict(x, verbose=0)
        keras.utils.set_random_seed(3)
        model = make()
        sys.stdout = terminal = Terminal()
        try:
            print("go", file=real, flush=True)
            train(model)
            result = "finished"
        except KeyboardInterrupt:
            done = int(model.optimizer.iterations)
            seen = int(model.layers[1].seen)
            if bits(model) != steps[done]:
                result = f"weights are not those of step {done}"
            elif seen != done:
                result = f"state of step {seen} after step {done}"
            elif sys.stdout is not terminal:
                result = "the bar is open"
            elif signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
                result = "the handler is not restored"
            else:
                model.fit(x, y, verbose=0)
                result = f"interrupted {done}"
        print(result, file=real, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT to another process")
def test_ctrl_c_at_random_moments():
    trials = 20
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(trials)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    moments = random.Random(5)
    results = []
    try:
        for _ in range(trials):
            assert child.stdout.readline() == "go\n", child.communicate()[1]
            time.sleep(moments.uniform(0.0, 0.15))
            child.send_signal(signal.SIGINT)
            results.append(child.stdout.readline().strip())
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.communicate()
    assert [r for r in results if not r.startswith("interrupted")] == []
    assert len(set(results)) > trials / 2  # they were different moments


# --- the same bits -------------------------------------------------------------------


def convolutional():
    model = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            keras.layers.Conv2D(8, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Dropout(0.3),
            keras.layers.Flatten(),
            keras.layers.Dense(4, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def run_convolutional(threads=None):
    keras.config.set_threads(threads)
    try:
        keras.utils.clear_session()
        keras.utils.set_random_seed(11)
        rng = np.random.default_rng(4)
        x = rng.normal(size=(96, 12, 12, 3)).astype("float32")
        y = rng.integers(0, 4, 96)
        model = convolutional()
        history = model.fit(
            x, y, batch_size=40, epochs=2, validation_split=0.2, verbose=0
        )
        return model.get_weights(), history.history, model.predict(x, verbose=0)
    finally:
        keras.config.set_threads(None)


def test_a_seed_repeats_every_bit():
    first, second = run_convolutional(), run_convolutional()
    same(first[0], second[0])
    assert first[1] == second[1]
    np.testing.assert_array_equal(first[2], second[2])


def test_threads_do_not_change_a_bit():
    runs = [run_convolutional(threads) for threads in (1, 2, 3)]
    for other in runs[1:]:
        same(runs[0][0], other[0])
        assert runs[0][1] == other[1]
        np.testing.assert_array_equal(runs[0][2], other[2])


def test_predict_in_threads_while_another_model_trains():
    model, other = convolutional(), convolutional()
    rng = np.random.default_rng(4)
    x = rng.normal(size=(48, 12, 12, 3)).astype("float32")
    y = rng.integers(0, 4, 48)
    expected = model.predict(x, verbose=0)
    errors, stop = [], threading.Event()

    def train():
        try:
            while not stop.is_set():
                other.fit(x, y, batch_size=16, verbose=0)
        except BaseException as error:
            errors.append(error)

    def predict():
        try:
            for _ in range(12):
                found = model.predict(x, verbose=0)
                np.testing.assert_array_equal(found, expected)
        except BaseException as error:
            errors.append(error)

    trainer = threading.Thread(target=train)
    threads = [threading.Thread(target=predict) for _ in range(8)]
    trainer.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    trainer.join()
    assert errors == []


def test_predict_of_a_model_while_it_trains():
    """Nothing is boxed for another thread; the numbers are of some moment."""
    model = convolutional()
    x = np.zeros((16, 12, 12, 3), "float32")
    y = np.arange(16) % 4
    errors, stop = [], threading.Event()

    def train():
        try:
            while not stop.is_set():
                model.fit(x, y, batch_size=4, verbose=0)
        except BaseException as error:
            errors.append(error)

    trainer = threading.Thread(target=train)
    trainer.start()
    try:
        for _ in range(30):
            found = model.predict(x, verbose=0)
            assert type(found) is np.ndarray
            np.testing.assert_allclose(found.sum(1), np.ones(16), rtol=1e-4)
    finally:
        stop.set()
        trainer.join()
    assert errors == []


def test_a_bar_on_a_terminal_is_closed_after_an_error(monkeypatch):
    class Terminal(io.StringIO):
        encoding = "utf-8"

        def isatty(self):
            return True

    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)

    def fail(batch, logs):
        raise RuntimeError

    for hook in ("on_train_batch_end", "on_epoch_begin"):
        callback = keras.callbacks.LambdaCallback(**{hook: fail})
        with pytest.raises(RuntimeError):
            regression().fit(X, Y, epochs=2, verbose=1, callbacks=callback)
        assert sys.stdout is terminal


def test_metrics_in_attributes_are_found_whenever_they_come():
    def names():
        return [metric.name for metric in model.metrics]

    model = convolutional()
    x, y = np.zeros((4, 12, 12, 3), "float32"), np.zeros(4, int)
    model.fit(x, y, verbose=0)
    before = names()
    held = model._held_metrics()
    model.train_on_batch(x, y)
    assert model._held_metrics() is held == []  # a walk takes as long as a small step
    model.first = keras.metrics.Mean(name="first")
    assert names() == [*before, "first"]
    model.layers[0].others = [keras.metrics.Mean(name="second")]
    assert names() == [*before, "first", "second"]
    model.layers[0].others.append(keras.metrics.Mean(name="third"))
    assert names() == [*before, "first", "second", "third"]
    del model.layers[0].others
    assert names() == [*before, "first"]
    model.first = None
    assert names() == before
