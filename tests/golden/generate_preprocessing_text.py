"""Write preprocessing_text.json: lookups, texts and hashes of real Keras.

These layers compute with TensorFlow, so that is the backend, and the source of the
long hashes. Each case is a layer, what it was adapted to, inputs and outputs.

Run it with TensorFlow and Keras installed:
KERAS_BACKEND=tensorflow python generate_preprocessing_text.py
"""

import json
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import layers

ABC = ["a", "b", "c"]
WORDS = [
    ["a", "z", "b"],
    ["b", "é", "naïve"],
    ["日本", "b", ""],
    ["a", "Z", "m"],
]
NUMBERS = [[12, -5, 36], [36, 1000000007, 0], [12, 12, -1], [7, 8, 36]]
TEXTS = [
    "Hello, World! a-b",
    "the  quick\tbrown é É fox; the FOX",
    "",
    "x\u00a0y \u3000z it's",
    "line\none\x1cdone\x0bThe `end` [~]",
]
SHAPES = [(), (2,), (2, 1), (2, 3), (2, 2, 3), (2, 3, 1)]
ENCODED = ["one_hot", "multi_hot", "count"]
ALL_MODES = ["int", *ENCODED, "tf_idf"]


def shaped(values, shape):
    return np.resize(np.array(values, object), shape).tolist()


def lookups():
    """Class, arguments, data to adapt to, inputs."""
    for mode in ["int", *ENCODED]:
        for shape in SHAPES:
            arguments = {"vocabulary": ABC, "output_mode": mode}
            x = shaped(["a", "b", "q", "b", "c"], shape)
            yield "StringLookup", arguments, None, [x]
    for name, data, known in (
        ("StringLookup", WORDS, ABC),
        ("IntegerLookup", NUMBERS, [36, 12, 8]),
    ):
        mask = "" if name == "StringLookup" else 0
        for mode in ALL_MODES:
            yield name, {"output_mode": mode}, data, [data, data[0]]
            more = {"output_mode": mode, "mask_token": mask, "num_oov_indices": 3}
            yield name, more, data, [data]
            yield name, {**more, "max_tokens": 6}, data, [data]
            if mode != "int":
                padded = {"output_mode": mode, "max_tokens": 20}
                yield name, {**padded, "pad_to_max_tokens": True}, data, [data]
                masked = {"output_mode": mode, "mask_token": mask}
                yield name, masked, sum(data, []), [data]
            given = {"output_mode": mode, "vocabulary": known}
            if mode == "tf_idf":
                given["idf_weights"] = [0.25, 0.5, 2.0]
            yield name, given, None, [data]
            yield name, {**given, "mask_token": mask}, None, [data]
            yield name, {**given, "num_oov_indices": 2}, None, [data]
        yield name, {"vocabulary": known, "num_oov_indices": 0}, None, [known[::-1]]
        inverse = {"vocabulary": known, "invert": True}
        places = [[1, 3, 9], [-1, 0, 2]]
        yield name, inverse, None, [places]
        yield name, {**inverse, "mask_token": mask}, None, [places]
        more = {"mask_token": mask, "num_oov_indices": 2}
        yield name, {**inverse, **more}, None, [places]
        yield name, {"invert": True}, data, [places]
    many = [f"word {i}" for i in range(40)]
    some = {"vocabulary": ABC, "num_oov_indices": 7}
    yield "StringLookup", some, None, [many]
    yield "StringLookup", {**some, "salt": 5}, None, [many]
    some = {"vocabulary": [1, 2], "num_oov_indices": 7}
    integers = list(range(-20, 20))
    yield "IntegerLookup", some, None, [integers]
    yield "IntegerLookup", {**some, "oov_method": "farmhash"}, None, [integers]
    salted = {**some, "oov_method": "farmhash", "salt": [3, 4]}
    yield "IntegerLookup", salted, None, [integers]
    special = ["", "[UNK]", "x", "y"]
    masked = {"mask_token": "", "vocabulary": special}
    yield "StringLookup", masked, None, [["y", "", "q"]]
    weighted = {"output_mode": "tf_idf", "vocabulary": special[1:]}
    weighted["idf_weights"] = [0.5, 1.0, 2.0]
    yield "StringLookup", weighted, None, [["y", "x", "q"]]
    hashes = {"mask_value": "b", "num_bins": 5}
    yield "Hashing", hashes, None, [WORDS]
    yield "Hashing", {"mask_value": 36, "num_bins": 5}, None, [NUMBERS]
    yield "Hashing", {"mask_value": 36, "num_bins": 1}, None, [NUMBERS]
    for salt in (None, 133, [133, 137]):
        yield "Hashing", {"num_bins": 1000, "salt": salt}, None, [WORDS, many, NUMBERS]
    floats = [1.7, -2.5, 3.0]
    yield "Hashing", {"num_bins": 1000}, None, [floats, [True, False]]
    for mode in ENCODED:
        for shape in SHAPES[mode == "one_hot" :]:  # a scalar fails there in Keras
            if mode != "one_hot" or shape != (2, 3, 1):
                x = shaped([1, 5, 7, 5, 2], shape)
                yield "Hashing", {"num_bins": 3, "output_mode": mode}, None, [x]


def crossings():
    letters, numbers = shaped(["A", "B", "A", "é"], (6,)), shaped([101, -2, 7], (6,))
    for mode in ("int", "one_hot"):
        for shape in [(), (6,), (6, 1)]:
            columns = [shaped(letters, shape), shaped(numbers, shape)]
            yield (
                "HashedCrossing",
                {"num_bins": 5, "output_mode": mode},
                None,
                [columns],
            )
    for columns in (
        [numbers, numbers],
        [letters, letters],
        [numbers, letters],
        [letters, numbers, letters],
    ):
        yield "HashedCrossing", {"num_bins": 100000}, None, [columns]


