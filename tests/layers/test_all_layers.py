"""One table of all layers, and what must hold for each of them."""

import inspect
from dataclasses import dataclass, field

import numpy as np
import pytest

import minikeras as keras
from minikeras import config, layers
from minikeras.training.step import backpropagate


@dataclass
class Row:
    """A layer, the shapes of one sample going in and coming out, and its weights.

    A wrapper gets the layer of another row, under the name `inner`; weights are named
    by their paths below the layer, such as `inner/kernel`.
    """

    name: str
    arguments: dict
    shape: tuple
    output: tuple
    weights: dict = field(default_factory=dict)
    fixed: dict = field(default_factory=dict)  # weights that do not train
    keeps_integers: bool = False  # as in Keras: it only moves the numbers
    numbers: int = 0  # takes whole numbers below this
    wraps: "Row | None" = None
    order: tuple = ()  # of all weights, if those that do not train are not the last
    idle: tuple = ()  # weights that only a call in training uses

    def make(self, **more):
        arguments = {**self.arguments, **more}
        if self.wraps:
            shared = {"dtype": more["dtype"]} if "dtype" in more else {}
            arguments["layer"] = self.wraps.make(name="inner", **shared)
        return getattr(layers, self.name)(**arguments)

    def __str__(self):
        parts = [self.name, *(f"{k}={v}" for k, v in self.arguments.items())]
        return "-".join([*parts, str(self.wraps)] if self.wraps else parts)


def conv(arguments, output, kernel, bias=True):
    weights = {"kernel": kernel, **({"bias": kernel[-1:]} if bias else {})}
    return Row("Conv2D", arguments, (5, 6, 2), output, weights)


def pools(rank, arguments, shape, output):
    names = (f"MaxPooling{rank}D", f"AveragePooling{rank}D")
    return [Row(name, arguments, shape, output) for name in names]


def scales(size):
    return {"gamma": (size,), "beta": (size,)}


def statistics(size):
    return {"moving_mean": (size,), "moving_variance": (size,)}


def spectral(inner, iterations):
    """SpectralNormalization around the layer of a row."""
    first, *rest = (f"inner/{name}" for name in inner.weights)
    shapes = {f"inner/{name}": shape for name, shape in inner.weights.items()}
    return Row(
        "SpectralNormalization",
        {"power_iterations": iterations},
        inner.shape,
        inner.output,
        shapes,
        {"vector_u": (1, shapes[first][-1])},
        numbers=inner.numbers,
        wraps=inner,
        order=(first, "vector_u", *rest),
        idle=("vector_u",),
    )


def recurrent_weights(cell, features, gates, bias, units=4):
    return {
        f"{cell}/kernel": (features, gates * units),
        f"{cell}/recurrent_kernel": (units, gates * units),
        f"{cell}/bias": bias,
    }


def recurrent(name, gates, bias):
    cell = {"SimpleRNN": "simple_rnn"}.get(name, name.lower()) + "_cell"
    weights = recurrent_weights(cell, 2, gates, bias)
    backwards = {"go_backwards": True, "return_sequences": True}
    return [
        Row(name, {"units": 4}, (3, 2), (4,), weights),
        Row(name, {"units": 4, **backwards}, (3, 2), (3, 4), weights),
    ]


@keras.utils.register_keras_serializable("tests")
def same(x):
    return x


