"""What SpectralNormalization changes around the layer, and what it leaves alone."""

import numpy as np

import minikeras as keras
from minikeras import layers
from minikeras.training.step import backpropagate


def wrapped():
    layer = layers.SpectralNormalization(
        layers.Dense(3, use_bias=False, kernel_regularizer=keras.regularizers.L1(0.1)),
        power_iterations=50,
    )
    layer.build((None, 4))
    layer.layer.kernel = np.random.default_rng(0).normal(size=(4, 3))
    return layer


X = np.ones((2, 4), "float32")


def test_regularizer_sees_the_normalised_kernel_in_training():
    layer = wrapped()
    kernel = layer.kernel.copy()
    divided = kernel / np.linalg.norm(kernel, 2)

    def loss():
        layer(X, training=True)
        return sum(layer.losses), None

    value, _, (gradient,) = backpropagate(loss, layer.trainable_weights)
    np.testing.assert_allclose(value, 0.1 * np.abs(divided).sum(), rtol=1e-5)
    np.testing.assert_array_equal(layer.kernel, kernel)
    # d sigma / d kernel = u v^T, the singular vectors of the largest singular value
    u, sigma, v = np.linalg.svd(kernel)
    slope = 0.1 * np.sign(kernel) / sigma[0]
    slope = slope - np.sum(slope * kernel) / sigma[0] * np.outer(u[:, 0], v[0])
    np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-6)
    layer(X)
    plain = 0.1 * np.abs(kernel).sum()
    np.testing.assert_allclose(sum(layer.losses), plain, rtol=1e-5)


def test_stateless_call_leaves_the_kernel_alone():
    layer = wrapped()
    before = layer.get_weights()
    other = np.random.default_rng(1).normal(size=(4, 3)).astype("float32")
    y, (vector_u,), losses = layer.stateless_call(
        [other], [before[1]], X, training=True, return_losses=True
    )
    divided = other / np.linalg.norm(other, 2)
    np.testing.assert_allclose(y, X @ divided, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(sum(losses), 0.1 * np.abs(divided).sum(), rtol=1e-5)
    assert not np.array_equal(vector_u, before[1])
    for now, then in zip(layer.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
