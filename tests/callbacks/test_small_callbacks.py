from types import SimpleNamespace

import numpy as np
import pytest

from minikeras.callbacks import CallbackList, History, LambdaCallback, TerminateOnNaN


def test_history_collects_the_logs_of_each_epoch():
    history = History()
    model = SimpleNamespace()
    history.set_model(model)
    history.on_train_begin()
    history.on_epoch_end(0, {"loss": 3.0})
    history.on_epoch_end(1, {"loss": 2.0, "val_loss": 2.5})
    history.on_epoch_end(2)
    assert history.epoch == [0, 1, 2]
    assert history.history == {"loss": [3.0, 2.0], "val_loss": [2.5]}
    assert model.history is history


def test_history_of_a_second_fit_continues_the_values_as_in_keras():
    history = History()
    for epoch in (0, 5):
        history.on_train_begin()
        history.on_epoch_end(epoch, {"loss": float(epoch)})
    assert history.epoch == [5]
    assert history.history == {"loss": [0.0, 5.0]}


def test_history_before_training_is_empty():
    assert (History().epoch, History().history) == ([], {})


def test_lambda_callback_calls_its_functions():
    calls = []
    named = {
        name: lambda *args, name=name, **kwargs: calls.append((name, args, kwargs))
        for name in (
            "on_epoch_begin",
            "on_epoch_end",
            "on_train_begin",
            "on_train_end",
            "on_train_batch_begin",
            "on_train_batch_end",
            "on_test_begin",
            "on_predict_batch_end",
        )
    }
    callbacks = CallbackList(LambdaCallback(**named))
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(0)
    callbacks.on_train_batch_begin(1)
    callbacks.on_train_batch_end(1, {"loss": 2.0})
    callbacks.on_test_begin()
    callbacks.on_test_batch_end(0)
    callbacks.on_epoch_end(0, {"loss": 2.0})
    callbacks.on_train_end()
    callbacks.on_predict_batch_end(4)
    assert calls == [
        ("on_train_begin", (None,), {}),
        ("on_epoch_begin", (0, None), {}),
        ("on_train_batch_begin", (1,), {"logs": None}),
        ("on_train_batch_end", (1,), {"logs": {"loss": 2.0}}),
        ("on_test_begin", (None,), {}),
        ("on_epoch_end", (0, {"loss": 2.0}), {}),
        ("on_train_end", (None,), {}),
        ("on_predict_batch_end", (4,), {"logs": None}),
    ]


def test_lambda_callback_leaves_out_none():
    callback = LambdaCallback(on_epoch_end=None, on_test_end=None)
    assert callback.on_epoch_end(0) is None
    assert callback.on_test_end() is None


def test_lambda_callback_names_an_unknown_method():
    with pytest.raises(TypeError, match="'on_epoch_ends' is not a method of Callback"):
        LambdaCallback(on_epoch_ends=print)
    with pytest.raises(TypeError, match=r"Did you mean .*'on_epoch_end'"):
        LambdaCallback(on_epoch_ends=print)
    with pytest.raises(TypeError, match="They are: on_train_begin, on_train_end"):
        LambdaCallback(zzz=print)


def test_lambda_callback_refuses_what_is_no_function():
    with pytest.raises(TypeError, match="`on_epoch_end` must be a function.*=3"):
        LambdaCallback(on_epoch_end=3)
    with pytest.raises(TypeError, match="`on_test_end` must be a function.*='x'"):
        LambdaCallback(on_test_end="x")


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -np.float32("inf")])
def test_terminate_on_nan_stops(loss, capsys):
    callback = TerminateOnNaN()
    callback.set_model(SimpleNamespace(stop_training=False))
    CallbackList(callback).on_train_batch_end(12, {"loss": loss})
    assert callback.model.stop_training is True
    assert capsys.readouterr().out == f"Batch 12: the loss is {loss}, training stops.\n"


@pytest.mark.parametrize("logs", [None, {}, {"loss": 1e30}, {"accuracy": np.nan}])
def test_terminate_on_nan_lets_numbers_pass(logs, capsys):
    callback = TerminateOnNaN(raise_error=True)
    callback.set_model(SimpleNamespace(stop_training=False))
    callback.on_train_batch_end(0, logs)
    assert callback.model.stop_training is False
    assert capsys.readouterr().out == ""


def test_terminate_on_nan_can_raise():
    callback = TerminateOnNaN(raise_error=True)
    callback.set_model(SimpleNamespace(stop_training=False))
    with pytest.raises(
        RuntimeError, match="batch 3 must be finite. Received: loss=nan"
    ):
        callback.on_train_batch_end(3, {"loss": float("nan")})
    assert callback.model.stop_training is False
