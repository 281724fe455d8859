"""The loss and metrics that `compile` was given, ready for batches."""

from typing import Any

from minikeras import losses, metrics
from minikeras.losses import Loss, LossFunctionWrapper
from minikeras.metrics import MeanMetricWrapper, Metric
from minikeras.registry import snake_case
from minikeras.variables import Variable

ACCURACIES = ("accuracy", "acc")
CROSSENTROPIES = ("crossentropy", "ce")


def kind_of_labels(y_true: Any, y_pred: Any) -> str:
    """`"binary"`, `"sparse"` or `"one_hot"`, judged by the shapes as Keras does."""
    if y_pred.shape[-1] == 1:
        return "binary"
    fewer_axes = y_true.ndim < y_pred.ndim
    return "sparse" if fewer_axes or y_true.shape[-1] == 1 else "one_hot"


def make_loss(identifier: Any, y_true: Any, y_pred: Any) -> Loss:
    """The loss object for what the user passed to `compile`."""
    if isinstance(identifier, str) and identifier.lower() in CROSSENTROPIES:
        loss = {
            "binary": losses.binary_crossentropy,
            "sparse": losses.sparse_categorical_crossentropy,
            "one_hot": losses.categorical_crossentropy,
        }[kind_of_labels(y_true, y_pred)]
    else:
        loss = losses.get(identifier)
    if isinstance(loss, Loss):
        return loss
    name = identifier if isinstance(identifier, str) else _name_of(loss)
    return LossFunctionWrapper(loss, name=name)


def make_metric(identifier: Any, y_true: Any, y_pred: Any) -> Metric:
    """The metric object for what the user passed to `compile`."""
    if isinstance(identifier, str) and identifier.lower() in ACCURACIES:
        cls: Any = {
            "binary": metrics.BinaryAccuracy,
            "sparse": metrics.SparseCategoricalAccuracy,
            "one_hot": metrics.CategoricalAccuracy,
        }[kind_of_labels(y_true, y_pred)]
        return cls(name=identifier)
    found = metrics.get(identifier)
    name = identifier if isinstance(identifier, str) else _name_of(found)
    if not isinstance(found, Metric):
        return MeanMetricWrapper(found, name=name)
    found.name = name
    return found


def check_identifiers(identifiers: Any, argument: str) -> list[Any]:
    """The metrics passed to `compile`, as a list; unknown names are refused now."""
    if identifiers is None:
        return []
    if isinstance(identifiers, dict) and len(identifiers) == 1:
        identifiers = list(identifiers.values())
    if not isinstance(identifiers, list | tuple):
        raise ValueError(
            f"compile: `{argument}` must be a list such as ['accuracy']. "
            f"Received: {argument}={identifiers!r}"
        )
    flat: list[Any] = []
    for item in identifiers:
        flat.extend(item if isinstance(item, list | tuple) else [item])
    for item in flat:
        if not (isinstance(item, str) and item.lower() in (*ACCURACIES,)):
            metrics.get(item)
        if item is None:
            raise ValueError(f"compile: `{argument}` contains None.")
    return flat


class CompiledMetrics(Metric):
    """The metrics of `compile` as one, whose result is a dictionary.

    They are made at the first batch, because some names mean one metric or another, as
    the shapes ask for. A `train_step` of a user's own goes through `model.metrics` and
    updates this one before that, as in Keras.
    """

    def __init__(self, plain: list[Any], weighted: list[Any]):
        super().__init__(name="compile_metrics")
        self._identifiers = (plain, weighted)
        self._plain: list[Metric] = []
        self._weighted: list[Metric] = []
        self.built = not (plain or weighted)
        # float32 would lose the last digits of the mean over a long epoch.
        self.loss = metrics.Mean(name="loss", dtype="float64")

    def build(self, y_true: Any, y_pred: Any) -> None:
        """Make the metrics that the shapes of a batch ask for."""
        if not self.built:
            plain, weighted = self._identifiers
            self._plain = [make_metric(m, y_true, y_pred) for m in plain]
            self._weighted = [make_metric(m, y_true, y_pred) for m in weighted]
            self.built = True

    @property
    def metrics(self) -> list[Metric]:
        """All metrics but the loss."""
        return [*self._plain, *self._weighted]

    @property
    def variables(self) -> list[Variable]:
        """The state of all metrics but the loss."""
        return [variable for metric in self.metrics for variable in metric.variables]

    @property
    def all(self) -> list[Metric]:
        """The loss's running mean, and this if `compile` was given any metrics."""
        return [self.loss, self] if any(self._identifiers) else [self.loss]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take a batch into the metrics; the weights are for the weighted ones."""
        if y_true is None:
            return
        self.build(y_true, y_pred)
        for metric in self._plain:
            metric.update_state(y_true, y_pred)
        for metric in self._weighted:
            metric.update_state(y_true, y_pred, sample_weight=sample_weight)

    def reset_state(self) -> None:
        for metric in self.metrics:
            metric.reset_state()

    def result(self) -> dict[str, Any]:
        """Name -> value, in the order of `compile`.

        As in Keras, a name that occurs again gets `_1`, `_2` ... at its end; the name
        of a weighted metric that occurs again gets `weighted_` in front.
        """
        found: dict[str, Any] = {}
        seen: dict[str, int] = {}
        for weighted, group in ((False, self._plain), (True, self._weighted)):
            for metric in group:
                name = metric.name
                if weighted and name in seen:
                    name = f"weighted_{name}"
                again = seen.get(name, 0)
                seen[name] = again + 1
                value = metric.result()
                if isinstance(value, dict):
                    found.update(value)
                else:
                    found[f"{name}_{again}" if again else name] = value
        return found


def _name_of(obj: Any) -> str:
    name = getattr(obj, "__name__", None) or type(obj).__name__
    return getattr(obj, "name", None) or snake_case(name)
