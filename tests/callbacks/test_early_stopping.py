"""Expected epochs are reasoned from the definition, value by value."""

from types import SimpleNamespace

import pytest

from minikeras.callbacks import CallbackList, EarlyStopping


class Model:
    """Its weights are the number of the epoch that made them."""

    def __init__(self, metrics=()):
        self.stop_training = False
        self.metrics = list(metrics)
        self.weights = [None]

    def get_weights(self):
        return list(self.weights)

    def set_weights(self, weights):
        self.weights = list(weights)


def metric(name, direction):
    return SimpleNamespace(name=name, _direction=direction)


def train(callback, values, model=None):
    """The index of the epoch after which training stopped, None if it never did."""
    model = model or Model()
    callbacks = CallbackList([callback], model=model)
    callbacks.on_train_begin()
    stopped = None
    for epoch, value in enumerate(values):
        model.weights = [epoch]
        callbacks.on_epoch_end(epoch, {callback.monitor: value})
        if model.stop_training:
            stopped = epoch
            break
    callbacks.on_train_end()
    return stopped


@pytest.mark.parametrize(
    ("values", "settings", "stopped"),
    [
        # Falls to 0.4 in epoch 1; epoch 2 is the first that is not better.
        ([0.5, 0.4, 0.4, 0.3], {}, 2),
        # Equal is not better, so epoch 1 waits; but patience 0 already stops there.
        ([0.5, 0.5, 0.1], {}, 1),
        # One epoch of patience is used up by the first that is not better.
        ([0.5, 0.4, 0.6, 0.3], {"patience": 1}, 2),
        # Two: 0.6 and 0.5 wait; then it stops before seeing 0.3.
        ([0.5, 0.4, 0.6, 0.5, 0.3], {"patience": 2}, 3),
        # 0.3 starts the count anew: waits 0.6 | 0.5, 0.45.
        ([0.5, 0.4, 0.6, 0.3, 0.5, 0.45], {"patience": 2}, 5),
        ([0.5, 0.4, 0.3, 0.2], {}, None),
        # Improvements of 0.05 are below 0.1: epochs 1 and 2 wait (0.5 stays best).
        ([0.5, 0.45, 0.41, 0.1], {"min_delta": 0.1, "patience": 2}, 2),
        # 0.3 beats 0.5 by 0.2; min_delta has no sign.
        ([0.5, 0.3, 0.25, 0.1], {"min_delta": -0.1}, 2),
        # Higher is better: 0.6 beats 0.5, 0.55 does not.
        ([0.5, 0.6, 0.55, 0.9], {"mode": "max"}, 2),
        ([0.5, 0.7, 0.75, 0.9], {"mode": "max", "min_delta": 0.1}, 2),
        # Exactly min_delta better is not more than min_delta better.
        ([0.5, 0.75, 1.5], {"mode": "max", "min_delta": 0.25}, 1),
        ([0.5, 0.25, 0.0], {"min_delta": 0.25}, 1),
        # Never below the baseline of 0.2: every epoch waits, but an epoch better than
        # those before never stops. 0.45 (wait 3) is the first not better.
        ([0.5, 0.4, 0.45, 0.1], {"baseline": 0.2, "patience": 3}, 2),
        ([0.5, 0.4, 0.3, 0.25], {"baseline": 0.2, "patience": 2}, None),
        # 0.15 beats it and ends the wait; then 0.3, 0.3 wait.
        ([0.5, 0.15, 0.3, 0.3], {"baseline": 0.2, "patience": 2}, 3),
        # Epochs 0 to 2 are not seen; 0.9 is the first best, 0.95 waits.
        ([0.1, 0.2, 0.3, 0.9, 0.95], {"start_from_epoch": 3}, 4),
        # NaN is never better.
        ([0.5, float("nan"), 0.1], {}, 1),
    ],
)
def test_stops_where_the_definition_says(values, settings, stopped):
    callback = EarlyStopping(**settings)
    assert train(callback, values) == stopped
    assert callback.stopped_epoch == (stopped or 0)


def test_the_first_epoch_never_stops():
    callback = EarlyStopping(baseline=0.1)
    assert train(callback, [0.5]) is None


def test_best_weights_come_back():
    model = Model()
    callback = EarlyStopping(patience=2, restore_best_weights=True)
    assert train(callback, [0.5, 0.3, 0.4, 0.35], model) == 3
    assert model.weights == [1]
    assert (callback.best, callback.best_epoch) == (0.3, 1)


