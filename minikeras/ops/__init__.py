"""Calculus: differentiable functions of arrays, with the names of `keras.ops`.

Each is an autograd primitive over a kernel, or a composition of such primitives, so
gradients of any order come out right and float32 stays float32. What layers and losses
need is imported at once, the rest when it is first asked for. `ops.image` holds the
functions of images.
"""

from typing import Any

from minikeras.lazy import names_from
from minikeras.ops.activation import (
    celu,
    gelu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    mish,
    relu6,
    soft_shrink,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    tanh_shrink,
    threshold,
)
from minikeras.ops.adaptive import adaptive_average_pool, adaptive_max_pool
from minikeras.ops.convolution import conv
from minikeras.ops.ctc import ctc_loss
from minikeras.ops.depthwise import depthwise_conv, separable_conv
from minikeras.ops.gather import take
from minikeras.ops.logarithms import logaddexp, logsumexp
from minikeras.ops.nn import (
    elu,
    log_softmax,
    relu,
    selu,
    sigmoid,
    silu,
    softmax,
    softplus,
    softsign,
    tanh,
)
from minikeras.ops.normalization import (
    batch_normalization,
    layer_normalization,
    moments,
    normalize,
    rms_normalization,
)
from minikeras.ops.numpy import (
    abs,
    absolute,
    add,
    argmax,
    argmin,
    broadcast_to,
    cast,
    clip,
    concatenate,
    convert_to_numpy,
    convert_to_tensor,
    divide,
    exp,
    expand_dims,
    log,
    log1p,
    matmul,
    max,
    maximum,
    mean,
    min,
    minimum,
    moveaxis,
    multiply,
    negative,
    one_hot,
    ones,
    ones_like,
    power,
    reshape,
    shape,
    sign,
    sqrt,
    square,
    squeeze,
    std,
    stop_gradient,
    subtract,
    sum,
    swapaxes,
    transpose,
    var,
    where,
    zeros,
    zeros_like,
)
from minikeras.ops.pooling import average_pool, max_pool
from minikeras.ops.reshaping import flip, pad, repeat
from minikeras.ops.stacking import stack, unstack
from minikeras.ops.summation import einsum
from minikeras.ops.transposed import conv_transpose

swish = silu  # as Keras also calls them
hard_swish = hard_silu

_LATER = {
    "": "image",
    "attention": "dot_product_attention",
    "bits": """
        bitwise_and bitwise_invert bitwise_left_shift bitwise_not bitwise_or
        bitwise_right_shift bitwise_xor left_shift right_shift view
    """,
    "casting": "dtype is_tensor saturate_cast",
    "class_losses": """
        binary_crossentropy categorical_crossentropy
        sparse_categorical_crossentropy
    """,
    "comparison": """
        all allclose any count_nonzero equal greater greater_equal isclose
        isfinite isin isinf isnan isneginf isposinf less less_equal logical_and
        logical_not logical_or logical_xor not_equal
    """,
    "complex_numbers": "polar view_as_complex view_as_real",
    "complex_parts": "angle conj conjugate imag isreal real",
    "control": "cond fori_loop switch while_loop",
    "creation": """
        array bartlett blackman copy empty empty_like eye full full_like hamming
        hanning identity kaiser tri vander
    """,
    "custom": "custom_gradient",
    "decoding": "ctc_decode",
    "determinants": "det logdet slogdet",
    "distances": "cdist psnr",
    "elementwise": """
        cbrt divide_no_nan exp2 expm1 fabs fmax fmin heaviside hypot i0 ldexp
        log10 log2 logaddexp2 nan_to_num reciprocal select true_divide
    """,
    "forward_mode": "jvp",
    "indexing": """
        diag diagflat diagonal get_item nonzero roll take_along_axis trace tril
        triu unravel_index
    """,
    "joining": """
        append array_split dsplit dstack fliplr flipud hsplit hstack ndim ravel
        rot90 size split tile vsplit vstack
    """,
    "least_squares": "lstsq matrix_rank norm pinv",
    "linear_algebra": "cholesky cholesky_inverse inv solve solve_triangular",
    "mapping": "vectorize",
    "ordering": """
        argpartition argsort bincount digitize histogram searchsorted sort
        unique
    """,
    "pixel_blocks": "depth_to_space space_to_depth",
    "products": "corrcoef correlate cross dot inner kron outer tensordot vdot",
    "quantiles": "median nanmedian nanpercentile nanquantile percentile quantile",
    "reductions": "amax amin average cumprod cumsum diff prod ptp trapezoid",
    "rounding": """
        ceil floor floor_divide fmod gcd lcm mod nextafter round signbit trunc
    """,
    "row_loops": "associative_scan map scan vectorized_map",
    "scattering": "scatter scatter_update slice slice_update",
    "segments": "segment_max segment_min segment_prod segment_sum",
    "selection": "in_top_k multi_hot top_k",
    "short_time": "istft stft",
    "sliding": "extract_sequences fold unfold",
    "spacing": "arange geomspace linspace logspace meshgrid",
    "special": "erf erfc erfinv rsqrt",
    "spectra": "eig eigh svd",
    "spectral": "fft fft2 ifft2 irfft rfft",
    "triangular_factors": "lu_factor qr",
    "trigonometry": """
        arccos arccosh arcsin arcsinh arctan arctan2 arctanh cos cosh deg2rad
        rad2deg sin sinc sinh tan
    """,
    "without_nan": """
        nanargmax nanargmin nancumprod nancumsum nanmax nanmean nanmin nanprod
        nanstd nansum nanvar
    """,
}
_find, _homes = names_from(__name__, _LATER)


def __getattr__(name: str) -> Any:
    return _find(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "abs",
    "absolute",
    "adaptive_average_pool",
    "adaptive_max_pool",
    "add",
    "argmax",
    "argmin",
    "average_pool",
    "batch_normalization",
    "broadcast_to",
    "cast",
    "celu",
    "clip",
    "concatenate",
    "conv",
    "conv_transpose",
    "convert_to_numpy",
    "convert_to_tensor",
    "ctc_loss",
    "depthwise_conv",
    "divide",
    "einsum",
    "elu",
    "exp",
    "expand_dims",
    "flip",
    "gelu",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "layer_normalization",
    "leaky_relu",
    "log",
    "log1p",
    "log_sigmoid",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "matmul",
    "max",
    "max_pool",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mish",
    "moments",
    "moveaxis",
    "multiply",
    "negative",
    "normalize",
    "one_hot",
    "ones",
    "ones_like",
    "pad",
    "power",
    "relu",
    "relu6",
    "repeat",
    "reshape",
    "rms_normalization",
    "selu",
    "separable_conv",
    "shape",
    "sigmoid",
    "sign",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "sqrt",
    "square",
    "squareplus",
    "squeeze",
    "stack",
    "std",
    "stop_gradient",
    "subtract",
    "sum",
    "swapaxes",
    "swish",
    "take",
    "tanh",
    "tanh_shrink",
    "threshold",
    "transpose",
    "unstack",
    "var",
    "where",
    "zeros",
    "zeros_like",
]
__all__ += list(_homes)
