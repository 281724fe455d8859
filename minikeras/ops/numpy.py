"""Array functions with `keras.ops` names: differentiable, and float32 stays float32.

Most are autograd's; those whose gradients autograd promotes to float64, or whose
derivative Keras defines differently, are primitives of our own.
"""

from collections.abc import Sequence
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import def_linear, defjvp, defvjp, defvjp_argnums

from minikeras import config
from minikeras.kernels import dense as dense_kernels
from minikeras.kernels.blocking import spread
from minikeras.kernels.dense import mask_by_output
from minikeras.kernels.session import single_threaded_blas
from minikeras.ops.base import (
    Array,
    constant_like,
    convert,
    dtype_of,
    float_array,
    getval,
    plain,
    primitive,
    sum_to,
)

Axis = int | Sequence[int] | None


def _refuse_sparse(name: str, **asked: Any) -> None:
    for key, value in asked.items():
        if value:
            raise ValueError(
                f"{name}: `{key}` arrays are not offered; NumPy has dense ones only. "
                f"Leave `{key}` out."
            )


def convert_to_tensor(
    x: Any, dtype: str | None = None, sparse: Any = None, ragged: Any = None
) -> Array:
    """`x` as an array; inside a gradient a traced value stays traced.

    Raises:
        ValueError: for `sparse` and `ragged`, which are not offered.

    >>> convert_to_tensor([1.0, 2.0])
    array([1., 2.], dtype=float32)
    """
    _refuse_sparse("convert_to_tensor", sparse=sparse, ragged=ragged)
    return convert(x, dtype)


def convert_to_numpy(x: Any) -> np.ndarray:
    """`x` as a plain NumPy array; nothing flows back through it."""
    return np.asarray(getval(convert(x)))


def stop_gradient(x: Any) -> np.ndarray:
    """`x` as a constant: its derivative is taken to be zero."""
    return convert_to_numpy(x)


def cast(x: Any, dtype: str) -> Array:
    """`x` converted to another number type.

    >>> cast([1, 2], "float32")
    array([1., 2.], dtype=float32)
    """
    return convert(x, dtype)


def shape(x: Any) -> tuple[int, ...]:
    """Sizes of the axes of `x`."""
    return tuple(convert(x).shape)


# --- products -------------------------------------------------------------------


@primitive
def _matmul(x, y):
    if y.ndim == 2:
        flat = dense_kernels.matmul(x.reshape(-1, x.shape[-1]), y)
        return flat.reshape(*x.shape[:-1], y.shape[-1])
    with single_threaded_blas:
        return np.matmul(x, y)


def _matmul_vjp(argnums, ans, args, kwargs):
    x, y = args

    def for_x(g):
        return sum_to(_matmul(g, _swap(y)), anp.shape(x))

    def for_y(g):
        if y.ndim == 2:
            rows = anp.reshape(x, (-1, x.shape[-1]))
            return _matmul(_swap(rows), anp.reshape(g, (-1, g.shape[-1])))
        return sum_to(_matmul(_swap(x), g), anp.shape(y))

    return lambda g: tuple((for_x, for_y)[n](g) for n in argnums)


defvjp_argnums(_matmul, _matmul_vjp)
def_linear(_matmul)


def _swap(x):
    return anp.swapaxes(x, -1, -2)


def matmul(x1: Any, x2: Any) -> Array:
    """Matrix product, with NumPy's rules for vectors and stacks.

    Raises:
        ValueError: if the inner sizes differ.

    >>> matmul([[1.0, 2.0]], [[3.0], [4.0]])
    array([[11.]], dtype=float32)
    """
    x, y = _common(x1, x2)
    if 0 in (x.ndim, y.ndim) or x.shape[-1] != y.shape[-2 if y.ndim > 1 else 0]:
        raise ValueError(
            "matmul: the last axis of `x1` must be as long as the last but one of "
            f"`x2`. Received: shapes {x.shape} and {y.shape}"
        )
    vector_x, vector_y = x.ndim == 1, y.ndim == 1
    x = anp.reshape(x, (1, -1)) if vector_x else x
    y = anp.reshape(y, (-1, 1)) if vector_y else y
    z = _matmul(x, y)
    if vector_y:
        z = anp.reshape(z, z.shape[:-1])
    if vector_x:
        z = anp.reshape(z, z.shape[:-2] + z.shape[-1:] if not vector_y else ())
    return z


