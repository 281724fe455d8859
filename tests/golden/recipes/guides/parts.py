"""Losses, metrics, optimizers and all the small parts of one's own."""

import numpy as np

import minikeras as keras
from minikeras import layers, ops

from .base import LABELS, WEIGHT, X, Y, history, mlp, program, sum_penalty


@keras.saving.register_keras_serializable(package="Guides")
class ScaledError(keras.losses.Loss):
    def __init__(self, factor=0.1, name="scaled_error", **kwargs):
        super().__init__(name=name, **kwargs)
        self.factor = factor

    def call(self, y_true, y_pred):
        mse = ops.mean(ops.square(y_true - y_pred), axis=-1)
        return mse + self.factor * ops.mean(ops.square(0.5 - y_pred), axis=-1)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def cubic_error(y_true, y_pred):
    return ops.mean(ops.power(ops.abs(y_true - y_pred), 3), axis=-1)


class TruePositives(keras.metrics.Metric):
    def __init__(self, name="true_positives", threshold=0.5, **kwargs):
        super().__init__(name=name, **kwargs)
        self.threshold = threshold
        self.true_positives = self.add_variable(
            shape=(), initializer="zeros", name="tp"
        )

    def update_state(self, y_true, y_pred, sample_weight=None):
        y_true = ops.cast(y_true, "bool")
        y_pred = y_pred > self.threshold
        values = ops.logical_and(ops.equal(y_true, True), ops.equal(y_pred, True))
        values = ops.cast(values, self.dtype)
        if sample_weight is not None:
            sample_weight = ops.cast(sample_weight, self.dtype)
            sample_weight = ops.reshape(sample_weight, (-1, 1))
            values = ops.multiply(values, sample_weight)
        self.true_positives.assign_add(ops.sum(values))

    def result(self):
        return self.true_positives

    def reset_state(self):
        self.true_positives.assign(0)


class LargestTwo(keras.metrics.Metric):
    """A metric that returns a dictionary."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.pair = self.add_weight(shape=(2,), initializer="zeros", name="pair")

    def update_state(self, y_true, y_pred, sample_weight=None):
        both = ops.concatenate([self.pair.value, ops.reshape(y_pred, (-1,))], axis=0)
        self.pair.assign(ops.sort(both)[-2:])

    def result(self):
        return {"largest": self.pair[1], "second": self.pair[0]}


def worst(y_true, y_pred):
    return ops.max(ops.abs(y_true - y_pred), axis=-1)


class Momentum(keras.optimizers.Optimizer):
    """Heavy ball, with its state made in build."""

    def __init__(self, learning_rate=0.01, momentum=0.9, name="momentum", **kwargs):
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.momentum = momentum

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.velocities = [
            self.add_variable_from_reference(variable, name="velocity")
            for variable in variables
        ]

    def update_step(self, gradient, variable, learning_rate):
        learning_rate = ops.cast(learning_rate, variable.dtype)
        gradient = ops.cast(gradient, variable.dtype)
        velocity = self.velocities[self._get_variable_index(variable)]
        new = ops.subtract(
            ops.multiply(velocity, self.momentum), ops.multiply(gradient, learning_rate)
        )
        self.assign(velocity, new)
        self.assign_add(variable, new)

    def get_config(self):
        config = super().get_config()
        config.update({"momentum": self.momentum})
        return config


class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, top, steps):
        self.top = top
        self.steps = steps

    def __call__(self, step):
        share = ops.cast(step + 1, "float32") / self.steps
        return self.top * ops.minimum(share, 1.0)

    def get_config(self):
        return {"top": self.top, "steps": self.steps}


class Waves(keras.initializers.Initializer):
    def __init__(self, scale=1.0):
        self.scale = scale

    def __call__(self, shape, dtype=None, **kwargs):
        size = int(np.prod(shape))
        waves = ops.sin(ops.arange(size, dtype="float32"))
        return self.scale * ops.cast(ops.reshape(waves, shape), dtype)

    def get_config(self):
        return {"scale": self.scale}


def halves(shape, dtype=None):
    return ops.full(shape, 0.5, dtype=dtype)


class Cubes(keras.regularizers.Regularizer):
    def __init__(self, strength=0.1):
        self.strength = strength

    def __call__(self, x):
        return self.strength * ops.sum(ops.power(ops.abs(x), 3))

    def get_config(self):
        return {"strength": self.strength}


class Box(keras.constraints.Constraint):
    def __init__(self, size=0.6):
        self.size = size

    def __call__(self, w):
        return ops.clip(w, -self.size, self.size)

    def get_config(self):
        return {"size": self.size}


def soft_square(x):
    return ops.square(x) / (1 + ops.abs(x))


@program
def custom_losses():
    found = {}
    for loss in (ScaledError(0.2), ScaledError(reduction="sum"), cubic_error):
        model = mlp()
        model.compile(keras.optimizers.SGD(0.05), loss, metrics=[cubic_error])
        name = f"{getattr(loss, 'name', 'function')} {len(found)}"
        found[name] = history(model, X, Y, sample_weight=WEIGHT)
    config = keras.losses.serialize(ScaledError(0.3))
    again = keras.losses.deserialize(config)
    found["config"] = [again.factor, again.name, float(again(Y, Y * 2))]
    return found


@program
def custom_metrics():
    model = mlp(units=1)
    model.compile(
        keras.optimizers.SGD(0.1),
        "mse",
        metrics=[TruePositives(threshold=0.1), LargestTwo(name="two"), worst],
        weighted_metrics=[TruePositives(name="weighted", threshold=0.1)],
    )
    y = LABELS[:, None].astype("float32")
    found = history(model, X, y, sample_weight=WEIGHT, epochs=3)
    alone = TruePositives()
    alone.update_state([[0], [1], [1]], np.array([[0.9], [0.8], [0.2]]))
    first = float(alone.result())
    alone.reset_state()
    return {
        **found,
        "alone": [first, float(alone.result())],
        "variables": [variable.name for variable in alone.variables],
    }


@program
def custom_optimizer():
    found = {}
    for name, options in {
        "plain": {},
        "clipped": {"clipnorm": 0.1},
        "decayed": {"weight_decay": 0.1},
        "averaged": {"use_ema": True, "ema_momentum": 0.5},
        "scheduled": {"learning_rate": Warmup(0.1, 4)},
    }.items():
        model = mlp()
        optimizer = Momentum(**{"learning_rate": 0.05, **options})
        model.compile(optimizer, "mse")
        found[name] = history(model, X, Y)
        found[name]["state"] = list(optimizer.velocities)
        found[name]["iterations"] = int(optimizer.iterations)
    again = Momentum.from_config(Momentum(0.3, 0.8).get_config())
    found["config"] = [float(again.learning_rate), again.momentum, again.name]
    return found


@program
def small_parts():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(
                4,
                activation=soft_square,
                kernel_initializer=Waves(0.7),
                bias_initializer=halves,
                kernel_regularizer=Cubes(0.05),
                kernel_constraint=Box(0.5),
                activity_regularizer=sum_penalty,
            ),
            layers.Dense(2, kernel_initializer=Waves(), kernel_regularizer=sum_penalty),
        ]
    )
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return {"before": before, **history(model, X, Y)}
