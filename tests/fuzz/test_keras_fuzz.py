"""Random models, losses and optimizers against real Keras, from the same weights.

    pip install . keras jax pytest
    KERAS_BACKEND=jax pytest -m slow tests/fuzz                     # 200 draws
    KERAS_BACKEND=jax FUZZ_FIRST=1000 FUZZ_DRAWS=50 pytest -m slow tests/fuzz

A model is compared only if Keras' own results hardly move when its input moves by one
part in five million (its weights, if the input are whole numbers): beyond that,
rounding decides and not the arithmetic.
"""

import functools
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


@functools.cache
def _load(name):
    """A module of this folder, which is not a package."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def _register_functions():
    """Make the functions of Lambda layers known, under one name, to both."""
    import keras

    import minikeras

    for function in _load("draw").FUNCTIONS:
        keras.saving.register_keras_serializable("fuzz")(function)
        minikeras.utils.register_keras_serializable("fuzz")(function)


def make(keras, name, arguments):
    """A layer of Keras; of a wrapper, the layer within comes first."""
    if "layer" in arguments:
        arguments = {**arguments, "layer": make(keras, *arguments["layer"])}
    return getattr(keras.layers, name)(**arguments)


def draw_model(keras, drawing):
    """A Keras Sequential of random layers, and a goal that its last layers fit."""
    shape, numbers = drawing.input_shape(), drawing.whole_numbers()
    first = None if numbers is None else drawing.embedding(numbers)
    dtype = "float32"
    if first is not None and first[0] == "Embedding":  # a wrapper would cut its vectors
        dtype = drawing.pick("int32", "float32")
    layers = [keras.Input(shape, dtype=dtype)]
    for place in range(drawing.whole(1, 5)):
        given = first if place == 0 else None
        name, arguments = given or drawing.layer(shape)
        try:
            layer = make(keras, name, arguments)
            layer.compute_output_shape((None, *shape))
            new_shape = layer(np.zeros((BATCH, *shape), "float32")).shape[1:]
        except (ValueError, TypeError):
            continue  # arguments that do not go together, or a window that is too large
        if 0 < np.prod(new_shape) <= 600 or given:
            layers.append(layer)
            shape = new_shape
    units = drawing.whole(1, 4)
    goals = _load("goals")
    goal = goals.goal(drawing, units)
    ending = goals.ending(drawing, goal, shape, units)
    layers += [make(keras, *layer) for layer in ending]
    return keras.Sequential(layers), goal, numbers


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


def real_shapes(model, x):
    """Shapes that the layers of a Keras model give, without the batch.

    `output.shape` is wrong behind an EinsumDense with `...` for several axes: Keras
    3.15 tells them in reverse.
    """
    shapes = []
    for layer in model.layers:
        x = layer(x)
        shapes.append((None, *x.shape[1:]))
    return shapes


def _nudge(x):
    return (x * (1 + 2e-7)).astype(x.dtype)


def distance(a, b):
    """Largest difference, relative to the largest number (or to 1)."""
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return np.inf
    return np.abs(a - b).max(initial=0) / max(1, np.abs(b).max(initial=0))


def one_draw(seed):
    """Draw, run in both, compare. None if the draw is too unsteady to compare."""
    import keras

    import minikeras

    _register_functions()
    drawing, goals = _load("draw").Drawing(seed), _load("goals")
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    try:
        model, goal, numbers = draw_model(keras, drawing)
    except (ValueError, TypeError):  # Keras' shape inference was wrong about a layer
        return None
    x = drawing.inputs((BATCH, *model.input_shape[1:]), numbers)
    shapes = real_shapes(model, x.astype(model.inputs[0].dtype))
    y = goals.target(drawing, goal.kind, (BATCH, *shapes[-1][1:]))
    weight = goals.weights(drawing, goal.kind, (BATCH, *shapes[-1][1:]))
    compiled = goals.optimizer(drawing), (goal.loss, goal.arguments)
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
    nudged, nudged_weights = _nudge(x), weights
    if numbers is not None:
        nudged, nudged_weights = x, [_nudge(w) for w in weights]
    again = results(keras, model, nudged_weights, compiled, nudged, y, weight)
    if any(distance(again[k], v) > STEADY for k, v in expected.items()):
        return None
    minikeras.utils.clear_session()
    ours = minikeras.Sequential.from_config(config)
    what = f"seed {seed}: {[type(la).__name__ for la in ours.layers]}, {compiled}"
    assert ours.count_params() == model.count_params(), what
    assert ours.output_shape == shapes[-1], what
    names = [v.path.split("/")[-2:] for v in model.weights]
    assert [v.path.split("/")[-2:] for v in ours.weights] == names, what
    assert [v.shape for v in ours.weights] == [v.shape for v in model.weights], what
    assert [layer.output_shape for layer in ours.layers] == shapes, what
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
