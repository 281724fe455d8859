"""What a model does with one batch: forward, loss, metrics, update."""

import inspect
from typing import Any

import numpy as np
from autograd.tracer import getval

from minikeras.kernels.session import quiet, single_threaded_blas
from minikeras.layers.layer import Layer
from minikeras.layers.structure import leaves
from minikeras.layers.weighted import INTERNAL, collect
from minikeras.metrics import Metric
from minikeras.ops.numpy import add, multiply, sum
from minikeras.training import data
from minikeras.training.compiled import CompiledMetrics, make_loss
from minikeras.training.interrupt import Shield
from minikeras.training.step import backpropagate
from minikeras.variables import ParameterVector, structure


class Learner(Layer):
    """A layer that can be trained a batch at a time.

    A subclass may define `compute_loss`, `compute_metrics`, `train_step`, `test_step`
    and `predict_step` anew; `fit`, `evaluate` and `predict` go through them.
    """

    optimizer: Any = None
    loss: Any = None
    supports_masking = True
    _makes_masks = False
    _loss_takes_training = True
    _forwards = 0
    _complete = False
    _compiled_metrics: CompiledMetrics | None = None
    _loss_object: Any = None
    _loss_weight: float | None = None
    _parameters: ParameterVector | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        parameters = inspect.signature(cls.compute_loss).parameters
        cls._loss_takes_training = "training" in parameters or any(
            parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()
        )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """None: masks pass from layer to layer inside the model."""
        return None

    # --- loss and metrics -------------------------------------------------------

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The loss of a batch: the compiled loss, and what layers added.

        Raises:
            ValueError: if there is nothing to compute it from.
        """
        total = None
        if self.loss is not None:
            if y is None:
                raise ValueError(
                    "The targets `y` are missing: the model was compiled with a loss, "
                    "which compares them with the outputs."
                )
            if self._loss_object is None:
                self._loss_object = make_loss(self.loss, y, y_pred)
            total = self._loss_object(y, y_pred, sample_weight=sample_weight)
            if getattr(getval(total), "shape", ()) != ():
                total = sum(total)
            if self._loss_weight is not None:
                total = multiply(total, self._loss_weight)
        for extra in self.losses:
            total = extra if total is None else add(total, extra)
        if total is None:
            raise ValueError(
                "There is no loss to minimise. Pass `loss` to `compile`, for example "
                "loss='mse', or call `add_loss` in a layer."
            )
        return total

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Take a batch into the metrics of `compile`; return all metrics' values."""
        if self._compiled_metrics is not None:
            self._compiled_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    @property
    def metrics(self) -> list[Any]:
        """The loss's running mean, the metrics of `compile` as one, and those that the
        model or a layer of it holds in an attribute."""
        compiled = self._compiled_metrics
        known = [] if compiled is None else compiled.all
        inner = [] if compiled is None else compiled.metrics
        found = {id(metric): metric for metric in (*known, *inner)}
        found.update((id(metric), metric) for metric in self._held_metrics())
        for metric in inner:
            del found[id(metric)]
        return list(found.values())

    def _held_metrics(self) -> list[Metric]:
        """Metrics in attributes, looked for again when `plan` is."""
        version, held = self.__dict__.get("_metrics_held", (None, []))
        if version is not structure.version:
            version = structure.version
            found: dict[int, Metric] = {}
            for layer in self.plan().layers:
                for key, value in layer.__dict__.copy().items():
                    if key not in INTERNAL and not key.startswith("_compile"):
                        collect(value, Metric, found)
            held = list(found.values())
            object.__setattr__(self, "_metrics_held", (version, held))
        return held

    @property
    def metrics_names(self) -> list[str]:
        """Names of `metrics`, with those of `compile` one by one."""
        names: list[str] = []
        for metric in self.metrics:
            inner = metric.metrics if isinstance(metric, CompiledMetrics) else [metric]
            names += [one.name for one in inner]
        return names

    def reset_metrics(self) -> None:
        """Let all metrics begin anew."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """Name -> value of each of `metrics` now."""
        return _numbers({metric.name: metric.result() for metric in self.metrics})

    # --- steps ------------------------------------------------------------------

    def train_step(self, data_of_batch: Any) -> dict[str, Any]:
        """One update from one batch.

        Args:
            data_of_batch: x, (x, y) or (x, y, sample_weight), as `fit` was given them.

        Returns:
            What is shown and logged: name -> value.
        """
        self._step_results = None
        self._update(*data.unpack(data_of_batch), Shield())
        return self._batch_results()

    def test_step(self, data_of_batch: Any) -> dict[str, Any]:
        """Loss and metrics of one batch, without an update.

        Arguments and result as for `train_step`.
        """
        self._step_results = None
        self._measure(*data.unpack(data_of_batch))
        return self._batch_results()

    def predict_step(self, data_of_batch: Any) -> Any:
        """Outputs for one batch; the data as for `train_step`."""
        return self(data.unpack(data_of_batch)[0], training=False)

    def _update(self, x: Any, y: Any, weight: Any, shield: Shield) -> float:
        """One update; returns the loss. An error leaves the step undone."""
        self._build_for_data(x)
        parameters = self._trained_parameters()
        state = [(v, v.numpy()) for v in self.plan().fixed]

        def forward() -> tuple[Any, Any]:
            self._clear_losses()
            y_pred = self(x, training=True)
            loss = self._loss_of(x, y, y_pred, weight, training=True)
            return self.optimizer.scale_loss(loss), (loss, y_pred)

        done = False
        try:
            with single_threaded_blas.session, quiet:
                _, (loss, y_pred), found = backpropagate(
                    forward, parameters.variables, parameters.places()
                )
                gradients = parameters.collect(found)
                with shield:
                    self.optimizer.apply_flat(gradients)
                    done = True
                self._take_in(loss, x, y, y_pred, weight)
        finally:
            self._settle_losses()
            if not done:
                for variable, before in state:
                    variable.assign(before)
        return float(loss)

    def _measure(self, x: Any, y: Any, weight: Any) -> None:
        self._build_for_data(x)
        with single_threaded_blas.session, quiet:
            self._clear_losses()
            y_pred = self(x, training=False)
            loss = self._loss_of(x, y, y_pred, weight, training=False)
            self._take_in(getval(loss), x, y, y_pred, weight)

    def _loss_of(self, x: Any, y: Any, y_pred: Any, weight: Any, training: bool) -> Any:
        """`compute_loss`, as Keras calls it: one of a user's own may be without
        `training`, which older ones are."""
        if self._loss_takes_training:
            return self.compute_loss(x, y, y_pred, weight, training=training)
        return self.compute_loss(x, y, y_pred, weight)

    def _take_in(self, loss: Any, x: Any, y: Any, y_pred: Any, weight: Any) -> None:
        """Let the metrics know a batch."""
        if self._compiled_metrics is not None:
            count = len(next(leaves(x)))
            self._compiled_metrics.loss.add(float(loss) * count, count)
        if type(self).compute_metrics is not Learner.compute_metrics:
            found = self.compute_metrics(x, y, y_pred, weight)
            self._step_results = self._checked(found)
        elif self._compiled_metrics is not None:
            self._compiled_metrics.update_state(y, y_pred, weight)

    def _build_for_data(self, x: Any) -> None:
        if not self._complete:
            if not all(layer.built for layer in self._all_layers()):
                self(x, training=False)  # layers of a user's `call` are built by it
            self._complete = True

    def _trained_parameters(self) -> ParameterVector:
        """The flat vector of the weights to train, in step with the optimizer."""
        variables = self.plan().trainable
        if self._parameters is None or not self._parameters.is_current(variables):
            self._parameters = ParameterVector(variables)
        if self.optimizer._parameters is not self._parameters:
            self.optimizer.build_flat(self._parameters)
        return self._parameters

    # --- steps as fit, evaluate and predict take them ---------------------------

    def _run_train_step(self, batch: data.Batch, shield: Shield) -> Any:
        """A step, a user's own or ours; returns the loss if it is known."""
        if type(self).train_step is Learner.train_step:
            self._step_results = None
            return self._update(*batch, shield)
        with single_threaded_blas.session, quiet:
            self._step_results = self._checked(self.train_step(data.pack(*batch)))
        self._settle_losses()
        loss = _number(self._step_results.get("loss", 0.0))
        return loss if isinstance(loss, float) else 0.0

    def _run_test_step(self, batch: data.Batch) -> None:
        self._step_results = None
        if type(self).test_step is Learner.test_step:
            self._measure(*batch)
        else:
            with single_threaded_blas.session, quiet:
                self._step_results = self._checked(self.test_step(data.pack(*batch)))

    def _checked(self, results: Any) -> dict[str, Any]:
        if not isinstance(results, dict):
            raise TypeError(
                f"{self._owner()}: `train_step`, `test_step` and `compute_metrics` "
                "must return a dictionary of names and values, such as "
                f"{{'loss': loss}}. Received: {results!r}"
            )
        return results

    def _run_predict_step(self, x: Any) -> Any:
        own = type(self).predict_step is not Learner.predict_step
        with single_threaded_blas.session, quiet:
            y_pred = self.predict_step(x) if own else self(x, training=False)
        self._forwards += 1
        if self._forwards % 64 == 0:  # each time would cost more than a small network
            self._clear_losses()
        return y_pred

    _step_results: dict[str, Any] | None = None

    def _results(self) -> dict[str, Any]:
        """What the last step says of itself: the metrics, or what it returned."""
        found = self.get_metrics_result()
        own = self._step_results
        if own is None or set(own) == set(found):
            return found
        return _numbers(own)

    def _logs(self) -> dict[str, Any]:
        """Results in alphabetical order, as Keras gives them to callbacks."""
        return dict(sorted(self._results().items()))

    def _batch_results(self) -> dict[str, Any]:
        """The same after a batch: what a step of a user's own returned goes first."""
        own = self._step_results
        return self.get_metrics_result() if own is None else _numbers(own)

    def _batch_logs(self) -> dict[str, Any]:
        return dict(sorted(self._batch_results().items()))


def _numbers(results: dict[str, Any]) -> dict[str, Any]:
    """Results with those that are dictionaries themselves among the others."""
    found: dict[str, Any] = {}
    for name, value in results.items():
        found.update(_numbers(value) if isinstance(value, dict) else {name: value})
    return {name: _number(value) for name, value in found.items()}


def _number(value: Any) -> Any:
    array = np.asarray(getval(value))
    return float(array) if array.ndim == 0 else array
