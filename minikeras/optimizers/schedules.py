"""Learning rates that change with the number of updates."""

import math
from typing import Any

from minikeras.registry import (
    Family,
    deserialize_keras_object,
    serialize_keras_object,
)

family = Family("learning rate schedule", "keras.optimizers.schedules")


class LearningRateSchedule:
    """Base class of schedules: `__call__(step)` gives the learning rate.

    >>> class Halved(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 * 0.5 ** (step // 100)
    >>> Halved()(250)
    0.025
    """

    def __call__(self, step: Any) -> Any:
        """Learning rate after `step` updates."""
        raise NotImplementedError(f"{type(self).__name__} has no `__call__`.")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this schedule again, as plain values."""
        raise NotImplementedError(
            f"{type(self).__name__} has no `get_config`. Return the arguments of "
            "`__init__` from it."
        )

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A schedule from what `get_config` returned."""
        return cls(**config)


class _Decay(LearningRateSchedule):
    """A schedule with an initial rate and a length, whose config is its arguments."""

    steps_name = "decay_steps"

    def __init__(self, **arguments: Any):
        self._arguments = arguments
        for name, value in arguments.items():
            setattr(self, name, value)
        steps = arguments[self.steps_name]
        if not steps > 0:
            raise ValueError(
                f"{type(self).__name__}: `{self.steps_name}` must be above 0 steps. "
                f"Received: {self.steps_name}={steps!r}"
            )

    def get_config(self) -> dict[str, Any]:
        return dict(self._arguments)


@family.add()
class ExponentialDecay(_Decay):
    """initial_learning_rate * decay_rate ^ (step / decay_steps).

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: steps in which the rate is multiplied by `decay_rate` once.
        decay_rate: the factor.
        staircase: let it fall in stairs, at multiples of `decay_steps`.
        name: name in configs.

    Raises:
        ValueError: if `decay_steps` is not above 0.

    >>> ExponentialDecay(0.1, decay_steps=100, decay_rate=0.5)(200)
    0.025
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ):
        super().__init__(
            initial_learning_rate=initial_learning_rate,
            decay_steps=decay_steps,
            decay_rate=decay_rate,
            staircase=staircase,
            name=name,
        )

    def __call__(self, step: Any) -> float:
        a = self._arguments
        done = float(step) / a["decay_steps"]
        done = math.floor(done) if a["staircase"] else done
        return a["initial_learning_rate"] * a["decay_rate"] ** done


@family.add()
class InverseTimeDecay(_Decay):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps).

    Arguments and errors as for `ExponentialDecay`.

    >>> InverseTimeDecay(0.1, decay_steps=100, decay_rate=1.0)(100)
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ):
        super().__init__(
            initial_learning_rate=initial_learning_rate,
            decay_steps=decay_steps,
            decay_rate=decay_rate,
            staircase=staircase,
            name=name,
        )

    def __call__(self, step: Any) -> float:
        a = self._arguments
        done = float(step) / a["decay_steps"]
        done = math.floor(done) if a["staircase"] else done
        return a["initial_learning_rate"] / (1 + a["decay_rate"] * done)


@family.add()
class PolynomialDecay(_Decay):
    """From the initial to the end rate by (1 - step / decay_steps) ^ power.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: steps until the end rate.
        end_learning_rate: the rate from then on.
        power: 1 is a straight line.
        cycle: begin again after `decay_steps`, over 2, 3, ... times as many steps.
        name: name in configs.

    Raises:
        ValueError: if `decay_steps` is not above 0.

    >>> PolynomialDecay(0.1, decay_steps=100, end_learning_rate=0.0)(50)
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ):
        super().__init__(
            initial_learning_rate=initial_learning_rate,
            decay_steps=decay_steps,
            end_learning_rate=end_learning_rate,
            power=power,
            cycle=cycle,
            name=name,
        )

    def __call__(self, step: Any) -> float:
        a = self._arguments
        step, steps = float(step), float(a["decay_steps"])
        if a["cycle"]:
            steps *= max(1, math.ceil(step / steps))
        else:
            step = min(step, steps)
        range_ = a["initial_learning_rate"] - a["end_learning_rate"]
        return range_ * (1 - step / steps) ** a["power"] + a["end_learning_rate"]


