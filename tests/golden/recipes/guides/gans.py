"""Two networks against each other."""

import minikeras as keras
from minikeras import input_gradients, layers, ops, weight_gradients

from .base import NOISE, X, fill, history, program


class GAN(keras.Model):
    """Two networks against each other, an optimizer for each."""

    def __init__(self, discriminator, generator, latent_dim):
        super().__init__()
        self.discriminator = discriminator
        self.generator = generator
        self.latent_dim = latent_dim
        self.d_loss_tracker = keras.metrics.Mean(name="d_loss")
        self.g_loss_tracker = keras.metrics.Mean(name="g_loss")
        self.seed_generator = keras.random.SeedGenerator(1337)
        self.built = True

    @property
    def metrics(self):
        return [self.d_loss_tracker, self.g_loss_tracker]

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer = d_optimizer
        self.g_optimizer = g_optimizer
        self.loss_fn = loss_fn

    def latent(self, batch_size):
        drawn = keras.random.normal(
            shape=(batch_size, self.latent_dim), seed=self.seed_generator
        )
        return ops.convert_to_tensor(NOISE[:batch_size]) + 0.0 * drawn

    def train_step(self, real_images):
        batch_size = ops.shape(real_images)[0]
        generated = self.generator(self.latent(batch_size))
        combined = ops.concatenate([generated, real_images], axis=0)
        labels = ops.concatenate(
            [ops.ones((batch_size, 1)), ops.zeros((batch_size, 1))], axis=0
        )

        d_loss, grads = weight_gradients(
            lambda: self.loss_fn(labels, self.discriminator(combined)),
            self.discriminator.trainable_weights,
        )
        self.d_optimizer.apply(grads, self.discriminator.trainable_weights)

        misleading = ops.zeros((batch_size, 1))
        g_loss, grads = weight_gradients(
            lambda: self.loss_fn(
                misleading,
                self.discriminator(self.generator(self.latent(batch_size))),
            ),
            self.generator.trainable_weights,
        )
        self.g_optimizer.apply(grads, self.generator.trainable_weights)

        self.d_loss_tracker.update_state(d_loss)
        self.g_loss_tracker.update_state(g_loss)
        return {
            "d_loss": self.d_loss_tracker.result(),
            "g_loss": self.g_loss_tracker.result(),
        }


class PenalizedGAN(GAN):
    """Wasserstein loss with gradient penalty, three critic steps to one."""

    def compile(self, d_optimizer, g_optimizer):
        super().compile(d_optimizer, g_optimizer, None)

    def penalty(self, real, fake):
        batch_size = ops.shape(real)[0]
        alpha = ops.reshape(ops.convert_to_tensor(NOISE[:batch_size, 0]), (-1, 1))
        middle = real + ops.abs(alpha) / 2 * (fake - real)
        _, (slopes,) = input_gradients(
            lambda x: ops.sum(self.discriminator(x, training=True)), middle
        )
        norm = ops.sqrt(ops.sum(ops.square(slopes), axis=1))
        return ops.mean((norm - 1.0) ** 2)

    def critic_loss(self, real):
        fake = self.generator(self.latent(ops.shape(real)[0]), training=True)
        fake_logits = self.discriminator(fake, training=True)
        real_logits = self.discriminator(real, training=True)
        cost = ops.mean(fake_logits) - ops.mean(real_logits)
        return cost + 10.0 * self.penalty(real, fake)

    def train_step(self, real_images):
        if isinstance(real_images, tuple):
            real_images = real_images[0]
        for _ in range(3):
            d_loss, grads = weight_gradients(
                lambda: self.critic_loss(real_images), self.discriminator
            )
            self.d_optimizer.apply_gradients(
                zip(grads, self.discriminator.trainable_variables, strict=True)
            )
        g_loss, grads = weight_gradients(
            lambda: (
                -ops.mean(
                    self.discriminator(
                        self.generator(self.latent(ops.shape(real_images)[0]))
                    )
                )
            ),
            self.generator,
        )
        self.g_optimizer.apply_gradients(
            zip(grads, self.generator.trainable_variables, strict=True)
        )
        self.d_loss_tracker.update_state(d_loss)
        self.g_loss_tracker.update_state(g_loss)
        return {"d_loss": d_loss, "g_loss": g_loss}


def networks():
    discriminator = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(4),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Dense(1),
        ],
        name="discriminator",
    )
    generator = keras.Sequential(
        [keras.Input((2,)), layers.Dense(4, "tanh"), layers.Dense(3)],
        name="generator",
    )
    return fill(discriminator), fill(generator)


@program
def gan():
    discriminator, generator = networks()
    model = GAN(discriminator, generator, latent_dim=2)
    model.compile(
        d_optimizer=keras.optimizers.Adam(learning_rate=0.003),
        g_optimizer=keras.optimizers.Adam(learning_rate=0.003),
        loss_fn=keras.losses.BinaryCrossentropy(from_logits=True),
    )
    return history(model, X, epochs=3)


@program
def gan_with_gradient_penalty():
    discriminator, generator = networks()
    model = PenalizedGAN(discriminator, generator, latent_dim=2)
    model.compile(
        keras.optimizers.Adam(0.002, beta_1=0.5, beta_2=0.9),
        keras.optimizers.Adam(0.002, beta_1=0.5, beta_2=0.9),
    )
    return history(model, X, epochs=3)
