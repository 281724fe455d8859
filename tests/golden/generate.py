"""Ask real Keras for the golden values that the tests compare with.

Run it as ``KERAS_BACKEND=jax python tests/golden/generate.py [set ...]`` where a
set is one of feedforward, fit, losses, facts; without a name it makes all four.
"""

import importlib
import os
import sys
from pathlib import Path

SETS = ("feedforward", "fit", "losses", "facts")


def main(names):
    """Make the named sets, or all of them."""
    if os.environ.get("KERAS_BACKEND") != "jax":
        raise SystemExit("Set KERAS_BACKEND=jax: the golden files are made with JAX.")
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets in messages
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, __file__, *names])
    os.environ["COLUMNS"] = "120"  # room for the 88 columns of summary()
    folder = Path(__file__).resolve().parent
    for name in names or SETS:
        importlib.import_module(f"recipes.{name}").write(folder)
        print(f"{name}: done")


if __name__ == "__main__":
    main(sys.argv[1:])
