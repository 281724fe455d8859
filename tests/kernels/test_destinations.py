"""Gradients that are made where they are wanted."""

import threading

import numpy as np
import pytest

import minikeras as keras
from minikeras import Variable, ops
from minikeras.kernels import conv, conv_fourier, dense, destinations, products
from minikeras.kernels.windows import geometry
from minikeras.ops import nn
from minikeras.training.step import backpropagate
from minikeras.variables import ParameterVector


def test_the_first_gradient_of_each_weight_has_its_place():
    a, b, place = np.zeros((2, 3)), np.zeros((2, 3)), np.ones((2, 3))
    with destinations.of_gradients([a], [place]):
        other = destinations.gradient_of(b, a.dtype)
        assert other is not place and other.shape == (2, 3)
        assert destinations.gradient_of(a, a.dtype) is place
        second = destinations.gradient_of(a, a.dtype)
        assert second is not place and not np.shares_memory(second, place)
    assert destinations.gradient_of(a, a.dtype) is not place


def test_a_gradient_of_another_type_has_not():
    a, place = np.zeros(4), np.zeros(4)
    with destinations.of_gradients([a], [place]):
        found = destinations.gradient_of(a, np.dtype("float32"))
        assert found is not place and found.dtype == "float32"


def test_nor_have_gradients_of_other_threads():
    a, place, found = np.zeros(4), np.zeros(4), []
    with destinations.of_gradients([a], [place]):
        thread = threading.Thread(
            target=lambda: found.append(destinations.gradient_of(a, a.dtype))
        )
        thread.start()
        thread.join()
        assert found[0] is not place
        with destinations.of_gradients([], []):
            assert destinations.gradient_of(a, a.dtype) is not place
        assert destinations.gradient_of(a, a.dtype) is place


def test_after_an_error_there_are_none():
    a, place = np.zeros(4), np.zeros(4)
    with pytest.raises(KeyError), destinations.of_gradients([a], [place]):
        raise KeyError
    assert destinations.gradient_of(a, a.dtype) is not place


def test_dense_layers_write_there():
    rng = np.random.default_rng(0)
    for rows in (3, 300):
        x, w, g = rng.normal(size=(rows, 40)), np.zeros((40, 50)), np.ones((rows, 50))
        place = np.full(w.shape, np.nan)
        with destinations.of_gradients([w], [place]):
            dw = dense.backward(x, w, None, g)[1]
        assert dw is place
        np.testing.assert_allclose(dw, x.T @ g, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("slabs", [1, 4])
@pytest.mark.parametrize("by_transforms", [True, False])
def test_convolutions_write_there(by_transforms, slabs, monkeypatch):
    monkeypatch.setattr(products, "multiplies_unpacked", lambda: True)
    monkeypatch.setattr(conv_fourier, "MOST_TOGETHER", 1e9 if by_transforms else 0)
    where = geometry((6, 5), (3, 3), (1, 1), "same")
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(4, 6, 5, 3)), rng.normal(size=(3, 3, 3, 2))
    g = rng.normal(size=(4, 6, 5, 2))
    wanted = conv.filter_gradient(x, g, where)
    if slabs > 1:
        monkeypatch.setattr(conv_fourier, "SLAB_BYTES", 1)
    place = np.full(w.shape, np.nan)
    with destinations.of_gradients([w], [place]):
        dw = conv.backward(x, w, None, g, where)[1]
    assert dw is place
    np.testing.assert_allclose(dw, wanted, rtol=0, atol=1e-12)


@pytest.mark.parametrize("uses", [1, 2, 3])
def test_a_weight_that_is_used_several_times(uses):
    rng = np.random.default_rng(0)
    kernel = Variable(rng.normal(size=(5, 5)), name="kernel")
    bias = Variable(rng.normal(size=5), name="bias")
    x = rng.normal(size=(4, 5)).astype(kernel.dtype)

    def loss():
        h = x
        for _ in range(uses):
            h = ops.tanh(ops.matmul(h, kernel) + bias)
        for _ in range(uses):
            h = nn.dense(h, kernel, bias, relu=False)
        return ops.sum(h * h), None

    plain = backpropagate(loss, [kernel, bias])
    places = [np.full(v.shape, np.nan, v.dtype) for v in (kernel, bias)]
    found = backpropagate(loss, [kernel, bias], places)
    assert found[0] == plain[0]
    for one, other in zip(found[2], plain[2], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_gradient_taken_within_a_backward_pass_has_places_of_its_own():
    kernel = Variable(np.array([[2.0, 3.0], [5.0, 7.0]]), name="kernel")
    x, inner = np.ones((1, 2)), []

    @ops.custom_gradient
    def watched(h):
        def back(g):
            found = backpropagate(
                lambda: (ops.sum(nn.dense(x, kernel, None, relu=False) * 10), None),
                [kernel],
            )
            inner.append(found[2][0])
            return g

        return h, back

    def loss():
        return ops.sum(watched(nn.dense(x, kernel, None, relu=False))), None

    place = np.full((2, 2), np.nan)
    outer = backpropagate(loss, [kernel], [place])[2][0]
    assert outer is place
    np.testing.assert_array_equal(outer, np.ones((2, 2)))
    np.testing.assert_array_equal(inner[0], np.full((2, 2), 10.0))


def test_training_has_the_kernels_gradients_made_in_place(monkeypatch):
    found = []
    collect = ParameterVector.collect

    def recorded(self, gradients):
        found.append([g is p for g, p in zip(gradients, self.places(), strict=True)])
        return collect(self, gradients)

    monkeypatch.setattr(ParameterVector, "collect", recorded)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            keras.layers.Conv2D(3, 3, use_bias=False),
            keras.layers.Flatten(),
            keras.layers.Dense(4, use_bias=False),
        ]
    )
    model.compile("sgd", "mse")
    model.train_on_batch(np.ones((2, 6, 6, 2)), np.ones((2, 4)))
    assert found == [[True, True]]
