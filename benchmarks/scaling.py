"""How the time of a step grows: with the batch, the image, the channels, the threads.

python -m benchmarks.scaling

Each line has the milliseconds of a step and of a million multiplications in it: where
the last column stays level, time grows as the arithmetic does.
"""

import time

import numpy as np

import minikeras as keras
from benchmarks.timing import alternate
from minikeras import config, layers


def network(size, channels):
    """Two convolutions on square images."""
    model = keras.Sequential(
        [
            keras.Input((size, size, channels)),
            layers.Conv2D(channels, 3, padding="same", activation="relu"),
            layers.Conv2D(channels, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def case(batch, size, channels):
    """A step, and the multiplications of its three passes."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, size, size, channels), np.float32)
    y = rng.integers(0, 10, batch)
    model = network(size, channels)
    products = 5 * batch * size * size * 9 * channels * channels  # no dx of the first
    return (lambda: model.train_on_batch(x, y)), products


def table(title, cases):
    """Milliseconds of each case, and for a million multiplications."""
    made = {name: case(*sizes) for name, sizes in cases.items()}
    best = alternate({name: run for name, (run, _) in made.items()})
    print(title)
    for name, seconds in best.items():
        millions = made[name][1] / 1e6
        print(
            f"  {name:>6} {1e3 * seconds:9.2f} ms {1e6 * seconds / millions:8.2f} us/M"
        )


def threads():
    """Steps of the CNN and the VGG-like model on one thread and on two, several in a
    row: after a change of the number, memory and the other core's cache are cold."""
    from benchmarks.workloads import WORKLOADS

    for name in ("cnn", "vgg", "lstm", "wide-mlp"):
        workload = WORKLOADS[name]
        model = workload.build(keras)
        x, y = workload.data(1)
        best = {1: float("inf"), 2: float("inf")}
        for _ in range(8):
            for count in best:
                config.set_threads(count)
                for turn in range(6):
                    start = time.perf_counter()
                    model.train_on_batch(x, y)
                    if turn > 1:
                        seconds = time.perf_counter() - start
                        best[count] = min(best[count], seconds)
        config.set_threads(None)
        ratio = best[1] / best[2]
        print(
            f"  {name:>9} {1e3 * best[1]:8.2f} ms, {1e3 * best[2]:8.2f}: {ratio:.2f} x"
        )


def main():
    table("batch", {str(n): (n, 16, 16) for n in (8, 16, 32, 64, 128, 256)})
    table("size of the image", {str(n): (32, n, 16) for n in (8, 16, 32, 64)})
    table("channels", {str(n): (32, 16, n) for n in (4, 8, 16, 32, 64)})
    print("one thread, two threads")
    threads()


if __name__ == "__main__":
    main()
