"""Relatives of Adam."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras.kernels import update
from minikeras.optimizers.adaptive import Adam
from minikeras.optimizers.base import Optimizer, family
from minikeras.variables import Variable


@family.add()
class AdamW(Adam):
    """Adam with weight decay that does not pass through the moments.

    Args:
        learning_rate: step size.
        weight_decay: each step takes weight * weight_decay * learning_rate away.
        kwargs: as for `Adam`.

    Raises:
        ValueError: if `weight_decay` is None.

    Source: Loshchilov and Hutter, https://arxiv.org/abs/1711.05101
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ):
        if weight_decay is None:
            raise ValueError(
                "AdamW: `weight_decay` must be a number. Received: None. Without "
                "decay use Adam."
            )
        super().__init__(
            learning_rate,
            beta_1,
            beta_2,
            epsilon,
            amsgrad,
            weight_decay=weight_decay,
            **kwargs,
        )


class _TwoMoments(Optimizer):
    """Arguments that the relatives of Adam have in common."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
        }


@family.add()
class Adamax(_TwoMoments):
    """Adam with the largest gradient in place of the root mean square:

    m += (g - m)(1 - beta_1), u = max(beta_2 u, |g|), w -= lr m / (1 - beta_1^t) / u.

    Args:
        learning_rate: step size.
        beta_1: share of m that is kept at each step.
        beta_2: share of u that is kept at each step.
        epsilon: added to u.
        kwargs: as for `Optimizer`.

    Source: Kingma and Ba, https://arxiv.org/abs/1412.6980, section 7.1
    """

    slots = (("momentum", "norm"),)

    def update_flat(
        self,
        weights: np.ndarray,
        gradient: np.ndarray,
        slots: dict[str, np.ndarray],
        learning_rate: float,
        step: int,
    ) -> None:
        update.adamax(
            weights,
            gradient,
            slots["momentum"],
            slots["norm"],
            learning_rate / (1 - self.beta_1**step),
            self.beta_1,
            self.beta_2,
            self.epsilon,
            flush=step % update.FLUSH_EVERY == 0,
        )


@family.add()
class Nadam(_TwoMoments):
    """Adam with Nesterov momentum, whose share grows by the schedule

    u_t = beta_1 (1 - 0.96^t / 2).

    Args:
        learning_rate: step size.
        beta_1: share of the first moment that is kept at each step.
        beta_2: share of the second moment that is kept at each step.
        epsilon: keeps the division finite.
        kwargs: as for `Optimizer`.

    Source: Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016.
    """

    slots = (("momentum", "velocity"),)

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self._product = Variable(np.ones((), "float32"), "variable", trainable=False)
        self._keep(self._product, None, "product of shares")

    def _share(self, step: int) -> float:
        return self.beta_1 * (1 - 0.5 * 0.96**step)

    def _update(self, gradients: list[np.ndarray], skipped: Sequence[int]) -> None:
        self._product.assign(self._product.array * self._share(self._next_step()))
        super()._update(gradients, skipped)

    def update_flat(
        self,
        weights: np.ndarray,
        gradient: np.ndarray,
        slots: dict[str, np.ndarray],
        learning_rate: float,
        step: int,
    ) -> None:
        product = float(self._product)
        now, after = self._share(step), self._share(step + 1)
        update.nadam(
            weights,
            gradient,
            slots["momentum"],
            slots["velocity"],
            (after / (1 - product * after), (1 - now) / (1 - product)),
            1 - self.beta_2**step,
            (learning_rate, self.beta_1, self.beta_2, self.epsilon),
            flush=step % update.FLUSH_EVERY == 0,
        )


@family.add()
class Lion(Optimizer):
    """Steps of one size, in the direction of the sign of

    beta_1 m + (1 - beta_1) g; then m = beta_2 m + (1 - beta_2) g.

    Args:
        learning_rate: step size; three to ten times smaller than for Adam.
        beta_1: share of the moment in the direction, above 0 and at most 1.
        beta_2: share of the moment that is kept at each step.
        kwargs: as for `Optimizer`.

    Raises:
        ValueError: if `beta_1` is out of range.

    Source: Chen et al., https://arxiv.org/abs/2302.06675
    """

    slots = (("momentum",),)

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        if not 0 < beta_1 <= 1:
            raise ValueError(
                "Lion: `beta_1` must be above 0 and at most 1. "
                f"Received: beta_1={beta_1}"
            )
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def update_flat(
        self,
        weights: np.ndarray,
        gradient: np.ndarray,
        slots: dict[str, np.ndarray],
        learning_rate: float,
        step: int,
    ) -> None:
        update.lion(
            weights,
            gradient,
            slots["momentum"],
            learning_rate,
            self.beta_1,
            self.beta_2,
            flush=step % update.FLUSH_EVERY == 0,
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2}


@family.add()
class Lamb(_TwoMoments):
    """Adam whose step for each variable is as long as the variable:

    w -= lr |w| / |step| step, with step = m_hat / (sqrt(v_hat) + epsilon).

    Args:
        learning_rate: step size.
        beta_1: share of the first moment that is kept at each step.
        beta_2: share of the second moment that is kept at each step.
        epsilon: keeps the division finite.
        kwargs: as for `Optimizer`.

    Source: You et al., https://arxiv.org/abs/1904.00962
    """

    slots = (("momentum", "velocity"),)

    def update_step(
        self, gradient: np.ndarray, variable: Variable, learning_rate: Any
    ) -> None:
        step, kind = self._next_step(), gradient.dtype.type
        moment, square = (s.array for s in self._slots_of(variable))
        moment += (gradient - moment) * kind(1 - self.beta_1)
        square += (gradient * gradient - square) * kind(1 - self.beta_2)
        root = np.sqrt(square / kind(1 - self.beta_2**step)) + kind(self.epsilon)
        change = moment / kind(1 - self.beta_1**step) / root
        weights = variable.array
        length, reach = np.linalg.norm(weights), np.linalg.norm(change)
        ratio = length / reach if length > 0 and reach > 0 else 1.0
        weights -= change * kind(float(ratio) * float(learning_rate))

    def _slots_of(self, variable: Variable) -> list[Variable]:
        return [self._own[variable, name, 0] for name in ("momentum", "velocity")]
