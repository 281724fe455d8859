import time
from types import SimpleNamespace

import pytest

from minikeras.callbacks import Callback, CallbackList, History, LambdaCallback

BATCH_HOOKS = [
    f"on_{stage}_batch_{end}"
    for stage in ("train", "test", "predict")
    for end in ("begin", "end")
]
STAGE_HOOKS = [
    f"on_{stage}_{end}"
    for stage in ("train", "test", "predict")
    for end in ("begin", "end")
]
EPOCH_HOOKS = ["on_epoch_begin", "on_epoch_end"]


def recorder(calls, name="a"):
    """A callback with every method, which notes what it was called with."""

    def note(hook):
        return lambda self, *args, **kwargs: calls.append((name, hook, args, kwargs))

    hooks = BATCH_HOOKS + STAGE_HOOKS + EPOCH_HOOKS
    return type("Recorder", (Callback,), {hook: note(hook) for hook in hooks})()


@pytest.mark.parametrize("hook", EPOCH_HOOKS)
def test_epoch_methods_receive_index_and_logs(hook):
    calls = []
    getattr(CallbackList([recorder(calls)]), hook)(3, {"loss": 1.0})
    assert calls == [("a", hook, (3, {"loss": 1.0}), {})]


@pytest.mark.parametrize("hook", BATCH_HOOKS)
def test_batch_methods_receive_index_and_logs_by_name(hook):
    calls = []
    getattr(CallbackList([recorder(calls)]), hook)(3, {"loss": 1.0})
    assert calls == [("a", hook, (3,), {"logs": {"loss": 1.0}})]


@pytest.mark.parametrize("hook", STAGE_HOOKS)
def test_stage_methods_receive_logs(hook):
    calls = []
    getattr(CallbackList([recorder(calls)]), hook)({"loss": 1.0})
    assert calls == [("a", hook, ({"loss": 1.0},), {})]


def test_callbacks_are_called_in_their_order():
    calls = []
    callbacks = CallbackList([recorder(calls, "a"), (recorder(calls, "b"),)])
    callbacks.append(recorder(calls, "c"))
    callbacks.on_epoch_end(0)
    assert [name for name, *_ in calls] == ["a", "b", "c"]


def test_every_method_of_the_base_class_does_nothing():
    callback = Callback()
    for hook in BATCH_HOOKS + EPOCH_HOOKS + ["on_batch_begin", "on_batch_end"]:
        assert getattr(callback, hook)(0) is None
        assert getattr(callback, hook)(0, logs={}) is None
    for hook in STAGE_HOOKS:
        assert getattr(callback, hook)() is None


@pytest.mark.parametrize("end", ["begin", "end"])
def test_short_batch_names_are_the_training_ones(end):
    calls = []

    def on_batch(self, batch, logs=None):
        calls.append((batch, logs))

    old = type("Old", (Callback,), {f"on_batch_{end}": on_batch})()
    callbacks = CallbackList(old)
    getattr(callbacks, f"on_train_batch_{end}")(1, {"loss": 1.0})
    getattr(callbacks, f"on_batch_{end}")(2)
    getattr(callbacks, f"on_test_batch_{end}")(3)
    getattr(old, f"on_train_batch_{end}")(4)
    assert calls == [(1, {"loss": 1.0}), (2, None), (4, None)]


def test_a_callback_with_both_batch_names_is_called_once():
    calls = []

    class Both(Callback):
        def on_train_batch_end(self, batch, logs=None):
            calls.append("train")
            super().on_train_batch_end(batch, logs)

        def on_batch_end(self, batch, logs=None):
            calls.append("short")

    CallbackList(Both()).on_train_batch_end(0)
    assert calls == ["train", "short"]


def test_logs_are_made_only_for_those_who_listen():
    made = []

    def logs():
        made.append(1)
        return {"loss": 1.0}

    received = []
    callbacks = CallbackList(
        LambdaCallback(
            on_train_batch_end=lambda batch, logs: received.append(logs),
            on_epoch_end=lambda epoch, logs: received.append(logs),
            on_train_end=received.append,
        )
    )
    callbacks.on_train_batch_begin(0, logs)
    callbacks.on_test_batch_end(0, logs)
    callbacks.on_epoch_begin(0, logs)
    callbacks.on_test_end(logs)
    assert not made
    callbacks.on_train_batch_end(0, logs)
    callbacks.on_epoch_end(0, logs)
    callbacks.on_train_end(logs)
    assert received == [{"loss": 1.0}] * 3
    assert len(made) == 3


def test_model_and_params_reach_the_callbacks():
    first, second = Callback(), Callback()
    model = SimpleNamespace()
    callbacks = CallbackList(first, model=model, epochs=3, steps=10)
    callbacks.append(second)
    for callback in (callbacks, first, second):
        assert callback.model is model
        assert callback.params == {"epochs": 3, "steps": 10}


def test_without_model_and_params_the_callbacks_keep_theirs():
    callback = Callback()
    callback.set_model("model")
    callback.set_params({"epochs": 1})
    CallbackList([callback])
    assert (callback.model, callback.params) == ("model", {"epochs": 1})


def test_a_subclass_may_forget_the_base_constructor():
    class Forgetful(Callback):
        def __init__(self):
            self.mine = 1

    callback = Forgetful()
    assert callback.model is None and callback.params is None
    CallbackList(callback, model="model", epochs=1)
    assert callback.model == "model" and callback.params == {"epochs": 1}


def test_history_is_added_unless_there_is_one():
    model = SimpleNamespace()
    assert CallbackList().history is None
    added = CallbackList(add_history=True, model=model)
    assert isinstance(added.history, History)
    assert added.callbacks == [added.history]
    assert model.history is added.history
    own = History()
    assert CallbackList([own], add_history=True).callbacks == [own]


def test_methods_given_to_an_object_before_training_count():
    callback = Callback()
    callbacks = CallbackList(callback)
    calls = []
    callback.on_train_batch_end = lambda batch, logs: calls.append(batch)
    callbacks.on_train_begin()
    callbacks.on_train_batch_end(5)
    assert calls == [5]


def test_an_error_in_a_callback_is_not_hidden():
    def fail(epoch, logs):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        CallbackList(LambdaCallback(on_epoch_end=fail)).on_epoch_end(0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (3, r"list of Callbacks\. Received: 3 \(type int\)$"),
        ([Callback(), "x"], r"Received: 'x' \(type str\)$"),
        ([None], r"Received: None \(type NoneType\)$"),
        ({"a": 1}, r"\(type dict\)$"),
        (History, r"This is the class; make an object of it: History\(\)$"),
        (print, r"Wrap functions: LambdaCallback\(on_epoch_end=function\)$"),
    ],
)
def test_what_is_no_callback_is_named(wrong, message):
    with pytest.raises(TypeError, match=message):
        CallbackList(wrong)
    if not isinstance(wrong, list):
        with pytest.raises(TypeError, match=message):
            CallbackList().append(wrong)


def test_batches_without_listeners_cost_next_to_nothing():
    callbacks = CallbackList(LambdaCallback(on_epoch_end=print), add_history=True)
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        for batch in range(1000):
            callbacks.on_train_batch_begin(batch)
            callbacks.on_train_batch_end(batch, dict)
        best = min(best, time.perf_counter() - start)
    assert best / 1000 < 2e-6
