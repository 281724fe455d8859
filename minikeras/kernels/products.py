"""Products of matrices, cut into blocks that BLAS multiplies as they lie.

Before it multiplies, BLAS copies both matrices into an order of its own. With few
columns that takes longer than the product. OpenBLAS has kernels for processors with
AVX-512 that do without the copy, for products of up to `UNPACKED` multiplications; a
product that is larger can be handed over as a stack of such blocks of rows. They are
at their best when the right matrix begins at a cache line (benchmarks/kernels.py,
"small-products").
"""

from functools import cache, lru_cache

import numpy as np

from minikeras.kernels import blocking

UNPACKED = 10**6  # multiplications
FEWEST_ROWS = 8  # in a block
LARGEST_SUM = 1 << 15  # numbers of a product whose parts are cheap to add up
SHORTEST_SUM, LONGEST_SUM = 96, 512  # terms of such a part
HELD = 500  # numbers of a product up to which NumPy's matmul keeps the interpreter


@cache
def multiplies_unpacked() -> bool:
    """Whether the BLAS that NumPy uses has such kernels on this machine."""
    return any(
        library.internal_api == "openblas"
        and getattr(library, "architecture", None)
        in ("SkylakeX", "Cooperlake", "SapphireRapids")
        for library in blocking.single_threaded_blas.libraries
    )


def multiply(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out = a @ b for matrices; a and out may be transposed or cut out of others."""
    blocks = row_blocks(len(a), b.size) if multiplies_unpacked() else 1
    if blocks == 1:
        _multiply(a, b, out)
        return
    shape = blocks, len(a) // blocks  # to split an axis never copies
    np.matmul(a.reshape(*shape, -1), b, out=out.reshape(*shape, -1))


def multiply_each(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out[i] = a @ b[i] for a matrix and a stack of matrices, in one call."""
    blocks = row_blocks(len(a), b.shape[1] * b.shape[2]) if multiplies_unpacked() else 1
    if blocks == 1:
        np.matmul(a, b, out=out)
        return
    shape = blocks, len(a) // blocks
    parts = out.reshape(len(b), *shape, b.shape[2])
    np.matmul(a.reshape(*shape, -1), b[:, None], out=parts)


def multiply_turned(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out = a.T @ b for matrices with many rows, the sums in parts."""
    columns, rows = _turned_blocks(len(a), a.shape[1], b.shape[1])
    if columns == 0 or not multiplies_unpacked():
        _multiply(a.T, b, out)
        return
    stacks, width, filters = len(a) // rows, a.shape[1] // columns, b.shape[1]
    left = a.reshape(stacks, rows, width, columns).transpose(0, 2, 3, 1)
    if stacks == 1:
        np.matmul(left, b, out=out.reshape(1, width, columns, filters))
        return
    parts = blocking.empty((stacks, width, columns, filters), out.dtype)
    right = b.reshape(stacks, 1, rows, filters)
    np.matmul(left, right, out=parts)
    np.add.reduce(parts.reshape(stacks, *out.shape), axis=0, out=out)


def _multiply(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    """out = a @ b. While NumPy's matmul has few numbers to find, however many terms
    each has, other threads wait for the interpreter; its dot lets go of it
    (benchmarks/kernels.py, "held")."""
    few = out.size <= HELD and out.flags.c_contiguous
    alike = a.dtype == b.dtype == out.dtype  # which dot insists on
    (np.dot if few and alike else np.matmul)(a, b, out=out)


@lru_cache(maxsize=256)
def _turned_blocks(rows: int, width: int, filters: int) -> tuple[int, int]:
    """Columns and rows of `a` in a block; (0, 0) if none take the small kernels.

    Blocks are as wide as `a` unless they would be too short, and then as long as
    possible, which leaves fewer sums to add up.
    """
    if width * filters > LARGEST_SUM:
        return 0, 0
    shortest, longest = SHORTEST_SUM, LONGEST_SUM
    for columns in (width, *(n for n in range(48, 23, -1) if width % n == 0)):
        most = min(rows, longest, UNPACKED // max(1, columns * filters))
        found = next((n for n in range(most, shortest - 1, -1) if rows % n == 0), 0)
        if found:
            return columns, found
        shortest, longest = 128, rows
    return 0, 0


@lru_cache(maxsize=256)
def good_block(rows: int, row: int, columns: int) -> int:
    """How many rows to take at a time where they are far apart; 0 if none fit.

    The small kernels take six rows at a time if there are few columns, and four if
    there are many.
    """
    together = 6 if columns < 64 else 4
    most = min(28, UNPACKED // max(1, row * columns))
    sizes = (n for n in range(6, most + 1) if rows % n == 0)
    return max(sizes, key=lambda n: (n % together == 0, n % 2 == 0, n), default=0)


@lru_cache(maxsize=256)
def row_blocks(rows: int, each: int) -> int:
    """The fewest equal blocks of rows that take the small kernels; 1 if none do."""
    if rows * each <= UNPACKED:
        return 1
    most = UNPACKED // max(1, each)
    for count in range(-(-rows // max(1, most)), rows // FEWEST_ROWS + 1):
        if rows % count == 0:
            return count
    return 1
