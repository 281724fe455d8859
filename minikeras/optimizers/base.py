"""What all optimizers share: the flat parameters, clipping, decay, averages, counters.

The variables' arrays are views into one flat vector (`ParameterVector`), and so are
gradients and slots, so that an update is a few calls on long arrays. An optimizer of a
user's own may instead define `update_step(gradient, variable, learning_rate)`, which
is called for each variable, and `build(variables)`, which makes its state.
"""

import re
import warnings
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
from autograd.tracer import getval

from minikeras import config, initializers
from minikeras.ops.base import convert
from minikeras.ops.numpy import multiply
from minikeras.optimizers.schedules import LearningRateSchedule
from minikeras.registry import (
    Family,
    deserialize_keras_object,
    serialize_keras_object,
    snake_case,
)
from minikeras.variables import ParameterVector, Variable

family = Family("optimizer", "keras.optimizers")


class Optimizer:
    """Base class of optimizers.

    Args:
        learning_rate: step size; a number, a schedule, or a function of no argument.
        weight_decay: each step takes weight * weight_decay * learning_rate away.
        clipnorm: longest norm of each variable's gradient.
        clipvalue: largest magnitude of a number in a gradient.
        global_clipnorm: longest norm of all gradients together.
        use_ema: keep moving averages of the weights.
        ema_momentum: share of the old average kept at each step.
        ema_overwrite_frequency: steps after which averages replace the weights; None
            does so only at the end of training.
        loss_scale_factor: gradients are divided by it.
        gradient_accumulation_steps: steps whose gradients are averaged for an update.
        name: name in configs.

    Raises:
        ValueError: for settings out of range or that exclude each other.
    """

    # Names of one flat array each, zero at the start. `variables` lists the slots of a
    # group variable by variable, and one group after the other.
    slots: tuple[tuple[str, ...], ...] = ()

    def __init__(
        self,
        learning_rate: Any,
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
        cls = type(self).__name__
        if kwargs:
            raise ValueError(
                f"{cls}: unrecognized arguments: {', '.join(kwargs)}. The learning "
                "rate is `learning_rate`; decay is a schedule or `weight_decay`."
            )
        clips = {
            "clipnorm": clipnorm,
            "clipvalue": clipvalue,
            "global_clipnorm": global_clipnorm,
        }
        given = {key: value for key, value in clips.items() if value is not None}
        if len(given) > 1:
            raise ValueError(
                f"{cls}: only one of clipnorm, clipvalue and global_clipnorm can be "
                f"used. Received: {given}"
            )
        for key, value in given.items():
            if value <= 0:
                raise ValueError(f"{cls}: `{key}` must be above 0. Received: {value}")
        if use_ema and not 0 <= ema_momentum <= 1:
            raise ValueError(
                f"{cls}: `ema_momentum` must be from 0 to 1. Received: {ema_momentum}"
            )
        for key, steps in (
            ("gradient_accumulation_steps", gradient_accumulation_steps),
            ("ema_overwrite_frequency", ema_overwrite_frequency),
        ):
            least = 2 if key.startswith("gradient") else 1
            if steps is not None and (not isinstance(steps, int) or steps < least):
                raise ValueError(
                    f"{cls}: `{key}` must be a whole number of steps of at least "
                    f"{least}, or None. Received: {steps!r}"
                )
        self.name = name or config.unique_name(snake_case(cls))
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.built = False
        self._no_decay: set[Variable] = set()
        self._no_decay_names: list[str] = []
        self._iterations = Variable(np.zeros((), "int64"), "iteration", False)
        self._set_rate(learning_rate)
        self._parameters: ParameterVector | None = None
        self._places: dict[Variable, int] = {}  # place of each among them
        self._slot_arrays: dict[str, list[np.ndarray]] = {}
        self._own: dict[Hashable, Variable] = {}  # state by (variable, name)
        self._made_before_build: dict[Hashable, Variable] = {}
        self._resting: dict[Hashable, Variable] = {}  # state of frozen variables

    # --- learning rate and counters ---------------------------------------------

    def _set_rate(self, rate: Any) -> None:
        if isinstance(rate, dict):
            rate = deserialize_keras_object(rate)
        if not isinstance(rate, LearningRateSchedule) and not callable(rate):
            try:
                number = float(np.asarray(rate))
            except (TypeError, ValueError):
                number = -1.0
            if not np.isfinite(number) or number < 0:
                raise ValueError(
                    f"{type(self).__name__}: `learning_rate` must be a number of at "
                    f"least 0, or a schedule. Received: {rate!r}"
                )
            value = np.array(number, config.floatx())
            self._rate: Any = Variable(value, "learning_rate", trainable=False)
        else:
            self._rate = rate

    @property
    def learning_rate(self) -> Any:
        """The step size now. It can be set to a number or a schedule at any time."""
        if isinstance(self._rate, LearningRateSchedule):
            rate = self._rate(int(self._iterations.array))
            return np.dtype(config.floatx()).type(rate)
        if isinstance(self._rate, Variable):
            return self._rate
        return self._rate()

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(self._rate, LearningRateSchedule) and not isinstance(
            value, LearningRateSchedule
        ):
            raise TypeError(
                "This optimizer's learning rate follows a schedule, so it cannot be "
                "set to a number. Make the optimizer with a number to set it later."
            )
        if isinstance(self._rate, Variable) and not callable(value):
            self._rate.assign(np.asarray(value))
        else:
            self._set_rate(value)

    @property
    def iterations(self) -> Any:
        """Number of updates so far; steps that only accumulate are not counted."""
        if self.gradient_accumulation_steps:
            return self._iterations.array // self.gradient_accumulation_steps
        return self._iterations

    @property
    def variables(self) -> list[Variable]:
        """Iteration, learning rate, then the state in the order it was made."""
        found = [self._iterations, *self._own.values()]
        if isinstance(self._rate, Variable):
            found.insert(1, self._rate)
        for variable in found:
            variable.path = f"{self.name}/{variable.name}"
        return found

    # --- building ---------------------------------------------------------------

    def build(self, variables: Sequence[Variable]) -> None:
        """Move the variables into one flat vector and make slots for them.

        An optimizer of your own with state extends it: call `super().build(variables)`
        first, then `add_variable_from_reference` for each variable.
        """
        variables = list(variables)
        if self._parameters is None or not self._parameters.is_current(variables):
            self._parameters = ParameterVector(variables)
        if not self.built:
            self._made_before_build = dict(self._own)
        self._own = dict(self._made_before_build)
        self._places = {v: i for i, v in enumerate(variables)}
        self._slot_arrays = {}
        if self.use_ema:
            self._add_slots("average")
            for mine, flat in zip(
                self._slot_arrays["average"], self._parameters.flat, strict=True
            ):
                mine[...] = flat
        if self.gradient_accumulation_steps:
            self._add_slots("gradient_accumulator")
        for names in self.slots:
            self._add_slots(*names)
        self.built = True

    def build_flat(self, parameters: ParameterVector) -> None:
        """Build for variables that are in a flat vector already.

        State of variables that it was built for before is kept.

        Raises:
            ValueError: if it was built for other variables only.
        """
        variables = list(parameters.variables)
        before = {**self._resting, **(self._own if self.built else {})}
        if self._places and variables:
            if not any(v in self._places for v in variables):
                raise ValueError(
                    f"This {type(self).__name__} has trained other weights, and its "
                    "state belongs to them. Make a new optimizer for this model."
                )
            self._own, self.built = dict(self._made_before_build), False
        self._parameters = parameters
        self.build(variables)
        for key, variable in self._own.items():
            old = before.get(key)
            if old is not None and old is not variable and old.shape == variable.shape:
                variable.assign(old)
        self._resting = {k: v for k, v in before.items() if k not in self._own}

    def _add_slots(self, *names: str) -> None:
        parameters: Any = self._parameters
        self._slot_arrays |= {name: parameters.zeros() for name in names}
        views = [parameters.views_of(self._slot_arrays[name]) for name in names]
        for index, variable in enumerate(parameters.variables):
            for name, arrays in zip(names, views, strict=True):
                reference = variable.path.replace("/", "_")
                handle = Variable((), f"{reference}_{name}", trainable=False)
                handle._array = arrays[index]
                self._keep(handle, variable, name)

    def _keep(self, state: Variable, variable: Variable | None, name: str) -> Variable:
        key, again = (variable, name, 0), 0
        while key in self._own:
            again += 1
            key = (variable, name, again)
        self._own[key] = state
        return state

    def _get_variable_index(self, variable: Variable) -> int:
        """Place of a variable among those the optimizer was built with."""
        return self._places[variable]

    def add_variable(
        self,
        shape: Any,
        initializer: Any = "zeros",
        dtype: str | None = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Variable:
        """A variable of the optimizer's state, for optimizers of your own."""
        kind = dtype or config.floatx()
        make = initializers.get(initializer) or initializers.Zeros()
        value = make(tuple(shape), dtype=kind)
        state = Variable(value, name or "variable", trainable=False, dtype=kind)
        return self._keep(state, None, state.name)

    def add_variable_from_reference(
        self,
        reference_variable: Variable,
        name: str | None = None,
        initializer: Any = "zeros",
    ) -> Variable:
        """A variable of the shape and type of another."""
        kind, name = reference_variable.dtype, name or "var"
        make = initializers.get(initializer) or initializers.Zeros()
        value = make(reference_variable.shape, dtype=kind)
        reference = reference_variable.path.replace("/", "_")
        state = Variable(value, f"{reference}_{name}", trainable=False, dtype=kind)
        return self._keep(state, reference_variable, name)

    def add_optimizer_variables(
        self,
        trainable_variables: Sequence[Variable],
        name: str | Sequence[str],
        initializer: Any = "zeros",
    ) -> Any:
        """A variable of state for each variable; for several names, a list for each."""
        names = [name] if isinstance(name, str) else list(name)
        makers = (
            initializer
            if isinstance(initializer, list | tuple)
            else [initializer] * len(names)
        )
        lists: list[list[Variable]] = [[] for _ in names]
        for variable in trainable_variables:
            for found, one, make in zip(lists, names, makers, strict=True):
                found.append(self.add_variable_from_reference(variable, one, make))
        return lists[0] if isinstance(name, str) else lists

    # --- updates ----------------------------------------------------------------

    def update_flat(
        self,
        weights: np.ndarray,
        gradient: np.ndarray,
        slots: dict[str, np.ndarray],
        learning_rate: float,
        step: int,
    ) -> None:
        """Change one flat array of weights in place. Every optimizer of ours has it.

        Args:
            slots: the flat array of each name in `slots`.
            step: number of this update, from 1.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define `update_step(gradient, variable, "
            "learning_rate)`."
        )

    def update_step(
        self, gradient: np.ndarray, variable: Variable, learning_rate: Any
    ) -> None:
        """Change one variable. Optimizers of a user's own define it."""
        index = self._get_variable_index(variable)
        parameters: Any = self._parameters
        slots = {
            name: parameters.views_of(arrays)[index].reshape(-1)
            for name, arrays in self._slot_arrays.items()
        }
        flat = np.array(getval(convert(gradient)), variable.dtype).reshape(-1)
        weights = variable.array.reshape(-1)
        self.update_flat(weights, flat, slots, float(learning_rate), self._next_step())

    def _next_step(self) -> int:
        """Number of the update that comes next, from 1."""
        steps = self.gradient_accumulation_steps or 1
        return int(self._iterations.array) // steps + 1

    def scale_loss(self, loss: Any) -> Any:
        """The loss times `loss_scale_factor`, by which `apply` divides gradients."""
        if self.loss_scale_factor is None:
            return loss
        return multiply(loss, self.loss_scale_factor)

    def assign(self, variable: Variable, value: Any) -> None:
        """Set a variable."""
        variable.assign(value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to a variable."""
        variable.assign_add(value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from a variable."""
        variable.assign_sub(value)

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Any:
        """One update from pairs of gradient and variable."""
        grads, variables = zip(*grads_and_vars, strict=True)
        self.apply(grads, variables)
        return self._iterations

    def apply(
        self,
        grads: Sequence[Any],
        trainable_variables: Sequence[Variable] | None = None,
    ) -> None:
        """One update.

        Args:
            grads: a gradient for each variable. One that is None leaves its variable
                as it is, with a warning.
            trainable_variables: the variables; those it was built with for None.

        Raises:
            ValueError: if it is not built, numbers or shapes do not match, a variable
                is not one it was built with, or all gradients are None.
        """
        grads = list(grads)
        if not grads:
            return
        if trainable_variables is not None:
            trainable_variables = list(trainable_variables)
            if not self.built:
                self.build(trainable_variables)
        if self._parameters is None:
            raise ValueError(
                f"{type(self).__name__} has not been built. Pass the variables too, or "
                "call `build(variables)` first."
            )
        known = self._parameters.variables
        if trainable_variables is None:
            trainable_variables = known
        if len(grads) != len(trainable_variables):
            raise ValueError(
                f"{type(self).__name__}.apply needs a gradient for each of the "
                f"{len(trainable_variables)} variables. Received: {len(grads)}"
            )
        if not self._parameters.is_current(known):
            self._parameters = ParameterVector(known)
        flat = self._parameters.zeros()
        views = self._parameters.views_of(flat)
        missing, given = [], set()
        for grad, variable in zip(grads, trainable_variables, strict=True):
            if variable not in self._places:
                raise ValueError(
                    f"{type(self).__name__} was not built with {variable}. Make a new "
                    "optimizer for another set of variables."
                )
            if grad is None:
                missing.append(variable.path)
                continue
            array = np.asarray(getval(convert(grad)))
            if array.shape != variable.shape:
                raise ValueError(
                    f"The gradient of {variable.path!r} must have the shape "
                    f"{variable.shape}. Received: {array.shape}"
                )
            place = self._places[variable]
            views[place][...] = array
            given.add(place)
        if not given:
            raise ValueError(
                f"{type(self).__name__}.apply: all gradients are None. Does the loss "
                "depend on the variables?"
            )
        if missing:
            warnings.warn(
                f"There is no gradient for {', '.join(missing)}: the loss does not "
                "depend on them. They stay as they are.",
                stacklevel=2,
            )
        self.apply_flat(flat, [i for i in range(len(known)) if i not in given])

    def apply_flat(
        self, gradients: list[np.ndarray], skipped: Sequence[int] = ()
    ) -> None:
        """One update from flat gradients, which are overwritten.

        Args:
            gradients: flat arrays, laid out as the parameters.
            skipped: places of variables to leave as they are, with their slots.
        """
        parameters = self._parameters
        if parameters is None:
            raise ValueError(f"{type(self).__name__} has not been built.")
        kept = [
            (views[place], views[place].copy())
            for arrays in (parameters.flat, *self._slot_arrays.values())
            for views in (parameters.views_of(arrays) if skipped else (),)
            for place in skipped
        ]
        if self.loss_scale_factor is not None:
            for flat in gradients:
                flat /= self.loss_scale_factor
        steps = self.gradient_accumulation_steps
        is_due = not steps or (int(self._iterations.array) + 1) % steps == 0
        if steps:
            stored = self._slot_arrays["gradient_accumulator"]
            for total, flat in zip(stored, gradients, strict=True):
                total += flat
            if is_due:
                for total, flat in zip(stored, gradients, strict=True):
                    np.divide(total, steps, out=flat)
                    total[...] = 0
        if is_due:
            self._clip(gradients)
            self._decay()
            self._update(gradients, skipped)
        for array, before in kept:
            array[...] = before
        if self.use_ema:
            self._average()
        for place, variable in enumerate(parameters.variables):
            if variable.constraint is not None and place not in skipped:
                variable.assign(variable.constraint(variable.array))
        self._iterations._array += 1

    def _update(self, gradients: list[np.ndarray], skipped: Sequence[int]) -> None:
        parameters: Any = self._parameters
        rate = float(np.asarray(self.learning_rate))
        if type(self).update_step is not Optimizer.update_step:
            views = parameters.views_of(gradients)
            pairs = zip(parameters.variables, views, strict=True)
            for place, (variable, grad) in enumerate(pairs):
                if place not in skipped:
                    self.update_step(grad, variable, grad.dtype.type(rate))
        else:
            step = self._next_step()
            for group, weights in enumerate(parameters.flat):
                slots = {n: a[group] for n, a in self._slot_arrays.items()}
                self.update_flat(weights, gradients[group], slots, rate, step)

    def _clip(self, gradients: list[np.ndarray]) -> None:
        if self.clipvalue is not None:
            for flat in gradients:
                np.clip(flat, -self.clipvalue, self.clipvalue, out=flat)
        elif self.clipnorm is not None and self._parameters is not None:
            for grad in self._parameters.views_of(gradients):
                norm = float(np.sqrt(np.sum(np.square(grad))))
                if norm > self.clipnorm:
                    grad *= grad.dtype.type(self.clipnorm / norm)
        elif self.global_clipnorm is not None:
            squares = [float(np.sum(np.square(flat))) for flat in gradients]
            norm = float(np.sqrt(np.sum(squares)))
            if norm > self.global_clipnorm:
                for flat in gradients:
                    flat *= flat.dtype.type(self.global_clipnorm / norm)

    def exclude_from_weight_decay(
        self,
        var_list: Iterable[Variable] | None = None,
        var_names: Iterable[str] | None = None,
    ) -> None:
        """Leave variables out of weight decay; these only, if called again.

        Args:
            var_list: handles.
            var_names: regular expressions, searched for in the variables' names, such
                as `["bias"]`.
        """
        self._no_decay = set(var_list or ())
        self._no_decay_names = list(var_names or ())

    def _decays(self, variable: Variable) -> bool:
        return variable not in self._no_decay and not any(
            re.search(name, variable.name) for name in self._no_decay_names
        )

    def _decay(self) -> None:
        if self.weight_decay is None or self._parameters is None:
            return
        share = float(np.asarray(self.learning_rate)) * self.weight_decay
        for variable in self._parameters.variables:
            if self._decays(variable):
                variable.array[...] -= variable.array * variable.array.dtype.type(share)

    def _average(self) -> None:
        parameters: Any = self._parameters
        step = self._next_step()
        kept = self.ema_momentum if step > 1 else 0.0  # the first value is the average
        every = self.ema_overwrite_frequency
        for average, flat in zip(
            self._slot_arrays["average"], parameters.flat, strict=True
        ):
            average *= kept
            average += flat * flat.dtype.type(1 - kept)
            if every and step % every == 0:
                flat[...] = average

    def finalize_variable_values(self, var_list: Any = None) -> None:
        """At the end of training: with `use_ema`, averages replace the weights."""
        if self.use_ema and self._parameters is not None:
            for average, flat in zip(
                self._slot_arrays["average"], self._parameters.flat, strict=True
            ):
                flat[...] = average

    # --- configs ----------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments that make this optimizer again, as plain values."""
        rate: Any = self._rate
        if isinstance(rate, Variable):
            rate = float(rate.array)
        else:
            rate = serialize_keras_object(rate)
        return {
            "name": self.name,
            "learning_rate": rate,
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """An optimizer from what `get_config` returned."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def get(identifier: Any) -> Any:
    """An optimizer from a name, config, class or instance.

    Raises:
        ValueError: if the name is unknown; the nearest known ones are offered.
        TypeError: if it is none of these.
    """
    found = family.get(identifier)
    if found is not None and not isinstance(found, Optimizer):
        raise TypeError(
            f"Expected an optimizer. Received: {found!r} of type {type(found).__name__}"
        )
    return found


serialize, deserialize = serialize_keras_object, deserialize_keras_object
