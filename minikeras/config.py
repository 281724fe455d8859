"""Process-wide settings: number format, image layout, seed, names, threads.

This is the only global state of the package. Everything else is an argument or an
attribute of an object.
"""

import itertools
import os
import random
from collections import defaultdict
from functools import cache

import numpy as np

_FLOATS = ("float16", "float32", "float64")
_LAYOUTS = ("channels_last", "channels_first")

_floatx = "float32"
_epsilon = 1e-7
_image_data_format = "channels_last"
_threads: int | None = None
_entropy: int = int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
_draws = itertools.count()
_names: defaultdict[str, itertools.count] = defaultdict(itertools.count)


def floatx() -> str:
    """Name of the default float type.

    >>> floatx()
    'float32'
    """
    return _floatx


def set_floatx(value: str) -> None:
    """Set the default float type: `"float16"`, `"float32"` or `"float64"`.

    Objects made before the call keep the type they were made with.

    Raises:
        ValueError: for any other name.
    """
    global _floatx
    _floatx = float_name(value, "set_floatx: `value`")


def float_name(value: object, what: str) -> str:
    """`value` as the name of a supported float type, or a ValueError about `what`."""
    try:
        name = np.dtype(value).name  # type: ignore[call-overload]
    except TypeError:
        name = value
    if name not in _FLOATS:
        raise ValueError(
            f"{what} must be one of {', '.join(_FLOATS)} (NumPy computes in these; "
            f"mixed and bfloat16 policies are not offered). Received: {value!r}"
        )
    return str(name)


def epsilon() -> float:
    """Fuzz factor that keeps logarithms and divisions finite.

    >>> epsilon()
    1e-07
    """
    return _epsilon


def set_epsilon(value: float) -> None:
    """Set the fuzz factor.

    Raises:
        ValueError: if `value` is not a positive number.
    """
    global _epsilon
    if not value > 0:
        raise ValueError(
            f"set_epsilon: `value` must be a positive number. Received: {value!r}"
        )
    _epsilon = float(value)


def image_data_format() -> str:
    """Default layout of images: `"channels_last"` or `"channels_first"`.

    >>> image_data_format()
    'channels_last'
    """
    return _image_data_format


def set_image_data_format(data_format: str) -> None:
    """Set the default layout of images for layers made from now on.

    Raises:
        ValueError: if it is neither `"channels_last"` nor `"channels_first"`.
    """
    global _image_data_format
    _image_data_format = standardize_data_format(data_format)


def standardize_data_format(data_format: str | None) -> str:
    """`data_format`, or the default for None, or a ValueError."""
    if data_format is None:
        return _image_data_format
    if data_format not in _LAYOUTS:
        raise ValueError(
            "`data_format` must be 'channels_last' or 'channels_first'. "
            f"Received: data_format={data_format!r}"
        )
    return data_format


def threads() -> int:
    """Number of threads the kernels use: at most the CPUs this process may run on.

    >>> threads() >= 1
    True
    """
    return _threads if _threads is not None else available_cpus()


def set_threads(count: int | None) -> None:
    """Set the number of threads the kernels use; None means all available CPUs.

    Results do not depend on it: work is cut by shape, never by thread count.

    Raises:
        ValueError: if `count` is not a positive integer or None.
    """
    global _threads
    if count is not None and (not isinstance(count, int) or count < 1):
        raise ValueError(
            f"set_threads: `count` must be a positive integer or None. "
            f"Received: {count!r}"
        )
    _threads = count


def available_cpus() -> int:
    """CPUs this process may run on: its affinity, capped by a container's quota."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity call
        cpus = os.cpu_count() or 1
    return min(cpus, _container_quota() or cpus)


@cache
def _container_quota() -> int | None:
    """CPUs a container may use; read once, since every kernel asks."""
    try:
        with open("/sys/fs/cgroup/cpu.max") as file:  # cgroup v2: "quota period"
            quota, period = file.read().split()
        return max(1, round(int(quota) / int(period)))
    except (OSError, ValueError):  # no such file, or the quota is "max"
        return None


def set_random_seed(seed: int) -> None:
    """Make everything random repeat bit for bit: weights, shuffling, dropout.

    Seeds Python's `random`, NumPy's global generator and minikeras' own.

    Args:
        seed: an integer from 0 to 2**32 - 1.

    Raises:
        ValueError: for anything else.

    >>> set_random_seed(7)
    >>> first = next_seed()
    >>> set_random_seed(7)
    >>> next_seed() == first
    True
    """
    global _entropy, _draws
    if not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32:
        raise ValueError(
            "set_random_seed: `seed` must be an integer from 0 to 2**32 - 1. "
            f"Received: {seed!r}"
        )
    _entropy, _draws = int(seed), itertools.count()
    random.seed(int(seed))
    np.random.seed(int(seed))


def next_seed() -> int:
    """A new seed, drawn from the process-wide one; each call gives another."""
    sequence = np.random.SeedSequence(_entropy, spawn_key=(next(_draws),))
    return int(sequence.generate_state(1, np.uint32)[0])


def unique_name(base: str) -> str:
    """`base` the first time, then `base_1`, `base_2` ... until `clear_session()`."""
    count = next(_names[base])
    return f"{base}_{count}" if count else base


def clear_session() -> None:
    """Start the automatic names (`dense`, `dense_1`, ...) from the beginning."""
    _names.clear()
