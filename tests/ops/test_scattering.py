"""Segments, scattered numbers, blocks, the largest, and losses of classes.

Values are those of Keras, in test_ops_nn_golden.py.
"""

import numpy as np
import pytest
from autograd import grad
from autograd.test_util import check_grads

from minikeras import ops
from minikeras.ops import class_losses, distances, scattering, segments, selection

RANDOM = np.random.default_rng(6)
X = RANDOM.normal(size=(6, 3))
IDS = [0, 2, 0, -1, 0, 9]
PLACES = [[1, 2], [1, 2], [0, -1], [5, 0]]
CHANCES = RANDOM.uniform(0.1, 0.9, size=(6, 3))


def rows():
    for name in ("sum", "max", "min", "prod"):
        function = getattr(segments, f"segment_{name}")
        yield f"segment_{name}", lambda x, f=function: f(x, IDS, 4)[::2] ** 2, (X,)
        yield f"segment_{name}", lambda x, f=function: f(x, [0], 1), (X[:1],)
    zeros = X * [0.0, 1.0, 1.0]
    product = lambda x: segments.segment_prod(x, [0, 0, 1, 0, 0, 1])  # noqa: E731
    yield "segment_prod with zeros", product, (zeros,)
    for reduction in (None, "add", "max", "min", "mul"):
        update = lambda x, u, r=reduction: scattering.scatter_update(x, PLACES, u, r)  # noqa: E731
        yield f"scatter_update {reduction}", update, (X, np.arange(4.0) + 3)
        row = lambda x, u, r=reduction: scattering.scatter_update(x, [[0], [0]], u, r)  # noqa: E731
        yield f"scatter_update {reduction}", row, (X, X[:2] * 3 + 1)
    yield "scatter", lambda u: scattering.scatter([[1], [1]], u, (3, 3)) ** 2, (X[:2],)
    yield "slice", lambda x: scattering.slice(x, (1, 1), (2, -1)) ** 2, (X,)
    update = lambda x, u: scattering.slice_update(x, (1, -2), u) ** 2  # noqa: E731
    yield "slice_update", update, (X, X[:2, :2] + 5)
    yield "top_k", lambda x: selection.top_k(x, 2)[0] ** 2, (X,)
    yield "cdist", distances.cdist, (X, X[:2] + 0.5)
    yield "psnr", lambda x, y: distances.psnr(x, y, 3.0), (X, X[::-1])
    for logits in (False, True):
        loss = lambda t, p, z=logits: class_losses.binary_crossentropy(t, p, z)  # noqa: E731
        yield "binary", loss, (CHANCES[::-1], CHANCES)
        loss = lambda t, p, z=logits: class_losses.categorical_crossentropy(t, p, z, 0)  # noqa: E731
        yield "categorical", loss, (CHANCES[::-1], CHANCES)
        loss = lambda p, z=logits: class_losses.sparse_categorical_crossentropy(  # noqa: E731
            [0, 1, 5], p, z, axis=0
        )
        yield "sparse", loss, (CHANCES,)


TABLE = list(rows())


@pytest.mark.parametrize(
    "function, arrays",
    [r[1:] for r in TABLE],
    ids=[f"{n}-{r[0]}" for n, r in enumerate(TABLE)],
)
def test_derivatives(function, arrays):
    check_grads(function, tuple(range(len(arrays))), ["fwd", "rev"], order=2)(*arrays)
    single = [np.asarray(a, "float32") for a in arrays]
    assert function(*single).dtype == np.float32
    for n in range(len(arrays)):
        slope = grad(lambda *a: ops.sum(function(*a)), n)(*single)
        assert slope.dtype == np.float32
        assert slope.shape == arrays[n].shape


def test_arguments_are_left_alone():
    for _, function, arrays in TABLE:
        copies = [a.copy() for a in arrays]
        for copy in copies:
            copy.setflags(write=False)
        np.testing.assert_array_equal(function(*copies), function(*arrays))


def test_distance_to_itself_has_a_slope():
    slope = grad(lambda x: ops.sum(distances.cdist(x, x)))(X)
    assert np.isfinite(slope).all()
    np.testing.assert_array_equal(np.diag(distances.cdist(X, X)), 0)


def test_segments_without_rows():
    for name, wanted in (("sum", 0), ("max", -np.inf), ("min", np.inf), ("prod", 1)):
        function = getattr(segments, f"segment_{name}")
        np.testing.assert_array_equal(function(np.zeros((0, 2)), [], 1), [[wanted] * 2])
        assert function(np.zeros((0, 2)), []).shape == (0, 2)
    assert segments.segment_max(np.array([True]), [1]).tolist() == [False, True]