def _common(*values: Any) -> list[Array]:
    """The values as arrays of one type; numbers among arrays do not promote them, but
    a whole number among booleans makes int32."""
    arrays = [convert(v) for v in values]
    scalars = [isinstance(v, int | float) for v in values]
    types = [dtype_of(a) for a in arrays]
    typed = [t for t, s in zip(types, scalars, strict=True) if not s]
    typed = typed or types  # np.float64 alone stays what it is
    dtype = np.result_type(*typed)
    if dtype.kind == "b" and any(type(v) is int for v in values):
        dtype = np.dtype("int32")
    if dtype.kind != "f" and any(t.kind == "f" for t in types):
        dtype = np.dtype(config.floatx())
    if dtype == np.float64 and not any(d == np.float64 for d in typed):
        dtype = np.dtype(config.floatx())  # int64 with float32, as in Keras
    return [
        np.asarray(v, dtype) if s else a if t == dtype else a.astype(dtype)
        for v, a, t, s in zip(values, arrays, types, scalars, strict=True)
    ]


# --- arithmetic -----------------------------------------------------------------


def add(x1: Any, x2: Any) -> Array:
    """x1 + x2."""
    return anp.add(*_common(x1, x2))


def subtract(x1: Any, x2: Any) -> Array:
    """x1 - x2."""
    return anp.subtract(*_common(x1, x2))


def multiply(x1: Any, x2: Any) -> Array:
    """x1 * x2."""
    return anp.multiply(*_common(x1, x2))


@primitive
def _divide(x, y):
    return np.true_divide(x, y)


def _minus_ratio(d, ans, y):
    return anp.negative(anp.multiply(d, _divide(ans, y)))


defvjp(
    _divide,
    lambda ans, x, y: lambda g: sum_to(_divide(g, y), anp.shape(x)),
    lambda ans, x, y: lambda g: sum_to(_minus_ratio(g, ans, y), anp.shape(y)),
)
defjvp(
    _divide,
    lambda d, ans, x, y: _divide(d, y),
    lambda d, ans, x, y: _minus_ratio(d, ans, y),
)


def divide(x1: Any, x2: Any) -> Array:
    """x1 / x2."""
    x, y = _common(x1, x2)
    if dtype_of(x).kind != "f":
        x, y = x.astype(config.floatx()), y.astype(config.floatx())
    return _divide(x, y)


@primitive
def masked(x, *, keep):
    """x where `keep` (a boolean array of its shape), else 0."""
    return mask_by_output(x, keep)


defvjp(masked, lambda ans, x, keep: lambda g: masked(g, keep=keep))
def_linear(masked)


@primitive
def _extreme(x, y, *, largest):
    return (np.maximum if largest else np.minimum)(x, y)


def _share(x, y, ans):
    """1 where x alone is the result, one half where both are."""
    x, y, ans = getval(x), getval(y), getval(ans)
    return ((x == ans) * (1.0 - 0.5 * (y == ans))).astype(ans.dtype)


defvjp(
    _extreme,
    lambda ans, x, y, largest: lambda g: sum_to(g * _share(x, y, ans), anp.shape(x)),
    lambda ans, x, y, largest: lambda g: sum_to(g * _share(y, x, ans), anp.shape(y)),
)
defjvp(
    _extreme,
    lambda d, ans, x, y, largest: d * _share(x, y, ans),
    lambda d, ans, x, y, largest: d * _share(y, x, ans),
)


def maximum(x1: Any, x2: Any) -> Array:
    """The larger of two values; at a tie each gets half of the gradient.

    >>> maximum([1.0, 5.0], 3.0)
    array([3., 5.], dtype=float32)
    """
    return _extreme(*_common(x1, x2), largest=True)


def minimum(x1: Any, x2: Any) -> Array:
    """The smaller of two values; at a tie each gets half of the gradient."""
    return _extreme(*_common(x1, x2), largest=False)


