"""Image functions: numbers of real Keras, derivatives, and errors."""

import json
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import make_vjp
from autograd.test_util import check_grads

from minikeras.ops import image, warping

GOLDEN = Path(__file__).parents[1] / "golden"
CONTENT = json.loads((GOLDEN / "images.json").read_text(encoding="utf-8"))
CASES = list(enumerate(CONTENT["ops"]))
RESIZES = [
    {"size": (7, 3), "interpolation": "bilinear"},
    {"size": (2, 2), "interpolation": "bicubic", "antialias": True},
    {"size": (1, 9), "interpolation": "lanczos3"},
    {"size": (3, 8), "interpolation": "nearest"},
    {"size": (3, 3), "crop_to_aspect_ratio": True},
    {"size": (3, 9), "pad_to_aspect_ratio": True, "fill_value": 2.0},
]


@pytest.fixture(scope="module")
def golden():
    flat = dict(np.load(GOLDEN / "images.npz"))

    def read(key):
        dtype, start, shape = CONTENT["index"][key]
        count = int(np.prod(shape))
        return flat[dtype][start : start + count].reshape(shape)

    return read


def cotangent(shape):
    count = max(1, int(np.prod(shape)))
    return (0.5 + np.arange(count) / count).astype("float32").reshape(shape)


def case_id(case):
    index, entry = case
    return f"{index}-{entry['name']}"


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_equals_keras(case, golden):
    index, entry = case
    first, *others = [golden(f"op{index}/{i}") for i in range(entry["inputs"])]
    function = getattr(image, entry["name"])
    expected = golden(f"op{index}/y")
    y = function(first, *others, **entry["arguments"])
    assert y.dtype == expected.dtype and y.shape == expected.shape
    tolerance = 3e-5 if entry["name"] == "perspective_transform" else 2e-6
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)
    if first.dtype == np.float32:
        pull, _ = make_vjp(lambda x: function(x, *others, **entry["arguments"]))(first)
        g = pull(cotangent(y.shape))
        assert g.dtype == np.float32
        rule = {"rtol": 10 * tolerance, "atol": 10 * tolerance}
        np.testing.assert_allclose(g, golden(f"op{index}/g"), **rule)


# --- derivatives ----------------------------------------------------------------


def rows(count):
    turn = np.random.default_rng(3).normal(size=(count, 6)) * [1, 1, 3, 1, 1, 3]
    return np.concatenate([turn, np.full((count, 2), 0.01)], 1)


@pytest.mark.parametrize("options", RESIZES, ids=str)
@pytest.mark.parametrize("shape", [(2, 4, 5, 2), (1, 1, 3), (3, 20, 1, 1)])
def test_resize_gradients(options, shape):
    x = np.random.default_rng(0).random(shape)
    check_grads(lambda x: image.resize(x, **options), order=2)(x)


@pytest.mark.parametrize("mode", ["constant", "nearest", "wrap", "mirror", "reflect"])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 2), (1, 4, 1), (2, 1, 1, 3)])
def test_affine_gradients(mode, interpolation, shape):
    x = np.random.default_rng(1).random(shape)
    matrix = rows(shape[0] if len(shape) == 4 else 1)

    def function(x):
        return image.affine_transform(x, matrix, interpolation, mode, 0.5)

    check_grads(function, order=2)(x)


def test_affine_channels_first_gradients():
    x = np.random.default_rng(2).random((2, 3, 4, 5))

    def function(x):
        return image.affine_transform(x, rows(2), data_format="channels_first")

    check_grads(function, order=2)(x)


@pytest.mark.parametrize("mode", ["constant", "reflect"])
def test_affine_gradients_reach_the_transform(mode):
    x, matrix = np.random.default_rng(4).random((2, 4, 5, 2)), rows(2)

    def function(x, matrix):
        return image.affine_transform(x, matrix, fill_mode=mode, fill_value=0.5)

    traced = make_vjp(lambda m: function(x, m))(matrix)[1]
    np.testing.assert_allclose(traced, function(x, matrix), rtol=1e-12, atol=1e-12)
    check_grads(function, (0, 1), order=2)(x, matrix)


