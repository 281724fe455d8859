"""Equations, determinants, factors: derivatives of second order, float32, messages.

Values are those of Keras, in test_ops_nn_golden.py.
"""

import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from minikeras.kernels import lu
from minikeras.ops import determinants, least_squares, linear_algebra, spectra
from minikeras.ops import triangular_factors as factors
from minikeras.ops.numpy import matmul, square
from minikeras.ops.numpy import sum as sum_over

RANDOM = np.random.default_rng(3)
ONE = RANDOM.normal(size=(1, 1)) + 2
SQUARE = RANDOM.normal(size=(2, 3, 3)) + 2 * np.eye(3)
POSITIVE = SQUARE @ SQUARE.swapaxes(1, 2) + np.eye(3)
TALL, WIDE = RANDOM.normal(size=(2, 4, 3)), RANDOM.normal(size=(3, 5))
SLIM = RANDOM.normal(size=(4, 1))
SIDES = RANDOM.normal(size=(2, 3, 2))


def squared(function, part):
    """Signs of vectors are free, their squares are not."""
    return lambda x: square(function(x)[part])


def rows():
    for x in (ONE, SQUARE, SQUARE[0]):
        yield "inv", linear_algebra.inv, (x,)
        yield "det", determinants.det, (x,)
        yield "logdet", determinants.logdet, (x,)
        yield "slogdet", lambda x: determinants.slogdet(x)[1], (x,)
        yield "cholesky_inverse", linear_algebra.cholesky_inverse, (x,)
    yield (
        "cholesky_inverse upper",
        lambda x: linear_algebra.cholesky_inverse(x, upper=True),
        (SQUARE,),
    )
    for x in (ONE + 3, POSITIVE, SQUARE + 3 * np.eye(3)):
        for upper in (False, True):
            yield "cholesky", lambda x, u=upper: linear_algebra.cholesky(x, u), (x,)
    for a, b in ((SQUARE, SIDES), (SQUARE[:1], SIDES), (SQUARE[0], SIDES[0, :, 0])):
        yield "solve", linear_algebra.solve, (a, b)
        for lower in (False, True):
            yield (
                "solve_triangular",
                lambda a, b, low=lower: linear_algebra.solve_triangular(a, b, low),
                (a, b),
            )
    for x in (ONE, SQUARE, TALL, WIDE, SLIM):
        yield "pinv", least_squares.pinv, (x,)
        yield "qr", lambda x: factors.qr(x)[0], (x,)
        yield "qr", lambda x: factors.qr(x)[1], (x,)
        yield "qr complete", lambda x: factors.qr(x, "complete")[0], (x,)
        yield "lu", lambda x: factors.lu_factor(x)[0], (x,)
        svd = lambda x: spectra.svd(x, full_matrices=False)  # noqa: E731
        for part in range(3):
            yield "svd", squared(svd, part), (x,)
        yield "singular values", lambda x: spectra.svd(x, compute_uv=False), (x,)
    yield "svd", squared(spectra.svd, 2), (SQUARE,)
    for x in (ONE, POSITIVE):
        yield "eigh", lambda x: spectra.eigh(x).eigenvalues, (x,)
        yield "eigh", squared(spectra.eigh, 1), (x,)
    yield "lstsq", least_squares.lstsq, (TALL[0], SIDES[0, 0, 0] * TALL[1, :, 0])
    yield "lstsq", least_squares.lstsq, (WIDE, SIDES[0])
    for ord in (None, 0.5, 1, -1, 2, 3, np.inf, -np.inf):
        yield "norm", lambda x, o=ord: least_squares.norm(x, o, 1, True), (TALL,)
    for ord in (None, "fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf):
        yield "norm", lambda x, o=ord: least_squares.norm(x, o, (2, 0)), (TALL,)


TABLE = list(rows())
each_row = pytest.mark.parametrize(
    "function, arrays",
    [row[1:] for row in TABLE],
    ids=[
        f"{name}-{'-'.join(str(a.shape) for a in arrays)}" for name, _, arrays in TABLE
    ],
)


@each_row
def test_derivatives(function, arrays):
    check_grads(function, tuple(range(len(arrays))), ["fwd", "rev"], order=2)(*arrays)


@each_row
def test_float32_stays(function, arrays):
    single = tuple(a.astype("float32") for a in arrays)
    value = function(*single)
    assert value.dtype == np.float32
    np.testing.assert_allclose(value, function(*arrays), rtol=2e-3, atol=1e-4)

    def loss(*arrays):
        return sum_over(square(function(*arrays)))

    for n in range(len(arrays)):
        first = grad(loss, n)
        second = grad(lambda *x, g=first: sum_over(square(g(*x))), n)
        for gradient in (first(*single), second(*single)):
            assert gradient.dtype == np.float32
            assert gradient.shape == single[n].shape


def test_factors_multiply_to_the_matrix():
    for x in (SQUARE, TALL, WIDE):
        for mode in ("reduced", "complete"):
            q, r = factors.qr(x, mode)
            np.testing.assert_allclose(q @ r, x, atol=1e-12)
            same = q.swapaxes(-1, -2) @ q
            np.testing.assert_allclose(same, same * 0 + np.eye(q.shape[-1]), atol=1e-12)
        u, s, vh = spectra.svd(x, full_matrices=False)
        np.testing.assert_allclose((u * s[..., None, :]) @ vh, x, atol=1e-12)
        u, _, vh = spectra.svd(x)
        assert u.shape[-1] == x.shape[-2]
        assert vh.shape[-2] == x.shape[-1]
    w, v = spectra.eig(SQUARE)
    np.testing.assert_allclose(SQUARE @ v, v * w[:, None], atol=1e-12)


@pytest.mark.parametrize(
    "shape", [(1, 1), (4, 4), (5, 3), (3, 5), (2, 2, 4, 4), (0, 3)]
)
def test_lu(shape):
    x = RANDOM.normal(size=shape)
    packed, pivots, order = lu.factor(x)
    k = min(shape[-2:])
    assert pivots.shape == (*shape[:-2], k)
    lower = np.tril(packed, -1)[..., :k] + np.eye(shape[-2], k)
    exchanged = np.take_along_axis(x, order[..., None], -2)
    np.testing.assert_allclose(
        lower @ np.triu(packed)[..., :k, :], exchanged, atol=1e-12
    )
    assert np.abs(lower).max(initial=0) <= 1
    if x.ndim == 2:
        rows = np.arange(shape[0])
        for step, pivot in enumerate(pivots):
            rows[[step, pivot]] = rows[[pivot, step]]
        np.testing.assert_array_equal(rows, order)


def test_equal_values_have_derivatives_of_the_values():
    x = np.diag([2.0, 2.0, 1.0])
    slope = grad(lambda x: sum_over(spectra.eigh(x).eigenvalues))(x)
    np.testing.assert_allclose(slope, np.eye(3), atol=1e-12)
    slope = grad(lambda x: sum_over(spectra.svd(x, compute_uv=False)))(x)
    np.testing.assert_allclose(slope, np.eye(3), atol=1e-12)
    slope = grad(lambda x: sum_over(spectra.svd(x, compute_uv=False)))(x * 0)
    assert np.isfinite(slope).all()


def test_a_determinant_of_zero_has_a_derivative():
    x = np.array([[1.0, 2.0], [2.0, 4.0]])
    slope = grad(determinants.det)(x)
    np.testing.assert_allclose(slope, [[4, -2], [-2, 1]], atol=1e-12)


def test_a_matrix_without_full_rank():
    x = np.outer([1.0, 2.0, 3.0], [1.0, 1.0])
    np.testing.assert_allclose(least_squares.pinv(x), np.linalg.pinv(x), atol=1e-12)
    assert least_squares.matrix_rank(x) == 1
    found = least_squares.lstsq(x, [1.0, 2.0, 3.0])
    np.testing.assert_allclose(found, [0.5, 0.5], atol=1e-6)


def test_inside_a_gradient_rank_is_a_constant():
    def loss(x):
        assert type(least_squares.matrix_rank(x)) is np.ndarray
        return sum_over(matmul(x, x))

    grad(loss)(SQUARE[0])


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (lambda: linear_algebra.inv(TALL), ValueError, r"inv: .*square.*\(2, 4, 3\)"),
        (lambda: determinants.det([1.0]), ValueError, r"det: .*square.*\(1,\)"),
        (
            lambda: linear_algebra.inv(np.zeros((2, 2))),
            ValueError,
            "inv: no .*singular",
        ),
        (
            lambda: linear_algebra.solve(np.zeros((2, 2)), np.ones(2)),
            ValueError,
            "solve: no .*singular",
        ),
        (
            lambda: linear_algebra.solve_triangular(np.zeros((2, 2)), np.ones(2)),
            ValueError,
            "solve_triangular: no .*singular",
        ),
        (
            lambda: linear_algebra.solve(SQUARE, np.ones((2, 3))),
            ValueError,
            "`b` must be",
        ),
        (lambda: linear_algebra.solve(SQUARE, np.ones(3)), ValueError, "`b` must be"),
        (lambda: linear_algebra.solve(SQUARE[0], np.ones(4)), ValueError, r"\(4,\)"),
        (
            lambda: linear_algebra.cholesky(-np.eye(2)),
            ValueError,
            "not positive definite",
        ),
        (lambda: linear_algebra.inv(np.eye(2, dtype="float16")), TypeError, "float16"),
        (lambda: spectra.eigh(np.eye(2) * 1j), TypeError, "complex128.*ops.cast"),
        (lambda: grad(lambda x: spectra.eig(x)[0])(SQUARE), TypeError, "`eigh`"),
        (
            lambda: grad(lambda x: spectra.svd(x)[1])(TALL),
            TypeError,
            "full_matrices=False",
        ),
        (lambda: factors.qr(TALL, "raw"), ValueError, "'reduced', 'complete'.*'raw'"),
        (lambda: least_squares.lstsq(TALL, SIDES), ValueError, "lstsq: `a` must be"),
        (
            lambda: least_squares.lstsq(TALL[0], SIDES[0]),
            ValueError,
            r"\(4, 3\).*\(3, 2\)",
        ),
        (lambda: least_squares.norm(TALL, 2), ValueError, "one axis.*two.*axis=None"),
        (lambda: least_squares.norm(TALL, axis=(1, 1)), ValueError, r"axis=\(1, 1\)"),
        (lambda: least_squares.norm(TALL, axis=5), ValueError, "axis"),
        (lambda: least_squares.norm(TALL, "fro", 1), ValueError, "vectors.*'fro'"),
        (lambda: least_squares.norm(TALL, 3, (0, 1)), ValueError, "matrices.*ord=3"),
    ],
)
def test_messages(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_the_check_notices_a_wrong_derivative(monkeypatch):
    monkeypatch.setattr(linear_algebra, "_inv_slope", lambda y, d: y @ d @ y)
    with pytest.raises(AssertionError):
        check_grads(linear_algebra.inv, modes=["rev"])(SQUARE)


def test_slogdet():
    for x in (SQUARE, -SQUARE, SQUARE[0].astype("float32")):
        sign, size = determinants.slogdet(x)
        wanted = np.linalg.slogdet(x)
        np.testing.assert_array_equal(sign, wanted[0])
        np.testing.assert_allclose(size, wanted[1], rtol=1e-6)
        assert sign.dtype == size.dtype == x.dtype
    sign, size = determinants.slogdet(np.zeros((2, 2)))
    assert (sign, size) == (0, -np.inf)