def clip(x: Any, x_min: Any, x_max: Any) -> Array:
    """`x` brought into [x_min, x_max]; the gradient outside is zero.

    >>> clip([-1.0, 0.5, 2.0], 0, 1)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    x, low, high = _common(x, x_min, x_max)
    if not plain(low, high):
        return minimum(maximum(x, low), high)
    return _clip(x, low=low, high=high)


@primitive
def _clip(x, *, low, high):
    return np.minimum(np.maximum(x, low), high)


def _inside(x, low, high):
    x = getval(x)
    return (x >= low) & (x <= high)


defvjp(
    _clip,
    lambda ans, x, low, high: (
        lambda g: sum_to(masked(g, keep=_inside(x, low, high)), anp.shape(x))
    ),
)
defjvp(
    _clip,
    lambda d, ans, x, low, high: masked(
        broadcast_to(d, ans.shape), keep=_inside(x, low, high)
    ),
)


@primitive
def _where(x, y, *, condition):
    return np.where(condition, x, y)


def _where_x(d, like, condition):
    """d where x was taken, in the shape of the result."""
    return _where(d, np.zeros(like.shape, like.dtype), condition=condition)


defvjp(
    _where,
    lambda ans, x, y, condition: (
        lambda g: sum_to(_where_x(g, ans, condition), anp.shape(x))
    ),
    lambda ans, x, y, condition: (
        lambda g: sum_to(_where_x(g, ans, ~condition), anp.shape(y))
    ),
)
defjvp(
    _where,
    lambda d, ans, x, y, condition: _where_x(d, ans, condition),
    lambda d, ans, x, y, condition: _where_x(d, ans, ~condition),
)


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where `condition` holds, x2 elsewhere; without both, where it holds.

    Raises:
        ValueError: if only one of x1 and x2 is given.

    >>> where([True, False], [1.0, 2.0], 0.0)
    array([1., 0.], dtype=float32)
    """
    holds = getval(convert(condition)).astype(bool)
    if x1 is None and x2 is None:
        return tuple(index.astype("int32") for index in np.nonzero(holds))
    if x1 is None or x2 is None:
        raise ValueError("where: `x1` and `x2` must be given both, or neither.")
    x, y = _common(x1, x2)
    return _where(x, y, condition=holds)


def square(x: Any) -> Array:
    """x * x."""
    x = convert(x)
    return anp.multiply(x, x)


@primitive
def _sqrt(x):
    return np.sqrt(x)


defvjp(_sqrt, lambda ans, x: lambda g: _divide(g, ans + ans))
defjvp(_sqrt, lambda d, ans, x: _divide(d, ans + ans))


def sqrt(x: Any) -> Array:
    """Square root."""
    return _sqrt(float_array(x))


def exp(x: Any) -> Array:
    """e to the power x."""
    return anp.exp(float_array(x))


@primitive
def _log(x):
    return np.log(x)


defvjp(_log, lambda ans, x: lambda g: _divide(g, x))
defjvp(_log, lambda d, ans, x: _divide(d, x))


def log(x: Any) -> Array:
    """Natural logarithm."""
    return _log(float_array(x))


@primitive
def _log1p(x):
    return np.log1p(x)


defvjp(_log1p, lambda ans, x: lambda g: _divide(g, x + constant_like(1, x)))
defjvp(_log1p, lambda d, ans, x: _divide(d, x + constant_like(1, x)))


def log1p(x: Any) -> Array:
    """log(1 + x), exact for small x."""
    return _log1p(float_array(x))


def absolute(x: Any) -> Array:
    """|x|; the derivative at 0 is 0."""
    return _absolute(convert(x))


@primitive
def _absolute(x):
    return np.abs(x)


defvjp(_absolute, lambda ans, x: lambda g: anp.multiply(g, np.sign(getval(x))))
defjvp(_absolute, lambda d, ans, x: anp.multiply(d, np.sign(getval(x))))

abs = absolute  # as in keras.ops


def negative(x: Any) -> Array:
    """-x."""
    return anp.negative(convert(x))


@primitive
def _power(x, y):
    return np.power(x, y)


def _power_x(d, x, y):
    """d y x^(y - 1), which is 0 for 0^0."""
    one = ((getval(x) != 0) | (getval(y) != 0)).astype(y.dtype)
    return anp.multiply(d, anp.multiply(y, _power(x, y - one)))


def _power_y(d, ans, x):
    """d x^y log(x), which is 0 for x = 0."""
    zero = (getval(x) == 0).astype(x.dtype)
    return anp.multiply(d, anp.multiply(ans, _log(x + zero)))


defvjp(
    _power,
    lambda ans, x, y: lambda g: sum_to(_power_x(g, x, y), anp.shape(x)),
    lambda ans, x, y: lambda g: sum_to(_power_y(g, ans, x), anp.shape(y)),
)
defjvp(
    _power,
    lambda d, ans, x, y: _power_x(d, x, y),
    lambda d, ans, x, y: _power_y(d, ans, x),
)


