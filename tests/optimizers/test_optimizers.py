"""Optimizers against loops that follow the papers, and what surrounds the update."""

import json
from pathlib import Path

import numpy as np
import pytest

import minikeras as keras
from minikeras import ops
from minikeras.kernels import update
from minikeras.optimizers import SGD, Adam, Optimizer, RMSprop

FACTS = json.loads((Path(__file__).parents[1] / "golden" / "facts.json").read_text())


def variables(*shapes, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    names = ["kernel", "bias", "gamma", "beta"]
    return [
        keras.Variable(rng.normal(size=shape), name, dtype=dtype)
        for name, shape in zip(names, shapes, strict=False)
    ]


# --- trajectories, one number at a time, in float64 ---------------------------------


def sgd(w, gradients, lr, momentum, nesterov):
    velocity = 0.0
    for g in gradients:
        velocity = momentum * velocity - lr * g
        w += momentum * velocity - lr * g if nesterov else velocity
    return w


def rmsprop(w, gradients, lr, rho, momentum, epsilon, centered):
    v = mean = m = 0.0
    for g in gradients:
        v = rho * v + (1 - rho) * g**2
        mean = rho * mean + (1 - rho) * g
        step = lr * g / (v - (mean**2 if centered else 0) + epsilon) ** 0.5
        m = momentum * m + step
        w -= m
    return w


def adam(w, gradients, lr, b1, b2, epsilon, amsgrad):
    m = v = largest = 0.0
    for t, g in enumerate(gradients, 1):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        largest = max(largest, v)
        used = largest if amsgrad else v
        w -= lr * (1 - b2**t) ** 0.5 / (1 - b1**t) * m / (used**0.5 + epsilon)
    return w


LOOPS = [
    (SGD(0.1), lambda w, g: sgd(w, g, 0.1, 0, False)),
    (SGD(0.1, momentum=0.7), lambda w, g: sgd(w, g, 0.1, 0.7, False)),
    (SGD(0.1, 0.7, nesterov=True), lambda w, g: sgd(w, g, 0.1, 0.7, True)),
    (RMSprop(0.1), lambda w, g: rmsprop(w, g, 0.1, 0.9, 0, 1e-7, False)),
    (
        RMSprop(0.1, 0.8, 0.5, 1e-4),
        lambda w, g: rmsprop(w, g, 0.1, 0.8, 0.5, 1e-4, False),
    ),
    (
        RMSprop(0.1, 0.8, 0.5, 1e-4, centered=True),
        lambda w, g: rmsprop(w, g, 0.1, 0.8, 0.5, 1e-4, True),
    ),
    (Adam(0.1), lambda w, g: adam(w, g, 0.1, 0.9, 0.999, 1e-7, False)),
    (
        Adam(0.1, 0.8, 0.6, 1e-4, amsgrad=True),
        lambda w, g: adam(w, g, 0.1, 0.8, 0.6, 1e-4, True),
    ),
]


@pytest.mark.parametrize("optimizer, loop", LOOPS, ids=lambda v: getattr(v, "name", ""))
def test_trajectory(optimizer, loop):
    optimizer = type(optimizer).from_config(optimizer.get_config())
    rate = float(optimizer.learning_rate)  # 0.1 as float32
    weights = variables((2, 3), (), (5,))
    starts = [v.numpy() for v in weights]
    rng = np.random.default_rng(1)
    gradients = [rng.normal(size=(40, *v.shape)) for v in weights]
    for step in range(40):
        optimizer.apply([g[step] for g in gradients], weights)
    for variable, start, history in zip(weights, starts, gradients, strict=True):
        history = history.reshape(40, -1)
        expected = [
            loop(w, history[:, i] * 1.0) for i, w in enumerate(start.reshape(-1))
        ]
        assert rate == pytest.approx(0.1, rel=1e-7)
        np.testing.assert_allclose(variable.numpy().reshape(-1), expected, rtol=1e-6)


def test_more_numbers_than_a_piece_holds():
    weights = variables((update.PIECE * 2 + 5,))
    start = weights[0].numpy()
    gradient = np.random.default_rng(1).normal(size=start.shape)
    optimizer = Adam(0.1, amsgrad=True)
    for _ in range(3):
        optimizer.apply([gradient], weights)
    for i in (0, update.PIECE - 1, update.PIECE, 2 * update.PIECE + 4):
        expected = adam(start[i], [gradient[i]] * 3, 0.1, 0.9, 0.999, 1e-7, True)
        np.testing.assert_allclose(weights[0].array[i], expected, rtol=1e-6)


def test_moments_that_no_longer_matter_become_zero():
    weights = variables((3,), dtype="float32")
    optimizer = Adam(0.1)
    optimizer.apply([np.ones(3, "float32")], weights)
    for _ in range(1000):
        optimizer.apply([np.zeros(3, "float32")], weights)
    state = {v.name: v.array for v in optimizer.variables}
    assert (state["kernel_momentum"] == 0).all()


@pytest.mark.parametrize("cls", [SGD, RMSprop, Adam])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_type_stays(cls, dtype):
    weights = variables((2, 2), dtype=dtype)
    options = {"weight_decay": 0.1, "clipnorm": 0.5, "use_ema": True}
    optimizer = cls(0.1, **options)
    optimizer.apply([np.ones((2, 2), dtype)], weights)
    assert weights[0].dtype == dtype
    state = [v for v in optimizer.variables if v.shape == (2, 2)]
    assert state and all(v.dtype == dtype for v in state)


# --- apply ---------------------------------------------------------------------------


def test_apply_gradients_takes_pairs_and_returns_iterations():
    first, second = variables((2,), (3,))
    start = first.numpy()
    optimizer = SGD(0.5)
    pairs = [(np.ones(2), first), (np.ones(3), second)]
    assert int(optimizer.apply_gradients(pairs)) == 1
    assert int(optimizer.apply_gradients(zip(*zip(*pairs)))) == 2  # noqa: B905
    np.testing.assert_allclose(first.numpy(), start - 1.0, rtol=1e-7)
    assert int(optimizer.iterations) == 2


def test_apply_without_variables_uses_those_it_was_built_with():
    weights = variables((2,), (3,))
    start = [v.numpy() for v in weights]
    optimizer = SGD(0.5)
    optimizer.build(weights)
    optimizer.apply([np.ones(2), np.ones(3)])
    for variable, before in zip(weights, start, strict=True):
        np.testing.assert_allclose(variable.numpy(), before - 0.5, rtol=1e-7)


def test_apply_of_no_gradients_does_nothing():
    optimizer = SGD(0.5)
    optimizer.build(variables((2,)))
    optimizer.apply([])
    assert int(optimizer.iterations) == 0


@pytest.mark.parametrize("optimizer", [Adam(0.1), SGD(0.1, momentum=0.9)])
def test_a_subset_leaves_the_others_as_they_are(optimizer):
    optimizer = type(optimizer)(0.1, weight_decay=0.5)
    first, second = variables((2,), (3,))
    optimizer.apply([np.ones(2), np.ones(3)], [first, second])
    state = {v.name: v.numpy() for v in optimizer.variables}
    before = second.numpy()
    second.constraint = lambda w: w * 0
    optimizer.apply([np.ones(2)], [first])
    np.testing.assert_array_equal(second.numpy(), before)
    for variable in optimizer.variables:
        if variable.name.startswith("bias"):
            np.testing.assert_array_equal(variable.numpy(), state[variable.name])


def test_a_gradient_of_none_leaves_its_variable_with_a_warning():
    first, second = variables((2,), (3,))
    optimizer = SGD(0.1, momentum=0.9)
    optimizer.apply([np.ones(2), np.ones(3)], [first, second])
    before = second.numpy()
    with pytest.warns(UserWarning, match="no gradient for bias"):
        optimizer.apply([np.ones(2), None], [first, second])
    np.testing.assert_array_equal(second.numpy(), before)
    with pytest.raises(ValueError, match="all gradients are None"):
        optimizer.apply([None, None], [first, second])


def test_refused_gradients():
    weights = variables((2,), (3,))
    with pytest.raises(ValueError, match="has not been built"):
        SGD().apply([np.ones(2)])
    with pytest.raises(ValueError, match="has not been built"):
        SGD().apply_flat([np.ones(2)])
    optimizer = SGD()
    optimizer.build(weights)
    with pytest.raises(ValueError, match="each of the 2 variables. Received: 1"):
        optimizer.apply([np.ones(2)])
    with pytest.raises(ValueError, match=r"'bias' must have the shape \(3,\)"):
        optimizer.apply([np.ones(2), np.ones(2)], weights)
    with pytest.raises(ValueError, match="was not built with"):
        optimizer.apply([np.ones(2)], variables((2,)))
    assert int(optimizer.iterations) == 0


def test_variables_that_moved_to_another_vector_still_change():
    weights = variables((2,))
    optimizer = SGD(0.5, momentum=0.9)
    optimizer.apply([np.ones(2)], weights)
    SGD().build(weights)  # moves them
    before = weights[0].numpy()
    optimizer.apply([np.ones(2)], weights)
    np.testing.assert_allclose(weights[0].numpy(), before - 0.5 - 0.45, rtol=1e-7)


def test_gradients_of_the_caller_stay_as_they_are():
    weights = variables((2,))
    gradient = np.array([3.0, 4.0])
    SGD(clipnorm=1.0, loss_scale_factor=2.0).apply([gradient], weights)
    np.testing.assert_array_equal(gradient, [3.0, 4.0])


def test_clipnorm_of_a_zero_gradient():
    weights = variables((2,))
    before = weights[0].numpy()
    SGD(clipnorm=1.0).apply([np.zeros(2)], weights)
    np.testing.assert_array_equal(weights[0].numpy(), before)


# --- learning rate -------------------------------------------------------------------


def test_learning_rate_is_a_variable_that_can_be_set():
    optimizer = SGD(0.5)
    assert float(optimizer.learning_rate) == 0.5
    assert isinstance(optimizer.learning_rate, keras.Variable)
    optimizer.learning_rate = 0.25
    assert float(optimizer.learning_rate) == 0.25
    optimizer.learning_rate.assign(0.125)
    assert float(optimizer.learning_rate) == 0.125
    optimizer.learning_rate = 1
    assert float(optimizer.learning_rate) == 1.0


def test_learning_rate_from_a_function():
    rates = iter([0.5, 0.25])
    weights = variables((1,))
    start = weights[0].numpy()
    optimizer = SGD(lambda: next(rates))
    optimizer.apply([np.ones(1)], weights)
    optimizer.apply([np.ones(1)], weights)
    np.testing.assert_allclose(weights[0].numpy(), start - 0.75)
    assert [v.name for v in optimizer.variables] == ["iteration"]


class Halved(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self, start):
        self.start = start

    def __call__(self, step):
        return self.start * 0.5**step

    def get_config(self):
        return {"start": self.start}


def test_schedule():
    optimizer = SGD(Halved(0.5))
    weights = variables((1,))
    start = weights[0].numpy()
    for _ in range(3):
        optimizer.apply([np.ones(1)], weights)
    np.testing.assert_allclose(weights[0].numpy(), start - 0.5 - 0.25 - 0.125)
    assert float(optimizer.learning_rate) == 0.0625
    with pytest.raises(TypeError, match="follows a schedule"):
        optimizer.learning_rate = 0.1
    optimizer.learning_rate = Halved(16.0)
    assert float(optimizer.learning_rate) == 2.0


def test_schedule_in_a_config():
    config = SGD(Halved(0.5)).get_config()
    with keras.saving.custom_object_scope({"Halved": Halved}):
        again = SGD.from_config(config)
    assert float(again.learning_rate) == 0.5


def test_float64_rates_keep_their_digits():
    keras.config.set_floatx("float64")
    try:
        assert float(SGD(0.1).learning_rate) == 0.1
        assert float(SGD(Halved(0.1)).learning_rate) == 0.1
    finally:
        keras.config.set_floatx("float32")


# --- optimizers of a user's own ------------------------------------------------------


class Signs(Optimizer):
    """No state."""

    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, learning_rate * ops.sign(gradient))


