"""Optimizers that scale each weight's step by its own gradients."""

from typing import Any

import numpy as np

from minikeras.kernels import update
from minikeras.optimizers.base import Optimizer, family


@family.add()
class RMSprop(Optimizer):
    """RMSprop: a running mean v of g^2 gives the step, w -= lr g / sqrt(v + epsilon).

    Args:
        learning_rate: step size.
        rho: share of v that is kept at each step.
        momentum: share of the last step that is kept.
        epsilon: keeps the division finite; inside the root, as in Keras.
        centered: v less the square of the running mean of g, its variance.
        kwargs: as for `Optimizer`.

    Source: Hinton, Neural Networks for Machine Learning, lecture 6e (2012).
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            learning_rate,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
            name,
            **kwargs,
        )
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered
        self.slots = (("velocity",),)
        self.slots += (("momentum",),) if momentum > 0 else ()
        self.slots += (("average_gradient",),) if centered else ()

    def update_flat(
        self,
        weights: np.ndarray,
        gradient: np.ndarray,
        slots: dict[str, np.ndarray],
        learning_rate: float,
        step: int,
    ) -> None:
        update.rmsprop(
            weights,
            gradient,
            slots["velocity"],
            slots.get("momentum"),
            slots.get("average_gradient"),
            learning_rate,
            self.rho,
            self.momentum,
            self.epsilon,
            flush=step % update.FLUSH_EVERY == 0,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }


@family.add()
class Adam(Optimizer):
    """Adam: running means m of g and v of g^2 give the step

    w -= lr sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon).

    Args:
        learning_rate: step size.
        beta_1: share of m that is kept at each step.
        beta_2: share of v that is kept at each step.
        epsilon: keeps the division finite; placed as in the paper's second form.
        amsgrad: use the largest v so far (Reddi et al., 2018).
        kwargs: as for `Optimizer`.

    Source: Kingma and Ba, https://arxiv.org/abs/1412.6980
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            learning_rate,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
            name,
            **kwargs,
        )
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad
        self.slots = (("momentum", "velocity"),)
        self.slots += (("velocity_hat",),) if amsgrad else ()

    def update_flat(
        self,
        weights: np.ndarray,
        gradient: np.ndarray,
        slots: dict[str, np.ndarray],
        learning_rate: float,
        step: int,
    ) -> None:
        correction = np.sqrt(1 - self.beta_2**step) / (1 - self.beta_1**step)
        update.adam(
            weights,
            gradient,
            slots["momentum"],
            slots["velocity"],
            slots.get("velocity_hat"),
            learning_rate * float(correction),
            self.beta_1,
            self.beta_2,
            self.epsilon,
            flush=step % update.FLUSH_EVERY == 0,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }
