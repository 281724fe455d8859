"""Blocks of pixels laid out as channels, and the other way."""

from collections.abc import Sequence
from typing import Any

import autograd.numpy as anp

from minikeras.config import standardize_data_format
from minikeras.ops.base import Array, convert
from minikeras.ops.sliding import needs_rank
from minikeras.validation import positive_int, shape_text


def depth_to_space(
    x: Any, block_size: int, data_format: str | None = "channels_last"
) -> Array:
    """Channels laid out as blocks of pixels; `space_to_depth` is the way back.

    Args:
        x: images (N, H, W, B * B * C), or (N, C * B * B, H, W) channels first.
        block_size: B, the side of a block, at least 2.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Output shape: (N, H * B, W * B, C), or (N, C, H * B, W * B).

    Raises:
        ValueError: for arrays of another rank, channels that make no whole blocks, a
            smaller block or another data format.

    >>> depth_to_space([[[[0.0, 1.0, 2.0, 3.0]]]], 2)[0, ..., 0]
    array([[0., 1.],
           [2., 3.]], dtype=float32)
    """
    x, block, last = _block_arguments(x, block_size, data_format, "depth_to_space")
    channels = x.shape[3 if last else 1]
    if channels % block**2:
        raise ValueError(
            f"depth_to_space: the number of channels must be a multiple of "
            f"{block**2}, `block_size` squared. Received: {channels} channels, in an "
            f"array of shape {shape_text(x.shape)}"
        )
    if last:
        n, h, w, _ = x.shape
        parts = (n, h, w, block, block, -1)
        order, shape = (0, 1, 3, 2, 4, 5), (n, h * block, w * block, -1)
    else:
        n, _, h, w = x.shape
        parts = (n, channels // block**2, block, block, h, w)
        order, shape = (0, 1, 4, 2, 5, 3), (n, -1, h * block, w * block)
    return _rearranged(x, parts, order, shape)


def space_to_depth(
    x: Any, block_size: int, data_format: str | None = "channels_last"
) -> Array:
    """Blocks of pixels laid out as channels; `depth_to_space` is the way back.

    Args:
        x: images (N, H, W, C), or (N, C, H, W) channels first.
        block_size: B, the side of a block, at least 2.
        data_format: `"channels_last"` or `"channels_first"`; the default for None.

    Output shape: (N, H / B, W / B, B * B * C), or (N, C * B * B, H / B, W / B).

    Raises:
        ValueError: for arrays of another rank, sides that are no whole blocks, a
            smaller block or another data format.

    >>> space_to_depth([[[[0.0], [1.0]], [[2.0], [3.0]]]], 2)
    array([[[[0., 1., 2., 3.]]]], dtype=float32)
    """
    x, block, last = _block_arguments(x, block_size, data_format, "space_to_depth")
    h, w = x.shape[1:3] if last else x.shape[2:]
    if h % block or w % block:
        raise ValueError(
            f"space_to_depth: height and width must be multiples of {block}, the "
            f"`block_size`. Received: an array of shape {shape_text(x.shape)}"
        )
    h, w = h // block, w // block
    if last:
        n, channels = x.shape[0], x.shape[3]
        parts = (n, h, block, w, block, channels)
        order, shape = (0, 1, 3, 2, 4, 5), (n, h, w, channels * block**2)
    else:
        n, channels = x.shape[:2]
        parts = (n, channels, h, block, w, block)
        order, shape = (0, 1, 3, 5, 2, 4), (n, channels * block**2, h, w)
    return _rearranged(x, parts, order, shape)


def _block_arguments(x, block_size, data_format, owner):
    x, block = convert(x), positive_int(block_size, "block_size", owner)
    if block < 2:
        raise ValueError(
            f"{owner}: `block_size` must be at least 2. Received: block_size={block}"
        )
    needs_rank(x, 4, owner, "(N, H, W, C), or (N, C, H, W)")
    return x, block, standardize_data_format(data_format) == "channels_last"


def _rearranged(
    x: Array, parts: Sequence[int], order: Sequence[int], shape: Sequence[int]
) -> Array:
    return anp.reshape(anp.transpose(anp.reshape(x, parts), order), shape)
