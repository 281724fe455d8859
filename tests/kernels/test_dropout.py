"""Masks of dropout by their moments, and the product against its formula."""

import numpy as np
import pytest

from minikeras.kernels import blocking, dropout


def generator(seed=0):
    return np.random.Generator(np.random.SFC64(seed))


@pytest.mark.parametrize("rate", [0, 0.001, 0.1, 0.25, 1 / 3, 0.5, 0.995, 0.999, 1])
def test_share_of_what_is_dropped(rate):
    count = 1 << 22
    found = dropout.kept(generator(), (count,), rate)
    assert found.dtype == bool
    assert abs((~found).mean() - rate) <= 4 * np.sqrt(rate * (1 - rate) / count)


def test_a_rate_between_two_bytes_is_no_byte():
    """The nearest rates that bytes can tell are 25 / 256 and 26 / 256."""
    count = 1 << 22
    dropped = (~dropout.kept(generator(1), (count,), 0.1)).mean()
    assert 25.3 / 256 < dropped < 25.9 / 256


@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (3, 0), (3, 5), (2, 3, 11)])
def test_shapes(shape):
    found = dropout.kept(generator(), shape, 0.5)
    assert found.shape == shape


@pytest.mark.parametrize("rate", [0.5, 0.1])
def test_neighbours_are_independent(rate):
    flat = dropout.kept(generator(2), (1 << 20,), rate).astype(float) - (1 - rate)
    for apart in (1, 2, 7, 8, 64):
        together = (flat[apart:] * flat[:-apart]).mean() / (rate * (1 - rate))
        assert abs(together) < 4 / np.sqrt(flat.size)


def test_the_same_seed_gives_the_same_mask():
    one, again = (dropout.kept(generator(5), (1000,), 0.3) for _ in range(2))
    np.testing.assert_array_equal(one, again)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("mask_shape", [(6, 50), (6, 1), (1, 50)])
@pytest.mark.parametrize("piece", [1 << 18, 16])
def test_product(dtype, mask_shape, piece, monkeypatch):
    monkeypatch.setattr(blocking, "PIECE", piece)
    x = generator().standard_normal((6, 50)).astype(dtype)
    kept = dropout.kept(generator(), mask_shape, 0.5)
    y = dropout.drop(x, kept, 2.0)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.where(kept, 2 * x, 0))
