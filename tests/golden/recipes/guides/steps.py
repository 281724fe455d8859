"""What happens in fit, customized."""

import minikeras as keras
from minikeras import layers, ops, weight_gradients

from .base import MLP, WEIGHT, X, Y, history, mlp, numbers, program


class CustomStep(MLP):
    """The first example: the usual step, written out."""

    def train_step(self, data):
        x, y = data

        def compute():
            y_pred = self(x, training=True)
            return self.compute_loss(y=y, y_pred=y_pred), y_pred

        (loss, y_pred), gradients = weight_gradients(compute, self.trainable_weights)
        self.optimizer.apply(gradients, self.trainable_weights)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


class OwnMetrics(MLP):
    """Without loss and metrics in compile."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.mae_metric = keras.metrics.MeanAbsoluteError(name="mae")
        self.loss_fn = keras.losses.MeanSquaredError()

    def train_step(self, data):
        x, y = data

        def compute():
            y_pred = self(x, training=True)
            return self.loss_fn(y, y_pred), y_pred

        (loss, y_pred), gradients = weight_gradients(compute, self)
        self.optimizer.apply(gradients, self.trainable_weights)
        self.loss_tracker.update_state(loss)
        self.mae_metric.update_state(y, y_pred)
        return {
            "loss": self.loss_tracker.result(),
            "mae": self.mae_metric.result(),
        }

    @property
    def metrics(self):
        return [self.loss_tracker, self.mae_metric]


class WeightedStep(MLP):
    """With sample weights."""

    def train_step(self, data):
        if len(data) == 3:
            x, y, sample_weight = data
        else:
            sample_weight = None
            x, y = data

        def compute():
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred, sample_weight=sample_weight)
            return loss, y_pred

        (loss, y_pred), gradients = weight_gradients(compute, self.trainable_weights)
        self.optimizer.apply(gradients, self.trainable_weights)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred, sample_weight=sample_weight)
        return {m.name: m.result() for m in self.metrics}


class CustomTest(MLP):
    """With a test_step of its own."""

    def test_step(self, data):
        x, y = data
        y_pred = self(x, training=False)
        loss = self.compute_loss(y=y, y_pred=y_pred)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {m.name: m.result() for m in self.metrics}


class CustomPredict(MLP):
    def predict_step(self, data):
        return self(data, training=False) * 2


class CustomLoss(MLP):
    """With a compute_loss of its own that keeps track of it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.loss_tracker = keras.metrics.Mean(name="own_loss")

    def compute_loss(self, x, y, y_pred, sample_weight, training=True):
        loss = ops.mean((y_pred - y) ** 2)
        loss += sum(self.losses)
        self.loss_tracker.update_state(loss)
        return loss * (1 if training else 10)

    def reset_metrics(self):
        self.loss_tracker.reset_state()

    @property
    def metrics(self):
        return [self.loss_tracker]


class OldCustomLoss(MLP):
    """With a compute_loss as before there was `training`."""

    def compute_loss(self, x, y, y_pred, sample_weight):
        return ops.mean(ops.abs(y_pred - y)) + ops.mean(ops.square(x))


class ExtendedLoss(MLP):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, **kwargs):
        loss = super().compute_loss(x, y, y_pred, sample_weight, **kwargs)
        return loss + 0.1 * ops.mean(ops.square(y_pred))


class CustomMetrics(MLP):
    """With a metric that sees the inputs too."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.largest_input = keras.metrics.Mean(name="largest_input")

    def compute_metrics(self, x, y, y_pred, sample_weight):
        results = super().compute_metrics(x, y, y_pred, sample_weight)
        self.largest_input.update_state(ops.max(x))
        results["largest_input"] = self.largest_input.result()
        return results


class OwnResults(MLP):
    """compute_metrics that returns what it likes."""

    def compute_metrics(self, x, y, y_pred, sample_weight):
        return {"first": ops.sum(y_pred), "second": ops.max(y)}


class InnerMetric(layers.Layer):
    """A layer that keeps track of a figure of its own."""

    def __init__(self):
        super().__init__()
        self.size = keras.metrics.Mean(name="size")

    def call(self, inputs):
        self.size.update_state(ops.mean(ops.abs(inputs)))
        return inputs


@program
def custom_step():
    model = mlp(CustomStep)
    model.compile(keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    found = history(model, X, Y, epochs=3, batch_size=5)
    return {**found, "names": sorted(found["history"])}


@program
def own_metrics():
    model = mlp(OwnMetrics)
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    found = history(model, X, Y, epochs=3)
    return {**found, "names": [m.name for m in model.metrics]}


@program
def weighted_step():
    model = mlp(WeightedStep)
    model.compile(keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    return history(model, X, Y, sample_weight=WEIGHT, epochs=3, batch_size=5)


@program
def custom_test_step():
    model = mlp(CustomTest)
    model.compile(loss="mse", metrics=["mae"])
    found = model.evaluate(X, Y, verbose=0, batch_size=5, return_dict=True)
    as_list = model.evaluate(X, Y, verbose=0, batch_size=5)
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    trained = history(model, X, Y, validation_data=(X, Y), validation_batch_size=5)
    return {"dict": found, "list": as_list, **trained}


@program
def custom_predict_step():
    model = mlp(CustomPredict)
    return {
        "predict": model.predict(X, verbose=0),
        "batches": model.predict(X, batch_size=3, verbose=0),
    }


@program
def custom_loss_method():
    found = {}
    for cls in (CustomLoss, OldCustomLoss, ExtendedLoss):
        model = mlp(cls)
        model.compile(keras.optimizers.SGD(0.1), "mse")
        found[cls.__name__] = history(model, X, Y, batch_size=5)
        logs = model.evaluate(X, Y, verbose=0, return_dict=True)
        found[cls.__name__]["evaluate"] = logs
    return found


@program
def custom_compute_metrics():
    model = mlp(CustomMetrics)
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    found = history(model, X, Y)
    other = mlp(OwnResults)
    other.compile(keras.optimizers.SGD(0.1), "mse")
    batches = []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: batches.append(dict(logs))
    )
    logs = history(other, X, Y, callbacks=[record])["history"]
    return {**found, "own": logs, "batches": batches}


class Untracked(MLP):
    """A step whose loss no metric takes in, so that epochs know nothing of it."""

    def train_step(self, data):
        x, y = data
        loss, gradients = weight_gradients(
            lambda: self.compute_loss(y=y, y_pred=self(x, training=True)), self
        )
        self.optimizer.apply(gradients, self.trainable_weights)
        return {"loss": loss}


@program
def what_batches_and_epochs_report():
    model = mlp(Untracked)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    batches, epochs = [], []
    record = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: batches.append(dict(logs)),
        on_epoch_end=lambda epoch, logs: epochs.append(dict(logs)),
    )
    found = history(model, X, Y, callbacks=[record])
    return {**found, "batches": batches, "epochs": epochs}


@program
def metrics_of_layers():
    model = keras.Sequential([keras.Input((3,)), InnerMetric(), layers.Dense(2)])
    fill_dense = model.layers[-1]
    fill_dense.set_weights([numbers(3, 2), numbers(2)])
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    found = model.fit(X, Y, epochs=2, batch_size=4, shuffle=False, verbose=0)
    return {"history": found.history}
