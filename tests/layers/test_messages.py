"""The errors that a newcomer meets: who, what was expected, what came, what to do."""

import re

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers
from minikeras.layers import Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D


@pytest.fixture(autouse=True)
def _fresh():
    keras.utils.clear_session()


def ones(*shape):
    return np.ones(shape, "float32")


def net(*more, shape):
    return keras.Sequential([Input(shape), *more])


def built(layer, *shape):
    layer.build(shape)
    return layer


ADVICE = "Did you leave out the batch axis? For one sample pass `x[None]`"

# what is done, then every piece that the message must have
REFUSED = {
    "rank for Dense": (
        lambda: Dense(1)(ones(3)),
        ["Layer Dense 'dense'", "at least 2 axes", "shape (3,)", ADVICE],
    ),
    "rank for Conv2D": (
        lambda: Conv2D(1, 1)(ones(2, 4)),
        ["Layer Conv2D 'conv2d'", "4 axes", "(2, 4)", "(4,) per sample"],
    ),
    "one image for Conv2D": (
        lambda: Conv2D(1, 1)(ones(8, 8, 3)),
        ["Conv2D", "(8, 8, 3)", ADVICE],
    ),
    "rank for pooling": (
        lambda: MaxPooling2D()(ones(2, 4)),
        ["Layer MaxPooling2D 'max_pooling2d'", "4 axes", "(2, 4)"],
    ),
    "one image for pooling": (
        lambda: layers.AveragePooling2D()(ones(8, 8, 3)),
        ["'average_pooling2d'", ADVICE],
    ),
    "a number for Flatten": (
        lambda: Flatten()(3.0),
        ["Layer Flatten 'flatten'", "at least 1 axes", "shape ()"],
    ),
    "another last axis": (
        lambda: built(Dense(2, name="out"), None, 4)(ones(2, 5)),
        ["Dense 'out'", "size 4 on axis -1", "(2, 5)", "(5,) per sample"],
    ),
    "other channels": (
        lambda: built(Conv2D(2, 3), None, 8, 8, 3)(ones(2, 8, 8, 1)),
        ["Conv2D 'conv2d'", "size 3 on axis -1", "(8, 8, 1) per sample"],
    ),
    "other channels, first": (
        lambda: built(Conv2D(2, 3, data_format="channels_first"), None, 3, 8, 8)(
            ones(2, 1, 8, 8)
        ),
        ["size 3 on axis 1", "(1, 8, 8) per sample"],
    ),
    "one sample for a model": (
        lambda: net(Dense(1), shape=(4,))(ones(4)),
        ["Sequential 'sequential'", "samples of shape (4,)", "(None, 4)", ADVICE],
    ),
    "one image for predict": (
        lambda: net(Conv2D(1, 3), shape=(8, 8, 3)).predict(ones(8, 8, 3), verbose=0),
        ["samples of shape (8, 8, 3)", ADVICE],
    ),
    "other samples for a model": (
        lambda: net(Dense(1), shape=(4,)).predict(ones(2, 5), verbose=0),
        ["expects samples of shape (4,)", "(2, 5)", "(5,) per sample"],
    ),
    "negative units": (
        lambda: Dense(-1),
        ["Dense: `units` must be a positive integer. Received: units=-1"],
    ),
    "units in words": (lambda: Dense("three"), ["Received: units='three'"]),
    "units with a fraction": (lambda: Dense(3.0), ["Received: units=3.0"]),
    "units as a flag": (lambda: Dense(True), ["Received: units=True"]),
    "negative filters": (
        lambda: Conv2D(-1, 3),
        ["Conv2D: `filters` must be a positive integer. Received: filters=-1"],
    ),
    "no filters": (lambda: Conv2D(0, 3), ["Received: filters=0"]),
    "kernel of three sizes": (
        lambda: Conv2D(1, (1, 2, 3)),
        ["Conv2D: `kernel_size`", "tuple of 2", "kernel_size=(1, 2, 3)"],
    ),
    "kernel of size zero": (lambda: Conv2D(1, 0), ["kernel_size", "=0"]),
    "kernel in words": (lambda: Conv2D(1, "3"), ["kernel_size='3'"]),
    "no strides": (lambda: Conv2D(1, 1, strides=0), ["strides", "=0"]),
    "pool of size zero": (lambda: MaxPooling2D(0), ["MaxPooling2D: `pool_size`"]),
    "kernel larger than the input": (
        lambda: net(Conv2D(1, 5), shape=(3, 3, 1)),
        [
            "Layer Conv2D 'conv2d'",
            "window of (5, 5)",
            "does not fit into an input of (3, 3) with padding='valid'",
            'use padding="same" or a smaller window',
        ],
    ),
    "dilated kernel larger than the input": (
        lambda: Conv2D(1, 3, dilation_rate=2)(ones(1, 4, 4, 1)),
        ["window of (3, 3), dilation (2, 2)", "input of (4, 4)"],
    ),
    "pool larger than the input": (
        lambda: MaxPooling2D(5)(ones(1, 3, 3, 1)),
        ["MaxPooling2D 'max_pooling2d'", "window of (5, 5)", "(3, 3)"],
    ),
    "a built layer on a smaller input": (
        lambda: built(Conv2D(1, 3), None, None, None, 1)(ones(1, 2, 9, 1)),
        ["does not fit into an input of (2, 9)"],
    ),
    "strides and dilation": (
        lambda: Conv2D(1, 2, strides=2, dilation_rate=3),
        ["cannot both be above 1", "strides=2, dilation_rate=3"],
    ),
    "filters and groups": (
        lambda: Conv2D(3, 1, groups=2),
        ["`filters` must be divisible by `groups`", "filters=3, groups=2"],
    ),
    "channels and groups": (
        lambda: net(Conv2D(2, 1, groups=2), shape=(3, 3, 3)),
        ["must be divisible by `groups`", "3 channels, groups=2"],
    ),
    "padding": (
        lambda: Conv2D(1, 1, padding="sane"),
        ["`padding` must be one of 'valid', 'same'", "Did you mean 'same'?"],
    ),
    "causal padding of images": (
        lambda: Conv2D(1, 1, padding="causal"),
        ["Received: padding='causal'"],
    ),
    "data format": (
        lambda: Conv2D(1, 1, data_format="last"),
        ["'channels_last' or 'channels_first'", "data_format='last'"],
    ),
    "activation": (
        lambda: Dense(1, activation="rellu"),
        ["Unknown activation: 'rellu'", "Did you mean 'relu'"],
    ),
    "activation layer": (
        lambda: layers.Activation("softmx"),
        ["Unknown activation: 'softmx'", "Did you mean 'softmax'"],
    ),
    "initializer": (
        lambda: Dense(1, kernel_initializer="glorot_unifrom"),
        ["Unknown initializer: 'glorot_unifrom'", "Did you mean 'glorot_uniform'"],
    ),
    "regularizer": (
        lambda: Dense(1, kernel_regularizer="l3"),
        ["Unknown regularizer: 'l3'", "Did you mean"],
    ),
    "constraint": (
        lambda: Conv2D(1, 1, kernel_constraint="nonneg_"),
        ["Unknown constraint: 'nonneg_'", "Did you mean"],
    ),
    "keyword": (
        lambda: Dense(1, unit=3),
        ["Dense: unrecognized keyword arguments: unit", "Did you mean 'units'?"],
    ),
    "keyword of a convolution": (
        lambda: Conv2D(1, 1, stride=2),
        ["unrecognized keyword arguments: stride", "'strides'"],
    ),
    "two keywords": (
        lambda: Dense(1, kernel_init="ones", colour="red"),
        ["kernel_init, colour", "'kernel_initializer'"],
    ),
    "keyword of a model": (
        lambda: keras.layers.Layer(input_shap=(3,)),
        ["unrecognized keyword arguments: input_shap"],
    ),
    "unknown last axis": (
        lambda: net(Dense(1), shape=(None,)),
        ["Layer Dense 'dense' needs to know the size of axis -1", "(None, None)"],
    ),
    "unknown axis after Flatten": (
        lambda: net(Flatten(), Dense(1), shape=(None, 3)),
        ["Layer Dense 'dense' needs to know the size of axis -1"],
    ),
    "unknown channels": (
        lambda: net(Conv2D(1, 1), shape=(8, 8, None)),
        ["Layer Conv2D 'conv2d' needs to know the size of axis -1"],
    ),
    "lora": (
        lambda: Dense(1, lora_rank=4),
        ["Dense: `lora_rank` is not offered; leave it out."],
    ),
    "rate above one": (
        lambda: Dropout(1.5),
        ["Dropout: `rate` must be a number from 0 to 1", "rate=1.5"],
    ),
    "rate in percent": (lambda: Dropout(50), ["rate=50"]),
    "rate as a flag": (lambda: Dropout(True), ["rate=True"]),
    "noise shape": (
        lambda: Dropout(0.5, noise_shape="x"),
        ["`noise_shape` must be a tuple", "noise_shape='x'"],
    ),
    "input without a shape": (
        lambda: Input(),
        ["InputLayer needs `shape`", "(28, 28, 1)", "shape=None, batch_shape=None"],
    ),
    "input with two shapes": (
        lambda: Input((3,), batch_shape=(None, 3)),
        ["InputLayer needs `shape`", "shape=(3,), batch_shape=(None, 3)"],
    ),
    "input of words": (
        lambda: Input(("a", 3)),
        ["InputLayer: every size must be a whole number", "'a'"],
    ),
    "negative input": (
        lambda: Input((-3,)),
        ["InputLayer: every size must be a whole number", "-3"],
    ),
    "sparse input": (lambda: Input((3,), sparse=True), ["`sparse`", "not offered"]),
    "input of an unknown type": (
        lambda: Input((3,), dtype="text"),
        ["InputLayer: `dtype` must be a type of numbers", "dtype='text'"],
    ),
    "input_shape of words": (
        lambda: Dense(1, input_shape=("a",)),
        ["Dense: `input_shape` must be a tuple of sizes", "('a',)"],
    ),
    "number type": (
        lambda: Dense(1, dtype="int8"),
        ["Dense: `dtype` must be one of float16, float32, float64", "'int8'"],
    ),
    "mixed precision": (
        lambda: Dense(1, dtype="mixed_float16"),
        ["mixed and bfloat16 policies are not offered", "'mixed_float16'"],
    ),
    "name": (lambda: Dense(1, name="a/b"), ["string without '/'", "name='a/b'"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    action, pieces = REFUSED[case]
    with pytest.raises(ValueError) as error:
        action()
    for piece in pieces:
        assert piece in str(error.value)


def test_no_message_has_an_unfilled_field():
    for action, _ in REFUSED.values():
        with pytest.raises(ValueError) as error:
            action()
        text = str(error.value)
        assert not re.search(r"\{\w+", text)
        assert "  " not in text and not text.startswith(" ")


def test_the_advice_about_the_batch_axis_comes_only_when_it_fits():
    for action in (
        lambda: Conv2D(1, 1)(ones(2, 4)),
        lambda: Conv2D(1, 1)(ones(2, 4, 4, 4, 1)),
        lambda: net(Dense(1), shape=(4,))(ones(2, 5)),
        lambda: built(Dense(2), None, 4)(ones(2, 5)),
    ):
        with pytest.raises(ValueError) as error:
            action()
        assert "batch axis?" not in str(error.value)


def test_what_is_allowed_after_all():
    assert Dense(np.int64(3)).units == 3
    assert Conv2D(np.int32(2), [3, np.int64(2)]).kernel_size == (3, 2)
    assert Conv2D(1, 1, padding="SAME").padding == "same"
    assert Dropout(0).rate == 0 and Dropout(1).rate == 1
    assert Dense(1, lora_rank=None, quantization_config=None).units == 1
    assert Dense(1, dtype=np.float64).dtype == "float64"
    assert Dense(1, dtype="float16")(ones(2, 3)).dtype == np.float16
    assert Conv2D(1, 2, strides=(1, 1), dilation_rate=2).dilation_rate == (2, 2)


# InputSpec --------------------------------------------------------------------------


def refusal(spec, shape):
    with pytest.raises(ValueError) as error:
        spec.check(shape, "Layer X 'x'")
    return str(error.value)


def test_input_spec():
    spec = layers.InputSpec(min_ndim=2, max_ndim=3, axes={-1: 4, 1: None})
    spec.check((1, 4), "")
    spec.check((None, 5, 4), "")
    spec.check((1, 4, None), "")  # not known is not wrong
    assert "at least 2 axes" in refusal(spec, (4,))
    assert "at most 3 axes" in refusal(spec, (1, 2, 3, 4))
    assert "size 4 on axis -1" in refusal(spec, (1, 5))
    exact = layers.InputSpec(shape=(None, 3, 4))
    assert exact.ndim == 3
    exact.check((7, 3, 4), "")
    exact.check((7, None, 4), "")
    assert "3 axes" in refusal(exact, (3, 4))
    assert "shape (None, 3, 4)" in refusal(exact, (7, 2, 4))
    assert refusal(exact, (7, 2, 4)).startswith("Layer X 'x' expects an input with")


def test_input_spec_repr():
    assert (
        repr(layers.InputSpec(ndim=4, axes={1: 3})) == "InputSpec(ndim=4, axes={1: 3})"
    )
    assert repr(layers.InputSpec()) == "InputSpec()"


def test_a_spec_of_ones_own():
    class Pairs(layers.Layer):
        def __init__(self):
            super().__init__()
            self.input_spec = layers.InputSpec(ndim=2, axes={1: 2})

        def call(self, x):
            return x

    Pairs()(ones(3, 2))
    with pytest.raises(ValueError, match="Layer Pairs 'pairs_1' expects"):
        Pairs()(ones(3, 3))
