"""Windows, blocks, Fourier transforms and complex numbers: derivatives and messages.

Values are those of Keras, in test_ops_nn_golden.py.
"""

import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from minikeras import ops
from minikeras.ops import complex_numbers, pixel_blocks, short_time, sliding
from minikeras.ops.spectral import fft, fft2, ifft2, irfft, rfft

RANDOM = np.random.default_rng(8)
X, Y = RANDOM.normal(size=(2, 2, 7))
SIGNAL = RANDOM.normal(size=(2, 13))
IMAGES = RANDOM.normal(size=(2, 3, 6, 5))
WINDOW = np.array([0.5, 1.0, 0.75, 0.25])
WINDOWS = [
    (2, 1, 0, 1),
    ((3, 2), (1, 2), (2, 1), (2, 1)),
    (1, 1, 0, 3),
    ((2, 3), 2, 1, 2),
]
STFT = (4, 2, 5)


def both(parts):
    return ops.stack(parts) ** 2


def rows():
    yield "fft", lambda x, y: both(fft((x, y))), (X, Y)
    yield "fft2", lambda x, y: both(fft2((x, y))), (X, Y)
    yield "ifft2", lambda x, y: both(ifft2((x, y))), (X, Y)
    for length in (None, 1, 2, 5, 6, 7, 8, 11):
        yield "rfft", lambda x, n=length: both(rfft(x, n)), (X,)
        yield "irfft", lambda x, y, n=length: irfft((x, y), n) ** 2, (X, Y)
    for center in (False, True):
        for window in ("hann", "hamming", None, WINDOW):
            settings = {"window": window, "center": center}
            real, imaginary = short_time.stft(SIGNAL, *STFT, **settings)
            yield (
                "stft",
                lambda x, s=settings: both(short_time.stft(x, *STFT, **s)),
                (SIGNAL,),
            )
            yield (
                "istft",
                lambda x, y, s=settings: short_time.istft((x, y), *STFT, **s) ** 2,
                (real, imaginary),
            )
    yield "window", lambda w: both(short_time.stft(SIGNAL, *STFT, w)), (WINDOW,)
    pieces = short_time.stft(SIGNAL, *STFT)
    yield "window", lambda w: short_time.istft(pieces, *STFT, None, w), (WINDOW,)
    yield "sequences", lambda x: sliding.extract_sequences(x, 4, 3) ** 2, (SIGNAL,)
    yield "sequences", lambda x: sliding.extract_sequences(x, 2, 5) ** 2, (SIGNAL,)
    for settings in WINDOWS:
        unfolded = sliding.unfold(IMAGES, *settings)
        yield "unfold", lambda x, s=settings: sliding.unfold(x, *s) ** 2, (IMAGES,)
        yield (
            "fold",
            lambda x, s=settings: sliding.fold(x, (6, 5), *s) ** 2,
            (unfolded,),
        )
    blocks = RANDOM.normal(size=(2, 4, 2, 8))
    for function in (pixel_blocks.depth_to_space, pixel_blocks.space_to_depth):
        yield "blocks", lambda x, f=function: f(x, 2) ** 2, (blocks,)
        first = blocks.transpose(0, 3, 1, 2)
        yield "blocks", lambda x, f=function: f(x, 2, "channels_first") ** 2, (first,)
    view = complex_numbers.view_as_real
    yield "polar", lambda x, y: view(complex_numbers.polar(x, y)) ** 2, (X, Y)
    square = lambda x: view(complex_numbers.view_as_complex(x) ** 2)  # noqa: E731
    yield "complex", square, (X[:, :2],)


TABLE = list(rows())