class HeavyBall(Optimizer):
    """State in the way of Keras' own optimizers."""

    def __init__(self, learning_rate=0.1, beta=0.5, **kwargs):
        super().__init__(learning_rate, **kwargs)
        self.beta = beta

    def build(self, variables):
        if self.built:
            return
        super().build(variables)
        self.momentums = []
        for variable in variables:
            self.momentums.append(
                self.add_variable_from_reference(variable, name="momentum")
            )

    def update_step(self, gradient, variable, learning_rate):
        m = self.momentums[self._get_variable_index(variable)]
        self.assign(m, self.beta * m + gradient)
        self.assign_sub(variable, learning_rate * m)

    def get_config(self):
        return {**super().get_config(), "beta": self.beta}


def test_own_update_step():
    weights = variables((2,), (3,))
    start = [v.numpy() for v in weights]
    Signs(0.5).apply([np.array([2.0, -3.0]), np.zeros(3)], weights)
    np.testing.assert_allclose(weights[0].numpy(), start[0] + [-0.5, 0.5])
    np.testing.assert_allclose(weights[1].numpy(), start[1])


def test_own_state():
    weights = variables((2,), (3,))
    start = weights[0].numpy()
    optimizer = HeavyBall(0.5, name="ball")
    for _ in range(2):
        optimizer.apply([np.ones(2), np.ones(3)], weights)
    np.testing.assert_allclose(weights[0].numpy(), start - 0.5 * 1 - 0.5 * 1.5)
    assert [v.path for v in optimizer.variables] == [
        "ball/iteration",
        "ball/learning_rate",
        "ball/kernel_momentum",
        "ball/bias_momentum",
    ]


