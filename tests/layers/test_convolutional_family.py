"""Convolution in all its forms against real Keras, and what each form promises."""

import inspect
import json
from pathlib import Path

import autograd
import numpy as np
import pytest

from minikeras import config, ops
from minikeras.kernels import depthwise as depthwise_kernels
from minikeras.layers import convolutional, convolutional_transpose, depthwise, layer
from minikeras.training.step import backpropagate

GOLDEN = Path(__file__).parents[1] / "golden"
FACTS = json.loads((GOLDEN / "convolutional.json").read_text())
PLACES = (convolutional, convolutional_transpose, depthwise)


@pytest.fixture(scope="module")
def arrays():
    with np.load(GOLDEN / "convolutional.npz") as file:
        return {key: file[key] for key in file.files}


def find(name):
    return next(getattr(place, name) for place in PLACES if hasattr(place, name))


def wave(shape, phase):
    """As in tests/golden/generate_convolutional.py."""
    return np.cos(phase + 1.3 * np.arange(int(np.prod(shape)))).reshape(shape)


def filled(case, dtype="float64"):
    """The case's layer with its weights, and its input."""
    made = find(case["layer"])(**case["arguments"], dtype=dtype)
    x = wave(case["input_shape"], 0.0).astype(dtype)
    made.build(x.shape)
    for i, weight in enumerate(made.weights):
        weight.assign(wave(weight.shape, 1.0 + i))
    return made, x


def close(ours, golden, tolerance=2e-7):
    assert ours.shape == golden.shape
    np.testing.assert_allclose(ours, golden, rtol=tolerance, atol=10 * tolerance)


every_case = pytest.mark.parametrize("case", FACTS["cases"], ids=lambda c: c["name"])


@every_case
@pytest.mark.parametrize("dtype, tolerance", [("float64", 2e-7), ("float32", 2e-6)])
def test_values_and_gradients_are_those_of_keras(case, dtype, tolerance, arrays):
    made, x = filled(case, dtype)
    golden = {
        key.split("/")[1]: value
        for key, value in arrays.items()
        if key.startswith(case["name"] + "/")
    }
    y = made(x)
    assert y.dtype == dtype
    close(y, golden["y"], tolerance)

    def loss(x):
        y = made(x)
        return (y * wave(y.shape, 0.5).astype(dtype)).sum()

    for_x = autograd.grad(loss)(x)
    assert for_x.dtype == dtype
    close(for_x, golden["x"], tolerance)
    _, _, gradients = backpropagate(lambda: (loss(x), None), made.weights)
    assert len(gradients) == len(golden) - 2
    for i, gradient in enumerate(gradients):
        assert gradient.dtype == dtype
        close(gradient, golden[str(i)], tolerance)


@every_case
def test_shapes_weights_and_config_are_those_of_keras(case):
    config.set_floatx("float64")
    try:
        made = find(case["layer"])(**case["arguments"], name=case["config"]["name"])
    finally:
        config.set_floatx("float32")
    shape = (None, *case["input_shape"][1:])
    assert list(made.compute_output_shape(shape)) == case["output_shape"]
    made.build(shape)
    assert [[w.name, list(w.shape)] for w in made.weights] == case["weights"]
    ours = json.loads(json.dumps(made.get_config()))
    assert ours == case["config"]
    again = type(made).from_config(case["config"])
    assert json.loads(json.dumps(again.get_config())) == case["config"]


@pytest.mark.parametrize("name", FACTS["signatures"])
def test_arguments_are_those_of_keras_in_the_same_order(name):
    found = list(inspect.signature(find(name).__init__).parameters)[1:]
    expected = FACTS["signatures"][name]
    if name == "Conv3DTranspose":  # names the six that come in another order
        assert found[:6] == expected[:6]
        made = find(name)(1, 2, 2, "same", "channels_first", 1, 1, "relu", False)
        assert (made.data_format, made.output_padding) == ("channels_first", (1, 1, 1))
        assert (made.activation.__name__, made.use_bias) == ("relu", False)
    else:
        assert found == expected


