"""Normalisation layers against real Keras, their state, options and errors."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from autograd import grad, make_vjp
from autograd.test_util import check_grads

import minikeras as keras
from minikeras import layers
from minikeras.layers.batch_normalization import BatchNormalization
from minikeras.layers.convolutional import Conv2D
from minikeras.layers.normalization import (
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from minikeras.layers.spectral_normalization import SpectralNormalization
from minikeras.ops.numpy import sum as total
from minikeras.registry import deserialize_keras_object, serialize_keras_object
from minikeras.training.step import backpropagate

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "normalization.json").read_text())
CLASSES = {
    c.__name__: c
    for c in (
        BatchNormalization,
        LayerNormalization,
        GroupNormalization,
        RMSNormalization,
        UnitNormalization,
        SpectralNormalization,
    )
}
TOLERANCE = {"float64": 1e-9, "float32": 1e-5}


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "normalization.npz") as file:
        flat = dict(file)
    found = {}
    for key, (kind, start, shape) in CASES["index"].items():
        size = int(np.prod(shape))
        found[key] = flat[kind][start : start + size].reshape(shape)
    return found


@pytest.fixture
def float64():
    keras.config.set_floatx("float64")
    yield
    keras.config.set_floatx("float32")


def close(ours, expected, tolerance):
    np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance)


def make(case):
    arguments = dict(case["arguments"])
    dtype = case["extras"].get("dtype", "float64")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rms_scaling
        return CLASSES[case["class_name"]](dtype=dtype, name="layer", **arguments)


def case_id(case):
    return "-".join(map(str, (case["class_name"], case["arguments"], case["extras"])))


@pytest.mark.parametrize(
    "index", range(len(CASES["layers"])), ids=lambda i: case_id(CASES["layers"][i])
)
def test_layer_equals_keras(index, golden):
    case = CASES["layers"][index]
    extras, key = case["extras"], f"layer/{index}/"
    tolerance = TOLERANCE[extras.get("dtype", "float64")]
    if extras.get("mean") and extras.get("dtype") == "float32":
        tolerance = 4e-4  # Keras rounds x / deviation and mean / deviation, about 1e3
    layer = make(case)
    x = golden[key + "x"]
    layer.build(x.shape)
    layer.trainable = extras.get("trainable", True)
    found = [[v.name, list(v.shape), v.trainable] for v in layer.weights]
    assert found == case["weights"]
    config = json.loads(json.dumps(layer.get_config()))
    assert config.pop("trainable") == case["config"].pop("trainable")
    assert config == case["config"]
    count = len(case["weights"])
    layer.set_weights([golden[f"{key}w/{i}"] for i in range(count)])
    given = {k: extras[k] for k in ("training",) if k in extras}
    if extras.get("mask"):
        given["mask"] = golden[key + "mask"].astype(bool)

    pull, y = make_vjp(lambda x: layer(x, **given))(x)
    assert y.dtype == x.dtype
    close(y, golden[key + "y"], tolerance)
    close(pull(golden[key + "g"]), golden[key + "dx"], 10 * tolerance)

    layer.set_weights([golden[f"{key}w/{i}"] for i in range(count)])
    g = golden[key + "g"]
    _, _, grads = backpropagate(
        lambda: (total(layer(x, **given) * g), None), layer.trainable_weights
    )
    assert len(grads) == case["gradients"]
    for i, gradient in enumerate(grads):
        assert gradient.dtype == x.dtype
        close(gradient, golden[f"{key}dw/{i}"], 10 * tolerance)
    fixed = layer.non_trainable_weights
    assert len(fixed) == case["after"]
    for i, variable in enumerate(fixed):
        close(variable.numpy(), golden[f"{key}after/{i}"], tolerance)


FAR = [
    i
    for i, case in enumerate(CASES["layers"])
    if case["extras"].get("mean") and "dtype" not in case["extras"]
]


@pytest.mark.parametrize("index", FAR, ids=lambda i: case_id(CASES["layers"][i]))
def test_float32_far_from_zero_equals_keras_in_float64(index, golden):
    case, key = CASES["layers"][index], f"layer/{index}/"
    layer = CLASSES[case["class_name"]](**case["arguments"])
    x, g = (golden[key + name].astype("float32") for name in "xg")
    layer.build(x.shape)
    layer.set_weights([golden[f"{key}w/{i}"] for i in range(len(case["weights"]))])
    given = {"training": True} if "training" in case["extras"] else {}
    pull, y = make_vjp(lambda x: layer(x, **given))(x)
    close(y, golden[key + "y"], 1e-5)
    close(pull(g), golden[key + "dx"], 1e-5)
    for i, variable in enumerate(layer.non_trainable_weights):
        close(variable.numpy(), golden[f"{key}after/{i}"], 1e-5)


def build_model(case):
    keras.utils.clear_session()
    return keras.Sequential.from_config(case["config"])


@pytest.mark.parametrize("case", CASES["models"], ids=lambda c: c["name"])
def test_training_equals_keras(case, golden, float64):
    model, name = build_model(case), case["name"]
    for key, variables in (
        ("paths", model.weights),
        ("trainable", model.trainable_weights),
    ):
        names = ["/".join(path.split("/")[-2:]) for path in case[key]]
        assert ["/".join(v.path.split("/")[-2:]) for v in variables] == names
    count = len(case["paths"])
    model.set_weights([golden[f"{name}/w/{i}"] for i in range(count)])
    sgd = keras.optimizers.SGD(learning_rate=0.05)
    model.compile(optimizer=sgd, loss="mse")
    x, y = golden[f"{name}/x"], golden[f"{name}/y"]
    history = model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    # An optimizer's learning rate is a float32 number in Keras.
    close(history.history["loss"], case["loss"], 1e-7)
    for i, weight in enumerate(model.get_weights()):
        close(weight, golden[f"{name}/after/{i}"], 1e-6)
    close(model.predict(x, verbose=0), golden[f"{name}/predict"], 1e-6)
    close(model.evaluate(x, y, verbose=0), case["evaluate"], 1e-6)


def test_spectral_call_outside_a_gradient_overwrites_the_kernel(golden):
    layer = SpectralNormalization(layers.Dense(3, dtype="float64"), dtype="float64")
    layer.build((None, 4))
    assert [v.name for v in layer.weights] == CASES["eager"]
    layer.set_weights([golden[f"eager/w/{i}"] for i in range(3)])
    close(layer(golden["eager/x"], training=True), golden["eager/y"], 1e-9)
    for i, weight in enumerate(layer.get_weights()):
        close(weight, golden[f"eager/after/{i}"], 1e-9)


def test_spectral_leaves_a_zero_kernel_alone():
    layer = SpectralNormalization(layers.Dense(2, kernel_initializer="zeros"))
    before = layer(np.ones((1, 3))), layer.vector_u.copy()
    np.testing.assert_array_equal(layer(np.ones((1, 3)), training=True), before[0])
    np.testing.assert_array_equal(layer.vector_u, before[1])


def test_spectral_config_and_freezing():
    layer = SpectralNormalization(layers.Dense(2), power_iterations=2)
    layer.build((None, 3))
    again = deserialize_keras_object(serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    assert again.layer.units == 2
    assert layer.compute_output_shape((None, 3)) == (None, 2)
    layer.trainable = False
    assert layer.trainable_weights == []
    assert not layer.layer.trainable


# --- batch normalisation's state ------------------------------------------------


def test_momentum_0_copies_the_batch_and_1_nothing():
    x = np.array([[1.0, 2.0], [3.0, 6.0]], "float32")
    copying, still = BatchNormalization(momentum=0), BatchNormalization(momentum=1.0)
    copying(x, training=True)
    still(x, training=True)
    np.testing.assert_array_equal(copying.moving_mean, [2, 4])
    np.testing.assert_array_equal(copying.moving_variance, [1, 4])
    np.testing.assert_array_equal(still.moving_mean, [0, 0])
    np.testing.assert_array_equal(still.moving_variance, [1, 1])


def test_statistics_are_plain_arrays_inside_a_gradient():
    layer = BatchNormalization(dtype="float64")
    x = np.random.default_rng(0).normal(size=(5, 3))
    mask = np.array([True, True, False, True, False])
    layer.build(x.shape)
    for given in ({}, {"mask": mask}):
        before = layer.moving_mean.copy()
        grad(lambda x, given=given: total(layer(x, training=True, **given) ** 3))(x)
        assert type(layer.moving_mean) is np.ndarray
        assert not np.array_equal(layer.moving_mean, before)


def test_trainable_false_stops_the_averages_in_fit():
    model = keras.Sequential([keras.Input((3,)), BatchNormalization(), layers.Dense(1)])
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    before = model.layers[0].get_weights()
    model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0)
    for old, new in zip(before, model.layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_interrupted_step_restores_the_averages():
    class Interrupting(keras.layers.Layer):
        def call(self, inputs, training=False):
            if training:
                raise KeyboardInterrupt
            return inputs

    normal = BatchNormalization()
    model = keras.Sequential([keras.Input((3,)), normal, Interrupting()])
    model.compile("sgd", "mse")
    before = normal.get_weights()
    with pytest.raises(KeyboardInterrupt):
        model.train_on_batch(np.ones((4, 3)), np.ones((4, 3)))
    for old, new in zip(before, normal.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_masked_places_do_not_count():
    layer = BatchNormalization(momentum=0.0)
    x = np.array([[[1.0], [1e6]], [[3.0], [-1e6]]], "float32")
    layer(x, training=True, mask=[[True, False], [True, False]])
    close(layer.moving_mean, [2], 1e-6)
    close(layer.moving_variance, [1], 1e-6)


def test_a_mask_of_nothing_gives_finite_numbers():
    layer = BatchNormalization(momentum=0.0)
    y = layer(np.ones((2, 3, 1)), training=True, mask=np.zeros((2, 3), bool))
    assert np.isfinite(y).all()
    np.testing.assert_array_equal(layer.moving_mean, [0])


def test_axis_as_keras_2_wrote_it():
    assert BatchNormalization(axis=[3]).axis == 3


def test_float16_is_summed_in_float32():
    x = np.full((4000, 2), 40.0, "float16") + np.array([[1], [-1]] * 2000, "float16")
    for layer in (BatchNormalization, LayerNormalization, RMSNormalization):
        y = layer(dtype="float16")(x, training=True)
        assert y.dtype == np.float16
        assert np.isfinite(y).all()
    y = BatchNormalization(dtype="float16")(x, training=True)
    close(np.abs(y), np.ones((4000, 2)), 2e-3)


def test_layers_without_autocast_compute_in_the_inputs_precision():
    x = 1e6 + np.array([[1.0, 2.0, 3.0, 6.0]]) / 64  # float32 has steps of 1/16 there
    y = LayerNormalization(epsilon=0.0)(x)
    assert y.dtype == np.float32
    close(y, [[-2 / 3.5**0.5, -1 / 3.5**0.5, 0, 3 / 3.5**0.5]], 1e-6)


# --- derivatives ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: BatchNormalization(), (4, 3)),
        (lambda: BatchNormalization(axis=1), (2, 3, 2, 2)),
        (lambda: LayerNormalization(axis=[1, 2]), (3, 2, 2)),
        (lambda: GroupNormalization(2), (2, 3, 4)),
        (lambda: GroupNormalization(2, axis=1), (2, 4, 3)),
        (lambda: RMSNormalization(), (3, 4)),
        (lambda: UnitNormalization(), (3, 4)),
    ],
)
def test_second_derivatives(layer, shape, float64):
    layer = layer()
    x = np.random.default_rng(3).normal(size=shape)
    layer.build(shape)
    check_grads(lambda x: layer(x, training=True), order=2)(x)


def test_gradient_penalty_through_conv_normalization_and_pooling(float64):
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            Conv2D(3, 3),
            BatchNormalization(),
            layers.MaxPooling2D(2),
        ]
    )
    x = np.random.default_rng(4).normal(size=(2, 6, 6, 2))
    check_grads(lambda x: model(x, training=True), order=2)(x)

    def penalty(x):
        slope = grad(lambda x: total(model(x, training=True) ** 3))(x)
        return total(slope * slope)

    check_grads(penalty, modes=["rev"], order=1)(x)


@pytest.mark.parametrize(
    "last",
    [BatchNormalization, lambda: SpectralNormalization(layers.Dense(2))],
    ids=["batch", "spectral"],
)
def test_gradient_penalty_with_respect_to_weights(last, float64):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3), BatchNormalization(), last()]
    )
    start, weights = model.get_weights(), model.trainable_weights
    x = np.random.default_rng(5).normal(size=(6, 4))

    def penalty(shifted=None, step=0.0):
        model.set_weights(start)
        if shifted is not None:
            shifted.array[(0,) * len(shifted.shape)] += step

        def squared_slope():
            slope = grad(lambda x: total(model(x, training=True) ** 3))(x)
            return total(slope * slope), None

        return backpropagate(squared_slope, weights)

    value, _, found = penalty()
    assert value > 1
    for variable, gradient in zip(weights, found, strict=True):
        if gradient is None or "spectral" in variable.path:
            continue  # sigma's vectors u and v are held constant
        ahead, behind = (penalty(variable, step)[0] for step in (1e-5, -1e-5))
        first = gradient[(0,) * gradient.ndim]
        close(first, (ahead - behind) / 2e-5, 1e-5)


# --- what is refused ------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: BatchNormalization(renorm=True), ValueError, "renorm"),
        (lambda: BatchNormalization(synchronized=True), ValueError, "synchronized"),
        (lambda: BatchNormalization(axis=[1, 2]), TypeError, "integer.*axis="),
        (lambda: BatchNormalization(axis=1.5), TypeError, "integer.*axis=1.5"),
        (lambda: BatchNormalization(momentun=0.9), ValueError, "momentum"),
        (lambda: LayerNormalization(axis="last"), TypeError, "axis='last'"),
        (lambda: LayerNormalization(axis=True), TypeError, "axis=True"),
        (lambda: RMSNormalization(axis=[None]), TypeError, "axis=None"),
        (lambda: UnitNormalization(axis=None), TypeError, "axis=None"),
        (lambda: GroupNormalization(0), ValueError, "groups=0"),
        (lambda: GroupNormalization(-2), ValueError, "-1"),
        (lambda: GroupNormalization(True), ValueError, "positive"),
        (lambda: GroupNormalization(2, axis=[1]), TypeError, "axis"),
        (lambda: SpectralNormalization(3), ValueError, "must be a layer"),
        (lambda: SpectralNormalization(layers.Dense(1), 0), ValueError, "power_iter"),
    ],
)
def test_refused_arguments(make, error, text):
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (BatchNormalization(axis=3), (2, 3), "each once.*axis=3"),
        (BatchNormalization(), (2, None), "size of axis -1"),
        (LayerNormalization(axis=[1, -1]), (2, 3), "each once"),
        (LayerNormalization(axis=2), (2, 3), r"input shape \(2, 3\)"),
        (RMSNormalization(axis=-3), (2, 3), "axis=-3"),
        (GroupNormalization(2), (2, 3), "divide.*groups=2, 3 channels"),
        (GroupNormalization(4), (2, 2), "divide.*groups=4, 2 channels"),
        (GroupNormalization(2, axis=0), (2, 3), "not the batch"),
        (SpectralNormalization(layers.Flatten()), (2, 3), "no weight `kernel`"),
    ],
)
def test_refused_inputs(layer, shape, text):
    with pytest.raises(ValueError, match=text):
        layer.build(shape)


def test_refused_in_call():
    layer = BatchNormalization()
    with pytest.raises(ValueError, match="one axis less"):
        layer(np.ones((2, 3)), mask=np.ones((2, 3), bool))
    with pytest.raises(ValueError, match="size 3 on axis -1"):
        layer(np.ones((2, 4)))
    with pytest.raises(ValueError, match="2 axes"):
        layer(np.ones((2, 4, 3)))
    with pytest.raises(ValueError, match="`scale` is multiplied"):
        RMSNormalization(axis=1)(np.ones((2, 3, 4)))
    with pytest.raises(ValueError, match="each once"):
        UnitNormalization(axis=5)(np.ones((2, 3)))
    with pytest.raises(ValueError, match="each once"):
        UnitNormalization(axis=5).compute_output_shape((2, 3))


def test_rms_scaling_warns_once_when_made():
    with pytest.warns(UserWarning, match="RMSNormalization"):
        layer = LayerNormalization(rms_scaling=True)
    layer(np.ones((2, 3)))


def test_empty_batches():
    for layer in (LayerNormalization(), GroupNormalization(1), UnitNormalization()):
        assert layer(np.ones((0, 3))).shape == (0, 3)
    assert BatchNormalization()(np.ones((0, 3))).shape == (0, 3)
