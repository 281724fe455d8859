"""What the fast paths of minikeras/kernels gain over their plain twins.

    python -m benchmarks.kernels            # all cases
    python -m benchmarks.kernels pool conv  # some of them

A ratio above 1 is faster than the first line of its case.
"""

import sys

import numpy as np

from benchmarks.timing import report
from minikeras import config
from minikeras.kernels import blocking, conv, pool, update
from minikeras.kernels.windows import cell_places, geometry

# images, size, channels, filters, kernel, padding
SHAPES = [
    (128, 28, 1, 32, 3, "valid"),
    (128, 13, 32, 64, 3, "valid"),
    (32, 20, 16, 32, 3, "valid"),
    (32, 18, 32, 64, 5, "valid"),
    (32, 14, 64, 128, 7, "valid"),
    (64, 32, 3, 32, 3, "same"),
    (64, 32, 32, 32, 3, "same"),
    (64, 16, 64, 64, 3, "same"),
    (64, 8, 128, 128, 3, "same"),
]


def _convolution(shape):
    count, size, channels, filters, kernel, padding = shape
    rng = np.random.default_rng(0)
    x = rng.standard_normal((count, size, size, channels), np.float32)
    w = rng.standard_normal((kernel, kernel, channels, filters), np.float32)
    where = geometry((size, size), (kernel, kernel), (1, 1), padding)
    g = rng.standard_normal((count, *where.out, filters), np.float32)
    return x, w, g, where


def scatter_case():
    """Input gradient: windows of the padded gradient, or a matmul for each cell."""
    for shape in SHAPES:
        _scatter_ways(shape)


def _scatter_ways(shape):
    x, w, g, where = _convolution(shape)

    def run(scatter):
        dx = blocking.empty(x.shape, x.dtype)
        blocking.parallel(
            lambda part: scatter(g[part], dx[part]),
            conv._slices(g, w, where, x.shape[-1]),
        )

    report(
        f"input gradient {shape}",
        {
            "cells": lambda: run(conv._scatter_by_cells(w, where, 1)),
            "windows": lambda: run(conv._scatter_by_windows(w, where)),
            "chosen": lambda: run(conv._scatter(w, where, 1)),
        },
    )


def columns_case():
    """Copying windows row by row, or transposed where their runs are short."""
    for shape in SHAPES:
        x, w, _, where = _convolution(shape)
        padded = conv._pad(x[:8], where)
        view = conv.sliding(padded, where.out, where.kernel, (1, 1), (1, 1))
        flat = view.transpose(3, 4, 5, 0, 1, 2)
        rows, across = np.empty(view.shape, "f4"), np.empty(flat.shape, "f4")
        report(
            f"window copy {shape}",
            {
                "row by row": lambda a=rows, v=view: np.copyto(a, v),
                "transposed": lambda a=across, v=flat: np.copyto(a, v),
            },
        )


def conv_case():
    """Forward and backward: one slice for the whole batch, slices, and threads."""
    for shape in SHAPES:
        x, w, g, where = _convolution(shape)
        bias = np.zeros(w.shape[-1], "f4")
        y = conv.convolve(x, w, bias, where, relu=True)

        def forward(threads, size, x=x, w=w, bias=bias, where=where):
            _with(threads, size, lambda: conv.convolve(x, w, bias, where, relu=True))

        def backward(threads, size, x=x, w=w, y=y, g=g, where=where):
            _with(threads, size, lambda: conv.backward(x, w, y, g, where))

        for name, run in (("forward", forward), ("backward", backward)):
            report(
                f"{name} {shape}",
                {
                    "one slice, one thread": lambda r=run: r(1, 1 << 40),
                    "slices, one thread": lambda r=run: r(1, None),
                    "slices, all threads": lambda r=run: r(None, None),
                },
            )


def _with(threads, size, run):
    before = blocking.SLICE_BYTES, blocking.MIN_SLICES
    config.set_threads(threads)
    if size is not None:
        blocking.SLICE_BYTES, blocking.MIN_SLICES = size, 1
    try:
        run()
    finally:
        blocking.SLICE_BYTES, blocking.MIN_SLICES = before
        config.set_threads(None)


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
            pool._reduce(x, y, where, np.maximum, -np.inf)
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
            "counted": lambda: pool._first_max(x, y, index, where),
        },
    )


def buffers_case():
    """A training step of a convnet in fresh memory, or in memory used before."""
    from benchmarks.models import cnn, step_of

    step = step_of(*cnn())

    def fresh():
        before, blocking.SMALL = blocking.SMALL, 1 << 60
        step()
        blocking.SMALL = before

    report("convnet step, batch 128", {"fresh": fresh, "reused": step})


def denormals_case():
    """Adam on weights whose gradients have been zero for long, with and without."""
    w, m, v = (np.ones(1 << 18, "f4") for _ in range(3))
    g = np.zeros_like(w)

    def step(flush, start):
        m[...] = start
        update.adam(w, g, m, v, None, 1e-3, 0.9, 0.999, 1e-7, flush=flush)

    report(
        "Adam step, 262,144 weights",
        {
            "moments of 1e-40, as they come": lambda: step(False, 1e-40),
            "moments flushed to zero": lambda: step(False, 0.0),
            "a step that flushes": lambda: step(True, 0.0),
        },
    )


CASES = {
    name.removesuffix("_case"): run
    for name, run in list(globals().items())
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
