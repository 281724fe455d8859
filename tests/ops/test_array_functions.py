"""The array functions of `keras.ops`: each as real Keras has it.

`golden/ops_numpy.json` has Keras' values, number types, refusals and gradients. Each
case that has gradients is also differentiated numerically, to second order and in both
directions, and must keep float32 there.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from autograd import grad
from autograd.core import make_vjp
from autograd.test_util import check_grads

from minikeras import ops
from minikeras.ops import (
    bits,
    comparison,
    complex_parts,
    creation,
    elementwise,
    indexing,
    joining,
    ordering,
    products,
    quantiles,
    reductions,
    rounding,
    spacing,
    trigonometry,
    without_nan,
)
from minikeras.variables import Variable

GOLDEN = json.loads(
    (Path(__file__).parents[1] / "golden" / "ops_numpy.json").read_text()
)
MODULES = (
    bits,
    comparison,
    complex_parts,
    creation,
    elementwise,
    indexing,
    joining,
    ordering,
    products,
    quantiles,
    reductions,
    rounding,
    spacing,
    trigonometry,
    without_nan,
)
FUNCTIONS = {}
for module in MODULES:
    for name, value in vars(module).items():
        if getattr(value, "__module__", None) == module.__name__:
            FUNCTIONS[name] = value


def decoded(value):
    if not isinstance(value, dict):
        return value
    if "same" in value:
        return decoded(GOLDEN["arrays"][value["same"]])
    if "slice" in value:
        return slice(*value["slice"])
    if "dots" in value:
        return ...
    kind, items = next(iter(value.items()))
    if kind in ("list", "tuple"):
        return {"list": list, "tuple": tuple}[kind](map(decoded, items))
    array = np.array(items, kind)
    return array.reshape(value["shape"]) if "shape" in value else array


class Case:
    def __init__(self, row):
        self.row = row
        self.name = row["name"]
        self.arguments = [decoded(a) for a in row["arguments"]]
        self.options = {k: decoded(v) for k, v in row.get("options", {}).items()}
        self.results = [decoded(r) for r in row.get("results", ())]
        self.gradients = [np.array(g, "f4") for g in row.get("gradients", ())]

    def floats(self):
        """The float32 arrays among the arguments, in order."""
        found = []
        self._map(self.arguments, lambda a: found.append(a) or a)
        self._map(self.options, lambda a: found.append(a) or a)
        return found

    def _map(self, value, change):
        if isinstance(value, list | tuple):
            return type(value)(self._map(v, change) for v in value)
        if isinstance(value, dict):
            return {k: self._map(value[k], change) for k in sorted(value)}
        if isinstance(value, np.ndarray) and value.dtype == np.float32:
            return change(value)
        return value

    def __call__(self, *arrays):
        """Results with these in place of the float32 arrays."""
        rest = iter(arrays)
        change = (lambda a: next(rest)) if arrays else (lambda a: a)
        arguments = self._map(self.arguments, change)
        options = self._map(self.options, change)
        value = FUNCTIONS[self.name](*arguments, **options)
        return list(value) if isinstance(value, list | tuple) else [value]

    def loss(self, *arrays):
        results = self(*arrays)
        return sum_of([ops.multiply(r, weights(r)) for r in floats_of(results)])


def floats_of(results):
    return [r for r in results if r.dtype.kind == "f"]


def joined(results):
    return ops.concatenate([ops.reshape(r, (-1,)) for r in floats_of(results)], 0)


def sum_of(results):
    return ops.sum(joined(results))


def weights(result):
    count = int(np.prod(result.shape))
    numbers = 0.5 + np.arange(count) / max(count, 1)
    return numbers.astype("float32").astype(result.dtype).reshape(result.shape)


CASES = [Case(row) for row in GOLDEN["cases"]]


def those(condition):
    chosen = [case for case in CASES if condition(case)]
    ids = [f"{case.name}-{CASES.index(case)}" for case in chosen]
    return pytest.mark.parametrize("case", chosen, ids=ids)


# Steps and the like: their derivative is zero, and autograd says so.
pytestmark = pytest.mark.filterwarnings("ignore:Output seems independent")


@pytest.fixture(autouse=True)
def _quiet():
    np.random.seed(0)  # the checker draws its directions from it
    with np.errstate(all="ignore"):
        yield


@those(lambda case: case.results)
def test_values_and_number_types_are_kerass(case):
    results = case()
    assert len(results) == len(case.results)
    for got, wanted in zip(results, case.results, strict=True):
        got = np.asarray(got)
        assert got.shape == wanted.shape
        if case.name not in ("ndim", "size"):
            assert got.dtype == wanted.dtype
        if wanted.dtype.kind == "f":
            np.testing.assert_allclose(got, wanted, rtol=2e-6, atol=2e-6)
        else:
            np.testing.assert_array_equal(got, wanted)


@those(lambda case: case.gradients)
def test_gradients_are_kerass(case):
    arrays = case.floats()
    for k, wanted in enumerate(case.gradients):
        got = grad(case.loss, k)(*arrays)
        assert got.dtype == np.float32
        assert got.shape == wanted.shape
        np.testing.assert_allclose(got, wanted, rtol=2e-5, atol=2e-5)


def has_slopes(case):
    return case.gradients and not case.row.get("kink")


# With a type named (or the default one, by `full`), the float64 would not arrive.
@those(lambda c: has_slopes(c) and "dtype" not in c.options and c.name != "full")
def test_gradients_of_both_orders(case):
    arrays = [np.asarray(a, "float64") for a in case.floats()]

    argnums = tuple(range(len(arrays)))
    modes = ["fwd", "rev"]
    check_grads(lambda *x: joined(case(*x)), argnums, modes, order=2)(*arrays)


@those(has_slopes)
def test_second_gradients_stay_float32(case):
    arrays = case.floats()

    def loss(*arrays):
        return sum_of([ops.square(r) for r in floats_of(case(*arrays))])

    def slope(*arrays):
        return ops.sum(ops.square(grad(loss)(*arrays)))

    assert grad(slope)(*arrays).dtype == np.float32


@those(has_slopes)
def test_a_vjp_does_not_write_into_its_gradient(case):
    arrays = case.floats()
    for k, array in enumerate(arrays):

        def of_one(x, k=k):
            return joined(case(*arrays[:k], x, *arrays[k + 1 :]))

        vjp, value = make_vjp(of_one, array)
        g = np.ones_like(value)
        g.setflags(write=False)
        result = vjp(g)
        assert result.shape == array.shape
        # The tape is left as it was: the same gradient gives the same result.
        np.testing.assert_array_equal(vjp(g), result)


@those(lambda case: case.floats() and case.results)
def test_handles_stand_for_their_arrays(case):
    arrays = case.floats()
    for array in arrays:
        array.setflags(write=False)
    for got, wanted in zip(case(*map(Variable, arrays)), case(), strict=True):
        assert not isinstance(got, Variable)
        np.testing.assert_array_equal(got, wanted)


@those(lambda case: "raises" in case.row)
def test_what_keras_refuses_is_refused(case):
    with pytest.raises((TypeError, ValueError), match=case.name):
        case()


# --- what the golden file cannot hold ---------------------------------------------


REFUSED = [
    ("arange", (0, 3, 0), {}, "`step` must not be 0"),
    ("argpartition", ([1.0, 2.0], 2), {}, "`kth` must be from -2 to 1"),
    ("array_split", ([1.0], 1.5), {}, "`indices_or_sections` must be an integer"),
    ("average", ([1.0, 2.0],), {"weights": [1.0]}, "`weights` must have the shape"),
    ("bincount", ([1, -1],), {}, "numbers from 0 on"),
    ("bincount", ([1.5],), {}, "whole numbers"),
    ("bincount", ([1, 2],), {"sparse": True}, "no sparse arrays"),
    ("bincount", ([1, 2],), {"weights": [1.0]}, "shape of `x`, \\(2,\\)"),
    ("bitwise_and", ([1.0], [1]), {}, "whole numbers or booleans"),
    ("bitwise_left_shift", ([True], [True]), {}, "must be whole numbers\\. Rec"),
    ("correlate", ([1.0], [1.0]), {"mode": "vald"}, "Did you mean 'valid'"),
    ("correlate", ([[1.0]], [1.0]), {}, "vectors that are not empty"),
    ("cross", ([1.0], [1.0]), {}, "2 or 3 numbers"),
    ("diag", ([[[1.0]]],), {}, "vector or a matrix"),
    ("diagonal", ([[1.0]],), {"axis2": 0}, "`axis1` and `axis2` must be two axes"),
    ("diff", ([1.0], -1), {}, "`n` must be at least 0"),
    ("dsplit", ([[1.0]], 1), {}, "3 axes or more"),
    ("eye", (2.5,), {}, "`N` must be an integer"),
    ("gcd", ([1.5], [2]), {}, "whole numbers"),
    ("geomspace", (-1.0, 2.0), {}, "same sign"),
    ("get_item", ([1.0, 2.0], 5), {}, "key=5 for an array of shape \\(2,\\)"),
    ("get_item", ([1.0, 2.0], [5]), {}, "out of bounds"),
    ("histogram", ([1.0],), {"bins": -1}, "`bins` must be at least 0"),
    ("histogram", ([1.0],), {"range": (2.0, 1.0)}, "two rising numbers"),
    ("lcm", ([True], [True]), {}, "whole numbers"),
    ("ldexp", ([1.0], [1.0]), {}, "`x2` must be whole numbers"),
    ("linspace", (0.0, 1.0, -1), {}, "`num` must be at least 0"),
    ("meshgrid", ([1.0],), {"indexing": "yx"}, "'xy' or 'ij'"),
    ("percentile", ([1.0], 101.0), {}, "`q` must be from 0 to 100"),
    ("quantile", ([1.0], 1.5), {}, "`q` must be from 0 to 1"),
    ("quantile", ([1.0], 0.5), {"method": "cubic"}, "`method` must be one of"),
    ("rot90", ([[1.0]],), {"axes": (0, -2)}, "two different axes"),
    ("searchsorted", ([[1.0]], 1.0), {}, "must be a vector"),
    ("searchsorted", ([1.0], 1.0), {"side": "middle"}, "`side` must be one of"),
    ("select", ([True], []), {}, "lists of the same length"),
    ("split", ([1.0, 2.0, 3.0], 2), {}, "`array_split` allows unequal"),
    ("split", ([1.0], 0), {}, "positive integer"),
    ("take_along_axis", ([1.0, 2.0], [2], 0), {}, "index 2 is out of range"),
    ("take_along_axis", ([1.0, 2.0], [0.5], 0), {}, "whole numbers"),
    ("take_along_axis", ([1.0, 2.0], [[0]], 0), {}, "must have 1 axes"),
    ("tensordot", ([1.0, 2.0], [1.0]), {"axes": 1}, "as many and as long"),
    ("tril", ([1.0],), {}, "two axes or more"),
    ("unravel_index", ([6], (2, 3)), {}, "from -6 to 5"),
    ("vander", ([1.0], -1), {}, "at least 0"),
    ("vander", ([1.0],), {"increasing": 1}, "`increasing` True or False"),
]


@pytest.mark.parametrize(
    "name, arguments, options, message",
    REFUSED,
    ids=[f"{r[0]}-{r[3]}" for r in REFUSED],
)
def test_errors_say_what_is_wrong(name, arguments, options, message):
    with pytest.raises((ValueError, TypeError, IndexError), match=message):
        FUNCTIONS[name](*arguments, **options)


def test_bessel_function_by_its_integral():
    angles = (np.arange(400) + 0.5) * np.pi / 400
    x = np.array([0.0, 0.25, -3.0, 12.0])
    wanted = np.exp(x[:, None] * np.cos(angles)).mean(1)
    np.testing.assert_allclose(elementwise.i0(x), wanted, rtol=1e-13)
    second = (np.exp(x[:, None] * np.cos(angles)) * np.cos(angles) ** 2).mean(1)
    got = [grad(grad(elementwise.i0))(number) for number in x]
    np.testing.assert_allclose(got, second, rtol=1e-12)


@pytest.mark.parametrize("x", [0.0, 1e-4, 0.3, 0.7, 1.6, -2.4])
def test_sinc_has_exact_derivatives_near_and_at_zero(x):
    # sinc is the mean of cos(pi x s) for s from 0 to 1; Gauss and Legendre's rule.
    points, shares = np.polynomial.legendre.leggauss(40)
    s, shares = (points + 1) / 2, shares / 2
    function, x = trigonometry.sinc, np.float64(x)
    for order in range(5):
        angles = np.pi * x * s + order * np.pi / 2
        wanted = ((np.pi * s) ** order * np.cos(angles) * shares).sum()
        np.testing.assert_allclose(function(x), wanted, rtol=1e-11, atol=1e-11)
        function = grad(function)


def test_gradients_of_many_slices_are_added_in_place():
    x = np.arange(12, dtype="float32").reshape(4, 3)

    def loss(x):
        parts = joining.split(x, 4) + [indexing.get_item(x, 0)]
        return ops.sum(ops.concatenate([ops.reshape(p * p, (-1,)) for p in parts], 0))

    wanted = 2 * x
    wanted[0] *= 2
    np.testing.assert_array_equal(grad(loss)(x), wanted)
    second = grad(lambda x: ops.sum(ops.square(grad(loss)(x))))(x)
    assert second.dtype == np.float32
    np.testing.assert_array_equal(second, x * [[32], [8], [8], [8]])


@pytest.mark.parametrize("name", ["prod", "cumprod"])
def test_products_have_all_derivatives_at_zeros(name):
    function = FUNCTIONS[name]
    x = np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 4.0], [0.0, 0.0, 0.0]])
    check_grads(lambda x: function(x, axis=1), modes=["fwd", "rev"], order=2)(x)


def test_picking_adds_up_what_is_picked_twice():
    x = np.array([1.0, 2.0, 3.0])
    key = np.array([0, 2, 2, -3])
    got = grad(lambda x: ops.sum(indexing.get_item(x, key)))(x)
    np.testing.assert_array_equal(got, [2, 0, 2])
    check_grads(lambda x: indexing.get_item(x, key), modes=["fwd", "rev"], order=2)(x)
    key = x > 1.5
    check_grads(lambda x: indexing.get_item(x, key), modes=["fwd", "rev"], order=2)(x)


def test_distances_and_sizes_of_zero_have_slope_zero():
    zero = np.zeros(2, "float32")
    for function in (lambda x: elementwise.hypot(x, x), elementwise.fabs):
        slope = grad(lambda x, f=function: ops.sum(f(x)))(zero)
        np.testing.assert_array_equal(slope, zero)
    x, y = np.array([3e20], "float32"), np.array([4e20], "float32")
    slope = grad(lambda x: ops.sum(elementwise.hypot(x, y)))(x)
    np.testing.assert_allclose(slope, [0.6], rtol=1e-6)  # x * x would overflow


def test_copies_share_no_memory():
    x = np.zeros(3, "float32")
    for function in (creation.array, creation.copy):
        function(x)[0] = 1
    assert x[0] == 0


@pytest.mark.parametrize(
    "name", ["real", "imag", "conjugate", "conj", "angle", "isreal"]
)
def test_complex_numbers(name):
    z = np.array([1 + 2j, -3.0, 0.5j])
    np.testing.assert_allclose(FUNCTIONS[name](z), getattr(np, name)(z), rtol=1e-15)


def test_large_whole_numbers_keep_their_digits():
    x = np.array([2**62 + 1, 1])
    np.testing.assert_array_equal(indexing.diag(x), np.diag(x))
    np.testing.assert_array_equal(ordering.sort(x), [1, 2**62 + 1])
