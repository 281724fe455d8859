"""Process-wide settings."""

import builtins
import io
import os
import random
import subprocess
import sys

import numpy as np
import pytest

import minikeras as keras
from minikeras import backend, config, layers


@pytest.fixture(autouse=True)
def _restore():
    config.clear_session()
    yield
    config.set_floatx("float32")
    config.set_epsilon(1e-7)
    config.set_image_data_format("channels_last")
    config.set_threads(None)
    config.clear_session()
    config._container_quota.cache_clear()


def in_a_new_process(code):
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return run.stdout.split()


# Number format ----------------------------------------------------------------------


@pytest.mark.parametrize("value", ["float16", "float32", "float64"])
def test_floatx(value):
    assert config.floatx() == "float32"
    before = layers.Dense(1)
    config.set_floatx(value)
    assert config.floatx() == value
    layer = layers.Dense(1)
    assert layer.dtype == value and before.dtype == "float32"
    assert layer(np.ones((2, 3))).dtype == np.dtype(value)
    assert before(np.ones((2, 3))).dtype == np.float32


def test_floatx_takes_types_of_numpy():
    config.set_floatx(np.float64)
    assert config.floatx() == "float64"


@pytest.mark.parametrize("value", ["int8", "bfloat16", "mixed_float16", "float", 3, ""])
def test_other_float_types_are_refused(value):
    if value == "float":  # NumPy's name for float64
        config.set_floatx(value)
        assert config.floatx() == "float64"
        return
    with pytest.raises(ValueError) as error:
        config.set_floatx(value)
    assert str(error.value).startswith(
        "set_floatx: `value` must be one of float16, float32, float64"
    )
    assert str(error.value).endswith(f"Received: {value!r}")
    assert config.floatx() == "float32"


def test_float_name():
    assert config.float_name(np.dtype("float32"), "x") == "float32"
    assert config.float_name(np.float16, "x") == "float16"
    with pytest.raises(ValueError, match="^Dense: `dtype` must be one of"):
        config.float_name("int8", "Dense: `dtype`")


def test_epsilon():
    assert config.epsilon() == 1e-7
    config.set_epsilon(1e-3)
    assert config.epsilon() == 1e-3
    for value in (0, -1e-7, float("nan")):
        with pytest.raises(ValueError, match="set_epsilon: `value` must be a positive"):
            config.set_epsilon(value)
    assert config.epsilon() == 1e-3


# Layout -----------------------------------------------------------------------------


def test_image_data_format():
    assert config.image_data_format() == "channels_last"
    config.set_image_data_format("channels_first")
    assert config.image_data_format() == "channels_first"
    assert layers.Conv2D(1, 1).data_format == "channels_first"
    assert config.standardize_data_format(None) == "channels_first"
    assert config.standardize_data_format("channels_last") == "channels_last"
    for value in ("last", "", 1, None):
        with pytest.raises(ValueError, match="'channels_last' or 'channels_first'"):
            config.set_image_data_format(value or "nothing")
    assert config.image_data_format() == "channels_first"


# Seeds ------------------------------------------------------------------------------


def draws():
    return [random.random(), np.random.random(), config.next_seed()]


def test_a_seed_repeats_all_three_generators():
    config.set_random_seed(5)
    first = [*draws(), *draws()]
    config.set_random_seed(5)
    assert [*draws(), *draws()] == first
    config.set_random_seed(6)
    assert not set(draws()) & set(first)


def test_seeds_are_all_different_and_fit_in_32_bits():
    config.set_random_seed(0)
    seeds = [config.next_seed() for _ in range(1000)]
    assert len(set(seeds)) == 1000
    assert all(type(s) is int and 0 <= s < 2**32 for s in seeds)


