"""TextVectorization beyond the golden file."""

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers
from minikeras.layers import TextVectorization

ABC = ["a", "b", "c"]
TEXTS = ["The cat sat.", "A cat!", "", "sat, SAT"]


@keras.utils.register_keras_serializable("preprocessing_tests")
def without_digits(texts):
    return np.char.translate(texts, str.maketrans("", "", "0123456789"))


@keras.utils.register_keras_serializable("preprocessing_tests")
def at_commas(texts):
    return [text.split(",") for text in texts]


def test_functions_for_standardize_and_split():
    layer = TextVectorization(
        vocabulary=ABC, standardize=without_digits, split=at_commas
    )
    x = ["a1,b2", "c", "b,4a,z"]
    expected = [[2, 3, 0], [4, 0, 0], [3, 2, 1]]
    np.testing.assert_array_equal(layer(x), expected)
    np.testing.assert_array_equal(layer([[text.encode()] for text in x]), expected)
    again = layers.deserialize(layers.serialize(layer))
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(again(x), expected)
    with pytest.raises(TypeError, match="lambda"):
        TextVectorization(split=lambda x: x).get_config()


@pytest.mark.parametrize(
    "split", [lambda x: x, lambda x: [["a"]], lambda x: "ab", lambda x: [["a"], "b"]]
)
def test_split_must_return_lists(split):
    with pytest.raises(ValueError, match="`split` must return a list of tokens"):
        TextVectorization(vocabulary=ABC, split=split)(["a b", "b"])


def test_one_hot_is_padded_with_zeros():
    layer = TextVectorization(vocabulary=ABC, output_mode="one_hot")
    y = layer(["b a", "", "q"])
    expected = np.zeros((3, 2, 4))
    expected[0, 0, 2] = expected[0, 1, 1] = expected[2, 0, 0] = 1
    np.testing.assert_array_equal(y, expected)
    assert y.dtype == np.int64
    assert layer.compute_output_shape((None, 1)) == (None, None, 4)
    assert layer(["a", "b"]).shape == (2, 1, 4)


@pytest.mark.parametrize("mode", ["multi_hot", "count", "tf_idf"])
def test_rows_do_not_depend_on_their_neighbours(mode):
    layer = TextVectorization(output_mode=mode, ngrams=2)
    layer.adapt(TEXTS)
    y = layer(TEXTS)
    for i, text in enumerate(TEXTS):
        np.testing.assert_array_equal(layer([text])[0], y[i])
        np.testing.assert_array_equal(layer(text), y[i])


@pytest.mark.parametrize("mode", ["int", "count", "tf_idf"])
def test_saved_vocabulary(tmp_path, mode):
    layer = TextVectorization(output_mode=mode)
    layer.adapt(TEXTS)
    store = {}
    layer.save_own_variables(store)
    layer.save_assets(tmp_path)
    again = TextVectorization.from_config(layer.get_config())
    again.load_own_variables(store)
    again.load_assets(tmp_path)
    assert again.get_vocabulary() == layer.get_vocabulary()
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(again(TEXTS), layer(TEXTS))


def test_learning_bit_by_bit():
    layer = TextVectorization()
    layer.adapt((TEXTS[i : i + 1] for i in range(3)), steps=2)
    assert layer.get_vocabulary() == ["", "[UNK]", "cat", "the", "sat", "a"]
    layer.reset_state()
    layer.update_state(TEXTS[3:])
    layer.update_state("a b")
    layer.finalize_state()
    assert layer.get_vocabulary(False) == ["sat", "b", "a"]
    layer.adapt(TEXTS, batch_size=1)
    assert layer.get_vocabulary(False) == ["sat", "cat", "the", "a"]
    layer.set_vocabulary(ABC)
    assert layer.vocabulary_size() == 5
    with pytest.raises(ValueError, match="`steps` counts"):
        layer.adapt(TEXTS, steps=2)


def test_vocabulary_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("cat\nsat\n")
    layer = TextVectorization(vocabulary=str(path))
    assert layer.get_vocabulary() == ["", "[UNK]", "cat", "sat"]
    config = {**layer.get_config(), "vocabulary": str(path)}
    with pytest.raises(ValueError, match="a config names are not read"):
        TextVectorization.from_config(config)


def test_config_of_keras_with_lists():
    config = {**TextVectorization(ngrams=(2, 3)).get_config(), "ngrams": [2, 3]}
    layer = TextVectorization.from_config(config)
    assert layer.get_config()["ngrams"] == (2, 3)


def test_text_layer_has_no_weights():
    layer = TextVectorization(vocabulary=ABC)
    layer(TEXTS)
    assert layer.built and layer.weights == [] and layer.dtype == "string"
    assert layer(np.array([], str)).shape == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"standardize": "upper"}, "`standardize` must be one of"),
        ({"split": "words"}, "`split` must be one of"),
        ({"ngrams": 0}, "`ngrams` must be"),
        ({"ngrams": (1, 0)}, "`ngrams` must be"),
        ({"ngrams": "2"}, "`ngrams` must be"),
        ({"ngrams": True}, "`ngrams` must be"),
        ({"output_mode": "x"}, "`output_mode` must be one of"),
        ({"output_sequence_length": -1}, "`output_sequence_length` must be"),
        (
            {"output_sequence_length": 3, "output_mode": "count"},
            "belongs to output_mode='int'",
        ),
        ({"ragged": True}, "`ragged` is not offered"),
        ({"sparse": True, "output_mode": "count"}, "`sparse` is not offered"),
        ({"max_tokens": 1}, "`max_tokens` must be"),
    ],
)
def test_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TextVectorization(**arguments)


def test_input_is_refused():
    layer = TextVectorization(vocabulary=ABC)
    with pytest.raises(ValueError, match="in one column"):
        layer([["a", "b"]])
    with pytest.raises(ValueError, match="must hold strings"):
        layer([1, 2])
    with pytest.raises(RuntimeError, match="not known yet"):
        TextVectorization(output_mode="count")(TEXTS)
