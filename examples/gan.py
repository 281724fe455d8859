"""A generator learns to draw eight clusters on a circle, by a critic's word alone.

python examples/gan.py [epochs]

Two networks train against each other in a `train_step` of their own: a Wasserstein GAN
whose critic is kept smooth by a penalty on its slope, which is a derivative of a
derivative (Gulrajani and others, arXiv 1704.00028). At the end it is counted how many
drawn points lie in a cluster, and how many clusters are drawn at all.
"""

import sys

import numpy as np

import minikeras as keras
from minikeras import input_gradients, layers, ops, weight_gradients

NOISE = 2  # numbers that the generator makes a point of
CENTERS = np.array([[np.cos(a), np.sin(a)] for a in np.arange(8) * np.pi / 4])
SPREAD = 0.05  # of a cluster


class GAN(keras.Model):
    """A generator and a critic, with an optimizer for each."""

    def __init__(self, generator, critic, critic_steps=3, penalty=1.0):
        super().__init__()
        self.generator = generator
        self.critic = critic
        self.critic_steps = critic_steps
        self.penalty = penalty
        self.seed_generator = keras.random.SeedGenerator(1)
        self.critic_tracker = keras.metrics.Mean(name="critic_loss")
        self.generator_tracker = keras.metrics.Mean(name="generator_loss")

    def compile(self, generator_optimizer, critic_optimizer):
        super().compile()
        self.generator_optimizer = generator_optimizer
        self.critic_optimizer = critic_optimizer

    @property
    def metrics(self):
        return [self.critic_tracker, self.generator_tracker]

    def draw(self, count):
        """Points that the generator makes of noise."""
        noise = keras.random.normal((count, NOISE), seed=self.seed_generator)
        return self.generator(noise)

    def slope_penalty(self, real, fake):
        """How far the critic's slope is from 1, between real and drawn points."""
        shares = keras.random.uniform((len(real), 1), seed=self.seed_generator)
        between = real + shares * (fake - real)
        _, (slopes,) = input_gradients(lambda x: ops.sum(self.critic(x)), between)
        lengths = ops.sqrt(ops.sum(ops.square(slopes), axis=1) + 1e-12)
        return ops.mean(ops.square(lengths - 1.0))

    def train_step(self, real):
        for _ in range(self.critic_steps):
            fake = self.draw(len(real))

            def critic_loss(fake=fake):
                worth = ops.mean(self.critic(real)) - ops.mean(self.critic(fake))
                return self.penalty * self.slope_penalty(real, fake) - worth

            loss, slopes = weight_gradients(critic_loss, self.critic)
            self.critic_optimizer.apply(slopes, self.critic.trainable_weights)
            self.critic_tracker.update_state(loss)

        loss, slopes = weight_gradients(
            lambda: -ops.mean(self.critic(self.draw(len(real)))), self.generator
        )
        self.generator_optimizer.apply(slopes, self.generator.trainable_weights)
        self.generator_tracker.update_state(loss)
        return self.get_metrics_result()


def network(inputs, outputs):
    """Two hidden layers. Both networks are of this shape."""
    hidden = [layers.Dense(64), layers.LeakyReLU(0.2)]
    more = [layers.Dense(64), layers.LeakyReLU(0.2)]
    return keras.Sequential(
        [keras.Input((inputs,)), *hidden, *more, layers.Dense(outputs)]
    )


def judge(points):
    """Share of points in a cluster, and number of clusters with a fair share."""
    distances = np.linalg.norm(points[:, None] - CENTERS, axis=2)
    inside = distances.min(axis=1) < 4 * SPREAD
    counts = np.bincount(distances.argmin(axis=1)[inside], minlength=len(CENTERS))
    return inside.mean(), int((counts > len(points) / 40).sum())


def main(epochs=40):
    keras.utils.set_random_seed(1)
    rng = np.random.default_rng(1)
    points = CENTERS[rng.integers(8, size=6400)] + rng.normal(0, SPREAD, (6400, 2))

    gan = GAN(network(NOISE, 2), network(2, 1))
    gan.compile(
        keras.optimizers.Adam(1e-3, beta_1=0.5, beta_2=0.9),
        keras.optimizers.Adam(1e-3, beta_1=0.5, beta_2=0.9),
    )
    before, _ = judge(gan.draw(2000))
    gan.fit(points.astype("float32"), batch_size=128, epochs=epochs, verbose=2)
    share, clusters = judge(gan.draw(2000))
    print(f"Before training {before:.1%} of the drawn points lie in a cluster.")
    print(f"In a cluster: {share:.1%}, clusters drawn: {clusters} of {len(CENTERS)}")
    return share, clusters


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
