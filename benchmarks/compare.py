"""minikeras beside Keras on TensorFlow, JAX and PyTorch, and beside plain PyTorch.

python -m benchmarks.compare [--workload NAME ...] [--peer NAME ...] [--quick]

Every peer runs in a process of its own; they take turns within each round, so that a
busy moment of the machine does not fall on one of them. Ratios are the fastest peer's
time over ours: above 1, minikeras is faster. Peers come with `pip install ".[bench]"`;
one that is not installed is left out with a line that says so. Writes
`benchmarks/results/compare.json` and `compare.png`.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from benchmarks.timing import kept_byte_code
from benchmarks.worker import PEERS
from benchmarks.workloads import WORKLOADS

OURS = "minikeras"
FIGURES = {
    "step": "train_on_batch",
    "fit": "fit, a step",
    "batch": "predict_on_batch",
    "one": "predict of one sample",
}
NEEDS = {
    "keras-tensorflow": ("keras", "tensorflow"),
    "keras-jax": ("keras", "jax"),
    "keras-torch": ("keras", "torch"),
    "torch": ("torch",),
}
RESULTS = Path(__file__).parent / "results"


class Peer:
    """A worker process that is asked over its standard input."""

    def __init__(self, name):
        self.name = name
        command = [sys.executable, "-m", "benchmarks.worker", name, "serve"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )
        self._answer()

    def ask(self, *question):
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self):
        for line in self.process.stdout:
            try:
                return json.loads(line)
            except json.JSONDecodeError:
                continue  # what a framework prints
        raise RuntimeError(f"{self.name} ended early")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def installed(peer):
    """Whether a peer's packages are there; says so if not."""
    for package in NEEDS.get(peer, ()):
        names = (package, f"{package}-cpu")
        if not any(_version(name) for name in names):
            print(f"{peer}: left out, {package} is not installed")
            return False
    return True


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def compare(names, peers, rounds, seconds):
    """Workload -> figure -> peer -> {min, median} in seconds."""
    found = {}
    for name in names:
        workers = [Peer(peer) for peer in peers]
        for worker in workers:
            worker.ask("prepare", name)
        found[name] = {}
        for figure in FIGURES:
            times = {worker.name: [] for worker in workers}
            for _ in range(rounds):
                for worker in workers:
                    times[worker.name] += worker.ask("measure", figure, seconds)
            found[name][figure] = {
                peer: {"min": min(t), "median": statistics.median(t)}
                for peer, t in times.items()
            }
        for worker in workers:
            worker.close()
        print_workload(name, found[name])
    return found


def print_workload(name, figures):
    """Milliseconds of each peer, and the ratio to the fastest of the others."""
    print(f"\n{WORKLOADS[name].title}: ms, minimum (median)")
    peers = list(next(iter(figures.values())))
    print(" " * 24 + "".join(f"{peer:>18}" for peer in peers) + f"{'ratio':>9}")
    for figure, title in FIGURES.items():
        times = figures[figure]
        cells = [
            f"{1e3 * times[p]['min']:9.3f} ({1e3 * times[p]['median']:.3f})"
            for p in peers
        ]
        others = [times[p]["min"] for p in peers if p != OURS]
        ratio = f"{min(others) / times[OURS]['min']:8.2f}x" if others else ""
        print(f"  {title:22}" + "".join(f"{c:>18}" for c in cells) + f"{ratio:>9}")
    sys.stdout.flush()


def wall(peer, *task):
    """Seconds from starting Python to its end, and what it printed last."""
    command = [sys.executable, "-m", "benchmarks.worker", peer, *task]
    start = time.perf_counter()
    run = subprocess.run(
        command, capture_output=True, text=True, check=True, env=kept_byte_code()
    )
    seconds = time.perf_counter() - start
    lines = run.stdout.split()
    return seconds, float(lines[-1]) if lines else None


