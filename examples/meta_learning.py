"""A network learns to learn: ten points of a new sine wave, one step, and it fits.

python examples/meta_learning.py [steps]

Model-agnostic meta-learning (Finn and others, arXiv 1703.03400): the weights are
trained so that one step of gradient descent on a few points of a wave makes a good
network for that wave. The gradient goes through that step. Beside it stands the same
network, trained as long on the same waves without the inner step.
"""

import sys

import numpy as np

import minikeras as keras
from minikeras import layers, ops, weight_gradients

POINTS = 10  # of a wave, to adapt to; as many others to judge by
RATE = 0.02  # of the inner step
WAVES = 4  # in an outer step


def network():
    return keras.Sequential(
        [
            keras.Input((1,)),
            layers.Dense(40, "tanh"),
            layers.Dense(40, "tanh"),
            layers.Dense(1),
        ]
    )


def wave(rng):
    """Points of a sine wave of some height and phase: to adapt to, and to judge by."""
    height, phase = rng.uniform(0.1, 5.0), rng.uniform(0, np.pi)
    x = rng.uniform(-5, 5, (2, POINTS, 1)).astype("float32")
    y = height * np.sin(x - phase).astype("float32")
    return (x[0], y[0]), (x[1], y[1])


def error(outputs, y):
    return ops.mean(ops.square(outputs - y))


def after_a_step(model, known, new):
    """Error on new points with the weights that a step on known points leads to."""
    x, y = known
    _, slopes = weight_gradients(lambda: error(model(x), y), model)
    adapted = [
        weight.value - RATE * slope
        for weight, slope in zip(model.trainable_weights, slopes, strict=True)
    ]
    outputs, _ = model.stateless_call(adapted, [], new[0])
    return error(outputs, new[1])


def without_a_step(model, known, new):
    """Error on all the points with the weights as they are."""
    return (error(model(known[0]), known[1]) + error(model(new[0]), new[1])) / 2


def train(objective, steps):
    """A network that makes `objective` small on average over waves."""
    keras.utils.set_random_seed(1)
    model, rng = network(), np.random.default_rng(1)
    optimizer = keras.optimizers.Adam(3e-3)
    for _ in range(steps):
        waves = [wave(rng) for _ in range(WAVES)]

        def loss(waves=waves):
            return sum(objective(model, *points) for points in waves) / WAVES

        _, slopes = weight_gradients(loss, model)
        optimizer.apply(slopes, model.trainable_weights)
    return model


def judge(model, count=300):
    """Mean error before and after a step, over waves that are new to the network."""
    rng = np.random.default_rng(2)
    waves = [wave(rng) for _ in range(count)]
    before = np.mean([error(model(x), y) for _, (x, y) in waves])
    return before, np.mean([after_a_step(model, *points) for points in waves])


def main(steps=1500):
    usual = judge(train(without_a_step, steps))
    print("Trained without the inner step: error {:.3f}, then {:.3f}".format(*usual))
    meta = judge(train(after_a_step, steps))
    print("Trained through the inner step: error {:.3f}, then {:.3f}".format(*meta))
    print(f"Error after one step on ten points: {meta[1]:.3f}, usual {usual[1]:.3f}")
    return meta[1], usual[1]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
