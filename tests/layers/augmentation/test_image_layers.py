"""Image layers: what real Keras makes of the same transformations, draws, errors."""

import json
from pathlib import Path

import numpy as np
import pytest
from autograd.test_util import check_grads

from minikeras import config, layers
from minikeras.layers import (
    CenterCrop,
    Dense,
    Flatten,
    Pipeline,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
    Resizing,
)
from minikeras.layers.augmentation.rotation import rotation_matrix
from minikeras.models import Sequential
from minikeras.registry import deserialize_keras_object, serialize_keras_object

GOLDEN = Path(__file__).parents[2] / "golden"
CONTENT = json.loads((GOLDEN / "images.json").read_text(encoding="utf-8"))
CASES = list(enumerate(CONTENT["layers"]))
RANDOM = [
    RandomCrop(3, 4, seed=1),
    RandomFlip(seed=1),
    RandomRotation(0.2, seed=1),
    RandomTranslation(0.2, 0.3, seed=1),
    RandomZoom(0.2, 0.3, seed=1),
    RandomContrast(0.5, value_range=(0, 1), seed=1),
    RandomBrightness(0.5, value_range=(0, 1), seed=1),
]
RNG = np.random.default_rng(0)
X = RNG.random((4, 5, 6, 3)).astype("float32")
WHOLE = RNG.integers(0, 256, (4, 5, 6, 3)).astype("uint8")


@pytest.fixture(scope="module")
def golden():
    flat = dict(np.load(GOLDEN / "images.npz"))

    def read(key):
        dtype, start, shape = CONTENT["index"][key]
        count = int(np.prod(shape))
        return flat[dtype][start : start + count].reshape(shape)

    return read


def case_id(case):
    index, entry = case
    return f"{index}-{entry['name']}"


def name_of(layer):
    return type(layer).__name__


def transformation(golden, index, entry):
    drawn = {name: golden(f"layer{index}/drawn/{name}") for name in entry["drawn"]}
    return (drawn["0"], drawn["1"]) if "0" in drawn else drawn


def apply(layer, images, drawn, training):
    if images.ndim == 4:
        return layer.transform_images(images, drawn, training=training)
    return layer.transform_images(images[None], drawn, training=training)[0]


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_same_transformation_gives_keras_images(case, golden):
    index, entry = case
    layer = getattr(layers, entry["name"])(**entry["arguments"])
    drawn = transformation(golden, index, entry)
    for training in (True, False):
        if name_of(layer) == "RandomCrop" and not training:
            continue  # Keras returns whole images there, see below
        y = apply(layer, golden(f"layer{index}/x"), drawn, training)
        expected = golden(f"layer{index}/x/{training}")
        assert y.dtype == expected.dtype == np.float32
        np.testing.assert_allclose(y, expected, rtol=3e-6, atol=3e-6)
        y = apply(layer, golden(f"layer{index}/whole"), drawn, training)
        expected = golden(f"layer{index}/whole/{training}")
        assert y.dtype == expected.dtype
        if name_of(layer) == "RandomBrightness" and training:
            continue  # runs over in Keras, see below
        np.testing.assert_allclose(y, expected, rtol=3e-6, atol=1e-4)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_config_and_output_shape_are_those_of_keras(case, golden):
    index, entry = case
    layer = getattr(layers, entry["name"])(**entry["arguments"])
    shape = golden(f"layer{index}/x").shape
    assert list(layer.compute_output_shape(shape)) == entry["output_shape"]
    own = layer.get_config()
    del own["name"]
    assert json.loads(json.dumps(own)) == entry["config"]
    again = type(layer).from_config(entry["config"]).get_config()
    del again["name"]
    assert json.loads(json.dumps(again)) == entry["config"]


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_draws_have_the_keys_and_shapes_of_keras(case, golden):
    index, entry = case
    layer = getattr(layers, entry["name"])(**entry["arguments"])
    x = golden(f"layer{index}/x")
    own = layer.get_random_transformation(x)
    expected = transformation(golden, index, entry)
    if isinstance(own, tuple):
        assert len(own) == len(expected)
        return
    assert set(own) == set(expected)
    for key, value in expected.items():
        assert np.shape(own[key]) == value.shape, key
        assert np.asarray(own[key]).dtype.kind == value.dtype.kind, key


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_a_call_transforms_by_what_it_draws(case, golden):
    index, entry = case
    first, second = [
        getattr(layers, entry["name"])(**entry["arguments"]) for _ in range(2)
    ]
    x = golden(f"layer{index}/x")
    drawn = first.get_random_transformation(x)
    y = second(x, training=True)
    np.testing.assert_array_equal(y, apply(first, x, drawn, True))
    assert list(y.shape) == entry["output_shape"]
    assert list(second(x, training=False).shape) == entry["output_shape"]


