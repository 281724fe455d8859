"""Optimizer updates: long flat arrays changed in place, a cache-sized piece at a time.

w parameters, g gradients; the slots are m (momentum or first moment) and v (second).
"""

from collections.abc import Callable

import numpy as np

from minikeras.kernels import blocking

PIECE = 1 << 15  # numbers in a piece: parameters, gradient, slots fit in the cache
SHARED_PIECE = 96 << 10  # of a piece that one of several threads takes
SHARED = 1 << 18  # numbers of an array that is worth several threads
TINY = 1e-30  # smaller moments are zero: denormals make an update ten times slower
FLUSH_EVERY = 32  # steps; 0.9^32 keeps a moment above 1e-32 until it is looked at

Change = Callable[[slice, np.ndarray], None]


def sgd(
    w: np.ndarray,
    g: np.ndarray,
    m: np.ndarray | None,
    learning_rate: float,
    momentum: float,
    nesterov: bool,
    flush: bool = False,
) -> None:
    """m = momentum m - lr g; w += m, or with Nesterov w += momentum m - lr g.

    Without momentum: w -= lr g.

    Args:
        flush: set moments too small to matter to zero before they become denormal.
    """

    @_for_each_piece_of(w)
    def change(part, work):
        np.multiply(g[part], learning_rate, out=work)
        if m is not None:
            moment = m[part]
            moment *= momentum
            moment -= work
            if flush:
                _flush(moment)
            if nesterov:
                w[part] -= work
                np.multiply(moment, momentum, out=work)
                w[part] += work
            else:
                w[part] += moment
        else:
            w[part] -= work


def adam(
    w: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    largest: np.ndarray | None,
    rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    flush: bool = False,
) -> None:
    """m += (g - m)(1 - beta_1); v += (g^2 - v)(1 - beta_2);
    w -= rate m / (sqrt(v) + epsilon).

    Args:
        largest: with AMSGrad, the largest v so far, used in place of v.
        rate: learning rate times sqrt(1 - beta_2^t) / (1 - beta_1^t).
        flush: as in `sgd`.
    """

    @_for_each_piece_of(w)
    def change(part, work):
        moment, square, grad = m[part], v[part], g[part]
        np.subtract(grad, moment, out=work)
        work *= 1 - beta_1
        moment += work
        np.multiply(grad, grad, out=work)
        work -= square
        work *= 1 - beta_2
        square += work
        if flush:
            _flush(moment, square)
        if largest is not None:
            np.maximum(largest[part], square, out=largest[part])
            square = largest[part]
        np.sqrt(square, out=work)
        work += epsilon
        np.divide(moment, work, out=work)
        work *= rate
        w[part] -= work


def rmsprop(
    w: np.ndarray,
    g: np.ndarray,
    v: np.ndarray,
    m: np.ndarray | None,
    mean: np.ndarray | None,
    learning_rate: float,
    rho: float,
    momentum: float,
    epsilon: float,
    flush: bool = False,
) -> None:
    """v = rho v + (1 - rho) g^2; step = lr g / sqrt(v + epsilon);
    m = momentum m + step; w -= m, or w -= step without momentum.

    Args:
        mean: with centring, the running mean of g, whose square is taken off v.
        flush: as in `sgd`.
    """

    @_for_each_piece_of(w)
    def change(part, work):
        square, grad = v[part], g[part]
        np.multiply(grad, grad, out=work)
        work *= 1 - rho
        square *= rho
        square += work
        if mean is not None:
            average = mean[part]
            np.multiply(grad, 1 - rho, out=work)
            average *= rho
            average += work
            np.multiply(average, average, out=work)
            np.subtract(square, work, out=work)
            work += epsilon
        else:
            np.add(square, epsilon, out=work)
        if flush:
            _flush(square, *(slot[part] for slot in (mean, m) if slot is not None))
        np.sqrt(work, out=work)
        np.divide(grad, work, out=work)
        work *= learning_rate
        if m is not None:
            moment = m[part]
            moment *= momentum
            moment += work
            w[part] -= moment
        else:
            w[part] -= work


def adadelta(
    w: np.ndarray,
    g: np.ndarray,
    v: np.ndarray,
    d: np.ndarray,
    learning_rate: float,
    rho: float,
    epsilon: float,
) -> None:
    """v = rho v + (1 - rho) g^2; step = g sqrt(d + epsilon) / sqrt(v + epsilon);
    d = rho d + (1 - rho) step^2; w -= lr step.
    """

    @_for_each_piece_of(w)
    def change(part, work):
        square, delta = v[part], d[part]
        np.multiply(g[part], g[part], out=work)
        work *= 1 - rho
        square *= rho
        square += work
        np.add(delta, epsilon, out=work)
        work /= square + square.dtype.type(epsilon)
        np.sqrt(work, out=work)
        work *= g[part]
        delta *= rho
        delta += work * work * work.dtype.type(1 - rho)
        work *= learning_rate
        w[part] -= work