def test_multi_hot_leaves_numbers_that_are_no_class_out():
    np.testing.assert_array_equal(selection.multi_hot([0, -1, 7], 3), [1, 0, 0])


def test_labels_that_are_no_class_are_not_in_the_top():
    found = selection.in_top_k([-1, 3, 0], np.zeros((3, 2)), 2)
    np.testing.assert_array_equal(found, [False, False, True])


@pytest.mark.parametrize(
    "call, kind, message",
    [
        (lambda: segments.segment_sum(X, [[0]]), ValueError, r"\(1, 1\).*\(6, 3\)"),
        (lambda: segments.segment_max(X, [0]), ValueError, "segment_max: .*one axis"),
        (lambda: segments.segment_min(X, IDS, -1), ValueError, "num_segments=-1"),
        (
            lambda: segments.segment_prod(X, X[:, 0]),
            TypeError,
            "whole numbers.*float64",
        ),
        (
            lambda: scattering.scatter([[9]], [1.0], (3,)),
            ValueError,
            r"place \[9\].*\(3,\)",
        ),
        (
            lambda: scattering.scatter([[0]], [1.0, 2.0], (3,)),
            ValueError,
            r"shape \(1,\)",
        ),
        (lambda: scattering.scatter([[0.5]], [1.0], (3,)), TypeError, "whole numbers"),
        (
            lambda: scattering.scatter([0, 1], [1.0], (3,)),
            ValueError,
            "places of 1 to 1",
        ),
        (
            lambda: scattering.scatter_update(X, [[0, -4]], [1.0]),
            ValueError,
            r"place \[0, -4\] is outside an array of shape \(6, 3\)",
        ),
        (
            lambda: scattering.scatter_update(X, [[0]], [1.0], "mean"),
            ValueError,
            "'add', 'max', 'min', 'mul'.*'mean'",
        ),
        (lambda: scattering.slice(X, (5, 0), (2, 1)), ValueError, r"inside .*\(6, 3\)"),
        (lambda: scattering.slice(X, (0,), (2, 1)), ValueError, "2 whole numbers"),
        (lambda: scattering.slice(X, (0, 0), (2, 0.5)), ValueError, "`shape` must be"),
        (lambda: scattering.slice_update(X, (5, 0), X), ValueError, "must lie inside"),
        (lambda: scattering.slice_update(X, (0, 0), X[0]), ValueError, "2 axes"),
        (lambda: selection.top_k(X, 4), ValueError, r"k=4, x of shape \(6, 3\)"),
        (lambda: selection.top_k(X, 1.5), ValueError, "whole number.*k=1.5"),
        (lambda: selection.in_top_k([0], X, 1), ValueError, r"\(1,\).*\(6, 3\)"),
        (lambda: selection.in_top_k(X[:, 0], X, 1), TypeError, "whole numbers"),
        (lambda: selection.multi_hot([0]), ValueError, "`num_classes` must be given"),
        (lambda: selection.multi_hot([0], 2, axis=3), ValueError, "axis=3"),
        (lambda: selection.multi_hot([0], 2, sparse=True), ValueError, "sparse=False"),
        (lambda: selection.multi_hot([0], 2, tokens=1), TypeError, "unknown.*tokens"),
        (lambda: distances.cdist(X, X[:, :2]), ValueError, r"\(6, 3\) and \(6, 2\)"),
        (lambda: distances.psnr(X, X[:1], 1), ValueError, "psnr: .*same shape"),
        (
            lambda: class_losses.binary_crossentropy(X, X[0]),
            ValueError,
            r"binary_crossentropy: .*same shape.*\(6, 3\) and \(3,\)",
        ),
        (
            lambda: class_losses.categorical_crossentropy(X[0], X),
            ValueError,
            "categorical_crossentropy: .*same shape",
        ),
        (
            lambda: class_losses.categorical_crossentropy(X, X, axis=2),
            ValueError,
            "axis=2",
        ),
        (
            lambda: class_losses.sparse_categorical_crossentropy([0], X),
            ValueError,
            r"without axis 1.*\(1,\).*\(6,\)",
        ),
        (
            lambda: class_losses.sparse_categorical_crossentropy(
                [0, 1, 2, 0, 0, -1], X
            ),
            ValueError,
            "from 0 to 2.*such as -1",
        ),
    ],
)
def test_messages(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
