"""What the fast paths of minikeras/kernels gain over their plain twins.

    python -m benchmarks.kernels            # all cases
    python -m benchmarks.kernels pool conv  # some of them

A ratio above 1 is faster than the first line of its case.
"""

import sys

import numpy as np

import minikeras
from benchmarks import convolutions, products, steps
from benchmarks.settings import replaced, run_with
from benchmarks.timing import report
from benchmarks.workloads import WORKLOADS
from minikeras.kernels import (
    adaptive,
    blocking,
    curves,
    dense,
    dropout,
    embedding,
    norm,
    norm_rows,
    pool,
)
from minikeras.kernels.steps import do
from minikeras.kernels.windows import cell_places, geometry
from minikeras.ops.adaptive import sum_cells


def pool_case():
    """Pooling cell by cell of the window, or one axis after another."""
    for size, channels, kernel in ((26, 32, 2), (11, 64, 2), (32, 32, 3), (32, 32, 5)):
        x = np.random.default_rng(0).standard_normal(
            (16, size, size, channels), np.float32
        )
        where = geometry((size, size), (kernel, kernel), (2, 2), "valid")
        y = np.empty((16, *where.out, channels), "f4")

        def run(few, x=x, y=y, where=where):
            before, pool.FEW_CELLS = pool.FEW_CELLS, few
            pool.reduce_windows(x, y, where, np.maximum, -np.inf)
            pool.FEW_CELLS = before

        report(
            f"max pooling {kernel}x{kernel} of {x.shape}, one thread",
            {
                "cell by cell": lambda r=run: r(99),
                "axis after axis": lambda r=run: r(0),
                "chosen": lambda r=run: r(pool.FEW_CELLS),
            },
        )


def index_case():
    """The place of the first maximum: written under a mask, or counted."""
    x = np.random.default_rng(0).standard_normal((16, 26, 26, 32), np.float32)
    where = geometry((26, 26), (2, 2), (2, 2), "valid")
    y = pool.max_pool(x, where)
    index = np.empty(y.shape, np.uint8)

    def masked():
        index[...] = 0
        for cell, (positions, inputs) in reversed(list(enumerate(cell_places(where)))):
            np.copyto(index[positions], cell, where=x[inputs] == y[positions])

    report(
        "index of the first maximum",
        {
            "written under a mask": masked,
            "counted": lambda: do(pool._first_max(x, y, index, where)),
        },
    )


def calls_case():
    """The backward pass of max pooling on threads: each task makes its arrays between
    its calls, or all calls are a list before the threads begin."""
    rng = np.random.default_rng(0)
    where = geometry((16, 16), (2, 2), (2, 2), "valid")
    for count, channels in ((32, 32), (64, 64), (128, 128)):
        x = rng.standard_normal((count, 16, 16, channels), np.float32)
        y = pool.max_pool(x, where)
        g = np.ones_like(y)

        def by_tasks(x=x, y=y, g=g):
            dx = blocking.empty(x.shape, x.dtype)
            index = blocking.empty(y.shape, np.uint8)

            def task(part):
                do(pool._first_max(x[part], y[part], index[part], where))
                do(pool._scatter(g[part], index[part], dx[part], where))

            blocking.parallel(task, pool._slices(x, where))

        report(
            f"backward pass of max pooling, x {x.shape}",
            {
                "made by the tasks": by_tasks,
                "a list": lambda x=x, y=y, g=g: pool.max_backward(x, y, g, where),
            },
        )


def spread_case():
    """The gradient of a mean over all cells: in fresh memory, or in memory used before,
    on threads."""
    for shape in ((32, 16, 16, 64), (32, 32, 32, 128)):
        g = np.ones((shape[0], 1, 1, shape[-1]), "f4")
        report(
            f"{g.shape} spread to {shape}",
            {
                "fresh": lambda g=g, to=shape: np.array(np.broadcast_to(g, to)),
                "spread": lambda g=g, to=shape: blocking.spread(g, to),
            },
        )


