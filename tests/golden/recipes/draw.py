"""Drawing random Sequential models for the feedforward set."""

import keras
import numpy as np
from keras import constraints, layers, regularizers

ACTIVATIONS = ("relu", "tanh", "sigmoid", "softmax", "linear", "elu", "softplus")
POOLS = {
    ("max", 1): layers.MaxPooling1D,
    ("max", 2): layers.MaxPooling2D,
    ("max", 3): layers.MaxPooling3D,
    ("average", 1): layers.AveragePooling1D,
    ("average", 2): layers.AveragePooling2D,
    ("average", 3): layers.AveragePooling3D,
}
FAMILIES = (
    "dense2",
    "image",
    "pool1",
    "dense3",
    "image",
    "pool3",
    "dense4",
    "channels_first",
    "image",
    "pool2",
    "dense5",
    "pool3",
    "pool1",
)
LOSSES = (
    "mse",
    "categorical_crossentropy",
    "binary_crossentropy",
    "sparse_categorical_crossentropy",
    "mae",
    "categorical_crossentropy/logits",
    "binary_crossentropy/logits",
    "sparse_categorical_crossentropy/logits",
)


class Draw:
    """A random generator with the few questions the recipe asks."""

    def __init__(self, rng):
        self.rng = rng

    def chance(self, probability):
        return bool(self.rng.random() < probability)

    def size(self, low, high):
        """An integer from `low` to `high`, both included."""
        return int(self.rng.integers(low, high + 1))

    def sizes(self, count, low, high):
        return tuple(self.size(low, high) for _ in range(count))

    def pick(self, options):
        return options[self.size(0, len(options) - 1)]

    def normal(self, shape):
        return self.rng.standard_normal(shape).astype("float32")


def draw_case(draw, index):
    """The fields of a case: its layers, its data and its loss."""
    family = FAMILIES[index % len(FAMILIES)]
    loss_name, _, logits = LOSSES[index % len(LOSSES)].partition("/")
    input_shape, body = _body(draw, family)
    trains = not draw.chance(0.12)
    body += _dropout(draw, trains)
    body = _nested(draw, body) if draw.chance(0.3) else body
    layer_list = [*body, *_flatten(draw, family), _head(draw, loss_name, logits)]
    x = draw.normal((draw.size(2, 5), *input_shape))
    shape = _output_shape(layer_list, x.shape)
    y = _target(draw, loss_name, shape)
    return {
        "name": f"case{index:02d}_{family}",
        "layers": layer_list,
        "input_shape": input_shape,
        "loss": _loss(loss_name, logits),
        "x": x,
        "y": y,
        "sample_weight": _sample_weight(draw, shape),
        "nesterov": draw.chance(0.5),
        "trains": trains,
        "notes": [] if trains else ["dropout: inference only"],
    }


def _body(draw, family):
    if family.startswith("dense"):
        rank = int(family[-1])
        return draw.sizes(rank - 1, 1, 5), _dense_stack(draw)
    if family.startswith("pool"):
        return _pool_stack(draw, int(family[-1]))
    return _image_stack(draw, family)


def _dense_stack(draw):
    stack = [_dense(draw)]
    if draw.chance(0.4):
        stack.append(layers.Activation(draw.pick(ACTIVATIONS)))
    if draw.chance(0.7):
        stack.append(_dense(draw))
    return stack


def _pool_stack(draw, rank):
    data_format = "channels_first" if draw.chance(0.25) else "channels_last"
    largest = {1: 9, 2: 7, 3: 5}[rank]
    spatial = draw.sizes(rank, 1 if draw.chance(0.2) else 2, largest)
    stack = [_dense(draw)] if draw.chance(0.5) else []
    stack.append(_pool(draw, rank, data_format))
    if draw.chance(0.4):
        stack.append(_pool(draw, rank, data_format))
    if draw.chance(0.3):
        stack.append(_dense(draw))
    channels = draw.size(1, 3)
    if data_format == "channels_first":
        return (channels, *spatial), stack
    return (*spatial, channels), stack


def _image_stack(draw, family):
    data_format = "channels_first" if family == "channels_first" else "channels_last"
    channels, spatial = draw.size(1, 4), draw.sizes(2, 3, 8)
    first, channels_out = _conv(draw, channels, data_format)
    stack = [first]
    if draw.chance(0.7):
        stack.append(_pool(draw, 2, data_format))
    if draw.chance(0.5):
        stack.append(_conv(draw, channels_out, data_format)[0])
    if data_format == "channels_first":
        return (channels, *spatial), stack
    return (*spatial, channels), stack


def _dense(draw):
    return layers.Dense(
        draw.size(1, 6),
        activation=draw.pick(ACTIVATIONS),
        use_bias=draw.chance(0.75),
        **_extras(draw, kernel_axes=[0]),
    )


