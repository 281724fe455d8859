"""The full MNIST data set, downloaded once."""

import os

import numpy as np

from minikeras.utils.files import get_file

Arrays = tuple[np.ndarray, np.ndarray]

ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"

_SHAPES = {
    "x_train": (60000, 28, 28),
    "y_train": (60000,),
    "x_test": (10000, 28, 28),
    "y_test": (10000,),
}


def load_data(path: str | os.PathLike[str] = "mnist.npz") -> tuple[Arrays, Arrays]:
    """MNIST: 70,000 handwritten digits, 28 by 28 pixels.

    The first call downloads 11 MB into Keras' cache, normally `~/.keras/datasets`,
    and checks them against a fixed checksum. A file that Keras put there is used.
    Where there is no network, `minikeras.datasets.digits` has a subset.

    Args:
        path: the file's name in the cache.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, all uint8. Images run from 0
        (background) to 255 (ink), labels from 0 to 9. `x_train` is (60000, 28, 28),
        `y_train` (60000,), `x_test` (10000, 28, 28) and `y_test` (10000,).

    Raises:
        ConnectionError: the file is not in the cache and cannot be downloaded.
        ValueError: the file does not hold these arrays, or not with this checksum.

    Source: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-based learning
    applied to document recognition, Proceedings of the IEEE 86(11), 1998. The
    database of Yann LeCun, Corinna Cortes and Christopher J. C. Burges is under the
    licence CC BY-SA 3.0 (https://creativecommons.org/licenses/by-sa/3.0/).

    >>> from minikeras.datasets import mnist
    >>> (x_train, y_train), _ = mnist.load_data()  # doctest: +SKIP
    >>> x_train.shape, y_train[:5]  # doctest: +SKIP
    ((60000, 28, 28), array([5, 0, 4, 1, 9], dtype=uint8))
    """
    try:
        file = get_file(path, ORIGIN, file_hash=SHA256)
    except ConnectionError as error:
        raise ConnectionError(
            f"{error}. `minikeras.datasets.digits.load_data()` gives 8,000 of the "
            "digits without any network"
        ) from error
    arrays = _read(file)
    return (
        (arrays["x_train"], arrays["y_train"]),
        (arrays["x_test"], arrays["y_test"]),
    )


def _read(file: str) -> dict[str, np.ndarray]:
    """The four arrays in the file, checked."""
    import zlib
    from zipfile import BadZipFile

    try:
        # Opened here because np.load leaves a damaged archive open.
        with open(file, "rb") as stream, np.load(stream, allow_pickle=False) as data:
            arrays = {name: data[name] for name in _SHAPES if name in data}
    # Each reader under np.load has its own word for damage; a lone .npy array is no
    # context manager: AttributeError in Python 3.10, TypeError since.
    except (
        AttributeError,
        BadZipFile,
        EOFError,
        TypeError,
        ValueError,
        zlib.error,
    ) as error:
        raise ValueError(
            f"mnist: {file} is not a readable .npz file. Remove it to download it again"
        ) from error
    expected = {name: f"uint8 {shape}" for name, shape in _SHAPES.items()}
    received = {name: f"{a.dtype} {a.shape}" for name, a in arrays.items()}
    if received != expected:
        raise ValueError(
            f"mnist: {file} must hold the arrays {expected}. Received: {received}. "
            "Remove it to download it again"
        )
    return arrays