def average_case():
    """The gradient of average pooling: added up along one axis after another, copied to
    all cells, or with runs of few channels taken along the last axis first."""
    for count, size, channels in ((128, 28, 6), (128, 10, 16), (32, 32, 32)):
        where = geometry((size, size), (2, 2), (2, 2), "valid")
        g = np.ones((count, *where.out, channels), "f4")

        def run(g=g, where=where):
            pool.average_backward(g, where)

        report(
            f"gradient of the average of {g.shape}",
            {
                "added": replaced(pool, "_repeat", pool._add_to_cells, run),
                "copied": replaced(pool, "FEW_CHANNELS", 0, run),
                "taken, then copied": replaced(pool, "FEW_CHANNELS", 1 << 30, run),
                "chosen": run,
            },
        )


def curves_case():
    """Activations and their slopes: by formulas of NumPy, or in pieces, in memory used
    before, on threads."""
    for count in (1 << 16, 1 << 19, 1 << 21):
        x = np.random.default_rng(0).standard_normal(count).astype("f4")
        g, y = np.ones_like(x), np.tanh(x)
        ways = {
            "tanh": (lambda x=x: np.tanh(x), lambda x=x: curves.tanh(x)),
            "its slope": (
                lambda g=g, y=y: g - g * y * y,
                lambda g=g, y=y: curves.tanh_backward(g, y),
            ),
            "sigmoid": (lambda x=x: _sigmoid(x), lambda x=x: curves.sigmoid(x)),
            "slope of sigmoid": (
                lambda g=g, y=y: g * (y - y * y),
                lambda g=g, y=y: curves.sigmoid_backward(g, y),
            ),
            "silu": (lambda x=x: x * _sigmoid(x), lambda x=x: curves.gate(x)),
            "elu": (
                lambda x=x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
                lambda x=x: curves.elu(x, 1.0),
            ),
        }
        for name, (formula, pieces) in ways.items():
            report(
                f"{name} of {count:,} numbers",
                {
                    "formula": formula,
                    "one thread": lambda run=pieces: run_with(run, threads=1),
                    "pieces": pieces,
                },
            )
    lenet = WORKLOADS["lenet"]  # malloc gives the formula fresh memory in a step only
    model, batch = lenet.build(minikeras), lenet.data(1)

    def step():
        model.train_on_batch(*batch)

    report(
        lenet.title,
        {"tanh by formula": replaced(curves, "tanh", np.tanh, step), "pieces": step},
    )


def _sigmoid(x):
    decay = np.exp(-np.abs(x))
    return np.where(x >= 0, np.float32(1), decay) / (1 + decay)


def adaptive_case():
    """Pooling to a number of windows: one at a time, or all that look alike at once."""
    for size, channels, out in ((32, 32, 8), (28, 64, 6), (56, 16, 7), (9, 256, 4)):
        x = np.random.default_rng(0).standard_normal(
            (16, size, size, channels), np.float32
        )
        y = adaptive.max_pool(x, 2, out)
        for name, reduce, run in (
            ("max", np.max, lambda x=x, n=out: adaptive.max_pool(x, 2, n)),
            ("mean", np.mean, lambda x=x, n=out: adaptive.average_pool(x, 2, n)),
            ("argmax", np.argmax, lambda x=x, y=y: adaptive.first_max(x, y, 2)),
        ):
            each = replaced(adaptive, "gcd", lambda *sizes: 1, run)
            report(
                f"adaptive {name}, {x.shape} to {out} columns, one thread",
                {
                    "NumPy, window by window": lambda x=x, n=out, r=reduce: [
                        r(x[:, :, first:end], axis=2)
                        for first, end in adaptive.window_bounds(x.shape[2], n)
                    ],
                    "cells, window by window": lambda r=each: run_with(r, threads=1),
                    "cells, like windows at once": lambda r=run: run_with(r, threads=1),
                },
            )


