"""Values, number types and gradients of real Keras (golden/generate_ops_nn.py)."""

import json
from pathlib import Path

import numpy as np
import pytest
from autograd import grad
from autograd.core import make_vjp

from minikeras.ops import (
    casting,
    class_losses,
    complex_numbers,
    control,
    decoding,
    determinants,
    distances,
    forward_mode,
    least_squares,
    linear_algebra,
    pixel_blocks,
    row_loops,
    scattering,
    segments,
    selection,
    short_time,
    sliding,
    special,
    spectra,
    spectral,
    triangular_factors,
)
from minikeras.ops.numpy import add, multiply, square
from minikeras.ops.numpy import sum as sum_over
from minikeras.ops.trees import leaves
from minikeras.variables import Variable

GOLDEN = Path(__file__).parents[1] / "golden" / "ops_nn.json"
CASES = json.loads(GOLDEN.read_text())["cases"]
IDS = [f"{n}-{case['name']}" for n, case in enumerate(CASES)]
each_case = pytest.mark.parametrize("case", CASES, ids=IDS)
MODULES = (
    *(casting, class_losses, complex_numbers, control, decoding, determinants),
    *(distances, forward_mode, least_squares, linear_algebra, pixel_blocks),
    *(row_loops, scattering, segments, selection, short_time, sliding, special),
    *(spectra, spectral, triangular_factors),
)
FUNCTIONS = {
    "cube sum": lambda row: sum_over(row * row * row),
    "parts": lambda row: {"double": row * 2, "square": [row * row]},
    "of two": lambda rows: rows[0] * rows[1],
    "step": lambda carry, row: (carry * row + row, carry - row),
    "double": lambda carry, row: (multiply(carry, 2), carry),
    "product": lambda a, b: a * b,
    "affine": lambda a, b: (a[0] * b[0], a[1] * b[0] + b[1]),
    "below 40": lambda i, x: i < 40,
    "times 3": lambda i, x: (i * 3 + 1, x * x),
    "less": lambda i, x: x - i,
    "sum": lambda x, y: x + y,
    "difference": lambda x, y: x - y,
    "one": lambda: 1.0,
    "two": lambda: 2.0,
    "outer": lambda a, b: (a * b, {"less": a - b}),
}
# Keras on JAX makes whole numbers int32, here they are what NumPy makes of them.
WHOLE = {"int32": "int64"}


def function_of(case):
    return next(
        vars(module)[case["name"]] for module in MODULES if case["name"] in vars(module)
    )


def decoded(value, dtype, leaf=np.asarray):
    """The argument, floats in that type."""
    if isinstance(value, list):
        return [decoded(v, dtype, leaf) for v in value]
    if not isinstance(value, dict):
        return value
    if "data" in value:
        array = array_of(value)
        return leaf(array.astype(dtype)) if array.dtype == np.float64 else array
    if "function" in value:
        return FUNCTIONS[value["function"]]
    return tuple(decoded(v, dtype, leaf) for v in value["tuple"])


def array_of(value):
    kind = value.get("dtype", "float64")
    if kind.startswith("complex"):
        pairs = np.reshape(value["data"], (*value.get("shape", (-1,)), 2))
        return (pairs[..., 0] + 1j * pairs[..., 1]).astype(kind)
    return np.array(value["data"], kind).reshape(value.get("shape", (-1,)))


def called(case, dtype, leaf=np.asarray):
    options = {key: decoded(v, dtype) for key, v in case["options"].items()}
    args = decoded(case["args"], dtype, leaf)
    return leaves(function_of(case)(*args, **options))


def seen(case, results):
    if not case["squared"]:
        return results
    return [
        np.abs(x) ** 2 if getattr(x.dtype, "kind", "") == "c" else square(x)
        for x in results
    ]


