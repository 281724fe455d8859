"""Pooling, reshaping, padding and upsampling layers against real Keras."""

import json
from pathlib import Path

import autograd
import numpy as np
import pytest

from minikeras.layers.layer import family
from minikeras.layers.padding import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from minikeras.layers.reshaping import Permute, RepeatVector, Reshape
from minikeras.layers.upsampling import UpSampling1D, UpSampling2D, UpSampling3D
from minikeras.utils import clear_session

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "shapes.json").read_text())["cases"]
MODULES = ["global_pooling", "adaptive_pooling", "reshaping", "padding", "upsampling"]


@pytest.fixture(scope="module")
def arrays():
    with np.load(GOLDEN / "shapes.npz") as file:
        return {key: file[key] for key in file.files}


def pattern(shape, modulus):
    k = np.arange(int(np.prod(shape)), dtype="int64")
    return (
        ((k * k * 7 + k * 13 + 5) % modulus - modulus // 2).astype("f").reshape(shape)
    )


def sorted_json(config):
    return json.dumps(config, sort_keys=True)


@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=lambda i: f"{i}-{CASES[i]['class_name']}"
)
def test_as_keras(number, arrays):
    case = CASES[number]
    clear_session()
    cls = family.find(case["class_name"])
    layer = cls(**case["arguments"])
    assert sorted_json(layer.get_config()) == sorted_json(case["config"])
    free = (None, *case["input_shape"][1:])
    assert layer.compute_output_shape(free) == tuple(case["output_shape"])
    x = pattern(case["input_shape"], case["modulus"])
    before = x.copy()
    y = layer(x)
    assert y.dtype == np.float32
    close(y, arrays[f"{number}/y"])
    weights = pattern(y.shape, 31)
    dx = autograd.grad(lambda x: (layer(x) * weights).sum())(x)
    assert dx.dtype == np.float32
    close(dx, arrays[f"{number}/dx"])
    np.testing.assert_array_equal(x, before)
    again = cls.from_config(json.loads(json.dumps(layer.get_config())))
    assert again.get_config() == layer.get_config()


def close(ours, keras_value):
    assert ours.shape == keras_value.shape
    scale = max(1, np.abs(keras_value).max())
    np.testing.assert_allclose(ours, keras_value, rtol=0, atol=1e-6 * scale)


def test_the_golden_cases_hold_every_class():
    assert {case["class_name"] for case in CASES} == {
        cls.__name__
        for cls in map(family.find, family.names)
        if cls.__module__.removeprefix("minikeras.layers.") in MODULES
        and cls.__name__ != "Flatten"
    }


@pytest.mark.parametrize("dtype", ["int32", "float64"])
@pytest.mark.parametrize(
    "layer, shape",
    [
        (Reshape((6,)), (2, 2, 3)),
        (Permute((2, 1)), (2, 2, 3)),
        (RepeatVector(2), (2, 3)),
        (ZeroPadding1D(1), (2, 2, 3)),
        (Cropping1D(1), (2, 3, 3)),
        (UpSampling1D(2), (2, 2, 3)),
    ],
)
def test_integers_stay_integers_and_floats_become_the_layers(layer, shape, dtype):
    expected = "float32" if dtype == "float64" else dtype
    assert layer(np.ones(shape, dtype)).dtype == expected


@pytest.mark.parametrize(
    "layer, input_shape, output_shape",
    [
        (Reshape((-1, 3)), (None, None, 3), (None, None, 3)),
        (Reshape((2, 3)), (None, None, 3), (None, 2, 3)),
        (Reshape((None, 3)), (None, 6), (None, 2, 3)),
        (Reshape(()), (None, 1), (None,)),
        (Permute((2, 1)), (None, None, 3), (None, 3, None)),
        (ZeroPadding1D(2), (None, None, 3), (None, None, 3)),
        (ZeroPadding2D(2), (None, None, 4, 3), (None, None, 8, 3)),
        (Cropping1D(2), (None, None, 3), (None, None, 3)),
        (Cropping2D(1), (None, None, 4, 3), (None, None, 2, 3)),
        (UpSampling1D(2), (None, None, 3), (None, None, 3)),
        (UpSampling2D(2), (None, None, 4, 3), (None, None, 8, 3)),
        (UpSampling3D(2), (None, 1, None, 4, 3), (None, 2, None, 8, 3)),
    ],
)
def test_sizes_that_vary(layer, input_shape, output_shape):
    assert layer.compute_output_shape(input_shape) == output_shape


def test_reshape_with_none_computes_the_size():
    assert Reshape((None, 3))(np.ones((2, 6), "f")).shape == (2, 2, 3)


