"""StringLookup, IntegerLookup, Hashing and HashedCrossing beyond the golden file."""

import numpy as np
import pytest

from minikeras import layers
from minikeras.layers import (
    HashedCrossing,
    Hashing,
    IntegerLookup,
    StringLookup,
)
from minikeras.layers.preprocessing.hashes import farm_hash, sip_hash

ABC = ["a", "b", "c"]


# Vocabularies -----------------------------------------------------------------------


def test_order_of_the_vocabulary():
    # count first; among equals the higher code point first
    data = ["b", "a", "c", "a", "é", "Z", "日", "", "zz", "z"]
    layer = StringLookup()
    layer.adapt(data)
    assert layer.get_vocabulary(include_special_tokens=False) == (
        ["a", "日", "é", "zz", "z", "c", "b", "Z", ""]
    )
    layer = IntegerLookup(mask_token=0)
    layer.adapt([3, -7, 0, 3, 12, -1, 5])
    assert layer.get_vocabulary() == [0, -1, 3, 12, 5, -7]


@pytest.mark.parametrize("kind", ["list", "array", "tuple", "bytes"])
def test_vocabulary_may_be_any_sequence(kind):
    given = {
        "list": ABC,
        "array": np.array(ABC),
        "tuple": tuple(ABC),
        "bytes": [word.encode() for word in ABC],
    }[kind]
    layer = StringLookup(vocabulary=given)
    assert layer.get_vocabulary() == ["[UNK]", *ABC]
    assert layer.get_config()["vocabulary"] == ABC


def test_bytes_are_decoded():
    layer = StringLookup(vocabulary=["é", "ü"], encoding="latin-1")
    np.testing.assert_array_equal(layer(np.array([b"\xfc", b"\xe9"])), [2, 1])
    np.testing.assert_array_equal(layer(["ü", b"\xe9"]), [2, 1])
    with pytest.raises(ValueError, match="Pass the right `encoding`"):
        StringLookup(vocabulary=["é"])([b"\xe9"])


