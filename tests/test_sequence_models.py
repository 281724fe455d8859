"""Models of sequences with masks: what real Keras made of them (tests/golden)."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import minikeras

HERE = Path(__file__).parent
TEXTS = json.loads((HERE / "golden" / "sequence_models.json").read_text())
TOLERANCE = 2e-5  # relative to the largest number of the result

_path = HERE / "fuzz" / "sequence_models.py"
_spec = importlib.util.spec_from_file_location("sequence_models", _path)
models = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(models)


@pytest.fixture(scope="module")
def arrays():
    with np.load(HERE / "golden" / "sequence_models.npz") as file:
        return dict(file)


def cut(row, shapes):
    """Weights of these shapes from all their numbers in one row."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    parts = np.split(row, ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


@pytest.mark.parametrize("seed", TEXTS)
def test_equal_to_keras(seed, arrays):
    models.register(minikeras)
    own = {
        name.removeprefix(f"{seed}/"): array
        for name, array in arrays.items()
        if name.startswith(f"{seed}/")
    }
    config, case, facts = (TEXTS[seed][key] for key in ("config", "case", "facts"))
    weights = cut(own.pop("start"), facts["shapes"])
    trained = cut(own.pop("trained"), facts["shapes"])
    own |= {f"keras/weight {n}": value for n, value in enumerate(trained)}
    model = models.rebuild(minikeras, config)
    case = models.Case(**case, x=own["x"], y=own["y"], weight=own.get("weight"))
    with models.losing_masks() as losing:
        found = models.results(minikeras, model, case, weights)
    assert models.facts(model, losing) == facts
    assert {f"keras/{key}" for key in found} == {k for k in own if k[:5] == "keras"}
    for key, value in found.items():
        expected = own[f"keras/{key}"]
        assert value.shape == expected.shape, key
        atol = TOLERANCE * max(1, np.abs(expected).max(initial=0))
        np.testing.assert_allclose(value, expected, rtol=0, atol=atol, err_msg=key)
