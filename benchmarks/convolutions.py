"""What the fast paths of the convolutions gain; run by `benchmarks.kernels`."""

import numpy as np

from benchmarks.settings import replaced, run_with
from benchmarks.timing import report
from minikeras.kernels import (
    blocking,
    conv,
    conv_fourier,
    conv_pool,
    conv_transpose,
    depthwise,
    pool,
)
from minikeras.kernels.steps import do, do_each, put
from minikeras.kernels.windows import geometry, transposed_geometry
from minikeras.kernels.workspace import workspace
from minikeras.ops.conv_norm import convolve_normalized
from minikeras.ops.convolution import merge_groups
from minikeras.ops.standardize import normalize_by

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


def by_windows(run):
    """A function that calls `run` with convolutions as sums over windows."""
    return replaced(conv_fourier, "plan", lambda *_: None, run)


def convolution(shape):
    """x, w, g and the geometry of one row of `SHAPES`."""
    count, size, channels, filters, kernel, padding = shape
    rng = np.random.default_rng(0)
    x = rng.standard_normal((count, size, size, channels), np.float32)
    w = rng.standard_normal((kernel, kernel, channels, filters), np.float32)
    where = geometry((size, size), (kernel, kernel), (1, 1), padding)
    g = rng.standard_normal((count, *where.out, filters), np.float32)
    return x, w, g, where


def few_channels_case():
    """Convolutions of few channels: a slice for each thread only where the arithmetic
    alone is worth it, or where the time is."""

    def arithmetic(numbers, columns):
        return 2 * numbers * columns // blocking.PRODUCT

    for shape in ((32, 28, 8, 8, 3, "same"), (32, 32, 4, 4, 3, "same")):
        x, w, g, where = convolution(shape)
        bias = np.zeros(w.shape[-1], "f4")
        ways = {
            "forward": lambda x=x, w=w, b=bias, at=where: conv.convolve(x, w, b, at),
            "backward": lambda x=x, w=w, g=g, at=where: conv.backward(
                x, w, None, g, at
            ),
        }
        for name, run in ways.items():
            report(
                f"{name}, {shape}",
                {
                    "by arithmetic": replaced(
                        blocking, "product_work", arithmetic, run
                    ),
                    "by time": run,
                },
            )


def conv_pool_case():
    """Convolution and max pooling: one after the other, or in one pass."""
    for shape in SHAPES[:3]:
        x, w, _, where = convolution(shape)
        bias = np.zeros(w.shape[-1], "f4")
        pooled = geometry(where.out, (2, 2), (2, 2), "valid")

        def apart(x=x, w=w, bias=bias, where=where, pooled=pooled):
            full = conv.convolve(x, w, bias, where, relu=True)
            y = pool.max_pool(full, pooled)
            g = pool.max_backward(full, y, y, pooled)
            conv.backward(x, w, full, g, where)

        def joined(x=x, w=w, bias=bias, where=where, pooled=pooled):
            y, kept = conv_pool.forward(x, w, bias, where, pooled, True, True)
            conv_pool.backward(x, w, bias, y, kept, y, where, pooled, True)

        report(
            f"{x.shape} * {w.shape}, pooled 2x2, forward and backward",
            {"one after the other": apart, "in one pass": joined},
        )


def scatter_case():
    """Input gradient: windows of the padded gradient, or a matmul for each cell."""
    for shape in SHAPES:
        _scatter_ways(shape)


def _scatter_ways(shape):
    x, w, g, where = convolution(shape)

    def run(scatter):
        dx = blocking.empty(x.shape, x.dtype)
        parts = conv.slices(g, w, where, x.shape[-1])
        do_each(lambda part: scatter(g[part], dx[part]), parts)

    report(
        f"input gradient {shape}",
        {
            "cells": lambda: run(conv._scatter_by_cells(w, where, 1)),
            "windows": lambda: run(conv._scatter_by_windows(w, where)),
            "chosen": lambda: run(conv.scattering(w, where, 1)),
        },
    )