def test_best_weights_come_back_also_when_training_was_not_stopped():
    model = Model()
    callback = EarlyStopping(patience=9, restore_best_weights=True)
    assert train(callback, [0.5, 0.3, 0.4], model) is None
    assert model.weights == [1]


def test_best_weights_need_not_beat_the_baseline():
    model = Model()
    callback = EarlyStopping(patience=3, baseline=0.1, restore_best_weights=True)
    assert train(callback, [0.5, 0.3, 0.4], model) == 2
    assert model.weights == [1]


def test_weights_from_before_the_start_are_not_best():
    model = Model()
    callback = EarlyStopping(start_from_epoch=2, restore_best_weights=True)
    assert train(callback, [0.1, 0.2, 0.9, 0.95], model) == 3
    assert model.weights == [2]


def test_without_restoring_the_last_weights_stay():
    model = Model()
    assert train(EarlyStopping(), [0.5, 0.3, 0.4], model) == 2
    assert model.weights == [2]


def test_no_epoch_seen_restores_nothing():
    model = Model()
    callback = EarlyStopping(start_from_epoch=5, restore_best_weights=True)
    assert train(callback, [0.5, 0.3], model) is None
    assert model.weights == [1]


def test_one_object_serves_two_trainings():
    callback = EarlyStopping(restore_best_weights=True)
    assert train(callback, [0.2, 0.1, 0.3]) == 2
    model = Model()
    assert train(callback, [0.9, 0.8, 0.85], model) == 2
    assert model.weights == [1]


def test_says_what_it_does(capsys):
    callback = EarlyStopping(verbose=1, restore_best_weights=True)
    train(callback, [0.5, 0.3, 0.4])
    assert capsys.readouterr().out == (
        "Epoch 3: early stopping\nRestoring the weights of the best epoch: 2\n"
    )


def test_is_silent_by_default(capsys):
    train(EarlyStopping(restore_best_weights=True), [0.5, 0.3, 0.4])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("monitor", "direction", "values", "stopped"),
    [
        ("val_accuracy", "up", [0.5, 0.6, 0.55], 2),
        ("accuracy", "up", [0.5, 0.6, 0.55], 2),
        ("val_mae", "down", [0.6, 0.5, 0.55], 2),
        ("val_accuracy", "up", [0.5, 0.6, 0.7], None),
    ],
)
def test_auto_asks_the_metric(monitor, direction, values, stopped):
    name = monitor.removeprefix("val_")
    model = Model([metric("other", "down"), metric(name, direction)])
    assert train(EarlyStopping(monitor), values, model) == stopped


def test_auto_looks_into_groups_of_metrics():
    group = SimpleNamespace(name="compiled", metrics=[metric("f1_score", "up")])
    model = Model([SimpleNamespace(name="loss"), group])
    assert train(EarlyStopping("val_f1_score"), [0.5, 0.6, 0.55], model) == 2


def test_auto_takes_loss_as_lower():
    model = Model([SimpleNamespace(name="loss")])
    assert train(EarlyStopping("loss"), [0.5, 0.4, 0.45], model) == 2


def test_auto_refuses_what_it_cannot_know():
    model = Model([SimpleNamespace(name="mine"), metric("other", "up")])
    message = (
        r"EarlyStopping: it is not known whether a higher or a lower `mine` is "
        r"better\. Pass mode='max' or mode='min'\. Received: monitor='val_mine', "
        r"mode='auto'\. Available metrics: val_mine$"
    )
    with pytest.raises(ValueError, match=message):
        train(EarlyStopping("val_mine"), [0.5], model)


def test_an_unknown_mode_warns_and_is_auto():
    message = r"`mode` must be 'auto', 'min' or 'max'. Received: mode='up'"
    with pytest.warns(UserWarning, match=message) as caught:
        callback = EarlyStopping(mode="up")
    assert callback.mode == "auto"
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("logs", "ending"),
    [
        ({"loss": 1.0, "mae": 2.0}, "Available metrics: loss, mae. Give fit `valid"),
        ({"mae": 2.0}, "Available metrics: mae$"),
        (None, "Available metrics: none$"),
    ],
)
def test_a_missing_metric_warns_with_those_there_are(logs, ending):
    callback = EarlyStopping()
    callback.set_model(Model())
    callback.on_train_begin()
    with pytest.warns(
        UserWarning, match=f"`val_loss`, which is not available. {ending}"
    ):
        callback.on_epoch_end(3, logs)
    assert not callback.model.stop_training
    assert callback.wait == 0
