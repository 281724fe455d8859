"""The public names of the families of Keras that minikeras follows.

KERAS_BACKEND=jax python tests/golden/generate_names.py
"""

import json
from pathlib import Path

import keras

FAMILIES = (
    "activations",
    "callbacks",
    "constraints",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "optimizers",
    "optimizers.schedules",
    "regularizers",
)


def names(family):
    module = keras
    for part in family.split("."):
        module = getattr(module, part)
    public = [name for name in dir(module) if not name.startswith("_")]
    return [name for name in public if type(getattr(module, name)).__name__ != "module"]


if __name__ == "__main__":
    found = {"version": keras.__version__, "names": {f: names(f) for f in FAMILIES}}
    path = Path(__file__).with_name("names.json")
    path.write_text(json.dumps(found, indent=1) + "\n")