SAME = {"padding": "same"}
ROWS = [
    Row("Activation", {"activation": "tanh"}, (3, 2), (3, 2)),
    Row("Activation", {"activation": "relu"}, (3, 2), (3, 2)),
    Row("Activation", {"activation": "softmax"}, (3, 2), (3, 2)),
    Row("Dense", {"units": 4}, (6,), (4,), {"kernel": (6, 4), "bias": (4,)}),
    Row(
        "Dense",
        {"units": 4, "activation": "relu", "bias_initializer": "ones"},
        (5, 6),
        (5, 4),
        {"kernel": (6, 4), "bias": (4,)},
    ),
    Row(
        "Dense",
        {"units": 3, "use_bias": False, "activation": "sigmoid"},
        (2, 3, 6),
        (2, 3, 3),
        {"kernel": (6, 3)},
    ),
    conv({"filters": 4, "kernel_size": 3}, (3, 4, 4), (3, 3, 2, 4)),
    conv(
        {"filters": 4, "kernel_size": (2, 3), "strides": 2, "activation": "relu"}
        | SAME,
        (3, 3, 4),
        (2, 3, 2, 4),
    ),
    conv(
        {"filters": 4, "kernel_size": 2, "groups": 2, "use_bias": False},
        (4, 5, 4),
        (2, 2, 1, 4),
        bias=False,
    ),
    conv(
        {"filters": 3, "kernel_size": 2, "dilation_rate": 2, "activation": "tanh"},
        (3, 4, 3),
        (2, 2, 2, 3),
    ),
    Row("Dropout", {"rate": 0.4}, (8, 3), (8, 3)),
    Row("Dropout", {"rate": 0.4, "noise_shape": (None, 1, 3)}, (8, 3), (8, 3)),
    Row("Flatten", {}, (3, 2, 2), (12,), keeps_integers=True),
    Row("Flatten", {}, (7,), (7,), keeps_integers=True),
    Row("InputLayer", {"shape": (3, 2)}, (3, 2), (3, 2), keeps_integers=True),
    *pools(1, {}, (5, 2), (2, 2)),
    *pools(1, {"pool_size": 3, "strides": 1} | SAME, (5, 2), (5, 2)),
    *pools(2, {}, (4, 5, 2), (2, 2, 2)),
    *pools(2, {"pool_size": (3, 2), "strides": (1, 2)} | SAME, (4, 5, 2), (4, 3, 2)),
    *pools(3, {}, (4, 2, 5, 2), (2, 1, 2, 2)),
    *pools(3, {"pool_size": 2, "strides": 1} | SAME, (3, 2, 3, 2), (3, 2, 3, 2)),
    Row("ReLU", {"max_value": 1.0, "negative_slope": 0.1}, (3, 2), (3, 2)),
    Row("LeakyReLU", {}, (3, 2), (3, 2)),
    Row("ELU", {"alpha": 0.5}, (3, 2), (3, 2)),
    Row("Softmax", {"axis": [1, 2]}, (3, 2), (3, 2)),
    Row("PReLU", {"alpha_initializer": "ones"}, (3, 2), (3, 2), {"alpha": (3, 2)}),
    Row(
        "PReLU",
        {"alpha_initializer": "ones", "shared_axes": [1, 2]},
        (3, 4, 2),
        (3, 4, 2),
        {"alpha": (1, 1, 2)},
    ),
    Row("Identity", {}, (3, 2), (3, 2), keeps_integers=True),
    Row("ActivityRegularization", {"l2": 0.1}, (3, 2), (3, 2), keeps_integers=True),
    Row("GaussianNoise", {"stddev": 0.4}, (8, 3), (8, 3)),
    Row("GaussianDropout", {"rate": 0.4}, (8, 3), (8, 3)),
    Row("AlphaDropout", {"rate": 0.4}, (8, 3), (8, 3)),
    Row("SpatialDropout1D", {"rate": 0.4}, (8, 3), (8, 3)),
    Row("SpatialDropout2D", {"rate": 0.4}, (4, 2, 3), (4, 2, 3)),
    Row("SpatialDropout3D", {"rate": 0.4}, (4, 2, 2, 3), (4, 2, 2, 3)),
    Row(
        "Lambda",
        {"function": same, "output_shape": (3, 2)},
        (3, 2),
        (3, 2),
        keeps_integers=True,
    ),
    Row(
        "EinsumDense",
        {"equation": "abc,cde->abde", "output_shape": (None, 2, 4), "bias_axes": "de"},
        (3, 6),
        (3, 2, 4),
        {"kernel": (6, 2, 4), "bias": (2, 4)},
    ),
    Row(
        "EinsumDense",
        {
            "equation": "...x,xy->...y",
            "output_shape": 4,
            "activation": "relu",
            "bias_axes": "y",
        },
        (6,),
        (4,),
        {"kernel": (6, 4), "bias": (4,)},
    ),
    Row("BatchNormalization", {}, (4, 3), (4, 3), scales(3), statistics(3)),
    Row("BatchNormalization", {"axis": 1}, (4, 3), (4, 3), scales(4), statistics(4)),
    Row(
        "LayerNormalization",
        {"axis": [1, 2]},
        (4, 3),
        (4, 3),
        {"gamma": (4, 3), "beta": (4, 3)},
    ),
    Row("GroupNormalization", {"groups": 2}, (5, 4), (5, 4), scales(4)),
    Row("RMSNormalization", {}, (4, 3), (4, 3), {"scale": (3,)}),
    Row(
        "Embedding",
        {"input_dim": 5, "output_dim": 4},
        (3,),
        (3, 4),
        {"embeddings": (5, 4)},
        numbers=5,
    ),
    Row("UnitNormalization", {}, (4, 3), (4, 3)),
    Row("GlobalAveragePooling1D", {}, (7, 3), (3,)),
    Row("GlobalAveragePooling2D", {"keepdims": True}, (6, 5, 3), (1, 1, 3)),
    Row("GlobalAveragePooling3D", {}, (4, 2, 3, 2), (2,)),
    Row("AdaptiveAveragePooling1D", {"output_size": 3}, (7, 2), (3, 2)),
    Row("AdaptiveAveragePooling2D", {"output_size": (2, 3)}, (5, 7, 2), (2, 3, 2)),
    Row("AdaptiveAveragePooling3D", {"output_size": 2}, (3, 4, 5, 2), (2, 2, 2, 2)),
    Row("GlobalMaxPooling1D", {}, (7, 3), (3,), keeps_integers=True),
    Row(
        "GlobalMaxPooling2D",
        {"keepdims": True},
        (6, 5, 3),
        (1, 1, 3),
        keeps_integers=True,
    ),
    Row("GlobalMaxPooling3D", {}, (4, 2, 3, 2), (2,), keeps_integers=True),
    Row("AdaptiveMaxPooling1D", {"output_size": 3}, (7, 2), (3, 2)),
    Row("AdaptiveMaxPooling2D", {"output_size": (2, 3)}, (5, 7, 2), (2, 3, 2)),
    Row("AdaptiveMaxPooling3D", {"output_size": 2}, (3, 4, 5, 2), (2, 2, 2, 2)),
    Row("Reshape", {"target_shape": (-1, 2)}, (3, 4), (6, 2), keeps_integers=True),
    Row("Permute", {"dims": (2, 1)}, (3, 4), (4, 3), keeps_integers=True),
    Row("RepeatVector", {"n": 3}, (4,), (3, 4), keeps_integers=True),
    Row("ZeroPadding1D", {"padding": (1, 2)}, (4, 3), (7, 3), keeps_integers=True),
    Row(
        "ZeroPadding2D",
        {"padding": ((1, 0), (2, 2))},
        (4, 4, 3),
        (5, 8, 3),
        keeps_integers=True,
    ),
    Row("ZeroPadding3D", {}, (2, 2, 2, 1), (4, 4, 4, 1), keeps_integers=True),
    Row("Cropping1D", {}, (5, 3), (3, 3), keeps_integers=True),
    Row(
        "Cropping2D",
        {"cropping": ((1, 0), (2, 2))},
        (6, 6, 3),
        (5, 2, 3),
        keeps_integers=True,
    ),
    Row("Cropping3D", {}, (4, 4, 4, 2), (2, 2, 2, 2), keeps_integers=True),
    Row("UpSampling1D", {"size": 3}, (4, 2), (12, 2), keeps_integers=True),
    Row("UpSampling2D", {}, (3, 4, 2), (6, 8, 2), keeps_integers=True),
    Row(
        "UpSampling3D",
        {"size": (1, 2, 3)},
        (2, 2, 2, 1),
        (2, 4, 6, 1),
        keeps_integers=True,
    ),
    Row(
        "Conv1D",
        {"filters": 4, "kernel_size": 3, "padding": "causal"},
        (6, 2),
        (6, 4),
        {"kernel": (3, 2, 4), "bias": (4,)},
    ),
    Row(
        "Conv3D",
        {"filters": 3, "kernel_size": 2, "strides": 2, "activation": "relu"},
        (4, 5, 4, 2),
        (2, 2, 2, 3),
        {"kernel": (2, 2, 2, 2, 3), "bias": (3,)},
    ),
    Row(
        "Conv1DTranspose",
        {"filters": 3, "kernel_size": 3, "strides": 2},
        (4, 2),
        (9, 3),
        {"kernel": (3, 3, 2), "bias": (3,)},
    ),
    Row(
        "Conv2DTranspose",
        {"filters": 3, "kernel_size": 3, "strides": 2, "padding": "same"},
        (3, 4, 2),
        (6, 8, 3),
        {"kernel": (3, 3, 3, 2), "bias": (3,)},
    ),
    Row(
        "Conv3DTranspose",
        {"filters": 2, "kernel_size": 2, "use_bias": False},
        (2, 3, 2, 2),
        (3, 4, 3, 2),
        {"kernel": (2, 2, 2, 2, 2)},
    ),
    Row(
        "DepthwiseConv1D",
        {"kernel_size": 3, "depth_multiplier": 2},
        (6, 2),
        (4, 4),
        {"kernel": (3, 2, 2), "bias": (4,)},
    ),
    Row(
        "DepthwiseConv2D",
        {"kernel_size": 3, "padding": "same", "activation": "relu"},
        (4, 5, 2),
        (4, 5, 2),
        {"kernel": (3, 3, 2, 1), "bias": (2,)},
    ),
    Row(
        "SeparableConv1D",
        {"filters": 3, "kernel_size": 2},
        (6, 2),
        (5, 3),
        {
            "depthwise_kernel": (2, 2, 1),
            "pointwise_kernel": (1, 2, 3),
            "bias": (3,),
        },
    ),
    Row(
        "SeparableConv2D",
        {"filters": 3, "kernel_size": 3, "depth_multiplier": 2, "strides": 2},
        (5, 7, 2),
        (2, 3, 3),
        {
            "depthwise_kernel": (3, 3, 2, 2),
            "pointwise_kernel": (1, 1, 4, 3),
            "bias": (3,),
        },
    ),
    spectral(
        Row("Dense", {"units": 4}, (6,), (4,), {"kernel": (6, 4), "bias": (4,)}), 3
    ),
    spectral(
        conv(
            {"filters": 4, "kernel_size": 3, "use_bias": False},
            (3, 4, 4),
            (3, 3, 2, 4),
            bias=False,
        ),
        1,
    ),
    spectral(
        Row(
            "Embedding",
            {"input_dim": 5, "output_dim": 4},
            (3,),
            (3, 4),
            {"embeddings": (5, 4)},
            numbers=5,
        ),
        1,
    ),
    Row("Masking", {}, (3, 2), (3, 2), keeps_integers=True),
    *recurrent("SimpleRNN", 1, (4,)),
    *recurrent("LSTM", 4, (16,)),
    *recurrent("GRU", 3, (2, 12)),
    Row(
        "GRU",
        {"units": 4, "reset_after": False, "activation": "softsign"},
        (3, 2),
        (4,),
        recurrent_weights("gru_cell", 2, 3, (12,)),
    ),
    Row(
        "Bidirectional",
        {},
        (3, 2),
        (3, 8),
        {
            f"{way}_inner/{name}": shape
            for way in ("forward", "backward")
            for name, shape in recurrent_weights("lstm_cell", 2, 4, (16,)).items()
        },
        wraps=Row("LSTM", {"units": 4, "return_sequences": True}, (), ()),
    ),
    Row(
        "TimeDistributed",
        {},
        (3, 4, 5, 2),
        (3, 3, 3, 2),
        {"inner/kernel": (2, 3, 2, 2), "inner/bias": (2,)},
        wraps=Row("Conv2D", {"filters": 2, "kernel_size": (2, 3)}, (), ()),
    ),
    Row(
        "TimeDistributed",
        {},
        (4, 3),
        (4, 3),
        wraps=Row("Dropout", {"rate": 0.4}, (), ()),
    ),
    Row("Rescaling", {"scale": 0.5, "offset": [1.0, 2.0]}, (3, 2), (3, 2)),
    Row(
        "Normalization",
        {},
        (3, 2),
        (3, 2),
        fixed={"mean": (2,), "variance": (2,), "count": ()},
    ),
    Row(
        "Normalization",
        {"axis": None, "invert": True},
        (3,),
        (3,),
        fixed={"mean": (), "variance": (), "count": ()},
    ),
    Row("Normalization", {"mean": [1.0, 2.0], "variance": [4.0, 0.5]}, (3, 2), (3, 2)),
    Row(
        "CategoryEncoding",
        {"num_tokens": 5, "output_mode": "count"},
        (3,),
        (5,),
        numbers=5,
    ),
    Row(
        "CategoryEncoding",
        {"num_tokens": 5, "output_mode": "one_hot"},
        (3,),
        (3, 5),
        numbers=5,
    ),
    Row(
        "Discretization",
        {"bin_boundaries": [-1.0, 0.0, 1.0], "output_mode": "multi_hot"},
        (3,),
        (4,),
    ),
    Row("CenterCrop", {"height": 3, "width": 2}, (5, 6, 2), (3, 2, 2)),
    Row("CenterCrop", {"height": 7, "width": 3}, (5, 6, 2), (7, 3, 2)),
    Row(
        "Resizing",
        {"height": 8, "width": 3, "interpolation": "nearest"},
        (5, 6, 2),
        (8, 3, 2),
        keeps_integers=True,
    ),
    # Random layers are active by default: these have factors without an effect.
    Row("RandomCrop", {"height": 5, "width": 6}, (5, 6, 2), (5, 6, 2)),
    Row("RandomFlip", {"mode": "vertical"}, (1, 6, 2), (1, 6, 2)),
    Row("RandomRotation", {"factor": 0.0}, (5, 6, 2), (5, 6, 2)),
    Row(
        "RandomTranslation",
        {"height_factor": 0.0, "width_factor": 0.0},
        (5, 6, 2),
        (5, 6, 2),
    ),
    Row("RandomZoom", {"height_factor": 0.0}, (5, 6, 2), (5, 6, 2)),
    Row("RandomContrast", {"factor": 0.0}, (5, 6, 2), (5, 6, 2)),
]
TRAINABLE = [row for row in ROWS if row.weights]
WITH_LAYOUT = [
    row
    for row in ROWS
    if "data_format" in inspect.signature(getattr(layers, row.name).__init__).parameters
    and len(row.shape) > 1
]

