"""Scaled dot-product attention: values, derivatives of any order, number types."""

import importlib.util
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from autograd import make_vjp
from autograd.test_util import check_grads

from minikeras import config
from minikeras.ops.attention import attend, dot_product_attention

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "attention.json").read_text())


def _numbers():
    path = GOLDEN / "recipes" / "transformer.py"
    spec = importlib.util.spec_from_file_location("transformer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.numbers


numbers = _numbers()


def naive(q, k, v, bias=None, mask=None, scale=None, is_causal=False):
    """One query of one head of one sample at a time."""
    (batch, queries, heads, size), keys = q.shape, k.shape[1]
    group = heads // k.shape[2]
    scale = size**-0.5 if scale is None else scale
    full = (batch, heads, queries, keys)
    bias = np.zeros(full) if bias is None else np.broadcast_to(bias, full)
    mask = np.ones(full, bool) if mask is None else np.broadcast_to(mask, full)
    y = np.zeros((batch, queries, heads, v.shape[3]))
    for b, t, n in np.ndindex(batch, queries, heads):
        seen = [
            s for s in range(keys) if mask[b, n, t, s] and not (is_causal and s > t)
        ]
        scores = [
            scale * q[b, t, n] @ k[b, s, n // group] + bias[b, n, t, s] for s in seen
        ]
        parts = np.exp(scores - np.max(scores)) if seen else np.ones(keys)
        rows = [v[b, s, n // group] for s in seen or range(keys)]
        y[b, t, n] = sum(p * row for p, row in zip(parts, rows, strict=True)) / sum(
            parts
        )
    return y


def arrays(batch, queries, keys, heads, groups, size, width):
    return (
        numbers((batch, queries, heads, size), 1),
        numbers((batch, keys, groups, size), 2),
        numbers((batch, keys, groups, width), 3),
    )


SHAPES = [
    (1, 1, 1, 1, 1, 1, 1),
    (2, 3, 3, 2, 2, 4, 4),
    (2, 4, 5, 1, 1, 3, 2),
    (1, 5, 2, 4, 2, 1, 3),
    (3, 2, 4, 3, 1, 2, 1),
    (5, 1, 7, 2, 2, 3, 3),
]


def options(shape):
    batch, queries, keys, heads, *_ = shape
    random = np.random.RandomState(7)
    blind = random.rand(batch, 1, queries, keys) > 0.5
    blind[0, 0, 0] = False
    yield {}
    yield {"is_causal": True, "scale": 0.6}
    yield {"mask": blind}
    yield {"mask": random.rand(queries, keys) > 0.3, "is_causal": True}
    yield {"bias": random.randn(heads, 1, keys), "mask": blind}


GRID = [(shape, k) for shape, k in itertools.product(SHAPES, range(5))]
every = pytest.mark.parametrize(("shape", "option"), GRID)


def chosen(shape, option):
    return list(options(shape))[option]


@every
def test_values(shape, option):
    more = chosen(shape, option)
    q, k, v = arrays(*shape)
    expected = naive(q, k, v, **more)
    found = dot_product_attention(q, k, v, **more)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@every
def test_derivatives(shape, option):
    more = chosen(shape, option)
    check_grads(
        lambda q, k, v: dot_product_attention(q, k, v, **more),
        (0, 1, 2),
        modes=["fwd", "rev"],
        order=2,
    )(*arrays(*shape))


@pytest.mark.parametrize("one", range(3))
def test_derivatives_by_one_array_only(one):
    values = list(arrays(2, 3, 4, 2, 2, 3, 2))

    def run(x):
        given = [*values[:one], x, *values[one + 1 :]]
        return dot_product_attention(*given, is_causal=True)

    check_grads(run, modes=["fwd", "rev"], order=2)(values[one])


def test_derivatives_by_the_bias_too():
    q, k, v = arrays(2, 3, 4, 2, 2, 3, 2)
    mask = np.random.RandomState(1).rand(2, 1, 3, 4) > 0.4

    def run(q, k, v, bias):
        return dot_product_attention(q, k, v, bias=bias, mask=mask)

    check_grads(run, (0, 1, 2, 3), ["rev"], order=2)(q, k, v, numbers((1, 2, 3, 4), 4))
    check_grads(lambda b: run(q, k, v, b), order=2, modes=["rev"])(numbers((3, 1), 5))


@pytest.mark.parametrize("zero", [False, True])
def test_derivatives_with_dropout(zero):
    mask = np.random.RandomState(1).rand(2, 1, 3, 4) > 0.4
    mask[0, 0, 1] = False
    drop = 2.0 * (np.random.RandomState(2).rand(2, 2, 3, 4) > 0.5)

    def run(q, k, v):
        return attend(q, k, v, mask=mask, drop=drop, zero=zero)

    q, k, v = arrays(2, 3, 4, 2, 2, 3, 2)
    check_grads(run, (0, 1, 2), modes=["fwd", "rev"], order=2)(q, k, v)
    assert zero == (not run(q, k, v)[0, 1].any())
    scores = np.where(mask, np.einsum("btnh,bsnh->bnts", q, k) / 3**0.5, -1e30)
    p = np.exp(scores - scores.max(-1, keepdims=True))
    p = p / p.sum(-1, keepdims=True) * (mask if zero else 1) * drop
    expected = np.einsum("bnts,bsnv->btnv", p, v)
    np.testing.assert_allclose(run(q, k, v), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("case", CASES["products"], ids=lambda c: c["key"])
def test_equals_keras(case):
    with np.load(GOLDEN / "attention.npz") as file:
        values = file["values"]

    def golden(name):
        start, shape = CASES["index"][f"{case['key']}/{name}"]
        return values[start : start + int(np.prod(shape))].reshape(shape)

    inputs = [numbers(shape, 10 + k) for k, shape in enumerate(case["shapes"])]
    more = dict(case["options"])
    if "mask" in more:
        more["mask"] = np.array(CASES["masks"][more["mask"]], bool)
    if "bias" in more:
        inputs.append(numbers(more.pop("bias"), 30))

    def run(arrays):
        return dot_product_attention(*arrays, **more)

    pullback, y = make_vjp(run)(tuple(inputs))
    tolerance = {"rtol": 2e-6, "atol": 2e-6}  # Keras takes the softmax in float32
    np.testing.assert_allclose(y, golden("y"), **tolerance)
    for k, gradient in enumerate(pullback(numbers(y.shape, 90))):
        np.testing.assert_allclose(gradient, golden(f"x{k}"), **tolerance)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_number_type_stays(dtype):
    inputs = [a.astype(dtype) for a in arrays(2, 3, 4, 4, 2, 3, 2)]
    mask = np.zeros((3, 4), bool)
    pullback, y = make_vjp(lambda a: dot_product_attention(*a, mask=mask))(
        tuple(inputs)
    )
    gradients = pullback(np.ones(y.shape, dtype))
    assert y.dtype == dtype and all(g.dtype == dtype for g in gradients)
    mean = np.repeat(inputs[2].astype("float64").mean(1, keepdims=True), 2, 2)
    np.testing.assert_allclose(y, np.broadcast_to(mean, y.shape), rtol=1e-3, atol=1e-3)


def test_half_size_floats_whose_scores_are_larger_than_they_can_be():
    q = np.full((1, 2, 1, 64), 60, "float16")
    k = np.stack([np.full((1, 64), 60, "float16"), np.zeros((1, 64), "float16")])[None]
    v = np.array([1.0, 0.0], "float16").reshape(1, 2, 1, 1)
    y = dot_product_attention(q, k, v)
    assert y.dtype == np.float16 and y.ravel().tolist() == [1, 1]


def test_lists_and_whole_numbers():
    ones = np.ones((1, 2, 1, 3), int)
    y = dot_product_attention(ones, ones, ones)
    assert y.dtype == np.float32 and (y == 1).all()
    y = dot_product_attention(
        ones.tolist(), ones.tolist(), ones.tolist(), mask=[[1, 0]]
    )
    assert (y == 1).all()


def test_the_bits_do_not_depend_on_the_threads():
    inputs = [
        numbers(s, k).astype("float32") for k, s in enumerate([(33, 20, 3, 8)] * 3)
    ]
    mask = np.random.RandomState(0).rand(33, 1, 20, 20) > 0.3

    def run():
        pullback, y = make_vjp(lambda a: dot_product_attention(*a, mask=mask))(
            tuple(inputs)
        )
        return [y, *pullback(numbers(y.shape, 4).astype("float32"))]

    before = config.threads()
    try:
        config.set_threads(1)
        one = run()
        config.set_threads(4)
        many = run()
    finally:
        config.set_threads(before)
    for a, b in zip(one, many, strict=True):
        np.testing.assert_array_equal(a, b)


def test_gradients_are_not_written_into():
    inputs = arrays(2, 3, 4, 2, 2, 3, 2)
    pullback, y = make_vjp(lambda a: dot_product_attention(*a, is_causal=True))(inputs)
    g = numbers(y.shape, 4)
    before = g.copy()
    first = pullback(g)
    np.testing.assert_array_equal(g, before)
    for a, b in zip(first, pullback(g), strict=True):  # nor is what was kept
        np.testing.assert_array_equal(a, b)


Q = np.ones((2, 3, 4, 5))
REFUSED = [
    ((Q[0], Q, Q), {}, r"Received: query \(3, 4, 5\)"),
    ((Q, Q[:1], Q[:1]), {}, "must have the shape"),
    ((Q, Q[..., :2], Q), {}, "must have the shape"),
    ((Q, Q[:, :2], Q), {}, "must have the shape"),
    ((Q, Q[:, :, :3], Q[:, :, :3]), {}, "a multiple of the key's"),
    ((Q, Q[:, :0], Q[:, :0]), {}, "must have the shape"),
    ((Q, Q, Q), {"mask": np.ones((4, 3), bool)}, "`mask` must be broadcastable"),
    ((Q, Q, Q), {"bias": np.ones((1, 2, 4, 3, 3))}, "`bias` must be broadcastable"),
    ((Q, Q, Q), {"flash_attention": True}, "are for GPUs and TPUs"),
    ((Q, Q, Q), {"attn_logits_soft_cap": 1.0}, "are for GPUs and TPUs"),
]


@pytest.mark.parametrize(("inputs", "more", "message"), REFUSED)
def test_refused(inputs, more, message):
    with pytest.raises(ValueError, match=message):
        dot_product_attention(*inputs, **more)