def _conv(draw, channels, data_format):
    groups = draw.pick([g for g in (1, 2, 3, 4) if channels % g == 0])
    filters = groups * draw.size(1, 4 // groups)
    moves = draw.pick(("strides", "dilation_rate", "none"))
    step = {} if moves == "none" else {moves: _int_or_pair(draw, 1, 3)}
    layer = layers.Conv2D(
        filters,
        _int_or_pair(draw, 1, 4),
        padding=draw.pick(("valid", "same")),
        groups=groups,
        activation=draw.pick((*ACTIVATIONS, "relu", "relu")),
        use_bias=draw.chance(0.75),
        data_format=data_format,
        **step,
        **_extras(draw, kernel_axes=[0, 1, 2]),
    )
    return layer, filters


def _int_or_pair(draw, low, high):
    return draw.size(low, high) if draw.chance(0.5) else draw.sizes(2, low, high)


def _pool(draw, rank, data_format):
    pool_size = draw.size(2, 3) if draw.chance(0.35) else draw.sizes(rank, 1, 3)
    strides = draw.pick((None, draw.size(1, 3), draw.sizes(rank, 1, 3)))
    return POOLS[draw.pick(("max", "average")), rank](
        pool_size,
        strides=strides,
        padding=draw.pick(("valid", "same")),
        data_format=data_format,
    )


def _extras(draw, kernel_axes):
    """Regularizers, a constraint and the frozen flag, each now and then."""
    extras = {}
    if draw.chance(0.3):
        extras["kernel_regularizer"] = _regularizer(draw)
    if draw.chance(0.15):
        extras["bias_regularizer"] = _regularizer(draw)
    if draw.chance(0.15):
        extras["activity_regularizer"] = _regularizer(draw)
    if draw.chance(0.25):
        extras["kernel_constraint"] = draw.pick(
            (
                constraints.MaxNorm(0.8, axis=kernel_axes),
                constraints.NonNeg(),
                constraints.UnitNorm(axis=kernel_axes),
            )
        )
    if isinstance(extras.get("kernel_constraint"), constraints.NonNeg):
        # It leaves exact zeros, where backends differ in the slope of L1.
        extras["kernel_regularizer"] = regularizers.L2(0.02)
    if draw.chance(0.12):
        extras["trainable"] = False
    return extras


def _regularizer(draw):
    l1, l2 = draw.pick((0.01, 0.003)), draw.pick((0.02, 0.005))
    kind = draw.pick(("l1", "l2", "l1_l2"))
    if kind == "l1":
        return regularizers.L1(l1)
    if kind == "l2":
        return regularizers.L2(l2)
    return regularizers.L1L2(l1=l1, l2=l2)


def _dropout(draw, trains):
    if not trains:
        return [layers.Dropout(draw.pick((0.2, 0.5)))]
    return [layers.Dropout(0.0)] if draw.chance(0.2) else []


def _nested(draw, body):
    """Wrap a run of layers in a Sequential of their own."""
    start = draw.size(0, len(body) - 1)
    stop = draw.size(start + 1, len(body))
    inner = keras.Sequential(body[start:stop])
    return [*body[:start], inner, *body[stop:]]


def _flatten(draw, family):
    if family == "channels_first":
        return [layers.Flatten(data_format="channels_first")]
    if family in ("dense2", "dense3") and draw.chance(0.7):
        return []
    return [layers.Flatten()] if draw.chance(0.85) else []


def _head(draw, loss_name, logits):
    if loss_name in ("mse", "mae"):
        activation, units = draw.pick(("linear", "tanh", "softplus")), draw.size(1, 3)
    elif loss_name == "binary_crossentropy":
        activation, units = "sigmoid", draw.size(1, 3)
    else:
        activation, units = "softmax", draw.size(2, 4)
    return layers.Dense(units, activation=None if logits else activation)


def _loss(name, logits):
    if not logits:
        return name
    classes = {
        "binary_crossentropy": keras.losses.BinaryCrossentropy,
        "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
        "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
    }
    return classes[name](from_logits=True)


def _output_shape(layer_list, shape):
    for layer in layer_list:
        shape = layer.compute_output_shape(shape)
    return shape


def _target(draw, loss_name, shape):
    if loss_name in ("mse", "mae"):
        return draw.normal(shape)
    if loss_name == "binary_crossentropy":
        return draw.rng.integers(0, 2, shape).astype("float32")
    labels = draw.rng.integers(0, shape[-1], shape[:-1]).astype("int32")
    if loss_name == "categorical_crossentropy":
        return np.eye(shape[-1], dtype="float32")[labels]
    return labels[..., None] if draw.chance(0.4) else labels


def _sample_weight(draw, shape):
    """Weights per sample, or per sample and step where the output has steps.

    Keras refuses weights of shape (batch,) for losses of shape (batch, steps).
    """
    if len(shape) > 3 or draw.chance(0.6):
        return None
    if len(shape) == 3:
        shape = (shape[0], draw.pick((1, shape[1])), 0)
    return draw.rng.uniform(0.2, 2.0, shape[:-1]).astype("float32")