def test_rotation_matrix_equals_keras(golden):
    for index, entry in CASES:
        if entry["name"] == "RandomRotation":
            drawn = transformation(golden, index, entry)
            sizes = int(drawn["image_height"]), int(drawn["image_width"])
            own = rotation_matrix(drawn["angle"], *sizes)
            expected = drawn["rotation_matrix"].reshape(own.shape)
            np.testing.assert_allclose(own, expected, rtol=1e-5, atol=1e-6)


# --- random numbers -------------------------------------------------------------


@pytest.mark.parametrize("layer", RANDOM, ids=name_of)
def test_draws_repeat_with_the_seed_and_advance_with_each_call(layer):
    def several():
        fresh = type(layer).from_config(layer.get_config())
        return [fresh(X, training=True) for _ in range(4)]

    first, second = several(), several()
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(not np.array_equal(first[0], later) for later in first[1:])
    drawn = [layer.get_random_transformation(X, seed=7) for _ in range(2)]
    np.testing.assert_equal(*drawn)


@pytest.mark.parametrize("layer", RANDOM[1:], ids=name_of)
def test_each_image_has_a_draw_of_its_own(layer):
    same = np.repeat(X[:1], 16, axis=0)
    y = layer(same, training=True)
    assert any(not np.array_equal(y[0], other) for other in y[1:])


def test_without_a_seed_the_process_seed_decides():
    results = []
    for _ in range(2):
        config.set_random_seed(3)
        results.append(RandomRotation(0.3)(X))
    np.testing.assert_array_equal(*results)


def test_the_range_of_draws():
    many = np.zeros((4000, 2, 2, 1), "float32")

    def draw(layer, key):
        return layer.get_random_transformation(many)[key]

    for values, low, high in (
        (draw(RandomRotation((0.1, 0.3), seed=0), "angle"), 36, 108),
        (draw(RandomZoom(0.5, seed=0), "height_zoom"), 0.5, 1.5),
        (draw(RandomContrast((0.5, 0.2), seed=0), "contrast_factor"), 0.8, 1.5),
        (draw(RandomContrast(0.4, seed=0), "contrast_factor"), 1.0, 1.4),
        (draw(RandomBrightness(0.2, (0, 10), seed=0), "rgb_delta"), -2, 2),
        (
            draw(RandomTranslation((-0.1, 0.3), 0.0, seed=0), "translations")[:, 1],
            -0.2,
            0.6,
        ),
    ):
        span = high - low
        assert low <= values.min() < low + 0.01 * span
        assert high - 0.01 * span < values.max() <= high
    flips = draw(RandomFlip(seed=0), "flips")
    assert 0.45 < flips.mean() < 0.55


def test_random_crop_reaches_every_place():
    layer = RandomCrop(3, 4, seed=0)
    places = {layer.get_random_transformation(X) for _ in range(200)}
    assert places == {(top, left) for top in range(3) for left in range(3)}


# --- training and inference -----------------------------------------------------


@pytest.mark.parametrize("layer", RANDOM, ids=name_of)
def test_active_by_default_and_not_in_predict(layer):
    fresh = type(layer).from_config(layer.get_config())
    calm = fresh(X, training=False)
    assert any(not np.array_equal(fresh(X), calm) for _ in range(3))
    model = Sequential([fresh])
    np.testing.assert_array_equal(model.predict(X, verbose=0), calm)
    if name_of(layer) != "RandomCrop":
        np.testing.assert_array_equal(calm, X)


def test_random_crop_shows_the_middle_outside_of_training():
    """Keras says so, and gives this output shape, but returns the whole image."""
    layer = RandomCrop(2, 2)
    y = layer(X, training=False)
    np.testing.assert_allclose(y, Resizing(2, 2)(X[:, :, :5]), atol=1e-6)
    assert y.shape == layer.compute_output_shape(X.shape)
    np.testing.assert_array_equal(RandomCrop(5, 6)(X, training=False), X)


def test_brightness_of_whole_numbers_does_not_run_over():
    layer = RandomBrightness(0.5)
    x = np.array([0, 100, 250], np.uint8).reshape(1, 1, 3, 1)
    for delta, expected in ((30.7, [30, 130, 255]), (-30.7, [0, 70, 220])):
        y = layer.transform_images(x, {"rgb_delta": np.full((1, 1, 1, 1), delta)})
        assert y.dtype == np.uint8
        np.testing.assert_array_equal(y.ravel(), expected)
    y = layer.transform_images(x > 0, {"rgb_delta": np.zeros((1, 1, 1, 1))})
    assert y.dtype == np.int32
    np.testing.assert_array_equal(y.ravel(), [0, 1, 1])
    narrow = RandomBrightness(0.5, value_range=(10.5, 99.5))
    y = narrow.transform_images(x, {"rgb_delta": np.zeros((1, 1, 1, 1))})
    assert y.dtype == np.float32  # as Keras, for a range of floats
    np.testing.assert_array_equal(y.ravel(), [10.5, 99.5, 99.5])


