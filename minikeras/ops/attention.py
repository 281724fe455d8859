"""Scaled dot-product attention: one primitive, and what it is made of.

Letters as in `kernels/attention.py`: q (B, T, N, H), k (B, S, N, H), v (B, S, N, V).
The primitive is for q, k and v; where the bias is differentiated too, and for higher
derivatives, products and a softmax take its place.
"""

from math import sqrt
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defjvp, defvjp_argnums

from minikeras.kernels import attention as kernels
from minikeras.kernels.attention import HEADS_FIRST, Rules
from minikeras.ops.base import (
    Array,
    constant_like,
    convert,
    float_array,
    getval,
    isbox,
    plain,
    primitive,
)
from minikeras.ops.nn import _softmax, _softmax_product
from minikeras.ops.numpy import _common, _matmul, _where, masked
from minikeras.ops.reshaping import repeat
from minikeras.validation import shape_text


@primitive
def _attend(q, k, v, *, rules, kept):
    """y; the weights, which the way back needs, go into the list `kept`."""
    y, p = kernels.forward(q, k, v, rules)
    if kept is not None:
        kept[:] = [p]
    return y


def _attend_vjp(argnums, y, args, kwargs):
    q, k, v = args
    rules, kept = kwargs["rules"], kwargs["kept"]

    def vjp(g):
        if plain(g, q, k, v):
            grads = kernels.backward(q, k, v, g, kept[0], y, rules)
            return tuple(grads[n] for n in argnums)
        p, above = _weights(q, k, rules), _heads(g)
        slopes = _dropped(_matmul(above, _across(_heads(v))), rules)
        ds = _slopes(p, slopes, rules)
        makers = (
            lambda: _matmul(ds, _heads(k)),
            lambda: _matmul(_across(ds), _heads(q)),
            lambda: _matmul(_across(_dropped(p, rules)), above),
        )
        return tuple(_heads(makers[n]()) for n in argnums)

    return vjp


def _attend_jvp(argnum):
    def jvp(d, y, q, k, v, rules, kept):
        p = _weights(q, k, rules)
        if argnum == 2:
            return _heads(_matmul(_dropped(p, rules), _heads(d)))
        q, k = (d, k) if argnum == 0 else (q, d)
        ds = _slopes(p, _matmul(_heads(q), _across(_heads(k))), rules)
        return _heads(_matmul(_dropped(ds, rules), _heads(v)))

    return jvp


defvjp_argnums(_attend, _attend_vjp)
defjvp(_attend, _attend_jvp(0), _attend_jvp(1), _attend_jvp(2))


def _heads(x):
    """(B, T, N, H) as (B, N, T, H), and back."""
    return anp.transpose(x, HEADS_FIRST)


def _across(x):
    return anp.swapaxes(x, -1, -2)


def _weights(q, k, rules):
    """softmax(scale q k^T + bias), (B, N, T, S), where `keep`."""
    scaled = anp.multiply(q, constant_like(rules.scale, q))
    scores = _matmul(_heads(scaled), _across(_heads(k)))
    if rules.bias is not None:
        scores = anp.add(scores, rules.bias)
    if rules.keep is not None:
        low = constant_like(kernels.lowest(getval(scores).dtype), scores)
        scores = _where(scores, low, condition=rules.keep)
    p = _softmax(scores, axis=-1)
    blind = rules.blind() if rules.zero else None
    return p if blind is None else masked(p, keep=np.broadcast_to(~blind, p.shape))


def _dropped(p, rules):
    return p if rules.drop is None else anp.multiply(p, rules.drop)


def _slopes(p, slopes, rules):
    """The derivative of the weights by the scores, which is symmetric, times
    `slopes`, and the scale: by q k^T."""
    ds = anp.multiply(_softmax_product(p, slopes, -1), constant_like(rules.scale, p))
    if rules.keep is not None:
        ds = masked(ds, keep=np.broadcast_to(rules.keep, ds.shape))
    return ds


