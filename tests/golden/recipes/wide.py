"""What `generate_wide.py` and the tests of its models both draw."""

import numpy as np

COUNT = 32
FIRST_SEED = 420  # of weights: no ReLU and no largest number is within rounding


def numbers(shape, seed):
    """Normal numbers that are whole multiples of 1 / 4096."""
    drawn = np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)
    return (np.round(drawn * 4096) / 4096).astype("float32")


def start(shape, seed):
    """A kernel that keeps the size of what it multiplies; a vector of small numbers."""
    inputs = int(np.prod(shape[:-1]))
    scale = (2 / inputs) ** 0.5 if len(shape) > 1 else 0.05
    return numbers(shape, seed) * np.float32(scale)


def weights(model):
    """Where batch normalisation begins is left as it is."""
    return [
        value if "norm" in weight.path else start(value.shape, FIRST_SEED + number)
        for number, (weight, value) in enumerate(
            zip(model.weights, model.get_weights(), strict=True)
        )
    ]


def data(model):
    """Inputs with dark borders, and labels."""
    x = numbers((COUNT, *model.input_shape[1:]), 1)
    x[: COUNT // 2, :, :5] = 0
    return x, np.arange(COUNT) % 5


def projections(array):
    """The size of an array, and its products with directions of length one."""
    flat = np.asarray(array, "float64").ravel()
    found = [float(np.linalg.norm(flat))]
    for seed in (11, 12, 13):
        direction = numbers(flat.shape, seed).astype("float64")
        found.append(float(flat @ direction / np.linalg.norm(direction)))
    return found
