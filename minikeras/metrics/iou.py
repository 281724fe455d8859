"""Intersection over union: how well predicted regions cover the true ones."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from minikeras import config
from minikeras.metrics.base import Metric, family, plain
from minikeras.validation import positive_int


@family.add()
class IoU(Metric):
    """Mean over chosen classes of hits / (hits + false positives + misses).

    Classes that neither occur nor are predicted are left out of the mean.

    Args:
        num_classes: number of classes; labels outside 0..num_classes-1 are not counted.
        target_class_ids: the chosen classes.
        dtype: number type of the counts; int32 for None, which cuts weights to whole
            numbers.
        ignore_class: samples with this label are not counted.
        sparse_y_true: whether labels are integers; else the largest one counts.
        sparse_y_pred: whether predictions are integers; else the largest one counts.
        axis: axis of the classes where they are not integers.

    Raises:
        ValueError: if a class is outside 0..num_classes-1.

    >>> metric = IoU(num_classes=2, target_class_ids=[0])
    >>> round(float(metric([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    _direction = "up"

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        super().__init__(name=name, dtype=dtype or "int32")
        owner = type(self).__name__
        self.num_classes = positive_int(num_classes, "num_classes", owner)
        self.target_class_ids = [int(i) for i in target_class_ids]
        if not all(0 <= i < self.num_classes for i in self.target_class_ids):
            raise ValueError(
                f"{owner}: `target_class_ids` must lie in 0..{self.num_classes - 1}. "
                f"Received: target_class_ids={target_class_ids!r}"
            )
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        shape = (self.num_classes, self.num_classes)
        self.total_cm = self.add_variable(shape, name="total_confusion_matrix")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        true, pred = plain(y_true), plain(y_pred)
        if not self.sparse_y_true:
            true = true.argmax(self.axis)
        if not self.sparse_y_pred:
            pred = pred.argmax(self.axis)
        true = true.astype("int64").reshape(-1)
        pred = pred.astype("int64").reshape(-1)
        if true.size != pred.size:
            raise ValueError(
                f"{type(self).__name__}: y_true and y_pred must hold equally many "
                f"labels. Received: {true.size} and {pred.size}"
            )
        n = self.num_classes
        counted = (true >= 0) & (true < n) & (pred >= 0) & (pred < n)
        if self.ignore_class is not None:
            counted &= true != self.ignore_class
        cells = (true * n + pred)[counted]
        weight = self._weights(sample_weight, true.shape)
        if weight is not None:
            weight = weight[counted]
        matrix = np.bincount(cells, weight, n * n).reshape(n, n)
        self.total_cm.assign_add(matrix.astype(self.dtype))

    def _weights(self, sample_weight: Any, shape: tuple[int, ...]) -> Any:
        if sample_weight is None:
            return None
        given = plain(sample_weight)
        weight = given.astype(self.dtype)
        if self.dtype.startswith("int") and (weight != given).any():
            warnings.warn(
                f"{type(self).__name__}: sample weights are cut to whole numbers since "
                f'the counts are {self.dtype}. Pass dtype="float32" to keep them.',
                stacklevel=3,
            )
        if weight.ndim > 1:
            weight = weight.reshape(-1)
        return np.broadcast_to(weight, shape)

    def result(self) -> Any:
        matrix = self.total_cm.array
        chosen = self.target_class_ids
        hits = matrix.diagonal()
        union = (matrix.sum(0) + matrix.sum(1) - hits)[chosen].astype("float32")
        hits = hits[chosen].astype("float32")
        low = np.float32(config.epsilon())
        seen = union > 1e-9
        shares = np.where(seen, hits / (union + low), np.float32(0))
        return shares.sum() / (np.float32(seen.sum()) + low)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }

    def _config_without(self, *keys: str) -> dict[str, Any]:
        settings = IoU.get_config(self)
        return {key: value for key, value in settings.items() if key not in keys}


@family.add()
class BinaryIoU(IoU):
    """`IoU` of two classes, told apart by a threshold.

    Args:
        target_class_ids: `[0]`, `[1]` or both.
        threshold: predictions from it up are class 1.

    >>> metric = BinaryIoU(target_class_ids=[0, 1], threshold=0.3)
    >>> round(float(metric([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7])), 4)
    0.3333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: str | None = None,
    ):
        super().__init__(2, target_class_ids, name, dtype)
        self.threshold = threshold

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        above = plain(y_pred, "float32") >= np.float32(self.threshold)
        super().update_state(y_true, above, sample_weight)

    def get_config(self) -> dict[str, Any]:
        keys = ("num_classes", "ignore_class", "sparse_y_true", "sparse_y_pred", "axis")
        return {**self._config_without(*keys), "threshold": self.threshold}


@family.add()
class MeanIoU(IoU):
    """`IoU` of all classes. Arguments as for `IoU`.

    >>> round(float(MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1])), 4)
    0.3333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ):
        positive_int(num_classes, "num_classes", type(self).__name__)
        super().__init__(
            num_classes,
            range(num_classes),
            name,
            dtype,
            ignore_class,
            sparse_y_true,
            sparse_y_pred,
            axis,
        )

    def get_config(self) -> dict[str, Any]:
        return self._config_without("target_class_ids")


@family.add()
class OneHotIoU(IoU):
    """`IoU` of chosen classes for one-hot labels. Arguments as for `IoU`."""

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(
            num_classes,
            target_class_ids,
            name,
            dtype,
            ignore_class,
            False,
            sparse_y_pred,
            axis,
        )

    def get_config(self) -> dict[str, Any]:
        return self._config_without("sparse_y_true")


@family.add()
class OneHotMeanIoU(MeanIoU):
    """`IoU` of all classes for one-hot labels. Arguments as for `IoU`."""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ):
        super().__init__(
            num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis
        )

    def get_config(self) -> dict[str, Any]:
        return self._config_without("target_class_ids", "sparse_y_true")
