"""Time to import minikeras beside NumPy and autograd, and its installed size.

python -m benchmarks.imports
"""

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.timing import kept_byte_code

ROUNDS = 9
CODES = {
    "python alone": "",
    "numpy": "import numpy",
    "numpy and autograd": "import numpy, autograd.numpy",
    "minikeras": "import minikeras",
}


def seconds(code):
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=kept_byte_code())
    return time.perf_counter() - start


def main():
    best = dict.fromkeys(CODES, float("inf"))
    for _ in range(ROUNDS):
        for name, code in CODES.items():
            best[name] = min(best[name], seconds(code))
    for name, value in best.items():
        print(f"{name:20} {value - best['python alone']:6.3f} s")
    print(f"minikeras costs {best['minikeras'] - best['numpy']:.3f} s more than NumPy")
    import minikeras

    root = Path(minikeras.__file__).parent
    size = sum(p.stat().st_size for p in root.rglob("*") if p.suffix != ".pyc")
    print(f"installed size {size / 1e6:.1f} MB, 1.3 MB of it digits")


if __name__ == "__main__":
    main()
