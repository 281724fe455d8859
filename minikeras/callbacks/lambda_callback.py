"""A callback from functions."""

from collections.abc import Callable
from typing import Any

from minikeras.callbacks.callback import HOOKS, Callback
from minikeras.validation import did_you_mean

Function = Callable[..., Any] | None


class LambdaCallback(Callback):
    """A callback made of functions, without a class of your own.

    Args:
        on_epoch_begin, on_epoch_end: functions of `(epoch, logs)`.
        on_train_begin, on_train_end: functions of `(logs)`.
        on_train_batch_begin, on_train_batch_end: functions of `(batch, logs)`; the
            second argument must have the name `logs`.
        **kwargs: functions for the other methods of `Callback`, by name.

    Raises:
        TypeError: a name is not a method of `Callback`, or a value is not a function.

    >>> from minikeras.callbacks import LambdaCallback
    >>> says = LambdaCallback(on_epoch_end=lambda epoch, logs: print(logs["loss"]))
    >>> says.on_epoch_end(0, {"loss": 0.25})
    0.25
    """

    def __init__(
        self,
        on_epoch_begin: Function = None,
        on_epoch_end: Function = None,
        on_train_begin: Function = None,
        on_train_end: Function = None,
        on_train_batch_begin: Function = None,
        on_train_batch_end: Function = None,
        **kwargs: Function,
    ) -> None:
        functions = {
            "on_epoch_begin": on_epoch_begin,
            "on_epoch_end": on_epoch_end,
            "on_train_begin": on_train_begin,
            "on_train_end": on_train_end,
            "on_train_batch_begin": on_train_batch_begin,
            "on_train_batch_end": on_train_batch_end,
            **kwargs,
        }
        for name, function in functions.items():
            if name not in HOOKS:
                raise TypeError(
                    f"LambdaCallback: {name!r} is not a method of Callback"
                    f"{did_you_mean(name, HOOKS) or '. They are: ' + ', '.join(HOOKS)}"
                )
            if function is None:
                continue
            if not callable(function):
                raise TypeError(
                    f"LambdaCallback: `{name}` must be a function. "
                    f"Received: {name}={function!r}"
                )
            setattr(self, name, function)
