"""Set 3: the values of the losses, as functions and as classes."""

import keras
import numpy as np

from . import store

SEED = 20_260_103
CLASSES = {
    "mse": keras.losses.MeanSquaredError,
    "mae": keras.losses.MeanAbsoluteError,
    "binary_crossentropy": keras.losses.BinaryCrossentropy,
    "categorical_crossentropy": keras.losses.CategoricalCrossentropy,
    "sparse_categorical_crossentropy": keras.losses.SparseCategoricalCrossentropy,
}
FUNCTIONS = {
    "mse": keras.losses.mean_squared_error,
    "mae": keras.losses.mean_absolute_error,
    "binary_crossentropy": keras.losses.binary_crossentropy,
    "categorical_crossentropy": keras.losses.categorical_crossentropy,
    "sparse_categorical_crossentropy": keras.losses.sparse_categorical_crossentropy,
}
REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none")


def write(folder):
    """Write losses.json."""
    rng = np.random.default_rng(SEED)
    cases = [*_regression(rng), *_binary(rng), *_categorical(rng), *_sparse(rng)]
    store.write_json(folder / "losses.json", {"cases": cases})


def _case(name, loss, y_true, y_pred, weight_shapes=None, **options):
    """One set of inputs, through the function and through the class."""
    if weight_shapes is None:
        weight_shapes = [np.shape(y_true)[:1]]
    function, loss_class = FUNCTIONS[loss], CLASSES[loss]
    return {
        "name": name,
        "loss": loss,
        "function_name": function.__name__,
        "class_name": loss_class.__name__,
        "options": options,
        "y_true_dtype": y_true.dtype.name,
        "y_true": y_true,
        "y_pred": y_pred,
        "function": _value(lambda: function(y_true, y_pred, **options)),
        "class": list(_reduced(loss_class, y_true, y_pred, weight_shapes, options)),
    }


def _reduced(loss_class, y_true, y_pred, weight_shapes, options):
    """The value of every reduction, without and with sample weights."""
    rng = np.random.default_rng(SEED)
    weights = [rng.uniform(0, 2, shape).round(3) for shape in weight_shapes]
    for weight in [None, *(weight.astype("float32") for weight in weights)]:
        values = {}
        for reduction in REDUCTIONS:
            loss = loss_class(reduction=reduction, **options)
            arguments = (loss, y_true, y_pred, weight)
            values[reduction] = _value(lambda a=arguments: a[0](*a[1:]))
        yield {"sample_weight": weight, "values": values}


def _value(compute):
    """The value, or what was raised instead."""
    try:
        return np.asarray(compute())
    except (ValueError, TypeError) as error:
        return {"raises": type(error).__name__}


def _regression(rng):
    for loss in ("mse", "mae"):
        pairs = {
            "matrix": ((4, 3), (4, 3), [(4,), (4, 1)]),
            "vector_against_column": ((4,), (4, 1), [(4,), (4, 1)]),
            "column_against_vector": ((4, 1), (4,), [(4,)]),
            "vector": ((4,), (4,), [(4,)]),
            "three_axes": ((2, 3, 2), (2, 3, 2), [(2,), (2, 1), (2, 3)]),
            "broadcast_rows": ((1, 3), (4, 3), [(4,)]),
        }
        for name, (true_shape, pred_shape, weight_shapes) in pairs.items():
            y_true, y_pred = _normal(rng, true_shape), _normal(rng, pred_shape)
            yield _case(f"{loss}_{name}", loss, y_true, y_pred, weight_shapes)
        integers = rng.integers(-2, 3, (4, 2))
        yield _case(f"{loss}_integer_y", loss, integers, _normal(rng, (4, 2)))
        booleans = np.array([True, False, True])
        yield _case(f"{loss}_boolean_y", loss, booleans, _normal(rng, (3, 1)))


def _binary(rng):
    loss = "binary_crossentropy"
    y = rng.integers(0, 2, (5, 2)).astype("float32")
    p, z = rng.uniform(0, 1, (5, 2)).astype("float32"), _normal(rng, (5, 2)) * 3
    yield _case(f"{loss}_probabilities", loss, y, p)
    yield _case(f"{loss}_logits", loss, y, z, from_logits=True)
    for smoothing in (0.1, 0.3):
        options = {"label_smoothing": smoothing}
        yield _case(f"{loss}_smoothing_{smoothing}", loss, y, p, **options)
    yield _case(
        f"{loss}_logits_smoothing", loss, y, z, from_logits=True, label_smoothing=0.2
    )
    soft = rng.uniform(0, 1, (5, 2)).astype("float32")
    yield _case(f"{loss}_soft_targets", loss, soft, p)
    yield _case(f"{loss}_integer_y", loss, y.astype("int32"), p)
    yield _case(f"{loss}_vector_against_column", loss, y[:, 0], p[:, :1])
    yield _case(f"{loss}_integer_vector", loss, y[:, 0].astype("int64"), p[:, :1])
    yield _case(f"{loss}_column_against_vector", loss, y[:, :1], p[:, 0])
    yield _case(f"{loss}_vector", loss, y[:, 0], p[:, 0])
    clipped = _array([[0, 1], [1, 0], [1e-8, 1], [0.5, 1 - 1e-7], [0, 1e-7]])
    yield _case(f"{loss}_clipped", loss, y, clipped)
    large = _array([[100, -100], [-100, 100], [0, 0], [30, -30], [1000, -1000]])
    yield _case(f"{loss}_large_logits", loss, y, large, from_logits=True)
    three, shapes = (2, 3, 2), [(2,), (2, 1), (2, 3)]
    y3 = rng.integers(0, 2, three).astype("float32")
    p3 = rng.uniform(0, 1, three).astype("float32")
    yield _case(f"{loss}_three_axes", loss, y3, p3, shapes)
    yield _case(f"{loss}_axis_1", loss, y3, p3, [(2,), (2, 1), (2, 2)], axis=1)


