import hashlib
import runpy
from pathlib import Path

import numpy as np
import pytest

from minikeras.datasets import digits

# Of the arrays' bytes, as scripts/cut_digits.py cut them from the full MNIST file.
SHA256 = {
    "x_train": "75e11a61533ca199aa6ba365b3d2672153081f44ca4f3dd2be4efffd80fa3f5f",
    "y_train": "8c16ff3bf4b2f5d0aa134062b234a01a26a5604b4d3ad5430e43a1485d23c7d7",
    "x_test": "0be3cdd6a18d8d63de3b34dd280b58e0830e6f764b725345da99ed2fefc31e6a",
    "y_test": "3675035da9c34374b6e16ef318cc71aff0b6c399e92690cdcee698dd46884423",
}
SCRIPT = Path(__file__).parents[2] / "scripts" / "cut_digits.py"


def load():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def test_shapes_and_types():
    arrays = load()
    assert {name: array.shape for name, array in arrays.items()} == {
        "x_train": (6000, 28, 28),
        "y_train": (6000,),
        "x_test": (2000, 28, 28),
        "y_test": (2000,),
    }
    assert all(type(array) is np.ndarray for array in arrays.values())
    assert all(array.dtype == np.uint8 for array in arrays.values())


def test_the_data_never_changes():
    received = {
        name: hashlib.sha256(array.tobytes()).hexdigest()
        for name, array in load().items()
    }
    assert received == SHA256


def test_classes_are_balanced_and_mixed():
    arrays = load()
    assert np.bincount(arrays["y_train"]).tolist() == [600] * 10
    assert np.bincount(arrays["y_test"]).tolist() == [200] * 10
    # validation_split takes the end of the training set: all classes must be there.
    assert np.bincount(arrays["y_train"][-600:], minlength=10).min() > 30


def test_no_image_occurs_twice():
    arrays = load()
    images = np.concatenate([arrays["x_train"], arrays["x_test"]])
    assert len({image.tobytes() for image in images}) == 8000


def test_images_use_the_whole_range_and_have_dark_borders():
    images = load()["x_train"]
    assert images.min() == 0 and images.max() == 255
    assert 30 < images.mean() < 36  # the full training set has 33.3
    assert images[:, 0].mean() < 1


def test_each_call_gives_new_writable_arrays():
    first, second = load(), load()
    for name, array in first.items():
        assert array.flags.writeable and array.flags.c_contiguous
        assert not np.shares_memory(array, second[name])
        array[...] = 7
    assert hashlib.sha256(load()["x_train"].tobytes()).hexdigest() == SHA256["x_train"]


@pytest.fixture
def full(tmp_path):
    """A file laid out like MNIST, with 650 and 250 numbered images a class."""
    random = np.random.RandomState(0)
    arrays = {}
    for part, per_class in (("train", 650), ("test", 250)):
        labels = random.permutation(np.repeat(np.arange(10, dtype=np.uint8), per_class))
        images = np.zeros((len(labels), 28, 28), np.uint8)
        images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(len(labels)), 256)
        images[:, 0, 2] = labels
        arrays |= {f"x_{part}": images, f"y_{part}": labels}
    np.savez(tmp_path / "full.npz", **arrays)
    return tmp_path / "full.npz"


def test_the_script_cuts_the_same_bytes_every_time(full, tmp_path):
    main = runpy.run_path(str(SCRIPT))["main"]
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    main(full, first)
    main(full, second)
    assert first.read_bytes() == second.read_bytes()
    with np.load(first) as cut:
        for part, per_class in (("train", 600), ("test", 200)):
            images, labels = cut[f"x_{part}"], cut[f"y_{part}"]
            assert np.bincount(labels).tolist() == [per_class] * 10
            assert np.array_equal(images[:, 0, 2], labels)  # image and label together
            assert len({image.tobytes() for image in images}) == 10 * per_class


def test_the_script_refuses_too_few_digits(full, tmp_path):
    with np.load(full) as arrays:
        few = {name: arrays[name][:4000] for name in arrays.files}
    np.savez(full, **few)
    main = runpy.run_path(str(SCRIPT))["main"]
    with pytest.raises(ValueError, match="expected at least 600 digits of each class"):
        main(full, tmp_path / "cut.npz")
    assert not (tmp_path / "cut.npz").exists()
