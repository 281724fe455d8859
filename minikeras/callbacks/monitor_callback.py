"""What callbacks share that watch one metric: is the new value better?"""

import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from minikeras.callbacks.callback import Callback, Logs


class MonitorCallback(Callback):
    """Base of callbacks that watch one value of the logs.

    Args:
        monitor: the name in the logs, such as `"val_loss"`.
        mode: `"min"` when lower is better, `"max"` when higher is, `"auto"` to know it
            by the metric. Anything else warns and counts as `"auto"`.
        min_delta: smallest change that counts as better; its sign is ignored.
    """

    def __init__(
        self, monitor: str = "val_loss", mode: str = "auto", min_delta: float = 0
    ) -> None:
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{type(self).__name__}: `mode` must be 'auto', 'min' or 'max'. "
                f"Received: mode={mode!r}. 'auto' is used instead",
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self._higher_is_better: bool | None = None

    def _monitored(self, logs: Logs) -> Any:
        """The watched value, or None after a warning.

        Raises:
            ValueError: `mode="auto"`, and the metric does not tell.
        """
        logs = logs or {}
        if self._higher_is_better is None:
            # Not before the first epoch ends: the metrics are made by then.
            self._higher_is_better = self._direction(logs)
        value = logs.get(self.monitor)
        if value is None:
            hint = ""
            if self.monitor.startswith("val_") and self.monitor[4:] in logs:
                hint = ". Give fit `validation_data` or `validation_split` to have it"
            warnings.warn(
                f"{type(self).__name__} watches the metric `{self.monitor}`, which is "
                f"not available. Available metrics: {', '.join(logs) or 'none'}{hint}",
                stacklevel=3,
            )
        return value

    def _better(self, value: Any, reference: Any) -> bool:
        """Whether `value`, from `_monitored`, beats `reference` by `min_delta`."""
        if reference is None:
            return True
        if self._higher_is_better:
            return bool(value - self.min_delta > reference)
        return bool(value + self.min_delta < reference)

    def _direction(self, logs: dict[str, Any]) -> bool:
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_")
        for metric in _leaves(getattr(self.model, "metrics", ())):
            direction = getattr(metric, "_direction", None)
            if metric.name == name and direction is not None:
                return direction == "up"
        if name == "loss":
            return False
        raise ValueError(
            f"{type(self).__name__}: it is not known whether a higher or a lower "
            f"`{name}` is better. Pass mode='max' or mode='min'. Received: "
            f"monitor={self.monitor!r}, mode='auto'. Available metrics: "
            f"{', '.join(logs) or 'none'}"
        )


def _leaves(metrics: Iterable[Any]) -> Iterator[Any]:
    for metric in metrics:
        inner = getattr(metric, "metrics", None)
        if inner is None:
            yield metric
        else:
            yield from _leaves(inner)