@pytest.mark.parametrize("layer", RANDOM, ids=name_of)
@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_the_number_type_of_the_layer(layer, dtype):
    fresh = type(layer)(**{**layer.get_config(), "dtype": dtype})
    assert fresh(X, training=True).dtype == dtype
    assert fresh(X, training=False).dtype == dtype


@pytest.mark.parametrize("layer", RANDOM, ids=name_of)
def test_gradients_flow_through(layer):
    layer = type(layer)(**{**layer.get_config(), "dtype": "float64"})
    x = RNG.random((2, 5, 6, 1))
    drawn = layer.get_random_transformation(x)
    check_grads(lambda x: layer.transform_images(x, drawn), order=2)(x)


def test_a_model_learns_through_image_layers():
    model = Sequential(
        [Dense(3), RandomRotation(0.1), RandomCrop(4, 4), Resizing(3, 3), Flatten()]
    )
    model.add(Dense(1))
    model.compile("sgd", "mse")
    before = model.layers[0](X).copy()
    model.fit(X, np.ones((4, 1), "float32"), verbose=0)
    assert not np.array_equal(before, model.layers[0](X))
    assert model.predict(X, verbose=0).shape == (4, 1)


# --- images with labels and masks -----------------------------------------------


@pytest.mark.parametrize(
    "layer", [*RANDOM, CenterCrop(3, 3), Resizing(3, 3)], ids=name_of
)
@pytest.mark.parametrize("batch", [True, False])
def test_labels_stay_and_masks_move_along(layer, batch):
    first, second = [type(layer).from_config(layer.get_config()) for _ in range(2)]
    x = X if batch else X[0]
    masks = (x[..., :1] > 0.5).astype("uint8")
    labels = np.arange(4.0, dtype="float32")
    data = {"images": x, "labels": labels, "segmentation_masks": masks, "more": labels}
    result = first(data, training=True)
    np.testing.assert_array_equal(result["images"], second(x, training=True))
    np.testing.assert_array_equal(result["labels"], labels)
    np.testing.assert_array_equal(result["more"], labels)
    found = result["segmentation_masks"]
    assert found.shape[:-1] == result["images"].shape[:-1]
    if name_of(layer) in ("RandomContrast", "RandomBrightness"):
        np.testing.assert_array_equal(found, masks)
    elif name_of(layer) not in ("RandomCrop", "CenterCrop", "RandomFlip"):
        assert found.dtype == np.uint8  # looked up, not interpolated
    assert set(np.unique(found)) <= {0, 1}
    assert data["images"] is x
    shapes = {"images": (4, 5, 6, 3), "labels": (4,)}
    told = layer.compute_output_shape(shapes)
    assert told == {
        "images": layer.compute_output_shape((4, 5, 6, 3)),
        "labels": (4,),
    }


def test_masks_are_looked_up_through_the_same_transform():
    layer = RandomRotation((0.25, 0.25))
    square = np.arange(9, dtype="uint8").reshape(3, 3, 1)
    data = {"images": square.astype("float32"), "segmentation_masks": square}
    result = layer(data)
    expected = np.rot90(square[..., 0])
    np.testing.assert_array_equal(result["segmentation_masks"][..., 0], expected)
    np.testing.assert_allclose(result["images"][..., 0], expected, atol=1e-5)


# --- pipeline -------------------------------------------------------------------


