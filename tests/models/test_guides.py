"""Code in the shape of Keras' guides: its numbers, and what it may do besides.

The programs are in tests/golden/recipes/guides; what real Keras makes of them is in
guides.json.
"""

import importlib.util
import json
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest

import minikeras as keras
from minikeras import layers, ops, weight_gradients

GOLDEN = Path(__file__).parents[1] / "golden"
EXPECTED = json.loads((GOLDEN / "guides.json").read_text())


def load(name):
    """A package of the recipes, under a name of its own."""
    folder = GOLDEN / "recipes" / name
    spec = importlib.util.spec_from_file_location(
        f"recipes_{name}",
        folder / "__init__.py",
        submodule_search_locations=[str(folder)],
    )
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


guides = load("guides")
X, Y, MLP = guides.base.X, guides.base.Y, guides.base.MLP


@pytest.fixture(autouse=True)
def _fresh():
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)


def compare(found, expected, where):
    """Equal texts, whole numbers, keys and shapes; floats to float32's digits."""
    if isinstance(expected, dict):
        assert sorted(found) == sorted(expected), where
        for key, value in expected.items():
            compare(found[key], value, f"{where}, {key}")
    elif isinstance(expected, list) and isinstance(found, list | tuple):
        assert len(found) == len(expected), where
        for index, value in enumerate(expected):
            compare(found[index], value, f"{where}, {index}")
    elif expected is None or isinstance(expected, str | bool):
        assert found == expected, where
    else:
        found = np.asarray(ops.convert_to_numpy(found))
        assert found.shape == np.shape(expected), where
        np.testing.assert_allclose(found, expected, 2e-5, 2e-6, err_msg=where)


def test_every_program_has_been_run_on_keras():
    assert sorted(guides.PROGRAMS) == sorted(set(EXPECTED) - {"versions"})
    assert len(guides.PROGRAMS) > 35


# As in Keras, a layer that uses a mask without passing it on is told of.
@pytest.mark.filterwarnings("ignore:Layer (MaskedMean|TemporalSoftmax)")
@pytest.mark.parametrize("name", guides.PROGRAMS)
def test_numbers_of_keras(name):
    compare(guides.PROGRAMS[name](), EXPECTED[name], name)


def test_the_comparison_bites():
    with pytest.raises(AssertionError):
        compare({"a": [1.0, np.ones(2) * 1.001]}, {"a": [1.0, [1.0, 1.0]]}, "")
    with pytest.raises(AssertionError):
        compare({"a": "b"}, {"a": "c"}, "")


# --- state ----------------------------------------------------------------------------


class Total(layers.Layer):
    def build(self, input_shape):
        self.total = self.add_weight((input_shape[-1],), "zeros", trainable=False)
        self.gain = self.add_weight((input_shape[-1],), "ones")

    def call(self, inputs):
        self.total.assign_add(ops.sum(inputs, axis=0))
        return inputs * self.gain + 0 * self.total


def test_state_is_an_array_with_the_methods_of_its_handle():
    layer = Total()
    x = np.ones((2, 3), "float32")
    layer(x)
    total = layer.total
    assert isinstance(total, np.ndarray) and layer.total is total
    np.testing.assert_array_equal(total.numpy(), [2, 2, 2])
    total.assign_sub([1, 1, 1]).assign_add([0, 1, 2])
    np.testing.assert_array_equal(layer.weights[-1].numpy(), [1, 2, 3])
    layer.total += 1
    np.testing.assert_array_equal(layer.total, [2, 3, 4])
    assert type(layer.total * 2) is np.ndarray and type(total.value) is np.ndarray
    assert type(total.numpy()) is np.ndarray and repr(total) == repr(total.numpy())
    assert np.shares_memory(total.value, layer.weights[-1].array)
    with pytest.raises(AttributeError, match="`assign` belongs to a whole weight"):
        total[:2].assign([1, 1])
    with pytest.raises(ValueError, match="Received a value of shape"):
        total.assign([1, 2])
    np.testing.assert_array_equal(layer.total, [2, 3, 4])


def test_state_of_a_copy_is_the_copys():
    layer = Total()
    layer(X)
    other = deepcopy(layer)
    before = layer.total.numpy()
    other.total.assign([7, 7, 7])
    np.testing.assert_array_equal(layer.total, before)
    np.testing.assert_array_equal(other.get_weights()[-1], [7, 7, 7])