@pytest.mark.parametrize("ending", ["", "\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_vocabulary_from_a_file(tmp_path, ending, newline):
    path = tmp_path / "words.txt"
    path.write_bytes((newline.join(["é", "b", "日本"]) + ending).encode())
    for given in (path, str(path)):
        layer = StringLookup(vocabulary=given, mask_token="")
        assert layer.get_vocabulary() == ["", "[UNK]", "é", "b", "日本"]
        assert layer.get_config()["vocabulary"] is None
    layer = StringLookup(encoding="latin-1")
    path.write_bytes(b"\xe9\nb")
    layer.set_vocabulary(path)
    assert layer.get_vocabulary(False) == ["é", "b"]
    with pytest.raises(ValueError, match="Pass the right `encoding`"):
        StringLookup(vocabulary=path)
    path.write_text("12\n-5\n")
    assert IntegerLookup(vocabulary=path).get_vocabulary() == [-1, 12, -5]
    path.write_text("12\nx\n")
    with pytest.raises(ValueError, match="must be a whole number"):
        IntegerLookup(vocabulary=path)
    with pytest.raises(ValueError, match="cannot be read"):
        StringLookup(vocabulary=tmp_path / "missing.txt")
    with pytest.raises(ValueError, match="takes no vocabulary file"):
        StringLookup(output_mode="tf_idf").set_vocabulary(path, [1.0])


def test_configs_do_not_read_files(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("secret")
    config = {**StringLookup().get_config(), "vocabulary": str(path)}
    with pytest.raises(ValueError, match="a config names are not read"):
        StringLookup.from_config(config)
    with pytest.raises(ValueError, match="a config names are not read"):
        layers.deserialize({"class_name": "StringLookup", "config": config})


@pytest.mark.parametrize("cls", [StringLookup, IntegerLookup])
@pytest.mark.parametrize("mode", ["int", "count", "tf_idf"])
@pytest.mark.parametrize("pad", [False, True])
def test_assets(tmp_path, cls, mode, pad):
    arguments = {"output_mode": mode, "num_oov_indices": 2}
    if pad:
        arguments |= {"max_tokens": 12, "pad_to_max_tokens": True}
    data = [[3, 4, 3], [5, 0, 3]]
    if cls is StringLookup:
        data = [["a", "", "é"], ["a", "x y", "a"]]
    layer = cls(**arguments)
    layer.adapt(data)
    store = {}
    layer.save_own_variables(store)
    layer.save_assets(tmp_path)
    again = cls.from_config(layer.get_config())
    again.load_own_variables(store)
    again.load_assets(tmp_path)
    assert again.get_vocabulary() == layer.get_vocabulary()
    assert again.get_config() == layer.get_config()
    np.testing.assert_array_equal(again(data), layer(data))
    assert list(store) == (["idf_weights"] if mode == "tf_idf" else [])


def test_assets_as_keras_writes_them(tmp_path):
    layer = StringLookup(mask_token="")
    layer.adapt(["b", "a", "b"])
    layer.save_assets(tmp_path)
    assert (tmp_path / "vocabulary.txt").read_text() == "\n[UNK]\nb\na"
    other = tmp_path / "other"
    other.mkdir()
    StringLookup(vocabulary=ABC).save_assets(other)  # in the config
    assert not list(other.iterdir())
    layer = StringLookup()
    layer.adapt(["one\ntwo"])
    with pytest.raises(ValueError, match="line breaks"):
        layer.save_assets(other)
    assert not list(other.iterdir())
    (other / "vocabulary.txt").write_text("[UNK]\nb\na\n\n")
    again = StringLookup()
    again.load_assets(other)
    assert again.get_vocabulary() == ["[UNK]", "b", "a"]


# Learning ---------------------------------------------------------------------------


def test_adapt_takes_batches_and_steps():
    parts = [["a", "b"], ["b", "c"], ["d", "d"]]
    layer = StringLookup()
    layer.adapt(iter(parts), steps=2)
    assert layer.get_vocabulary(False) == ["b", "c", "a"]
    layer.adapt(np.array(part) for part in parts)
    assert layer.get_vocabulary(False) == ["d", "b", "c", "a"]
    layer.reset_state()
    layer.update_state(["q", "[UNK]"])
    layer.update_state("q")
    assert layer.get_vocabulary(False) == ["d", "b", "c", "a"]  # not finalized yet
    layer.finalize_state()
    assert layer.get_vocabulary(False) == ["q"]
    with pytest.raises(ValueError, match="`steps` counts"):
        layer.adapt(parts[0], steps=1)
    with pytest.raises(TypeError, match="yields batches"):
        layer.adapt(object())
    with pytest.raises(ValueError, match="made with a `vocabulary`"):
        StringLookup(vocabulary=ABC).adapt(ABC)


def test_tf_idf_is_its_formula():
    documents = [["a", "b", "a"], ["a", "c", "c"], ["b", "b", "b"]]
    layer = StringLookup(output_mode="tf_idf")
    layer.adapt(documents)
    words = layer.get_vocabulary()
    assert words[1:3] == ["b", "a"]
    idf = {
        word: np.log(1 + 3 / (1 + sum(word in row for row in documents)))
        for word in words[1:]
    }
    idf[words[0]] = np.mean(list(idf.values()))
    x = [["a", "c", "a"], ["?", "b", "?"]]
    expected = [[row.count(w) * idf[w] for w in words] for row in x]
    expected[1][0] = 2 * idf[words[0]]
    y = layer(x)
    np.testing.assert_allclose(y, expected, rtol=1e-6)
    assert y.dtype == np.float32


def test_size_of_the_output_does_not_change():
    layer = StringLookup(output_mode="multi_hot")
    with pytest.raises(RuntimeError, match="not known yet"):
        layer(ABC)
    layer.adapt(ABC)
    with pytest.raises(RuntimeError, match="cannot change from 4 to 3"):
        layer.adapt(["a", "b"])
    assert layer.get_vocabulary() == ["[UNK]", "c", "b", "a"]
    layer.adapt(["x", "y", "z"])
    assert layer.get_vocabulary() == ["[UNK]", "z", "y", "x"]
    with pytest.raises(RuntimeError, match="cannot change from 4 to 2"):
        layer.set_vocabulary(["a"])
    fresh = StringLookup.from_config(StringLookup(output_mode="count").get_config())
    fresh.adapt(ABC)
    assert fresh(ABC).shape == (4,)


def test_max_tokens_below_the_special_ones():
    layer = StringLookup(max_tokens=2, num_oov_indices=3)
    layer.adapt(ABC)
    assert layer.get_vocabulary() == ["[UNK]"] * 3


# Calls ------------------------------------------------------------------------------


def test_inverse_is_the_way_back():
    x = np.array([["b", "é"], ["c", "b"]])
    forth = StringLookup(mask_token="")
    forth.adapt(x)
    back = StringLookup(
        vocabulary=forth.get_vocabulary(), mask_token="", invert=True, oov_token="[UNK]"
    )
    np.testing.assert_array_equal(back(forth(x)), x)
    assert back(np.array([0, 1, 99])).tolist() == ["", "[UNK]", "[UNK]"]


def test_places_of_unknown_tokens():
    with pytest.raises(ValueError, match="'y', 'z'.*num_oov_indices=1"):
        StringLookup(vocabulary=ABC, num_oov_indices=0)(["a", "y", "z"])
    layer = IntegerLookup(vocabulary=[4], num_oov_indices=3)
    np.testing.assert_array_equal(layer([4, 5, -1, 9]), [3, 2, 2, 0])


def test_layers_keep_no_batch_and_take_no_samples():
    layer = StringLookup(vocabulary=ABC, output_mode="count")
    assert layer(np.zeros((0, 2), str)).shape == (0, 4)
    assert layer(np.zeros((3, 0), str)).shape == (3, 4)
    assert layer.weights == [] and layer.count_params() == 0
    assert (layer.dtype, IntegerLookup().dtype) == ("string", "int64")
    assert Hashing(3)(np.zeros((0, 2), str)).shape == (0, 2)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([1, 2], "must hold strings"),
        ([["a"], ["b", "c"]], "ragged arrays"),
        (["a", 1], "not both"),
        (["a", None], "not both"),
        (np.array([1j]), "strings or numbers"),
    ],
)
def test_string_lookup_refuses_input(x, message):
    with pytest.raises(ValueError, match=message):
        StringLookup(vocabulary=ABC)(x)


def test_integer_lookup_refuses_input():
    layer = IntegerLookup(vocabulary=[1, 2])
    np.testing.assert_array_equal(layer(np.array([2.0, 3.0])), [2, 0])
    for x in (np.array([1.5]), np.array([np.nan]), ["a"]):
        with pytest.raises(ValueError, match="whole numbers"):
            layer(x)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_tokens": 1}, "`max_tokens` must be"),
        ({"max_tokens": 2.5}, "`max_tokens` must be"),
        ({"num_oov_indices": -1}, "`num_oov_indices` must be"),
        ({"pad_to_max_tokens": True}, "needs `max_tokens`"),
        ({"output_mode": "counts"}, "Did you mean 'count'"),
        ({"output_mode": "count", "sparse": True}, "`sparse` is not offered"),
        ({"invert": True, "output_mode": "count"}, "`invert` needs output_mode"),
        ({"invert": True, "oov_token": None}, "needs an `oov_token`"),
        ({"idf_weights": [1.0]}, "belong to output_mode='tf_idf'"),
        ({"output_mode": "tf_idf", "vocabulary": ABC}, "comes with `idf_weights`"),
        (
            {"output_mode": "tf_idf", "vocabulary": ABC, "idf_weights": [1.0]},
            "as many numbers",
        ),
        ({"vocabulary": []}, "is empty"),
        ({"vocabulary": ["a", "b", "a"]}, "more than once: 'a'"),
        ({"vocabulary": ["a", ""], "mask_token": ""}, "holds mask_token=''"),
        ({"vocabulary": ["a", "[UNK]"], "invert": True}, "holds oov_token"),
        ({"vocabulary": ABC, "max_tokens": 3}, "takes 4 places"),
        ({"vocabulary": [1, 2]}, "must hold strings"),
        ({"salt": [1, 2, 3]}, "`salt` must be"),
        ({"oov_method": "md5"}, "`oov_method` must be one of"),
        ({"units": 3}, "unrecognized keyword arguments: units"),
    ],
)
def test_string_lookup_refuses_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        StringLookup(**arguments)