def _categorical(rng):
    loss = "categorical_crossentropy"
    y = np.eye(3, dtype="float32")[[0, 2, 1, 1]]
    z = _normal(rng, (4, 3)) * 2
    p = _softmax(z)
    yield _case(f"{loss}_probabilities", loss, y, p)
    yield _case(f"{loss}_logits", loss, y, z, from_logits=True)
    yield _case(f"{loss}_smoothing", loss, y, p, label_smoothing=0.1)
    yield _case(
        f"{loss}_logits_smoothing", loss, y, z, from_logits=True, label_smoothing=0.3
    )
    yield _case(f"{loss}_soft_targets", loss, _softmax(_normal(rng, (4, 3))), p)
    yield _case(f"{loss}_unnormalized", loss, y, p * _array([[0.5], [2], [1], [3]]))
    yield _case(f"{loss}_integer_y", loss, y.astype("int32"), p)
    clipped = _array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0.5, 0, 0.5]])
    yield _case(f"{loss}_clipped", loss, y, clipped)
    large = _array([[1000, 0, -1000], [0, 0, 0], [-100, 100, 0], [50, -50, 0]])
    yield _case(f"{loss}_large_logits", loss, y, large, from_logits=True)
    y3 = np.eye(4, dtype="float32")[rng.integers(0, 4, (2, 3))]
    z3 = _normal(rng, (2, 3, 4))
    shapes = [(2,), (2, 1), (2, 3)]
    yield _case(f"{loss}_three_axes", loss, y3, _softmax(z3), shapes)
    y1, z1 = y3.swapaxes(1, 2), z3.swapaxes(1, 2)
    p1 = _softmax(z3).swapaxes(1, 2)
    yield _case(f"{loss}_axis_1", loss, y1, p1, shapes, axis=1)
    yield _case(f"{loss}_axis_1_logits", loss, y1, z1, shapes, axis=1, from_logits=True)


def _sparse(rng):
    loss = "sparse_categorical_crossentropy"
    y, z = np.array([0, 2, 1, 1], "int32"), _normal(rng, (4, 3)) * 2
    p = _softmax(z)
    yield _case(f"{loss}_probabilities", loss, y, p)
    yield _case(f"{loss}_logits", loss, y, z, from_logits=True)
    yield _case(f"{loss}_column", loss, y[:, None], p)
    yield _case(f"{loss}_column_logits", loss, y[:, None], z, from_logits=True)
    yield _case(f"{loss}_int64", loss, y.astype("int64"), p)
    yield _case(f"{loss}_float_labels", loss, y.astype("float32"), p)
    yield _case(f"{loss}_unnormalized", loss, y, p * _array([[0.5], [2], [1], [3]]))
    clipped = _array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [0.5, 0, 0.5]])
    yield _case(f"{loss}_clipped", loss, y, clipped)
    large = _array([[1000, 0, -1000], [0, 0, 0], [-100, 100, 0], [50, -50, 0]])
    yield _case(f"{loss}_large_logits", loss, y, large, from_logits=True)
    for ignored in (-1, 1, 2):
        labels = np.array([0, ignored, 1, 2], "int32")
        options = {"ignore_class": ignored}
        yield _case(f"{loss}_ignore_{ignored}", loss, labels, p, **options)
        options["from_logits"] = True
        yield _case(f"{loss}_logits_ignore_{ignored}", loss, labels, z, **options)
    ignored = np.full(4, -1, "int32")
    yield _case(f"{loss}_all_ignored", loss, ignored, p, ignore_class=-1)
    y3, z3 = rng.integers(0, 4, (2, 3)).astype("int32"), _normal(rng, (2, 3, 4))
    shapes = [(2,), (2, 1), (2, 3)]
    p3 = _softmax(z3)
    yield _case(f"{loss}_steps", loss, y3, p3, shapes)
    yield _case(f"{loss}_steps_column", loss, y3[..., None], p3, shapes)
    yield _case(f"{loss}_steps_ignore_2", loss, y3, p3, shapes, ignore_class=2)
    options = {"axis": 1, "from_logits": True}
    yield _case(f"{loss}_axis_1", loss, y3, p3.swapaxes(1, 2), shapes, axis=1)
    yield _case(f"{loss}_axis_1_logits", loss, y3, z3.swapaxes(1, 2), shapes, **options)


def _normal(rng, shape):
    return rng.standard_normal(shape).round(3).astype("float32")


def _array(values):
    return np.array(values, "float32")


def _softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return (e / e.sum(-1, keepdims=True)).astype("float32")