@pytest.mark.parametrize("name", FACTS["signatures"])
def test_the_output_shape_is_known_without_sizes(name):
    made = filled(next(c for c in FACTS["cases"] if c["layer"] == name))[0]
    shape = (None,) * (made.rank + 1)
    channels = 2 * getattr(made, "depth_multiplier", 1)
    filters = getattr(made, "filters", channels)
    assert made.compute_output_shape((*shape, 2)) == (*shape, filters)


@pytest.mark.parametrize(
    "alias",
    [
        *(f"Convolution{n}D{end}" for n in (1, 2, 3) for end in ("", "Transpose")),
        *(f"SeparableConvolution{n}D" for n in (1, 2)),
    ],
)
def test_aliases(alias):
    assert layer.family.find(alias) is find(alias.replace("volution", "v"))


def test_causal_convolution_never_sees_a_later_input():
    made = convolutional.Conv1D(2, 3, padding="causal", dilation_rate=2)
    x = np.random.default_rng(0).normal(size=(1, 9, 2)).astype("float32")
    before = made(x)
    for step in range(9):
        changed = x.copy()
        changed[:, step] += 1
        differs = np.any(made(changed) != before, axis=(0, 2))
        assert not differs[:step].any()
        assert differs[step]


@pytest.mark.parametrize("each", [1, 3])
def test_a_group_for_each_channel_is_a_depthwise_convolution(each, monkeypatch):
    calls = []
    original = depthwise_kernels.convolve
    monkeypatch.setattr(
        depthwise_kernels, "convolve", lambda *a: calls.append(1) or original(*a)
    )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, 4, 6)).astype("float32")
    grouped = convolutional.Conv2D(6 * each, 3, groups=6, activation="relu")
    y = grouped(x)
    assert calls
    for channel in range(6):
        alone = convolutional.Conv2D(each, 3, activation="relu")
        alone.build((None, 5, 4, 1))
        part = slice(channel * each, (channel + 1) * each)
        alone.set_weights([grouped.kernel[..., part], grouped.bias[part]])
        expected = alone(x[..., channel : channel + 1])
        np.testing.assert_allclose(y[..., part], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("groups, channels", [(2, 4), (6, 12), (15, 30), (8, 64)])
def test_groups_are_convolutions_of_their_own(groups, channels):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 5, channels))
    made = convolutional.Conv1D(3 * groups, 2, groups=groups, dtype="float64")
    y = made(x)
    size = channels // groups
    for group in range(groups):
        alone = convolutional.Conv1D(3, 2, dtype="float64")
        alone.build((None, 5, size))
        part = slice(3 * group, 3 * group + 3)
        alone.set_weights([made.kernel[..., part], made.bias[part]])
        expected = alone(x[..., group * size : (group + 1) * size])
        np.testing.assert_allclose(y[..., part], expected, rtol=1e-12, atol=1e-14)
    kernel = np.array(made.kernel)
    np.testing.assert_allclose(ops.conv(x, kernel), y, rtol=1e-12, atol=1e-14)
    _, _, (gradient, _) = backpropagate(lambda: (made(x).sum(), None), made.weights)
    expected = x[:, :4].sum((0, 1)).reshape(groups, size).T.repeat(3, axis=-1)
    np.testing.assert_allclose(gradient[0], expected, rtol=1e-12)


