"""A small text classifier with a transformer block, as Keras' guide writes it.

Written for whichever package is passed: real Keras makes the golden values with it, and
the test runs the same lines on minikeras.
"""

import numpy as np

WORDS, LENGTH, SIZE, HEADS, HIDDEN, CLASSES, BATCH = 11, 6, 8, 2, 5, 3, 4


def classes(keras):
    """TransformerBlock and TokenAndPositionEmbedding."""
    layers = keras.layers

    class TransformerBlock(layers.Layer):
        def __init__(self, embed_dim, num_heads, ff_dim, rate=0.1, **kwargs):
            super().__init__(**kwargs)
            self.att = layers.MultiHeadAttention(num_heads, embed_dim, dropout=rate)
            self.ffn = keras.Sequential(
                [layers.Dense(ff_dim, activation="relu"), layers.Dense(embed_dim)]
            )
            self.layernorm1 = layers.LayerNormalization(epsilon=1e-6)
            self.layernorm2 = layers.LayerNormalization(epsilon=1e-6)
            self.dropout1 = layers.Dropout(rate)
            self.dropout2 = layers.Dropout(rate)
            self.add = layers.Add()

        def call(self, inputs):
            attention = self.dropout1(self.att(inputs, inputs))
            seen = self.layernorm1(self.add([inputs, attention]))
            outputs = self.dropout2(self.ffn(seen))
            return self.layernorm2(seen + outputs)

    class TokenAndPositionEmbedding(layers.Layer):
        def __init__(self, maxlen, vocab_size, embed_dim, mask_zero=False, **kwargs):
            super().__init__(**kwargs)
            self.supports_masking = True
            self.token = layers.Embedding(vocab_size, embed_dim, mask_zero=mask_zero)
            self.position = layers.Embedding(maxlen, embed_dim)

        def call(self, x):
            return self.token(x) + self.position(np.arange(x.shape[-1]))

        def compute_mask(self, x, mask=None):
            return self.token.compute_mask(x)

    return TransformerBlock, TokenAndPositionEmbedding


def model(keras, rate=0.0, mask_zero=False):
    """Embedding, block, mean over the steps and a softmax, compiled with SGD."""
    TransformerBlock, TokenAndPositionEmbedding = classes(keras)
    made = keras.Sequential(
        [
            keras.layers.Input((LENGTH,)),
            TokenAndPositionEmbedding(LENGTH, WORDS, SIZE, mask_zero, name="embed"),
            TransformerBlock(SIZE, HEADS, HIDDEN, rate, name="block"),
            keras.layers.GlobalAveragePooling1D(),
            keras.layers.Dropout(rate),
            keras.layers.Dense(CLASSES, activation="softmax", name="classes"),
        ],
        name="text",
    )
    made.compile(keras.optimizers.SGD(0.3), "sparse_categorical_crossentropy")
    return made


def numbers(shape, seed, scale=1.0):
    """Reproducible numbers with few digits."""
    values = np.random.RandomState(seed).uniform(-scale, scale, shape)
    return np.round(values, 3)


def data():
    """Words, 0 at the end of some rows, and classes."""
    random = np.random.RandomState(5)
    x = random.randint(1, WORDS, (BATCH, LENGTH))
    x[1, 4:] = 0
    x[3, 2:] = 0
    return x, random.randint(0, CLASSES, BATCH)
