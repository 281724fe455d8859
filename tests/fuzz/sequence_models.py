"""Random models of sequences with masks: what Keras and minikeras make of them.

Functions take the module of either as `keras`. On JAX, Keras runs several times as fast
without compilation: in `jax.disable_jit()`.
"""

import contextlib
import copy
import functools
import importlib.util
import re
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

_path = Path(__file__).with_name("sequences.py")
_spec = importlib.util.spec_from_file_location("sequences", _path)
sequences = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(sequences)

BATCH = sequences.BATCH
STEPS = 3  # of training


class Case(NamedTuple):
    """How a model is trained, and on what."""

    optimizer: tuple[str, dict]
    loss: tuple[str, dict]
    metrics: list[str]
    weighted_metrics: list[str]
    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None


class Drawn(NamedTuple):
    """A drawn model, and what Keras finds."""

    config: dict
    case: Case
    weights: list[np.ndarray]
    facts: dict
    results: dict[str, np.ndarray]


@functools.cache
def register(keras):
    """Make a user's layer of self-attention known to Keras or minikeras."""

    @keras.saving.register_keras_serializable("sequences")
    class SelfAttention(keras.layers.Layer):
        def __init__(self, inner, use_causal_mask=False, **kwargs):
            super().__init__(**kwargs)
            if isinstance(inner, dict):
                inner = keras.saving.deserialize_keras_object(inner)
            self.inner = inner
            self.use_causal_mask = use_causal_mask
            self.supports_masking = True

        def build(self, shape):
            if not self.inner.built:
                self.inner.build(*self.twice(shape))

        def twice(self, x):
            return (x, x) if hasattr(self.inner, "num_heads") else ([x, x],)

        def call(self, x):
            return self.inner(*self.twice(x), use_causal_mask=self.use_causal_mask)

        def compute_output_shape(self, shape):
            return shape

        def get_config(self):
            inner = keras.saving.serialize_keras_object(self.inner)
            causal = self.use_causal_mask
            return {**super().get_config(), "inner": inner, "use_causal_mask": causal}

    return SelfAttention


def make(keras, value):
    """A layer of a pair, with the layers in its arguments."""
    if isinstance(value, list):
        return [make(keras, item) for item in value]
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], dict):
        name, arguments = value
        found = register(keras) if name == "SelfAttention" else None
        found = found or getattr(keras.layers, name)
        return found(**{key: make(keras, item) for key, item in arguments.items()})
    return value


def draw(keras, seed):
    """A model and its results in Keras; None if Keras cannot run it."""
    drawing, goals = sequences.Sequences(seed), sequences.load("goals")
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    try:
        layers, goal, x = draw_model(keras, drawing)
        model = keras.Sequential(layers)
        output = predictions(model, x)
    except (ValueError, TypeError):  # Keras tells another shape than it makes
        return None
    y = goals.target(drawing, goal.kind, output.shape)
    weight = sequences.sample_weights(drawing, output.shape)
    optimizer = goals.optimizer(drawing)
    while optimizer[0] not in ("SGD", "Adam", "RMSprop"):
        optimizer = goals.optimizer(drawing)
    loss = goal.loss, goal.arguments
    case = Case(optimizer, loss, *sequences.metrics_for(drawing, goal), x, y, weight)
    weights = [
        w + drawing.rng.normal(0, 0.05, w.shape).astype("float32")
        if w.dtype == np.float32 and not v.path.endswith("variance")
        else w
        for v, w in zip(model.weights, model.get_weights(), strict=True)
    ]
    config = model.get_config()
    model = rebuild(keras, config)
    try:
        with losing_masks() as losing:
            expected = results(keras, model, case, weights)
    except (ValueError, TypeError):  # a loss or weights that do not go with a mask
        return None
    return Drawn(config, case, weights, facts(model, losing), expected)