def test_integer_lookup_refuses_arguments():
    with pytest.raises(ValueError, match="must be 'int64'"):
        IntegerLookup(vocabulary_dtype="int32")
    with pytest.raises(ValueError, match="needs oov_method='farmhash'"):
        IntegerLookup(salt=3)
    with pytest.raises(ValueError, match="whole numbers"):
        IntegerLookup(vocabulary=["a"])
    layer = StringLookup(vocabulary=ABC)
    with pytest.raises(ValueError, match="if, and only if"):
        layer.set_vocabulary(["x"], idf_weights=[1.0])
    assert layer.get_vocabulary(False) == ABC
    with pytest.raises(ValueError, match="no `idf_weights` yet"):
        StringLookup(output_mode="tf_idf", max_tokens=4, pad_to_max_tokens=True)(ABC)


# Hashes -----------------------------------------------------------------------------


def test_siphash_of_its_paper():
    key = [0x0706050403020100, 0x0F0E0D0C0B0A0908]
    assert sip_hash([bytes(range(15))], key).tolist() == [0xA129CA6149BE45E5]


@pytest.mark.parametrize("length", [0, 1, 3, 4, 7, 8, 16, 17, 32, 33, 64, 65, 128, 200])
def test_hash_of_a_text_does_not_depend_on_its_neighbours(length):
    text = bytes(range(200))[:length]
    others = [b"", b"abc", text, bytes(70), text + b"!"]
    assert farm_hash(others)[2] == farm_hash([text])[0]
    assert sip_hash(others, [1, 2])[2] == sip_hash([text], [1, 2])[0]
    assert len(set(farm_hash(others).tolist())) == len(set(others))


