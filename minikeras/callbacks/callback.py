"""The base class of callbacks: one empty method for each moment of training."""

from typing import Any

Logs = dict[str, Any] | None


class Callback:
    """Code of yours that runs at chosen moments of `fit`, `evaluate` and `predict`.

    Subclass it and override the methods you need; the others cost nothing. Batches and
    epochs are counted from 0. `logs` maps the names of the loss and metrics to floats:
    for a batch, the averages since the epoch began; for an epoch, its results, with
    those of the validation data under `val_...`.

    Attributes:
        model: the model that is being trained, or None before.
        params: `{"verbose", "epochs", "steps"}` of the call; steps are batches an
            epoch, None when they are not known.

    >>> from minikeras.callbacks import Callback, CallbackList
    >>> class Cheer(Callback):
    ...     def on_epoch_end(self, epoch, logs=None):
    ...         print(f"epoch {epoch + 1} of {self.params['epochs']}: {logs['loss']}")
    >>> callbacks = CallbackList([Cheer()], epochs=3)
    >>> callbacks.on_epoch_end(0, {"loss": 0.5})
    epoch 1 of 3: 0.5
    """

    # On the class, so that a subclass may forget super().__init__().
    model: Any = None
    params: dict[str, Any] | None = None

    def set_params(self, params: dict[str, Any]) -> None:
        """Keep the settings of the call as `params`."""
        self.params = params

    def set_model(self, model: Any) -> None:
        """Keep the model as `model`."""
        self.model = model

    def on_train_begin(self, logs: Logs = None) -> None:
        """When `fit` starts."""

    def on_train_end(self, logs: Logs = None) -> None:
        """When `fit` ends; `logs` are those of the last epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Before an epoch of `fit`."""

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """After an epoch of `fit` and its validation."""

    def on_train_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of `fit`."""
        self.on_batch_begin(batch, logs=logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of `fit`."""
        self.on_batch_end(batch, logs=logs)

    def on_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Another name for `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Another name for `on_train_batch_end`."""

    def on_test_begin(self, logs: Logs = None) -> None:
        """When `evaluate`, or the validation of an epoch, starts."""

    def on_test_end(self, logs: Logs = None) -> None:
        """When `evaluate`, or the validation of an epoch, ends."""

    def on_test_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of `evaluate` or validation."""

    def on_test_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of `evaluate` or validation."""

    def on_predict_begin(self, logs: Logs = None) -> None:
        """When `predict` starts."""

    def on_predict_end(self, logs: Logs = None) -> None:
        """When `predict` ends."""

    def on_predict_batch_begin(self, batch: int, logs: Logs = None) -> None:
        """Before a batch of `predict`."""

    def on_predict_batch_end(self, batch: int, logs: Logs = None) -> None:
        """After a batch of `predict`."""


HOOKS = tuple(name for name in vars(Callback) if name.startswith("on_"))


def overridden(callback: Callback, hook: str) -> Any:
    """The callback's own method for `hook`, or None where it has none.

    >>> from minikeras.callbacks import LambdaCallback
    >>> overridden(LambdaCallback(on_batch_end=print), "on_train_batch_end")
    <built-in function print>
    """
    method = getattr(callback, hook)
    if getattr(method, "__func__", None) is not getattr(Callback, hook):
        return method
    if hook.startswith("on_train_batch_"):
        return overridden(callback, hook.replace("train_", ""))
    return None
