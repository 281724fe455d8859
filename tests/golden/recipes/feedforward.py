"""Set 1: small random Sequential models, their gradients and training steps."""

from dataclasses import dataclass, field

import jax
import keras
import numpy as np
from keras import layers

from . import store
from .draw import Draw, draw_case

SEED = 20_260_101
RANDOM_CASES = 65
STEPS = 10
MAX_PARAMETERS = 450
MAX_CELLS = 700
# A case is kept when inputs changed in the last bits of float32 move the results of
# ten steps by less than this: then a difference is a fault and not rounding.
MAX_SENSITIVITY = 5e-5


@dataclass
class Case:
    """A model with its data; `loss` is a string or a keras loss."""

    name: str
    layers: list
    input_shape: tuple
    loss: object
    x: np.ndarray
    y: np.ndarray
    sample_weight: np.ndarray | None = None
    nesterov: bool = False
    trains: bool = True
    notes: list = field(default_factory=list)


def write(folder):
    """Write feedforward.npz and feedforward.json."""
    arrays, descriptions = {}, []
    for case, model, weights in _cases():
        values = _values(case, model, weights)
        arrays.update({f"{case.name}/{key}": value for key, value in values.items()})
        descriptions.append(_description(case, model))
    store.write_npz(folder / "feedforward.npz", arrays)
    store.write_json(folder / "feedforward.json", {"cases": descriptions})


def _cases():
    for index in range(RANDOM_CASES):
        yield _first_usable(index)
    for make in (_ties_relu_zeros, _ties_equal_windows, _ties_small_integers):
        keras.backend.clear_session()
        case = make()
        model = _model(case)
        yield case, model, _weights(model, np.random.default_rng(SEED))


def _first_usable(index):
    """Draw until a model is valid, small and not sensitive to rounding."""
    for attempt in range(200):
        keras.backend.clear_session()
        draw = Draw(np.random.default_rng([SEED, index, attempt]))
        try:
            case = Case(**draw_case(draw, index))
            model = _model(case)
        except ValueError:
            continue
        weights = _weights(model, draw.rng)
        if not _is_small(model) or not _is_steady(case, model, weights):
            continue
        if not case.trains or _has_gradients(case, model, weights):
            return case, model, weights
    raise RuntimeError(f"No usable model for case {index}.")


def _model(case):
    return keras.Sequential([keras.Input(case.input_shape), *case.layers])


def _is_small(model):
    cells = [layer.output.shape[1:] for layer in model.layers]
    sizes = [int(np.prod(shape)) for shape in cells]
    return model.count_params() <= MAX_PARAMETERS and 0 < min(sizes) <= MAX_CELLS


def _is_steady(case, model, weights):
    if not case.trains:
        return True
    noise = np.random.default_rng(0).choice([-2e-7, 2e-7], case.x.shape)
    moved = (case.x * (1 + noise)).astype("float32")
    for optimizer in _optimizers(case).values():
        _compile(model, case, optimizer)
        results = [_trajectory(model, case, weights, x) for x in (case.x, moved)]
        if not all(np.isfinite(a).all() for a in _flat(results[0])):
            return False
        pairs = zip(_flat(results[0]), _flat(results[1]), strict=True)
        if max(np.abs(a - b).max() for a, b in pairs) > MAX_SENSITIVITY:
            return False
    return True


def _has_gradients(case, model, weights):
    """Whether every gradient has something to compare."""
    model.set_weights(weights)
    gradients = _gradients(case, model)
    return all(np.abs(gradient).max() > 1e-4 for gradient in gradients.values())


def _flat(result):
    losses, weights = result
    return [losses, *weights]


def _weights(model, rng):
    return [_weight(rng, weight.shape) for weight in model.weights]


def _weight(rng, shape):
    scale = 0.2 if len(shape) == 1 else np.sqrt(1.5 / np.prod(shape[:-1]))
    return (rng.standard_normal(shape) * scale).astype("float32")


def _optimizers(case):
    return {
        "sgd": keras.optimizers.SGD(0.05, momentum=0.9, nesterov=case.nesterov),
        "adam": keras.optimizers.Adam(0.01),
    }


def _compile(model, case, optimizer):
    """Compile and build the optimizer, so that its variables can be put back."""
    model.compile(optimizer=optimizer, loss=case.loss)
    optimizer.build(model.trainable_variables)


def _trajectory(model, case, weights, x):
    """The loss of each of ten steps, and the weights after them."""
    variables = model.optimizer.variables
    start = [variable.numpy() for variable in variables]
    model.set_weights(weights)
    losses = []
    for _ in range(STEPS):
        losses.append(model.train_on_batch(x, case.y, case.sample_weight))
    final = model.get_weights()
    for variable, value in zip(variables, start, strict=True):
        variable.assign(value)
    return np.array(losses, "float32"), final


