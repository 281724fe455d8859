"""The preprocessing layers against real Keras: tests/golden/preprocessing*.json."""

import json
from pathlib import Path

import numpy as np
import pytest

from minikeras import layers
from minikeras.layers.preprocessing.hashes import farm_hash, sip_hash

GOLDEN = Path(__file__).parents[2] / "golden"
NUMBERS = json.loads((GOLDEN / "preprocessing.json").read_text())["cases"]
TEXT = json.loads((GOLDEN / "preprocessing_text.json").read_text("utf-8"))
INPUTS = TEXT["inputs"]


def name_of(case):
    arguments = ", ".join(f"{k}={v}" for k, v in case["arguments"].items())
    return f"{case['layer']}({arguments})"[:90]


def make(case, **more):
    arguments = {**case["arguments"], **more}
    if isinstance(arguments.get("ngrams"), list):
        arguments["ngrams"] = tuple(arguments["ngrams"])
    return getattr(layers, case["layer"])(**arguments)


def plain(value):
    """As JSON has it: lists for tuples."""
    return json.loads(json.dumps(value))


def check(y, golden, exact=True):
    assert list(y.shape) == golden["shape"]
    if golden["dtype"] == "str":
        assert y.dtype.kind == "U"
    else:
        assert y.dtype.name == golden["dtype"]
    expected = np.array(golden["y"]).reshape(golden["shape"])
    if exact:
        np.testing.assert_array_equal(y, expected)
    else:
        np.testing.assert_allclose(y, expected, rtol=2e-6, atol=2e-6)


# Numbers ----------------------------------------------------------------------------


def adapted(case):
    arguments = dict(case["arguments"])
    if isinstance(arguments.get("scale"), list):
        case = {
            **case,
            "arguments": {**arguments, "scale": np.array(arguments["scale"])},
        }
    layer = make(case, name="it")
    data = case["adapt"]
    if isinstance(data, dict):
        layer.adapt(np.array(batch) for batch in data["batches"])
    elif data is not None:
        layer.adapt(np.array(data))
    return layer


@pytest.mark.parametrize("case", NUMBERS, ids=name_of)
def test_numbers(case):
    layer = adapted(case)
    x = np.array(case["x"])
    more = {}
    if "count_weights" in case:
        more["count_weights"] = np.array(case["count_weights"])
    y = layer(x, **more)
    exact = case["layer"] not in ("Normalization", "Rescaling") and not more
    check(y, case, exact)
    if x.ndim:
        first = x.shape[0] if len(y.shape) < len(x.shape) or x.ndim == 1 else None
        shape = layer.compute_output_shape((first, *x.shape[1:]))
        assert len(shape) == y.ndim
        assert all(n is None or n == m for n, m in zip(shape, y.shape, strict=True))


@pytest.mark.parametrize("case", NUMBERS, ids=name_of)
def test_config_of_numbers(case):
    layer = adapted(case)
    config = plain(layer.get_config())
    expected = case["config"]
    assert list(config) == list(expected)
    if case["layer"] == "Discretization" and case["adapt"] is not None:
        np.testing.assert_allclose(
            config.pop("bin_boundaries"), expected.pop("bin_boundaries"), rtol=1e-6
        )
    assert config == expected
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    serialized = plain(layers.serialize(layer))
    assert plain(layers.serialize(layers.deserialize(serialized))) == serialized


@pytest.mark.parametrize("case", [c for c in NUMBERS if c["weights"]], ids=name_of)
def test_weights_of_normalization(case):
    layer = adapted(case)
    assert not layer.trainable_weights
    for variable, (name, shape, value) in zip(
        layer.weights, case["weights"], strict=True
    ):
        assert (variable.name, list(variable.shape)) == (name, shape)
        np.testing.assert_allclose(variable.numpy(), value, rtol=2e-6, atol=2e-6)
    again = type(layer).from_config(layer.get_config())
    again.build(layer.input_shape)
    again.set_weights(layer.get_weights())
    x = np.array(case["x"])
    np.testing.assert_array_equal(again(x), layer(x))


# Strings, places and hashes ---------------------------------------------------------


def columns(x):
    return [np.array(column) for column in x]


def ready(case):
    layer = make(case, name="it")
    if case["adapt"] is not None:
        layer.adapt(INPUTS[case["adapt"]])
    return layer


@pytest.mark.parametrize("case", TEXT["cases"], ids=name_of)
def test_text(case):
    layer = ready(case)
    if "vocabulary" in case:
        assert layer.get_vocabulary() == case["vocabulary"]
        assert layer.vocabulary_size() == len(case["vocabulary"])
    for output in case["outputs"]:
        x = INPUTS[output["x"]]
        crossing = case["layer"] == "HashedCrossing"
        inputs = columns(x) if crossing else x
        weighted = case["arguments"].get("output_mode") == "tf_idf"
        check(layer(inputs), output, exact=not weighted)
        if not crossing:
            array = np.array(x)
            forms = [array]
            if array.dtype.kind == "U":
                forms += [array.astype(object), np.char.encode(array, "utf-8")]
            for form in forms:
                check(layer(form), output, exact=not weighted)


@pytest.mark.parametrize("case", TEXT["cases"], ids=name_of)
def test_config_of_text(case):
    layer = ready(case)
    config = plain(layer.get_config())
    assert list(config) == list(case["config"])
    assert config == case["config"]
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    serialized = plain(layers.serialize(layer))
    assert plain(layers.serialize(layers.deserialize(serialized))) == serialized


@pytest.mark.parametrize("case", TEXT["cases"], ids=name_of)
def test_shape_of_text(case):
    layer = ready(case)
    for output in case["outputs"]:
        x = INPUTS[output["x"]]
        crossing = case["layer"] == "HashedCrossing"
        shape = np.array(x[0] if crossing else x).shape
        unknown = len(shape) > 1
        if not shape or (case["layer"] == "TextVectorization" and len(shape) > 2):
            continue  # no batch axis; Keras tells that one without the second axis
        if not unknown and case["layer"] == "TextVectorization":
            unsplit = "split" in case["arguments"] and not case["arguments"]["split"]
            if unsplit:
                continue  # one text, of tokens: no batch axis either
        given = (None, *shape[1:]) if unknown else shape
        found = layer.compute_output_shape([given, given] if crossing else given)
        assert len(found) == len(output["shape"])
        for size, true in zip(found, output["shape"], strict=True):
            assert size in (None, true)


@pytest.mark.parametrize(
    "case",
    [c for c in TEXT["cases"] if c["layer"] == "TextVectorization"],
    ids=name_of,
)
def test_texts_in_batches_learn_the_same(case):
    if case["adapt"] is None or case["arguments"].get("split", 1) is None:
        return
    layer = make(case)
    data = INPUTS[case["adapt"]]
    layer.adapt(data[i : i + 2] for i in range(0, len(data), 2))
    assert layer.get_vocabulary() == case["vocabulary"]


def test_long_hashes():
    golden = TEXT["hashes"]
    random = np.random.RandomState(0)
    texts = [random.bytes(n) for n in golden["lengths"]]
    bins = np.uint64(2**62)
    assert (farm_hash(texts) % bins).tolist() == golden["fast"]
    for key, expected in zip(golden["keys"], golden["strong"], strict=True):
        assert (sip_hash(texts, key) % bins).tolist() == expected
    assert (farm_hash(texts[::-1]) % bins).tolist() == golden["fast"][::-1]
    assert farm_hash([]).shape == (0,)
