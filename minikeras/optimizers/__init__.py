"""Optimizers: how gradients change weights."""

from typing import TYPE_CHECKING

from minikeras.lazy import names_from, words
from minikeras.optimizers.base import family

if TYPE_CHECKING:
    from minikeras.optimizers import schedules as schedules
    from minikeras.optimizers.accumulating import (
        Adadelta as Adadelta,
        Adagrad as Adagrad,
        Ftrl as Ftrl,
    )
    from minikeras.optimizers.adafactor import Adafactor as Adafactor
    from minikeras.optimizers.adaptive import Adam as Adam, RMSprop as RMSprop
    from minikeras.optimizers.base import (
        Optimizer as Optimizer,
        deserialize as deserialize,
        get as get,
        serialize as serialize,
    )
    from minikeras.optimizers.gradient_descent import SGD as SGD
    from minikeras.optimizers.moments import (
        AdamW as AdamW,
        Adamax as Adamax,
        Lamb as Lamb,
        Lion as Lion,
        Nadam as Nadam,
    )
else:
    _BASE = {".": "schedules", ".base": "Optimizer deserialize get serialize"}
    _OPTIMIZERS = {
        ".accumulating": "Adadelta Adagrad Ftrl",
        ".adafactor": "Adafactor",
        ".adaptive": "Adam RMSprop",
        ".gradient_descent": "SGD",
        ".moments": "AdamW Adamax Lamb Lion Nadam",
    }
    __getattr__, __dir__, __all__ = names_from(__name__, _BASE | _OPTIMIZERS)
    family.add_later(
        words(_OPTIMIZERS), __getattr__, {"adamw": "AdamW", "rmsprop": "RMSprop"}
    )
