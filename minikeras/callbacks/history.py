"""The record of training that `fit` returns."""

from typing import Any

from minikeras.callbacks.callback import Callback, Logs


class History(Callback):
    """Keep the results of each epoch; `fit` adds one and returns it.

    Attributes:
        epoch: indices of the epochs of the last `fit`, counted from 0.
        history: for each name in the logs, the values, one an epoch.

    >>> from minikeras.callbacks import History
    >>> record = History()
    >>> record.on_train_begin()
    >>> record.on_epoch_end(0, {"loss": 0.5, "val_loss": 0.6})
    >>> record.on_epoch_end(1, {"loss": 0.4, "val_loss": 0.7})
    >>> record.epoch, record.history
    ([0, 1], {'loss': [0.5, 0.4], 'val_loss': [0.6, 0.7]})
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[Any]] = {}

    def on_train_begin(self, logs: Logs = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        if self.model is not None:
            self.model.history = self
