"""Derivatives of convolution; the values are those of the kernels, tested there."""

from itertools import product

import numpy as np
import pytest
from autograd import grad
from autograd.core import make_jvp, make_vjp
from autograd.test_util import check_grads

from minikeras import ops
from minikeras.kernels import conv as kernels
from minikeras.kernels.windows import geometry
from minikeras.ops import convolution
from minikeras.training.step import backpropagate
from minikeras.variables import Variable

RANK_1 = [
    ((size,), (k,), (stride,), padding, (dilation,), groups)
    for (size, k), stride, padding, dilation, groups in product(
        ((1, 1), (4, 1), (5, 3), (6, 2)),
        (1, 2, 4),
        ("valid", "same", "causal"),
        (1, 2),
        (1, 2),
    )
]
HIGHER = [
    ((3, 4), (2, 2), (1, 1), "valid", (1, 1), 1),
    ((3, 4), (2, 3), (1, 1), "same", (1, 1), 2),
    ((5, 4), (3, 2), (2, 3), "same", (1, 1), 1),
    ((5, 4), (2, 2), (1, 1), "valid", (2, 1), 2),
    ((1, 3), (1, 3), (1, 1), "same", (1, 1), 1),
    ((1, 1), (3, 3), (2, 2), "same", (1, 1), 1),
    ((3, 2, 4), (2, 1, 2), (1, 1, 1), "same", (1, 1, 1), 1),
    ((3, 3, 3), (2, 2, 2), (2, 1, 2), "valid", (1, 1, 1), 2),
    ((2, 2, 3), (1, 2, 2), (1, 1, 1), "same", (1, 1, 2), 1),
]
GRID = RANK_1 + HIGHER


def name(case):
    sizes, kernel, strides, padding, dilation, groups = case
    parts = ("x".join(map(str, n)) for n in (sizes, kernel, strides, dilation))
    return "-".join([*parts, padding, str(groups)])


each_case = pytest.mark.parametrize("case", GRID, ids=name)


@pytest.fixture(autouse=True)
def _same_directions():
    np.random.seed(0)  # the checker draws its directions from it