def test_state_changes_inside_a_gradient():
    layer = Total()
    layer.build((None, 3))
    value, (slope,) = weight_gradients(lambda: ops.sum(layer(X)), layer)
    np.testing.assert_allclose(layer.total, X.sum(0), rtol=1e-5)
    np.testing.assert_allclose(slope, X.sum(0), rtol=1e-5)
    # ... and its own derivative is none of the state's business
    handle = layer.non_trainable_weights[0]
    _, (slope,) = weight_gradients(lambda: ops.sum(layer.gain * layer.total), [handle])
    np.testing.assert_array_equal(slope, np.ones(3))


def test_weights_that_train_and_those_of_our_layers_are_plain_arrays():
    layer, ours = Total(), layers.BatchNormalization()
    for one in (layer, ours):
        one(X)
    assert type(layer.gain) is np.ndarray and type(ours.moving_mean) is np.ndarray
    layer.trainable = False
    assert type(layer.gain) is np.ndarray


# --- models ---------------------------------------------------------------------------


def test_a_model_before_and_after_it_is_built(capsys):
    model = MLP(name="mlp")
    with pytest.raises(ValueError, match="has no weights yet, so they cannot be"):
        model.count_params()
    model.summary(style="keras3")
    assert capsys.readouterr().out.count("0 (unbuilt)") == 3
    model.build((None, 3))
    model.summary(style="keras3")
    text = capsys.readouterr().out
    assert "(None, 4)" in text and "Total params: 46 (184.00 B)" in text
    assert model.count_params() == 46 and model.output_shape == (None, 2)
    paths = [weight.path for weight in model.weights]
    assert paths[0] == "mlp/hidden_0/kernel" and paths[-1] == "mlp/head/bias"
    with pytest.raises(ValueError, match="has no layer 'tail'"):
        model.get_layer("tail")


def test_outputs_of_one_batch_in_structures():
    class Two(keras.Model):
        def call(self, x):
            return {"same": x, "pair": [x * 2, x[:, 0]]}

    model = Two()
    for found in (
        model.predict(X, verbose=0),
        model.predict(X, batch_size=3, verbose=0),
        model.predict_on_batch(X),
    ):
        np.testing.assert_array_equal(found["same"], X)
        np.testing.assert_array_equal(found["pair"][0], X * 2)
        np.testing.assert_array_equal(found["pair"][1], X[:, 0])
        assert not np.shares_memory(found["same"], X)


def test_a_model_without_super_init_or_call_is_told_so():
    class Forgot(keras.Model):
        def __init__(self):
            self.dense = layers.Dense(2)

    class Empty(keras.Model):
        pass

    with pytest.raises(RuntimeError, match="Add `super"):
        Forgot()(X)
    with pytest.raises(NotImplementedError, match=r"Define `call\(self, inputs\)`"):
        Empty()(X)


# --- steps ----------------------------------------------------------------------------


def compiled(cls, **kwargs):
    model = cls()
    model.compile(keras.optimizers.SGD(0.1), "mse", **kwargs)
    return model


def test_metrics_are_one_for_those_of_compile():
    class Own(MLP):
        def __init__(self):
            super().__init__()
            self.own = keras.metrics.Mean(name="own")

    model = compiled(Own, metrics=["mae", "mse"], weighted_metrics=["mae"])
    names = ["loss", "compile_metrics", "own"]
    assert [metric.name for metric in model.metrics] == names  # as in Keras
    assert model.metrics[1].result() == {} and model.metrics[1].variables == []
    found = model.fit(X, Y, verbose=0, sample_weight=np.ones(10)).history
    assert sorted(found) == ["loss", "mae", "mse", "own", "weighted_mae"]
    assert [metric.name for metric in model.metrics] == names
    assert model.metrics_names == ["loss", "mae", "mse", "mae", "own"]
    assert len(model.metrics[1].variables) == 6
    model.reset_metrics()
    assert set(model.get_metrics_result().values()) == {0.0}


def test_a_step_that_calls_the_usual_one():
    class More(MLP):
        def train_step(self, data):
            return {**super().train_step(data), "extra": 7.0}

        def test_step(self, data):
            return {**super().test_step(data), "other": np.float32(3)}

    model, plain = compiled(More, metrics=["mae"]), compiled(MLP, metrics=["mae"])
    for one in (model, plain):
        one.build((None, 3))
        one.set_weights([np.full(w.shape, 0.3) for w in one.get_weights()])
    options = {"validation_data": (X, Y), "verbose": 0, "shuffle": False, "epochs": 2}
    found = model.fit(X, Y, **options).history
    expected = plain.fit(X, Y, **options).history
    assert found.pop("extra") == [7.0, 7.0] and found.pop("val_other") == [3.0, 3.0]
    # With a name that is no metric, logs are what the last batch's step returned.
    assert found == expected
    assert model.train_on_batch(X, Y, return_dict=True)["extra"] == 7.0
    assert model.test_on_batch(X, Y, return_dict=True)["other"] == 3.0