def test_hashing_types():
    assert Hashing(3)(ABC).dtype == np.int64
    assert Hashing(3, dtype="int32")(ABC).dtype == np.int32
    one_hot = Hashing(3, output_mode="one_hot", dtype="float64")
    assert one_hot([["a"]]).dtype == np.float64
    assert Hashing.from_config(one_hot.get_config()).dtype == "float64"
    assert HashedCrossing(3, "one_hot")([ABC, ABC]).dtype == np.float32
    x = np.array(["é", "b"])
    expected = Hashing(100)(x)
    np.testing.assert_array_equal(Hashing(100)(x.astype(object)), expected)
    np.testing.assert_array_equal(Hashing(100)(np.char.encode(x, "utf-8")), expected)
    masked = Hashing(100, mask_value=b"b")(x)
    assert masked[1] == 0 and masked[0] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_bins": 0}, "positive integer"),
        ({"num_bins": None}, "positive integer"),
        ({"num_bins": 3, "salt": "x"}, "`salt` must be"),
        ({"num_bins": 3, "salt": [1]}, "`salt` must be"),
        ({"num_bins": 3, "dtype": "float32"}, "`dtype` must be 'int32'"),
        ({"num_bins": 3, "output_mode": "tf_idf"}, "`output_mode` must be one of"),
        ({"num_bins": 3, "sparse": True, "output_mode": "count"}, "not offered"),
    ],
)
def test_hashing_refuses_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Hashing(**arguments)


def test_hashing_refuses_input():
    with pytest.raises(ValueError, match="of the same kind as mask_value"):
        Hashing(3, mask_value="x")([1, 2])
    with pytest.raises(ValueError, match="NaN or infinite"):
        Hashing(3)(np.array([np.nan]))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.array(ABC), "at least two inputs"),
        ([ABC], "at least two inputs"),
        ([ABC, ["a"]], "the same shape"),
        ([[["a", "b"]], [["a", "b"]]], r"\(batch, 1\)"),
        ([ABC, [1.5, 2.0, 3.0]], "strings or whole numbers"),
    ],
)
def test_hashed_crossing_refuses_input(inputs, message):
    with pytest.raises(ValueError, match=message):
        HashedCrossing(5)(inputs)


def test_hashed_crossing_refuses_arguments():
    with pytest.raises(ValueError, match="`output_mode` must be one of"):
        HashedCrossing(5, output_mode="count")
    with pytest.raises(ValueError, match="not offered"):
        HashedCrossing(5, output_mode="one_hot", sparse=True)
