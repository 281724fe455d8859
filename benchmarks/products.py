"""What products of small blocks gain; run by `benchmarks.kernels`.

Only OpenBLAS on processors with AVX-512 has the kernels for them: elsewhere
"small-products" and "conv-rows" time the same code under each name.
"""

import numpy as np

from benchmarks.convolutions import convolution
from benchmarks.settings import replaced, run_with
from benchmarks.timing import report
from minikeras.kernels import blocking, conv, conv_rows, dense, products


def aligned_case():
    """Arrays that begin at a cache line, or 16 bytes behind one."""
    numbers, right = _random(3, 1 << 16), _random(192, 128)
    left, y = _random(64, 8, 192), _random(64, 8, 128)

    def add(behind):
        a, b, c = (_placed(x, behind) for x in numbers)
        return lambda: np.add(a, b, out=c)

    def multiply(behind):
        b = _placed(right, behind)
        return lambda: np.matmul(left, b, out=y)

    with blocking.single_threaded_blas:
        for title, way in (
            (f"sum of two arrays of {numbers.shape[1]} numbers", add),
            (f"{left.shape} @ {right.shape}, by where the right one begins", multiply),
        ):
            report(
                title,
                {"16 bytes behind a cache line": way(16), "at a cache line": way(0)},
            )


def small_products_case():
    """A product with few columns: at once, or as a stack of blocks that BLAS does not
    copy; with the right matrix 16 bytes behind a cache line, or at one."""
    for rows, inner, columns in (
        (32, 784, 128),
        (4096, 288, 32),
        (4096, 288, 64),
        (21632, 16, 32),
    ):
        a, b = _random(rows, inner), _random(inner, columns)
        _product_ways(f"{a.shape} @ {b.shape}", products.multiply, a, b)
    for rows, inner, columns in (
        (4096, 288, 32),
        (2048, 576, 64),
        (8192, 96, 64),
        (21632, 9, 8),
    ):
        a, b = _random(rows, inner), _random(rows, columns)
        _product_ways(f"{a.shape}.T @ {b.shape}", _multiply_turned, a.T, b)


def held_case():
    """Sums of two threads with few results: NumPy's matmul, which keeps the interpreter
    until it is done, or its dot, which does not."""
    a, b = _random(25, 1 << 16), _random(1 << 16, 6)
    results = [blocking.aligned(np.empty((25, 6), "f4")) for _ in range(2)]

    def run(multiply):
        def task(out):
            multiply(a, b, out=out)

        return lambda: blocking.parallel(task, results)

    report(
        f"twice {a.shape} @ {b.shape}, two threads",
        {"matmul": run(np.matmul), "dot": run(np.dot)},
    )


def wide_case():
    """A wide dense layer: its product cut by rows, or along the longer side."""

    def by_rows(a, b):
        return [(part, slice(None)) for part in dense._slices(len(a), b.size)]

    for rows, inner, columns in ((128, 784, 1024), (128, 1024, 1024), (32, 2048, 2048)):
        x, w = _random(rows, inner), _random(inner, columns)

        def run(x=x, w=w):
            dense.dense(x, w, None)

        report(
            f"{x.shape} @ {w.shape}",
            {
                "by rows": replaced(dense, "_parts", by_rows, run),
                "along the longer side": run,
            },
        )


def rows_case():
    """Bias and its gradient where rows are short: one by one, or several as one."""
    for rows, inner, columns in ((12800, 3, 16), (1600, 64, 64)):
        x, w, g = _random(rows, inner), _random(inner, columns), _random(rows, columns)
        bias = _random(columns)
        for name, run in (
            ("forward", lambda x=x, w=w, bias=bias: dense.dense(x, w, bias)),
            ("its gradient", lambda x=x, w=w, g=g: dense.backward(x, w, None, g, "b")),
        ):
            report(
                f"{x.shape} @ {w.shape} + bias, {name}",
                {
                    "one by one": replaced(
                        dense, "_side_by_side", lambda *shape: 1, run
                    ),
                    "side by side": run,
                },
            )


def _product_ways(title, in_blocks, a, b):
    c = blocking.aligned(np.empty((len(a), b.shape[1]), a.dtype))
    behind = _placed(b, 16)
    with blocking.single_threaded_blas:
        report(
            f"{title}, one thread",
            {
                "at once": lambda: np.matmul(a, b, out=c),
                "in blocks, 16 bytes behind": lambda: in_blocks(a, behind, c),
                "in blocks": lambda: in_blocks(a, b, c),
            },
        )


def _multiply_turned(a, b, out):
    products.multiply_turned(a.T, b, out)


def _random(*shape):
    """Random numbers from a cache line on."""
    x = np.random.default_rng(0).standard_normal(shape, np.float32)
    return blocking.aligned(x)


def _placed(x, behind):
    """A copy of x that begins a number of bytes behind a cache line."""
    memory = blocking.aligned(np.empty(x.nbytes + blocking.LINE, np.uint8))
    copy = np.ndarray(x.shape, x.dtype, memory, behind)
    np.copyto(copy, x)
    return copy


def conv_rows_case():
    """Convolution: windows copied, or products of rows that lie in the input."""
    for shape in (
        (8, 32, 32, 32, 3, "same"),
        (8, 16, 64, 64, 3, "same"),
        (8, 18, 32, 64, 5, "valid"),
        (16, 14, 64, 128, 7, "valid"),
    ):
        x, w, g, where = convolution(shape)

        def forward(x=x, w=w, where=where):
            run_with(lambda: conv.convolve(x, w, None, where), threads=1)

        def backward(g=g, w=w, where=where):
            run_with(lambda: conv.input_gradient(g, w, where), threads=1)

        def filters(x=x, g=g, where=where):
            run_with(lambda: conv.filter_gradient(x, g, where), threads=1)

        report(
            f"filter gradient {shape}, one thread",
            {
                "windows copied": replaced(
                    conv_rows, "fits_filter", lambda *_: False, filters
                ),
                "windows beside the first axis copied": filters,
            },
        )
        for name, fits, run in (
            ("convolution", "fits", forward),
            ("input gradient", "fits_back", backward),
        ):
            report(
                f"{name} {shape}, one thread",
                {
                    "windows copied": replaced(
                        products, "multiplies_unpacked", lambda: False, run
                    ),
                    "windows copied, small products": replaced(
                        conv_rows, fits, lambda *_: False, run
                    ),
                    "rows as they lie": run,
                },
            )