@pytest.mark.parametrize("step", ["train_step", "test_step", "compute_metrics"])
def test_a_step_that_returns_no_dictionary(step):
    def nothing(self, *args):
        return None

    model = compiled(type("Bad", (MLP,), {step: nothing}))
    run = model.test_on_batch if step == "test_step" else model.train_on_batch
    with pytest.raises(TypeError, match="must return a dictionary.*Received: None"):
        run(X, Y)


def test_a_step_may_return_arrays_and_call_something_else_the_loss():
    class Arrays(MLP):
        def train_step(self, data):
            return {"loss": np.ones(3), "n": np.int64(2), "more": {"deep": 1.5}}

    found = compiled(Arrays).fit(X, Y, verbose=0).history
    np.testing.assert_array_equal(found["loss"][0], np.ones(3))
    assert found["n"] == [2.0] and found["deep"] == [1.5]


def test_a_step_of_ones_own_is_quiet_and_reproducible():
    class Loud(MLP):
        def train_step(self, data):
            np.float32(1e38) * np.float32(1e38)  # overflows
            return super().train_step(data)

    results = []
    for _ in range(2):
        keras.utils.clear_session()
        keras.utils.set_random_seed(1)
        model = compiled(Loud)
        results.append(model.fit(X, Y, epochs=3, verbose=0).history["loss"])
    assert results[0] == results[1]


def test_a_failing_step_leaves_the_model_as_it_can_be_used():
    class Fails(MLP):
        broken = True

        def train_step(self, data):
            def compute():
                if self.broken:
                    raise RuntimeError("no")
                return self.compute_loss(y=data[1], y_pred=self(data[0]))

            loss, slopes = weight_gradients(compute, self.trainable_weights)
            self.optimizer.apply(slopes, self.trainable_weights)
            self.metrics[0].update_state(loss)
            return self.get_metrics_result()

    model = compiled(Fails)
    model(X)
    before = model.get_weights()
    with pytest.raises(RuntimeError, match="no"):
        model.fit(X, Y, verbose=0)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    model.broken = False
    losses = model.fit(X, Y, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_a_nan_in_a_step_of_ones_own_is_told():
    class Nan(MLP):
        def train_step(self, data):
            return {"loss": np.float32("nan")}

    with pytest.warns(RuntimeWarning, match="The loss became NaN in epoch 1, batch 1"):
        compiled(Nan).fit(X, Y, verbose=0)


# --- random parts ---------------------------------------------------------------------


class Noise(layers.Layer):
    """Draws at each call; repeats from one run to the next."""

    def __init__(self, seed, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs, training=None):
        if not training:
            return inputs
        kept = keras.random.dropout(inputs, 0.5, seed=self.seed_generator)
        return kept + keras.random.normal(ops.shape(inputs), seed=self.seed_generator)


def test_a_layer_that_draws():
    one, other = Noise(5), Noise(5)
    first, second = one(X, training=True), one(X, training=True)
    assert (first != second).any()
    np.testing.assert_array_equal(other(X, training=True), first)
    np.testing.assert_array_equal(one(X), X)
    assert one.weights == []


def test_a_gradient_through_what_is_drawn():
    model = keras.Sequential([keras.Input((3,)), Noise(2), layers.Dense(1)])
    _, slopes = weight_gradients(
        lambda: ops.mean(ops.square(model(X, training=True))), model
    )
    assert all(np.isfinite(slope).all() for slope in slopes)


# --- callbacks ------------------------------------------------------------------------


def test_a_callback_sees_outputs_and_changes_the_model():
    class Look(keras.callbacks.Callback):
        def __init__(self):
            super().__init__()
            self.rows = []

        def on_predict_batch_end(self, batch, logs=None):
            self.rows.append(len(logs["outputs"]))

        def on_epoch_end(self, epoch, logs=None):
            self.model.optimizer.learning_rate = 0.0
            self.model.head.trainable = False

    model = compiled(MLP)
    look = Look()
    model.fit(X, Y, epochs=1, verbose=0, callbacks=[look])
    before = model.get_weights()
    model.fit(X, Y, epochs=2, verbose=0)
    for now, then in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    model.predict(X, batch_size=4, verbose=0, callbacks=[look])
    assert look.rows == [4, 4, 2] and len(model.trainable_weights) == 4