def test_perspective_gradients():
    rng = np.random.default_rng(5)
    x, start = rng.random((1, 4, 5, 1)), rng.random((1, 4, 2)) * 4
    end = start + rng.random((1, 4, 2)) / 3
    check_grads(image.perspective_transform, 0, order=1)(x, start, end)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("mode", ["constant", "nearest", "wrap", "mirror", "reflect"])
def test_map_coordinates_gradients(order, mode):
    rng = np.random.default_rng(6)
    x, places = rng.random((3, 4)), rng.uniform(-6, 6, (2, 7))

    def function(x, places):
        return image.map_coordinates(x, places, order, mode, 0.5)

    check_grads(function, (0, 1), order=2)(x, places)


@pytest.mark.parametrize("name", ["rgb_to_hsv", "hsv_to_rgb", "rgb_to_grayscale"])
def test_colour_gradients(name):
    x = np.random.default_rng(7).random((2, 3, 4, 3))
    check_grads(getattr(image, name), order=2)(x)


def test_patch_and_border_gradients():
    x = np.random.default_rng(8).random((2, 5, 4, 2))
    options = {"size": (2, 3), "strides": (2, 1), "padding": "same"}
    check_grads(lambda x: image.extract_patches(x, **options), order=2)(x)
    check_grads(lambda x: image.pad_images(x, 1, 2, 0, 1), order=2)(x)
    check_grads(lambda x: image.crop_images(x, 1, 0, 2, 1), order=2)(x)


def test_flip_some_gradients():
    x = np.random.default_rng(9).random((3, 2, 3))
    which = np.array([True, False, True])
    check_grads(lambda x: warping.flip_some(x, which=which, axes=(1,)), order=2)(x)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, m: image.affine_transform(x, m),
        lambda x, m: image.affine_transform(x, m, fill_value=2, fill_mode="reflect"),
        lambda x, m: image.resize(x, (2, 7), "bicubic") * anp.sum(m),
        lambda x, m: image.rgb_to_hsv(x) + anp.sum(m),
        lambda x, m: image.hsv_to_rgb(x) + anp.sum(m),
        lambda x, m: image.rgb_to_grayscale(x) + anp.sum(m),
        lambda x, m: image.map_coordinates(x[0, :, :, 0], m, 1) + anp.sum(x),
    ],
)
def test_float32_stays_float32_in_gradients(function):
    x = np.float32(np.random.default_rng(10).random((2, 4, 5, 3)))
    matrix = np.float32(rows(2))
    for of_one, value in (
        (lambda x: function(x, matrix), x),
        (lambda m: function(x, m), matrix),
    ):
        pull, y = make_vjp(of_one)(value)
        assert y.dtype == np.float32 and pull(np.ones_like(y)).dtype == np.float32


# --- whole numbers and other types ----------------------------------------------


def test_whole_numbers_are_rounded_and_kept_in_range():
    x = np.array([0, 255, 255, 0], np.uint8).reshape(1, 4, 1)
    y = image.resize(x, (1, 16), "bicubic")
    exact = image.resize(x.astype(np.float64), (1, 16), "bicubic")
    assert y.dtype == np.uint8 and exact.max() > 255.5 and exact.min() < -0.5
    np.testing.assert_array_equal(y, np.clip(np.rint(exact), 0, 255))


def test_the_constant_of_whole_images_is_whole():
    x = np.full((1, 2, 1), 9, np.uint8)
    shift = [1, 0, -1, 0, 1, 0, 0, 0]
    y = image.affine_transform(x, shift, fill_value=3.7)
    np.testing.assert_array_equal(y.ravel(), [3, 9])


def test_large_integers_survive_nearest():
    x = np.array([2**31 - 1, 5], np.int32).reshape(1, 2, 1)
    y = image.resize(x, (1, 4), "nearest")
    np.testing.assert_array_equal(y.ravel(), [2**31 - 1] * 2 + [5] * 2)
    y = image.resize(x, (1, 4), "bilinear")  # rounded in float32, not run over
    assert y.dtype == np.int32 and y[0, 0, 0] > 2**31 - 200


def test_booleans_stay_booleans():
    x = np.array([True, False, False, False]).reshape(1, 4, 1)
    y = image.resize(x, (1, 8))
    assert y.dtype == bool  # True wherever a True counts at all, as in Keras
    np.testing.assert_array_equal(y.ravel(), [1, 1, 1, 0, 0, 0, 0, 0])
    y = image.affine_transform(x, [1, 0, -0.25, 0, 1, 0, 0, 0])
    np.testing.assert_array_equal(y.ravel(), [True, True, False, False])


