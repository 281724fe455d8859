"""Programs of the kind that Keras' guides show.

`generate_guides.py` runs each of them on real Keras, with `keras` under the name
`minikeras`; `tests/models/test_guides.py` runs them as they are and compares. Nothing
but the import differs, and `weight_gradients` stands where a gradient tape would.

A program takes no argument and returns numbers and texts, in lists and dictionaries.
"""

from . import (
    autoencoders,
    gans,
    hooks,
    loops,
    own_layers,
    own_models,
    parts,
    sequences,
    steps,
)
from .base import PROGRAMS

__all__ = [
    "PROGRAMS",
    "autoencoders",
    "gans",
    "hooks",
    "loops",
    "own_layers",
    "own_models",
    "parts",
    "sequences",
    "steps",
]