OWN_PRECISION = ("LayerNormalization", "GroupNormalization")

NOT_IN_TABLE = {
    **dict.fromkeys(
        (
            "AdditiveAttention",
            "Attention",
            "GroupQueryAttention",
            "MultiHeadAttention",
        ),
        "several inputs; tests/layers/test_attention.py",
    ),
    **dict.fromkeys(
        (
            "Add",
            "Average",
            "Concatenate",
            "Dot",
            "Maximum",
            "Minimum",
            "Multiply",
            "Subtract",
        ),
        "several inputs; tests/layers/test_merging.py",
    ),
    **dict.fromkeys(
        (
            "add",
            "average",
            "concatenate",
            "dot",
            "maximum",
            "minimum",
            "multiply",
            "subtract",
        ),
        "a function",
    ),
    **dict.fromkeys(
        (
            "HashedCrossing",
            "Hashing",
            "IntegerLookup",
            "StringLookup",
            "TextVectorization",
        ),
        "texts and whole numbers; tests/layers/preprocessing",
    ),
    **dict.fromkeys(
        ("GRUCell", "LSTMCell", "RNN", "SimpleRNNCell", "StackedRNNCells"),
        "cells and states; tests/layers/test_recurrent.py",
    ),
    "Wrapper": "a base class; tests/layers/test_wrappers.py",
    "Pipeline": "made of layers; tests/layers/augmentation",
    "RandomBrightness": "whole numbers stay; tests/layers/augmentation",
    "Layer": "the base class; tests/layers/test_layer.py",
    "InputSpec": "not a layer; tests/layers/test_messages.py",
    "Input": "a function that makes an InputLayer",
    "deserialize": "a function",
    "get": "a function",
    "serialize": "a function",
}
ALIASES = {
    **{f"Convolution{n}D": f"Conv{n}D" for n in (1, 2, 3)},
    **{f"Convolution{n}DTranspose": f"Conv{n}DTranspose" for n in (1, 2, 3)},
    **{f"SeparableConvolution{n}D": f"SeparableConv{n}D" for n in (1, 2)},
    **{f"GlobalMaxPool{n}D": f"GlobalMaxPooling{n}D" for n in (1, 2, 3)},
    **{f"GlobalAvgPool{n}D": f"GlobalAveragePooling{n}D" for n in (1, 2, 3)},
    **{f"MaxPool{n}D": f"MaxPooling{n}D" for n in (1, 2, 3)},
    **{f"AvgPool{n}D": f"AveragePooling{n}D" for n in (1, 2, 3)},
}

