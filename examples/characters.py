"""A model that writes: an LSTM guesses the next character of Alice in Wonderland.

python examples/characters.py [epochs]

It is judged by its bits per character on the last tenth of the book, which it has not
seen, beside a table of pairs of characters. Then it writes a few lines.
"""

import sys
from pathlib import Path

import numpy as np

import minikeras as keras
from minikeras import layers, ops

TEXT = Path(__file__).parent / "data" / "alice.txt"
LENGTH = 64  # characters in a training sequence


def pairs_table(train, test, classes):
    """Bits per character of a table of pairs, each counted once more than seen."""
    counts = np.ones((classes, classes))
    np.add.at(counts, (train[:-1], train[1:]), 1)
    shares = counts / counts.sum(axis=1, keepdims=True)
    return float(-np.log2(shares[test[:-1], test[1:]]).mean())


def sequences(codes):
    """Inputs and targets: each target is the character that comes next."""
    count = (len(codes) - 1) // LENGTH
    x = codes[: count * LENGTH].reshape(count, LENGTH)
    y = codes[1 : count * LENGTH + 1].reshape(count, LENGTH)
    return x, y


def build(classes):
    """Characters -> vectors -> LSTM -> a score for each next character."""
    model = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(classes, 32),
            layers.LSTM(128, return_sequences=True),
            layers.Dense(classes),
        ]
    )
    model.compile(
        keras.optimizers.Adam(5e-3, clipnorm=1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    return model


def write(model, alphabet, begin, count, temperature=0.6, seed=1):
    """Let the model go on from `begin`, a character at a time."""
    rng = np.random.default_rng(seed)
    codes = [alphabet.index(c) for c in begin]
    for _ in range(count):
        logits = model(np.array([codes[-LENGTH:]]))[0, -1]
        chances = np.asarray(ops.softmax(logits / temperature), "float64")
        codes.append(int(rng.choice(len(alphabet), p=chances / chances.sum())))
    return "".join(alphabet[code] for code in codes)


def main(epochs=20):
    keras.utils.set_random_seed(1)
    text = TEXT.read_text(encoding="ascii")
    alphabet = sorted(set(text))
    codes = np.array([alphabet.index(c) for c in text], "int32")
    split = len(codes) * 9 // 10
    train, test = codes[:split], codes[split:]

    model = build(len(alphabet))
    model.summary()
    x, y = sequences(train)
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=2)

    bits = model.evaluate(*sequences(test), verbose=0) / np.log(2)
    print("\n" + write(model, alphabet, "Alice was ", 300) + "\n")
    table = pairs_table(train, test, len(alphabet))
    print(f"Bits per character: {bits:.3f}, a table of pairs: {table:.3f}")
    return bits, table


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