def test_a_separable_convolution_is_its_two_parts():
    made = depthwise.SeparableConv2D(5, 3, depth_multiplier=2, padding="same")
    x = np.random.default_rng(0).normal(size=(2, 5, 4, 3)).astype("float32")
    y = made(x)
    first = depthwise.DepthwiseConv2D(3, depth_multiplier=2, padding="same")
    second = convolutional.Conv2D(5, 1)
    first.build((None, 5, 4, 3))
    second.build((None, 5, 4, 6))
    first.set_weights([made.depthwise_kernel, np.zeros(6)])
    second.set_weights([made.pointwise_kernel, made.bias])
    np.testing.assert_allclose(y, second(first(x)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", FACTS["signatures"])
def test_bits_do_not_depend_on_threads(name, threads):
    made = filled(next(c for c in FACTS["cases"] if c["layer"] == name), "float32")[0]
    sizes = {1: (40,), 2: (12, 11), 3: (5, 4, 6)}[made.rank]
    channels = made.input_spec.axes[-1]
    x = np.random.default_rng(0).normal(size=(40, *sizes, channels)).astype("float32")

    def run():
        return made(x), *backpropagate(
            lambda: ((made(x) ** 2).sum(), None), made.weights
        )[2]

    config.set_threads(threads)
    try:
        some = run()
        config.set_threads(2)
        for ours, expected in zip(some, run(), strict=True):
            np.testing.assert_array_equal(ours, expected)
    finally:
        config.set_threads(None)


WRONG = [
    ("Conv1D", {"padding": "reflect"}, "`padding` must be one of .*'causal'"),
    ("Conv2D", {"padding": "causal"}, "`padding` must be one of 'valid', 'same'"),
    ("Conv3D", {"kernel_size": (1, 2)}, "`kernel_size` must be .* tuple of 3"),
    ("Conv1DTranspose", {"padding": "causal"}, "must be one of 'valid', 'same'"),
    (
        "Conv2DTranspose",
        {"strides": 2, "dilation_rate": 2},
        "strides and dilation_rate cannot both be above 1",
    ),
    ("Conv2DTranspose", {"filters": 0}, "`filters` must be a positive integer"),
    ("Conv2DTranspose", {"groups": 2}, "Conv2DTranspose: `groups` is not offered"),
    *(
        ("Conv2DTranspose", {"strides": 2, "output_padding": wrong}, "`output_padding`")
        for wrong in (2, -1, (1, 2), (1,), 1.5, "same")
    ),
    ("Conv3DTranspose", {"output_padding": 1}, "less than the stride"),
    ("DepthwiseConv1D", {"padding": "causal"}, "must be one of 'valid', 'same'"),
    ("DepthwiseConv2D", {"depth_multiplier": 0}, "`depth_multiplier` must be a pos"),
    ("DepthwiseConv2D", {"strides": (1, 2, 3)}, "`strides` must be .* tuple of 2"),
    ("SeparableConv1D", {"filters": -1}, "`filters` must be a positive integer"),
    ("SeparableConv2D", {"data_format": "middle"}, "`data_format` must be"),
]


@pytest.mark.parametrize("name, arguments, message", WRONG)
def test_wrong_arguments(name, arguments, message):
    right = {"kernel_size": 2}
    if not name.startswith("Depthwise"):
        right["filters"] = 2
    with pytest.raises((TypeError, ValueError), match=message):
        find(name)(**{**right, **arguments})


@pytest.mark.parametrize("name", ["Conv1D", "DepthwiseConv1D", "SeparableConv1D"])
def test_a_window_larger_than_the_input(name):
    arguments = {} if name.startswith("Depthwise") else {"filters": 1}
    made = find(name)(kernel_size=4, **arguments)
    with pytest.raises(ValueError, match=r"window of \(4,\).*does not fit"):
        made(np.ones((1, 3, 2), "float32"))
    made = find(name)(kernel_size=4, data_format="channels_first", **arguments)
    made.build((None, 2, 4))
    with pytest.raises(ValueError, match=r"does not fit into an input of \(3,\)"):
        made(np.ones((1, 2, 3), "float32"))


def test_a_transposed_output_without_cells():
    made = convolutional_transpose.Conv1DTranspose(
        1, 2, strides=2, padding="same", output_padding=0
    )
    with pytest.raises(ValueError, match="without cells.*leave `output_padding` out"):
        made(np.ones((1, 1, 2), "float32"))
    assert made(np.ones((1, 2, 2), "float32")).shape == (1, 2, 1)


@pytest.mark.parametrize("name", FACTS["signatures"])
def test_wrong_inputs(name):
    made, x = filled(next(c for c in FACTS["cases"] if c["layer"] == name))
    with pytest.raises(ValueError, match=f"{name}.*expects an input with .* axes"):
        made(x[0])
    with pytest.raises(ValueError, match=f"{name}.*expects an input with size"):
        made(np.concatenate([x, x], axis=-1))
    unbuilt = type(made).from_config(made.get_config())
    with pytest.raises(ValueError, match="needs to know the size of axis"):
        unbuilt.build((*x.shape[:-1], None))