every_layer = pytest.mark.parametrize("row", ROWS, ids=str)
every_other_layer = pytest.mark.parametrize(  # an input is always built
    "row", [row for row in ROWS if row.name != "InputLayer"], ids=str
)
every_layer_with_settings = pytest.mark.parametrize(  # as in Keras, these have a name
    "row",
    [
        r
        for r in ROWS
        if r.name not in ("InputLayer", "Discretization")
        and "SpatialDropout" not in r.name
    ],
    ids=str,
)
every_layer_with_weights = pytest.mark.parametrize("row", TRAINABLE, ids=str)


@pytest.fixture(autouse=True)
def _repeatable():
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)


def batch(row, size=4, dtype="float32"):
    if row.numbers:
        places = np.random.default_rng(5).integers(0, row.numbers, (size, *row.shape))
        return places.astype(dtype)
    values = np.random.default_rng(5).normal(size=(size, *row.shape))
    return values.astype(dtype)


def test_every_public_layer_has_a_row():
    named = {row.name for row in ROWS}
    assert named | set(ALIASES) | set(NOT_IN_TABLE) == set(layers.__all__)


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases(alias):
    assert getattr(layers, alias) is getattr(layers, ALIASES[alias])
    serialized = {"class_name": alias, "config": {"filters": 1, "kernel_size": 1}}
    if "Conv" not in alias:
        serialized["config"] = {}
    found = layers.deserialize(serialized)
    assert type(found) is getattr(layers, alias)


