"""Derivatives of looking images up at other places, and of turning some of them over.

A warp is linear in the image and smooth in the places (order 1, between the cells).
"""

from itertools import product
from math import prod

import autograd.numpy as anp
import numpy as np
from autograd.extend import def_linear, defjvp, defvjp

from minikeras.kernels import image as kernels
from minikeras.ops.base import Array, getval, primitive
from minikeras.ops.gather import take_rows


@primitive
def warp_images(x, *, grid, order: int, mode: str, fill: float = 0.0):
    """Images (N, H, W, C) at the places of a grid, a `kernels.image.Grid`."""
    return kernels.warp(x, grid, order, mode, fill)


@primitive
def unwarp_images(g, *, grid, order: int, mode: str, sizes):
    return kernels.unwarp(g, grid, order, mode, sizes)


def _gathered(y, x, *, grid, order, mode, fill=0.0):
    options = {"grid": grid, "order": order, "mode": mode, "sizes": x.shape[1:3]}
    return lambda g: unwarp_images(g, **options)


def _scattered(x, g, *, grid, order, mode, sizes):
    return lambda u: warp_images(u, grid=grid, order=order, mode=mode)


defvjp(warp_images, _gathered)
defjvp(
    warp_images,
    lambda d, y, x, grid, order, mode, fill=0.0: warp_images(
        d, grid=grid, order=order, mode=mode
    ),
)
defvjp(unwarp_images, _scattered)
def_linear(unwarp_images)


@primitive
def flip_some(x, *, which: np.ndarray, axes: tuple[int, ...]):
    """The images (N, ...) with those of `which` (N,) in reverse order along `axes`."""
    return kernels.flip_some(x, which, axes)


defvjp(
    flip_some, lambda y, x, which, axes: lambda g: flip_some(g, which=which, axes=axes)
)
def_linear(flip_some)


def warp_traced(
    x: Array, rows: Array, columns: Array, mode: str, fill: float = 0.0
) -> Array:
    """`warp_images` of order 1, with gradients for rows and columns (N, h, w) too."""
    found: Array = 0.0
    for (row, by_row), (column, by_column) in product(
        _beside(rows, 1), _beside(columns, 1)
    ):
        grid = kernels.Given(row, column)
        value = warp_images(x, grid=grid, order=0, mode=mode, fill=fill)
        found = found + (by_row * by_column)[..., None] * value
    return found


def sample(
    x: Array, places: list[Array], order: int, mode: str, fill: float = 0.0
) -> Array:
    """x (S1, S2, ...) at places, an array of coordinates for each axis of x.

    Gradients flow to the places too, where `order` is 1.
    """
    found: Array = 0.0
    shape, flat = anp.shape(places[0]), anp.reshape(x, (-1, 1))
    for corner in product(*(_beside(place, order) for place in places)):
        number, known = np.zeros(shape, np.intp), np.ones(shape, x.dtype)
        for (cell, _), size in zip(corner, x.shape, strict=True):
            number = number * size + kernels.inside(cell, size, mode).astype(np.intp)
            if mode == "constant":
                known *= (cell >= 0) & (cell < size)
        value = anp.reshape(take_rows(flat, number.reshape(-1)), shape)
        if mode == "constant":
            value = value * known + (1 - known) * np.asarray(fill, x.dtype)
        found = found + prod(weight for _, weight in corner) * value
    return found


def _beside(place: Array, order: int) -> list[tuple[np.ndarray, Array]]:
    """The cells beside each place along an axis, and their weights."""
    plain = getval(place)
    if order == 0:
        return [(kernels.half_away(plain), np.ones_like(plain))]
    low = np.floor(plain)
    share = place - low
    return [(low, 1 - share), (low + 1, share)]
