"""Stochastic gradient descent."""

from typing import Any

import numpy as np

from minikeras.kernels import update
from minikeras.optimizers.base import Optimizer, family


@family.add()
class SGD(Optimizer):
    """Gradient descent, with momentum: m = momentum m - lr g, w += m.

    With Nesterov momentum w += momentum m - lr g.

    Args:
        learning_rate: step size.
        momentum: share of the last step that is kept, from 0 to 1.
        nesterov: look ahead along the momentum.
        kwargs: as for `Optimizer`.

    Raises:
        ValueError: if `momentum` is outside [0, 1].

    Source: Sutskever et al., ICML 2013.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
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
        if not isinstance(momentum, int | float) or not 0 <= momentum <= 1:
            raise ValueError(
                f"SGD: `momentum` must be a number from 0 to 1. Received: {momentum!r}"
            )
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
        self.momentum = momentum
        self.nesterov = nesterov
        self.slots = (("momentum",),) if momentum else ()

    def update_flat(
        self,
        weights: np.ndarray,
        gradient: np.ndarray,
        slots: dict[str, np.ndarray],
        learning_rate: float,
        step: int,
    ) -> None:
        moment = slots.get("momentum")
        update.sgd(
            weights,
            gradient,
            moment,
            learning_rate,
            self.momentum,
            self.nesterov,
            flush=step % update.FLUSH_EVERY == 0,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "nesterov": self.nesterov,
        }
