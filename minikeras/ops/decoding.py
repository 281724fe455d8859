"""Labels out of what a model with a CTC loss puts out."""

from typing import Any

import numpy as np

from minikeras.ops.base import Array, convert, float_array, isbox
from minikeras.ops.nn import log_softmax
from minikeras.ops.numpy import argmax, convert_to_numpy, max, negative, sum, where
from minikeras.validation import choice, positive_int, shape_text

STRATEGIES = ("greedy", "beam_search")
NOTHING = -1  # fills up rows behind the last label


def ctc_decode(
    inputs: Any,
    sequence_lengths: Any,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    mask_index: int = 0,
) -> tuple[np.ndarray, Array]:
    """The most probable labels of each sequence.

    Args:
        inputs: logits (B, T, K).
        sequence_lengths: number of steps of each sequence, (B,), from 1 to T.
        strategy: `"greedy"` takes the most probable class of each step and leaves out
            repetitions and blanks; `"beam_search"` adds up the ways to the same labels
            and keeps the best `beam_width` beginnings after each step.
        beam_width: how many beginnings are kept.
        top_paths: how many results are wanted of the beam search.
        merge_repeated: whether a class that is repeated without a blank between counts
            once. Only the greedy strategy can do without.
        mask_index: class of the blank.

    Returns:
        Labels, int32 (P, B, T), rows filled up with -1, where P is `top_paths`, and 1
        for the greedy strategy; and scores (B, P): minus the sum of the largest logits
        if greedy, else the logarithms of the probabilities.

    Raises:
        ValueError: for other shapes, lengths and strategies, numbers that are no
            positive integers, more paths than beginnings, a `mask_index` that is no
            class, and merge_repeated=False with the beam search.
        TypeError: for the beam search inside a gradient; the scores of the greedy
            strategy have one.

    Source: Graves and Jaitly, Towards End-to-End Speech Recognition with Recurrent
    Neural Networks, 2014 (the beam search).

    >>> ctc_decode([[[0.0, 9.0], [0.0, 9.0], [9.0, 0.0]]], [3])[0]
    array([[[ 1, -1, -1]]], dtype=int32)
    """
    strategy = choice(strategy, STRATEGIES, "strategy", "ctc_decode")
    width = positive_int(beam_width, "beam_width", "ctc_decode")
    paths = positive_int(top_paths, "top_paths", "ctc_decode")
    logits = float_array(inputs)
    logits = convert(logits, np.result_type(logits.dtype, np.float32))
    counts = convert_to_numpy(sequence_lengths)
    _check(logits, counts, mask_index)
    if strategy == "greedy":
        return _greedy(logits, counts, merge_repeated, mask_index)
    if not merge_repeated or paths > width:
        raise ValueError(
            "ctc_decode: the beam search always merges repeated classes, and has at "
            f"most `beam_width` paths. Received: merge_repeated={merge_repeated!r}, "
            f"top_paths={top_paths!r}, beam_width={beam_width!r}"
        )
    if isbox(logits):
        raise TypeError(
            "ctc_decode: the beam search has no derivative. Pass "
            "`ops.stop_gradient(inputs)`, or use the greedy strategy."
        )
    samples, steps, _ = logits.shape
    labels = np.full((paths, samples, steps), NOTHING, np.int32)
    scores = np.empty((samples, paths), logits.dtype)
    logarithms = log_softmax(logits)
    for n, count in enumerate(counts):
        labels[:, n], scores[n] = _beam_search(
            logarithms[n], int(count), width, paths, mask_index
        )
    return labels, scores


def _check(logits, counts, blank):
    if logits.ndim != 3:
        raise ValueError(
            "ctc_decode: `inputs` must be logits of shape (batch, steps, classes). "
            f"Received: shape {shape_text(logits.shape)}"
        )
    samples, steps, classes = logits.shape
    wrong = counts.dtype.kind not in "iu" or counts.shape != (samples,)
    if wrong or ((counts < 1) | (counts > steps)).any():
        raise ValueError(
            f"ctc_decode: `sequence_lengths` must be {samples} integers from 1 to "
            f"{steps}. Received: {counts.tolist()}"
        )
    if not 0 <= blank < classes:
        raise ValueError(
            f"ctc_decode: `mask_index` must be from 0 to {classes - 1}, one of the "
            f"classes of `inputs`. Received: mask_index={blank!r}"
        )