@pytest.mark.parametrize(
    "function, arrays",
    [r[1:] for r in TABLE],
    ids=[f"{n}-{r[0]}" for n, r in enumerate(TABLE)],
)
def test_derivatives(function, arrays):
    check_grads(function, tuple(range(len(arrays))), ["fwd", "rev"], order=2)(*arrays)
    single = [np.asarray(a, "float32") for a in arrays]
    value = function(*single)
    # One that is not passed here may be float64; all that are must keep their type.
    for n in range(len(arrays)):
        slope = grad(lambda *a: ops.sum(function(*a)), n)(*single)
        assert slope.dtype == np.float32
        assert slope.shape == arrays[n].shape
    np.testing.assert_allclose(value, function(*arrays), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("settings", WINDOWS)
def test_fold_is_the_adjoint_of_unfold(settings):
    columns = sliding.unfold(IMAGES, *settings)
    g = RANDOM.normal(size=columns.shape)
    folded = sliding.fold(g, (6, 5), *settings)
    np.testing.assert_allclose((columns * g).sum(), (folded * IMAGES).sum())


def test_unfold_against_loops():
    kernel, dilation, padding, stride = (3, 2), (1, 2), (2, 1), (2, 1)
    padded = np.pad(IMAGES, ((0, 0), (0, 0), (2, 2), (1, 1)))
    columns = []
    for i in range(0, padded.shape[2] - 2, 2):
        for j in range(0, padded.shape[3] - 2, 1):
            cells = padded[:, :, i : i + 3, j : j + 3 : 2]
            columns.append(cells.reshape(2, -1))
    found = sliding.unfold(IMAGES, kernel, dilation, padding, stride)
    np.testing.assert_array_equal(found, np.stack(columns, axis=-1))


def test_cells_that_no_window_reaches_are_zero():
    folded = sliding.fold(np.ones((1, 4, 4)), 5, 2, stride=2)
    assert folded.shape == (1, 1, 5, 5)
    np.testing.assert_array_equal(folded[0, 0, :4, :4], 1)
    np.testing.assert_array_equal(folded[0, 0, 4], 0)


def test_blocks_go_back():
    x = RANDOM.normal(size=(2, 4, 6, 8))
    for layout in ("channels_last", "channels_first"):
        there = pixel_blocks.space_to_depth(x, 2, layout)
        np.testing.assert_array_equal(pixel_blocks.depth_to_space(there, 2, layout), x)


@pytest.mark.parametrize("center", [True])
@pytest.mark.parametrize("window", ["hann", "hamming", None])
@pytest.mark.parametrize("length, stride, size", [(6, 3, 8), (5, 2, 5), (1, 1, 1)])
def test_istft_brings_the_signal_back(length, stride, size, window, center):
    options = (length, stride, size)
    pieces = short_time.stft(SIGNAL, *options, window=window, center=center)
    found = short_time.istft(pieces, *options, window=window, center=center)
    wanted = SIGNAL[:, : found.shape[-1]] * (size / stride if window is None else 1)
    assert found.shape[-1] >= SIGNAL.shape[-1] - stride
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_number_types():
    single = X.astype("float32")
    assert fft((single, single))[0].dtype == np.float32
    assert rfft([1, 2, 3])[0].dtype == np.float32
    assert irfft((single, single)).dtype == np.float32
    assert complex_numbers.polar(single, single).dtype == np.complex64
    assert complex_numbers.polar(X, X).dtype == np.complex128
    assert sliding.extract_sequences(np.arange(4), 2, 1).dtype == np.arange(1).dtype
    assert complex_numbers.view_as_real(single).dtype == np.float32


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (lambda: fft(X), ValueError, "fft: `x` must be a pair.*ndarray"),
        (lambda: fft((X, Y[:1])), ValueError, r"same shape.*\(2, 7\) and \(1, 7\)"),
        (lambda: fft2((X[0], Y[0])), ValueError, "at least 2 axes"),
        (lambda: ifft2((X, Y > 0)), ValueError, "floats of one type.*bool"),
        (lambda: irfft((X, Y.astype("float32"))), ValueError, "float64 and float32"),
        (lambda: rfft(X, 0), ValueError, "rfft: `fft_length`.*0"),
        (lambda: irfft((X[:, :1], Y[:, :1])), ValueError, "irfft: `fft_length`.*0"),
        (lambda: rfft(1.0), ValueError, "must have an axis"),
        (lambda: short_time.stft([1, 2], 2, 1, 2), TypeError, "float32 or float64"),
        (lambda: short_time.stft(SIGNAL, 6, 1, 5), ValueError, "fft_length=5"),
        (lambda: short_time.stft(SIGNAL, 6, 0, 6), ValueError, "sequence_stride=0"),
        (
            lambda: short_time.stft(SIGNAL, 2, 1, 2, "flat"),
            ValueError,
            "'hann'.*'flat'",
        ),
        (lambda: short_time.stft(SIGNAL, 2, 1, 2, [1.0]), ValueError, r"shape \(2,\)"),
        (
            lambda: short_time.stft(SIGNAL, 2, 1, 20, center=False),
            ValueError,
            "13 numbers has no piece of 20",
        ),
        (
            lambda: short_time.istft((X[0], X[0]), 4, 2, 5),
            ValueError,
            "at least 2 axes",
        ),
        (lambda: complex_numbers.view_as_complex(X), ValueError, r"length 2.*\(2, 7\)"),
        (lambda: sliding.extract_sequences(X, 0, 1), ValueError, "sequence_length=0"),
        (lambda: sliding.extract_sequences(1.0, 1, 1), ValueError, "must have an axis"),
        (lambda: sliding.unfold(X, 2), ValueError, r"\(N, C, H, W\).*\(2, 7\)"),
        (lambda: sliding.unfold(IMAGES, 2, padding=-1), ValueError, "padding=-1"),
        (lambda: sliding.unfold(IMAGES, (1, 2, 3)), ValueError, "kernel_size"),
        (lambda: sliding.fold(IMAGES, 3, 2), ValueError, "fold: `x` must be of shape"),
        (
            lambda: sliding.fold(np.ones((1, 5, 4)), 3, 2),
            ValueError,
            r"\(N, C \* 4, 4\).*\(1, 5, 4\)",
        ),
        (
            lambda: pixel_blocks.depth_to_space(IMAGES, 2),
            ValueError,
            "multiple of 4.* 5",
        ),
        (lambda: pixel_blocks.space_to_depth(IMAGES, 2), ValueError, "multiples of 2"),
        (lambda: pixel_blocks.space_to_depth(IMAGES, 1), ValueError, "at least 2"),
        (lambda: pixel_blocks.depth_to_space(X, 2), ValueError, r"\(2, 7\)"),
        (
            lambda: pixel_blocks.space_to_depth(IMAGES, 2, "first"),
            ValueError,
            "data_format='first'",
        ),
    ],
)
def test_messages(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