# Shapes -----------------------------------------------------------------------------


@every_layer
def test_output_shape_is_the_computed_one(row):
    layer = row.make()
    known = layer.compute_output_shape((4, *row.shape))
    batch_free = layer.compute_output_shape((None, *row.shape))
    assert batch_free == (None, *row.output)
    if row.name != "InputLayer":  # knows its batch size from its own arguments
        assert known == (4, *row.output)
    assert not layer.built or row.name == "InputLayer"
    assert layer(batch(row)).shape == (4, *row.output)
    assert layer.input_shape == (None, *row.shape)
    assert layer.output_shape == (None, *row.output)


@every_layer
def test_one_sample_and_no_sample(row):
    layer = row.make()
    assert layer(batch(row, 1)).shape == (1, *row.output)
    assert layer(batch(row, 0)).shape == (0, *row.output)


@every_layer
def test_output_is_not_the_callers_array_changed(row):
    x = batch(row)
    before = x.copy()
    row.make()(x, training=True)
    np.testing.assert_array_equal(x, before)


# Weights ----------------------------------------------------------------------------


@every_layer
def test_weights(row):
    layer = row.make(name="mine")
    if row.name != "InputLayer":
        assert layer.weights == []
    layer(batch(row))
    everything = {**row.weights, **row.fixed}
    order = row.order or tuple(everything)  # kernel before bias
    assert set(order) == set(everything)
    assert [v.path for v in layer.weights] == [f"mine/{n}" for n in order]
    assert [v.name for v in layer.weights] == [n.split("/")[-1] for n in order]
    assert [v.shape for v in layer.weights] == [everything[n] for n in order]
    sizes = [int(np.prod(shape)) for shape in everything.values()]
    assert layer.count_params() == sum(sizes)
    assert [w.shape for w in layer.get_weights()] == [everything[n] for n in order]
    for found, expected in (
        (layer.trainable_weights, row.weights),
        (layer.non_trainable_weights, row.fixed),
    ):
        assert [v.path for v in found] == [f"mine/{n}" for n in expected]


