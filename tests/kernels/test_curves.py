"""Activations in pieces against the plain formulas, bit for bit."""

import numpy as np
import pytest

from minikeras import config
from minikeras.kernels import blocking, curves

SPECIAL = [
    0.0,
    -0.0,
    np.inf,
    -np.inf,
    np.nan,
    1e-30,
    -1e-30,
    88.0,
    -88.0,
    104.0,
    -104.0,
]
LAYOUTS = {
    "one run": lambda a: a,
    "transposed": lambda a: np.ascontiguousarray(a.T).T,
    "every second": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
}
TYPES = ["float16", "float32", "float64"]


@pytest.fixture(params=[1, 3], autouse=True)
def threads(request):
    config.set_threads(request.param)


@pytest.fixture(params=[1 << 18, 64], ids=["whole", "pieces"])
def piece(request, monkeypatch):
    monkeypatch.setattr(blocking, "PIECE", request.param)


def numbers(dtype, seed=0, scale=3.0):
    drawn = np.random.default_rng(seed).normal(0, scale, (37, 29)).astype(dtype)
    drawn.flat[: len(SPECIAL)] = SPECIAL
    return drawn


def plain_sigmoid(x):
    one = np.ones((), x.dtype)
    decay = np.exp(-np.abs(x))
    return np.where(x >= 0, one, decay) / (one + decay)


def same(found, expected):
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.filterwarnings("ignore:(overflow|invalid):RuntimeWarning")
def test_curves(dtype, layout, piece):
    x = LAYOUTS[layout](numbers(dtype))
    x.flags.writeable = False
    same(curves.tanh(x), np.tanh(x))
    same(curves.sigmoid(x), plain_sigmoid(x))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.filterwarnings("ignore:(overflow|invalid):RuntimeWarning")
def test_slopes(dtype, layout, piece):
    g, x = LAYOUTS[layout](numbers(dtype, 1)), numbers(dtype)
    g.flags.writeable = False
    y = np.tanh(x)
    same(curves.tanh_backward(g, y), g - g * y * y)
    y = plain_sigmoid(x)
    same(curves.sigmoid_backward(g, y), g * (y - y * y))


@pytest.mark.parametrize("shape", [(), (0, 3), (1,)])
def test_small_shapes(shape):
    x = np.full(shape, 0.5)
    for found in (curves.tanh(x), curves.sigmoid(x), curves.tanh_backward(x, x)):
        assert found.shape == shape and isinstance(found, np.ndarray)


def test_known_values():
    x = np.array([-1.0, 0.0, 1.0])
    e = 2.718281828459045
    np.testing.assert_allclose(curves.sigmoid(x), [1 / (1 + e), 0.5, e / (1 + e)])
    np.testing.assert_allclose(curves.tanh(x)[2], (e * e - 1) / (e * e + 1))


GELU = 0.044715 * np.sqrt(8 / np.pi), np.sqrt(8 / np.pi)


def inner(x, cubic):
    if cubic is None:
        return x
    bend, slope = (x.dtype.type(number) for number in cubic)
    return x * (x * x * bend + slope)


@pytest.mark.parametrize("cubic", [None, GELU], ids=["silu", "gelu"])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.filterwarnings("ignore:(overflow|invalid):RuntimeWarning")
def test_gates(dtype, layout, cubic, piece):
    x = LAYOUTS[layout](numbers(dtype))
    x.flags.writeable = False
    same(curves.gate(x, cubic), x * plain_sigmoid(inner(x, cubic)))


@pytest.mark.parametrize("cubic", [None, GELU], ids=["silu", "gelu"])
def test_slopes_of_gates(cubic, piece):
    x = np.random.default_rng(0).normal(0, 3, (37, 29))
    g = np.random.default_rng(1).normal(size=x.shape)
    step = 1e-5
    rise = curves.gate(x + step, cubic) - curves.gate(x - step, cubic)
    slopes = curves.gate_backward(g, x, cubic)
    np.testing.assert_allclose(slopes, g * rise / (2 * step), 1e-7, 1e-8)
    single = curves.gate_backward(g.astype("f4"), x.astype("f4"), cubic)
    np.testing.assert_allclose(single, slopes, 1e-4, 1e-5)
    assert single.dtype == np.float32


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.6732632423543772])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.filterwarnings("ignore:(overflow|invalid):RuntimeWarning")
def test_elu(dtype, layout, alpha, piece):
    x, g = LAYOUTS[layout](numbers(dtype)), LAYOUTS[layout](numbers(dtype, 1))
    one, scale = np.ones((), dtype), np.asarray(alpha, dtype)
    y = np.where(x > 0, x, np.expm1(np.minimum(x, one * 0)) * scale)
    same(curves.elu(x, alpha), y)
    slope = np.where(y > 0, one, y + scale)
    finite = np.isfinite(y)
    found = curves.elu_backward(g, y, alpha)
    same(found[finite], (g * slope)[finite])
    rest = np.where(np.isnan(y), np.nan, g)  # of infinity and of what is no number
    same(found[~finite], rest[~finite].astype(dtype))
