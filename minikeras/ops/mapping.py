"""Functions of numbers or small arrays, made functions of larger arrays."""

import re
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from minikeras.ops.base import Array, convert
from minikeras.ops.indexing import cut
from minikeras.ops.numpy import _spread, reshape
from minikeras.ops.stacking import stack

_GROUP = r"\(([^()]*)\)"


def vectorize(
    pyfunc: Callable[..., Any],
    *,
    excluded: Collection[Any] | None = None,
    signature: str | None = None,
) -> Callable[..., Any]:
    """A function that calls `pyfunc` for each cell of its arguments, broadcast.

    The result can be differentiated if `pyfunc` is made of `minikeras.ops`.

    Args:
        pyfunc: function of numbers, or of arrays as the signature says.
        excluded: positions of arguments to hand over whole; named ones always are.
        signature: axes of a single call, such as `"(n),(n)->()"`; none for None.

    Raises:
        TypeError: if `pyfunc` cannot be called.
        ValueError: if the signature does not fit the arguments.

    >>> vectorize(lambda x, y: x * y if x > y else y)([1.0, 3.0], 2.0)
    array([2., 6.], dtype=float32)
    """
    if not callable(pyfunc):
        raise TypeError(f"vectorize: `pyfunc` must be callable. Received: {pyfunc!r}")
    whole = set(excluded or ())
    axes = None if signature is None else _axes_of(signature)

    def mapped(*args: Any, **kwargs: Any) -> Any:
        arrays = {i: convert(a) for i, a in enumerate(args) if i not in whole}
        if axes is not None and len(axes) != len(arrays):
            raise ValueError(
                f"vectorize: the signature {signature!r} is for {len(axes)} arguments. "
                f"Received: {len(arrays)}"
            )
        inner = dict(zip(arrays, axes or [0] * len(arrays), strict=True))
        short = [i for i, a in arrays.items() if a.ndim < inner[i]]
        if short:
            raise ValueError(
                f"vectorize: argument {short[0]} must have {inner[short[0]]} axes or "
                f"more, by the signature {signature!r}. Received: shape "
                f"{arrays[short[0]].shape}"
            )
        split = {i: a.ndim - inner[i] for i, a in arrays.items()}
        shape = np.broadcast_shapes(*(a.shape[: split[i]] for i, a in arrays.items()))
        lists = {
            i: _cells(_spread(a, shape=(*shape, *a.shape[split[i] :])), len(shape))
            for i, a in arrays.items()
        }
        count = int(np.prod(shape, dtype=np.int64))
        results = [
            pyfunc(
                *(lists[i][n] if i in lists else a for i, a in enumerate(args)),
                **kwargs,
            )
            for n in range(count)
        ]
        if not results:
            raise ValueError("vectorize: there is no cell. Received: an empty array")
        if isinstance(results[0], tuple):
            return tuple(_joined(part, shape) for part in zip(*results, strict=True))
        return _joined(results, shape)

    return mapped


def _axes_of(signature: str) -> list[int]:
    """Number of axes of each argument of a single call."""
    text = signature.replace(" ", "")
    group = r"\([^()]*\)"
    if not re.fullmatch(rf"({group}(,{group})*)?->{group}(,{group})*", text):
        raise ValueError(
            "vectorize: `signature` must look like '(m,n),(n)->(m)'. Received: "
            f"{signature!r}"
        )
    groups = re.findall(_GROUP, text.split("->")[0])
    return [len(names.split(",")) if names else 0 for names in groups]


def _cells(x: Array, count: int) -> list[Array]:
    rows = reshape(x, (int(np.prod(x.shape[:count])), *x.shape[count:]))
    return [cut(rows, key=(n,)) for n in range(rows.shape[0])]


def _joined(parts: Any, shape: tuple[int, ...]) -> Array:
    y = stack(list(parts))
    return reshape(y, (*shape, *y.shape[1:]))