def sum_cells_case():
    """Global average pooling: a sum over the middle axes, or products with ones."""
    for shape in ((32, 7, 7, 512), (32, 28, 28, 64), (64, 100, 128)):
        x = np.random.default_rng(0).standard_normal(shape, np.float32)
        axes = tuple(range(1, x.ndim - 1))
        report(
            f"sum of the cells of {shape}",
            {
                "np.sum": lambda x=x, axes=axes: np.sum(x, axis=axes),
                "products with ones": lambda x=x: sum_cells(x),
            },
        )


def embedding_case():
    """Gradient of an embedding: rows added up, or their numbers, all or in blocks."""
    for count, rows, width in (
        (3200, 10000, 64),
        (3200, 1000, 16),
        (8192, 50, 8),
        (65536, 10000, 64),
        (256, 30000, 300),
    ):
        rng = np.random.default_rng(0)
        g = rng.standard_normal((count, width), np.float32)
        index = rng.integers(0, rows, count)

        def row_by_row(g=g, index=index, rows=rows, width=width):
            table = blocking.empty((rows, width), g.dtype)
            table.fill(0)
            np.add.at(table, index, g)

        def sorted_rows(g=g, index=index, rows=rows, width=width):
            table = blocking.empty((rows, width), g.dtype)
            table.fill(0)
            order = np.argsort(index, kind="stable")
            ascending = index[order]
            starts = np.flatnonzero(np.diff(ascending, prepend=-1))
            table[ascending[starts]] = np.add.reduceat(g[order], starts, axis=0)

        def numbers(g=g, index=index, rows=rows):
            embedding.scatter_add(g, index, rows)

        report(
            f"{count} rows of {width} into {rows}",
            {
                "row by row": row_by_row,
                "sorted, then reduced": sorted_rows,
                "all numbers at once": replaced(embedding, "_BLOCK", 1 << 62, numbers),
                "numbers in blocks": numbers,
            },
        )


def norm_case():
    """Normalisation of columns and rows: formulas of NumPy, or in cache-sized pieces
    with long runs; sums of rows by `np.add.reduce`, or as products."""
    for layout in (
        (1, 64 * 32 * 32, 32, 1),  # batch normalisation of images
        (1, 256, 512, 1),  # of vectors
        (32, 28 * 28, 8, 8),  # group normalisation
        (3200, 1, 1, 64),  # layer normalisation of sequences
        (8192, 1, 1, 512),
    ):
        rng = np.random.default_rng(0)
        x = rng.standard_normal(layout, np.float32)
        g = rng.standard_normal(layout, np.float32)
        gamma = rng.standard_normal(layout[2] * layout[3], np.float32)
        stats = norm.statistics(x)
        other = (norm, "RUN", 1), "rows one by one"
        if layout[1] == layout[2] == 1:
            other = (norm_rows, "_row_sum", _reduced_row_sum), "sums reduced"

        def forward(x=x, gamma=gamma):
            norm.normalize(x, gamma, gamma, norm.statistics(x), 1e-3)

        def backward(x=x, g=g, gamma=gamma, stats=stats):
            norm.backward(x, gamma, g, stats, 1e-3)

        ways = {
            "forward": (lambda x=x, a=gamma: _norm_formula(x, a), forward),
            "backward": (
                lambda x=x, g=g, a=gamma: _norm_backward_formula(x, a, g),
                backward,
            ),
        }
        for name, (formula, run) in ways.items():
            report(
                f"normalisation {name}, blocks, rows, groups, columns {layout}",
                {
                    "formula": formula,
                    f"{other[1]}, one thread": replaced(
                        *other[0], lambda r=run: run_with(r, threads=1)
                    ),
                    "chosen, one thread": lambda r=run: run_with(r, threads=1),
                    "chosen": run,
                },
            )


def norm_shift_case():
    """Statistics of columns whose means are far from zero, or not: found out after a
    pass over all rows, or from a sample."""
    for rows, columns in ((65536, 32), (16384, 64), (4096, 128)):
        for mean in (0, 3):
            drawn = np.random.default_rng(0).normal(mean, size=(1, rows, columns, 1))
            x = drawn.astype("f4")

            def run(x=x):
                norm.statistics(x)

            report(
                f"statistics of {rows:,} rows, {columns} columns, mean {mean}",
                {"after a pass": replaced(norm, "SAMPLE", 1 << 60, run), "sample": run},
            )


