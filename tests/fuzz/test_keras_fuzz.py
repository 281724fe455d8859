"""Random models, losses and optimizers against real Keras, from the same weights.

    pip install . keras jax pytest
    KERAS_BACKEND=jax pytest -m slow tests/fuzz                     # 200 draws
    KERAS_BACKEND=jax FUZZ_FIRST=1000 FUZZ_DRAWS=50 pytest -m slow tests/fuzz

A model is compared only if Keras' own results hardly move when its input moves by one
part in five million: beyond that, rounding decides and not the arithmetic.
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
BATCH = 6
STEPS = 3
TOLERANCE = 2e-5  # relative to the largest number of the result
STEADY = 2e-6  # how far Keras may move under a nudge of the input


def _drawing():
    path = Path(__file__).with_name("draw.py")
    spec = importlib.util.spec_from_file_location("draw", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Drawing


def draw_model(keras, drawing):
    """A Keras Sequential of random layers with a last layer that fits the loss."""
    shape = drawing.input_shape()
    layers = [keras.Input(shape)]
    for _ in range(drawing.whole(1, 5)):
        name, arguments = drawing.layer(shape)
        try:
            layer = getattr(keras.layers, name)(**arguments)
            new_shape = layer.compute_output_shape((None, *shape))[1:]
            layer.build((None, *shape))
        except (ValueError, TypeError):
            continue  # arguments that do not go together, or a window that is too large
        if 0 < np.prod(new_shape) <= 600:
            layers.append(layer)
            shape = new_shape
    model = keras.Sequential(layers)
    units = drawing.whole(1, 4)
    loss, arguments, activation, kind = drawing.loss(units)
    if len(shape) > 1 and drawing.pick(True, True, False):
        model.add(keras.layers.Flatten())
    model.add(keras.layers.Dense(units, activation=activation))
    return model, (loss, arguments, kind)


def results(keras, model, weights, compiled, x, y, sample_weight):
    """Everything that is compared, by name."""
    optimizer, loss = compiled
    model.set_weights(weights)
    model.compile(
        optimizer=getattr(keras.optimizers, optimizer[0])(**optimizer[1]),
        loss=getattr(keras.losses, loss[0])(**loss[1]),
        **({"jit_compile": False} if keras.__name__ == "keras" else {}),
    )
    found = {"output": model.predict(x, verbose=0)}
    found["evaluated"] = model.evaluate(
        x, y, sample_weight=sample_weight, verbose=0, batch_size=4
    )
    for step in range(STEPS):
        found[f"loss {step}"] = model.train_on_batch(x, y, sample_weight)
    for place, value in enumerate(model.get_weights()):
        found[f"weight {place}"] = value
    return {key: np.asarray(value, "float64") for key, value in found.items()}


def distance(a, b):
    """Largest difference, relative to the largest number (or to 1)."""
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return np.inf
    return np.abs(a - b).max(initial=0) / max(1, np.abs(b).max(initial=0))


def one_draw(seed):
    """Draw, run in both, compare. None if the draw is too unsteady to compare."""
    import keras

    import minikeras

    drawing = _drawing()(seed)
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model, (loss, loss_arguments, kind) = draw_model(keras, drawing)
    x = drawing.rng.normal(size=(BATCH, *model.input_shape[1:])).astype("float32")
    y = drawing.target(kind, (BATCH, *model.output_shape[1:]))
    weight = None
    if drawing.rng.random() < 0.4:
        weight = drawing.rng.uniform(0.2, 2, size=BATCH).astype("float32")
        if len(model.output_shape) > 2:
            weight = None
    compiled = drawing.optimizer(), (loss, loss_arguments)
    weights = [
        w + drawing.rng.normal(0, 0.05, w.shape).astype("float32")
        if w.dtype == np.float32 and not v.path.endswith("variance")
        else w
        for v, w in zip(model.weights, model.get_weights(), strict=True)
    ]
    config = model.get_config()
    try:
        expected = results(keras, model, weights, compiled, x, y, weight)
    except (ValueError, TypeError):  # Keras' shape inference was wrong about a layer
        return None
    nudged = (x * (1 + 2e-7)).astype("float32")
    again = results(keras, model, weights, compiled, nudged, y, weight)
    if any(distance(again[k], v) > STEADY for k, v in expected.items()):
        return None
    minikeras.utils.clear_session()
    ours = minikeras.Sequential.from_config(config)
    what = f"seed {seed}: {[type(la).__name__ for la in ours.layers]}, {compiled}"
    assert ours.count_params() == model.count_params(), what
    assert ours.output_shape == model.output_shape, what
    names = [v.path.split("/")[-2:] for v in model.weights]
    assert [v.path.split("/")[-2:] for v in ours.weights] == names, what
    for mine, theirs in zip(ours.layers, model.layers, strict=True):
        assert mine.output_shape == theirs.output.shape, what
    found = results(minikeras, ours, weights, compiled, x, y, weight)
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
    pytest.fail(f"seed {seed}: twenty draws, all too unsteady to compare")
