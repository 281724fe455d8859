"""What to do between the batches and epochs of training."""

from typing import TYPE_CHECKING

from minikeras.lazy import names_from

if TYPE_CHECKING:
    from minikeras.callbacks.callback import Callback as Callback
    from minikeras.callbacks.callback_list import CallbackList as CallbackList
    from minikeras.callbacks.early_stopping import EarlyStopping as EarlyStopping
    from minikeras.callbacks.history import History as History
    from minikeras.callbacks.lambda_callback import LambdaCallback as LambdaCallback
    from minikeras.callbacks.terminate_on_nan import TerminateOnNaN as TerminateOnNaN
else:
    _HOMES = {
        ".callback": "Callback",
        ".callback_list": "CallbackList",
        ".early_stopping": "EarlyStopping",
        ".history": "History",
        ".lambda_callback": "LambdaCallback",
        ".terminate_on_nan": "TerminateOnNaN",
    }
    __getattr__, __dir__, __all__ = names_from(__name__, _HOMES)