def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Array:
    """Mean of the values, for each query weighted by how well their keys match it:

    y = softmax(scale query key^T + bias) value, for each head.

    A query that may look at no key at all gets the mean of all values.

    Args:
        query: (batch, queries, heads, size).
        key: (batch, keys, heads, size); with fewer heads, each serves several in a
            row of the query's.
        value: (batch, keys, heads, any size), with as many heads as `key`.
        bias: added to the scores, broadcast to (batch, heads, queries, keys).
        mask: True where a query may look at a key, broadcast in the same way.
        scale: factor of the scores; 1 / sqrt(size) for None.
        is_causal: whether query i may look at keys 0 to i only.
        flash_attention: None or False: there is one way of computing it.
        attn_logits_soft_cap: None: it exists on TPUs only.

    Raises:
        ValueError: for shapes that do not fit each other, and for the two options
            that are not offered.

    Source: Vaswani et al., "Attention is all you need", 2017.

    >>> q, kv = np.zeros((1, 1, 2, 4)), np.arange(6.0).reshape(1, 3, 2, 1)
    >>> dot_product_attention(q, np.ones((1, 3, 2, 4)), kv).ravel()
    array([2., 3.])
    """
    if flash_attention or attn_logits_soft_cap is not None:
        raise ValueError(
            "dot_product_attention: `flash_attention` and `attn_logits_soft_cap` are "
            "for GPUs and TPUs. Leave them out."
        )
    return attend(query, key, value, bias, mask, scale, is_causal)


def attend(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    drop: np.ndarray | None = None,
    zero: bool = False,
) -> Array:
    """`dot_product_attention`, and the weights are multiplied by `drop`.

    Args:
        drop: (batch, heads, queries, keys), as dropout makes it of ones.
        zero: whether a query that may look at no key at all gets 0.
    """
    arrays = _common(query, key, value)
    dtype = float_array(arrays[0]).dtype
    half = dtype == np.float16  # scores may exceed what half-size floats can hold
    q, k, v = (convert(a, np.float32 if half else dtype) for a in arrays)
    _check(q.shape, k.shape, v.shape)
    if (groups := q.shape[2] // k.shape[2]) > 1:
        k, v = repeat(k, groups, axis=2), repeat(v, groups, axis=2)
    shape = (q.shape[0], q.shape[2], q.shape[1], k.shape[1])
    if scale is None:
        scale = 1 / sqrt(q.shape[-1])
    keep = None
    if mask is not None:
        keep = _four_axes(getval(convert(mask)).astype(bool), "mask", shape)
    if is_causal:
        causal = np.tri(*shape[2:], dtype=bool)[None, None]
        keep = causal if keep is None else keep & causal
    if bias is not None:
        bias = _four_axes(convert(bias, q.dtype), "bias", shape)
    drop = None if drop is None else drop.astype(q.dtype, copy=False)
    rules = Rules(float(scale), keep, bias, drop, zero)
    if bias is not None and isbox(bias):
        y = _heads(_matmul(_dropped(_weights(q, k, rules), rules), _heads(v)))
    else:
        y = _attend(q, k, v, rules=rules, kept=None if plain(q, k, v) else [])
    return convert(y, np.float16) if half else y


def _check(q: tuple[int, ...], k: tuple[int, ...], v: tuple[int, ...]) -> None:
    fits = (
        len(q) == len(k) == len(v) == 4
        and q[0] == k[0]
        and q[3] == k[3]
        and k[:3] == v[:3]
        and q[2] % max(1, k[2]) == 0
    )
    if not fits or 0 in (*q[2:], *k[1:]):
        raise ValueError(
            "dot_product_attention: `query` must have the shape (batch, queries, heads,"
            " size), `key` (batch, keys, heads, size) and `value` (batch, keys, heads, "
            "any), where the heads of the query are a multiple of the key's. Received: "
            f"query {shape_text(q)}, key {shape_text(k)}, value {shape_text(v)}."
        )


def _four_axes(x: Array, name: str, shape: tuple[int, ...]) -> Array:
    """x with leading axes of length 1 so that it has four; or refused."""
    ends = zip(x.shape[::-1], shape[::-1], strict=False)
    if x.ndim > 4 or any(n not in (1, full) for n, full in ends):
        raise ValueError(
            f"dot_product_attention: `{name}` must be broadcastable to (batch, heads, "
            f"queries, keys), here {shape}. Received the shape {shape_text(x.shape)}."
        )
    return anp.reshape(x, (1,) * (4 - x.ndim) + x.shape)
