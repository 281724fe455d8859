"""Scaled dot-product attention, a cache-sized slice of the batch at a time.

Letters: B batch, T queries, S keys, N heads, H numbers of a query's or key's head, V
of a value's. q (B, T, N, H), k (B, S, N, H), v (B, S, N, V), y (B, T, N, V); weights p
(B, N, T, S). `keep` and `bias` have four axes, each as long as those of p, or 1.
"""

from typing import NamedTuple

import numpy as np

from minikeras.kernels import blocking

HEADS_FIRST = (0, 2, 1, 3)
FLOPS_OF_EXP = 20  # of an exponential, with what else happens to a score


class Rules(NamedTuple):
    """What an attention has beside its arrays.

    `keep` is True where a query may look at a key, None for everywhere; `bias` is
    added to the scaled scores; `drop`, of the shape of p, multiplies the weights.
    Without `zero`, a query that may look at no key looks at all of them alike.
    """

    scale: float
    keep: np.ndarray | None = None
    bias: np.ndarray | None = None
    drop: np.ndarray | None = None
    zero: bool = False

    def blind(self) -> np.ndarray | None:
        """Where a query may look at no key at all, with a last axis of length 1; None
        for nowhere."""
        if self.keep is None:
            return None
        found = np.logical_not(self.keep.any(axis=-1, keepdims=True))
        return found if found.any() else None


def lowest(dtype: np.dtype) -> float:
    """The score of a key that is not looked at: far down, but still a number."""
    return -0.7 * float(np.finfo(dtype).max)


def _cut(p: np.ndarray, width: int) -> list[slice]:
    each = p[0].size if len(p) else 1
    return blocking.slices(
        len(p), 3 * each * p.itemsize, each * (2 * width + FLOPS_OF_EXP)
    )


def _part(a: np.ndarray, part: slice) -> np.ndarray:
    return a if len(a) == 1 else a[part]


def _used(p: np.ndarray, part: slice, rules: Rules) -> np.ndarray:
    """The weights after the dropout."""
    if rules.drop is None:
        return p[part]
    used = blocking.empty(p[part].shape, p.dtype)
    return np.multiply(p[part], rules.drop[part], out=used)


def forward(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, rules: Rules
) -> tuple[np.ndarray, np.ndarray]:
    """y = (p drop) v and p = softmax(scale q k^T + bias), where kept."""
    (batch, rows, heads, size), columns = q.shape, k.shape[1]
    p = blocking.empty((batch, heads, rows, columns), q.dtype)
    y = blocking.empty((batch, rows, heads, v.shape[-1]), q.dtype)
    ones = np.ones(columns, q.dtype)
    scale = q.dtype.type(rules.scale)
    hidden = None if rules.keep is None else ~rules.keep
    blind = rules.blind() if rules.zero else None

    def task(part: slice) -> None:
        scores = p[part]
        scaled = np.multiply(q[part], scale).transpose(HEADS_FIRST)
        np.matmul(scaled, k[part].transpose(0, 2, 3, 1), out=scores)
        if rules.bias is not None:
            scores += _part(rules.bias, part)
        if hidden is not None:
            np.copyto(scores, lowest(q.dtype), where=_part(hidden, part))
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= (scores @ ones)[..., None]
        if blind is not None:
            np.copyto(scores, 0, where=_part(blind, part))
        outputs = y[part].transpose(HEADS_FIRST)
        used = _used(p, part, rules)
        np.matmul(used, v[part].transpose(HEADS_FIRST), out=outputs)

    blocking.parallel(task, _cut(p, size + v.shape[-1]))
    return y, p


def backward(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    g: np.ndarray,
    p: np.ndarray,
    y: np.ndarray,
    rules: Rules,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gradients of the sum of y g by q, k and v.

    With ds = p (drop g v^T - row sums of y g): dq = scale ds k, dk = scale ds^T q and
    dv = (p drop)^T g. A query that may look at no key has a constant p: its ds is 0.
    """
    dq, dk, dv = (blocking.empty(a.shape, a.dtype) for a in (q, k, v))
    scale = q.dtype.type(rules.scale)
    blind = rules.blind()

    def task(part: slice) -> None:
        weights, above = p[part], g[part].transpose(HEADS_FIRST)
        ds = blocking.empty(weights.shape, p.dtype)
        np.matmul(above, v[part].transpose(0, 2, 3, 1), out=ds)
        if rules.drop is not None:
            ds *= rules.drop[part]
        ds -= np.einsum("btnv,btnv->bnt", g[part], y[part])[..., None]
        ds *= weights
        ds *= scale
        if blind is not None:
            np.copyto(ds, 0, where=_part(blind, part))
        across = ds.transpose(0, 1, 3, 2)
        queries, keys = q[part].transpose(HEADS_FIRST), k[part].transpose(HEADS_FIRST)
        np.matmul(ds, keys, out=dq[part].transpose(HEADS_FIRST))
        np.matmul(across, queries, out=dk[part].transpose(HEADS_FIRST))
        across = _used(p, part, rules).transpose(0, 1, 3, 2)
        np.matmul(across, above, out=dv[part].transpose(HEADS_FIRST))

    blocking.parallel(task, _cut(p, 2 * (q.shape[-1] + v.shape[-1])))
    return dq, dk, dv
