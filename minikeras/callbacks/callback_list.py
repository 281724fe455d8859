"""Many callbacks behind the methods of one."""

from collections.abc import Callable, Iterable
from typing import Any

from minikeras.callbacks.callback import HOOKS, Callback, Logs, overridden
from minikeras.callbacks.history import History

# A function that makes the logs, called only when a callback wants them.
LazyLogs = Logs | Callable[[], Logs]


class CallbackList(Callback):
    """Callbacks that are called in their order, each where it overrides a method.

    Batches cost next to nothing as long as no callback has a method for them. `logs`
    may be a function without arguments that returns them: it is called only when a
    callback receives them.

    Args:
        callbacks: one `Callback`, or a list or tuple of them (nested is fine), or None.
        add_history: add a `History` unless there is one; it is the attribute `history`.
        model: the model, for each callback's `model`.
        **params: settings of the call, for each callback's `params`.

    Raises:
        TypeError: something in `callbacks` is not a `Callback`.

    >>> from minikeras.callbacks import CallbackList, LambdaCallback
    >>> shout = LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs))
    >>> callbacks = CallbackList(shout, epochs=2)
    >>> callbacks.on_train_batch_end(0, {"loss": 2.0})
    >>> callbacks.on_epoch_end(0, {"loss": 1.0})
    0 {'loss': 1.0}
    """

    def __init__(
        self,
        callbacks: Any = None,
        add_history: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        self.callbacks: list[Callback] = [] if callbacks is None else _flat(callbacks)
        histories = [c for c in self.callbacks if isinstance(c, History)]
        self.history = histories[-1] if histories else None
        if add_history and self.history is None:
            self.history = History()
            self.callbacks.append(self.history)
        self._find_methods()
        self.set_model(model)
        self.set_params(params)

    def _find_methods(self) -> None:
        self._methods = {
            hook: tuple(m for c in self.callbacks if (m := overridden(c, hook)))
            for hook in HOOKS
        }
        # One attribute access for a batch without listeners.
        self._train_batch_begin = self._methods["on_train_batch_begin"]
        self._train_batch_end = self._methods["on_train_batch_end"]
        self._test_batch_begin = self._methods["on_test_batch_begin"]
        self._test_batch_end = self._methods["on_test_batch_end"]
        self._predict_batch_begin = self._methods["on_predict_batch_begin"]
        self._predict_batch_end = self._methods["on_predict_batch_end"]

    @property
    def listens_to_train_batches(self) -> bool:
        """Whether a callback is called between the steps of a training."""
        return bool(self._train_batch_begin or self._train_batch_end)

    def append(self, callback: Callback) -> None:
        """Add a callback at the end.

        Raises:
            TypeError: it is not a `Callback`.
        """
        added = _flat(callback)
        self.callbacks.extend(added)
        self._find_methods()
        for new in added:
            if self.model is not None:
                new.set_model(self.model)
            if self.params:
                new.set_params(self.params)

    def set_params(self, params: dict[str, Any]) -> None:
        """Give each callback the settings of the call, if there are any."""
        self.params = params
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def set_model(self, model: Any) -> None:
        """Give each callback the model, and the model its history."""
        if model is None:
            return
        self.model = model
        if self.history is not None:
            model.history = self.history
        for callback in self.callbacks:
            callback.set_model(model)

    def on_train_begin(self, logs: LazyLogs = None) -> None:
        self._find_methods()  # a callback may have received a method since
        self._call("on_train_begin", logs)

    def on_train_end(self, logs: LazyLogs = None) -> None:
        self._call("on_train_end", logs)

    def on_test_begin(self, logs: LazyLogs = None) -> None:
        self._call("on_test_begin", logs)

    def on_test_end(self, logs: LazyLogs = None) -> None:
        self._call("on_test_end", logs)

    def on_predict_begin(self, logs: LazyLogs = None) -> None:
        self._call("on_predict_begin", logs)

    def on_predict_end(self, logs: LazyLogs = None) -> None:
        self._call("on_predict_end", logs)

    def _call(self, hook: str, logs: LazyLogs) -> None:
        if methods := self._methods[hook]:
            logs = logs() if callable(logs) else logs
            for method in methods:
                method(logs)

    def on_epoch_begin(self, epoch: int, logs: LazyLogs = None) -> None:
        if methods := self._methods["on_epoch_begin"]:
            logs = logs() if callable(logs) else logs
            for method in methods:
                method(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: LazyLogs = None) -> None:
        if methods := self._methods["on_epoch_end"]:
            logs = logs() if callable(logs) else logs
            for method in methods:
                method(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: LazyLogs = None) -> None:
        if self._train_batch_begin:
            _call_batch(self._train_batch_begin, batch, logs)

    def on_train_batch_end(self, batch: int, logs: LazyLogs = None) -> None:
        if self._train_batch_end:
            _call_batch(self._train_batch_end, batch, logs)

    on_batch_begin = on_train_batch_begin
    on_batch_end = on_train_batch_end

    def on_test_batch_begin(self, batch: int, logs: LazyLogs = None) -> None:
        if self._test_batch_begin:
            _call_batch(self._test_batch_begin, batch, logs)

    def on_test_batch_end(self, batch: int, logs: LazyLogs = None) -> None:
        if self._test_batch_end:
            _call_batch(self._test_batch_end, batch, logs)

    def on_predict_batch_begin(self, batch: int, logs: LazyLogs = None) -> None:
        if self._predict_batch_begin:
            _call_batch(self._predict_batch_begin, batch, logs)

    def on_predict_batch_end(self, batch: int, logs: LazyLogs = None) -> None:
        if self._predict_batch_end:
            _call_batch(self._predict_batch_end, batch, logs)


def _call_batch(methods: Iterable[Any], batch: int, logs: LazyLogs) -> None:
    logs = logs() if callable(logs) else logs
    for method in methods:
        method(batch, logs=logs)  # by keyword, as Keras calls them


def _flat(callbacks: Any) -> list[Callback]:
    if isinstance(callbacks, Callback):
        return [callbacks]
    if isinstance(callbacks, list | tuple):
        return [one for part in callbacks for one in _flat(part)]
    hint = ""
    if isinstance(callbacks, type) and issubclass(callbacks, Callback):
        hint = f". This is the class; make an object of it: {callbacks.__name__}()"
    elif callable(callbacks):
        hint = ". Wrap functions: LambdaCallback(on_epoch_end=function)"
    raise TypeError(
        "`callbacks` must be a Callback or a list of Callbacks. "
        f"Received: {callbacks!r} (type {type(callbacks).__name__}){hint}"
    )