def example(case, dtype="float64", whole=False):
    """x, w, bias, g and where they meet; whole numbers make every sum exact."""
    *where, groups = case
    place = geometry(*where)
    rng = np.random.default_rng(0)
    shapes = (
        (2, *place.sizes, 2),
        (*place.kernel, 2 // groups, 4),
        (4,),
        (2, *place.out, 4),
    )
    draw = (lambda s: rng.integers(-4, 5, s)) if whole else rng.standard_normal
    x, w, bias, g = (draw(s).astype(dtype) for s in shapes)
    return x, w, bias, g, place, groups


def check(function, *arrays):
    argnums = tuple(range(len(arrays)))
    check_grads(function, argnums, modes=["fwd", "rev"], order=2)(*arrays)


@each_case
def test_convolve(case):
    x, w, _, _, place, _ = example(case)
    check(lambda x, w: convolution.convolve(x, w, geometry=place), x, w)


@each_case
def test_input_gradient(case):
    _, w, _, g, place, groups = example(case)
    options = {"geometry": place, "groups": groups}
    check(lambda g, w: convolution.input_gradient(g, w, **options), g, w)


@each_case
def test_filter_gradient(case):
    x, _, _, g, place, groups = example(case)
    options = {"geometry": place, "groups": groups}
    check(lambda x, g: convolution.filter_gradient(x, g, **options), x, g)


@each_case
def test_conv_bias(case):
    x, w, bias, _, place, _ = example(case)
    options = {"geometry": place, "relu": False}
    check(lambda x, w, b: convolution.conv_bias(x, w, b, **options), x, w, bias)


@each_case
def test_conv_bias_with_relu(case):
    x, w, bias, _, place, groups = example(case)
    before = kernels.convolve(x, w, bias, place, groups)
    assert abs(before).min() > 1e-5  # no output is at the kink of ReLU
    options = {"geometry": place, "relu": True}
    check(lambda x, w, b: convolution.conv_bias(x, w, b, **options), x, w, bias)


@pytest.mark.parametrize("relu", [False, True])
def test_conv_bias_without_a_bias(relu):
    x, w, _, _, place, _ = example(HIGHER[1])
    check(
        lambda x, w: convolution.conv_bias(x, w, None, geometry=place, relu=relu), x, w
    )


CASES = [HIGHER[1], HIGHER[2], ((5,), (3,), (1,), "causal", (2,), 1)]
few_cases = pytest.mark.parametrize("case", CASES, ids=name)


@few_cases
@pytest.mark.parametrize("relu", [False, True])
def test_forward_is_convolution_bias_and_relu(case, relu):
    x, w, bias, _, place, groups = example(case, whole=True)
    plain = kernels.convolve(x, w, None, place, groups)
    np.testing.assert_array_equal(convolution.convolve(x, w, geometry=place), plain)
    got = convolution.conv_bias(x, w, bias, geometry=place, relu=relu)
    wanted = np.maximum(plain + bias, 0) if relu else plain + bias
    np.testing.assert_array_equal(got, wanted)


def with_boxed_gradient(function, x, g):
    """The VJP's result when g is traced, as in a second derivative."""
    value, _ = make_jvp(lambda g: make_vjp(function, x)[0](g), g)(np.zeros_like(g))
    return value


@few_cases
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("argnum", [0, 1, 2])
def test_the_fused_first_order_path_equals_the_composed_one(
    case, relu, argnum, monkeypatch
):
    *arrays, g, place, _ = example(case, whole=True)
    fused_calls = []
    backward = kernels.backward

    def spy(*arguments):
        fused_calls.append(arguments)
        return backward(*arguments)

    monkeypatch.setattr(kernels, "backward", spy)

    def of_one(array):
        now = [*arrays[:argnum], array, *arrays[argnum + 1 :]]
        return convolution.conv_bias(*now, geometry=place, relu=relu)

    fused = make_vjp(of_one, arrays[argnum])[0](g)
    assert len(fused_calls) == 1
    composed = with_boxed_gradient(of_one, arrays[argnum], g)
    # filter_gradient is `backward` for w alone; nothing else uses it here
    assert all(call[6] == "w" for call in fused_calls[1:])
    np.testing.assert_array_equal(composed, fused)


@few_cases
@pytest.mark.parametrize("relu", [False, True])
def test_all_gradients_in_one_pass_equal_those_one_by_one(case, relu):
    x, w, bias, _, place, _ = example(case, whole=True)

    def loss(*arrays):
        y = convolution.conv_bias(*arrays, geometry=place, relu=relu)
        return ops.sum(ops.square(y))

    together = grad(loss, (0, 1, 2))(x, w, bias)
    for argnum, got in enumerate(together):
        np.testing.assert_array_equal(got, grad(loss, argnum)(x, w, bias))


@few_cases
@pytest.mark.parametrize(
    "first, second", [(0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)]
)
@pytest.mark.parametrize("outer", [ops.square, lambda y: y], ids=["square", "linear"])
def test_mixed_second_derivatives_with_constants_between(case, first, second, outer):
    # One gradient is taken of one array, the other of another: what is traced where
    # differs from taking both of all.
    arrays = list(example(case)[:3])
    place = example(case)[4]

    def loss(*arrays):
        return ops.sum(outer(convolution.conv_bias(*arrays, geometry=place, relu=True)))

    def inner(array):
        now = list(arrays)
        now[second] = array
        # The sum makes a trace of what does not depend on the array.
        squares = ops.sum(ops.square(grad(loss, first)(*now)))
        return ops.add(squares, ops.sum(array))

    check_grads(inner, modes=["fwd", "rev"], order=1)(arrays[second])


@few_cases
@pytest.mark.parametrize("relu", [False, True])
def test_float32_stays_float32(case, relu):
    x, w, bias, _, place, groups = example(case, "float32")

    def loss(*arrays):
        y = convolution.conv_bias(*arrays, geometry=place, relu=relu)
        assert y.dtype == np.float32
        return ops.sum(ops.square(y))

    for i in range(3):
        first = grad(loss, i)
        assert first(x, w, bias).dtype == np.float32
        second = grad(lambda *a, f=first: ops.sum(ops.square(f(*a))), i)
        assert second(x, w, bias).dtype == np.float32


@few_cases
@pytest.mark.parametrize("relu", [False, True])
def test_a_vjp_does_not_write_into_its_gradient(case, relu):
    *arrays, g, place, _ = example(case)
    before = g.copy()
    g.setflags(write=False)
    for i in range(3):

        def of_one(array, i=i):
            now = [*arrays[:i], array, *arrays[i + 1 :]]
            return convolution.conv_bias(*now, geometry=place, relu=relu)

        result = make_vjp(of_one, arrays[i])[0](g)
        assert result.shape == arrays[i].shape and result.dtype == arrays[i].dtype
        with_boxed_gradient(of_one, arrays[i], g)
        np.testing.assert_array_equal(g, before)


def test_relu_has_gradient_zero_at_zero():
    x, w = np.array([-1.0, 0.0, 1.0]).reshape(1, 3, 1), np.ones((1, 1, 1))
    place = geometry((3,), (1,), (1,), "valid")

    def total(x):
        return ops.sum(convolution.conv_bias(x, w, None, geometry=place, relu=True))

    np.testing.assert_array_equal(grad(total)(x)[0, :, 0], [0, 0, 1])


# --- the public function --------------------------------------------------------


@pytest.mark.parametrize("padding", ["valid", "same", "SAME"])
def test_conv_against_the_formula(padding):
    rng = np.random.default_rng(0)
    x = rng.integers(-4, 5, (2, 7, 1)).astype("float64")
    w = rng.integers(-4, 5, (3, 1, 1)).astype("float64")
    got = ops.conv(x, w, padding=padding)[..., 0]
    mode = padding.lower()
    wanted = [np.correlate(row[:, 0], w[:, 0, 0], mode) for row in x]
    np.testing.assert_array_equal(got, wanted)


def test_one_number_stands_for_every_axis():
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((1, 7, 8, 2)), rng.standard_normal((2, 2, 2, 3))
    np.testing.assert_array_equal(ops.conv(x, w, 2), ops.conv(x, w, (2, 2)))
    np.testing.assert_array_equal(
        ops.conv(x, w, dilation_rate=2), ops.conv(x, w, dilation_rate=(2, 2))
    )


@pytest.mark.parametrize("case", [c for c in HIGHER if c[5] == 2], ids=name)
def test_channels_first_moves_the_axis(case):
    x, w, _, _, place, _ = example(case, whole=True)
    options = {
        "strides": place.strides,
        "padding": case[3],
        "dilation_rate": place.dilation,
    }
    wanted = ops.conv(x, w, **options)
    first = ops.conv(np.moveaxis(x, -1, 1), w, data_format="channels_first", **options)
    np.testing.assert_array_equal(np.moveaxis(first, 1, -1), wanted)


def test_channels_first_has_gradients():
    x, w = example(HIGHER[0])[:2]
    moved = np.moveaxis(x, -1, 1)
    check(lambda x, w: ops.conv(x, w, data_format="channels_first"), moved, w)


def test_whole_numbers_become_floats():
    y = ops.conv(np.ones((1, 3, 1), int), np.ones((2, 1, 1), int))
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y[0, :, 0], [2, 2])


