"""Optimizers: how gradients change weights."""

from minikeras.optimizers import schedules
from minikeras.optimizers.accumulating import Adadelta, Adagrad, Ftrl
from minikeras.optimizers.adafactor import Adafactor
from minikeras.optimizers.adaptive import Adam, RMSprop
from minikeras.optimizers.base import Optimizer, get
from minikeras.optimizers.gradient_descent import SGD
from minikeras.optimizers.moments import Adamax, AdamW, Lamb, Lion, Nadam
from minikeras.registry import deserialize_keras_object as deserialize
from minikeras.registry import serialize_keras_object as serialize

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]
