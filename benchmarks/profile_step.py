"""Where the time of one training step goes, beside what the machine can do.

python -m benchmarks.profile_step [WORKLOAD ...]

Matrix products and copies of windows are counted inside the kernels, on the threads
that make them; a step's other shares are differences. The machine's limits are its rate
for one large product on one core and on all, and of copying a large array.
"""

import sys
import threading
import time
from collections import defaultdict

import numpy as np

import minikeras as keras
from benchmarks.timing import alternate
from benchmarks.workloads import WORKLOADS
from minikeras import config


class Clock:
    """Seconds spent inside wrapped functions, by name, all threads together."""

    def __init__(self):
        self.seconds = defaultdict(float)
        self._lock = threading.Lock()

    def wrap(self, holder, name, label):
        inner = getattr(holder, name)

        def timed(*args, **kwargs):
            start = time.perf_counter()
            try:
                return inner(*args, **kwargs)
            finally:
                spent = time.perf_counter() - start
                with self._lock:
                    self.seconds[label] += spent

        setattr(holder, name, timed)
        return lambda: setattr(holder, name, inner)


def limits():
    """Rates of a large product and of a large copy."""
    a = np.ones((2048, 2048), np.float32)
    out = np.empty_like(a)
    big, target = np.ones(1 << 25, np.float32), np.empty(1 << 25, np.float32)
    best = alternate(
        {
            "product": lambda: np.matmul(a, a, out=out),
            "copy": lambda: np.copyto(target, big),
        }
    )
    print(f"one large product: {2 * 2048**3 / best['product'] / 1e9:.0f} GFLOP/s")
    print(f"copy of 134 MB: {2 * big.nbytes / best['copy'] / 1e9:.1f} GB/s both ways")


def profile(name, steps=30):
    """Shares of a step of one workload."""
    from minikeras.optimizers import Optimizer
    from minikeras.training import data, learner

    workload = WORKLOADS[name]
    model = workload.build(keras)
    x, y = workload.data(4)
    fit = {"batch_size": workload.batch, "epochs": 1, "verbose": 0}
    model.fit(x, y, **fit)
    clock = Clock()
    undo = [
        clock.wrap(np, "matmul", "products"),
        clock.wrap(np, "copyto", "copies"),
        clock.wrap(learner, "backpropagate", "forward, backward"),
        clock.wrap(Optimizer, "apply_flat", "optimizer"),
        clock.wrap(learner.Learner, "_take_in", "metrics"),
        clock.wrap(data, "take", "data"),
    ]
    start = time.perf_counter()
    for _ in range(steps):
        model.fit(x, y, **fit)
    whole = time.perf_counter() - start
    for back in undo:
        back()
    print(f"\n{workload.title}: {1e3 * whole / steps / 4:.2f} ms a step of fit")
    threads = min(2, config.threads())
    for label, seconds in sorted(clock.seconds.items()):
        note = f" (of {threads} threads together)" if label in OF_THREADS else ""
        print(f"  {label:18} {100 * seconds / whole:5.1f} %{note}")


OF_THREADS = ("products", "copies")


def main():
    limits()
    for name in sys.argv[1:] or ("mlp", "cnn", "vgg", "lstm"):
        profile(name)


if __name__ == "__main__":
    main()
