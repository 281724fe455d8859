"""Cross-entropy kernels against formulas row by row."""

import numpy as np
import pytest

from minikeras.kernels import log_loss

LOW, HIGH = 1e-7, 1 - 1e-7


def draw(rows, classes, dtype, transposed=False):
    rng = np.random.default_rng(rows * 31 + classes)
    shape = (classes, rows) if transposed else (rows, classes)
    p = rng.uniform(0.01, 1.0, shape).astype(dtype)
    p = p.T if transposed else p
    return p, rng.integers(0, classes, rows), rng.normal(size=rows).astype(dtype)


CASES = [(1, 1), (1, 4), (7, 3), (40, 10)]


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "classes"), CASES)
def test_probabilities(rows, classes, dtype, transposed):
    p, labels, g = draw(rows, classes, dtype, transposed)
    values = log_loss.sparse(p, labels, LOW, HIGH)
    slopes = log_loss.sparse_backward(p, labels, LOW, HIGH, g)
    assert values.dtype == slopes.dtype == dtype
    tolerance = {"rtol": 1e-5 if dtype == "float32" else 1e-12, "atol": 1e-6}
    for i in range(rows):
        row, total = p[i].astype("float64"), p[i].astype("float64").sum()
        share = min(max(row[labels[i]] / total, LOW), HIGH)
        np.testing.assert_allclose(values[i], -np.log(share), **tolerance)
        expected = np.zeros(classes)
        if share not in (LOW, HIGH):
            expected += g[i] / total
            expected[labels[i]] -= g[i] / row[labels[i]]
        np.testing.assert_allclose(slopes[i], expected, **tolerance)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "classes"), CASES)
def test_logits(rows, classes, dtype, transposed):
    z, labels, g = draw(rows, classes, dtype, transposed)
    z = z * 20
    values = log_loss.sparse_logits(z, labels)
    slopes = log_loss.sparse_logits_backward(z, labels, g)
    assert values.dtype == slopes.dtype == dtype
    tolerance = {"rtol": 1e-5 if dtype == "float32" else 1e-12, "atol": 1e-5}
    for i in range(rows):
        row = z[i].astype("float64")
        softmax = np.exp(row - row.max()) / np.exp(row - row.max()).sum()
        expected = g[i] * (softmax - (np.arange(classes) == labels[i]))
        np.testing.assert_allclose(slopes[i], expected, **tolerance)
        expected = row.max() - row[labels[i]] + np.log(np.exp(row - row.max()).sum())
        np.testing.assert_allclose(values[i], expected, **tolerance)


def test_a_probability_of_zero_is_cut_and_has_no_slope():
    p = np.array([[1.0, 0.0], [0.5, 0.5]], "float32")
    values = log_loss.sparse(p, np.array([1, 1]), LOW, HIGH)
    np.testing.assert_allclose(values, [-np.log(LOW), np.log(2)], rtol=1e-6)
    slopes = log_loss.sparse_backward(
        p, np.array([1, 1]), LOW, HIGH, np.ones(2, "float32")
    )
    np.testing.assert_array_equal(slopes, [[0, 0], [1, -1]])
