"""Subclasses of Model, and which of their weights train."""

import minikeras as keras
from minikeras import layers, ops

from .base import MLP, X, Y, array, fill, history, mlp, numbers, program


class TwoInputs(keras.Model):
    def __init__(self):
        super().__init__()
        self.left = layers.Dense(3)
        self.right = layers.Dense(3)

    def call(self, inputs):
        left, right = inputs
        return self.left(left) + ops.tanh(self.right(right))


class Named(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return self.dense(inputs["a"]) * inputs["b"]


@program
def subclassed_model():
    model = MLP(name="mlp")
    before = [len(model.layers), len(model.weights), model.built]
    model(X[:1])
    fill(model)
    model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    return {
        "before": before,
        "layers": [layer.name for layer in model.layers],
        "get_layer": [model.get_layer("head").name, model.get_layer(index=1).name],
        "params": model.count_params(),
        "outputs": model(X),
        **history(model, X, Y, validation_data=(X, Y)),
        "evaluate": model.evaluate(X, Y, verbose=0, return_dict=True),
        "predict": model.predict(X, verbose=0),
    }


@program
def built_by_fit():
    model = MLP()
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(X, Y, verbose=0)
    return {"shapes": [tuple(w.shape) for w in model.weights], "built": model.built}


class Outputs(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)
        self.as_dictionary = False

    def call(self, inputs):
        outputs = self.dense(inputs)
        if self.as_dictionary:
            return {"one": outputs, "sum": ops.sum(outputs, axis=-1)}
        return outputs, ops.sum(outputs, axis=-1)


@keras.saving.register_keras_serializable(package="Guides")
class Sized(keras.Model):
    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.dense = layers.Dense(size)

    def call(self, inputs):
        return self.dense(inputs)

    def get_config(self):
        return {**super().get_config(), "size": self.size}


def fill_after(model, x):
    """Build a model by calling it, then set its weights."""
    model(x)
    return fill(model)


@program
def several_inputs():
    model, named = TwoInputs(), Named()
    two = [numbers(4, 3, seed=1), numbers(4, 2, seed=2)]
    both = {"a": two[0], "b": two[1]}
    model(two), named(both)
    fill(model), fill(named)
    return {"list": model(two), "dict": named(both), "tuple": model(tuple(two))}


@program
def several_outputs():
    model = Outputs()
    model(X)
    fill(model)
    found = model.predict(X, batch_size=4, verbose=0)
    model.as_dictionary = True
    named = model.predict(X, batch_size=4, verbose=0)
    return {"tuple": list(found), "dictionary": named, "once": list(model(X).values())}


@program
def model_config():
    config = Sized(3, name="sized").get_config()
    again = Sized.from_config(config)
    written = keras.saving.serialize_keras_object(again)
    back = keras.saving.deserialize_keras_object(written)
    return {
        "size": [config["size"], again.size, back.size],
        "names": [again.name, back.name, written["registered_name"]],
        "outputs": fill_after(back, X)(X),
    }


@program
def weights_from_one_model_to_another():
    one, other = mlp(), MLP()
    other(X)
    other.set_weights(one.get_weights())
    first = array(other(X))
    layer = layers.Dense(2)
    layer.build((None, 4))
    layer.set_weights(one.get_layer("head").get_weights())
    for ours, theirs in zip(other.weights, one.weights, strict=True):
        ours.assign(theirs * 2)
    return {"outputs": first, "layer": layer.weights[0], "twice": other(X)}


def counts(model):
    parts = model.weights, model.trainable_weights, model.non_trainable_weights
    return [len(part) for part in parts]


@program
def frozen_layers():
    model = mlp()
    found = {"all": counts(model)}
    model.hidden[0].trainable = False
    found["one"] = counts(model)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    found["first fit"] = history(model, X, Y)
    model.hidden[0].trainable = True
    model.head.trainable = False
    model.compile(keras.optimizers.SGD(0.1), "mse")
    found["second fit"] = history(model, X, Y)
    model.trainable = False
    found["none"] = counts(model)
    found["inner"] = [layer.trainable for layer in model.layers]
    model.trainable = True
    found["again"] = counts(model)
    return found


@program
def frozen_without_compile():
    model = mlp()
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse")
    found = {"all": history(model, X, Y)}
    model.hidden[1].trainable = False
    return {**found, "frozen": history(model, X, Y)}


@program
def fine_tuning():
    """A frozen base with batch normalization under a new head, then both."""
    base = keras.Sequential(
        [keras.Input((3,)), layers.Dense(4), layers.BatchNormalization()], name="base"
    )
    fill(base.layers[0])
    base.trainable = False

    class Tuned(keras.Model):
        def __init__(self):
            super().__init__()
            self.base = base
            self.head = layers.Dense(2)

        def call(self, inputs):
            return self.head(self.base(inputs, training=False))

    model = Tuned()
    model(X[:1])
    fill(model.head)
    found = {"frozen": counts(model), "bn": counts(base.layers[1])}
    model.compile(keras.optimizers.Adam(0.01), "mse")
    found["head"] = history(model, X, Y)
    base.trainable = True
    found["thawed"] = counts(model)
    model.compile(keras.optimizers.Adam(0.001), "mse")
    found["both"] = history(model, X, Y)
    return found


@program
def frozen_batch_normalization():
    layer = layers.BatchNormalization()
    model = keras.Sequential([keras.Input((3,)), layer, layers.Dense(2)])
    model.layers[1].set_weights([numbers(3, 2), numbers(2)])
    layer.trainable = False
    model.compile(keras.optimizers.SGD(0.1), "mse")
    found = history(model, X, Y)
    return {**found, "training": layer(X, training=True)}
