"""Cut the bundled digits out of the full MNIST file.

    python scripts/cut_digits.py path/to/mnist.npz

Takes 600 training and 200 test digits of each class, shuffles them, and writes
`minikeras/datasets/data/digits.npz`. The seed, the order of the members and the dates
inside the archive are fixed, so the same input gives the same bytes (for one version
of zlib; the arrays are the same with any).
"""

import argparse
import io
import zipfile
from pathlib import Path

import numpy as np

TARGET = Path(__file__).parents[1] / "minikeras" / "datasets" / "data" / "digits.npz"
SEED = 20260
CLASSES = 10
PER_CLASS = {"train": 600, "test": 200}


def cut(
    images: np.ndarray,
    labels: np.ndarray,
    per_class: int,
    random: np.random.RandomState,
) -> tuple[np.ndarray, np.ndarray]:
    """`per_class` digits of each class, without repetition, in shuffled order."""
    if np.bincount(labels, minlength=CLASSES).min() < per_class:
        raise ValueError(f"expected at least {per_class} digits of each class")
    picked = np.concatenate(
        [
            random.permutation(np.flatnonzero(labels == digit))[:per_class]
            for digit in range(CLASSES)
        ]
    )
    picked = random.permutation(picked)
    return images[picked], labels[picked]


def write_npz(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """An .npz without clock or platform in it, packed as tightly as deflate can."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            member.create_system = 3  # Unix, also when written on Windows
            file = io.BytesIO()
            np.save(file, array, allow_pickle=False)
            archive.writestr(member, file.getvalue(), zipfile.ZIP_DEFLATED, 9)


def main(source: Path, target: Path = TARGET) -> None:
    # NumPy promises that RandomState draws the same numbers in every version;
    # it does not promise that of default_rng.
    random = np.random.RandomState(SEED)
    arrays = {}
    with np.load(source, allow_pickle=False) as full:
        for part, per_class in PER_CLASS.items():
            arrays[f"x_{part}"], arrays[f"y_{part}"] = cut(
                full[f"x_{part}"], full[f"y_{part}"], per_class, random
            )
    write_npz(target, arrays)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Cut the bundled digits from MNIST.")
    parser.add_argument("source", type=Path, help="the full mnist.npz")
    main(parser.parse_args().source)
