"""Variational autoencoders, with known noise."""

import minikeras as keras
from minikeras import layers, ops, weight_gradients

from .base import NOISE, fill, history, numbers, program


class Sampling(layers.Layer):
    """Draws z by (z_mean, z_log_var); here with noise that is known."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(1337)

    def call(self, inputs):
        z_mean, z_log_var = inputs
        batch = ops.shape(z_mean)[0]
        dim = ops.shape(z_mean)[1]
        drawn = keras.random.normal(shape=(batch, dim), seed=self.seed_generator)
        epsilon = ops.convert_to_tensor(NOISE[:batch]) + 0.0 * drawn
        return z_mean + ops.exp(0.5 * z_log_var) * epsilon


class Encoder(layers.Layer):
    def __init__(self, latent_dim=2, intermediate_dim=4, name="encoder", **kwargs):
        super().__init__(name=name, **kwargs)
        self.dense_proj = layers.Dense(intermediate_dim, activation="relu")
        self.dense_mean = layers.Dense(latent_dim)
        self.dense_log_var = layers.Dense(latent_dim)
        self.sampling = Sampling()

    def call(self, inputs):
        x = self.dense_proj(inputs)
        z_mean = self.dense_mean(x)
        z_log_var = self.dense_log_var(x)
        z = self.sampling((z_mean, z_log_var))
        return z_mean, z_log_var, z


class Decoder(layers.Layer):
    def __init__(self, original_dim, intermediate_dim=4, name="decoder", **kwargs):
        super().__init__(name=name, **kwargs)
        self.dense_proj = layers.Dense(intermediate_dim, activation="relu")
        self.dense_output = layers.Dense(original_dim, activation="sigmoid")

    def call(self, inputs):
        x = self.dense_proj(inputs)
        return self.dense_output(x)


class AutoEncoder(keras.Model):
    def __init__(self, original_dim, name="autoencoder", **kwargs):
        super().__init__(name=name, **kwargs)
        self.encoder = Encoder()
        self.decoder = Decoder(original_dim)

    def call(self, inputs):
        z_mean, z_log_var, z = self.encoder(inputs)
        kl_loss = -0.5 * ops.mean(
            z_log_var - ops.square(z_mean) - ops.exp(z_log_var) + 1
        )
        self.add_loss(kl_loss)
        return self.decoder(z)


@program
def variational_autoencoder():
    data = (numbers(10, 3, seed=5) + 1) / 2
    vae = AutoEncoder(3)
    vae(data[:1])
    fill(vae)
    vae.compile(keras.optimizers.Adam(1e-2), loss=keras.losses.MeanSquaredError())
    found = history(vae, data, data, epochs=3)
    return {**found, "losses": [float(loss) for loss in vae.losses]}


@program
def variational_autoencoder_in_a_loop():
    data = (numbers(12, 3, seed=5) + 1) / 2
    vae = AutoEncoder(3)
    vae(data[:1])
    fill(vae)
    optimizer = keras.optimizers.Adam(learning_rate=1e-2)
    mse_loss_fn = keras.losses.MeanSquaredError()
    loss_metric = keras.metrics.Mean()
    shown = []

    for _ in range(2):
        for start in range(0, 12, 4):
            x_batch = data[start : start + 4]

            def compute(x_batch=x_batch):
                reconstructed = vae(x_batch)
                loss = mse_loss_fn(x_batch, reconstructed)
                return loss + sum(vae.losses)

            loss, grads = weight_gradients(compute, vae.trainable_weights)
            optimizer.apply_gradients(zip(grads, vae.trainable_weights, strict=True))
            loss_metric(loss)
            shown.append(float(loss_metric.result()))
    return {"shown": shown, "weights": vae.get_weights()}


class VAEWithStep(keras.Model):
    """Two parts with a loss each, and a train_step that keeps track of both."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.encoder = Encoder()
        self.decoder = Decoder(3)
        self.total_loss_tracker = keras.metrics.Mean(name="total_loss")
        self.reconstruction_loss_tracker = keras.metrics.Mean(
            name="reconstruction_loss"
        )
        self.kl_loss_tracker = keras.metrics.Mean(name="kl_loss")

    @property
    def metrics(self):
        return [
            self.total_loss_tracker,
            self.reconstruction_loss_tracker,
            self.kl_loss_tracker,
        ]

    def call(self, inputs):
        return self.decoder(self.encoder(inputs)[0])

    def train_step(self, data):
        def compute():
            z_mean, z_log_var, z = self.encoder(data)
            reconstruction = self.decoder(z)
            reconstruction_loss = ops.mean(
                keras.losses.binary_crossentropy(data, reconstruction)
            )
            kl_loss = -0.5 * (1 + z_log_var - ops.square(z_mean) - ops.exp(z_log_var))
            kl_loss = ops.mean(ops.sum(kl_loss, axis=1))
            return reconstruction_loss + kl_loss, reconstruction_loss, kl_loss

        (total, reconstruction, kl), grads = weight_gradients(
            compute, self.trainable_weights
        )
        self.optimizer.apply_gradients(zip(grads, self.trainable_weights, strict=True))
        self.total_loss_tracker.update_state(total)
        self.reconstruction_loss_tracker.update_state(reconstruction)
        self.kl_loss_tracker.update_state(kl)
        return {
            "loss": self.total_loss_tracker.result(),
            "reconstruction_loss": self.reconstruction_loss_tracker.result(),
            "kl_loss": self.kl_loss_tracker.result(),
        }


@program
def variational_autoencoder_with_a_step():
    data = (numbers(10, 3, seed=5) + 1) / 2
    vae = VAEWithStep()
    vae(data[:1])
    fill(vae)
    vae.compile(optimizer=keras.optimizers.Adam(1e-2))
    return history(vae, data, epochs=3)
