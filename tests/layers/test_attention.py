"""Attention layers against real Keras, their derivatives, options and errors."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from autograd import make_vjp
from autograd.builtins import tuple as traced_tuple
from autograd.test_util import check_grads

import minikeras as keras
from minikeras.layers.attention import AdditiveAttention, Attention
from minikeras.layers.attention_heads import BaseHeads
from minikeras.layers.grouped_query_attention import GroupedQueryAttention
from minikeras.layers.merging import Add
from minikeras.layers.multi_head_attention import MultiHeadAttention
from minikeras.masks import get_mask, set_mask
from minikeras.registry import deserialize_keras_object, serialize_keras_object
from minikeras.training.step import backpropagate

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = json.loads((GOLDEN / "attention.json").read_text())
LAYERS = {
    "MultiHeadAttention": MultiHeadAttention,
    "GroupQueryAttention": GroupedQueryAttention,
    "Attention": Attention,
    "AdditiveAttention": AdditiveAttention,
}


def load(name):
    path = GOLDEN / "recipes" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


transformer = load("transformer")
numbers = transformer.numbers


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN / "attention.npz") as file:
        values = file["values"]

    def read(key):
        start, shape = CASES["index"][key]
        return values[start : start + int(np.prod(shape))].reshape(shape)

    return read


@pytest.fixture(autouse=True)
def _fresh_names():
    keras.utils.clear_session()


def close(ours, expected, tolerance):
    np.testing.assert_allclose(ours, expected, rtol=tolerance, atol=tolerance)


def case_id(case):
    return "-".join(map(str, (case["key"], case["layer"], case["arguments"])))


def mask_of(name):
    return None if name is None else np.array(CASES["masks"][name], bool)


def options_of(case):
    """The call's options with arrays in place of the masks' names."""
    found = {}
    for key, value in case["call"].items():
        if key == "mask":
            found[key] = [mask_of(name) for name in value]
        else:
            found[key] = mask_of(value) if isinstance(value, str) else value
    return found


def unpacked(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs,)


def prepare(case):
    """A built layer with the golden weights, its inputs, and the call of both.

    Masks of the query are attached to it, as Embedding does.
    """
    layer = LAYERS[case["layer"]](**case["arguments"], dtype="float64")
    inputs = [numbers(shape, 10 + k) for k, shape in enumerate(case["shapes"])]
    options = options_of(case)
    listed = isinstance(layer, Attention | AdditiveAttention)
    attached = None if listed else options.pop("query_mask", None)

    def call(*arrays):
        if attached is not None:
            set_mask(arrays[0], attached)
        if listed:
            return unpacked(layer([*arrays], **options))
        return unpacked(layer(*arrays, **options))

    call(*inputs)
    layer.set_weights([numbers(w.shape, 50 + k) for k, w in enumerate(layer.weights)])
    return layer, inputs, call


every_case = pytest.mark.parametrize(
    "case", [*CASES["headed"], *CASES["listed"]], ids=case_id
)


@every_case
def test_layer_equals_keras(case, golden):
    layer, inputs, call = prepare(case)
    tolerance = 3e-6 if case["single"] else 1e-9
    key = case["key"]
    found = [[w.path, list(w.shape)] for w in layer.weights]
    assert found == case["weights"]
    outputs = call(*inputs)
    for k, y in enumerate(outputs):
        close(y, golden(f"{key}/y{k}"), tolerance)
    losses = [float(loss) for loss in layer.losses]
    close(sorted(losses), sorted(case["losses"]), tolerance)
    mask = get_mask(outputs[0])
    assert (mask if mask is None else mask.tolist()) == case["mask"]

    weights = [w.value for w in layer.weights]

    def run(arrays):
        with keras.variables.bind(layer.weights, list(arrays[len(inputs) :])):
            return traced_tuple(call(*arrays[: len(inputs)]))

    pullback, _ = make_vjp(run)((*inputs, *weights))
    cotangents = [numbers(y.shape, 90 + k) for k, y in enumerate(outputs)]
    gradients = pullback(tuple(cotangents))
    names = [f"x{k}" for k in range(len(inputs))]
    names += [f"w{k}" for k in range(len(weights))]
    for name, gradient in zip(names, gradients, strict=True):
        close(gradient, golden(f"{key}/{name}"), 3 * tolerance)


@every_case
def test_config_equals_keras_both_ways(case):
    cls = LAYERS[case["layer"]]
    layer = cls(**case["arguments"], name="it")
    assert json.loads(json.dumps(layer.get_config())) == case["config"]
    again = deserialize_keras_object(serialize_keras_object(layer))
    assert type(again) is cls and again.get_config() == layer.get_config()
    from_keras = cls.from_config(case["config"])
    assert from_keras.get_config() == layer.get_config()
    if "built_axes" in case and case["layer"] == "MultiHeadAttention":
        layer.build(*case["shapes"])
        assert list(layer.get_config()["attention_axes"]) == case["built_axes"]


def test_configs_have_the_name_that_keras_exports():
    found = serialize_keras_object(GroupedQueryAttention(3, 4, 2))
    assert found["class_name"] == "GroupQueryAttention"
    assert found["config"]["name"] == "grouped_query_attention"


@every_case
def test_computed_shape_is_that_of_the_output(case):
    layer, inputs, call = prepare(case)
    shapes = [(None, *x.shape[1:]) for x in inputs]
    listed = isinstance(layer, Attention | AdditiveAttention)
    shape = layer.compute_output_shape(*([shapes] if listed else shapes))
    assert (2, *shape[1:]) == (2, *call(*inputs)[0].shape[1:])
    assert shape[0] is None


@every_case
def test_float32_stays(case):
    layer = LAYERS[case["layer"]](**case["arguments"])
    inputs = [
        numbers(s, 10 + k).astype("float32") for k, s in enumerate(case["shapes"])
    ]
    listed = isinstance(layer, Attention | AdditiveAttention)
    options = options_of(case)

    def call():
        return unpacked(
            layer(inputs, **options) if listed else layer(*inputs, **options)
        )

    assert all(y.dtype == np.float32 for y in call())
    _, _, gradients = backpropagate(
        lambda: (keras.ops.sum(keras.ops.square(call()[0])), None), layer.weights
    )
    assert all(g.dtype == np.float32 for g in gradients if g is not None)


CHECKED = {
    "self": (MultiHeadAttention(2, 3, dtype="float64"), {}),
    "causal": (MultiHeadAttention(2, 2, 3, dtype="float64"), {"use_causal_mask": True}),
    "masked": (
        MultiHeadAttention(2, 3, dtype="float64"),
        {"attention_mask": np.array([[[1, 0, 1], [0, 0, 0], [1, 1, 1]]], bool)},
    ),
    "scores": (
        MultiHeadAttention(2, 3, use_gate=True, dtype="float64"),
        {
            "attention_mask": np.array([[[1, 0, 1], [0, 0, 0], [1, 1, 1]]], bool),
            "return_attention_scores": True,
        },
    ),
    "dropout": (
        MultiHeadAttention(2, 3, dropout=0.5, dtype="float64"),
        {"attention_mask": np.array([[[1, 0, 1], [0, 0, 0], [1, 1, 1]]], bool)},
    ),
    "groups": (GroupedQueryAttention(2, 4, 2, dtype="float64"), {}),
    "dot": (Attention(use_scale=True, dtype="float64"), {"use_causal_mask": True}),
    "concat": (
        Attention(use_scale=True, score_mode="concat", dtype="float64"),
        {"mask": [None, np.array([[1, 0, 1]] * 2, bool)]},
    ),
    "additive": (AdditiveAttention(dtype="float64"), {}),
}


@pytest.mark.parametrize("name", CHECKED)
def test_derivatives(name):
    layer, options = CHECKED[name]
    inputs = [numbers((2, 3, 4), 1), numbers((2, 3, 4), 2)]
    listed = isinstance(layer, Attention | AdditiveAttention)

    def call(arrays):
        result = layer(arrays, **options) if listed else layer(*arrays, **options)
        return unpacked(result)[0]

    call(inputs)
    layer.set_weights([numbers(w.shape, 5 + k) for k, w in enumerate(layer.weights)])

    def run(query, value, *weights):
        with keras.variables.bind(layer.weights, list(weights)):
            return call([query, value])

    arrays = [*inputs, *(w.value.copy() for w in layer.weights)]
    check_grads(run, tuple(range(len(arrays))), modes=["rev"], order=2)(*arrays)


# --- masks ----------------------------------------------------------------------


def test_masks_come_with_the_arrays_and_go_as_in_keras():
    ids = np.array([[1, 2, 0], [3, 0, 0]])
    embedding = keras.layers.Embedding(5, 4, mask_zero=True)
    x = embedding(ids)
    layer = MultiHeadAttention(2, 3)
    y, weights = layer(x, x, return_attention_scores=True)
    assert get_mask(x) is None  # Keras takes it from the caller's tensor
    np.testing.assert_array_equal(get_mask(y), ids != 0)
    both = (ids != 0)[:, None, :, None] & (ids != 0)[:, None, None, :]
    np.testing.assert_array_equal(weights > 0, np.broadcast_to(both, weights.shape))
    given = layer(embedding(ids).copy(), x, value_mask=ids != 0)
    seen = ids != 0
    close(given[seen], np.asarray(y)[seen], 1e-6)

    x = embedding(ids)
    for layer in (GroupedQueryAttention(3, 4, 2), Attention()):
        y = layer([x, x]) if isinstance(layer, Attention) else layer(x, x)
        np.testing.assert_array_equal(get_mask(y), ids != 0)
        np.testing.assert_array_equal(get_mask(x), ids != 0)


def test_a_mask_of_the_query_that_is_passed_counts():
    x = numbers((2, 3, 4), 1).astype("float32")
    mask = np.array([[1, 1, 0], [1, 0, 0]], bool)
    layer = MultiHeadAttention(2, 3)
    y, weights = layer(x, x, query_mask=mask, return_attention_scores=True)
    assert not weights[0, :, 2].any() and weights[0, :, 1].all()
    np.testing.assert_array_equal(get_mask(y), mask)


def test_a_query_that_sees_nothing():
    x = numbers((1, 3, 4), 1).astype("float32")
    nothing = np.zeros((1, 3, 3), bool)
    layer = MultiHeadAttention(2, 3)
    y = layer(x, x, attention_mask=nothing)
    close(y, layer(x, np.repeat(x.mean(1, keepdims=True), 3, axis=1)), 1e-6)
    zero, weights = layer(x, x, attention_mask=nothing, return_attention_scores=True)
    assert not weights.any() and not zero.any()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize(
    "make", [lambda d: MultiHeadAttention(2, 3, dtype=d), lambda d: Attention(dtype=d)]
)
def test_no_overflow_of_masked_scores(make, dtype):
    layer = make(dtype)
    x = numbers((2, 3, 4), 1, 30.0).astype(dtype)
    masks = [np.ones((2, 3), bool), np.array([[1, 0, 1], [0, 0, 0]], bool)]
    if isinstance(layer, Attention):
        y = layer([x, x], mask=masks)
    else:
        y = layer(x, x, value_mask=masks[1])
        more, _ = layer(x, x, value_mask=masks[1], return_attention_scores=True)
        assert np.isfinite(more).all()
    assert y.dtype == dtype and np.isfinite(y).all()


# --- dropout, regularizers, projections -----------------------------------------


@pytest.mark.parametrize("name", LAYERS)
def test_dropout(name):
    x = numbers((8, 10, 6), 1).astype("float32")
    arguments = {
        "MultiHeadAttention": {"num_heads": 2, "key_dim": 3},
        "GroupQueryAttention": {
            "head_dim": 3,
            "num_query_heads": 2,
            "num_key_value_heads": 1,
        },
    }.get(name, {})

    def run(layer, **options):
        listed = isinstance(layer, Attention | AdditiveAttention)
        return layer([x, x], **options) if listed else layer(x, x, **options)

    layer = LAYERS[name](**arguments, dropout=0.5, seed=1)
    calm, loud = run(layer), run(layer, training=True)
    assert np.abs(calm - loud).max() > 1e-3
    np.testing.assert_array_equal(run(layer), calm)
    again = LAYERS[name](**arguments, dropout=0.5, seed=1)
    run(again)
    again.set_weights(layer.get_weights())
    np.testing.assert_array_equal(run(again, training=True), loud)
    none = LAYERS[name](**arguments)
    run(none)
    none.set_weights(layer.get_weights())
    close(run(none, training=True), calm, 1e-5)
    mean = np.mean([run(layer, training=True) for _ in range(200)], axis=0)
    assert np.abs(mean - calm).mean() < 0.15 * np.abs(loud - calm).mean()


def test_names_of_what_comes_after_are_those_of_keras():
    MultiHeadAttention(2, 3)(np.ones((1, 2, 4)), np.ones((1, 2, 4)))
    Attention(dropout=0.5)
    assert keras.layers.Dropout(0.1).name == "dropout_1"
    assert keras.layers.Softmax().name == "softmax_1"
    assert keras.layers.EinsumDense("ab,bc->ac", 3).name == "einsum_dense"


def test_projections_draw_their_own_numbers_unless_seeded():
    x = np.ones((1, 2, 4))
    layer = MultiHeadAttention(2, 3)
    layer(x, x)
    assert not np.array_equal(layer.query_dense.kernel, layer.key_dense.kernel)
    seeded = keras.initializers.GlorotUniform(seed=1)
    layer = MultiHeadAttention(2, 3, kernel_initializer=seeded)
    layer(x, x)
    np.testing.assert_array_equal(layer.query_dense.kernel, layer.key_dense.kernel)
    assert layer.value_dense.kernel.shape == (4, 2, 3)
    assert layer.output_dense.kernel.shape == (2, 3, 4)
    assert (layer.num_heads, layer.key_dim, layer.value_dim) == (2, 3, 3)
    assert layer.attention_axes == (1,)

    def ones(shape, dtype=None):
        return np.ones(shape, dtype)

    layer = MultiHeadAttention(2, 3, kernel_initializer=ones)
    layer(x, x)
    assert (layer.query_dense.kernel == 1).all()


@pytest.mark.parametrize("training", [False, True])
def test_the_same_dropout_with_and_without_the_scores(training):
    q, v = numbers((2, 3, 4), 1), numbers((2, 5, 6), 2)
    mask = np.random.RandomState(0).rand(2, 3, 5) > 0.4
    mask[0, 1] = False
    options = {"attention_mask": mask, "training": training}
    results = []
    for scores in (False, True):
        layer = MultiHeadAttention(2, 3, dropout=0.4, seed=1, dtype="float64")
        layer(q, v)
        layer.set_weights([numbers(w.shape, k) for k, w in enumerate(layer.weights)])

        def run(arrays, layer=layer, scores=scores):
            y = layer(*arrays, return_attention_scores=scores, **options)
            return y[0] if scores else y

        pullback, y = make_vjp(run)((q, v))
        results.append((y, *pullback(numbers(y.shape, 9))))
    for a, b in zip(*results, strict=True):
        close(a, b, 1e-12)
    assert training == (
        np.abs(results[0][0] - layer(q, v, attention_mask=mask)).max() > 0.01
    )


def test_the_same_result_with_and_without_the_scores():
    q, v = numbers((2, 3, 4), 1), numbers((2, 5, 6), 2)
    for layer in (
        MultiHeadAttention(2, 3, value_dim=5, use_gate=True, dtype="float64"),
        GroupedQueryAttention(3, 4, 2, dtype="float64"),
    ):
        close(layer(q, v), layer(q, v, return_attention_scores=True)[0], 1e-12)


def test_a_subclass_may_compute_attention_itself():
    class Mean(MultiHeadAttention):
        def _compute_attention(self, query, key, value, attention_mask=None, *_):
            assert attention_mask.shape == (1, 3, 3)
            mean = keras.ops.mean(value, axis=1, keepdims=True)
            return mean + keras.ops.zeros(query.shape), None

    x = numbers((2, 3, 4), 1).astype("float32")
    y = Mean(2, 3)(x, x, use_causal_mask=True)
    close(y, np.broadcast_to(y[:, :1], y.shape), 1e-6)


def test_build_config():
    layer = MultiHeadAttention(2, 3)
    with pytest.raises(AttributeError, match="no input shape yet"):
        layer.output_shape  # noqa: B018
    layer(np.ones((2, 3, 4)), np.ones((2, 5, 6)))
    assert layer.output_shape == (None, 3, 4)
    config = serialize_keras_object(layer)
    again = deserialize_keras_object(config)
    assert [w.shape for w in again.weights] == [w.shape for w in layer.weights]


# --- errors ---------------------------------------------------------------------

X = np.ones((2, 3, 4), "float32")
OWN = (MultiHeadAttention, {"num_heads": 2, "key_dim": 3})
REFUSED = [
    (MultiHeadAttention, {"num_heads": 0, "key_dim": 3}, "`num_heads` must be a pos"),
    (MultiHeadAttention, {"num_heads": 2, "key_dim": 0.5}, "`key_dim` must be a pos"),
    (*OWN[:1], {**OWN[1], "value_dim": -1}, "`value_dim` must be a positive"),
    (*OWN[:1], {**OWN[1], "output_shape": "a"}, "`output_shape` must be a whole"),
    (*OWN[:1], {**OWN[1], "output_shape": (3, 0)}, "`output_shape` must be a pos"),
    (*OWN[:1], {**OWN[1], "attention_axes": 1.5}, "`attention_axes` must be a whole"),
    (*OWN[:1], {**OWN[1], "sliding_window": 0}, "`sliding_window` must be a pos"),
    (*OWN[:1], {**OWN[1], "flash_attention": True}, "`flash_attention` is for GPUs"),
    (*OWN[:1], {**OWN[1], "dropout": 2}, "`dropout` must be a number from 0 to 1"),
    (
        GroupedQueryAttention,
        {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 3},
        "must be a multiple of `num_key_value_heads`.* num_query_heads=4",
    ),
    (
        GroupedQueryAttention,
        {"head_dim": 3, "num_query_heads": -4, "num_key_value_heads": 2},
        "`num_query_heads` must be a positive",
    ),
    (Attention, {"score_mode": "dto"}, "`score_mode` must be one of.*mean 'dot'"),
    (Attention, {"dropout": -1}, "Attention: `dropout` must be a number from 0"),
]


@pytest.mark.parametrize(("cls", "arguments", "message"), REFUSED)
def test_refused_arguments(cls, arguments, message):
    with pytest.raises(ValueError, match=message):
        cls(**arguments)


REFUSED_CALLS = [
    (X, X, X[:, :2], {}, r"value \(None, 3, 4\), key \(None, 2, 4\)"),
    (X[0], X[0], None, {}, r"at least \(batch, length, size\)"),
    (X, X[:, :, None], None, {}, "the same number of axes"),
    (X, X, None, {"attention_mask": np.ones((2, 2, 3), bool)}, "`mask` must be broad"),
]


@pytest.mark.parametrize(("query", "value", "key", "more", "message"), REFUSED_CALLS)
def test_refused_inputs(query, value, key, more, message):
    for layer in (MultiHeadAttention(2, 3), GroupedQueryAttention(3, 4, 2)):
        with pytest.raises(ValueError, match=message):
            layer(query, value, key=key, **more)
        layer(X, X)
        with pytest.raises(ValueError):  # noqa: PT011 - EinsumDense may be the first
            layer(query, value, key=key, **more)


def test_refused_axes():
    grid = np.ones((2, 3, 4, 5))
    for axes in (0, 3, -1, (1, 1), 4, (1, -3)):
        layer = MultiHeadAttention(2, 3, attention_axes=axes)
        with pytest.raises(
            ValueError, match=r"different axes of the query from 1 to 2"
        ):
            layer(grid, grid)
    with pytest.raises(ValueError, match=r"a query with 3 axes.*\(None, 3, 4, 5\)"):
        GroupedQueryAttention(3, 4, 2)(grid, grid)


@pytest.mark.parametrize("cls", [Attention, AdditiveAttention])
def test_refused_lists(cls):
    layer = cls()
    for inputs in (X, [X], [X] * 4, (X, X)):
        for one in (cls(), layer):
            with pytest.raises(
                ValueError, match=r"must be called on a list \[query, va"
            ):
                one(inputs)
        layer([X, X])
    for mask in (np.ones((2, 3), bool), [np.ones((2, 3), bool)]):
        with pytest.raises(ValueError, match=r"`mask` must be a list \[query_mask"):
            layer([X, X], mask=mask)
    with pytest.raises(ValueError, match=r"Received: \(None, 3, 4\), \(None, 3, 3\)"):
        cls()([X, X[..., :3]])
    with pytest.raises(ValueError, match=r"\(batch, values, size\)"):
        cls()([X, X, X[:, :2]])


def test_the_base_needs_scores():
    with pytest.raises(NotImplementedError):
        Attention.__mro__[1](False)([X, X])
    assert issubclass(MultiHeadAttention, BaseHeads)


# --- in a model -----------------------------------------------------------------


@pytest.fixture
def guide(monkeypatch):
    """minikeras with these layers among `layers`, whatever it exports."""
    monkeypatch.setattr(
        keras.layers, "MultiHeadAttention", MultiHeadAttention, raising=False
    )
    monkeypatch.setattr(keras.layers, "Add", Add, raising=False)
    return keras


@pytest.mark.filterwarnings("ignore:.*does not pass on:UserWarning")
@pytest.mark.parametrize("case", CASES["transformers"], ids=lambda c: c["key"])
def test_transformer_equals_keras(case, golden, guide):
    model = transformer.model(guide, mask_zero=case["mask_zero"])
    x, y = transformer.data()
    model(x)
    assert [[w.path, list(w.shape)] for w in model.weights] == case["weights"]
    assert [layer.name for layer in model.layers] == case["layers"]
    assert model.count_params() == case["count_params"]
    model.set_weights(
        [numbers(w.shape, 50 + k, 0.5) for k, w in enumerate(model.weights)]
    )
    key = case["key"]
    close(model.predict(x, verbose=0), golden(f"{key}/predict"), 2e-6)

    def loss():
        found = keras.losses.sparse_categorical_crossentropy(y, model(x, training=True))
        return keras.ops.mean(found), None

    _, _, gradients = backpropagate(loss, model.weights)
    for k, gradient in enumerate(gradients):
        close(gradient, golden(f"{key}/w{k}"), 3e-6)
    losses = [float(model.train_on_batch(x, y)) for _ in range(3)]
    close(losses, case["losses"], 5e-6)
    for k, weight in enumerate(model.get_weights()):
        close(weight, golden(f"{key}/after{k}"), 1e-5)


def test_transformer_in_use(guide):
    keras.utils.set_random_seed(1)
    model = transformer.model(guide, rate=0.1)
    x = np.random.RandomState(0).randint(0, transformer.WORDS, (96, transformer.LENGTH))
    y = (x == 1).sum(1).clip(0, transformer.CLASSES - 1)  # how often a word occurs
    lines = []
    model.summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert "block (TransformerBlock)" in text and "(None, 6, 8)" in text
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    history = model.fit(x, y, epochs=20, batch_size=16, verbose=0)
    assert history.history["loss"][-1] < 0.3 * history.history["loss"][0]
    assert model.evaluate(x, y, verbose=0) < 0.2