def test_float16_stays_float16():
    x = np.float16(np.random.default_rng(0).random((1, 4, 4, 2)))
    assert image.affine_transform(x, np.float32(rows(1))).dtype == np.float16
    assert image.resize(x, (3, 9)).dtype == np.float16


def test_a_window_larger_than_the_image_has_no_place():
    assert image.extract_patches(np.ones((4, 2, 3)), 3).shape == (1, 0, 27)


# --- errors ---------------------------------------------------------------------

X = np.ones((1, 4, 5, 3), np.float32)
FOUR = np.ones((4, 2), np.float32)
BAD = [
    ("resize", (X[0, 0], (2, 2)), "rank 3"),
    ("resize", (X, (2, 0)), "`size` must be a positive integer"),
    ("resize", (X, 2.5), "`size`"),
    ("resize", (X, (2, 2), "cubic"), "`interpolation` must be one of 'nearest'"),
    ("resize", (X, (2, 2), "nearest", False, True, True), "only one of"),
    (
        "resize",
        (X, (2, 2), "nearest", False, False, True, "wrap"),
        "`fill_mode` must be one of 'constant'",
    ),
    ("affine_transform", (X[0, 0], np.ones(8)), "rank 3"),
    ("affine_transform", (X, np.ones(6)), "8 numbers"),
    ("affine_transform", (X, np.ones((3, 8))), "each of the 1 images"),
    ("affine_transform", (X, np.ones(8), "bicubic"), "`interpolation` must be one of"),
    ("affine_transform", (X, np.ones(8), "nearest", "edge"), "`fill_mode` must be one"),
    ("perspective_transform", (X, FOUR, FOUR[:3]), r"\(4, 2\)"),
    ("perspective_transform", (X, FOUR, FOUR, "cubic"), "`interpolation`"),
    ("map_coordinates", (X[0, 0], np.ones((3, 2)), 1), "2 entries on its first"),
    ("map_coordinates", (X[0, 0], np.ones(2), 1), "another axis for the places"),
    ("map_coordinates", (X[0, 0], np.ones((2, 2)), 3), "`order` must be 0"),
    ("map_coordinates", (X[0, 0], np.ones((2, 2)), 1, "edge"), "`fill_mode`"),
    ("pad_images", (X[0, 0], 1, 1, 1, 1), "rank 3"),
    ("pad_images", (X, 1, 1, 1), "Exactly two of left_padding, right_padding"),
    ("pad_images", (X, 1, 1, None, 1, 3), "`bottom_padding` must be at least 0"),
    ("pad_images", (X, -1, 1, 1, 1), "`top_padding` must be at least 0"),
    ("crop_images", (X, 1, 1, 1, 1, 2), "Exactly two of top_cropping"),
    ("crop_images", (X, 3, 0, 3, 0), "`target_height` must be at least 0"),
    ("crop_images", (X, None, 0, 2, 0, 3), "`top_cropping` must be at least 0"),
    ("extract_patches", (X[0, 0], 2), "rank 3, or 4 with a batch"),
    ("extract_patches", (X, (2, 2, 2, 2)), "two, or three for volumes"),
    ("extract_patches", (X, 0), "`size` must be a positive integer"),
    ("extract_patches", (X, 2, -1), "`strides` must be a positive integer"),
    ("extract_patches", (X, 2, 1, 1, "full"), "`padding` must be one of"),
    ("extract_patches_3d", (X[0], 2), "rank 4, or 5 with a batch"),
    ("rgb_to_grayscale", (X[..., :2],), "1 or 3 channels on axis -1"),
    ("rgb_to_hsv", (X[..., :2],), "3 channels"),
    ("rgb_to_hsv", (np.ones((2, 2, 3), np.uint8),), "floats from 0 to 1"),
    ("hsv_to_rgb", (X[0, 0],), "rank 3"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), BAD)
def test_errors(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(image, name)(*arguments)


def test_crop_larger_than_the_image_says_so():
    with pytest.raises(ValueError, match="`bottom_cropping` must be at least 0"):
        image.crop_images(X, 2, 0, None, 0, 3)