def _values(case, model, weights):
    model.set_weights(weights)
    values = {"x": case.x, "y": case.y}
    if case.sample_weight is not None:
        values["sample_weight"] = case.sample_weight
    values |= _numbered("weights", dict(enumerate(weights)))
    values["predict"] = model.predict(case.x, verbose=0)
    model.compile(optimizer="sgd", loss=case.loss)
    loss = model.test_on_batch(case.x, case.y, case.sample_weight)
    values["evaluate_loss"] = np.float32(loss)
    if not case.trains:
        return values
    values |= _gradients(case, model)
    for name, optimizer in _optimizers(case).items():
        _compile(model, case, optimizer)
        losses, final = _trajectory(model, case, weights, case.x)
        values[f"{name}_losses"] = losses
        changing = dict(enumerate(final))
        values |= _numbered(f"{name}_weights", changing)
    return values


def _numbered(name, items):
    return {f"{name}/{key}": value for key, value in items.items()}


def _gradients(case, model):
    """Gradients of the compiled loss, regularization included, by jax.grad."""
    model.optimizer.build(model.trainable_variables)
    fixed = (
        [v.value for v in model.non_trainable_variables],
        [v.value for v in model.metrics_variables],
    )
    slots = [v.value for v in model.optimizer.variables]

    def loss(trainable, x):
        total, _ = model.compute_loss_and_updates(
            trainable, *fixed, x, case.y, case.sample_weight, True, slots
        )
        return total

    trainable = [v.value for v in model.trainable_variables]
    total, (by_weight, by_x) = jax.jit(jax.value_and_grad(loss, (0, 1)))(
        trainable, case.x
    )
    index = {id(weight): i for i, weight in enumerate(model.weights)}
    numbers = [index[id(v)] for v in model.trainable_variables]
    values = {"loss": np.asarray(total), "grad_x": np.asarray(by_x)}
    pairs = zip(numbers, map(np.asarray, by_weight), strict=True)
    return values | _numbered("grad", dict(pairs))


def _description(case, model):
    optimizers = _optimizers(case) if case.trains else {}
    return {
        "name": case.name,
        "config": model.get_config(),
        "input_shape": case.input_shape,
        "loss": _loss_config(case.loss),
        "optimizers": {
            name: {"class_name": type(o).__name__, "config": o.get_config()}
            for name, o in optimizers.items()
        },
        "trains": case.trains,
        "notes": case.notes,
        "count_params": model.count_params(),
        "output_shape": model.output_shape,
        "layers": [_layer(layer, model) for layer in model.layers],
        "weights": [_variable(weight) for weight in model.weights],
    }


def _loss_config(loss):
    if isinstance(loss, str):
        return loss
    return {"class_name": type(loss).__name__, "config": loss.get_config()}


def _layer(layer, model):
    """Facts of a layer; its weights are positions in the model's list of weights."""
    position = {id(weight): i for i, weight in enumerate(model.weights)}
    description = {
        "name": layer.name,
        "class_name": type(layer).__name__,
        "output_shape": layer.output.shape,
        "count_params": layer.count_params(),
        "weights": [position[id(weight)] for weight in layer.weights],
    }
    if isinstance(layer, keras.Sequential):
        description["layers"] = [_layer(inner, model) for inner in layer.layers]
    return description


def _variable(weight):
    return {
        "name": weight.name,
        "path": weight.path,
        "shape": weight.shape,
        "trainable": weight.trainable,
    }


def _ties_relu_zeros():
    rng = np.random.default_rng([SEED, 1])
    return Case(
        name="ties_relu_zeros",
        layers=[layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(2)],
        input_shape=(6, 6, 2),
        loss="mse",
        x=np.maximum(rng.standard_normal((3, 6, 6, 2)) - 0.8, 0).astype("float32"),
        y=rng.standard_normal((3, 2)).astype("float32"),
        notes=["max ties: windows of zeros as relu leaves them"],
    )


def _ties_equal_windows():
    rng = np.random.default_rng([SEED, 2])
    pool = layers.MaxPooling2D(3, strides=2, padding="same")
    return Case(
        name="ties_equal_windows",
        layers=[pool, layers.Flatten(), layers.Dense(2)],
        input_shape=(6, 5, 2),
        loss="mse",
        x=np.full((2, 6, 5, 2), -0.5, "float32"),
        y=rng.standard_normal((2, 2)).astype("float32"),
        notes=["max ties: every cell is equal, windows overlap and are padded"],
    )


def _ties_small_integers():
    rng = np.random.default_rng([SEED, 3])
    pool = layers.MaxPooling3D((2, 3, 2), strides=(1, 2, 1), padding="same")
    return Case(
        name="ties_small_integers",
        layers=[layers.Activation("relu"), pool, layers.Flatten(), layers.Dense(1)],
        input_shape=(3, 4, 3, 2),
        loss="mae",
        x=rng.integers(-1, 3, (3, 3, 4, 3, 2)).astype("float32"),
        y=rng.standard_normal((3, 1)).astype("float32"),
        notes=["max ties: integers -1 to 2 in 3D; relu at exactly 0"],
    )