def regression(optimizer):
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)]
    )
    model.compile(optimizer, "mse")
    return model


X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


def test_own_optimizer_in_fit():
    ball, sgd = regression(HeavyBall(0.02)), regression(SGD(0.02, momentum=0.5))
    for model in (ball, sgd):
        model.fit(X, Y, epochs=3, shuffle=False, verbose=0)
    for ours, expected in zip(ball.get_weights(), sgd.get_weights(), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)
    assert len(ball.optimizer.momentums) == 4


def test_own_state_survives_freezing():
    model = regression(HeavyBall(0.02))
    model.fit(X, Y, verbose=0)
    kept = {v.name: v.numpy() for v in model.optimizer.variables[2:]}
    model.layers[0].trainable = False
    model._trained_parameters()
    state = {v.name: v.numpy() for v in model.optimizer.variables[2:]}
    assert list(state) == ["sequential_dense_1_kernel_momentum"] + [
        "sequential_dense_1_bias_momentum"
    ]
    for name, value in state.items():
        np.testing.assert_array_equal(value, kept[name])


def test_add_optimizer_variables_and_early_variables():
    class Own(Optimizer):
        def __init__(self):
            super().__init__(0.1, name="own")
            self.seen = self.add_variable((), name="seen")

        def build(self, variables):
            super().build(variables)
            self.lists = self.add_optimizer_variables(variables, ["a", "b"])
            self.ones = self.add_optimizer_variables(variables, "c", "ones")

        def update_step(self, gradient, variable, learning_rate):
            self.assign_add(self.seen, 1)

    weights = variables((2,), (3,))
    optimizer = Own()
    optimizer.apply([np.ones(2), np.ones(3)], weights)
    assert [v.name for v in optimizer.variables[2:]] == ["seen"] + [
        f"{name}_{slot}" for name in ("kernel", "bias") for slot in "ab"
    ] + ["kernel_c", "bias_c"]
    assert float(optimizer.seen) == 2
    np.testing.assert_array_equal(optimizer.ones[1].numpy(), np.ones(3))
    optimizer.build(weights)
    assert len(optimizer.variables) == 9


