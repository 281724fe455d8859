"""A convolutional network learns to read handwritten digits, in about a minute.

python examples/mnist_cnn.py            # 6,000 digits that come with minikeras
python examples/mnist_cnn.py --full     # all 60,000, downloaded once (11 MB)
"""

import argparse

import minikeras as keras
from minikeras import layers


def load(full):
    source = keras.datasets.mnist if full else keras.datasets.digits
    (x_train, y_train), (x_test, y_test) = source.load_data()
    return (x_train / 255.0, y_train), (x_test / 255.0, y_test)


def build():
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=12, help="passes over the data")
    parser.add_argument("--batch-size", type=int, default=32, help="digits in a step")
    parser.add_argument("--full", action="store_true", help="use all 60,000 digits")
    options = parser.parse_args()

    keras.utils.set_random_seed(0)
    (x_train, y_train), (x_test, y_test) = load(options.full)
    model = build()
    model.summary()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(
        x_train,
        y_train,
        batch_size=options.batch_size,
        epochs=options.epochs,
        validation_split=0.1,
    )
    print(
        "\nWhat to try next:\n"
        "  change a layer in build() and look at summary() and the accuracy again;\n"
        "  --epochs 20 for a little more accuracy;\n"
        "  --full for all 60,000 digits and above 99%."
    )
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"\nTest accuracy: {accuracy:.4f}")


if __name__ == "__main__":
    main()
