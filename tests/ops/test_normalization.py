"""Normalisation primitives by their derivatives; keras.ops forms against Keras."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from autograd import make_vjp
from autograd.test_util import check_grads
from autograd.tracer import getval

from minikeras import config
from minikeras.kernels import norm
from minikeras.ops import normalization as ops
from minikeras.ops import standardize as primitives

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "normalization.json").read_text())
LAYOUTS = [
    (1, 1, 1, 1),
    (1, 6, 3, 1),
    (1, 2, 1, 1),
    (1, 1, 3, 1),
    (2, 3, 2, 2),
    (3, 1, 2, 3),
    (2, 4, 1, 3),
    (4, 1, 1, 5),
]


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "normalization.npz") as file:
        flat = dict(file)
    return {
        key: flat[kind][start : start + int(np.prod(shape))].reshape(shape)
        for key, (kind, start, shape) in CASES["index"].items()
        if key.startswith("op/")
    }


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.mark.parametrize("index", range(len(CASES["ops"])))
def test_function_equals_keras(index, golden):
    case, key = CASES["ops"][index], f"op/{index}"
    inputs = [golden[f"{key}/in/{i}"] for i in range(case["inputs"])]
    for dtype, tolerance in (("float64", 1e-9), ("float32", 1e-5)):
        values = (a.astype(dtype) for a in inputs)
        outputs = getattr(ops, case["name"])(*values, **case["arguments"])
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        assert len(outputs) == case["outputs"]
        for i, output in enumerate(outputs):
            expected = golden[f"{key}/out/{i}"]
            assert output.dtype == dtype
            np.testing.assert_allclose(output, expected, tolerance, tolerance)


# --- derivatives ----------------------------------------------------------------


@pytest.mark.parametrize("mean", [0.0, 30.0])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_standardize(layout, centred, mean, rng):
    x = rng.normal(size=layout) + mean
    gamma, beta = rng.normal(size=(2, layout[2] * layout[3]))
    epsilon = 0.5 if mean else 1e-2

    def function(gamma_used, beta_used):
        def run(x, *vectors):
            rest = list(vectors)
            gamma = rest.pop(0) if gamma_used else None
            beta = rest.pop(0) if beta_used else None
            stats = norm.statistics(getval(x), centred)
            settings = {"layout": layout, "stats": stats, "epsilon": epsilon}
            return primitives.standardize(x, gamma, beta, **settings)

        return run

    check_grads(function(True, True), (0, 1, 2), order=2)(x, gamma, beta)
    check_grads(function(False, True), (0, 1), order=2)(x, beta)
    check_grads(function(True, False), (0, 1), order=2)(x, gamma)
    check_grads(function(False, False), order=2)(x)


@pytest.mark.parametrize("mean", [0.0, 30.0])
@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_standardize_with_relu(layout, centred, mean, rng):
    x = rng.normal(size=layout) + mean
    gamma, beta = rng.normal(size=(2, layout[2] * layout[3]))
    epsilon = 0.5 if mean else 1e-2

    def function(gamma_used, beta_used, relu=True):
        def run(x, *vectors):
            rest = list(vectors)
            gamma = rest.pop(0) if gamma_used else None
            beta = rest.pop(0) if beta_used else None
            stats = norm.statistics(getval(x), centred)
            settings = {"layout": layout, "stats": stats, "epsilon": epsilon}
            return primitives.standardize(x, gamma, beta, **settings, relu=relu)

        return run

    for used, vectors in (
        ((True, True), (gamma, beta)),
        ((False, True), (beta,)),
        ((True, False), (gamma,)),
        ((False, False), ()),
    ):
        plain = function(*used, relu=False)(x, *vectors)
        np.testing.assert_array_equal(
            function(*used)(x, *vectors), np.maximum(plain, 0)
        )
        # With one row, xhat is 0 whatever x is, and without beta so is the output.
        if np.abs(plain).min() < 1e-5:
            assert centred and layout[1] * layout[3] == 1 and not used[1]
            continue
        argnums = tuple(range(1 + len(vectors)))
        check_grads(function(*used), argnums, modes=["fwd", "rev"], order=2)(
            x, *vectors
        )


@pytest.mark.parametrize("dtype, tolerance", [("float32", 2e-5), ("float64", 1e-12)])
@pytest.mark.parametrize("layout", LAYOUTS[1:], ids=str)
def test_gradients_of_standardize_with_relu(layout, dtype, tolerance, rng):
    x, g = rng.normal(size=(2, *layout)).astype(dtype)
    gamma, beta = rng.normal(size=(2, layout[2] * layout[3])).astype(dtype)
    g.setflags(write=False)
    settings = {"layout": layout, "stats": norm.statistics(x), "epsilon": 0.1}

    def run(*arrays, relu):
        return primitives.standardize(*arrays, **settings, relu=relu)

    for argnum in range(3):
        pull, y = make_vjp(lambda *a: run(*a, relu=True), argnum)(x, gamma, beta)
        plain, _ = make_vjp(lambda *a: run(*a, relu=False), argnum)(x, gamma, beta)
        expected = plain(np.where(y > 0, g, 0).astype(dtype))
        for _ in range(2):  # the second time with what the first one left
            found = pull(g)
            assert found.dtype == y.dtype == dtype
            np.testing.assert_allclose(found, expected, tolerance, tolerance)


def test_relu_of_a_whole_batch(rng):
    x = rng.normal(size=(2, 3, 4)) * 2 + 1
    gamma, beta = rng.normal(size=(2, 3))
    y, mean, variance = primitives.normalize_batch(x, gamma, beta, 1, 0.1, relu=True)
    mean_x, variance_x = x.mean(axis=(0, 2)), x.var(axis=(0, 2))
    np.testing.assert_allclose(mean, mean_x, rtol=1e-12)
    np.testing.assert_allclose(variance, variance_x, rtol=1e-12)
    wide = mean_x[:, None], np.sqrt(variance_x + 0.1)[:, None]
    plain = (x - wide[0]) / wide[1] * gamma[:, None] + beta[:, None]
    np.testing.assert_allclose(y, np.maximum(plain, 0), rtol=1e-12, atol=1e-12)
    assert (y == 0).any() and (y > 0).any()
    check_grads(
        lambda *a: primitives.normalize_batch(*a, 1, 0.1, relu=True)[0],
        (0, 1, 2),
        modes=["fwd", "rev"],
        order=2,
    )(x, gamma, beta)


@pytest.mark.parametrize("shift", [None, np.array([1.0, -2.0, 3.0])])
@pytest.mark.parametrize("shape", [(1, 3), (4, 3), (2, 3, 2, 3)])
def test_affine(shape, shift, rng):
    x, scale, offset = rng.normal(size=shape), rng.normal(size=3), rng.normal(size=3)

    def affine(x, scale, offset):
        return primitives.affine(x, scale, offset, shift=shift)

    check_grads(affine, (0, 1, 2), order=2)(x, scale, offset)
    check_grads(lambda x, s: primitives.affine(x, s, None, shift=shift), order=2)(
        x, scale
    )


@pytest.mark.parametrize("shift", [None, np.array([1.0, -2.0, 3.0])])
@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 2, 3)])
def test_affine_with_relu(shape, shift, rng):
    x, scale, offset = rng.normal(size=shape), rng.normal(size=3), rng.normal(size=3)

    def affine(x, scale, offset):
        return primitives.affine(x, scale, offset, shift=shift, relu=True)

    plain = (x if shift is None else x - shift) * scale + offset
    y = affine(x, scale, offset)
    np.testing.assert_allclose(y, np.maximum(plain, 0), rtol=1e-12, atol=1e-12)
    assert (y == 0).any() and (y > 0).any()
    check_grads(affine, (0, 1, 2), modes=["fwd", "rev"], order=2)(x, scale, offset)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("axis", [-1, 1])
@pytest.mark.parametrize("far", [0.0, 100.0])
def test_normalize_by_given_statistics(far, axis, relu, rng):
    x = rng.normal(size=(4, 3, 3)) + far
    mean, gamma, beta = far + rng.normal(size=3), rng.normal(size=3), rng.normal(size=3)
    variance = rng.uniform(0.5, 2, 3)
    vectors = mean, variance, gamma, beta
    wide = [v if axis == -1 else v[:, None] for v in vectors]
    wanted = (x - wide[0]) / np.sqrt(wide[1] + 0.1) * wide[2] + wide[3]
    wanted = np.maximum(wanted, 0) if relu else wanted
    y = primitives.normalize_by(x, *vectors, axis, 0.1, relu)
    np.testing.assert_allclose(y, wanted, rtol=1e-12, atol=1e-12)
    bare = primitives.normalize_by(x, mean, variance, None, None, axis, 0.1)
    plain = (x - wide[0]) / np.sqrt(wide[1] + 0.1)
    np.testing.assert_allclose(bare, plain, rtol=1e-12, atol=1e-12)
    check_grads(
        lambda *a: primitives.normalize_by(*a, axis, 0.1, relu),
        tuple(range(5)),
        modes=["fwd", "rev"],
        order=2,
    )(x, *vectors)


def test_last(rng):
    x = rng.normal(size=(2, 3, 4))
    check_grads(lambda x: primitives.last(x, 1), order=2)(x)
    assert primitives.last(x, 1).flags.c_contiguous
    np.testing.assert_array_equal(primitives.back(primitives.last(x, 1), 1), x)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ops.moments(x, [0, 2])[0],
        lambda x: ops.moments(x, 1, keepdims=True)[1],
        lambda x: ops.layer_normalization(x, axis=[0, 2], epsilon=0.1),
        lambda x: ops.rms_normalization(x, axis=1, epsilon=0.1),
        lambda x: ops.normalize(x),
        lambda x: ops.normalize(x, order=1),
        lambda x: ops.normalize(x, axis=0, order=3),
        lambda x: ops.normalize(x, axis=None, epsilon=100.0),
        lambda x: primitives.scale_by_deviation(x, None, (1,), 0.1),
    ],
)
def test_functions(function, rng):
    check_grads(function, order=2)(rng.normal(size=(3, 4, 2)))


def test_batch_normalization_in_every_argument(rng):
    x, m, b, a = rng.normal(size=(2, 3, 4)), *rng.normal(size=(3, 3))
    for mean in (m, m + 20):  # near, and so far that it is taken off first
        arguments = x, mean, rng.random(3) + 0.5

        def run(x, m, v, b, a):
            return ops.batch_normalization(x, m, v, 1, b, a)

        check_grads(run, tuple(range(5)), order=2)(*arguments, b, a)


def test_masked_moments(rng):
    x, mask = rng.normal(size=(3, 4, 2)), rng.random((3, 4)) < 0.5
    for which in (0, 1):
        check_grads(
            lambda x, which=which: primitives.masked_moments(x, mask, (0, 1))[which],
            order=2,
        )(x)


def test_the_checker_sees_a_wrong_derivative(rng, monkeypatch):
    right = norm.backward

    def wrong(*arguments):
        dx, *rest = right(*arguments)
        return dx * 1.001, *rest

    monkeypatch.setattr(norm, "backward", wrong)
    with pytest.raises(AssertionError):
        check_grads(lambda x: ops.layer_normalization(x), modes=["rev"], order=1)(
            rng.normal(size=(3, 5))
        )


def test_gradient_is_finite_at_zero():
    pull, y = make_vjp(lambda x: ops.normalize(x, epsilon=0.5))(np.zeros((1, 3)))
    np.testing.assert_array_equal(y, np.zeros((1, 3)))
    np.testing.assert_allclose(pull(np.ones((1, 3))), np.full((1, 3), 2.0))
    pull, _ = make_vjp(lambda x: ops.normalize(x, order=3))(np.zeros((1, 3)))
    assert np.isfinite(pull(np.ones((1, 3)))).all()


def test_float32_stays(rng):
    x = rng.normal(size=(4, 3)).astype("float32")
    vector = np.ones(3, "float32")
    for function in (
        lambda x: ops.moments(x, [0])[1],
        lambda x: ops.batch_normalization(x, vector, vector, -1),
        lambda x: ops.layer_normalization(x, vector, vector),
        lambda x: ops.rms_normalization(x, vector),
        lambda x: ops.rms_normalization(x[0, 0]),
        ops.normalize,
        lambda x: ops.normalize(x, order=4),
    ):
        pull, y = make_vjp(function)(x)
        assert y.dtype == np.float32
        assert pull(y).dtype == np.float32


def test_inference_far_from_zero_in_float32(rng):
    x = (1e3 + rng.normal(size=(50, 2))).astype("float32")
    mean, variance = np.array([[1000.25, 999.5], [1.0, 2.0]], "float32")
    y = ops.batch_normalization(x, mean, variance, -1)
    exact = (x.astype("float64") - mean) / np.sqrt(variance.astype("float64") + 1e-3)
    np.testing.assert_allclose(y, exact, rtol=1e-5, atol=1e-6)


def test_float16_does_not_overflow():
    x = np.full((2, 4000), 200.0, "float16")
    x[:, ::2] = 0
    for y in (
        ops.layer_normalization(x),
        ops.rms_normalization(x),
        ops.normalize(x),
        *ops.moments(x, 1),
    ):
        assert y.dtype == np.float16
        assert np.isfinite(y).all()
    assert ops.moments(np.array([0, 6e4], "float16"), 0)[1] == np.finfo("float16").max


def test_epsilon_is_the_configured_one():
    try:
        config.set_epsilon(3.0)
        y = ops.layer_normalization([[1.0, 3.0]])
        np.testing.assert_allclose(y, [[-0.5, 0.5]], rtol=1e-6)
        np.testing.assert_allclose(ops.rms_normalization([[1.0]]), [[0.5]])
        np.testing.assert_allclose(ops.normalize([[1.5]]), [[0.5]])
    finally:
        config.set_epsilon(1e-7)


# --- what is refused ------------------------------------------------------------


X = np.ones((2, 3))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: ops.moments(X, 0, synchronized=True), ValueError, "synchronized=True"),
        (
            lambda: ops.batch_normalization(X, np.ones(2), np.ones(3), -1),
            ValueError,
            r"`mean` must be a vector.*\(2,\)",
        ),
        (
            lambda: ops.batch_normalization(X, np.ones(3), np.ones(3), -1, scale=X),
            ValueError,
            "`scale` must be a vector",
        ),
        (
            lambda: ops.batch_normalization(X, np.ones(3), np.ones(3), 2),
            ValueError,
            "each once.*axis=2",
        ),
        (lambda: ops.layer_normalization(X, axis=[1, -1]), ValueError, "each once"),
        (lambda: ops.layer_normalization(X, np.ones(2)), ValueError, "`gamma` must"),
        (
            lambda: ops.layer_normalization(X, beta=np.ones(2)),
            ValueError,
            "`beta` must have the shape",
        ),
        (lambda: ops.layer_normalization(X, scale=1), TypeError, "scale"),
        (lambda: ops.rms_normalization(X, np.ones(2)), ValueError, "must fit"),
        (lambda: ops.rms_normalization(X, np.ones((4, 2, 3))), ValueError, "must fit"),
        (lambda: ops.rms_normalization(X, axis=3), ValueError, "axis=3"),
        (lambda: ops.normalize(X, order=0), ValueError, "order=0"),
        (lambda: ops.normalize(X, order=1.5), ValueError, "order=1.5"),
        (lambda: ops.normalize(X, order=True), ValueError, "order=True"),
        (lambda: ops.normalize(X, axis=(0, 1), order=3), ValueError, "only order 2"),
        (lambda: ops.normalize(X, axis=-3), ValueError, "axis=-3"),
    ],
)
def test_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_rms_scaling_warns_and_divides_by_the_deviation():
    with pytest.warns(UserWarning, match="deprecated"):
        y = ops.layer_normalization([[1.0, 3.0]], [2.0, 2.0], rms_scaling=True)
    np.testing.assert_allclose(y, [[2.0, 6.0]], rtol=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ops.layer_normalization([[1.0, 3.0]], rms_scaling=False)