@each_case
def test_values(case):
    found = seen(case, called(case, "float64"))
    assert len(found) == len(case["results"])
    for x, wanted in zip(found, map(array_of, case["results"]), strict=True):
        assert np.shape(x) == wanted.shape
        # Keras takes polar's cosine in float32 always
        single = wanted.dtype in (np.float32, np.complex64) or case["name"] == "polar"
        tolerance = 1e-5 if single else 1e-9
        np.testing.assert_allclose(x, wanted, rtol=tolerance, atol=tolerance)


@each_case
def test_float32(case):
    found = called(case, "float32")
    inputs = str(case["args"])
    for x, wanted in zip(found, case["dtypes"], strict=True):
        if "tuple" in inputs and case["name"] == "while_loop":
            wanted = WHOLE.get(wanted, wanted)
        assert np.asarray(x).dtype == wanted
    for x, wanted in zip(seen(case, found), case["results"], strict=True):
        wanted = array_of(wanted)
        size = np.abs(wanted[np.isfinite(wanted)]).max(initial=1)
        np.testing.assert_allclose(x, wanted, rtol=3e-5, atol=3e-6 * size)


def weighed(results):
    total = 0.0
    for x in results:
        if x.dtype.kind == "f":
            size = int(np.prod(x.shape))
            weights = (0.5 + np.arange(size) / max(size, 1)).reshape(x.shape)
            total = add(total, sum_over(multiply(x, weights.astype(x.dtype))))
    return total


def float_leaves(value):
    if isinstance(value, list):
        return [leaf for v in value for leaf in float_leaves(v)]
    if not isinstance(value, dict) or "function" in value:
        return []
    if "tuple" in value:
        return float_leaves(value["tuple"])
    return [] if "dtype" in value else [array_of(value)]


def gradients(case, dtype):
    arrays = [x.astype(dtype) for x in float_leaves(case["args"])]

    def loss(*arrays):
        rest = iter(arrays)
        return weighed(seen(case, called(case, dtype, lambda _: next(rest))))

    return [grad(loss, n)(*arrays) for n in range(len(arrays))]


DIFFERENTIABLE = [case for case in CASES if "gradients" in case]


@pytest.mark.filterwarnings("ignore:Output seems independent")
@pytest.mark.parametrize(
    "case",
    DIFFERENTIABLE,
    ids=[f"{n}-{c['name']}" for n, c in enumerate(DIFFERENTIABLE)],
)
def test_gradients(case):
    wanted = [array_of(g) for g in case["gradients"]]
    for found, one in zip(gradients(case, "float64"), wanted, strict=True):
        assert np.shape(found) == one.shape
        np.testing.assert_allclose(found, one, rtol=1e-8, atol=1e-9)
    for found, one in zip(gradients(case, "float32"), wanted, strict=True):
        assert found.dtype == np.float32
        size = np.abs(one[np.isfinite(one)]).max(initial=1)
        np.testing.assert_allclose(found, one, rtol=2e-4, atol=3e-5 * size)


@each_case
def test_weights_stand_for_their_arrays_and_nothing_is_written_to(case):
    def weight(array):
        handle = Variable(array)
        handle.array.setflags(write=False)
        return handle

    found = called(case, "float32", weight)
    for x, wanted in zip(found, called(case, "float32"), strict=True):
        assert not isinstance(x, Variable)
        np.testing.assert_array_equal(x, wanted)


@pytest.mark.filterwarnings("ignore:Output seems independent")
@pytest.mark.parametrize(
    "case",
    DIFFERENTIABLE,
    ids=[f"{n}-{c['name']}" for n, c in enumerate(DIFFERENTIABLE)],
)
def test_a_vjp_does_not_write_into_its_gradient(case):
    arrays = float_leaves(case["args"])

    def function(x):
        rest = iter([x, *arrays[1:]])
        found = seen(case, called(case, "float64", lambda _: next(rest)))
        return next(y for y in found if y.dtype.kind == "f")

    vjp, value = make_vjp(function, arrays[0])
    g = np.ones(np.shape(value))
    g.setflags(write=False)
    first = vjp(g)
    np.testing.assert_array_equal(vjp(g), first)
    assert np.shape(first) == arrays[0].shape
