"""Global pooling: what golden/shapes does not hold."""

import autograd
import numpy as np
import pytest

from minikeras.layers.global_pooling import (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
)
from minikeras.layers.layer import family


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("kind, short", [("Max", "Max"), ("Average", "Avg")])
def test_aliases(rank, kind, short):
    long = family.find(f"Global{kind}Pooling{rank}D")
    assert family.find(f"Global{short}Pool{rank}D") is long


def test_equal_maxima_share_the_gradient():
    layer = GlobalMaxPooling2D()
    x = np.float32([[0, 2], [2, 2]]).reshape(1, 2, 2, 1)
    dx = autograd.grad(lambda x: layer(x).sum())(x)
    third = np.float32(1) / 3
    np.testing.assert_allclose(dx.ravel(), [0, third, third, third])


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("kind", [bool, int, np.float32])
def test_masked_mean(data_format, keepdims, kind):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 5, 2)).astype("f")
    mask = np.array([[1, 1, 0, 0, 0], [1, 1, 1, 1, 1], [0, 1, 0, 1, 0]])
    x[0, 3] = np.nan  # masked values do not matter
    expected = np.stack(
        [x[i, row == 1].mean(axis=0) for i, row in enumerate(mask)], axis=0
    )
    layer = GlobalAveragePooling1D(data_format, keepdims)
    first = data_format == "channels_first"
    given = np.moveaxis(x, 1, 2) if first else x
    y = layer(given, mask=mask.astype(kind))
    if keepdims:
        expected = expected[:, :, None] if first else expected[:, None]
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    assert y.dtype == np.float32
    dx = autograd.grad(lambda x: layer(x, mask=mask).sum())(given)
    share = mask / mask.sum(axis=1, keepdims=True)
    share = np.repeat(share[:, :, None], 2, axis=2)
    np.testing.assert_allclose(dx, np.moveaxis(share, 1, 2) if first else share)
    assert dx.dtype == np.float32


def test_one_mask_for_all_samples_and_the_mask_ends_here():
    layer = GlobalAveragePooling1D()
    x = np.arange(8, dtype="f").reshape(2, 4, 1)
    np.testing.assert_allclose(layer(x, mask=[[1, 0, 0, 1]])[:, 0], [1.5, 5.5])
    assert layer.compute_mask(x, np.ones((2, 4))) is None


def test_nothing_left_by_the_mask_is_nan_as_in_keras():
    with pytest.warns(RuntimeWarning, match="invalid value"):
        y = GlobalAveragePooling1D()(np.ones((1, 2, 1), "f"), mask=[[0, 0]])
    assert np.isnan(y).all()


def test_integers_become_floats():
    y = GlobalAveragePooling2D()(np.arange(4).reshape(1, 2, 2, 1))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, [[1.5]])


def test_mean_of_many_cells_is_accurate():
    x = np.full((2, 300, 300, 2), 0.1, "f")
    y = GlobalAveragePooling2D()(x)
    np.testing.assert_allclose(y, x[0, 0, 0, 0], rtol=1e-6)


def test_refused_arguments():
    with pytest.raises(ValueError, match="GlobalMaxPooling2D: `keepdims`.*'yes'"):
        GlobalMaxPooling2D(keepdims="yes")
    with pytest.raises(ValueError, match="data_format='last'"):
        GlobalMaxPooling2D("last")
    with pytest.raises(ValueError, match="4 axes"):
        GlobalMaxPooling2D()(np.ones((2, 3, 4), "f"))
    wrong = np.ones((2, 3))
    with pytest.raises(ValueError, match=r"\(batch, steps\), here \(2, 4\).*\(2, 3\)"):
        GlobalAveragePooling1D()(np.ones((2, 4, 1), "f"), mask=wrong)
