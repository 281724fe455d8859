"""Random losses with targets that suit them, and random optimizers."""

from typing import NamedTuple

import numpy as np


class Goal(NamedTuple):
    """A loss, the activation of the last dense layer, and the kind of target."""

    loss: str
    arguments: dict
    activation: str | None
    kind: str


def optimizer(draw):
    """(class name, arguments)."""
    name = draw.pick(
        "SGD",
        "RMSprop",
        "Adam",
        "AdamW",
        "Adadelta",
        "Adagrad",
        "Adamax",
        "Adafactor",
        "Nadam",
        "Ftrl",
        "Lion",
        "Lamb",
    )
    arguments = {"learning_rate": draw.pick(0.01, 0.03)}
    if name == "SGD":
        arguments.update(momentum=draw.pick(0.0, 0.9), nesterov=draw.pick(True, False))
    if name == "Lion":
        arguments["learning_rate"] = 0.003
    clip = draw.pick(None, None, None, "clipnorm", "clipvalue", "global_clipnorm")
    if clip:
        arguments[clip] = draw.number(0.1, 1.0)
    if draw.rng.random() < 0.2:
        arguments["weight_decay"] = 0.01
    if draw.rng.random() < 0.1:
        arguments.update(use_ema=True, ema_momentum=0.8)
    return name, arguments


def goal(draw, units):
    """A loss for a last axis of `units`; each family is equally likely."""
    families = [_regression, _percentage, _binary, _margin, _counts, _overlap]
    if units > 1:
        families += [_classes, _classes, _sparse, _distribution, _groups, _alignments]
    loss, arguments, activation, kind = draw.pick(*families)(draw)
    reduction = draw.pick("sum_over_batch_size", "sum_over_batch_size", "sum")
    return Goal(loss, {**arguments, "reduction": reduction}, activation, kind)


def _regression(draw):
    name = draw.pick(
        "MeanSquaredError",
        "MeanAbsoluteError",
        "Huber",
        "LogCosh",
        "CosineSimilarity",
        "MeanSquaredLogarithmicError",
    )
    return name, {}, None, "real"


def _percentage(draw):
    return "MeanAbsolutePercentageError", {}, None, "away from 0"


def _binary(draw):
    name = draw.pick("BinaryCrossentropy", "BinaryFocalCrossentropy")
    if name == "BinaryCrossentropy" and draw.pick(True, False):
        return name, {"from_logits": True}, None, "binary"
    return name, {}, "sigmoid", "binary"


def _margin(draw):
    return draw.pick("Hinge", "SquaredHinge"), {}, None, "binary"


def _counts(draw):
    return "Poisson", {}, "softplus", "positive"


def _overlap(draw):
    arguments = {"axis": draw.pick(None, -1, (1,))}
    if draw.pick(True, False):
        return "Dice", arguments, "sigmoid", "binary"
    arguments.update(alpha=draw.number(0.1, 0.9), beta=draw.number(0.1, 0.9))
    return "Tversky", arguments, "sigmoid", "binary"


def _classes(draw):
    name = draw.pick(
        "CategoricalCrossentropy", "CategoricalFocalCrossentropy", "CategoricalHinge"
    )
    if name == "CategoricalHinge":
        return name, {}, None, "one_hot"
    arguments = {"label_smoothing": draw.pick(0.0, 0.1)}
    if name == "CategoricalCrossentropy" and draw.pick(True, False):
        return name, {**arguments, "from_logits": True}, None, "one_hot"
    return name, arguments, "softmax", "one_hot"


def _sparse(draw):
    if draw.pick(True, False):
        arguments = {"q": draw.number(0.2, 0.9)}
        return "CategoricalGeneralizedCrossEntropy", arguments, "softmax", "labels"
    logits = draw.pick(True, False)
    return (
        "SparseCategoricalCrossentropy",
        {"from_logits": logits},
        None if logits else "softmax",
        "labels",
    )


def _distribution(draw):
    return "KLDivergence", {}, "softmax", "distribution"


def _groups(draw):
    arguments = {
        "gamma": draw.pick(4.0, 20.0, 80.0),
        "margin": draw.number(0.2, 0.5),
        "remove_diagonal": draw.pick(True, True, False),
    }
    return "Circle", arguments, None, "groups"


def _alignments(draw):
    return "CTC", {}, None, "alignments"


def ending(draw, found, shape, units):
    """The last layers, from outputs of a shape to what the loss takes."""
    flat = [("Flatten", {})] if len(shape) > 1 else []
    dense = ("Dense", {"units": units, "activation": found.activation})
    if found.kind == "groups":  # vectors of length 1
        return [*flat, dense, ("UnitNormalization", {"axis": -1})]
    if found.kind == "alignments":  # (steps, classes)
        if len(shape) == 2 and 2 <= shape[0] <= 20:
            return [dense]
        steps = draw.whole(2, 6)
        wide = ("Dense", {"units": steps * units})
        return [*flat, wide, ("Reshape", {"target_shape": (steps, units)})]
    return [*(flat if draw.pick(True, True, False) else []), dense]


def target(draw, kind, shape):
    """Targets of one kind for outputs of a shape."""
    rng = draw.rng
    if kind == "real":
        return rng.normal(size=shape).astype("float32")
    if kind == "away from 0":
        size = rng.uniform(0.5, 2, size=shape)
        return (size * rng.choice([-1, 1], size=shape)).astype("float32")
    if kind == "positive":
        return rng.integers(0, 4, size=shape).astype("float32")
    if kind == "binary":
        return rng.integers(0, 2, size=shape).astype("float32")
    if kind == "groups":
        return rng.integers(0, 3, size=shape[0]).astype("int32")
    if kind == "alignments":  # no more labels than fit, even if they are all the same
        most = (shape[1] + 1) // 2
        labels = rng.integers(1, shape[2], size=(shape[0], most))
        counts = rng.integers(1, most + 1, size=(shape[0], 1))
        return np.where(np.arange(most) < counts, labels, 0).astype("int32")
    labels = rng.integers(0, shape[-1], size=shape[:-1])
    if kind == "labels":
        return labels.astype("int32")
    hot = np.eye(shape[-1], dtype="float32")[labels]
    if kind == "one_hot":
        return hot
    mixed = hot + rng.uniform(0, 1, size=shape)
    return (mixed / mixed.sum(-1, keepdims=True)).astype("float32")


def weights(draw, kind, shape):
    """Weights of the samples, or None; not where a sample has several losses."""
    one_each = len(shape) == 2 or kind == "alignments"
    if draw.rng.random() > 0.4 or not one_each:
        return None
    return draw.rng.uniform(0.2, 2, size=shape[0]).astype("float32")