@family.add()
class PiecewiseConstantDecay(LearningRateSchedule):
    """values[0] up to boundaries[0] steps, then values[1] up to boundaries[1], ...

    Args:
        boundaries: steps at which the rate changes, rising.
        values: one rate more than there are boundaries.
        name: name in configs.

    Raises:
        ValueError: if their numbers do not fit.

    >>> PiecewiseConstantDecay([100], [0.1, 0.01])(101)
    0.01
    """

    def __init__(self, boundaries: Any, values: Any, name: str = "PiecewiseConstant"):
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "PiecewiseConstantDecay: there must be one value more than boundaries. "
                f"Received: {len(boundaries)} boundaries, {len(values)} values"
            )
        self.boundaries = list(boundaries)
        self.values = list(values)
        self.name = name

    def __call__(self, step: Any) -> float:
        passed = sum(float(step) > boundary for boundary in self.boundaries)
        return self.values[passed]

    def get_config(self) -> dict[str, Any]:
        return {
            "boundaries": self.boundaries,
            "values": self.values,
            "name": self.name,
        }


@family.add()
class CosineDecay(_Decay):
    """Half a cosine wave from the initial rate down to alpha times it, after an
    optional straight rise to `warmup_target`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: steps of the fall.
        alpha: share of the rate that is left at the end.
        name: name in configs.
        warmup_target: rate to rise to first; None for no rise.
        warmup_steps: steps of the rise.

    Raises:
        ValueError: if `decay_steps` is not above 0.

    Source: Loshchilov and Hutter, https://arxiv.org/abs/1608.03983

    >>> CosineDecay(0.1, decay_steps=100)(50)
    0.05
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ):
        super().__init__(
            initial_learning_rate=initial_learning_rate,
            decay_steps=decay_steps,
            alpha=alpha,
            name=name,
            warmup_target=warmup_target,
            warmup_steps=warmup_steps,
        )

    def __call__(self, step: Any) -> float:
        a = self._arguments
        step, start = float(step), a["initial_learning_rate"]
        target, rise = a["warmup_target"], a["warmup_steps"]
        if target is not None:
            if step < rise:
                return (target - start) * step / rise + start
            step, start = step - rise, target
        return start * _cosine(min(step / a["decay_steps"], 1), a["alpha"])


@family.add()
class CosineDecayRestarts(_Decay):
    """Half cosine waves, each `t_mul` times as long and `m_mul` times as high as the
    one before it.

    Args:
        initial_learning_rate: the rate at step 0.
        first_decay_steps: steps of the first wave.
        t_mul: how much longer each wave is.
        m_mul: how much higher each wave is.
        alpha: share of the rate that is left at the end of a wave.
        name: name in configs.

    Raises:
        ValueError: if `first_decay_steps` is not above 0.

    Source: Loshchilov and Hutter, https://arxiv.org/abs/1608.03983

    >>> CosineDecayRestarts(0.1, first_decay_steps=100)(100)
    0.1
    """

    steps_name = "first_decay_steps"

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ):
        super().__init__(
            initial_learning_rate=initial_learning_rate,
            first_decay_steps=first_decay_steps,
            t_mul=t_mul,
            m_mul=m_mul,
            alpha=alpha,
            name=name,
        )

    def __call__(self, step: Any) -> float:
        a = self._arguments
        done, ratio = float(step) / a["first_decay_steps"], a["t_mul"]
        if ratio == 1:
            wave = math.floor(done)
            done -= wave
        else:
            wave = math.floor(math.log(1 - done * (1 - ratio), ratio))
            done = (done - (1 - ratio**wave) / (1 - ratio)) / ratio**wave
        height = a["initial_learning_rate"]
        cosine = 0.5 * a["m_mul"] ** wave * (1 + math.cos(math.pi * done))
        return height * ((1 - a["alpha"]) * cosine + a["alpha"])


def _cosine(done: float, alpha: float) -> float:
    return (1 - alpha) * 0.5 * (1 + math.cos(math.pi * done)) + alpha


def serialize(learning_rate_schedule: Any) -> Any:
    """The config of a schedule."""
    return serialize_keras_object(learning_rate_schedule)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """A schedule from its config."""
    return deserialize_keras_object(config, custom_objects, family)