def test_pipeline_is_its_layers_one_after_the_other():
    parts = [RandomFlip(seed=1), RandomRotation(0.3, seed=2), Resizing(3, 4)]
    layer = Pipeline(parts, name="steps")
    assert layer.layers == parts and layer.name == "steps"
    assert layer.compute_output_shape((None, 5, 6, 3)) == (None, 3, 4, 3)
    again = deserialize_keras_object(serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()
    assert set(layer.get_config()) == {"layers", "name"}
    y = layer(X)
    expected = X
    for part in again.layers:
        expected = part(expected, training=True)
    np.testing.assert_array_equal(y, expected)
    calm = Resizing(3, 4)(X)
    np.testing.assert_array_equal(layer(X, training=False), calm)
    np.testing.assert_array_equal(Sequential([layer]).predict(X, verbose=0), calm)


def test_pipeline_leaves_types_to_its_layers():
    wide = Pipeline([Resizing(2, 2, dtype="float64")])
    assert wide(X.astype("float64")).dtype == np.float64
    assert wide(WHOLE).dtype == np.uint8


def test_pipeline_has_the_weights_of_its_layers():
    layer = Pipeline([Dense(2), RandomFlip()])
    layer(X)
    assert [w.shape for w in layer.trainable_weights] == [(3, 2), (2,)]


# --- errors ---------------------------------------------------------------------

BAD = [
    (lambda: CenterCrop(0, 2), "CenterCrop: `height` must be a positive integer"),
    (lambda: CenterCrop(2, 1.5), "CenterCrop: `width` must be a positive integer"),
    (lambda: RandomCrop(2, -1), "RandomCrop: `width` must be a positive integer"),
    (lambda: Resizing(2, 2, "cubic"), "`interpolation` must be one of"),
    (lambda: Resizing(2, 2, fill_mode="wrap"), "`fill_mode` must be one of 'constant'"),
    (
        lambda: Resizing(2, 2, crop_to_aspect_ratio=True, pad_to_aspect_ratio=True),
        "only one of",
    ),
    (lambda: RandomFlip("diagonal"), "RandomFlip: `mode` must be one of 'horizontal'"),
    (lambda: RandomFlip(seed=-1), "RandomFlip: `seed` must be an integer"),
    (lambda: RandomFlip(factor=1), "unrecognized keyword arguments: factor"),
    (
        lambda: RandomRotation(1.5),
        r"RandomRotation: `factor` must be a number.*\[-1, 1",
    ),
    (lambda: RandomRotation((0, 1, 2)), "`factor` must be"),
    (lambda: RandomRotation((2, 3)), "`factor` must be"),
    (lambda: RandomRotation("0.1"), "`factor` must be"),
    (lambda: RandomRotation(0.1, "edge"), "`fill_mode` must be one of 'constant'"),
    (lambda: RandomRotation(0.1, "mirror"), "`fill_mode` must be one of"),
    (lambda: RandomRotation(0.1, interpolation="cubic"), "`interpolation` must be one"),
    (lambda: RandomTranslation(1.5, 0), r"`height_factor` must be.*\[-1, 1\]"),
    (lambda: RandomTranslation(0, (-2, 0.5)), "`width_factor` must be"),
    (lambda: RandomZoom(-1.0), "`height_factor` must be above -1"),
    (lambda: RandomZoom((-1, 0.5)), "`height_factor` must be above -1"),
    (lambda: RandomZoom(0.1, 2), "RandomZoom: `width_factor` must be"),
    (lambda: RandomContrast(-0.5), r"RandomContrast: `factor` must be.*\[0, 1\]"),
    (lambda: RandomContrast(None), "`factor` must be"),
    (lambda: RandomContrast(0.5, 255), "`value_range` must be two numbers"),
    (lambda: RandomBrightness(1.1), r"RandomBrightness: `factor` must be.*\[-1, 1\]"),
    (lambda: RandomBrightness(0.1, (1, 2, 3)), "`value_range` must be two numbers"),
    (lambda: RandomFlip(bounding_box_format="xyxy"), "`bounding_box_format` is not"),
    (lambda: RandomFlip(data_format="NHWC"), "`data_format` must be"),
    (lambda: RandomFlip()(X[0, 0]), "rank 3"),
    (lambda: RandomFlip().compute_output_shape((None, 3)), "rank 3"),
    (lambda: RandomFlip()({"labels": X}), "must have 'images'"),
    (
        lambda: RandomFlip()({"images": X, "bounding_boxes": X}),
        "'bounding_boxes' are not offered",
    ),
    (lambda: Pipeline.from_config({"layers": None}), "list of configs under 'layers'"),
]


@pytest.mark.parametrize(("make", "message"), BAD)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_pipeline_holds_layers_only():
    with pytest.raises(TypeError, match="`layers` must be a list of layers"):
        Pipeline([RandomFlip(), "RandomFlip"])


def test_factors_that_keras_takes():
    assert RandomRotation(-0.2).factor == (-0.2, 0.2)
    assert RandomRotation((0.3, 0.1)).factor == (0.1, 0.3)
    assert RandomRotation((-2, 0.5)).factor == (-2, 0.5)
    assert RandomRotation(None).factor == (0.0, 0.0)
    assert RandomContrast(0.2).factor == (0, 0.2)
    assert RandomContrast((0.5, 3.0)).factor == (0.5, 3.0)
    assert RandomBrightness(0.2, (255, 0)).value_range == [0, 255]
    assert RandomZoom(1.0).height_factor == 1.0
