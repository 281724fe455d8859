"""minikeras: the Keras Sequential API on NumPy and autograd.

`import minikeras as keras` runs a Keras script that stays within what is offered.
"""

from minikeras import (
    activations,
    backend,
    callbacks,
    config,
    constraints,
    datasets,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    regularizers,
    saving,
    utils,
)
from minikeras.initializers import Initializer
from minikeras.layers import Input, InputSpec, Layer
from minikeras.losses import Loss
from minikeras.metrics import Metric
from minikeras.models import Model, Sequential
from minikeras.optimizers import Optimizer
from minikeras.regularizers import Regularizer
from minikeras.training.step import input_gradients, weight_gradients
from minikeras.variables import Variable

__version__ = "0.1.0"

__all__ = [
    "Initializer",
    "Input",
    "InputSpec",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "Regularizer",
    "Sequential",
    "Variable",
    "activations",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "datasets",
    "initializers",
    "input_gradients",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "random",
    "regularizers",
    "saving",
    "utils",
    "weight_gradients",
]