def draw_model(keras, drawing):
    """Layers of a Keras Sequential, a goal that its last ones fit, and samples."""
    steps = drawing.pick(3, 4)
    stateful = drawing.flag(0.2)
    shape, dtype, numbers, given = drawing.front(steps)
    x = drawing.samples(shape, numbers, given)
    batch = BATCH if stateful else None
    layers = [keras.Input(shape, batch_size=batch, dtype=dtype)]
    before = x[:BATCH].astype(dtype)
    for place in range(len(given) + drawing.whole(1, 4)):
        if place < len(given):
            drawn = given[place]
        elif len(shape) == 2 and place == len(given):
            drawn = drawing.pick(drawing.recurrent, drawing.bidirectional)(stateful)
        else:
            drawn = drawing.layer(shape, stateful)
        try:
            layer = make(keras, drawn)
            after = layer(before)
            layer.compute_output_shape((batch, *before.shape[1:]))
        except (ValueError, TypeError):
            if place < len(given):
                raise
            continue
        if 0 < np.prod(after.shape[1:]) <= 200 or place < len(given):
            layers.append(make(keras, drawn))
            before, shape = after, after.shape[1:]
    goals = sequences.load("goals")
    units = drawing.pick(1, 3)
    goal = goals.goal(drawing, units)
    while goal.kind in ("groups", "alignments"):
        goal = goals.goal(drawing, units)
    layers += [
        make(keras, layer) for layer in sequences.ending(drawing, shape, units, goal)
    ]
    return layers, goal, x


def facts(model, losing):
    """What is equal to the letter."""
    return {
        "parameters": model.count_params(),
        "output shape": list(model.output_shape),
        "names": [v.path.split("/")[-2:] for v in model.weights],
        "shapes": [list(v.shape) for v in model.weights],
        "losing masks": sorted(losing),
    }


def rebuild(keras, config):
    """The model of a config, as if nothing had been made before."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    return keras.Sequential.from_config(copy.deepcopy(config))  # Keras changes it


def results(keras, model, case, weights):
    """Everything that is compared, by name.

    What Keras does on JAX only is left out: there, metrics see no mask in training, and
    states last from call to call, but not from batch to batch of `predict` and `fit`.
    """
    optimizer, loss, plain, weighted, x, y, weight = case
    model.set_weights(weights)
    model.compile(
        optimizer=getattr(keras.optimizers, optimizer[0])(**optimizer[1]),
        loss=getattr(keras.losses, loss[0])(**loss[1]),
        metrics=plain,
        weighted_metrics=weighted,
        run_eagerly=True,
    )
    first = slice(BATCH)
    found = {"output": predictions(model, x)}
    keeps = reset(model)
    if keeps:
        for call in ("first", "second"):
            found[f"{call} call"] = keras.ops.convert_to_numpy(model(x[first]))
        reset(model)
    some = first if keeps else slice(None)
    found["evaluated"] = model.evaluate(
        x[some],
        y[some],
        sample_weight=None if weight is None else weight[some],
        verbose=0,
        batch_size=BATCH,
    )
    part = None if weight is None else weight[first]
    for step in range(STEPS):
        reset(model)
        loss = model.train_on_batch(x[first], y[first], part)
        found[f"loss {step}"] = np.ravel(loss)[0]
    for place, value in enumerate(model.get_weights()):
        found[f"weight {place}"] = value
    found["output at last"] = predictions(model, x)
    return {key: np.asarray(value, "float64") for key, value in found.items()}


def predictions(model, x):
    """Of each batch for itself: on JAX, Keras keeps no states from batch to batch."""
    outputs = []
    for start in range(0, len(x), BATCH):
        reset(model)
        outputs.append(model.predict_on_batch(x[start : start + BATCH]))
    return np.concatenate(outputs)


def reset(model):
    """Let all stateful layers begin anew; whether there are any."""
    found = [layer for layer in model.layers if getattr(layer, "stateful", False)]
    for layer in found:
        layer.reset_state()
    return bool(found)


@contextlib.contextmanager
def losing_masks():
    """Afterwards, the names of the layers that warned of losing a mask."""
    names = set()
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always")
        yield names
    for record in records:
        text = str(record.message)
        if "mask" in text and "'" in text:
            names.add(re.search("'([^']+)'", text)[1])