def test_different_float_types_meet_in_the_wider_one():
    x, w = np.ones((1, 3, 1), "float32"), np.ones((2, 1, 1), "float64")
    assert ops.conv(x, w).dtype == ops.conv(x.astype("float64"), w).dtype == np.float64
    loss = lambda x, w: ops.sum(ops.square(ops.conv(x, w)))  # noqa: E731
    gradients = grad(loss, (0, 1))(x, w)
    assert [g.dtype for g in gradients] == [np.float32, np.float64]


def test_handles_in_place_of_arrays():
    x, w, bias, _, place, _ = example(HIGHER[0])
    np.testing.assert_array_equal(ops.conv(Variable(x), Variable(w)), ops.conv(x, w))
    handles = [Variable(a) for a in (x, w, bias)]

    def loss(*arrays):
        y = convolution.conv_bias(*arrays, geometry=place, relu=True)
        return ops.sum(ops.square(y))

    gradients = backpropagate(
        lambda: (loss(*(h.value for h in handles)), None), handles
    )[2]
    for i, gradient in enumerate(gradients):
        np.testing.assert_array_equal(gradient, grad(loss, i)(x, w, bias))


MISTAKES = [
    (
        ((1, 5, 3), (3, 3, 3, 2), {}),
        r"conv: a kernel of shape \(3, 3, 3, 2\) slides over 2 axes, so `inputs` must "
        r"have 4 axes. Received: inputs of shape \(1, 5, 3\)",
    ),
    (
        ((1, 5, 3), (3, 2, 4), {}),
        r"conv: 3 input channels and 4 filters do not fall into groups of 2 channels "
        r"\(kernel of shape \(3, 2, 4\)\)",
    ),
    (((1, 5, 4), (3, 2, 3), {}), "conv: 4 input channels and 3 filters do not fall"),
    (((1, 5, 1), (3, 2, 4), {}), "conv: 1 input channels and 4 filters do not fall"),
    (
        ((1, 5, 3), (3, 3, 2), {"strides": 0}),
        "conv: `strides` must be a positive integer. Received: strides=0",
    ),
    (
        ((1, 5, 3), (3, 3, 2), {"strides": (1, 2)}),
        r"conv: `strides` must be a positive integer or a tuple of 1 of them. "
        r"Received: strides=\(1, 2\)",
    ),
    (
        ((1, 5, 3), (3, 3, 2), {"dilation_rate": 1.5}),
        "conv: `dilation_rate` must be a positive integer or a tuple of 1 of them. "
        "Received: dilation_rate=1.5",
    ),
    (
        ((1, 5, 3), (3, 3, 2), {"padding": "full"}),
        "conv: `padding` must be one of 'valid', 'same'. Received: padding='full'",
    ),
    (
        ((1, 5, 3), (3, 3, 2), {"data_format": "NHWC"}),
        "`data_format` must be 'channels_last' or 'channels_first'. "
        "Received: data_format='NHWC'",
    ),
]


@pytest.mark.parametrize("call, message", MISTAKES)
def test_mistakes_are_named(call, message):
    x_shape, w_shape, options = call
    with pytest.raises(ValueError, match=message):
        ops.conv(np.ones(x_shape), np.ones(w_shape), **options)
