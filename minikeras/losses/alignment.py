"""The loss for sequences whose labels have no known place in time."""

from typing import Any

import numpy as np

from minikeras.losses.base import LossFunctionWrapper, family
from minikeras.ops.base import Array, convert, float_array, getval
from minikeras.ops.ctc import ctc_loss

BLANK = 0


@family.add()
def ctc(y_true: Any, y_pred: Any) -> Array:
    """-log of the probability of the labels, summed over all their alignments.

    An alignment gives each step a label or a blank; repeated labels count once unless
    a blank is between them. Labels that do not fit into the steps cost about 1e5.

    Args:
        y_true: labels (batch, labels), integers from 1; the rows of samples that have
            fewer are filled up with 0, the blank.
        y_pred: logits (batch, steps, classes); class 0 is the blank.

    Output shape: (batch,).

    Raises:
        ValueError: for other shapes, labels out of range, and a 0 between labels.

    Source: Graves et al., Connectionist Temporal Classification, 2006.

    >>> ctc(np.array([[1, 0]]), np.zeros((1, 2, 2))).round(4)
    array([0.2877])
    """
    labels, logits = np.asarray(getval(convert(y_true))), float_array(y_pred)
    if labels.ndim != 2 or logits.ndim != 3 or len(labels) != len(logits):
        raise ValueError(
            "ctc: y_true must be labels of shape (batch, labels) and y_pred logits of "
            f"shape (batch, steps, classes). Received: y_true of shape {labels.shape}, "
            f"y_pred of shape {logits.shape}"
        )
    label_counts = (labels != BLANK).sum(axis=-1)
    step_counts = np.full(len(logits), logits.shape[1])
    return ctc_loss(labels, logits, label_counts, step_counts, BLANK)


ctc.takes_labels = True  # type: ignore[attr-defined]


@family.add()
class CTC(LossFunctionWrapper):
    """`ctc`, weighed and reduced. Arguments as for `Loss`."""

    def __init__(self, reduction="sum_over_batch_size", name="ctc", dtype=None):
        super().__init__(ctc, reduction, name, dtype)