@every_layer_with_weights
def test_building_does_not_need_data(row):
    layer, called = row.make(), row.make()
    layer.build((None, *row.shape))
    called(batch(row))
    assert [v.shape for v in layer.weights] == [v.shape for v in called.weights]


@every_layer_with_weights
def test_every_weight_gets_a_gradient_of_its_type(row):
    layer = row.make()
    x = batch(row)
    layer(x)
    _, _, gradients = backpropagate(
        lambda: (keras.ops.sum(keras.ops.square(layer(x))), None), layer.weights
    )
    for variable, gradient in zip(layer.weights, gradients, strict=True):
        if variable.name in row.idle:
            assert gradient is None
            continue
        assert gradient.dtype == np.float32
        assert gradient.shape == variable.shape
        assert np.any(gradient)


@every_layer_with_weights
def test_gradients_are_those_of_differences(row):
    layer = row.make(dtype="float64")
    x = batch(row, dtype="float64")
    layer(x)

    def loss():
        return keras.ops.sum(keras.ops.square(layer(x)))

    weights = [v for v in layer.weights if v.name not in row.idle]
    _, _, gradients = backpropagate(lambda: (loss(), None), weights)
    for variable, gradient in zip(weights, gradients, strict=True):
        direction = np.random.default_rng(1).normal(size=variable.shape)
        before = variable.numpy()
        step = 1e-6
        variable.assign(before + step * direction)
        above = loss()
        variable.assign(before - step * direction)
        slope = (above - loss()) / (2 * step)
        variable.assign(before)
        np.testing.assert_allclose(np.sum(gradient * direction), slope, rtol=1e-5)


# Configs ----------------------------------------------------------------------------


@every_layer
def test_config_round_trip(row):
    layer = row.make()
    x = batch(row)
    expected = layer(x)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    again(x)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x), expected)


@every_layer
def test_serialized_round_trip(row):
    layer = row.make()
    x = batch(row)
    expected = layer(x)
    serialized = layers.serialize(layer)
    assert serialized["module"] == "keras.layers"
    assert serialized["class_name"] == row.name
    assert serialized["registered_name"] is None
    again = layers.deserialize(serialized)
    assert type(again) is type(layer)
    assert again.built  # from build_config
    assert layers.serialize(again) == serialized
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(again(x), expected)


@every_layer_with_settings
def test_config_keeps_the_settings_of_all_layers(row):
    layer = row.make(name="mine", trainable=False, dtype="float64")
    again = type(layer).from_config(layer.get_config())
    assert (again.name, again.trainable, again.dtype) == ("mine", False, "float64")


# Number types -----------------------------------------------------------------------


@every_layer
def test_float32_stays(row):
    layer = row.make()
    for training in (False, True):
        assert layer(batch(row), training=training).dtype == np.float32


@every_layer
def test_float64_layer_computes_in_float64(row):
    layer = row.make(dtype="float64")
    x = batch(row, dtype="float64")
    y = layer(x)
    assert y.dtype == np.float64
    assert all(v.dtype == "float64" for v in layer.weights if v.name != "count")
    narrow = row.make()
    narrow(x)
    narrow.set_weights(layer.get_weights())
    difference = np.abs(narrow(x) - y).max()
    assert difference < 1e-5
    if row.weights:
        assert difference > 0  # it was not float32 underneath