def power(x1: Any, x2: Any) -> Array:
    """x1 to the power x2."""
    return _power(*_common(x1, x2))


def sign(x: Any) -> np.ndarray:
    """-1, 0 or 1; its derivative is zero."""
    return np.sign(convert_to_numpy(x))


# --- reductions -----------------------------------------------------------------


def _axes(axis: Axis, ndim: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, int | np.integer) else tuple(axis)
    for one in axes:
        if not -ndim <= one < ndim:
            raise ValueError(
                f"`axis` must be from {-ndim} to {ndim - 1} for an array of {ndim} "
                f"axes. Received: axis={axis}"
            )
    return tuple(sorted(int(a) % ndim for a in axes))


def _kept(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


@primitive
def _spread(g, *, shape):
    return spread(np.asarray(g), shape)


@primitive
def _sum(x, *, axes, keepdims):
    return np.asarray(np.sum(x, axis=axes, keepdims=keepdims, dtype=x.dtype))


defvjp(
    _sum,
    lambda ans, x, axes, keepdims: (
        lambda g: _spread(anp.reshape(g, _kept(anp.shape(x), axes)), shape=anp.shape(x))
    ),
)
defvjp(_spread, lambda ans, g, shape: lambda u: sum_to(u, anp.shape(g)))
def_linear(_sum)
def_linear(_spread)


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """Sum over the given axes, all by default.

    >>> float(sum([1.0, 2.0]))
    3.0
    """
    x = convert(x)
    dtype = dtype_of(x)
    if dtype.kind in "biu" and dtype.itemsize < 4:  # wider, as in Keras
        x = x.astype("uint32" if dtype.kind == "u" else "int32")
    return _sum(x, axes=_axes(axis, x.ndim), keepdims=keepdims)


def sum_leading(x: Array) -> Array:
    """Sum over all axes but the last."""
    return _sum(x, axes=tuple(range(x.ndim - 1)), keepdims=False)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """Arithmetic mean over the given axes, all by default.

    >>> float(mean([1.0, 2.0]))
    1.5
    """
    x = float_array(x)
    axes = _axes(axis, x.ndim)
    total = _sum(x, axes=axes, keepdims=keepdims)
    count = int(np.prod([x.shape[a] for a in axes], dtype=np.int64))
    return _divide(total, constant_like(count, x))


def var(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """Mean squared distance from the mean, over the given axes."""
    x = float_array(x)
    return mean(square(x - mean(x, axis, keepdims=True)), axis, keepdims)


def std(x: Any, axis: Axis = None, keepdims: bool = False) -> Array:
    """Square root of `var`."""
    return sqrt(var(x, axis, keepdims))


@primitive
def _outermost(x, *, axes, keepdims, largest):
    reduce = np.max if largest else np.min
    return np.asarray(reduce(x, axis=axes, keepdims=keepdims))


def _outermost_share(x, ans, axes):
    x = getval(x)
    equal = x == getval(ans).reshape(_kept(x.shape, axes))
    return (equal / equal.sum(axis=axes, keepdims=True)).astype(x.dtype)


defvjp(
    _outermost,
    lambda ans, x, axes, keepdims, largest: (
        lambda g: (
            anp.reshape(g, _kept(anp.shape(x), axes)) * _outermost_share(x, ans, axes)
        )
    ),
)
defjvp(
    _outermost,
    lambda d, ans, x, axes, keepdims, largest: _sum(
        d * _outermost_share(x, ans, axes), axes=axes, keepdims=keepdims
    ),
)


def max(
    x: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None
) -> Array:
    """The largest value over given axes, and `initial`; ties share the gradient."""
    x = convert(x)
    axes = _axes(axis, x.ndim)
    if initial is not None and any(x.shape[a] == 0 for a in axes):
        kept = _kept(x.shape, axes)
        sizes = [n for i, n in enumerate(kept) if keepdims or i not in axes]
        return np.full(sizes, initial, x.dtype)
    found = _outermost(x, axes=axes, keepdims=keepdims, largest=True)
    return found if initial is None else maximum(found, initial)


def min(
    x: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None
) -> Array:
    """The smallest value over given axes, and `initial`; ties share the gradient."""
    x = convert(x)
    axes = _axes(axis, x.ndim)
    if initial is not None and any(x.shape[a] == 0 for a in axes):
        kept = _kept(x.shape, axes)
        sizes = [n for i, n in enumerate(kept) if keepdims or i not in axes]
        return np.full(sizes, initial, x.dtype)
    found = _outermost(x, axes=axes, keepdims=keepdims, largest=False)
    return found if initial is None else minimum(found, initial)


def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> np.ndarray:
    """Index of the first largest value along an axis, int32 as in Keras."""
    index = np.argmax(convert_to_numpy(x), axis=axis, keepdims=keepdims)
    return np.asarray(index, "int32")


def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> np.ndarray:
    """Index of the first smallest value along an axis, int32 as in Keras."""
    index = np.argmin(convert_to_numpy(x), axis=axis, keepdims=keepdims)
    return np.asarray(index, "int32")


# --- shapes ---------------------------------------------------------------------


def reshape(x: Any, newshape: Sequence[int]) -> Array:
    """The same numbers in another shape; one size may be -1."""
    return anp.reshape(convert(x), newshape)


def transpose(x: Any, axes: Sequence[int] | None = None) -> Array:
    """Axes in another order, reversed by default."""
    return anp.transpose(convert(x), axes)


def moveaxis(x: Any, source: int, destination: int) -> Array:
    """One axis moved to another place."""
    return anp.moveaxis(convert(x), source, destination)


def swapaxes(x: Any, axis1: int, axis2: int) -> Array:
    """Two axes exchanged."""
    return anp.swapaxes(convert(x), axis1, axis2)


def expand_dims(x: Any, axis: int) -> Array:
    """A new axis of length 1."""
    return anp.expand_dims(convert(x), axis)


def squeeze(x: Any, axis: int | None = None) -> Array:
    """Without an axis of length 1, or without all of them."""
    x = convert(x)
    return anp.reshape(x, np.squeeze(getval(x), axis).shape)


def broadcast_to(x: Any, shape: Sequence[int]) -> Array:
    """`x` repeated along axes of length 1 and new leading ones."""
    return _spread(convert(x), shape=tuple(shape))


def concatenate(xs: Sequence[Any], axis: int = 0) -> Array:
    """Arrays joined along an axis."""
    return anp.concatenate(_common(*xs), axis)


def zeros(shape: Sequence[int] | int, dtype: str | None = None) -> np.ndarray:
    """An array of zeros."""
    return np.zeros(shape, dtype or config.floatx())


def ones(shape: Sequence[int] | int, dtype: str | None = None) -> np.ndarray:
    """An array of ones."""
    return np.ones(shape, dtype or config.floatx())


def zeros_like(x: Any, dtype: str | None = None) -> np.ndarray:
    """Zeros in the shape of `x`."""
    return np.zeros_like(convert_to_numpy(x), dtype=dtype)


def ones_like(x: Any, dtype: str | None = None) -> np.ndarray:
    """Ones in the shape of `x`."""
    return np.ones_like(convert_to_numpy(x), dtype=dtype)


# --- picking --------------------------------------------------------------------


@primitive
def _pick(x, *, index):
    return np.take_along_axis(x, index[..., None], axis=-1)[..., 0]


@primitive
def _place(g, *, index, size):
    x = np.zeros((*g.shape, size), g.dtype)
    np.put_along_axis(x, index[..., None], g[..., None], axis=-1)
    return x


defvjp(
    _pick,
    lambda ans, x, index: lambda g: _place(g, index=index, size=anp.shape(x)[-1]),
)
defvjp(_place, lambda ans, g, index, size: lambda u: _pick(u, index=index))
def_linear(_pick)
def_linear(_place)


def pick(x: Any, index: np.ndarray) -> Array:
    """x[..., index[...]]: one number of each row, by an integer array of labels."""
    return _pick(convert(x), index=np.asarray(index))


def one_hot(
    x: Any,
    num_classes: int,
    axis: int = -1,
    dtype: str | None = None,
    sparse: bool = False,
) -> np.ndarray:
    """Rows with a one at the given index; an index out of range gives zeros.

    Raises:
        ValueError: for `sparse`, which is not offered.

    >>> one_hot([1, 0], 2)
    array([[0., 1.],
           [1., 0.]], dtype=float32)
    """
    _refuse_sparse("one_hot", sparse=sparse)
    index = convert_to_numpy(x).astype("int64")
    rows = (index[..., None] == np.arange(num_classes)).astype(dtype or config.floatx())
    return np.moveaxis(rows, -1, axis)
