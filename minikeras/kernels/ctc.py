"""Sums over all alignments of labels with time steps.

Arrays: T steps, B samples, S states in a row. A path is in one state at each step and
stays, goes one state on, or goes two on: the moves k = 0, 1, 2. `states` and `emit`
are (T, B, S), `weights` (3, T, B, S): that of the move k into a state at a step.
"""

import numpy as np

from minikeras.kernels import blocking

MOVES = 3


def alphas(emit: np.ndarray, start: np.ndarray, skip: np.ndarray) -> np.ndarray:
    """log of the total probability of all paths into each state at each step.

    y[t, s] = emit[t, s] + log(exp(y[t-1, s]) + exp(y[t-1, s-1])
                               + exp(y[t-1, s-2] + skip[s])), with y[-1] = start (B, S).
    """
    steps, samples, count = emit.shape
    y = np.empty_like(emit)
    before = np.full((samples, count + 2), -np.inf, emit.dtype)
    before[:, 2:] = start
    terms = np.empty((MOVES, samples, count), emit.dtype)
    top, total = np.empty_like(terms[0]), np.empty_like(terms[0])
    for t in range(steps):
        terms[0] = before[:, 2:]
        terms[1] = before[:, 1:-1]
        np.add(before[:, :-2], skip, out=terms[2])
        np.maximum(terms[0], terms[1], out=top)  # of three terms: no reduction
        np.maximum(top, terms[2], out=top)
        np.subtract(terms, top, out=terms)
        np.exp(terms, out=terms)
        np.add(terms[0], terms[1], out=total)
        total += terms[2]
        np.log(total, out=total)
        total += top
        np.add(total, emit[t], out=y[t])
        before[:, 2:] = y[t]
    return y


def forward(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """y[t, s] = x[t, s] + the sum over k of weights[k, t, s] y[t-1, s-k]."""
    y = x.copy()
    for t in range(1, len(y)):
        for k in range(MOVES):
            y[t, :, k:] += weights[k, t, :, k:] * y[t - 1, :, : _end(y, k)]
    return y


def backward(weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """y[t, s] = x[t, s] + the sum over k of weights[k, t+1, s+k] y[t+1, s+k]."""
    y = x.copy()
    for t in range(len(y) - 1, 0, -1):
        moved = weights[:, t] * y[t]
        for k in range(MOVES):
            y[t - 1, :, : _end(y, k)] += moved[k, :, k:]
    return y


def before(states: np.ndarray, start: np.ndarray, outside: float) -> np.ndarray:
    """y[k, t, s] = states[t-1, s-k], with `start` before the first step."""
    y = blocking.empty((MOVES, *states.shape), states.dtype)
    for k in range(MOVES):
        y[k, :, :, :k] = outside
        y[k, 0, :, k:] = start[:, : _end(states, k)]
        y[k, 1:, :, k:] = states[:-1, :, : _end(states, k)]
    return y


def log_before(states: np.ndarray, start: np.ndarray, skip: np.ndarray) -> np.ndarray:
    """The three terms of `alphas`, before they are added up."""
    y = before(states, start, -np.inf)
    y[-1] += skip
    return y


def behind(moved: np.ndarray) -> np.ndarray:
    """y[t, s] = the sum over k of moved[k, t+1, s+k]: the adjoint of `before`."""
    y = np.zeros(moved.shape[1:], moved.dtype)
    for k in range(MOVES):
        y[:-1, :, : _end(y, k)] += moved[k, 1:, :, k:]
    return y


def _end(states: np.ndarray, k: int) -> int:
    """How many states have one that is k further on."""
    return max(states.shape[-1] - k, 0)
