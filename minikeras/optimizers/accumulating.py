"""Optimizers whose steps shrink with the gradients seen so far."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras.kernels import update
from minikeras.optimizers.base import Optimizer, family
from minikeras.variables import Variable


@family.add()
class Adagrad(Optimizer):
    """Adagrad: v += g^2, w -= lr g / sqrt(v + epsilon).

    Args:
        learning_rate: step size.
        initial_accumulator_value: v at the start.
        epsilon: keeps the division finite.
        kwargs: as for `Optimizer`.

    Source: Duchi et al., Journal of Machine Learning Research 12 (2011).
    """

    slots = (("accumulator",),)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        for flat in self._slot_arrays["accumulator"]:
            flat[...] = self.initial_accumulator_value

    def update_flat(
        self,
        weights: np.ndarray,
        gradient: np.ndarray,
        slots: dict[str, np.ndarray],
        learning_rate: float,
        step: int,
    ) -> None:
        update.adagrad(
            weights, gradient, slots["accumulator"], learning_rate, self.epsilon
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }


@family.add()
class Adadelta(Optimizer):
    """Adadelta: running means v of g^2 and d of step^2 give

    step = g sqrt(d + epsilon) / sqrt(v + epsilon), w -= lr step.

    Args:
        learning_rate: step size; 1.0 is the paper's.
        rho: share of the means that is kept at each step.
        epsilon: keeps the division finite.
        kwargs: as for `Optimizer`.

    Source: Zeiler, https://arxiv.org/abs/1212.5701
    """

    slots = (("accumulated_grad", "accumulated_delta_var"),)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.rho = rho
        self.epsilon = epsilon

    def update_flat(
        self,
        weights: np.ndarray,
        gradient: np.ndarray,
        slots: dict[str, np.ndarray],
        learning_rate: float,
        step: int,
    ) -> None:
        update.adadelta(
            weights,
            gradient,
            slots["accumulated_grad"],
            slots["accumulated_delta_var"],
            learning_rate,
            self.rho,
            self.epsilon,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}


@family.add()
class Ftrl(Optimizer):
    """Follow the regularized leader, for sparse linear models. See `kernels.update`.

    Args:
        learning_rate: step size.
        learning_rate_power: how fast steps shrink; at most 0.
        initial_accumulator_value: sum of g^2 at the start.
        l1_regularization_strength: at least 0.
        l2_regularization_strength: at least 0.
        l2_shrinkage_regularization_strength: at least 0; acts on the gradient.
        beta: as in the paper.
        kwargs: as for `Optimizer`.

    Raises:
        ValueError: for a strength, accumulator or power out of range.

    Source: McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013.
    """

    slots = (("accumulator", "linear"),)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        at_least_zero = {
            "initial_accumulator_value": initial_accumulator_value,
            "l1_regularization_strength": l1_regularization_strength,
            "l2_regularization_strength": l2_regularization_strength,
            "l2_shrinkage_regularization_strength": (
                l2_shrinkage_regularization_strength
            ),
        }
        for name, value in at_least_zero.items():
            if value < 0:
                raise ValueError(
                    f"Ftrl: `{name}` must be at least 0. Received: {name}={value}"
                )
        if learning_rate_power > 0:
            raise ValueError(
                "Ftrl: `learning_rate_power` must be at most 0. "
                f"Received: learning_rate_power={learning_rate_power}"
            )
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        for flat in self._slot_arrays["accumulator"]:
            flat[...] = self.initial_accumulator_value

    def update_flat(
        self,
        weights: np.ndarray,
        gradient: np.ndarray,
        slots: dict[str, np.ndarray],
        learning_rate: float,
        step: int,
    ) -> None:
        l2 = self.l2_regularization_strength + self.beta / (2 * learning_rate)
        update.ftrl(
            weights,
            gradient,
            slots["accumulator"],
            slots["linear"],
            learning_rate,
            self.learning_rate_power,
            (
                self.l1_regularization_strength,
                l2,
                self.l2_shrinkage_regularization_strength,
            ),
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "learning_rate_power": self.learning_rate_power,
            "initial_accumulator_value": self.initial_accumulator_value,
            "l1_regularization_strength": self.l1_regularization_strength,
            "l2_regularization_strength": self.l2_regularization_strength,
            "l2_shrinkage_regularization_strength": (
                self.l2_shrinkage_regularization_strength
            ),
            "beta": self.beta,
        }
