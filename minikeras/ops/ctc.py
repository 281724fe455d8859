"""Connectionist temporal classification: labels without their places in time.

T steps, B samples, N labels, K classes, S = 2 N + 1 states: blank, label 1, blank ...
label N, blank. The derivative of the sum over all paths is a linear recursion over
time, and that of the recursion is one again, so any order works.
"""

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import def_linear, defjvp, defvjp

from minikeras.kernels import ctc as kernels
from minikeras.ops.base import Array, convert, float_array, getval, primitive
from minikeras.ops.gather import take_rows
from minikeras.ops.logarithms import logaddexp
from minikeras.ops.nn import log_softmax
from minikeras.ops.numpy import maximum, negative, reshape, where

LOG_ZERO = (
    -1e5
)  # as in Keras: a label that does not fit costs much, not infinitely much


@primitive
def _scan(weights, x, *, back):
    return (kernels.backward if back else kernels.forward)(weights, x)


@primitive
def _before(states):
    return kernels.before(states, np.zeros_like(states[0]), 0)


@primitive
def _behind(moved):
    return kernels.behind(moved)


def _scan_by_weights(ans, weights, x, back):
    def vjp(g):
        other = _scan(weights, g, back=not back)
        early, late = (other, ans) if back else (ans, other)
        return _before(early) * late

    return vjp


def _scan_along_weights(d, ans, weights, x, back):
    moved = _behind(d * ans) if back else anp.sum(d * _before(ans), axis=0)
    return _scan(weights, moved, back=back)


defvjp(
    _scan,
    _scan_by_weights,
    lambda ans, weights, x, back: lambda g: _scan(weights, g, back=not back),
)
defjvp(
    _scan,
    _scan_along_weights,
    lambda d, ans, weights, x, back: _scan(weights, d, back=back),
)
defvjp(_before, lambda ans, states: lambda g: _behind(g))
defvjp(_behind, lambda ans, moved: lambda g: _before(g))
def_linear(_before)
def_linear(_behind)


@primitive
def _log_before(states, *, start, skip):
    return kernels.log_before(states, start, skip)


defvjp(_log_before, lambda ans, states, start, skip: lambda g: _behind(g))
defjvp(_log_before, lambda d, ans, states, start, skip: _before(d))


@primitive
def _alphas(emit, *, start, skip):
    return kernels.alphas(emit, start, skip)


def _moves(ans, emit, start, skip):
    """The share of each move among the ways into each state."""
    return anp.exp(_log_before(ans, start=start, skip=skip) - (ans - emit))


defvjp(
    _alphas,
    lambda ans, emit, start, skip: (
        lambda g: _scan(_moves(ans, emit, start, skip), g, back=True)
    ),
)
defjvp(
    _alphas,
    lambda d, ans, emit, start, skip: _scan(
        _moves(ans, emit, start, skip), d, back=False
    ),
)


def ctc_loss(
    target: Any,
    output: Any,
    target_length: Any,
    output_length: Any,
    mask_index: int = 0,
) -> Array:
    """-log of the probability of the labels, summed over all their alignments.

    An alignment gives each step a label or a blank; repeated labels count once unless
    a blank is between them. Labels that do not fit into the steps cost about 1e5.

    Args:
        target: labels (B, N), integers; what is behind `target_length` is not used.
        output: logits (B, T, K).
        target_length: number of labels of each sample, (B,).
        output_length: number of steps of each sample, (B,), from 1 to T.
        mask_index: class of the blank.

    Output shape: (B,).

    Raises:
        ValueError: for other shapes, lengths or labels.

    Source: Graves et al., Connectionist Temporal Classification, 2006.

    >>> ctc_loss([[1]], np.zeros((1, 1, 2)), [1], [1]).round(3)
    array([0.693])
    """
    logits = float_array(output)
    labels, label_counts, step_counts = (
        np.asarray(getval(convert(x))).astype(np.int64)
        for x in (target, target_length, output_length)
    )
    _check(logits, labels, label_counts, step_counts, mask_index)
    samples, steps, classes = logits.shape
    inside = np.arange(labels.shape[1]) < label_counts[:, None]
    states = np.full((samples, 2 * labels.shape[1] + 1), mask_index)
    states[:, 1::2] = np.where(inside, labels, mask_index)
    start = np.full(states.shape, LOG_ZERO, logits.dtype)
    start[:, 0] = 0
    skip = np.full(states.shape, -np.inf, logits.dtype)
    repeated = labels[:, 1:] == labels[:, :-1]
    skip[:, 1:2] = 0
    skip[:, 3::2] = np.where(repeated, LOG_ZERO, 0)

    places = np.arange(samples)[:, None] * steps * classes + states
    places = places + np.arange(steps)[:, None, None] * classes
    emit = take_rows(reshape(log_softmax(logits), (-1,)), places)
    # A class whose logit is -inf must not make all paths nan.
    emit = maximum(emit, LOG_ZERO)
    scores = reshape(_alphas(emit, start=start, skip=skip), (-1,))
    last = (step_counts - 1) * samples + np.arange(samples)
    last = last * states.shape[1] + 2 * label_counts
    on_label = take_rows(scores, np.where(label_counts > 0, last - 1, last))
    on_label = where(label_counts > 0, on_label, -np.inf)
    return negative(logaddexp(take_rows(scores, last), on_label))


def _check(logits, labels, label_counts, step_counts, blank):
    if logits.ndim != 3:
        raise ValueError(
            "ctc_loss: `output` must be logits of shape (batch, steps, classes). "
            f"Received: shape {logits.shape}"
        )
    samples, steps, classes = logits.shape
    if labels.ndim != 2 or len(labels) != samples:
        raise ValueError(
            "ctc_loss: `target` must be labels of shape (batch, labels), with the "
            f"batch of `output`, {samples}. Received: shape {labels.shape}"
        )
    for name, counts, low, high in (
        ("target_length", label_counts, 0, labels.shape[1]),
        ("output_length", step_counts, 1, steps),
    ):
        if counts.shape != (samples,) or ((counts < low) | (counts > high)).any():
            raise ValueError(
                f"ctc_loss: `{name}` must be {samples} integers from {low} to {high}. "
                f"Received: {counts.tolist()}"
            )
    if not 0 <= blank < classes:
        raise ValueError(
            f"ctc_loss: `mask_index` must be from 0 to {classes - 1}, one of the "
            f"classes of `output`. Received: mask_index={blank!r}"
        )
    inside = np.arange(labels.shape[1]) < label_counts[:, None]
    used = labels[inside]
    wrong = used[(used < 0) | (used >= classes) | (used == blank)]
    if wrong.size:
        raise ValueError(
            f"ctc_loss: labels must be from 0 to {classes - 1}, one of the classes of "
            f"`output`, and not {blank}, which is the blank and may only fill the end "
            f"of a row. Received labels such as {wrong[0]}."
        )
