"""Adaptive pooling layers: what golden/shapes does not hold."""

import numpy as np
import pytest

from minikeras.layers.adaptive_pooling import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
)


@pytest.mark.parametrize("size", [3, 7, 49])
def test_as_many_windows_as_cells_is_the_input(size):
    # Keras 3.15.1 on JAX rounds the windows' bounds and has nan here for 7.
    x = np.random.default_rng(0).normal(size=(2, size, 3)).astype("f")
    np.testing.assert_array_equal(AdaptiveAveragePooling1D(size)(x), x)


def test_output_size_does_not_depend_on_the_input():
    layer = AdaptiveAveragePooling2D((2, 3))
    for shape in [(1, 5, 5, 2), (3, 1, 8, 2), (0, 4, 4, 2)]:
        assert layer(np.ones(shape, "f")).shape == (shape[0], 2, 3, 2)
    assert layer.compute_output_shape((None, None, None, 4)) == (None, 2, 3, 4)
    first = AdaptiveAveragePooling2D((2, 3), "channels_first")
    assert first.compute_output_shape((None, 4, None, None)) == (None, 4, 2, 3)


def test_integers_become_floats():
    y = AdaptiveAveragePooling1D(1)(np.array([1, 2]).reshape(1, 2, 1))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y, [[[1.5]]])


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: AdaptiveMaxPooling2D(0), "AdaptiveMaxPooling2D: `output_size`"),
        (lambda: AdaptiveMaxPooling2D((1, 2, 3)), "tuple of 2"),
        (lambda: AdaptiveMaxPooling3D(2.5), "output_size=2.5"),
        (lambda: AdaptiveMaxPooling2D(1, "last"), "data_format='last'"),
    ],
)
def test_refused_arguments(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_refused_inputs():
    with pytest.raises(ValueError, match="4 axes"):
        AdaptiveMaxPooling2D(2)(np.ones((2, 3, 4), "f"))
    with pytest.raises(ValueError, match=r"at least one cell.*\(2, 0, 3, 1\)"):
        AdaptiveMaxPooling2D(2)(np.ones((2, 0, 3, 1), "f"))
