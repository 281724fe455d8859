"""The error function, its complement and its inverse, by rational approximations.

Computed in float64, in slices that stay in the cache, and rounded to the array's type.

Sources: W. J. Cody, Rational Chebyshev approximations for the error function,
Mathematics of Computation 23, 1969 (erf and erfc); M. J. Wichura, Algorithm AS 241,
Applied Statistics 37, 1988 (the inverse). Coefficients are the papers', highest power
first.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from minikeras.kernels import blocking

# erf(x) / x in x**2, for |x| <= 15/32
_NEAR = (
    *(1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2),
    *(3.77485237685302021e2, 3.20937758913846947e3),
)
_NEAR_BELOW = (
    *(1.0, 2.36012909523441209e1, 2.44024637934444173e2),
    *(1.28261652607737228e3, 2.84423683343917062e3),
)
# exp(x**2) erfc(x) in x, up to 4
_MIDDLE = (
    *(2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0),
    *(6.61191906371416295e1, 2.98635138197400131e2, 8.81952221241769090e2),
    *(1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3),
)
_MIDDLE_BELOW = (
    *(1.0, 1.57449261107098347e1, 1.17693950891312499e2),
    *(5.37181101862009858e2, 1.62138957456669019e3, 3.29079923573345963e3),
    *(4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)
# x**2 (1 / sqrt(pi) - x exp(x**2) erfc(x)) in 1 / x**2, beyond
_FAR = (
    *(1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1),
    *(1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
)
_FAR_BELOW = (
    *(1.0, 2.56852019228982242e0, 1.87295284992346725e0),
    *(5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3),
)

# Quantiles of the normal distribution: near the middle, in the tails, far in them
_CENTRE = (
    *(2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4),
    *(4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3),
    *(1.3314166789178437745e2, 3.3871328727963666080e0),
)
_CENTRE_BELOW = (
    *(5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4),
    *(2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2),
    *(4.2313330701600911252e1, 1.0),
)
_TAIL = (
    *(7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1),
    *(1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0),
    *(4.63033784615654529590e0, 1.42343711074968357734e0),
)
_TAIL_BELOW = (
    *(1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2),
    *(1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0),
    *(2.05319162663775882187e0, 1.0),
)
_FAR_TAIL = (
    *(2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3),
    *(2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0),
    *(5.46378491116411436990e0, 6.65790464350110377720e0),
)
_FAR_TAIL_BELOW = (
    *(2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5),
    *(7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1),
    *(5.99832206555887937690e-1, 1.0),
)


def _ratio(above: Sequence[float], below: Sequence[float], x: np.ndarray) -> np.ndarray:
    ratio = _polynomial(above, x)
    ratio /= _polynomial(below, x)
    return ratio


def _polynomial(coefficients: Sequence[float], x: np.ndarray) -> np.ndarray:
    y = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        y *= x
        y += coefficient
    return y


def _tail(x: np.ndarray) -> np.ndarray:
    """erfc(x) for x from 15/32 on."""
    y = np.empty_like(x)
    far = x > 4
    near = x[~far]
    y[~far] = _ratio(_MIDDLE, _MIDDLE_BELOW, near)
    beyond = x[far]
    square = 1 / (beyond * beyond)
    rest = square * _ratio(_FAR, _FAR_BELOW, square)
    y[far] = (1 / math.sqrt(math.pi) - rest) / beyond
    # exp(-x**2) in two steps, the first of an exact square
    rough = np.trunc(x * 16) / 16
    return y * np.exp(-rough * rough) * np.exp(-(x - rough) * (x + rough))


def _both(x: np.ndarray, complement: bool) -> np.ndarray:
    size = np.minimum(np.abs(x), 30.0)  # beyond 27 erfc rounds to 0
    near = size <= 15 / 32
    y = np.empty_like(x)
    inner = x[near]
    inner = inner * _ratio(_NEAR, _NEAR_BELOW, inner * inner)
    y[near] = 1 - inner if complement else inner
    outer, tail = x[~near], _tail(size[~near])
    if complement:
        y[~near] = np.where(outer > 0, tail, 2 - tail)
    else:
        y[~near] = np.copysign(1 - tail, outer)
    y[np.isnan(x)] = np.nan
    return y


def _inverse(y: np.ndarray) -> np.ndarray:
    size = np.abs(y)
    x = np.empty_like(y)
    central = size <= 0.85
    inner = y[central]
    x[central] = (
        inner / 2 * _ratio(_CENTRE, _CENTRE_BELOW, (0.7225 - inner * inner) / 4)
    )
    outer = size[~central]
    root = np.sqrt(-np.log((1 - outer) / 2))  # nan beyond 1
    root[outer == 1] = 0
    found = np.where(
        root <= 5,
        _ratio(_TAIL, _TAIL_BELOW, root - 1.6),
        _ratio(_FAR_TAIL, _FAR_TAIL_BELOW, root - 5),
    )
    found[outer == 1] = np.inf
    x[~central] = np.copysign(found, y[~central])
    return x * math.sqrt(0.5)


def _by_slices(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray):
    y = blocking.empty(x.shape, x.dtype)
    numbers, out = np.ascontiguousarray(x).reshape(-1), y.reshape(-1)

    def task(part: slice) -> None:
        out[part] = function(numbers[part].astype(np.float64))

    blocking.parallel(task, blocking.slices(x.size, 64, 80))
    return y


def erf(x: np.ndarray) -> np.ndarray:
    """2 / sqrt(pi) times the integral of exp(-t**2) from 0 to x."""
    return _by_slices(lambda part: _both(part, complement=False), x)


def erfc(x: np.ndarray) -> np.ndarray:
    """1 - erf(x), of full relative accuracy for large x too."""
    return _by_slices(lambda part: _both(part, complement=True), x)


def erfinv(y: np.ndarray) -> np.ndarray:
    """The x whose erf is y: infinite at -1 and 1, nan outside."""
    return _by_slices(_inverse, y)