def columns_case():
    """Copying windows row by row, or transposed where their runs are short."""
    for shape in SHAPES:
        x, w, _, where = convolution(shape)
        steps, padded = conv.pad(x[:8], where)
        do(steps)
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
        x, w, g, where = convolution(shape)
        bias = np.zeros(w.shape[-1], "f4")
        y = conv.convolve(x, w, bias, where, relu=True)

        def forward(threads, size, x=x, w=w, bias=bias, where=where):
            run = by_windows(lambda: conv.convolve(x, w, bias, where, relu=True))
            run_with(run, threads, size)

        def backward(threads, size, x=x, w=w, y=y, g=g, where=where):
            run_with(
                by_windows(lambda: conv.backward(x, w, y, g, where)), threads, size
            )

        for name, run in (("forward", forward), ("backward", backward)):
            report(
                f"{name} {shape}",
                {
                    "one slice, one thread": lambda r=run: r(1, 1 << 40),
                    "slices, one thread": lambda r=run: r(1, None),
                    "slices, all threads": lambda r=run: r(None, None),
                },
            )


def conv_norm_case():
    """Convolution, normalisation by given statistics and ReLU: one after the other, or
    while a slice of the convolution is in the cache."""
    for shape in SHAPES:
        for count in (1, shape[0]):
            x, w, _, where = convolution((count, *shape[1:]))
            vectors = np.random.default_rng(0).uniform(1, 2, (4, w.shape[-1]))
            mean, variance, gamma, beta = vectors.astype("f4")

            def together(x=x, w=w, where=where, v=(mean, variance, gamma, beta)):
                convolve_normalized(
                    x, w, None, *v, epsilon=1e-3, geometry=where, relu=True
                )

            def apart(x=x, w=w, where=where, v=(mean, variance, gamma, beta)):
                y = conv.convolve(x, w, None, where)
                normalize_by(y, *v, -1, 1e-3, True)

            report(
                f"convolution, normalisation, ReLU {(count, *shape[1:])}",
                {"one after the other": apart, "in one pass": together},
            )


def conv_fourier_case():
    """Convolution as sums over windows, or by Fourier transforms; their calls made for
    each convolution, or kept from the one before."""
    before = conv_fourier.MOST_ALONE, conv_fourier.MOST_TOGETHER
    conv_fourier.MOST_ALONE = conv_fourier.MOST_TOGETHER = 1.1
    for shape in SHAPES:
        x, w, g, where = convolution(shape)
        if conv_fourier.plan(where, len(x), w, "y") is None:
            continue
        bias = np.zeros(w.shape[-1], "f4")
        y = conv.convolve(x, w, bias, where, relu=True)
        runs = {
            "forward": lambda x=x, w=w, bias=bias, at=where: conv.convolve(
                x, w, bias, at, relu=True
            ),
            "backward": lambda x=x, w=w, y=y, g=g, at=where: conv.backward(
                x, w, y, g, at
            ),
        }
        for name, run in runs.items():

            def forgetful(run=run):
                workspace()._programs.clear()
                run()

            report(
                f"{name} {shape}",
                {
                    "sums over windows": by_windows(run),
                    "Fourier, calls made each time": forgetful,
                    "Fourier, calls kept": run,
                },
            )
    conv_fourier.MOST_ALONE, conv_fourier.MOST_TOGETHER = before