def _greedy(logits, counts, merge_repeated, blank):
    steps = logits.shape[1]
    inside = np.arange(steps) < counts[:, None]
    best = np.where(inside, argmax(logits, axis=-1), blank)
    kept = best != blank
    if merge_repeated:
        kept[:, 1:] &= best[:, 1:] != best[:, :-1]
    labels = np.where(kept, best, NOTHING).astype(np.int32)
    to_front = np.argsort(~kept, axis=-1, kind="stable")
    labels = np.take_along_axis(labels, to_front, axis=-1)
    largest = where(inside, max(logits, axis=-1), 0.0)
    return labels[None], negative(sum(largest, axis=1, keepdims=True))


def _beam_search(x, count, width, paths, blank):
    """The best paths of one sequence, (paths, T), and their logarithms.

    A beginning is a row of labels; `label` and `blanked` are the logarithms of the
    probability of all ways to it that end with its last label, and with a blank.
    Among equals, those come first whose labels are smaller.
    """
    steps, classes = x.shape
    none = x.dtype.type(-np.inf)
    rows = np.full((1, steps), NOTHING, np.int32)
    sizes, parents = np.zeros(1, int), np.full(1, -1)
    label, blanked = np.full(1, none), np.zeros(1, x.dtype)
    for step in range(count):
        size = len(rows)
        every = np.arange(size)
        last = np.where(sizes > 0, rows[every, sizes - 1], blank)
        total = np.logaddexp(label, blanked)
        # Each beginning with one more label; after the same label, only after a blank
        more = total[:, None] + x[step]
        more[every, last] = blanked + x[step, last]
        more[:, blank] = none
        stay_label = np.where(sizes > 0, label + x[step, last], none)
        stay_blank = total + x[step, blank]
        # A beginning that is another one with one more label: both are the same
        longer = np.flatnonzero(parents >= 0)
        parent, ending = parents[longer], last[longer]
        stay_label[longer] = np.logaddexp(stay_label[longer], more[parent, ending])
        more[parent, ending] = none

        number, ending = np.nonzero(more > none)
        rows = np.concatenate([rows, rows[number]])
        rows[np.arange(size, len(rows)), sizes[number]] = ending
        sizes = np.concatenate([sizes, sizes[number] + 1])
        label = np.concatenate([stay_label, more[number, ending]])
        blanked = np.concatenate([stay_blank, np.full(len(number), none)])
        best = _best(rows, np.logaddexp(label, blanked), width)
        rows, sizes = rows[best], sizes[best]
        label, blanked = label[best], blanked[best]
        parents = _parents(rows, sizes)
    scores = np.logaddexp(label, blanked)
    best = _best(rows, scores, paths)
    labels = np.full((paths, steps), NOTHING, np.int32)
    found = np.full(paths, none)
    labels[: len(best)], found[: len(best)] = rows[best], scores[best]
    return labels, found


def _best(rows, scores, count):
    """Numbers of the rows with the highest scores, from the highest down."""
    if len(scores) > count:
        limit = np.partition(scores, -count)[-count]
        candidates = np.flatnonzero(scores >= limit)
    else:
        candidates = np.arange(len(scores))
    # A row that goes on is before one that has ended: the end counts as the largest.
    labels = rows[candidates]
    labels = np.where(labels == NOTHING, np.iinfo(np.int32).max, labels)
    keys = [*labels.T[::-1], -scores[candidates]]
    return candidates[np.lexsort(keys)[:count]]


def _parents(rows, sizes):
    """For each row, the number of that which lacks its last label, or -1."""
    pairs = list(zip(rows, sizes, strict=True))
    numbers = {row[:size].tobytes(): n for n, (row, size) in enumerate(pairs)}
    found = (row[: size - 1].tobytes() if size else None for row, size in pairs)
    return np.array([numbers.get(key, -1) for key in found])
