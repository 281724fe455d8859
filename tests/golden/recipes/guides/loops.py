"""Training loops of one's own, and derivatives of derivatives."""

import minikeras as keras
from minikeras import input_gradients, layers, ops, weight_gradients

from .base import LABELS, X, Y, fill, mlp, program, sum_penalty
from .own_layers import Outer


@program
def training_loop_from_scratch():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4, activation="relu", activity_regularizer=sum_penalty),
            Outer(),
            layers.Dense(2),
        ]
    )
    fill(model)
    optimizer = keras.optimizers.Adam(learning_rate=1e-2)
    loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    train_acc_metric = keras.metrics.SparseCategoricalAccuracy()
    val_acc_metric = keras.metrics.SparseCategoricalAccuracy()
    shown = []

    def train_step(x, y):
        def compute():
            logits = model(x, training=True)
            loss_value = loss_fn(y, logits)
            loss_value += sum(model.losses)
            return loss_value, logits

        (loss_value, logits), grads = weight_gradients(compute, model.trainable_weights)
        optimizer.apply(grads, model.trainable_weights)
        train_acc_metric.update_state(y, logits)
        return loss_value

    def test_step(x, y):
        val_logits = model(x, training=False)
        val_acc_metric.update_state(y, val_logits)

    for _ in range(3):
        for step in range(2):
            rows = slice(4 * step, 4 * step + 4)
            loss_value = train_step(X[rows], LABELS[rows])
            shown.append(float(loss_value))
        shown.append(float(train_acc_metric.result()))
        train_acc_metric.reset_state()
        test_step(X, LABELS)
        shown.append(float(val_acc_metric.result()))
        val_acc_metric.reset_state()
    return {"shown": shown, "weights": model.get_weights()}


@program
def a_step_inside_a_step():
    """Meta-learning: the derivative goes through one step of gradient descent."""
    model = mlp(units=2)

    def loss(outputs, y):
        return ops.mean(ops.square(ops.subtract(outputs, y)))

    def after_a_step():
        _, slopes = weight_gradients(lambda: loss(model(X[:5]), Y[:5]), model)
        adapted = [
            weight.value - 0.1 * slope
            for weight, slope in zip(model.trainable_variables, slopes, strict=True)
        ]
        outputs, _ = model.stateless_call(
            adapted, [w.value for w in model.non_trainable_variables], X[5:]
        )
        return loss(outputs, Y[5:])

    optimizer = keras.optimizers.Adam(0.01)
    shown = []
    for _ in range(3):
        value, gradients = weight_gradients(after_a_step, model)
        optimizer.apply(gradients, model.trainable_variables)
        shown.append(float(value))
    return {
        "shown": shown,
        "gradients": list(gradients),
        "weights": model.get_weights(),
    }


@program
def slopes_of_inputs():
    model = mlp(units=1)
    value, (slopes,) = input_gradients(lambda x: ops.sum(ops.tanh(model(x))), X)

    def rough():
        _, (inner,) = input_gradients(lambda x: ops.sum(ops.tanh(model(x))), X)
        return ops.sum(ops.square(inner))

    penalty, gradients = weight_gradients(rough, model)
    return {
        "value": float(value),
        "slopes": slopes,
        "penalty": float(penalty),
        "gradients": [0.0 if g is None else g for g in gradients],
    }