def groups_case():
    """Convolution in many small groups: as they are, or some merged into one."""
    for channels, groups, size in (
        (64, 32, 28),
        (64, 16, 28),
        (64, 8, 28),
        (48, 6, 14),
    ):
        x, w, g, where = convolution((32, size, channels, channels, 3, "same"))
        w = np.ascontiguousarray(w[..., : channels // groups, :])
        y = conv.convolve(x, w, None, where, groups, relu=True)

        def forward(merge, x=x, w=w, where=where, groups=groups):
            if merge:
                w = merge_groups(w, groups)
                groups = x.shape[-1] // w.shape[-2]
            conv.convolve(x, w, None, where, groups, relu=True)

        def backward(merge, x=x, w=w, y=y, g=g, where=where, groups=groups):
            if merge:
                w = merge_groups(w, groups)
                groups = x.shape[-1] // w.shape[-2]
            conv.backward(x, w, y, g, where, groups)

        for name, run in (("forward", forward), ("backward", backward)):
            report(
                f"{name}, {channels} channels {size}x{size} in {groups} groups",
                {
                    "each group by itself": lambda r=run: r(False),
                    "merged": lambda r=run: r(True),
                },
            )


def depthwise_case():
    """Depthwise convolution: cell by cell, or one einsum over long runs."""
    for count, size, channels, depth, kernel, stride in (
        (64, 32, 32, 1, 3, 1),
        (32, 28, 64, 1, 3, 1),
        (32, 28, 64, 1, 3, 2),
        (32, 14, 128, 1, 5, 1),
        (32, 28, 16, 2, 3, 1),
    ):
        rng = np.random.default_rng(0)
        x = rng.standard_normal((count, size, size, channels), np.float32)
        w = rng.standard_normal((kernel, kernel, channels, depth), np.float32)
        where = geometry((size, size), (kernel, kernel), (stride, stride), "same")
        g = rng.standard_normal((count, *where.out, channels * depth), np.float32)
        grouped = w.reshape(kernel, kernel, 1, -1)
        title = f"{x.shape}, {depth} filters each, {kernel}x{kernel}, stride {stride}"
        products = {
            "forward": lambda x=x, w=w, at=where: depthwise.convolve(x, w, None, at),
            "dx": lambda g=g, w=w, at=where: depthwise.input_gradient(g, w, at),
            "dw": lambda x=x, g=g, at=where: depthwise.filter_gradient(x, g, at),
        }
        groups = {
            "forward": lambda x=x, w=grouped, at=where, c=channels: conv.convolve(
                x, w, None, at, c
            ),
            "dx": lambda g=g, w=grouped, at=where, c=channels: conv.input_gradient(
                g, w, at, c
            ),
            "dw": lambda x=x, g=g, at=where, c=channels: conv.filter_gradient(
                x, g, at, c
            ),
        }
        for name, run in products.items():
            plain = ("_sum_products", _cell_by_cell)
            if name == "dw":
                plain = ("_sum_of_product", _multiplied_then_summed)
            report(
                f"depthwise {name} {title}",
                {
                    "cell by cell": replaced(depthwise, *plain, run),
                    "a group for each channel": groups[name],
                    "einsum, column by column": replaced(depthwise, "RUN", 1, run),
                    "einsum, long runs": run,
                },
            )


def _cell_by_cell(terms, out):
    """`depthwise._sum_products` as a multiplication and an addition for each cell."""
    work = blocking.empty(out.shape, out.dtype)
    steps = [put(out, None, 0)]
    for windows, weights in terms:
        cells = windows.shape[: windows.ndim - out.ndim]
        for columns, width in depthwise._blocks(out.shape[-1], weights.shape[-1]):
            product = depthwise._split(work[..., columns], width)
            for cell in np.ndindex(cells):
                source = depthwise._split(windows[cell][..., columns], width)
                target = out[..., columns]
                steps.append((np.multiply, source, weights[cell][:width], product))
                steps.append((np.add, target, work[..., columns], target))
    return steps


def _multiplied_then_summed(x, g, block, out):
    """`depthwise._sum_of_product` with the product in an array of its own."""
    product = blocking.empty(x.shape, x.dtype)
    rows = product.reshape(-1, len(out))
    return [(np.multiply, x, g, product), (np.add.reduce, rows, 0, out)]


def transposed_case():
    """Transposed convolution: sums cell by cell, or in blocks as wide as the stride;
    backward as two products, or as one that makes the windows once."""
    for size, channels, filters, kernel, stride in (
        (16, 64, 3, 4, 2),
        (16, 64, 16, 3, 2),
        (14, 64, 32, 5, 2),
        (7, 128, 64, 5, 2),
        (8, 128, 64, 2, 2),
        (7, 64, 16, 5, 3),
    ):
        rng = np.random.default_rng(0)
        where = transposed_geometry((size,) * 2, (kernel,) * 2, (stride,) * 2, "same")
        x = rng.standard_normal((64, size, size, channels), np.float32)
        w = rng.standard_normal((kernel, kernel, filters, channels), np.float32)
        g = rng.standard_normal((64, *where.sizes, filters), np.float32)

        def run(x=x, w=w, where=where):
            conv_transpose.convolve_transposed(x, w, None, where)

        def two_products(x=x, w=w, g=g, where=where):
            conv.convolve(g, w, None, where)
            conv.filter_gradient(g, x, where)
            np.add.reduce(g.reshape(-1, g.shape[-1]), axis=0)

        title = f"{x.shape}, {filters} filters {kernel}x{kernel}, stride {stride}"
        report(
            f"transposed {title}",
            {
                "cell by cell": replaced(
                    conv_transpose,
                    "_scatter_by_blocks",
                    lambda w, where: conv._scatter_by_cells(w, where, 1),
                    run,
                ),
                "in blocks": run,
            },
        )
        report(
            f"transposed backward {title}",
            {
                "two products": two_products,
                "in one": lambda x=x, w=w, g=g, where=where: conv_transpose.backward(
                    x, w, None, g, where
                ),
            },
        )
