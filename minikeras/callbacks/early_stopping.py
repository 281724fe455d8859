"""Stop when a metric no longer improves."""

from typing import Any

from minikeras.callbacks.callback import Logs
from minikeras.callbacks.monitor_callback import MonitorCallback


class EarlyStopping(MonitorCallback):
    """Stop training when a metric has stopped improving.

    An epoch is better when it beats the best one so far by more than `min_delta`.
    Training stops after `patience` epochs in a row that were not better; the very
    first epoch never stops it.

    Args:
        monitor: the metric to watch, by its name in the logs.
        min_delta: smallest change that counts as better, in units of the metric.
        patience: epochs without improvement to wait. 0 and 1 both stop at the first.
        verbose: 1 to print when it stops and which weights it restores, 0 for silence.
        mode: `"min"` when lower is better, `"max"` when higher is, `"auto"` to know it
            by the metric.
        baseline: a value that must be beaten, too: epochs that do not beat it count as
            waiting, even when they are better than those before.
        restore_best_weights: put the weights of the best epoch back when training
            ends, stopped early or not.
        start_from_epoch: epochs at the start that are not looked at.

    Raises:
        ValueError: in training, if `mode="auto"` and the metric does not tell.

    >>> from types import SimpleNamespace
    >>> from minikeras.callbacks import EarlyStopping
    >>> stopping = EarlyStopping(patience=2)
    >>> stopping.set_model(SimpleNamespace(stop_training=False))
    >>> stopping.on_train_begin()
    >>> for epoch, loss in enumerate([0.5, 0.3, 0.4, 0.35]):
    ...     stopping.on_epoch_end(epoch, {"val_loss": loss})
    ...     print(epoch, stopping.model.stop_training)
    0 False
    1 False
    2 False
    3 True
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._reset()

    def _reset(self) -> None:
        self.wait = 0
        self.stopped_epoch = 0
        self.best: Any = None
        self.best_epoch = 0
        self.best_weights: list[Any] | None = None

    def on_train_begin(self, logs: Logs = None) -> None:
        self._reset()  # one object may serve several calls of fit

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        value = self._monitored(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        self.wait += 1
        if self._better(value, self.best):
            self.best = value
            self.best_epoch = epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._better(value, self.baseline):
                self.wait = 0
            # Keras looks at the patience only after an epoch that was not better.
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            if self.verbose > 0:
                print(f"Restoring the weights of the best epoch: {self.best_epoch + 1}")
            self.model.set_weights(self.best_weights)