@pytest.mark.parametrize("batch", [0, 1])
@pytest.mark.parametrize("how", ["nearest", "bicubic"])
def test_upsampling_of_few_samples(batch, how):
    layer = UpSampling2D((2, 3), interpolation=how)
    assert layer(np.ones((batch, 3, 2, 4), "f")).shape == (batch, 6, 6, 4)


@pytest.mark.parametrize("how", ["bilinear", "bicubic", "lanczos3", "lanczos5"])
def test_interpolation_of_a_constant_is_constant(how):
    x = np.full((1, 9, 40, 3), 2, "f")
    y = UpSampling2D((4, 3), interpolation=how)(x)
    np.testing.assert_allclose(y, 2, rtol=1e-6)


def test_interpolated_integers_are_rounded_as_in_keras():
    x = np.array([0, 3, 1, 10]).reshape(1, 2, 2, 1)
    y = UpSampling2D(2, interpolation="bilinear")(x)[0, :, :, 0]
    assert y.dtype == x.dtype
    expected = [[0, 1, 2, 3], [0, 1, 4, 5], [1, 3, 6, 8], [1, 3, 8, 10]]
    np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: Reshape((-1, -1)), "at most one of them -1.*Received"),
        (lambda: Reshape((None, -1)), "at most one"),
        (lambda: Reshape((-2, 3)), r"target_shape=\(-2, 3\)"),
        (lambda: Reshape((2.5, 3)), "Reshape: `target_shape` must be a tuple"),
        (lambda: Reshape(6), "target_shape=6"),
        (lambda: Permute((0, 1)), "Permute: `dims`.*0 is the batch"),
        (lambda: Permute((1, 1)), r"dims=\(1, 1\)"),
        (lambda: Permute(1), "dims=1"),
        (lambda: RepeatVector(0), "RepeatVector: `n` must be a positive integer"),
        (lambda: RepeatVector(2.0), "n=2.0"),
        (lambda: ZeroPadding1D(-1), "ZeroPadding1D: `padding` must be an integer or"),
        (lambda: ZeroPadding1D((1, 2, 3)), r"padding=\(1, 2, 3\)"),
        (lambda: ZeroPadding1D(((1, 2),)), "a pair"),
        (lambda: ZeroPadding2D((1, -2)), "two pairs.*none of them negative"),
        (lambda: ZeroPadding2D("same"), "padding='same'"),
        (lambda: ZeroPadding2D(1, "last"), "data_format"),
        (lambda: ZeroPadding3D((1, 2)), "three pairs"),
        (lambda: Cropping1D(1.5), "Cropping1D: `cropping`.*cropping=1.5"),
        (lambda: Cropping2D(True), "cropping=True"),
        (lambda: Cropping2D(((1, 2), (3,))), r"cropping=\(\(1, 2\), \(3,\)\)"),
        (lambda: Cropping3D(-1), "three pairs"),
        (lambda: Cropping1D(1, data_format="channels_first"), "unrecognized"),
        (lambda: UpSampling1D(0), "UpSampling1D: `size` must be a positive integer"),
        (lambda: UpSampling1D((2,)), r"size=\(2,\)"),
        (lambda: UpSampling1D(2, data_format="channels_first"), "unrecognized"),
        (lambda: UpSampling2D((2, 0)), "UpSampling2D: `size`"),
        (lambda: UpSampling2D(2, interpolation="area"), "'lanczos5'.*'area'"),
        (lambda: UpSampling3D((2, 2)), "UpSampling3D: `size`.*tuple of 3"),
    ],
)
def test_refused_arguments(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    "layer, shape, words",
    [
        (Reshape((4,), name="r"), (2, 5), "Reshape 'r'.*has 5 numbers.*target_shape"),
        (Reshape((-1, 4)), (2, 6), "has 6 numbers"),
        (Reshape((-1, 0)), (2, 6), "has 6 numbers"),
        (Permute((2, 1)), (2, 3), "3 axes"),
        (RepeatVector(2), (2, 3, 4), "2 axes"),
        (Cropping1D((1, 2)), (2, 3, 4), r"cropping=\(1, 2\) leaves nothing of axis 1"),
        (Cropping2D(1), (2, 5, 2, 4), r"axis 2.*\(2, 5, 2, 4\)"),
        (Cropping3D(1), (2, 3, 3, 1, 1), "axis 3"),
        (ZeroPadding2D(1), (2, 3, 4), "4 axes"),
        (UpSampling2D(2), (2, 3, 4), "4 axes"),
    ],
)
def test_refused_inputs(layer, shape, words):
    with pytest.raises(ValueError, match=words):
        layer(np.ones(shape, "f"))
