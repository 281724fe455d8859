"""Stop when the loss is no longer a number."""

from math import isfinite

from minikeras.callbacks.callback import Callback, Logs


class TerminateOnNaN(Callback):
    """Stop training when the loss of a batch is NaN or infinite.

    Args:
        raise_error: raise instead of stopping in good order; the `on_train_end` of the
            callbacks is then not called.

    Raises:
        RuntimeError: in training, if `raise_error` and the loss is not finite.

    >>> from types import SimpleNamespace
    >>> from minikeras.callbacks import TerminateOnNaN
    >>> guard = TerminateOnNaN()
    >>> guard.set_model(SimpleNamespace(stop_training=False))
    >>> guard.on_train_batch_end(7, {"loss": float("nan")})
    Batch 7: the loss is nan, training stops.
    >>> guard.model.stop_training
    True
    """

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"TerminateOnNaN: the loss of batch {batch} must be finite. "
                f"Received: loss={loss}. A smaller learning rate or `clipnorm` often "
                "helps; look also for NaN in the data"
            )
        print(f"Batch {batch}: the loss is {loss}, training stops.")
        self.model.stop_training = True
