"""Functions of the bits of whole numbers and booleans; constants for derivatives."""

from typing import Any

import numpy as np

from minikeras.ops.base import convert
from minikeras.ops.numpy import convert_to_numpy
from minikeras.ops.promotion import constants


def _bits(owner: str, *values: Any, allowed: str = "biu") -> list[np.ndarray]:
    arrays = constants(*values)
    if arrays[0].dtype.kind not in allowed:
        received = " and ".join(str(convert(v).dtype) for v in values)
        raise TypeError(
            f"{owner}: the arguments must be whole numbers"
            f"{' or booleans' if 'b' in allowed else ''}. Received: dtype {received}"
        )
    return arrays


def bitwise_and(x: Any, y: Any) -> np.ndarray:
    """The bits that are 1 in both."""
    return np.bitwise_and(*_bits("bitwise_and", x, y))


def bitwise_or(x: Any, y: Any) -> np.ndarray:
    """The bits that are 1 in either."""
    return np.bitwise_or(*_bits("bitwise_or", x, y))


def bitwise_xor(x: Any, y: Any) -> np.ndarray:
    """The bits that differ.

    >>> int(bitwise_xor(0b110, 0b011))
    5
    """
    return np.bitwise_xor(*_bits("bitwise_xor", x, y))


def bitwise_invert(x: Any) -> np.ndarray:
    """All bits turned round."""
    return np.invert(*_bits("bitwise_invert", x))


def bitwise_not(x: Any) -> np.ndarray:
    """All bits turned round, as `bitwise_invert`."""
    return bitwise_invert(x)


def bitwise_left_shift(x: Any, y: Any) -> np.ndarray:
    """The bits of x moved y places up."""
    return np.left_shift(*_bits("bitwise_left_shift", x, y, allowed="iu"))


def left_shift(x: Any, y: Any) -> np.ndarray:
    """The bits of x moved y places up, as `bitwise_left_shift`."""
    return bitwise_left_shift(x, y)


def bitwise_right_shift(x: Any, y: Any) -> np.ndarray:
    """The bits of x moved y places down; the sign stays."""
    return np.right_shift(*_bits("bitwise_right_shift", x, y, allowed="iu"))


def right_shift(x: Any, y: Any) -> np.ndarray:
    """The bits of x moved y places down, as `bitwise_right_shift`."""
    return bitwise_right_shift(x, y)


def view(x: Any, dtype: Any = None) -> Any:
    """The same bytes read as another number type; `x` itself for None.

    >>> view(np.float32(1.0), "int32")
    array(1065353216, dtype=int32)
    """
    x = convert(x)
    if dtype is None or x.dtype == np.dtype(dtype):
        return x
    return np.ascontiguousarray(convert_to_numpy(x)).reshape(x.shape).view(dtype)