def processes(peers, rounds):
    """Import time, cold start to the end of an epoch, peak memory, installed size."""
    found = {
        p: {"import": [], "mlp epoch": [], "cnn epoch": [], "cnn memory": []}
        for p in peers
    }
    for _ in range(rounds):
        for peer in peers:
            found[peer]["import"].append(wall(peer, "import")[0])
            found[peer]["mlp epoch"].append(wall(peer, "epoch", "mlp")[0])
            seconds, memory = wall(peer, "epoch", "cnn")
            found[peer]["cnn epoch"].append(seconds)
            found[peer]["cnn memory"].append(memory)
    best = {
        peer: {key: min(values) for key, values in rows.items()}
        for peer, rows in found.items()
    }
    for peer in peers:
        best[peer]["size"] = size_with_needs(NEEDS.get(peer, (OURS,)))
    print("\nIn a new process, the start of Python included")
    print(" " * 24 + "".join(f"{peer:>18}" for peer in peers) + f"{'ratio':>9}")
    rows = (
        ("import, s", "import", 1),
        ("epoch of the MLP, s", "mlp epoch", 1),
        ("epoch of the CNN, s", "cnn epoch", 1),
        ("peak memory, CNN, MB", "cnn memory", 1e-6),
        ("installed, MB", "size", 1e-6),
    )
    for title, key, unit in rows:
        cells = [f"{best[p][key] * unit:.2f}" for p in peers]
        others = [best[p][key] for p in peers if p != OURS]
        ratio = f"{min(others) / best[OURS][key]:8.2f}x" if others else ""
        print(f"  {title:22}" + "".join(f"{c:>18}" for c in cells) + f"{ratio:>9}")
    return best


def size_with_needs(packages):
    """Bytes of packages and everything they need, as they are installed."""
    seen, waiting, total = set(), list(packages), 0
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in seen:
            continue
        seen.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            if name == "tensorflow":
                waiting.append("tensorflow-cpu")
            if name == OURS:  # run from its folder, not installed
                files = (Path(__file__).parent.parent / OURS).rglob("*")
                sizes = (f.stat().st_size for f in files if f.suffix != ".pyc")
                total += sum(sizes)
                waiting += ["numpy", "autograd", "tqdm", "threadpoolctl"]
            continue
        for file in found.files or ():
            path = Path(str(found.locate_file(file)))
            if path.is_file() and path.suffix != ".pyc":
                total += path.stat().st_size
        for need in found.requires or ():
            if "extra ==" not in need:
                head = need.split(";")[0]
                for mark in "<>=!~[( ":
                    head = head.split(mark)[0]
                waiting.append(head.strip())
    return total


def draw(found, path):
    """Bars for a step of fit: each peer's time over ours."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = list(found)
    peers = list(next(iter(found.values()))["fit"])
    figure, axes = plt.subplots(figsize=(1.4 * len(names) + 3, 4.2))
    width = 0.8 / len(peers)
    for index, peer in enumerate(peers):
        ratios = [
            found[n]["fit"][OURS]["min"] / found[n]["fit"][peer]["min"] for n in names
        ]
        places = [i + (index - (len(peers) - 1) / 2) * width for i in range(len(names))]
        axes.bar(places, ratios, width, label=peer)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_xticks(range(len(names)), names)
    axes.set_ylabel("speed of a step of fit, minikeras = 1")
    axes.legend(fontsize=8, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1))
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--workload", nargs="*", choices=WORKLOADS, default=None)
    parser.add_argument("--peer", nargs="*", choices=PEERS, default=None)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    arguments = parser.parse_args()
    names = arguments.workload or list(WORKLOADS)
    peers = [p for p in arguments.peer or PEERS if p != OURS and installed(p)]
    peers = [OURS, *peers]
    rounds, seconds = (3, 0.3) if arguments.quick else (7, 1.0)
    found = compare(names, peers, rounds, seconds)
    result = {
        "machine": platform.platform(),
        "python": platform.python_version(),
        "versions": {
            name: _version(name)
            for name in ("numpy", "keras", "tensorflow", "jax", "torch")
        },
        "seconds": found,
    }
    if arguments.workload is None:
        result["processes"] = processes(peers, 1 if arguments.quick else 3)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "compare.json").write_text(json.dumps(result, indent=1) + "\n")
    if len(peers) > 1 and _version("matplotlib"):
        draw(found, RESULTS / "compare.png")
        print(f"\nwritten: {RESULTS / 'compare.json'} and compare.png")


if __name__ == "__main__":
    main()
