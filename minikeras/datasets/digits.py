"""8,000 handwritten digits that come with the package."""

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray]


def load_data() -> tuple[Arrays, Arrays]:
    """Handwritten digits, a balanced subset of MNIST that needs no network.

    A scaled-down stand-in for `minikeras.datasets.mnist`: 600 training and 200 test
    digits of each class, in a fixed shuffled order.

    Returns:
        `(x_train, y_train), (x_test, y_test)`, new arrays at each call. All are
        uint8. Images run from 0 (background) to 255 (ink), labels from 0 to 9.
        `x_train` is (6000, 28, 28), `y_train` (6000,), `x_test` (2000, 28, 28) and
        `y_test` (2000,).

    Source: the MNIST database of Yann LeCun, Corinna Cortes and Christopher J. C.
    Burges, under the licence CC BY-SA 3.0
    (https://creativecommons.org/licenses/by-sa/3.0/), which holds for the subset too.

    >>> from minikeras.datasets import digits
    >>> (x_train, y_train), (x_test, y_test) = digits.load_data()
    >>> x_train.shape, x_test.shape, x_train.dtype
    ((6000, 28, 28), (2000, 28, 28), dtype('uint8'))
    >>> y_train[:10]
    array([6, 9, 8, 2, 9, 1, 8, 6, 8, 7], dtype=uint8)
    """
    from importlib.resources import files
    from io import BytesIO

    resource = files("minikeras.datasets") / "data" / "digits.npz"
    with np.load(BytesIO(resource.read_bytes()), allow_pickle=False) as data:
        return (data["x_train"], data["y_train"]), (data["x_test"], data["y_test"])