def test_a_subclass_can_call_the_update_step_of_ours():
    class Doubled(Adam):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient * 2, variable, learning_rate)

    ours, expected = variables((2, 3), (3,)), variables((2, 3), (3,))
    rng = np.random.default_rng(0)
    doubled, plain = Doubled(0.1, amsgrad=True), Adam(0.1, amsgrad=True)
    for _ in range(5):
        gradients = [rng.normal(size=v.shape) for v in ours]
        doubled.apply(gradients, ours)
        plain.apply([g * 2 for g in gradients], expected)
    for one, other in zip(ours, expected, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-7)


def test_an_optimizer_without_an_update_says_so():
    with pytest.raises(NotImplementedError, match="must define `update_step"):
        Optimizer(0.1).apply([np.ones(2)], variables((2,)))


# --- in models -----------------------------------------------------------------------


def test_names_and_order_are_those_of_keras():
    expected = FACTS["weight_paths"]["sequential"]
    keras.utils.clear_session()
    model = keras.Sequential(
        [
            keras.Input((2, 2, 1)),
            keras.layers.Conv2D(2, 2),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    found = [
        {"name": v.name, "path": v.path, "shape": list(v.shape)}
        for v in model.optimizer.variables
    ]
    assert found == expected["optimizer"]


@pytest.mark.parametrize("factor", [8.0, 1000.0])
def test_a_scaled_loss_trains_as_one_that_is_not(factor):
    plain, scaled = (
        regression(SGD(0.05, momentum=0.9)),
        regression(SGD(0.05, momentum=0.9, loss_scale_factor=factor)),
    )
    logs = [m.fit(X, Y, epochs=2, verbose=0, shuffle=False) for m in (plain, scaled)]
    assert logs[1].history["loss"] == pytest.approx(logs[0].history["loss"], 1e-5)
    for one, other in zip(plain.get_weights(), scaled.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_averages_replace_the_weights_at_the_end_of_fit():
    model = regression(SGD(0.05, use_ema=True, ema_momentum=0.5))
    seen = []

    class Look(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(self.model.get_weights())

    model.fit(X, Y, batch_size=4, verbose=0, callbacks=Look())
    average = seen[0]
    for weights in seen[1:]:
        average = [0.5 * a + 0.5 * w for a, w in zip(average, weights, strict=True)]
    for ours, expected in zip(model.get_weights(), average, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-7)


def test_the_optimizer_of_another_model_is_refused():
    first = regression("adam")
    first.fit(X, Y, verbose=0)
    second = regression(first.optimizer)
    with pytest.raises(ValueError, match="has trained other weights"):
        second.fit(X, Y, verbose=0)


def test_state_follows_weights_whose_paths_change():
    shared = keras.layers.Dense(1)
    model = keras.Sequential([keras.Input((3,)), shared])
    model.compile("adam", "mse")
    model.fit(X, Y, verbose=0)
    state = [v.numpy() for v in model.optimizer.variables[2:]]
    outer = keras.Sequential([keras.Input((3,)), model])
    outer.compile("adam", "mse")
    outer.fit(X, Y, verbose=0)
    model._trained_parameters()
    for before, variable in zip(state, model.optimizer.variables[2:], strict=True):
        np.testing.assert_array_equal(before, variable.numpy())


# --- configs and errors --------------------------------------------------------------


OFFERED = set(keras.optimizers.__all__) & set(FACTS["configs"]["optimizers"])


@pytest.mark.parametrize("name", sorted(OFFERED))
def test_config_is_that_of_keras(name):
    expected = FACTS["configs"]["optimizers"][name]
    cls = getattr(keras.optimizers, name)
    keras.utils.clear_session()
    config = cls().get_config()
    assert config == expected
    assert cls.from_config(config).get_config() == expected
    again = keras.optimizers.deserialize(keras.optimizers.serialize(cls()))
    assert type(again) is cls


@pytest.mark.parametrize("cls", [SGD, RMSprop, Adam])
def test_config_round_trip(cls):
    options = {
        "learning_rate": 0.25,
        "weight_decay": 0.5,
        "clipnorm": 2.0,
        "use_ema": True,
        "ema_momentum": 0.5,
        "ema_overwrite_frequency": 3,
        "loss_scale_factor": 4.0,
        "gradient_accumulation_steps": 2,
        "name": "mine",
    }
    config = cls(**options).get_config()
    assert {key: config[key] for key in options} == options
    assert cls.from_config(config).get_config() == config


def test_names_count_up():
    keras.utils.clear_session()
    assert [SGD().name, SGD().name, RMSprop().name] == ["sgd", "sgd_1", "rm_sprop"]


@pytest.mark.parametrize(
    "name, cls",
    [("sgd", SGD), ("SGD", SGD), ("rmsprop", RMSprop), ("RMSprop", RMSprop)]
    + [("adam", Adam), ("Adam", Adam), (Adam, Adam)],
)
def test_get(name, cls):
    assert type(keras.optimizers.get(name)) is cls


def test_get_of_other_things():
    optimizer = SGD()
    assert keras.optimizers.get(optimizer) is optimizer
    config = {"class_name": "SGD", "config": {"learning_rate": 0.5}}
    assert float(keras.optimizers.get(config).learning_rate) == 0.5
    with pytest.raises(ValueError, match="Did you mean 'adam'"):
        keras.optimizers.get("adamm")
    with pytest.raises(TypeError, match="Expected an optimizer"):
        keras.optimizers.get(print)
    with pytest.raises(TypeError, match="Expected the optimizer as a name"):
        keras.optimizers.get(3)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"lr": 0.1}, "unrecognized arguments: lr"),
        ({"clipnorm": 1.0, "clipvalue": 1.0}, "only one of clipnorm"),
        ({"clipnorm": -1.0}, "`clipnorm` must be above 0"),
        ({"use_ema": True, "ema_momentum": 2}, "`ema_momentum` must be from 0 to 1"),
        ({"ema_overwrite_frequency": 0}, "`ema_overwrite_frequency` must be a whole"),
        ({"gradient_accumulation_steps": 1}, "of at least 2"),
        ({"gradient_accumulation_steps": 2.5}, "whole number of steps"),
        ({"learning_rate": -0.1}, "`learning_rate` must be a number of at least 0"),
        ({"learning_rate": float("nan")}, "Received: nan"),
        ({"learning_rate": "fast"}, "or a schedule. Received: 'fast'"),
        ({"learning_rate": None}, "Received: None"),
    ],
)
@pytest.mark.parametrize("cls", [SGD, RMSprop, Adam])
def test_refused_options(cls, options, message):
    with pytest.raises(ValueError, match=message) as caught:
        cls(**options)
    assert str(caught.value).startswith(cls.__name__)


@pytest.mark.parametrize("momentum", [-0.5, 2.0, "high"])
def test_refused_momentum(momentum):
    with pytest.raises(ValueError, match="`momentum` must be a number from 0 to 1"):
        SGD(momentum=momentum)
