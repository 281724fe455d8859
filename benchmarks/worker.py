"""One peer in a process of its own: `benchmarks.compare` starts it and asks.

python -m benchmarks.worker PEER serve        answers questions from standard input
python -m benchmarks.worker PEER epoch NAME   builds, trains one epoch, and ends
python -m benchmarks.worker PEER import       imports, and ends
"""

import json
import os
import resource
import sys
import time

PEERS = ("minikeras", "keras-tensorflow", "keras-jax", "keras-torch", "torch")


def load(peer):
    """A function that makes the model of a workload."""
    if peer == "minikeras":
        import minikeras as keras
    elif peer == "torch":
        from benchmarks.torch_models import TorchModel

        return lambda name, workload: TorchModel(name)
    else:
        os.environ["KERAS_BACKEND"] = peer.removeprefix("keras-")
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import keras
    return lambda name, workload: workload.build(keras)


def timed(run, seconds):
    """Seconds of each call, for about as long as asked, three calls at least."""
    found, end = [], time.perf_counter() + seconds
    while len(found) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return found


class Server:
    """Keeps one model, and measures what it is asked for."""

    def __init__(self, peer):
        self.make = load(peer)

    def prepare(self, name):
        """Build and warm up the model of a workload."""
        from benchmarks.workloads import WORKLOADS

        workload = WORKLOADS[name]
        model = self.make(name, workload)
        x, y = workload.data(workload.steps)
        first = x[: workload.batch], y[: workload.batch]
        size = workload.batch
        self.ways = {
            "step": (lambda: model.train_on_batch(*first), 1),
            "fit": (
                lambda: model.fit(x, y, batch_size=size, epochs=1, verbose=0),
                workload.steps,
            ),
            "batch": (lambda: model.predict_on_batch(first[0]), 1),
            "one": (lambda: model.predict(x[:1], verbose=0), 1),
        }
        for run, _ in self.ways.values():
            run()
            run()
        return True

    def measure(self, figure, seconds):
        """Seconds per step or call."""
        run, steps = self.ways[figure]
        return [t / steps for t in timed(run, seconds)]


def epoch(peer, name):
    """What a script does: build, train for an epoch, end."""
    from benchmarks.workloads import WORKLOADS

    workload = WORKLOADS[name]
    model = load(peer)(name, workload)
    x, y = workload.data(50)
    model.fit(x, y, batch_size=workload.batch, epochs=1, verbose=0)
    print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


def main():
    peer, task, *rest = sys.argv[1:]
    if task == "import":
        load(peer)
    elif task == "epoch":
        epoch(peer, *rest)
    else:
        server = Server(peer)
        print(json.dumps("ready"), flush=True)
        for line in sys.stdin:
            method, *arguments = json.loads(line)
            print(json.dumps(getattr(server, method)(*arguments)), flush=True)


if __name__ == "__main__":
    main()
