"""Callbacks."""

import numpy as np

import minikeras as keras
from minikeras import ops

from .base import X, Y, history, mlp, program


class Recorder(keras.callbacks.Callback):
    """Writes down every call."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def note(self, *words, logs=None):
        keys = sorted(logs or {})
        self.seen.append([*words, keys])

    def on_train_begin(self, logs=None):
        self.note("train begin", self.params["epochs"], self.params["steps"], logs=logs)

    def on_train_end(self, logs=None):
        self.note("train end", logs=logs)

    def on_epoch_begin(self, epoch, logs=None):
        self.note("epoch begin", epoch, logs=logs)

    def on_epoch_end(self, epoch, logs=None):
        self.note("epoch end", epoch, logs=logs)

    def on_train_batch_begin(self, batch, logs=None):
        self.note("train batch begin", batch, logs=logs)

    def on_train_batch_end(self, batch, logs=None):
        self.note("train batch end", batch, logs=logs)

    def on_test_begin(self, logs=None):
        self.note("test begin", logs=logs)

    def on_test_end(self, logs=None):
        self.note("test end", logs=logs)

    def on_test_batch_begin(self, batch, logs=None):
        self.note("test batch begin", batch, logs=logs)

    def on_test_batch_end(self, batch, logs=None):
        self.note("test batch end", batch, logs=logs)

    def on_predict_begin(self, logs=None):
        self.note("predict begin", logs=logs)

    def on_predict_end(self, logs=None):
        self.note("predict end", logs=logs)

    def on_predict_batch_begin(self, batch, logs=None):
        self.note("predict batch begin", batch, logs=logs)

    def on_predict_batch_end(self, batch, logs=None):
        self.note("predict batch end", batch, logs=logs)


class EarlyStoppingAtMinLoss(keras.callbacks.Callback):
    def __init__(self, patience=0):
        super().__init__()
        self.patience = patience
        self.best_weights = None

    def on_train_begin(self, logs=None):
        self.wait = 0
        self.stopped_epoch = 0
        self.best = np.inf

    def on_epoch_end(self, epoch, logs=None):
        current = logs.get("loss")
        if np.less(current, self.best):
            self.best = current
            self.wait = 0
            self.best_weights = self.model.get_weights()
        else:
            self.wait += 1
            if self.wait >= self.patience:
                self.stopped_epoch = epoch
                self.model.stop_training = True
                self.model.set_weights(self.best_weights)


class RateScheduler(keras.callbacks.Callback):
    def __init__(self, schedule):
        super().__init__()
        self.schedule = schedule

    def on_epoch_begin(self, epoch, logs=None):
        if not hasattr(self.model.optimizer, "learning_rate"):
            raise ValueError('Optimizer must have a "learning_rate" attribute.')
        rate = float(ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self.model.optimizer.learning_rate = self.schedule(epoch, rate)


class StopAtBatch(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            self.model.stop_training = True


@program
def callbacks():
    model = mlp()
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    seen = Recorder()
    model.fit(
        X, Y, batch_size=5, verbose=0, epochs=2, validation_split=0.5, callbacks=[seen]
    )
    model.evaluate(X, Y, batch_size=5, verbose=0, callbacks=[seen])
    model.predict(X, batch_size=5, verbose=0, callbacks=[seen])
    stopped = Recorder()
    model.fit(
        X, Y, batch_size=2, epochs=3, verbose=0, callbacks=[StopAtBatch(), stopped]
    )
    return {"seen": seen.seen, "stopped": stopped.seen}


@program
def stopping_and_rates():
    model = mlp()
    model.compile(keras.optimizers.SGD(2.0, momentum=0.9), "mse")
    stopper = EarlyStoppingAtMinLoss()
    model.fit(X, Y, epochs=30, verbose=0, shuffle=False, callbacks=[stopper])
    found = {"epoch": stopper.stopped_epoch, "weights": model.get_weights()}
    model.compile(keras.optimizers.SGD(0.1), "mse")
    scheduler = RateScheduler(lambda epoch, rate: rate * (0.5 if epoch else 1.0))
    trained = history(model, X, Y, epochs=4, callbacks=[scheduler])
    return {**found, "rate": float(model.optimizer.learning_rate), **trained}