def texts():
    columns = [[text] for text in TEXTS]
    for mode in ALL_MODES:
        if mode != "one_hot":  # ragged in Keras
            arguments = {"output_mode": mode}
            x = [TEXTS, columns, TEXTS[1], ["", ""], ["fox"]]
            yield "TextVectorization", arguments, TEXTS, x
            yield "TextVectorization", {**arguments, "max_tokens": 6}, columns, [TEXTS]
            padded = {**arguments, "max_tokens": 30, "pad_to_max_tokens": True}
            if mode != "int":
                yield "TextVectorization", padded, TEXTS, [TEXTS]
            ngrams = {**arguments, "ngrams": 2, "split": "character", "max_tokens": 30}
            yield "TextVectorization", ngrams, TEXTS, [TEXTS]
    for standardize in ("lower", "strip_punctuation", None):
        for split in ("whitespace", "character", None):
            arguments = {"standardize": standardize, "split": split}
            yield "TextVectorization", arguments, TEXTS, [TEXTS]
    for length in (0, 2, 9):
        arguments = {"output_sequence_length": length}
        yield "TextVectorization", arguments, TEXTS, [TEXTS, "a the"]
        if length == 0:
            continue
        unsplit = {**arguments, "split": None}
        tokens = [["a", "b"], ["c", "a"]]
        yield "TextVectorization", unsplit, ABC, [tokens, ABC]
    pairs = {"vocabulary": ["a", "b", "a b", "b a"]}
    x = ["a b a", "b", "", "q b"]
    yield "TextVectorization", {**pairs, "ngrams": 2}, None, [x]
    yield "TextVectorization", {**pairs, "ngrams": [2]}, None, [x]
    yield "TextVectorization", {**pairs, "ngrams": [3, 1]}, None, [x]
    dense = {**pairs, "ngrams": 2, "split": None}
    yield "TextVectorization", dense, None, [[["a", "b"], ["b", "b"]], ["a", "b"]]
    for mode in ENCODED:
        unsplit = {**pairs, "split": None, "output_mode": mode}
        x = [["A b", "b"], [["A b"], ["b"]], [["a", "b"], ["b", "b"]]]
        yield "TextVectorization", unsplit, None, x
    yield "TextVectorization", {"vocabulary": ABC}, None, [[[["a b"], ["b"]]]]
    weighted = {
        "output_mode": "tf_idf",
        "vocabulary": ABC,
        "idf_weights": [1.0, 2.0, 4.0],
    }
    yield "TextVectorization", weighted, None, [["a b b", "q"]]
    split = {"split": None, "output_mode": "tf_idf"}
    yield "TextVectorization", split, WORDS, [WORDS]


def plain(array):
    array = np.asarray(array)
    if array.dtype == object:
        return np.char.decode(array.astype("S"), "utf-8").tolist()
    return array.tolist()


def place_of(value, data):
    """The index of a value in the list of inputs, which holds each of them once."""
    written = json.dumps(value)  # True is not 1 there
    found = [i for i, item in enumerate(data) if json.dumps(item) == written]
    if not found:
        data.append(value)
    return found[0] if found else len(data) - 1


def answer(shared, name, arguments, data, inputs):
    made = dict(arguments)
    if isinstance(made.get("ngrams"), list):
        made["ngrams"] = tuple(made["ngrams"])
    layer = getattr(layers, name)(**made, name="it")
    if data is not None:
        layer.adapt(data)
    outputs = []
    for x in inputs:
        given = [np.array(column) for column in x] if name == "HashedCrossing" else x
        y = layer(given).numpy()
        kind = "str" if y.dtype == object else y.dtype.name
        x = place_of(x, shared)
        outputs.append({"x": x, "y": plain(y), "dtype": kind, "shape": y.shape})
    adapt = None if data is None else place_of(data, shared)
    case = {"layer": name, "arguments": arguments, "adapt": adapt, "outputs": outputs}
    case["config"] = layer.get_config()
    if hasattr(layer, "get_vocabulary"):
        words = layer.get_vocabulary()
        text = name != "IntegerLookup"
        case["vocabulary"] = [str(w) if text else int(w) for w in words]
    return case


def hashes():
    random = np.random.RandomState(0)
    lengths = [*range(70), 95, 96, 97, 127, 128, 129, 191, 192, 193, 1000]
    texts = [random.bytes(n) for n in lengths]
    keys = [[0, 0], [133, 137], [-5, 2**62]]
    bins = 2**62
    strong = [
        tf.strings.to_hash_bucket_strong(texts, bins, key=key).numpy().tolist()
        for key in keys
    ]
    fast = tf.strings.to_hash_bucket_fast(texts, bins).numpy().tolist()
    return {"lengths": lengths, "keys": keys, "fast": fast, "strong": strong}


def main():
    inputs = []
    cases = [answer(inputs, *c) for c in (*lookups(), *crossings(), *texts())]
    golden = {
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "hashes": hashes(),
        "inputs": inputs,
        "cases": cases,
    }
    path = Path(__file__).with_name("preprocessing_text.json")
    text = json.dumps(golden, separators=(",", ":"), ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
    print(f"{path}: {path.stat().st_size} bytes, {len(cases)} cases", file=sys.stderr)


if __name__ == "__main__":
    main()
