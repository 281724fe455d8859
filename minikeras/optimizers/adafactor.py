"""Adafactor: second moments kept as rows and columns."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras.optimizers.base import Optimizer, family
from minikeras.optimizers.schedules import LearningRateSchedule
from minikeras.variables import Variable


@family.add()
class Adafactor(Optimizer):
    """Second moments of matrices are kept as means of rows r and columns c:

    v = r c / mean(r), u = g / sqrt(v), w -= alpha u / max(1, rms(u) / clip_threshold).

    Args:
        learning_rate: upper limit of the step size.
        beta_2_decay: moments keep 1 - t^beta_2_decay at step t.
        epsilon_1: added to g^2.
        epsilon_2: least scale of a variable in its step size.
        clip_threshold: largest root mean square of a step.
        relative_step: let the step size fall as 1 / sqrt(t).
        kwargs: as for `Optimizer`.

    Source: Shazeer and Stern, https://arxiv.org/abs/1804.04235
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **kwargs: Any,
    ):
        super().__init__(learning_rate, **kwargs)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        for variable in variables:
            matrix = variable.ndim >= 2
            rows = variable.shape[:-1] if matrix else ()
            columns = (*variable.shape[:-2], variable.shape[-1]) if matrix else ()
            velocity = f"{variable.path.replace('/', '_')}_velocity"
            for key, shape, name in (
                ("r", rows, variable.name),
                ("c", columns, variable.name),
                ("velocity", variable.shape, velocity),
            ):
                zeros = np.zeros(shape, variable.dtype)
                self._keep(Variable(zeros, name, trainable=False), variable, key)

    def update_step(
        self, gradient: np.ndarray, variable: Variable, learning_rate: Any
    ) -> None:
        step, kind = self._next_step(), gradient.dtype.type
        rate = float(learning_rate)
        falling = 1 / np.sqrt(step)
        if self.relative_step and not isinstance(self._rate, LearningRateSchedule):
            rate = min(rate, falling)
        scale = max(self.epsilon_2, _rms(variable.array))
        kept = kind(1 - step**self.beta_2_decay)
        squares = gradient * gradient + kind(self.epsilon_1)
        second = self._own[variable, "velocity", 0].array
        if variable.ndim >= 2:
            rows = self._own[variable, "r", 0].array
            columns = self._own[variable, "c", 0].array
            rows[...] = kept * rows + (1 - kept) * squares.mean(axis=-1)
            columns[...] = kept * columns + (1 - kept) * squares.mean(axis=-2)
            share = rows / rows.mean(axis=-1, keepdims=True)
            second[...] = share[..., None] * columns[..., None, :]
        else:
            second[...] = kept * second + (1 - kept) * squares
        change = gradient / np.sqrt(second)
        limit = max(1.0, _rms(change) / self.clip_threshold)
        variable.array[...] -= change * kind(scale * min(rate, falling) / limit)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "beta_2_decay": self.beta_2_decay,
            "epsilon_1": self.epsilon_1,
            "epsilon_2": self.epsilon_2,
            "clip_threshold": self.clip_threshold,
            "relative_step": self.relative_step,
        }


def _rms(x: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(x))))