def dropout_case():
    """Dropout: by random floats, as its formula says, or by random bytes."""
    rng = np.random.Generator(np.random.SFC64(0))
    for rate in (0.5, 0.1):
        x = rng.standard_normal((128, 1600), np.float32)

        def formula(x=x, rate=rate):
            return x * (
                (rng.random(x.shape, np.float32) >= rate) / np.float32(1 - rate)
            )

        def ours(x=x, rate=rate):
            return dropout.drop(x, dropout.kept(rng, x.shape, rate), 1 / (1 - rate))

        ways = {"random floats": formula, "random bytes": ours}
        report(f"dropout of {x.size:,} numbers, rate {rate}", ways)


def norm_relu_case():
    """Batch normalisation and ReLU: one after the other, or in one pass."""
    for rows, columns in ((64 * 32 * 32, 32), (32 * 16 * 16, 64), (256, 512)):
        rng = np.random.default_rng(0)
        x = rng.standard_normal((1, rows, columns, 1), np.float32)
        g = rng.standard_normal(x.shape, np.float32)
        gamma, beta = rng.standard_normal((2, columns), np.float32)
        stats = norm.statistics(x)
        y = norm.normalize(x, gamma, beta, stats, 1e-3, relu=True)

        def forward(relu, x=x, gamma=gamma, beta=beta, stats=stats):
            return norm.normalize(x, gamma, beta, stats, 1e-3, relu)

        def backward(g, y, x=x, gamma=gamma, stats=stats):
            norm.backward(x, gamma, g, stats, 1e-3, relu_output=y)

        def relu_behind(forward=forward):
            y = forward(False)
            cut = blocking.empty(y.shape, y.dtype)
            blocking.each_piece(lambda y, cut: np.maximum(y, 0, out=cut), y, cut)

        report(
            f"normalise {rows} rows of {columns}, and ReLU",
            {
                "one after the other": relu_behind,
                "in one pass": lambda f=forward: f(True),
                "without ReLU": lambda f=forward: f(False),
            },
        )
        report(
            f"its backward, {rows} rows of {columns}",
            {
                "one after the other": lambda f=backward, g=g, y=y: f(
                    dense.mask_by_output(g, y), None
                ),
                "in one pass": lambda f=backward, g=g, y=y: f(g, y),
                "without ReLU": lambda f=backward, g=g: f(g, None),
            },
        )


def _reduced_row_sum(x, y):
    product = x if y is None else x * y
    return np.add.reduce(product, axis=1, keepdims=True).astype(np.float64)


def _norm_formula(x, gamma):
    scale = gamma.reshape(x.shape[2:])
    mean = x.mean((1, 3), keepdims=True)
    inverse = 1 / np.sqrt(x.var((1, 3), keepdims=True) + np.float32(1e-3))
    return (x - mean) * inverse * scale + scale


def _norm_backward_formula(x, gamma, g):
    inverse = 1 / np.sqrt(x.var((1, 3), keepdims=True) + np.float32(1e-3))
    xhat = (x - x.mean((1, 3), keepdims=True)) * inverse
    scaled = g * gamma.reshape(x.shape[2:])
    dx = scaled - scaled.mean((1, 3), keepdims=True)
    dx -= xhat * (scaled * xhat).mean((1, 3), keepdims=True)
    return dx * inverse, (g * xhat).sum((0, 1)), g.sum((0, 1))


CASES = {
    name.removesuffix("_case").replace("_", "-"): run
    for module in (vars(products), vars(convolutions), globals(), vars(steps))
    for name, run in list(module.items())
    if name.endswith("_case")
}


def main(names):
    unknown = set(names) - set(CASES)
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; cases are {', '.join(CASES)}")
    for name in names or CASES:
        CASES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
