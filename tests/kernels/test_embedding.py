"""Gathering and scattering rows, against loops over them."""

import numpy as np
import pytest

from minikeras import config
from minikeras.kernels import embedding

# rows of the table, numbers picked, length of a row
GRID = [(1, 1, 1), (5, 0, 3), (7, 3, 1), (3, 40, 5), (50, 7, 33), (9, 3000, 17)]


def draw(rows, count, width, dtype="float64"):
    random = np.random.default_rng(rows + count)
    table = random.normal(size=(rows, width)).astype(dtype)
    g = random.normal(size=(count, width)).astype(dtype)
    return table, random.integers(0, rows, count), g


def naive_scatter(g, index, rows):
    table = np.zeros((rows, g.shape[1]), g.dtype)
    for n, row in enumerate(index):
        table[row] = table[row] + g[n]
    return table


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("size", GRID)
def test_gather(size, dtype):
    table, index, _ = draw(*size, dtype)
    rows = embedding.gather(table, index)
    assert rows.dtype == dtype
    assert rows.shape == (len(index), table.shape[1])
    for n, row in enumerate(index):
        np.testing.assert_array_equal(rows[n], table[row])


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("size", GRID)
def test_scatter_add_sums_in_the_order_of_the_rows(size, dtype):
    table, index, g = draw(*size, dtype)
    before = g.copy()
    found = embedding.scatter_add(g, index, len(table))
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, naive_scatter(g, index, len(table)))
    np.testing.assert_array_equal(g, before)


@pytest.mark.parametrize("size", GRID)
def test_they_are_adjoint(size):
    table, index, g = draw(*size)
    there = np.sum(embedding.gather(table, index) * g)
    back = np.sum(table * embedding.scatter_add(g, index, len(table)))
    np.testing.assert_allclose(there, back, rtol=1e-11, atol=1e-12)


def test_rows_of_any_memory_layout():
    table, index, g = draw(6, 20, 4)
    expected = embedding.gather(table, index)
    np.testing.assert_array_equal(
        embedding.gather(np.asfortranarray(table), index), expected
    )
    sums = embedding.scatter_add(g, index, 6)
    for other in (np.asfortranarray(g), np.repeat(g, 2, 0)[::2]):
        np.testing.assert_array_equal(embedding.scatter_add(other, index, 6), sums)


def test_bits_do_not_depend_on_the_number_of_threads():
    table, index, g = draw(1000, 50_000, 33, "float32")
    results = []
    try:
        for threads in (1, 2, 5):
            config.set_threads(threads)
            rows = embedding.gather(table, index)
            results.append((rows, embedding.scatter_add(g, index, 1000)))
    finally:
        config.set_threads(None)
    for rows, sums in results[1:]:
        np.testing.assert_array_equal(rows, results[0][0])
        np.testing.assert_array_equal(sums, results[0][1])


def test_results_are_not_overwritten_by_the_next_call():
    table, index, g = draw(300, 5000, 16, "float32")
    rows, sums = embedding.gather(table, index), embedding.scatter_add(g, index, 300)
    copies = rows.copy(), sums.copy()
    embedding.gather(-table, index)
    embedding.scatter_add(-g, index, 300)
    np.testing.assert_array_equal(rows, copies[0])
    np.testing.assert_array_equal(sums, copies[1])
