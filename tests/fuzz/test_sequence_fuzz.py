"""Random models of sequences with masks against real Keras, from the same weights.

    pip install . keras jax pytest
    KERAS_BACKEND=jax pytest -m slow tests/fuzz/test_sequence_fuzz.py  # 200 draws

Keras runs without compilation, which would take most of the time. A model is compared
only if Keras' own results hardly move when its weights move by one part in five
million: beyond that, rounding decides and not the arithmetic.
"""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # Keras and JAX have warnings of their own
]
FIRST = int(os.environ.get("FUZZ_FIRST", 0))
DRAWS = int(os.environ.get("FUZZ_DRAWS", 200))
TOLERANCE = 2e-5  # relative to the largest number of the result
STEADY = 2e-6  # how far Keras may move under a nudge of the weights

_path = Path(__file__).with_name("sequence_models.py")
_spec = importlib.util.spec_from_file_location("sequence_models", _path)
models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(models)


def distance(a, b):
    """Largest difference, relative to the largest number (or to 1)."""
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return np.inf
    return np.abs(a - b).max(initial=0) / max(1, np.abs(b).max(initial=0))


def one_draw(seed):
    """Draw, run in both, compare. None if the draw cannot be compared."""
    import jax
    import keras

    import minikeras

    models.register(keras)
    models.register(minikeras)
    with jax.disable_jit():
        drawn = models.draw(keras, seed)
        if drawn is None:
            return None
        config, case, weights, facts, expected = drawn
        nudged = [(w * (1 + 2e-7)).astype(w.dtype) for w in weights]
        model = models.rebuild(keras, config)
        again = models.results(keras, model, case, nudged)
    if any(distance(again[k], v) > STEADY for k, v in expected.items()):
        return None
    ours = models.rebuild(minikeras, config)
    what = f"seed {seed}: {[type(la).__name__ for la in ours.layers]}, {case[:4]}"
    with models.losing_masks() as losing:
        found = models.results(minikeras, ours, case, weights)
    for key, value in models.facts(ours, losing).items():
        assert value == facts[key], f"{what}: {key}"
    assert list(found) == list(expected), what
    for key, value in expected.items():
        assert found[key].shape == value.shape, f"{what}: {key}"
        far = distance(found[key], value)
        assert far <= TOLERANCE, f"{what}: {key} differs by {far:.1e}"
    return what


@pytest.mark.parametrize("seed", range(FIRST, FIRST + DRAWS))
def test_equal_to_keras(seed):
    for attempt in range(20):
        if one_draw(100 * seed + attempt) is not None:
            return
    pytest.fail(f"seed {seed}: twenty draws, none of which can be compared")
