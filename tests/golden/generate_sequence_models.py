"""Write sequence_models.json and sequence_models.npz: models of sequences in Keras.

Models that tests/fuzz/sequence_models.py draws from some seeds, with their data and
weights, and what real Keras makes of them: outputs, losses, metrics, trained weights.

Run it with Keras and JAX installed:
KERAS_BACKEND=jax python generate_sequence_models.py
"""

import importlib.util
import json
import os
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import keras
import numpy as np

HERE = Path(__file__).parent
SEEDS = (1, 500, 1101, 1600, 2000, 2300, 2900, 3200, 5900, 10100, 10801, 15900)

path = HERE.parent / "fuzz" / "sequence_models.py"
spec = importlib.util.spec_from_file_location("sequence_models", path)
models = importlib.util.module_from_spec(spec)
spec.loader.exec_module(models)


def written(seed):
    """What is written of a draw: facts, and arrays by name."""
    with jax.disable_jit():
        drawn = models.draw(keras, seed)
    case = drawn.case._asdict()
    arrays = {name: case.pop(name) for name in ("x", "y", "weight")}
    arrays = {name: array for name, array in arrays.items() if array is not None}
    results = dict(drawn.results)
    trained = [results.pop(f"weight {n}") for n in range(len(drawn.weights))]
    arrays |= {"start": in_one(drawn.weights), "trained": in_one(trained)}
    arrays |= {f"keras/{k}": v.astype("float32") for k, v in results.items()}
    return {"config": drawn.config, "case": case, "facts": drawn.facts}, arrays


def in_one(weights):
    """All weights in one row, which takes less room in the file."""
    return np.concatenate([w.ravel() for w in weights]).astype("float32")


def main():
    models.register(keras)
    texts, arrays = {}, {}
    for seed in SEEDS:
        texts[seed], found = written(seed)
        arrays |= {f"{seed}/{name}": array for name, array in found.items()}
    text = json.dumps(texts, separators=(",", ":"), sort_keys=True)
    (HERE / "sequence_models.json").write_text(text + "\n")
    np.savez_compressed(HERE / "sequence_models.npz", **arrays)


if __name__ == "__main__":
    main()
