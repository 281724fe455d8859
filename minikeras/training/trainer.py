"""compile, fit, evaluate, predict and their one-batch forms."""

import warnings
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from minikeras import optimizers
from minikeras.callbacks import CallbackList
from minikeras.callbacks.history import History
from minikeras.kernels.session import single_threaded_blas
from minikeras.registry import deserialize_keras_object, serialize_keras_object
from minikeras.training import data
from minikeras.training.compiled import (
    CROSSENTROPIES,
    CompiledMetrics,
    check_identifiers,
    make_loss,
)
from minikeras.training.interrupt import Shield
from minikeras.training.learner import Learner
from minikeras.training.progress import Progress


class Trainer(Learner):
    """A layer that learns: the half of a model that has `compile` and `fit`."""

    compiled = False
    stop_training = False
    steps_per_execution = 1
    history: History | None = None

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Choose the optimizer, the loss and the metrics.

        Args:
            optimizer: name or object.
            loss: name, object or function of (y_true, y_pred).
            loss_weights: a number that multiplies the loss.
            metrics: list of names, objects or functions. `"accuracy"` is binary,
                categorical or sparse, as the shapes of the first batch ask for.
            weighted_metrics: the same, with sample and class weights.
            run_eagerly: accepted; every model runs eagerly.
            steps_per_execution: batches between two calls of batch callbacks.
            jit_compile: `"auto"` or False; there is nothing to compile.
            auto_scale_loss: accepted; it acts on mixed precision only.

        Raises:
            ValueError: for an unknown name; the nearest known ones are offered.
        """
        if jit_compile not in ("auto", False, None):
            raise ValueError(
                "compile: `jit_compile` must be 'auto' or False; minikeras runs on "
                f"NumPy and compiles nothing. Received: jit_compile={jit_compile!r}"
            )
        if not isinstance(steps_per_execution, int) or steps_per_execution < 1:
            raise ValueError(
                "compile: `steps_per_execution` must be a positive integer. "
                f"Received: {steps_per_execution!r}"
            )
        new_optimizer = optimizers.get(optimizer)
        if isinstance(loss, list | tuple) and len(loss) == 1:
            loss = loss[0]
        if isinstance(loss, list | tuple | dict) and "class_name" not in loss:
            raise ValueError(
                "compile: the model has one output, so `loss` must be one loss. "
                f"Received: {loss!r}"
            )
        if not (isinstance(loss, str) and loss.lower() in CROSSENTROPIES):
            make_loss(loss, None, None) if loss is not None else None
        plain = check_identifiers(metrics, "metrics")
        weighted = check_identifiers(weighted_metrics, "weighted_metrics")
        weight = _one_number(loss_weights)
        self.optimizer = new_optimizer
        self.loss = loss
        self.steps_per_execution = steps_per_execution
        self._loss_weight = weight
        self._loss_object = None
        self._compiled_metrics = CompiledMetrics(plain, weighted)
        self._compile_arguments = {
            "optimizer": new_optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
            "run_eagerly": run_eagerly,
            "steps_per_execution": steps_per_execution,
            "jit_compile": jit_compile,
        }
        self.stop_training = False
        self.compiled = True

    def get_compile_config(self) -> dict[str, Any] | None:
        """The arguments of `compile` as plain values, or None before it."""
        if not self.compiled:
            return None
        return {
            key: value if isinstance(value, str) else serialize_keras_object(value)
            for key, value in self._compile_arguments.items()
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Call `compile` with what `get_compile_config` returned."""
        self.compile(**{k: deserialize_keras_object(v) for k, v in config.items()})

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
    ) -> History:
        """Train for a number of epochs.

        Ctrl-C stops it with the weights of the last finished step.

        Args:
            x: inputs: an array, a list, or something that yields (x, y) or
                (x, y, sample_weight) batches.
            y: targets, unless `x` yields them.
            batch_size: samples in a step; 32 for None.
            epochs: number of the epoch to stop before, counted from 0.
            verbose: 0 silent, 1 or `"auto"` a bar per epoch, 2 a line per epoch.
            callbacks: a callback or a list of them.
            validation_split: share of the samples, from the end, to validate on.
            validation_data: (x, y) or (x, y, sample_weight) to validate on, or
                something that yields such batches.
            shuffle: whether to go through arrays in a new order in each epoch;
                `"batch"` keeps the samples of a batch together.
            class_weight: class -> weight of its samples in the loss.
            sample_weight: a weight for each sample in the loss.
            initial_epoch: number of the first epoch, to go on with a training.
            steps_per_epoch: batches in an epoch; all of them for None.
            validation_steps: batches to validate on; all of them for None.
            validation_batch_size: samples in a batch there; `batch_size` for None.
            validation_freq: epochs between validations, or a list of epochs from 1.

        Returns:
            The `History`: `.history` maps each name to its values, epoch by epoch.

        Raises:
            ValueError: before `compile`, or if the data does not fit.
        """
        self._require_compiled("fit")
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = data.split_off_validation(
                x, y, sample_weight, validation_split
            )
        source = data.batches(
            x, y, sample_weight, batch_size, shuffle, class_weight, steps_per_epoch
        )
        epochs_of = data.Epochs(source, steps_per_epoch)
        validation = None
        if validation_data is not None:
            vx, vy, vw = data.unpack(validation_data)
            size = None if data.is_dataset(vx) else validation_batch_size or batch_size
            validation = data.Epochs(
                data.batches(vx, vy, vw, size, steps=validation_steps),
                validation_steps,
            )
        _check_frequency(validation_freq)
        show = Progress(verbose, epochs, "fit")
        hooks = self._hooks(callbacks, verbose, epochs, epochs_of.steps, True)
        self.stop_training = False
        shield = Shield()
        logs: dict[str, float] = {}
        nan_reported = False
        every = self.steps_per_execution
        try:
            with shield.active():
                hooks.on_train_begin({})
                for epoch in range(initial_epoch, epochs):
                    self.reset_metrics()
                    hooks.on_epoch_begin(epoch, {})
                    show.begin_epoch(epoch, epochs_of.steps)
                    steps = 0
                    # Where nobody else's code runs between steps, BLAS is held to
                    # one thread but once (benchmarks/kernels.py, "held-blas").
                    ours = (
                        isinstance(source, data.ArrayBatches)
                        and not hooks.listens_to_train_batches
                    )
                    with single_threaded_blas.session if ours else nullcontext():
                        for batch in epochs_of.epoch():
                            if steps % every == 0:
                                hooks.on_train_batch_begin(steps, {})
                            with shield:
                                loss = self._run_train_step(batch, shield)
                            if loss != loss and not nan_reported:
                                nan_reported = True
                                _warn_of_nan(epoch, steps)
                            show.update(steps, self._batch_results)
                            steps += 1
                            if steps % every == 0:
                                hooks.on_train_batch_end(steps - 1, self._batch_logs)
                            if self.stop_training:
                                break
                    if not steps:
                        _no_data(epoch, is_first=epoch == initial_epoch)
                        break
                    if steps % every:
                        hooks.on_train_batch_end(_last(steps, every), self._batch_logs)
                    logs, shown = self._logs(), self._results()
                    if validation is not None and _is_due(epoch, validation_freq):
                        results = self._evaluate(validation, hooks, shield=shield)
                        logs.update({f"val_{k}": v for k, v in results.items()})
                        results = self._results()
                        shown.update({f"val_{k}": v for k, v in results.items()})
                    show.end_epoch(shown)
                    hooks.on_epoch_end(epoch, logs)
                    if self.stop_training or epochs_of.exhausted:
                        break
                if epochs > initial_epoch:
                    self.optimizer.finalize_variable_values(self.trainable_weights)
                hooks.on_train_end(logs)
        finally:
            shield.release()
            show.close()
        return hooks.history

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Loss and metrics on data, without training.

        Arguments as for `fit`; `steps` limits the number of batches.

        Returns:
            The loss, or a list of the loss and the metrics, or with `return_dict` a
            dictionary.

        Raises:
            ValueError: before `compile`, or if the data does not fit.
        """
        _refuse_unknown("evaluate", kwargs)
        self._require_compiled("evaluate")
        source = data.batches(x, y, sample_weight, batch_size, steps=steps)
        epochs_of = data.Epochs(source, steps)
        show = Progress(verbose, 1, "evaluate")
        hooks = self._hooks(callbacks, verbose, 1, epochs_of.steps)
        try:
            show.begin_epoch(0, epochs_of.steps)
            logs = self._evaluate(epochs_of, hooks, show=show)
            show.end_epoch(self._results)
        finally:
            show.close()
        return logs if return_dict else _flat(self._results())

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """Outputs for inputs, batch by batch.

        Arguments as for `fit`.

        Returns:
            The outputs of all samples in one array; if the model returns several
            arrays in a tuple, list or dictionary, an array for each of them.

        Raises:
            ValueError: if the data does not fit.
        """
        if verbose == 0 and callbacks is None and data.is_one_batch(x, batch_size):
            # One sample in a service: what follows takes longer than a small network
            # (benchmarks/compare.py, "predict of one sample").
            return _joined([self._run_predict_step(data.take(x, slice(None)))])
        source = data.batches(x, None, None, batch_size, steps=steps)
        epochs_of = data.Epochs(source, steps)
        show = Progress(verbose, 1, "predict")
        hooks = self._hooks(callbacks, verbose, 1, epochs_of.steps)
        every = self.steps_per_execution
        parts: list[Any] = []

        def outputs() -> dict[str, Any]:
            first = (len(parts) - 1) // every * every
            return {"outputs": _joined(parts[first:])}

        try:
            hooks.on_predict_begin({})
            show.begin_epoch(0, epochs_of.steps)
            for step, (inputs, _, _) in enumerate(epochs_of.epoch()):
                if step % every == 0:
                    hooks.on_predict_batch_begin(step, {})
                parts.append(self._run_predict_step(inputs))
                if len(parts) % every == 0:
                    hooks.on_predict_batch_end(step, outputs)
                show.update(step)
            if len(parts) % every:
                hooks.on_predict_batch_end(_last(len(parts), every), outputs)
            show.end_epoch()
            hooks.on_predict_end({})
        finally:
            show.close()
        if not parts:
            raise ValueError("predict: the data has no batches.")
        return _joined(parts)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch; metrics are those of this batch alone.

        Arguments, results and errors as for `evaluate`.
        """
        self._require_compiled("train_on_batch")
        batch = data.one_batch(x, y, sample_weight, class_weight)
        self.reset_metrics()
        shield = Shield()
        with shield.active(), shield:
            self._run_train_step(batch, shield)
        return self._batch_logs() if return_dict else _flat(self._batch_results())

    def test_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Loss and metrics on one batch alone.

        Arguments, results and errors as for `evaluate`.
        """
        self._require_compiled("test_on_batch")
        batch = data.one_batch(x, y, sample_weight, None)
        self.reset_metrics()
        self._run_test_step(batch)
        return self._batch_logs() if return_dict else _flat(self._batch_results())

    def predict_on_batch(self, x: Any) -> Any:
        """Outputs for one batch of inputs."""
        inputs = data.one_batch(x, None, None, None)[0]
        return _joined([self._run_predict_step(inputs)])

    def _evaluate(
        self,
        epochs_of: data.Epochs,
        hooks: CallbackList,
        show: Progress | None = None,
        shield: Shield | None = None,
    ) -> dict[str, Any]:
        every = self.steps_per_execution
        steps = 0
        hooks.on_test_begin({})
        self.reset_metrics()
        for batch in epochs_of.epoch():
            if steps % every == 0:
                hooks.on_test_batch_begin(steps, {})
            with shield or nullcontext():
                self._run_test_step(batch)
            steps += 1
            if steps % every == 0:
                hooks.on_test_batch_end(steps - 1, self._batch_logs)
            if show is not None:
                show.update(steps - 1, self._batch_results)
        if steps % every:
            hooks.on_test_batch_end(_last(steps, every), self._batch_logs)
        logs = self._logs()
        hooks.on_test_end(logs)
        return logs

    def _hooks(
        self,
        callbacks: Any,
        verbose: Any,
        epochs: int,
        steps: int | None,
        add_history: bool = False,
    ) -> Any:
        if isinstance(callbacks, CallbackList):
            return callbacks
        params = {"verbose": verbose, "epochs": epochs, "steps": steps}
        return CallbackList(callbacks, add_history=add_history, model=self, **params)

    def _require_compiled(self, method: str) -> None:
        if not self.compiled:
            raise ValueError(
                f"Call `compile` before `{method}`: it chooses the optimizer and the "
                "loss, for example model.compile('adam', 'mse')."
            )


def _one_number(loss_weights: Any) -> float | None:
    if isinstance(loss_weights, dict):
        loss_weights = list(loss_weights.values())
    if isinstance(loss_weights, list | tuple) and len(loss_weights) == 1:
        loss_weights = loss_weights[0]
    if loss_weights is None or isinstance(loss_weights, int | float):
        return loss_weights
    raise ValueError(
        "compile: the model has one output, so `loss_weights` must be one number. "
        f"Received: {loss_weights!r}"
    )


def _check_frequency(frequency: Any) -> None:
    whole = isinstance(frequency, int) and frequency > 0
    if not whole and not isinstance(frequency, list | tuple | set | range):
        raise ValueError(
            "fit: `validation_freq` must be a positive number of epochs, or a list of "
            f"epochs counted from 1. Received: validation_freq={frequency!r}"
        )


def _is_due(epoch: int, frequency: int | Sequence[int]) -> bool:
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


def _last(steps: int, every: int) -> int:
    """Number of the last batch of the last group, as if the group were full."""
    return -(-steps // every) * every - 1


def _joined(parts: list[Any]) -> Any:
    """The outputs of some batches as those of all their samples."""
    first = parts[0]
    if isinstance(first, dict):
        return {key: _joined([part[key] for part in parts]) for key in first}
    if isinstance(first, list | tuple):
        return type(first)(map(_joined, map(list, zip(*parts, strict=True))))
    return np.array(first) if len(parts) == 1 else np.concatenate(parts)


def _flat(results: dict[str, Any]) -> Any:
    values = list(results.values())
    return values[0] if len(values) == 1 else values


def _warn_of_nan(epoch: int, step: int) -> None:
    warnings.warn(
        f"The loss became NaN in epoch {epoch + 1}, batch {step + 1}. Common causes: "
        "a learning rate that is too high, NaN or very large numbers in the data, a "
        "logarithm or division in a custom loss. This is said once.",
        RuntimeWarning,
        stacklevel=3,
    )


def _no_data(epoch: int, is_first: bool) -> None:
    if is_first:
        raise ValueError("fit: the data has no batches.")
    warnings.warn(
        f"The data had no batches for epoch {epoch + 1}, so training stopped. A "
        "generator can be gone through once only: use steps_per_epoch, or an object "
        "that can be iterated again.",
        stacklevel=3,
    )


def _refuse_unknown(method: str, kwargs: dict[str, Any]) -> None:
    if kwargs:
        raise ValueError(f"{method}: unrecognized arguments: {', '.join(kwargs)}")
