"""Write ops_numpy.json: what the array functions of real `keras.ops` answer.

Cases: `name`, `arguments`, `options`; and `results`, or `raises` where Keras refuses;
`gradients`, by each float32 array among the arguments, of the sum of all float results,
each number weighted as in `weights`; `kink`: the case has derivatives that numerical
ones do not agree with, or (`"values"`) only its values are of interest.

Arrays are {"<dtype>": nested lists} with NumPy's short names of dtypes (gradients, all
float32, are the lists alone), with their "shape" if they are empty, and {"same": name}
for those in `arrays`; lists, tuples and slices {"list": ...} and so on.

Run it with Keras and JAX installed: KERAS_BACKEND=jax python generate_ops_numpy.py
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np

NAN, INF = float("nan"), float("inf")


def f(*values):
    return np.array(values[0] if len(values) == 1 else values, "float32")


def i(*values):
    return np.array(values[0] if len(values) == 1 else values, "int32")


def b(*values):
    return np.array(values[0] if len(values) == 1 else values, "bool")


X = f([0.35, -1.25, 2.5], [1.75, -0.6, 0.1])
Y = f([1.5, 0.75, -2.25], [0.5, 3.0, -1.1])
UNIT = f([0.35, -0.25, 0.9], [-0.75, 0.6, 0.1])
ABOVE = f([1.35, 2.25, 1.9], [7.5, 1.6, 1.1])
CUBE = f(np.random.default_rng(0).permutation(12).reshape(2, 3, 2) * 0.5 - 2.6)
N23 = i([3, -2, 0], [7, 1, -5])
M23 = i([2, 3, -3], [5, 4, 2])
B23 = b([True, False, True], [False, False, True])
C23 = b([True, True, False], [False, True, True])
HOLES = f([0.35, NAN, 2.5], [1.75, -0.6, NAN], [NAN, NAN, NAN])
ODD = f(0.0, -0.0, 1.5, -2.5, INF, -INF, NAN, 0.5, 2.5)
SQUARE = f(np.arange(9).reshape(3, 3) * 0.7 - 2.2)
VECTOR = f(0.3, -1.2, 2.1, 0.8)
PAIR = f(1.5, -0.5)

CASES = []


def case(name, *arguments, kink=False, **options):
    CASES.append((name, arguments, options, kink))


def elementwise():
    everywhere = """
        angle arcsinh arctan cbrt ceil conj conjugate copy cos cosh deg2rad exp2 expm1
        fabs floor i0 imag isfinite isinf isnan isneginf isposinf isreal logical_not
        nan_to_num ndim rad2deg ravel real reciprocal round signbit sin sinc sinh
        size tan trunc nonzero count_nonzero array empty_like
    """.split()
    for name in everywhere:
        arrays = (X, N23 * (N23 != 0) + (N23 == 0), B23 | True, f(0.7))
        for x in arrays:
            case(name, x, kink=name == "round")
    for name in ("arccos", "arcsin", "arctanh"):
        case(name, UNIT)
        case(name, i(0))
    for name in ("arccosh", "log2", "log10"):
        case(name, ABOVE)
        case(name, i(1, 3))
    for name in "isfinite isinf isnan isneginf isposinf signbit".split():
        case(name, ODD)
    for name in "ceil floor trunc round logical_not copy sinc".split():
        case(name, ODD[:4], kink=True)
    for name in ("angle", "fabs"):
        case(name, ODD[:6], kink="values")
    case("i0", f(0.0, -1.0, 5.0, 30.0, 80.0))
    case("sinc", f(0.0, 1e-3, 0.5, -1.0, 4.25))
    case("nan_to_num", ODD, kink=True)
    case("nan_to_num", ODD, nan=1.0, posinf=9.0, neginf=-9.0, kink=True)
    case("round", X, 1, kink=True)
    case("round", f(123.0, -155.0), -1, kink=True)
    case("round", i(15, -25, 151), -1)
    case("view", X, "int32")
    case("view", X)
    case("view", i(1, 2), dtype="uint8")
    case("array", X, dtype="int32")
    case("array", [1.0, 2.5])
    pairs = """
        arctan2 divide_no_nan equal floor_divide fmax fmin fmod greater greater_equal
        heaviside hypot isclose less less_equal logaddexp2 logical_and logical_or
        logical_xor mod nextafter not_equal true_divide allclose isin
    """.split()
    for name in pairs:
        for x, y in ((X, Y), (X, Y[0]), (N23, M23), (X, M23), (B23, C23)):
            whole = name in ("floor_divide", "fmod", "mod") and y is C23
            case(name, x, y | True if whole else y)  # 1 // 0 is not defined
        case(name, X, 2.0)
        case(name, N23, 2)
        case(name, N23, 0.5)
        case(name, B23, 2)
    case("equal", X, X)
    case("isclose", f(1.0, NAN, INF), f(1.000001, NAN, INF))
    case("isclose", f(1.0, NAN), f(1.1, NAN), rtol=0.2, equal_nan=True)
    case("allclose", X, X + 1e-7)
    case("fmax", f(1.0, NAN, NAN, 2.0), f(NAN, 1.0, NAN, 2.0), kink=True)
    case("fmin", f(1.0, NAN, NAN, 2.0), f(NAN, 1.0, NAN, 2.0), kink=True)
    case("hypot", f(0.0, 3e20, 0.0), f(0.0, 4e20, 2.0), kink="values")
    case("heaviside", f(0.0, -1.0, 0.0), f(0.5, 2.0, 0.25), kink=True)
    case("divide_no_nan", X, f(0.0, 2.0, 0.0), kink=True)
    case("logaddexp2", f(-INF, 200.0, -INF), f(1.0, 199.0, 3.0), kink=True)
    case("isin", N23, [1, 3])
    case("isin", N23, [1, 3], invert=True)
    case("ldexp", X, i(1, -2, 3))
    case("ldexp", N23, i(1, 2, 3))
    case("ldexp", X, X)
    for name in ("gcd", "lcm"):
        case(name, N23, M23)
        case(name, i(12, 18), 8)
    for name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
        case(name, N23, M23)
        case(name, B23, C23)
        case(name, N23, 3)
        case(name, X, Y)
    for name in ("bitwise_invert", "bitwise_not"):
        case(name, N23)
        case(name, B23)
    for side in ("left", "right"):
        for name in (f"{side}_shift", f"bitwise_{side}_shift"):
            case(name, N23, i(1, 2, 0))
            case(name, N23, 2)
    case("select", [X > 0, X < -1], [X, Y], 5.0)
    case("select", [B23, C23], [N23, M23])
    case("select", [B23[0]], [X], default=Y)
    case("select", [], [])


def over_axes():
    for name in ("all", "any", "count_nonzero"):
        for x in (B23, N23, X):
            case(name, x)
            case(name, x, axis=1)
            case(name, x, axis=(0, 1))
    case("all", B23, axis=0, keepdims=True)
    for name in ("amax", "amin", "ptp", "prod", "median", "nansum", "nanprod"):
        for x in (X, N23):
            case(name, x)
            case(name, x, axis=0)
            case(name, x, axis=-1, keepdims=True)
        case(name, CUBE, axis=(0, 2))
    for name in "nanmax nanmin nanmean nanvar nanstd nanmedian".split():
        for x in (X, N23, CUBE):
            case(name, x)
            case(name, x, axis=0)
        case(name, HOLES[:2], kink=True)
        case(name, HOLES, kink=True)
        case(name, HOLES[:2], axis=1, keepdims=True, kink=True)
    for name in ("nansum", "nanprod", "nancumsum", "nancumprod"):
        case(name, HOLES, axis=1, kink=True)
        case(name, HOLES, kink=True)
    for name in ("nanargmax", "nanargmin"):
        for x in (HOLES, X, N23):
            case(name, x)
            case(name, x, axis=1)
            case(name, x, axis=1, keepdims=True)
    for name in ("nanmax", "nanmin"):
        case(name, HOLES, axis=1, kink=True)
    for name in ("prod", "cumsum", "cumprod", "nansum", "nanprod", "ptp", "median"):
        case(name, B23)
    for name in ("prod", "cumprod"):
        case(name, f([0.0, 2.0, 3.0], [0.0, 0.0, 4.0], [1.0, 2.0, 5.0]), axis=1)
        case(name, N23, dtype="float32")
    for name in ("cumsum", "cumprod", "nancumsum", "nancumprod"):
        for x in (X, N23):
            case(name, x)
            case(name, x, axis=1)
        case(name, CUBE, axis=-2)
        case(name, X, axis=0, dtype="float32")
    for name in ("amax", "amin", "ptp", "nanmax"):
        case(name, f(1.0, 2.0, 2.0, 1.0), kink=True)
    case("median", HOLES[:2], axis=1, kink=True)
    case("median", f(2.0, 1.0, 2.0, 5.0), kink=True)
    for name, scale in (("quantile", 1.0), ("percentile", 100.0)):
        for method in ("linear", "lower", "higher", "midpoint", "nearest"):
            case(name, VECTOR, f(0.3, 0.8) * scale, method=method)
            case(name, VECTOR, f(0.0, 0.5, 1.0) * scale, method=method, kink=True)
        case(name, CUBE, f(0.3) * scale, axis=(0, 2))
        case(name, CUBE, f([0.3, 0.6]) * scale, axis=1, keepdims=True)
        case(name, N23, 0.3 * scale, axis=0)
        case(name, X, 0.4 * scale)
        case(f"nan{name}", HOLES, f(0.3, 0.9) * scale, axis=1, kink=True)
        case(f"nan{name}", HOLES, 0.4 * scale, keepdims=True, kink=True)
        case(f"nan{name}", X, 0.45 * scale, method="lower")
    for x, w in ((X, abs(Y)), (X, None), (N23, None), (N23, i([1, 2, 3], [4, 5, 6]))):
        case("average", x, weights=w)
        case("average", x, axis=1, weights=w)
    case("average", X, axis=1, weights=f(1.0, 2.0, 0.5))
    case("average", X, weights=f(1.0, 2.0, 0.5))
    case("diff", X)
    case("diff", CUBE, n=2, axis=1)
    case("diff", N23, axis=0)
    case("diff", B23)
    case("diff", X, n=0)
    case("trapezoid", X)
    case("trapezoid", X, dx=0.5, axis=0)
    case("trapezoid", X, f(0.0, 1.0, 3.0))
    case("trapezoid", X, Y)
    case("trapezoid", N23)
    case("trapezoid", CUBE, f(0.0, 1.0, 3.0), axis=1)


def positions():
    keys = [0, -1, slice(1, None), (0, 1), (slice(None), 1), (..., None), None]
    keys += [(slice(None, None, -1), slice(0, 3, 2)), slice(0, 0), (..., 0)]
    keys += [i(1, 0, 1), i([0, 1], [1, 1]), (slice(None), i(2, 0)), (i(0, 1), i(2, 2))]
    for key in keys:
        case("get_item", X, key)
    case("get_item", N23, (0, slice(1, 3)))
    case("get_item", CUBE, (i(0, 1), slice(None), i(0, 1)))
    case("get_item", X, X > 0)
    case("take_along_axis", X, i([2, 0], [1, 1]), axis=1)
    case("take_along_axis", X, i([0, 1, 1]).reshape(1, 3), axis=0)
    case("take_along_axis", X, i(5, -1, 5))
    case("take_along_axis", CUBE, i(2, 0).reshape(1, 2, 1), axis=-2)
    case("take_along_axis", N23, i([2], [-1]), axis=-1)
    for k in (0, 1, -2):
        case("diag", VECTOR, k)
        case("diag", SQUARE, k=k)
        case("diagflat", X, k)
        case("diagonal", SQUARE, k)
        case("trace", SQUARE, offset=k)
        case("tril", SQUARE, k)
        case("triu", CUBE, k)
        case("tri", 3, k=k)
        case("eye", 3, 4, k)
    case("diag", N23)
    case("diag", CUBE)
    case("diagonal", CUBE, offset=1, axis1=2, axis2=0)
    case("diagonal", X, axis1=1, axis2=1)
    case("trace", CUBE, 0, 1, 2)
    case("trace", N23)
    case("trace", B23)
    case("tril", N23)
    case("triu", B23)
    case("roll", X, 1)
    case("roll", X, -2, axis=1)
    case("roll", CUBE, (1, 2), axis=(0, 2))
    case("roll", N23, 4, 0)
    case("unravel_index", i([0, 5], [3, -1]), (2, 3))
    case("unravel_index", i(4), (2, 3))
    ties = f([2.0, 1.0, 2.0, NAN], [INF, -INF, 0.0, -0.0])
    for name in ("sort", "argsort"):
        for x in (X, N23, B23, ties):
            case(name, x, kink=x is ties)
        case(name, X, axis=0)
        case(name, X, axis=None)
        case(name, f(2.0, 1.0, 2.0), kink=True)
    case("argpartition", VECTOR, 1)
    case("argpartition", CUBE, 2, axis=1)
    case("argpartition", N23, 3, axis=None)
    case("searchsorted", f(1.0, 2.0, 2.0, 3.0), f([2.0, 0.0], [9.0, 2.5]))
    case("searchsorted", f(1.0, 2.0, 2.0, 3.0), f(2.0, 0.0, 9.0, 2.5), side="right")
    case("searchsorted", i(1, 2, 2, 3), i(2))
    case("digitize", X, f(0.0, 1.0, 2.0))
    case("digitize", N23, f(-1.0, 1.0, 2.0))
    case("digitize", N23, i(-1, 1, 2))
    case("bincount", i(1, 3, 1, 0))
    case("bincount", i(1, 3, 1, 0), minlength=6)
    case("bincount", i(1, 3, 1, 0), weights=VECTOR, minlength=2)
    case("bincount", i([1, 3, 0], [3, 1, 1]))
    case("bincount", i([1, 3, 0], [3, 1, 1]), weights=X, minlength=5)
    case("bincount", i(1, 3, 1, 0), weights=i(1, 2, 3, 4))
    numbers = f(0.1, 0.5, 2.0, 2.5, 1.0, 0.1)
    case("histogram", numbers)
    case("histogram", numbers, bins=4, range=(0.0, 2.0))
    case("histogram", i(1, 2, 2, 5), bins=3)
    case("histogram", f(2.0, 2.0), bins=2)
    case("histogram", f(), bins=2, range=(0.0, 1.0))
    case("histogram", numbers, bins=1.5)
    case("histogram", X)
    every = dict(return_index=True, return_inverse=True, return_counts=True)
    case("unique", i([3, 1], [1, 3]))
    case("unique", i([3, 1], [1, 3]), **every)
    case("unique", f(NAN, 1.0, NAN, 2.0), **every)
    case("unique", i([3, 1], [1, 3], [3, 1]), axis=0, **every)
    case("unique", i([3, 1, 3], [1, 3, 1]), axis=1, **every)
    case("unique", i(3, 1, 2, 3), size=2, **every)
    case("unique", i(3, 1, 2, 3), size=5, **every)
    case("unique", i(3, 1, 2, 3), size=5, fill_value=-1, return_counts=True)


def making():
    for arguments in ((5,), (2, 7), (2, 9, 3), (5, 0, -2), (0.0, 1.0, 0.3), (2.5,)):
        case("arange", *arguments)
    case("arange", 3, dtype="float32")
    case("arange", i(2), f(4.0))
    case("arange", 5.0, dtype="int32")
    for name in ("empty", "identity", "eye"):
        case(name, 3)
        case(name, 3, dtype="int32")
    case("eye", 2.5)
    case("empty", (2, 3))
    case("tri", 3, 4, dtype="bool")
    case("full", (2, 3), 7)
    case("full", (2, 3), f(1.0, 2.0, 3.0))
    case("full", (2, 3), 2.5, dtype="int32")
    case("full_like", X, 7)
    case("full_like", N23, 2.5)
    case("full_like", N23, f(1.5, 2.5, 3.5), dtype="float32")
    for name in ("linspace", "geomspace", "logspace"):
        case(name, 1.0, 2.0, 5)
        case(name, 1.0, 2.0, num=5, endpoint=False)
        case(name, 1, 3, 4)
        case(name, f(1.0, 2.0), f(0.5, 3.0), 4)
        case(name, f(1.0, 2.0), f(0.5, 3.0), 3, axis=-1)
        case(name, f(1.0, 2.0), f(3.0), 1)
        case(name, 1.0, 2.0, 0)
    case("geomspace", -1.0, -8.0, 4)
    case("logspace", 0.0, 3.0, 4, base=2)
    case("logspace", 0.0, 3.0, 4, base=2.0, dtype="int32")
    case("linspace", 0.0, 5.0, 4, dtype="int32")
    case("linspace", f(1.0, 2.0), f(0.5, 3.0), 4, retstep=True)
    case("linspace", 0.0, 5.0, 4, endpoint=False, retstep=True)
    case("linspace", 0.0, 5.0, 1, retstep=True)
    case("linspace", 0.0, 5.0, -1)
    for indexing in ("xy", "ij"):
        case("meshgrid", VECTOR, f(1.0, 2.0), indexing=indexing)
        case("meshgrid", VECTOR, i(1, 2, 3), f([5.0]), indexing=indexing)
    case("meshgrid", VECTOR)
    case("vander", VECTOR)
    case("vander", VECTOR, 3, increasing=True)
    case("vander", f(0.0, 2.0), 3, kink="values")
    case("vander", i(1, 2, 3))
    case("vander", VECTOR, 0)
    case("vander", X)
    case("vander", VECTOR, 1.5)
    for name in ("bartlett", "blackman", "hamming", "hanning"):
        case(name, 7)
        case(name, 8)
        case(name, 1)
    case("kaiser", 7, 3.5)
    case("kaiser", 1, 2.0)


def joining():
    case("append", X, Y)
    case("append", X, N23[0])
    case("append", X, Y, axis=1)
    case("append", N23, M23, axis=0)
    for name in ("hstack", "vstack", "dstack"):
        case(name, [X, Y])
        case(name, [VECTOR, VECTOR * 2])
        case(name, [CUBE, CUBE])
        case(name, [N23, X])
        case(name, [B23, N23])
        case(name, [f(1.0), f(2.0)])
    case("split", CUBE, 2, axis=2)
    case("split", X, [1], axis=1)
    case("split", VECTOR, [1, 3])
    case("split", VECTOR, 3)
    case("split", N23, 2)
    case("array_split", VECTOR, 3)
    case("array_split", X, 2, axis=1)
    case("array_split", N23, 4)
    case("array_split", VECTOR, 0)
    case("array_split", VECTOR, [1])
    case("hsplit", CUBE, 3)
    case("hsplit", VECTOR, 2)
    case("vsplit", X, 2)
    case("vsplit", VECTOR, 2)
    case("dsplit", CUBE, [1])
    case("dsplit", X, 1)
    case("tile", X, 2)
    case("tile", X, (2, 1, 2))
    case("tile", VECTOR, (2, 2))
    case("tile", CUBE, (2,))
    case("tile", N23, (2, 3))
    case("flipud", X)
    case("fliplr", X)
    case("fliplr", VECTOR)
    for k in (-1, 0, 1, 2, 3, 5):
        case("rot90", X, k)
    case("rot90", CUBE, 1, (1, 2))
    case("rot90", CUBE, axes=(2, 0))
    case("rot90", VECTOR)
    case("rot90", X, axes=(0, 0))


def multiplying():
    for name in ("dot", "inner", "outer", "vdot", "kron"):
        case(name, VECTOR, VECTOR[::-1])
        case(name, i(1, 2), i(3, 4))
        case(name, i(1, 2), f(3.0, 4.0))
    for x, y in ((X, SQUARE), (X, Y[0]), (CUBE, PAIR), (X, f(2.0)), (CUBE, CUBE.mT)):
        case("dot", x, y)
    case("dot", Y[0], SQUARE)
    case("dot", X, Y)
    case("dot", f(2.0), f(1.5))
    case("dot", b(True, False), b(True, True))
    for x, y in ((X, Y), (X, Y[0]), (CUBE, PAIR), (X, f(2.0)), (X, VECTOR)):
        case("inner", x, y)
    case("vdot", X, Y)
    case("vdot", X, VECTOR)
    case("outer", X, VECTOR)
    case("kron", X, f([1.0, -1.0], [2.0, 0.5]))
    case("kron", VECTOR, X)
    case("tensordot", X, SQUARE, 1)
    case("tensordot", CUBE, CUBE, ([0, 1], [0, 1]))
    case("tensordot", CUBE, X, ([1, 0], [1, 0]))
    case("tensordot", CUBE, X.T, ((1, 0), (-2, -1)))
    case("tensordot", CUBE, PAIR, (2, 0))
    case("tensordot", X, Y)
    case("tensordot", VECTOR, VECTOR, 0)
    case("tensordot", N23, M23, 2)
    case("tensordot", X, Y, 1)
    case("cross", X, Y)
    case("cross", X[:, :2], Y[:, 1:])
    case("cross", X[:, :2], Y)
    case("cross", X, Y[0, :2])
    case("cross", CUBE, CUBE[::-1], axis=1)
    case("cross", SQUARE[:2], X.T, axisb=0)
    case("cross", CUBE, CUBE[::-1], axisa=1, axisb=1, axisc=0)
    case("cross", N23, M23)
    case("cross", VECTOR, VECTOR)
    for mode in ("valid", "same", "full"):
        for n, m in ((4, 2), (4, 3), (3, 3), (2, 4), (3, 4), (1, 4), (5, 1)):
            x, y = f(np.arange(n) * 0.8 - 1.1), f(1.3 - np.arange(m) * 0.7)
            case("correlate", x, y, mode=mode)
    case("correlate", i(1, 2, 3), i(1, 2))
    case("correlate", X, VECTOR)
    case("correlate", VECTOR, VECTOR, mode="other")
    case("corrcoef", X, kink=True)
    case("corrcoef", SQUARE * SQUARE + 0.1 * SQUARE[::-1] * X[:1], kink=True)
    case("corrcoef", N23)
    case("corrcoef", VECTOR, kink=True)


def weights(shape):
    """How much each number of a float result counts."""
    count = int(np.prod(shape))
    return (0.5 + np.arange(count, dtype="float32") / max(count, 1)).reshape(shape)


SHARED = {
    "X": X,
    "Y": Y,
    "UNIT": UNIT,
    "ABOVE": ABOVE,
    "CUBE": CUBE,
    "N23": N23,
    "M23": M23,
    "B23": B23,
    "C23": C23,
    "HOLES": HOLES,
    "ODD": ODD,
    "SQUARE": SQUARE,
    "VECTOR": VECTOR,
    "PAIR": PAIR,
}


def coded(value):
    for name, array in SHARED.items():
        if value is array:
            return {"same": name}
    if isinstance(value, np.ndarray | np.generic | jax.Array):
        return array_coded(np.asarray(value))
    if isinstance(value, list | tuple):
        return {type(value).__name__: [coded(v) for v in value]}
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop, value.step]}
    if value is Ellipsis:
        return {"dots": True}
    return value


def array_coded(array):
    code = {array.dtype.str[1:]: shorten(array.tolist())}
    return code if array.size else {**code, "shape": array.shape}


def shorten(number):
    """The fewest digits that give the same float32; booleans as 0 and 1."""
    if isinstance(number, list):
        return [shorten(n) for n in number]
    if isinstance(number, bool):
        return int(number)
    if not isinstance(number, float) or not np.isfinite(number):
        return number
    number = float(np.format_float_scientific(np.float32(number), unique=True))
    whole = number == int(number) and abs(number) < 1e9 and str(number) != "-0.0"
    return int(number) if whole else number


def results_of(value):
    if isinstance(value, list | tuple):
        return [jnp.asarray(v) for v in value]
    return [jnp.asarray(value)]


def floats(value):
    return isinstance(value, np.ndarray) and value.dtype == np.float32


def gradients(function, arguments, options):
    """Of each float32 argument, also in a list and named ones; None if none can be."""
    leaves, tree = jax.tree.flatten((arguments, options))
    wanted = [k for k, leaf in enumerate(leaves) if floats(leaf)]

    def loss(*arrays):
        filled = list(leaves)
        for k, array in zip(wanted, arrays, strict=True):
            filled[k] = array
        arguments, options = jax.tree.unflatten(tree, filled)
        results = results_of(function(*arguments, **options))
        return sum(
            jnp.sum(r * weights(r.shape)) for r in results if r.dtype == jnp.float32
        )

    if not wanted:
        return []
    got = jax.grad(loss, tuple(range(len(wanted))))(*(leaves[k] for k in wanted))
    return [np.asarray(g) for g in got]


CONSTANT = set("arange histogram nextafter nonzero searchsorted unique view".split())


def answer(name, arguments, options, kink):
    function = getattr(keras.ops, name)
    row = {"name": name, "arguments": [coded(a) for a in arguments]}
    if options:
        row["options"] = {k: coded(v) for k, v in options.items()}
    if kink:
        row["kink"] = kink
    try:
        value = function(*arguments, **options)
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        return {**row, "raises": type(error).__name__}
    row["results"] = [coded(r) for r in results_of(value)]
    has_floats = any(r.dtype == jnp.float32 for r in results_of(value))
    if has_floats and name not in CONSTANT and kink != "values":
        found = gradients(function, arguments, options)
        if found:
            row["gradients"] = [shorten(g.tolist()) for g in found]
    return row


def main():
    for part in (elementwise, over_axes, positions, making, joining, multiplying):
        part()
    golden = {
        "keras": keras.__version__,
        "arrays": {name: array_coded(array) for name, array in SHARED.items()},
        "cases": [answer(*c) for c in CASES],
    }
    path = Path(__file__).with_name("ops_numpy.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes, {len(CASES)}", file=sys.stderr)


if __name__ == "__main__":
    main()