def adagrad(
    w: np.ndarray, g: np.ndarray, v: np.ndarray, learning_rate: float, epsilon: float
) -> None:
    """v += g^2; w -= lr g / sqrt(v + epsilon)."""

    @_for_each_piece_of(w)
    def change(part, work):
        np.multiply(g[part], g[part], out=work)
        v[part] += work
        np.add(v[part], epsilon, out=work)
        np.sqrt(work, out=work)
        np.divide(g[part], work, out=work)
        work *= learning_rate
        w[part] -= work


def adamax(
    w: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    u: np.ndarray,
    rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    flush: bool = False,
) -> None:
    """m += (g - m)(1 - beta_1); u = max(beta_2 u, |g|); w -= rate m / (u + epsilon).

    Args:
        rate: learning rate / (1 - beta_1^t).
    """

    @_for_each_piece_of(w)
    def change(part, work):
        moment, norm = m[part], u[part]
        np.subtract(g[part], moment, out=work)
        work *= 1 - beta_1
        moment += work
        np.abs(g[part], out=work)
        norm *= beta_2
        np.maximum(norm, work, out=norm)
        if flush:
            _flush(moment, norm)
        np.add(norm, epsilon, out=work)
        np.divide(moment, work, out=work)
        work *= rate
        w[part] -= work


def nadam(
    w: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    v: np.ndarray,
    shares: tuple[float, float],
    correction: float,
    rates: tuple[float, float, float, float],
    flush: bool = False,
) -> None:
    """m and v as in `adam`; w -= lr (a m + b g) / (sqrt(v / c) + epsilon).

    Args:
        shares: a and b, the weights of moment and gradient in the step.
        correction: c = 1 - beta_2^t.
        rates: learning rate, beta_1, beta_2, epsilon.
    """
    learning_rate, beta_1, beta_2, epsilon = rates

    @_for_each_piece_of(w)
    def change(part, work):
        moment, square, grad = m[part], v[part], g[part]
        np.subtract(grad, moment, out=work)
        work *= 1 - beta_1
        moment += work
        np.multiply(grad, grad, out=work)
        work -= square
        work *= 1 - beta_2
        square += work
        if flush:
            _flush(moment, square)
        np.divide(square, correction, out=work)
        np.sqrt(work, out=work)
        work += epsilon
        step = moment * moment.dtype.type(shares[0])
        step += grad * grad.dtype.type(shares[1])
        step /= work
        step *= learning_rate
        w[part] -= step


def lion(
    w: np.ndarray,
    g: np.ndarray,
    m: np.ndarray,
    learning_rate: float,
    beta_1: float,
    beta_2: float,
    flush: bool = False,
) -> None:
    """w -= lr sign(beta_1 m + (1 - beta_1) g); m = beta_2 m + (1 - beta_2) g."""

    @_for_each_piece_of(w)
    def change(part, work):
        moment = m[part]
        np.multiply(moment, beta_1, out=work)
        work += g[part] * work.dtype.type(1 - beta_1)
        np.sign(work, out=work)
        work *= learning_rate
        w[part] -= work
        moment *= beta_2
        np.multiply(g[part], 1 - beta_2, out=work)
        moment += work
        if flush:
            _flush(moment)


def ftrl(
    w: np.ndarray,
    g: np.ndarray,
    n: np.ndarray,
    z: np.ndarray,
    learning_rate: float,
    power: float,
    strengths: tuple[float, float, float],
) -> None:
    """n' = n + g^2; z += g' - (n'^-power - n^-power) / lr w, with g' = g + 2 s w;
    w = (clip(z, -l1, l1) - z) / (n'^-power / lr + 2 l2); n = n'.

    Args:
        power: of the learning rate's decay, at most 0.
        strengths: l1, l2 and the shrinkage s.
    """
    l1, l2, shrinkage = strengths

    @_for_each_piece_of(w)
    def change(part, work):
        weights, grad, total, linear = w[part], g[part], n[part], z[part]
        before = total**-power
        np.multiply(grad, grad, out=work)
        total += work
        after = total**-power
        linear += grad + weights * weights.dtype.type(2 * shrinkage)
        np.subtract(after, before, out=work)
        work /= learning_rate
        work *= weights
        linear -= work
        after /= learning_rate
        after += 2 * l2
        np.clip(linear, -l1, l1, out=work)
        work -= linear
        np.divide(work, after, out=weights)


def _flush(*moments: np.ndarray) -> None:
    for moment in moments:
        moment[np.abs(moment) < TINY] = 0


def _for_each_piece_of(w: np.ndarray) -> Callable[[Change], None]:
    """Call the function below with each piece of w and a work array of its length.

    Pieces stay in the cache. Threads that take turns for the interpreter need longer
    ones, and arrays long enough for it (benchmarks/kernels.py, "adam").
    """

    def run(change: Change) -> None:
        if w.size < SHARED:
            work = blocking.scratch((min(PIECE, w.size),), w.dtype)
            for part in blocking.cut(w.size, PIECE):
                change(part, work[: part.stop - part.start])
            return

        def task(part: slice) -> None:
            change(part, blocking.scratch((part.stop - part.start,), w.dtype))

        number = 2 * -(-w.size // (2 * SHARED_PIECE))
        line = blocking.LINE // w.itemsize
        length = -(-w.size // (number * line)) * line
        blocking.parallel(task, blocking.cut(w.size, length))

    return run
