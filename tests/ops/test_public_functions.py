"""Every function of `minikeras.ops` through the same battery.

The table has a row for each: how it is called, on which arrays. Away from kinks, each
is differentiable twice in both directions, keeps float32, leaves the gradient it is
given alone, and takes handles of weights in place of arrays.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from autograd import grad
from autograd.core import make_vjp
from autograd.extend import vspace
from autograd.test_util import check_grads

from minikeras import ops
from minikeras.training.step import backpropagate
from minikeras.variables import Variable


class Row(NamedTuple):
    name: str
    function: object
    arrays: tuple


def apart(*shape):
    """Numbers of both signs; no two are near each other, none is near a kink."""
    size = int(np.prod(shape))
    numbers = (np.arange(size) - size / 2 + 0.35) * (2.5 / max(size, 4))
    return np.random.default_rng(size).permutation(numbers).reshape(shape)


def positive(*shape):
    return np.abs(apart(*shape)) + 0.4


def called(name, *arguments, **options):
    """The function of one array that passes on these arguments."""
    return lambda x: getattr(ops, name)(x, *arguments, **options)


SHAPES = [(), (1,), (4,), (2, 3)]
KEEP = np.array([True, False, True])


def rows():
    unary = {
        "abs": apart,
        "absolute": apart,
        "elu": apart,
        "exp": apart,
        "leaky_relu": apart,
        "log": positive,
        "log1p": positive,
        "negative": apart,
        "relu": apart,
        "selu": apart,
        "sigmoid": apart,
        "silu": apart,
        "hard_swish": apart,
        "swish": apart,
        "softplus": apart,
        "softsign": apart,
        "sqrt": positive,
        "square": apart,
        "tanh": apart,
        "convert_to_tensor": apart,
        "max": apart,
        "min": apart,
        "mean": apart,
        "sum": apart,
        "transpose": apart,
        "squeeze": apart,
    }
    for name, numbers in unary.items():
        for shape in SHAPES:
            yield Row(name, getattr(ops, name), (numbers(*shape),))
        # NumPy gives means as scalars, which it promotes as it does Python's numbers.
        function = getattr(ops, name)
        yield Row(name, lambda x, f=function: f(ops.mean(x)), (numbers(3),))
    for name in ("std", "var"):
        for shape in ((4,), (2, 3)):
            yield Row(name, getattr(ops, name), (apart(*shape),))
    pairs = [((), ()), ((3,), (3,)), ((2, 3), (3,)), ((2, 1), (3,)), ((3,), ())]
    for name in ("add", "divide", "maximum", "minimum", "multiply", "subtract"):
        for one, other in pairs:
            arrays = apart(*one), positive(*other) + 0.07
            yield Row(name, getattr(ops, name), arrays)
    for one, other in pairs:
        yield Row("power", ops.power, (positive(*one), apart(*other)))
    yield Row("power", lambda x: ops.power(x, 3), (apart(4),))
    yield Row("power", lambda x: ops.power(x, 2), (apart(),))
    yield Row("power", lambda x: ops.power(2.5, x), (apart(),))
    for one, other in pairs:
        choose = lambda x, y: ops.where(KEEP, x, y)  # noqa: E731
        yield Row("where", choose, (apart(*one), positive(*other)))
    yield Row("where", lambda x: ops.where(False, x, ops.square(x)), (apart(),))
    for shape in SHAPES:
        yield Row("clip", lambda x: ops.clip(x, -0.6, 0.7), (apart(*shape),))
    # the bounds are traced too
    yield Row("clip", ops.clip, (apart(3), np.asarray(-0.4), np.array([0.5, 1, 2])))
    for one, other in (
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3, 2)),
        ((1, 1), (1, 1)),
        ((2, 4, 3), (3, 2)),
        ((2, 4, 3), (2, 3, 1)),
        ((4, 3), (2, 3, 2)),
        ((2, 1, 2, 3), (4, 3, 2)),
        ((3,), (2, 3, 2)),
        ((2, 2, 3), (3,)),
    ):
        yield Row("matmul", ops.matmul, (apart(*one), positive(*other)))
    for axis, keepdims in ((0, False), (-1, True), ((0, 2), False), ((1, -1), True)):
        for name in ("max", "mean", "min", "std", "sum", "var"):
            yield Row(name, called(name, axis, keepdims), (apart(2, 3, 2),))
    for name in ("softmax", "log_softmax"):
        for axis in (-1, 0, (1, 2)):
            yield Row(name, called(name, axis), (apart(2, 3, 2),))
    yield Row("broadcast_to", lambda x: ops.broadcast_to(x, (2, 3)), (apart(3),))
    yield Row("broadcast_to", lambda x: ops.broadcast_to(x, (2, 3)), (apart(2, 1),))
    yield Row("broadcast_to", lambda x: ops.broadcast_to(x, (3,)), (apart(),))
    yield Row("cast", lambda x: ops.cast(x, x.dtype), (apart(3),))
    yield Row("concatenate", lambda *x: ops.concatenate(x), (apart(3), apart(1)))
    yield Row(
        "concatenate",
        lambda *x: ops.concatenate(list(x), axis=0),
        (apart(1, 3), apart(2, 3)),
    )
    yield Row("expand_dims", lambda x: ops.expand_dims(x, 1), (apart(2, 3),))
    yield Row("moveaxis", lambda x: ops.moveaxis(x, 0, -1), (apart(2, 3, 4),))
    yield Row("reshape", lambda x: ops.reshape(x, (3, -1)), (apart(2, 3),))
    yield Row("stack", lambda *x: ops.stack(x, axis=1), (apart(3), positive(3)))
    yield Row("stack", lambda *x: ops.stack(x), (apart(), positive()))
    yield Row("swapaxes", lambda x: ops.swapaxes(x, 0, 2), (apart(2, 3, 4),))
    yield Row("transpose", lambda x: ops.transpose(x, (1, 2, 0)), (apart(2, 3, 4),))
    for options in ({}, {"strides": 2, "padding": "same"}, {"dilation_rate": 2}):
        yield Row(
            "conv",
            lambda x, w, options=options: ops.conv(x, w, **options),
            (apart(2, 5, 4), positive(2, 2, 2)),
        )
    for options in ({}, {"strides": 1, "padding": "same"}):
        for name in ("average_pool", "max_pool"):
            yield Row(name, called(name, 2, **options), (apart(2, 5, 2),))


TABLE = list(rows())
IDS = [f"{r.name}-{'-'.join(str(a.shape) for a in r.arrays)}" for r in TABLE]
each_row = pytest.mark.parametrize("row", TABLE, ids=IDS)

# Constants as far as derivatives are concerned.
CONSTANT = {
    "argmax": lambda x: ops.argmax(x, 0),
    "argmin": lambda x: ops.argmin(x, 0),
    "convert_to_numpy": ops.convert_to_numpy,
    "one_hot": lambda x: ops.one_hot(x, 3),
    "ones_like": ops.ones_like,
    "shape": lambda x: np.asarray(ops.shape(x)),
    "sign": ops.sign,
    "stop_gradient": ops.stop_gradient,
    "zeros_like": ops.zeros_like,
}
WITHOUT_ARRAYS = {"ones", "zeros"}


@pytest.fixture(autouse=True)
def _same_directions():
    np.random.seed(0)  # the checker draws its directions from it


def argnums(row):
    return tuple(range(len(row.arrays)))


def as_type(row, dtype):
    return tuple(a.astype(dtype) for a in row.arrays)


# Families tested in a file of their own, by the file.
ELSEWHERE = {
    "test_adaptive.py": """
        adaptive_average_pool adaptive_max_pool
    """.split(),
    "test_transposed.py": """
        conv_transpose
    """.split(),
    "test_ctc.py": """
        ctc_loss
    """.split(),
    "test_depthwise.py": """
        depthwise_conv separable_conv
    """.split(),
    "test_summation.py": """
        einsum
    """.split(),
    "test_gather.py": """
        take
    """.split(),
    "test_logarithms.py": """
        logaddexp logsumexp
    """.split(),
    "test_normalization.py": """
        batch_normalization layer_normalization moments normalize
        rms_normalization
    """.split(),
    "test_reshaping.py": """
        flip pad repeat
    """.split(),
    "test_attention.py": ["dot_product_attention"],
    "test_image.py": ["image"],
    "test_mapping.py": ["vectorize"],
    "test_stacking.py": ["unstack"],
    "../golden/ops_nn.json": """
        associative_scan binary_crossentropy categorical_crossentropy cdist cholesky
        cholesky_inverse cond ctc_decode depth_to_space det eig eigh erf erfc erfinv
        extract_sequences fft fft2 fold fori_loop ifft2 in_top_k inv irfft istft jvp
        logdet lstsq lu_factor map matrix_rank multi_hot norm pinv polar psnr qr rfft
        rsqrt saturate_cast scan scatter scatter_update segment_max segment_min
        segment_prod segment_sum slice slice_update solve solve_triangular
        space_to_depth sparse_categorical_crossentropy stft svd switch top_k unfold
        vectorized_map view_as_complex view_as_real while_loop
    """.split(),
    "test_linear_algebra.py": ["slogdet"],
    "test_loops.py": ["custom_gradient", "dtype", "is_tensor"],
    "../golden/ops_numpy.json": """
        all allclose amax amin angle any append arange arccos arccosh arcsin arcsinh
        arctan arctan2 arctanh argpartition argsort array array_split average bartlett
        bincount bitwise_and bitwise_invert bitwise_left_shift bitwise_not bitwise_or
        bitwise_right_shift bitwise_xor blackman cbrt ceil conj conjugate copy corrcoef
        correlate cos cosh count_nonzero cross cumprod cumsum deg2rad diag diagflat
        diagonal diff digitize divide_no_nan dot dsplit dstack empty empty_like equal
        exp2 expm1 eye fabs fliplr flipud floor floor_divide fmax fmin fmod full
        full_like gcd geomspace get_item greater greater_equal hamming hanning heaviside
        histogram hsplit hstack hypot i0 identity imag inner isclose isfinite isin isinf
        isnan isneginf isposinf isreal kaiser kron lcm ldexp left_shift less less_equal
        linspace log10 log2 logaddexp2 logical_and logical_not logical_or logical_xor
        logspace median meshgrid mod nan_to_num nanargmax nanargmin nancumprod nancumsum
        nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum
        nanvar ndim nextafter nonzero not_equal outer percentile prod ptp quantile
        rad2deg ravel real reciprocal right_shift roll rot90 round searchsorted select
        signbit sin sinc sinh size sort split take_along_axis tan tensordot tile trace
        trapezoid tri tril triu true_divide trunc unique unravel_index vander vdot view
        vsplit vstack
    """.split(),
    "../golden/activations.json": """
        celu gelu glu hard_shrink hard_sigmoid hard_silu hard_tanh log_sigmoid
        mish relu6 soft_shrink sparse_plus sparse_sigmoid sparsemax squareplus
        tanh_shrink threshold
    """.split(),
}


def test_every_public_function_is_here():
    tested = {row.name for row in TABLE} | set(CONSTANT) | WITHOUT_ARRAYS
    elsewhere = {name for names in ELSEWHERE.values() for name in names}
    assert tested | elsewhere == set(ops.__all__)


@pytest.mark.parametrize("file", ELSEWHERE)
def test_the_others_are_in_their_files(file):
    text = (Path(__file__).parent / file).read_text()
    for name in ELSEWHERE[file]:
        assert name in text, name


@each_row
def test_gradients_of_first_and_second_order(row):
    check_grads(row.function, argnums(row), modes=["fwd", "rev"], order=2)(*row.arrays)


def loss_of(row):
    return lambda *arrays: ops.sum(ops.square(row.function(*arrays)))


@each_row
def test_float32_stays_float32(row):
    arrays = as_type(row, "float32")
    assert row.function(*arrays).dtype == np.float32
    for i in argnums(row):
        first = grad(loss_of(row), i)
        gradient = first(*arrays)
        assert gradient.dtype == np.float32
        assert gradient.shape == arrays[i].shape

        def again(*arrays, first=first):
            return ops.sum(ops.square(first(*arrays)))

        second = grad(again, i)(*arrays)
        assert second.dtype == np.float32
        assert second.shape == arrays[i].shape


@each_row
def test_float32_and_float64_agree(row):
    wanted = row.function(*row.arrays)
    got = row.function(*as_type(row, "float32"))
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-6)


@each_row
def test_a_vjp_does_not_write_into_its_gradient(row):
    for i in argnums(row):

        def of_one(x, i=i):
            return row.function(*(*row.arrays[:i], x, *row.arrays[i + 1 :]))

        vjp, value = make_vjp(of_one, row.arrays[i])
        g = np.array(vspace(value).randn())
        before = g.copy()
        g.setflags(write=False)
        result = vjp(g)
        np.testing.assert_array_equal(g, before)
        assert result.shape == row.arrays[i].shape
        assert result.dtype == row.arrays[i].dtype
        # The tape is left as it was: the same gradient gives the same result.
        np.testing.assert_array_equal(vjp(g), result)


@each_row
def test_arguments_are_left_alone(row):
    copies = tuple(a.copy() for a in row.arrays)
    for array in copies:
        array.setflags(write=False)
    np.testing.assert_array_equal(row.function(*copies), row.function(*row.arrays))


@each_row
def test_handles_stand_for_their_arrays(row):
    handles = [Variable(a) for a in row.arrays]
    wanted = row.function(*row.arrays)
    got = row.function(*handles)
    assert not isinstance(got, Variable)
    np.testing.assert_array_equal(got, wanted)


@each_row
def test_gradients_flow_through_handles_in_a_list(row):
    handles = [Variable(a) for a in row.arrays]
    value, _, gradients = backpropagate(lambda: (loss_of(row)(*handles), None), handles)
    np.testing.assert_array_equal(value, loss_of(row)(*row.arrays))
    for i, gradient in enumerate(gradients):
        wanted = grad(loss_of(row), i)(*row.arrays)
        np.testing.assert_allclose(gradient, wanted, rtol=1e-12, atol=1e-12)
    for handle, array in zip(handles, row.arrays, strict=True):
        assert isinstance(handle.value, np.ndarray)
        np.testing.assert_array_equal(handle.value, array)


@pytest.mark.parametrize("function", CONSTANT.values(), ids=CONSTANT)
def test_constants_take_handles_also_inside_a_gradient(function):
    x = np.array([0.0, 2.0, -1.0], "float32")
    handle, seen = Variable(x), []

    def loss():
        seen.append(function(handle))
        return ops.sum(ops.square(handle)), None

    np.testing.assert_array_equal(function(handle), function(x))
    gradient = backpropagate(loss, [handle])[2][0]
    np.testing.assert_array_equal(gradient, 2 * x)
    assert type(seen[0]) is np.ndarray
    np.testing.assert_array_equal(seen[0], function(x))


def test_lists_may_hold_handles():
    handles = [Variable(1.0), Variable(2.0)]
    value, _, gradients = backpropagate(
        lambda: (ops.sum(ops.multiply(handles, [3.0, 5.0])), None), handles
    )
    assert value == 13
    assert [float(g) for g in gradients] == [3, 5]