def test_a_seed_repeats_a_training():
    def train():
        keras.utils.set_random_seed(3)
        model = keras.Sequential([layers.Dense(4), layers.Dropout(0.5)])
        model.compile("sgd", "mse")
        x = np.random.normal(size=(40, 3)).astype("float32")
        model.fit(x, x[:, :1] * np.ones((1, 4)), epochs=2, batch_size=8, verbose=0)
        return model.get_weights()

    for first, second in zip(train(), train(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_seed_gives_the_same_in_another_process():
    code = (
        "import minikeras as k; k.utils.set_random_seed(9);"
        "d = k.layers.Dense(1); d.build((None, 2));"
        "print(k.config.next_seed(), d.kernel.tobytes().hex())"
    )
    assert in_a_new_process(code) == in_a_new_process(code)


def test_without_a_seed_every_process_is_different():
    code = "import minikeras as k; print(k.config.next_seed())"
    assert in_a_new_process(code) != in_a_new_process(code)


@pytest.mark.parametrize("seed", [-1, 2**32, 1.0, "1", None])
def test_seeds_that_are_refused(seed):
    with pytest.raises(ValueError, match=r"integer from 0 to 2\*\*32 - 1. Received"):
        config.set_random_seed(seed)


def test_the_largest_seed_and_numpy_integers():
    config.set_random_seed(2**32 - 1)
    config.set_random_seed(np.int64(7))
    one = config.next_seed()
    config.set_random_seed(7)
    assert config.next_seed() == one


# Names ------------------------------------------------------------------------------


def test_names():
    assert [config.unique_name("a") for _ in range(3)] == ["a", "a_1", "a_2"]
    assert config.unique_name("b") == "b"
    config.clear_session()
    assert config.unique_name("a") == "a"


def test_clear_session_leaves_the_rest_alone():
    config.set_floatx("float64")
    config.set_random_seed(1)
    first = config.next_seed()
    config.set_random_seed(1)
    config.clear_session()
    assert config.floatx() == "float64" and config.next_seed() == first


# Threads ----------------------------------------------------------------------------


def test_threads():
    assert config.threads() == config.available_cpus() >= 1
    config.set_threads(3)
    assert config.threads() == 3
    config.set_threads(None)
    assert config.threads() == config.available_cpus()
    for count in (0, -1, 1.0, "2"):
        with pytest.raises(ValueError, match="set_threads: `count` must be a positive"):
            config.set_threads(count)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux only")
def test_affinity_is_respected_also_when_it_changes_later():
    code = (
        "import os, minikeras as k; before = k.config.threads();"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "print(before, k.config.threads())"
    )
    before, after = in_a_new_process(code)
    assert int(before) == config.available_cpus() and int(after) == 1


@pytest.mark.parametrize(
    "text, expected",
    [
        ("max 100000\n", 8),
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("50000 100000\n", 1),
        ("1000 100000\n", 1),
        ("9900000 100000\n", 8),
        ("nonsense\n", 8),
        (None, 8),
    ],
)
def test_a_containers_quota_is_respected(monkeypatch, text, expected):
    real = builtins.open

    def fake(name, *args, **kwargs):
        if str(name) != "/sys/fs/cgroup/cpu.max":
            return real(name, *args, **kwargs)
        if text is None:
            raise FileNotFoundError(name)
        return io.StringIO(text)

    config._container_quota.cache_clear()
    monkeypatch.setattr(
        os, "sched_getaffinity", lambda pid: set(range(8)), raising=False
    )
    monkeypatch.setattr(builtins, "open", fake)
    assert config.available_cpus() == expected


def test_systems_without_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(config, "_container_quota", lambda: None)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert config.available_cpus() == 6
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert config.available_cpus() == 1
    monkeypatch.undo()


def test_results_do_not_depend_on_the_number_of_threads():
    layer = layers.Conv2D(16, 3, padding="same")
    x = np.random.default_rng(0).normal(size=(40, 20, 20, 8)).astype("float32")
    config.set_threads(1)
    one = layer(x)
    for count in (2, 3, 8):
        config.set_threads(count)
        np.testing.assert_array_equal(layer(x), one)


def test_the_old_place_of_the_settings():
    for name in backend.__all__:
        assert getattr(backend, name) is getattr(config, name)
