"""minikeras: the Keras Sequential API on NumPy and autograd.

`import minikeras as keras` runs a Keras script that stays within what is offered.
"""

from typing import TYPE_CHECKING

from minikeras.lazy import names_from

if TYPE_CHECKING:
    from minikeras import (
        activations as activations,
        backend as backend,
        callbacks as callbacks,
        config as config,
        constraints as constraints,
        datasets as datasets,
        initializers as initializers,
        layers as layers,
        losses as losses,
        metrics as metrics,
        models as models,
        ops as ops,
        optimizers as optimizers,
        random as random,
        regularizers as regularizers,
        saving as saving,
        utils as utils,
    )
    from minikeras.initializers import Initializer as Initializer
    from minikeras.layers import Input as Input, InputSpec as InputSpec, Layer as Layer
    from minikeras.losses import Loss as Loss
    from minikeras.metrics import Metric as Metric
    from minikeras.models import Model as Model, Sequential as Sequential
    from minikeras.optimizers import Optimizer as Optimizer
    from minikeras.regularizers import Regularizer as Regularizer
    from minikeras.training.step import (
        input_gradients as input_gradients,
        weight_gradients as weight_gradients,
    )
    from minikeras.variables import Variable as Variable
else:
    _HOMES = {
        ".": """
            activations backend callbacks config constraints datasets initializers
            layers losses metrics models ops optimizers random regularizers saving utils
        """,
        ".initializers": "Initializer",
        ".layers": "Input InputSpec Layer",
        ".losses": "Loss",
        ".metrics": "Metric",
        ".models": "Model Sequential",
        ".optimizers": "Optimizer",
        ".regularizers": "Regularizer",
        ".training.step": "input_gradients weight_gradients",
        ".variables": "Variable",
    }
    __getattr__, __dir__, __all__ = names_from(__name__, _HOMES)

    # What every program needs. A name in a config without a module is looked up in the
    # families in this order: "elu" is the activation, not the layer.
    from minikeras import activations as activations, models as models

__version__ = "0.1.0"
