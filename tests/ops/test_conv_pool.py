"""Convolution and max pooling in one pass, against the two one after the other."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad, make_vjp
from autograd.test_util import check_grads
from hypothesis import given
from hypothesis import strategies as st

from minikeras.kernels import blocking
from minikeras.kernels.windows import geometry
from minikeras.ops.conv_pool import conv_pool_bias, fits
from minikeras.ops.convolution import conv_bias
from minikeras.ops.pooling import max_windows


def one_after_the_other(x, w, bias, where, pool, relu):
    y = conv_bias(x, w, bias, geometry=where, relu=relu)
    return max_windows(y, geometry=pool)


def shapes(sizes, kernel, strides, padding, window):
    where = geometry(sizes, kernel, strides, padding)
    return where, geometry(where.out, window, window, "valid")


# sizes, channels, kernel, strides, padding, pooling window
CASES = [
    ((6, 6), 1, (3, 3), (1, 1), "valid", (2, 2)),
    ((7, 8), 2, (3, 2), (1, 1), "same", (2, 2)),
    ((9, 9), 6, (3, 3), (1, 1), "valid", (2, 2)),
    ((8, 7), 6, (3, 3), (1, 1), "same", (3, 2)),
    ((9, 11), 1, (2, 3), (2, 1), "valid", (2, 3)),
    ((9, 11), 7, (2, 3), (2, 2), "same", (1, 2)),
    ((5, 5), 20, (1, 1), (1, 1), "valid", (2, 2)),
    ((13,), 1, (3,), (1,), "valid", (2,)),
    ((13,), 8, (3,), (1,), "same", (3,)),
    ((4, 5, 4), 1, (2, 2, 2), (1, 1, 1), "same", (2, 2, 2)),
    ((4, 5, 4), 9, (2, 2, 2), (1, 1, 1), "valid", (1, 2, 2)),
]


def draw(case, dtype="float64", count=3, filters=4):
    sizes, channels, kernel, *_ = case
    rng = np.random.default_rng(len(sizes) * 10 + channels)
    x = rng.normal(size=(count, *sizes, channels)).astype(dtype)
    w = rng.normal(size=(*kernel, channels, filters)).astype(dtype)
    return x, w, rng.normal(size=filters).astype(dtype)


@pytest.fixture(params=["one slice", "many slices"])
def cut(request, monkeypatch):
    if request.param == "many slices":
        monkeypatch.setattr(blocking, "MIN_SLICE_WORK", 0)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_equals_one_after_the_other(case, with_bias, relu, cut):
    sizes, _, *rest = case
    where, pool = shapes(sizes, *rest)
    assert fits(where, pool)
    x, w, bias = draw(case)
    bias = bias if with_bias else None
    y = conv_pool_bias(x, w, bias, geometry=where, pool=pool, relu=relu)
    expected = one_after_the_other(x, w, bias, where, pool, relu)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)
    g = np.random.default_rng(2).normal(size=y.shape)
    g.flags.writeable = False
    for argnum in range(3 if with_bias else 2):
        back, _ = make_vjp(
            lambda *a: conv_pool_bias(*a, geometry=where, pool=pool, relu=relu), argnum
        )(x, w, bias)
        plain, _ = make_vjp(
            lambda *a: one_after_the_other(*a, where, pool, relu), argnum
        )(x, w, bias)
        for _ in range(2):  # the second time with what the first one left
            np.testing.assert_allclose(back(g), plain(g), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("relu", [False, True])
def test_ties_go_to_the_first_cell(relu):
    where, pool = shapes((4, 4), (1, 1), (1, 1), "valid", (2, 2))
    x = np.array([[1.0, 1, 0, 2], [1, 1, 2, 0], [-1, -2, 3, 3], [-2, -1, 3, 3]])
    x = np.repeat(x.reshape(1, 4, 4, 1), 20, -1)
    w = np.eye(20).reshape(1, 1, 20, 20)
    slopes = elementwise_grad(
        lambda x: anp.sum(
            conv_pool_bias(x, w, None, geometry=where, pool=pool, relu=relu)
        )
    )(x)[0, :, :, 0]
    expected = np.zeros((4, 4))
    expected[[0, 0, 2], [0, 3, 2]] = 1
    expected[2, 0] = 0 if relu else 1
    np.testing.assert_array_equal(slopes, expected)


@pytest.mark.parametrize("case", [CASES[1], CASES[3], CASES[7], CASES[8]], ids=str)
@pytest.mark.parametrize("relu", [False, True])
def test_derivatives_of_second_order(case, relu):
    sizes, _, *rest = case
    where, pool = shapes(sizes, *rest)
    check_grads(
        lambda x, w, b: conv_pool_bias(x, w, b, geometry=where, pool=pool, relu=relu),
        (0, 1, 2),
        modes=["fwd", "rev"],
        order=2,
    )(*draw(case, count=2, filters=2))


@pytest.mark.parametrize("case", CASES[:4], ids=str)
def test_float32(case):
    sizes, _, *rest = case
    where, pool = shapes(sizes, *rest)
    x, w, bias = draw(case, "float32")
    wide = draw(case)

    def total(*arrays):
        y = conv_pool_bias(*arrays, geometry=where, pool=pool, relu=True)
        return anp.sum(y * y)

    for argnum in range(3):
        first = elementwise_grad(total, argnum)
        got = first(x, w, bias)
        assert got.dtype == "float32"
        np.testing.assert_allclose(got, first(*wide), rtol=2e-5, atol=2e-4)
        again = elementwise_grad(lambda *a, f=first: anp.sum(f(*a) ** 2), argnum)
        assert again(x, w, bias).dtype == "float32"


@given(
    size=st.integers(1, 9),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    window=st.integers(2, 3),
    channels=st.sampled_from([1, 3, 8]),
    padding=st.sampled_from(["valid", "same"]),
)
def test_any_shape_along_one_axis(size, kernel, stride, window, channels, padding):
    where, pool = shapes((size,), (kernel,), (stride,), padding, (window,))
    if not fits(where, pool):
        assert pool.positions == 0 or where.positions == 0
        return
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(2, size, channels)), rng.normal(size=(kernel, channels, 3))
    args = x, w, rng.normal(size=3)
    y = conv_pool_bias(*args, geometry=where, pool=pool, relu=True)
    expected = one_after_the_other(*args, where, pool, True)
    np.testing.assert_allclose(y, expected, rtol=1e-12, atol=1e-12)


def test_what_does_not_fit():
    where, pool = shapes((6, 6), (3, 3), (1, 1), "valid", (2, 2))
    assert not fits(where, pool._replace(strides=(1, 1)))
    assert not fits(where, geometry((5, 5), (2, 2), (2, 2), "same"))
    assert not fits(where._replace(dilation=(2, 2)), pool)
    assert not fits(where, shapes((6, 6), (3, 3), (1, 1), "valid", (5, 5))[1])
