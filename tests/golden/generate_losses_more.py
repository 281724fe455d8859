"""Write losses_more.json: values, gradients and configs of losses from real Keras.

Everything is computed in float64, the values of functions in float32 too. Run it with
Keras and JAX installed: KERAS_BACKEND=jax python generate_losses_more.py

- `cases`: `function`, `class_name`, `options`, `y_true`, `y_true_dtype`, `y_pred`;
  `value` of the function, and flat in float32 `value32`; `gradient` of
  sum(value * (1, 2, 3 ...)) by y_pred, None where Keras has nan or infinity;
  `reduced`, a list of `{"sample_weight", "values"}` with what the class gives for each
  reduction.
- `references`: `circle` with references of its own.
- `lengths`: `keras.ops.ctc_loss` with lengths of both kinds.
- `configs`: `keras.losses.serialize` of objects with unusual arguments.
- `accepted`: configs with keys that Keras reads but does not write, and what the
  loss made from them gives for `pair`.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import jax.numpy as jnp
import keras
import numpy as np
from keras.src.backend.common import dtypes

jax.config.update("jax_enable_x64", True)
keras.config.set_floatx("float64")
# Keras rounds means to float32 on every backend but TensorFlow.
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"

REDUCTIONS = ("sum_over_batch_size", "sum", "mean_with_sample_weight", "none")
CLASSES = {
    "mean_absolute_percentage_error": "MeanAbsolutePercentageError",
    "mean_squared_logarithmic_error": "MeanSquaredLogarithmicError",
    "huber": "Huber",
    "log_cosh": "LogCosh",
    "cosine_similarity": "CosineSimilarity",
    "kl_divergence": "KLDivergence",
    "poisson": "Poisson",
    "binary_focal_crossentropy": "BinaryFocalCrossentropy",
    "categorical_focal_crossentropy": "CategoricalFocalCrossentropy",
    "categorical_generalized_cross_entropy": "CategoricalGeneralizedCrossEntropy",
    "hinge": "Hinge",
    "squared_hinge": "SquaredHinge",
    "categorical_hinge": "CategoricalHinge",
    "dice": "Dice",
    "tversky": "Tversky",
    "circle": "Circle",
    "ctc": "CTC",
}
RNG = np.random.default_rng(20_260_107)


def normal(*shape):
    return RNG.standard_normal(shape).round(2)


def uniform(*shape):
    return RNG.uniform(0.02, 0.98, shape).round(2)


def rows(*shape):
    p = uniform(*shape)
    return (p / p.sum(-1, keepdims=True)).round(3)


def one_hot(labels, classes):
    return np.eye(classes)[np.asarray(labels)]


def directions(*shape):
    x = RNG.standard_normal(shape)
    return (x / np.linalg.norm(x, axis=-1, keepdims=True)).round(4)


def lists(array):
    array = np.asarray(array)
    assert array.dtype == "float64", array.dtype
    assert np.isfinite(array).all()
    return array.tolist()


def in_float32(function, x):
    """The values as a flat list, with the fewest digits that give the same float32."""
    keras.config.set_floatx("float32")
    array = np.asarray(function(jnp.asarray(x, "float32")))
    keras.config.set_floatx("float64")
    array = array.astype("float32")  # a list among the options makes it float64
    return [float(str(x)) for x in array.reshape(-1)]


def case(function, y_true, y_pred, weights=((4,),), gradient=True, **options):
    compute = getattr(keras.losses, function)
    cls = getattr(keras.losses, CLASSES[function])
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred, "float64")

    def value(p):
        return compute(jnp.asarray(y_true), p, **options)

    y, pullback = jax.vjp(value, jnp.asarray(y_pred))
    factors = jnp.arange(1, y.size + 1, dtype=y.dtype).reshape(y.shape)
    slope = np.asarray(pullback(factors)[0])
    assert np.isfinite(slope).all() == gradient, (function, slope)
    reduced = []
    for shape in (None, *weights):
        weight = None if shape is None else RNG.uniform(0, 2, shape).round(1)
        values = {
            r: lists(cls(reduction=r, **options)(y_true, y_pred, weight))
            for r in REDUCTIONS
        }
        weight = None if weight is None else weight.tolist()
        reduced.append({"sample_weight": weight, "values": values})
    return {
        "function": function,
        "class_name": CLASSES[function],
        "options": options,
        "y_true": y_true.tolist(),
        "y_true_dtype": y_true.dtype.name,
        "y_pred": y_pred.tolist(),
        "value": lists(y),
        "value32": in_float32(value, y_pred),
        "gradient": lists(slope) if gradient else None,
        "reduced": reduced,
    }


def regression():
    three, weights = (2, 3, 2), ((2, 1), (2, 3))
    for name in ("mean_absolute_percentage_error", "huber", "log_cosh"):
        yield case(name, normal(4, 3), normal(4, 3), ((4,), (4, 1)))
        yield case(name, normal(4), normal(4), ((4,),))
        yield case(name, normal(*three), normal(*three), weights)
        yield case(name, RNG.integers(-2, 3, (4, 2)), normal(4, 2))
    kinks = [[0.0, 0.5], [-1.0, 2.0], [3.0, 0.0], [-100.0, 400.0]]
    at = [[0.0, 0.5], [0.0, 1.0], [3.0, -1.0], [100.0, -400.0]]
    yield case("mean_absolute_percentage_error", kinks, at)
    yield case("huber", kinks, at)
    yield case("log_cosh", kinks, at)
    yield case("huber", kinks, at, delta=2.5)
    yield case("huber", normal(4, 3), normal(4, 3), delta=0.3)
    name = "mean_squared_logarithmic_error"
    yield case(name, uniform(4, 3) * 4, uniform(4, 3) * 4, ((4,), (4, 1)))
    yield case(name, [[0.0, -1.0], [2.0, 1e-7]], [[-1.0, 2.0], [0.0, 1e-7]], ((2,),))
    yield case(name, RNG.integers(0, 9, three), uniform(*three) * 9, weights)
    name = "cosine_similarity"
    yield case(name, normal(4, 3), normal(4, 3), ((4,), (4, 1)))
    yield case(name, normal(4, 3), normal(4, 3), ((3,),), axis=0)
    yield case(name, normal(*three), normal(*three), ((2, 1), (2, 2)), axis=1)
    yield case(name, [[0.0, 0.0], [1.0, 2.0]], [[1.0, 2.0], [3.0, 4.0]], ((2,),))
    yield case(name, [[1.0, 2.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]], (), False)
    yield case(name, normal(4), normal(4), ())


def probabilistic():
    three, weights = (2, 3, 2), ((2, 1), (2, 3))
    hard = [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    for name in ("kl_divergence", "poisson"):
        yield case(name, rows(4, 3), rows(4, 3), ((4,), (4, 1)))
        yield case(name, rows(*three), rows(*three), weights)
        yield case(name, hard, hard, ((2,),))
    ends = [[1.0, 0.0, 0.5], [0.0, 1.0, 1e-7], [2.0, -1.0, 0.5]]
    yield case("kl_divergence", rows(3, 3), ends, ((3,),))
    yield case("poisson", RNG.integers(0, 5, (4, 3)), uniform(4, 3) * 5)

    name = "binary_focal_crossentropy"
    y, p = RNG.integers(0, 2, (4, 3)), uniform(4, 3)
    yield case(name, y, p, ((4,), (4, 1)))
    yield case(name, y, normal(4, 3) * 3, from_logits=True)
    yield case(name, y, p, apply_class_balancing=True)
    yield case(name, y, p, apply_class_balancing=True, alpha=0.7, gamma=3.5)
    yield case(name, y, p, label_smoothing=0.2, gamma=0.5)
    yield case(name, uniform(4, 3), p, gamma=0.0)
    yield case(name, y, p, ((3,),), axis=0)
    yield case(name, RNG.integers(0, 2, three) * 1.0, uniform(*three), ((2, 1),))
    options = {"from_logits": True, "label_smoothing": 0.3, "gamma": 1.0}
    yield case(name, y, normal(4, 3) * 30, apply_class_balancing=True, **options)
    right, wrong = [[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]
    for gamma in (1.0, 1.5, 2.0):
        yield case(name, right, right, ((2,),), gamma=gamma)
        yield case(name, right, wrong, ((2,),), gamma=gamma)
    yield case(name, right, right, (), False, gamma=0.5)
    yield case(name, right, right, (), False, gamma=0.0)

    name = "categorical_focal_crossentropy"
    y, p = one_hot([0, 2, 1, 1], 3), rows(4, 3)
    yield case(name, y, p, ((4,), (4, 1)))
    yield case(name, y, normal(4, 3) * 3, from_logits=True)
    yield case(name, y, p * [[0.5], [2], [1], [3]], alpha=0.6, gamma=1.5)
    yield case(name, y, p, alpha=[0.2, 0.3, 0.5])
    yield case(name, y, p, label_smoothing=0.2, gamma=0.5)
    yield case(name, rows(4, 3), p, gamma=0.0)
    yield case(name, y.astype("int32"), p)
    yield case(name, y, y)
    yield case(name, y, y[::-1], gamma=0.5)
    y3, p3 = one_hot([[0, 3, 1], [2, 2, 0]], 4), rows(2, 3, 4)
    yield case(name, y3, p3, weights)
    y1, p1 = y3.swapaxes(1, 2), p3.swapaxes(1, 2)
    yield case(name, y1, p1, ((2, 1),), axis=1)
    yield case(name, y1, normal(2, 4, 3), (), axis=1, from_logits=True)
    large = [[1000, 0, -1000], [0, 0, 0], [-100, 100, 0], [50, -50, 0]]
    yield case(name, y, large, from_logits=True)

    name = "categorical_generalized_cross_entropy"
    labels = np.array([0, 2, 1, 1])
    yield case(name, labels, p, q=0.5)
    yield case(name, labels.astype("int32"), p, q=0.7)
    yield case(name, labels * 1.0, p, q=0.1)
    yield case(name, RNG.integers(0, 4, (2, 3)), p3, weights, q=0.5)
    yield case(name, [0, 1], [[0.0, 1.0], [0.0, 1.0]], ((2,),), False, q=0.5)


def hinges():
    three, weights = (2, 3, 2), ((2, 1), (2, 3))
    for name in ("hinge", "squared_hinge"):
        signs = RNG.choice([-1.0, 1.0], (4, 3))
        yield case(name, signs, normal(4, 3), ((4,), (4, 1)))
        yield case(name, (signs + 1) / 2, normal(4, 3))
        yield case(name, (signs > 0).astype("int32"), normal(4, 3))
        yield case(name, signs > 0, normal(4, 3))
        yield case(name, normal(4, 3), normal(4, 3))
        yield case(name, RNG.integers(0, 2, three), normal(*three), weights)
        yield case(name, [[0.0, 0.0], [1.0, -1.0]], [[1.0, -1.0], [1.0, -1.0]], ())
        yield case(name, [[0.0, 0.0], [1.0, 1.0]], [[1.0, -1.0], [1.0, -1.0]], ())
    name = "categorical_hinge"
    y = one_hot([0, 2, 1, 1], 3)
    yield case(name, y, normal(4, 3), ((4,), (4, 1)))
    yield case(name, y.astype("int32"), rows(4, 3))
    yield case(name, one_hot([[0, 1, 1], [1, 0, 0]], 2), normal(*three), weights)
    ties = [[2.0, 1.0, 1.0], [0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [-1.0, -1.0, -1.0]]
    yield case(name, y, ties)


def segmentation():
    shape = (2, 3, 4, 1)
    y, p = RNG.integers(0, 2, shape), uniform(*shape)
    for name in ("dice", "tversky"):
        yield case(name, y * 1.0, p, ((2,),))
        yield case(name, y, p, ((2,),), axis=[1, 2, 3])
        yield case(name, y, p, ((2, 3),), axis=-2)
        yield case(name, uniform(4, 3), uniform(4, 3), ((4,),), axis=1)
        yield case(name, np.zeros((2, 3)), np.zeros((2, 3)), (), axis=-1)
    yield case("tversky", y, p, ((2,),), alpha=0.3, beta=0.7)
    yield case("tversky", y, p, ((2,),), alpha=0.8, beta=0.1, axis=[1, 2, 3])


def circles():
    y, x = np.array([0, 1, 0, 2, 1, 0]), directions(6, 4)
    weights = ((6,), (6, 1))
    yield case("circle", y, x, weights)
    yield case("circle", y[:, None].astype("int32"), x, weights)
    yield case("circle", y, x, weights, remove_diagonal=False)
    yield case("circle", y, x, weights, gamma=5.0, margin=0.25)
    yield case("circle", y, np.eye(4)[[0, 0, 1, 2, 3, 1]], (), gamma=2.0)
    tight = np.array([[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    yield case("circle", [0, 0, 1, 1], tight, gamma=256.0)
    yield case("circle", [1, 1, 1, 1], directions(4, 3))


def sequences():
    yield case("ctc", [[1, 2, 0], [1, 1, 2], [3, 0, 0], [2, 3, 2]], normal(4, 7, 4))
    yield case("ctc", [[1, 1], [2, 0]], normal(2, 3, 3) * 10, ((2,), (2, 1)))
    yield case("ctc", np.array([[1.0, 2.0]]), normal(1, 2, 3), ())
    yield case("ctc", np.array([[2]], "int32"), normal(1, 1, 3), ())
    yield case("ctc", [[0, 0], [1, 0]], normal(2, 4, 3), ((2,),))
    yield case("ctc", [[1, 2, 3], [2, 2, 1]], normal(2, 9, 4) * 300, ((2,),))
    # These do not fit: too few steps, and no room for the blank between two 1.
    yield case("ctc", [[1, 2, 3], [1, 1, 0]], normal(2, 2, 4), ((2,),))


def references():
    y, x = np.array([0, 1, 0, 2]), directions(4, 3)
    ref_y, ref_x = np.array([1, 0, 2, 2, 1]), directions(5, 3)
    for remove_diagonal in (True, False):
        value = keras.losses.circle(y, x, ref_y, ref_x, remove_diagonal)
        yield {
            "y_true": y.tolist(),
            "y_pred": x.tolist(),
            "ref_labels": ref_y.tolist(),
            "ref_embeddings": ref_x.tolist(),
            "remove_diagonal": remove_diagonal,
            "value": lists(value),
        }


def lengths():
    target, output = RNG.integers(0, 4, (5, 3)), normal(5, 6, 5)
    target_length, output_length = [3, 1, 2, 0, 3], [6, 4, 2, 5, 3]

    def loss(x):
        labels, steps = np.array(target_length), np.array(output_length)
        return keras.ops.ctc_loss(jnp.asarray(target), x, labels, steps, mask_index=4)

    value, pullback = jax.vjp(loss, jnp.asarray(output))
    return {
        "target": target.tolist(),
        "output": output.tolist(),
        "target_length": target_length,
        "output_length": output_length,
        "mask_index": 4,
        "value": lists(value),
        "gradient": lists(pullback(jnp.ones(5, value.dtype))[0]),
    }


def configs():
    made = keras.losses
    for loss in (
        made.Huber(reduction="sum", name="near"),
        made.BinaryFocalCrossentropy(True, 0.5, 1.5, True, 0.1, 1, "sum", "focal"),
        made.CategoricalFocalCrossentropy([0.5, 0.25], 1.0, True, 0.1, 1, "none"),
        made.CategoricalGeneralizedCrossEntropy(0.25, reduction=None),
        made.Dice("sum", "overlap", axis=[1, 2]),
        made.Tversky(0.25, 0.75, "mean", "index", axis=1),
        made.Circle(16.0, 0.25, False, "mean_with_sample_weight", "round"),
        made.CTC("sum"),
    ):
        yield made.serialize(loss)


def accepted():
    pair = (normal(3, 3), normal(3, 3))
    for class_name, key, value in (
        ("Huber", "delta", 0.5),
        ("CosineSimilarity", "axis", 0),
    ):
        config = {"name": "mine", "reduction": "none", key: value}
        whole = {
            "module": "keras.losses",
            "class_name": class_name,
            "config": config,
            "registered_name": None,
        }
        loss = keras.losses.deserialize(whole)
        yield {
            "config": whole,
            "pair": [x.tolist() for x in pair],
            "value": lists(loss(*pair)),
        }


def main():
    makers = regression, probabilistic, hinges, segmentation, circles, sequences
    golden = {
        "keras": keras.__version__,
        "cases": [case for make in makers for case in make()],
        "references": list(references()),
        "lengths": lengths(),
        "configs": list(configs()),
        "accepted": list(accepted()),
    }
    path = Path(__file__).with_name("losses_more.json")
    path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
    print(f"{path}: {path.stat().st_size} bytes", file=sys.stderr)


if __name__ == "__main__":
    main()