@every_layer
@pytest.mark.parametrize("dtype", ["float64", "float16", "int32", "uint8", "bool"])
def test_inputs_become_the_layers_type(row, dtype):
    layer = row.make()
    values = batch(row) * (1 if row.numbers else 3)
    x = values.astype(dtype) if dtype != "bool" else values > 0
    if dtype == "uint8":
        x = np.abs(values).astype(dtype)
    y = layer(x)
    moved = row.keeps_integers and np.dtype(dtype).kind in "iub"
    assert y.dtype == (np.dtype(dtype) if moved else np.float32)
    expected = layer(x.astype("float32"))
    rounding = {"float16": 1e-3, "float64": 1e-6}.get(dtype, 0)
    if row.name in OWN_PRECISION:  # as in Keras, in the precision of the input
        np.testing.assert_allclose(y, expected, rtol=rounding, atol=1e-7)
    else:
        np.testing.assert_array_equal(y, expected)


@every_layer
def test_default_float_type(row):
    config.set_floatx("float64")
    try:
        assert row.make()(batch(row)).dtype == np.float64
    finally:
        config.set_floatx("float32")


@every_layer
def test_lists_are_arrays(row):
    layer = row.make()
    x = batch(row)
    np.testing.assert_array_equal(layer(x.tolist()), layer(x))


# Behaviour --------------------------------------------------------------------------


@every_layer
def test_samples_do_not_see_each_other(row):
    layer = row.make()
    x = batch(row, 7)
    together = layer(x)
    for i in range(7):
        alone = layer(x[i : i + 1])[0]
        np.testing.assert_allclose(alone, together[i], rtol=1e-6, atol=1e-6)
    order = [3, 0, 6, 1, 5, 2, 4]
    np.testing.assert_allclose(layer(x[order]), together[order], rtol=1e-6, atol=1e-6)


@every_layer
def test_memory_layout_does_not_matter(row):
    layer = row.make()
    x = batch(row, 6)
    expected = layer(x)
    for other in (np.asfortranarray(x), np.repeat(x, 2, 0)[::2], x[::-1][::-1]):
        np.testing.assert_allclose(layer(other), expected, rtol=1e-6, atol=1e-6)
    frozen = x.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(layer(frozen), expected)


@every_layer_with_weights
def test_training_lowers_the_loss(row):
    model = keras.Sequential([keras.Input(row.shape), row.make()])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    x = batch(row, 8)
    target = np.random.default_rng(9).uniform(size=(8, *row.output)).astype("float32")
    losses = [model.train_on_batch(x, target) for _ in range(30)]
    assert losses[-1] < 0.99 * losses[0]
    assert all(b <= a for a, b in zip(losses, losses[1:], strict=False))


@every_layer
def test_a_seed_repeats_everything(row):
    def run():
        keras.utils.set_random_seed(11)
        layer = row.make()
        outputs = [layer(batch(row), training=True) for _ in range(3)]
        return [*outputs, *layer.get_weights()]

    for first, second in zip(run(), run(), strict=True):
        np.testing.assert_array_equal(first, second)


@every_other_layer
def test_built_early_or_late_is_the_same(row):
    early = keras.Sequential([keras.Input(row.shape), row.make(name="it")], name="m")
    late = keras.Sequential([row.make(name="it")], name="m")
    assert early.built and not late.built
    x = batch(row)
    late(x)
    assert [v.path for v in early.weights] == [v.path for v in late.weights]
    assert [v.shape for v in early.weights] == [v.shape for v in late.weights]
    late.set_weights(early.get_weights())
    np.testing.assert_array_equal(early(x), late(x))
    assert early.output_shape == late.output_shape == (None, *row.output)


@pytest.mark.parametrize("row", WITH_LAYOUT, ids=str)
def test_channels_first_is_channels_last_with_an_axis_moved(row):
    last, first = row.make(), row.make(data_format="channels_first")
    x = batch(row)
    moved = np.moveaxis(x, -1, 1)
    expected = last(x)
    assert first.compute_output_shape(moved.shape) == first(moved).shape
    assert [v.shape for v in first.weights] == [v.shape for v in last.weights]
    first.set_weights(last.get_weights())
    found = first(moved)
    if row.name != "Flatten":  # which gives one order for both
        found = np.moveaxis(found, 1, -1)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
    assert first.get_config()["data_format"] == "channels_first"


@pytest.mark.parametrize("row", WITH_LAYOUT, ids=str)
def test_the_default_layout_is_taken_when_the_layer_is_made(row):
    config.set_image_data_format("channels_first")
    try:
        layer = row.make()
    finally:
        config.set_image_data_format("channels_last")
    assert layer.data_format == "channels_first"
    assert row.make().data_format == "channels_last"


# Values, from formulas --------------------------------------------------------------


def test_dense_values():
    layer = layers.Dense(4, "relu", bias_initializer="ones")
    x = batch(Row("Dense", {}, (5, 6), ()))
    y = layer(x)
    kernel, bias = layer.get_weights()
    expected = np.maximum(np.einsum("nti,io->nto", x, kernel) + bias, 0)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, (2, 3)])
@pytest.mark.parametrize("groups", [1, 2])
def test_conv_values(padding, strides, groups):
    layer = layers.Conv2D(
        4, (3, 2), strides, padding, groups=groups, bias_initializer="ones"
    )
    x = batch(Row("Conv2D", {}, (5, 6, 2), ()), 2)
    y = layer(x)
    kernel, bias = layer.get_weights()
    steps = (strides, strides) if isinstance(strides, int) else strides
    pads = [(0, 0), (0, 0)]
    if padding == "same":
        for axis, (n, k, s) in enumerate(zip((5, 6), (3, 2), steps, strict=True)):
            total = max((-(-n // s) - 1) * s + k - n, 0)
            pads[axis] = (total // 2, total - total // 2)
    padded = np.pad(x, [(0, 0), *pads, (0, 0)])
    per_group, filters = 2 // groups, 4 // groups
    expected = np.zeros_like(y)
    for i, j, f in np.ndindex(y.shape[1:]):
        top, left, g = i * steps[0], j * steps[1], f // filters
        window = padded[:, top : top + 3, left : left + 2]
        window = window[..., g * per_group : (g + 1) * per_group]
        expected[:, i, j, f] = (window * kernel[..., f]).sum((1, 2, 3)) + bias[f]
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name, reduce", [("Max", np.max), ("Average", np.mean)])
def test_pooling_values(name, reduce):
    layer = getattr(layers, f"{name}Pooling2D")(3, 2, "same")
    x = batch(Row("", {}, (5, 4, 2), ()), 3)
    y = layer(x)
    # 5 cells in steps of 2: one cell of padding on both sides; 4: one after the last.
    rows = [slice(0, 2), slice(1, 4), slice(3, 5)]
    columns = [slice(0, 3), slice(2, 4)]
    for i, r in enumerate(rows):
        for j, c in enumerate(columns):
            expected = reduce(x[:, r, c], axis=(1, 2))
            np.testing.assert_allclose(y[:, i, j], expected, rtol=1e-6)


def test_flatten_gives_one_order_for_both_layouts():
    x = np.arange(12.0).reshape(1, 3, 2, 2)  # channels last
    np.testing.assert_array_equal(layers.Flatten()(x)[0], np.arange(12))
    first = layers.Flatten("channels_first")(np.moveaxis(x, -1, 1))
    np.testing.assert_array_equal(first[0], np.arange(12))


def test_dropout_drops_scales_and_repeats():
    x = np.ones((200, 100), "float32")
    layer = layers.Dropout(0.25, seed=3)
    assert layer(x) is x
    assert layer(x, training=False) is x
    y = layer(x, training=True)
    np.testing.assert_allclose(np.unique(y), [0, 1 / 0.75])
    assert abs((y == 0).mean() - 0.25) < 5 * np.sqrt(0.25 * 0.75 / y.size)
    assert not np.array_equal(layer(x, training=True), y)
    np.testing.assert_array_equal(layers.Dropout(0.25, seed=3)(x, training=True), y)


@pytest.mark.parametrize("dtype", ["uint8", "int32", "bool", "float64"])
def test_dropout_of_other_types_computes_in_floats(dtype):
    y = layers.Dropout(0.2)(np.ones((50, 50), dtype), training=True)
    assert y.dtype == np.float32
    np.testing.assert_allclose(np.unique(y), [0, 1.25])


def test_dropout_at_the_ends_and_with_a_shared_mask():
    x = np.ones((4, 5, 6), "float32")
    np.testing.assert_array_equal(layers.Dropout(0)(x, training=True), x)
    np.testing.assert_array_equal(layers.Dropout(1.0)(x, training=True), 0 * x)
    y = layers.Dropout(0.5, noise_shape=(None, 1, None))(x, training=True)
    np.testing.assert_array_equal(y, np.repeat(y[:, :1], 5, axis=1))
    assert len(np.unique(y)) == 2


def test_dropout_lets_gradients_through_where_it_kept():
    layer = layers.Dropout(0.5, seed=1)
    scale = keras.Variable(np.ones((3, 4), "float32"))
    outputs = []

    def loss():
        outputs.append(layer(scale * 1.0, training=True))
        return keras.ops.sum(outputs[-1]), None

    _, _, (gradient,) = backpropagate(loss, [scale])
    np.testing.assert_array_equal(gradient, outputs[-1]._value)
