"""BLAS's threads while a model trains: held where nobody else's code runs."""

import numpy as np
import pytest
import threadpoolctl

import minikeras as keras
from minikeras import config, layers
from minikeras.kernels.session import single_threaded_blas


def blas_threads():
    info = threadpoolctl.threadpool_info()
    return {lib["num_threads"] for lib in info if lib["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_threads():
    config.set_threads(2)
    with threadpoolctl.threadpool_limits(2, "blas"):
        if blas_threads() != {2}:
            pytest.skip("this BLAS has no threads to count")
        yield
        assert blas_threads() == {2}


class Watching(keras.Sequential):
    """Notes, before each step, whether BLAS was held already."""

    def _run_train_step(self, *arguments):
        self.seen.append(single_threaded_blas._held)
        return super()._run_train_step(*arguments)


def watching():
    model = Watching([keras.Input((400,)), layers.Dense(400), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.seen = []
    return model


X, Y = np.full((128, 400), 0.01, "float32"), np.zeros(128, "float32")


def test_it_is_held_from_the_first_step_to_the_end_of_an_epoch():
    model = watching()
    model.fit(X, Y, epochs=2, verbose=0)
    assert model.seen == [False, True, True, True] * 2


@pytest.mark.parametrize("hook", ["on_train_batch_begin", "on_train_batch_end"])
def test_a_callback_between_steps_finds_what_was_set(hook):
    found = []

    class Count(keras.callbacks.Callback):
        pass

    setattr(Count, hook, lambda self, batch, logs=None: found.append(blas_threads()))
    watching().fit(X, Y, verbose=0, callbacks=[Count()])
    assert found == [{2}] * 4


def test_so_do_callbacks_between_epochs_and_a_generator():
    found = []

    def batches():
        for _ in range(3):
            found.append(blas_threads())
            yield X[:32], Y[:32]

    class Count(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            found.append(blas_threads())

    model = watching()
    model.fit(batches(), verbose=0, callbacks=[Count()])
    model.fit(X, Y, verbose=0, callbacks=[Count()])
    assert found == [{2}] * 5


def test_an_error_in_a_step_gives_it_back():
    calls = []

    def loss(y_true, y_pred):
        calls.append(single_threaded_blas._held)
        if len(calls) == 3:
            raise KeyError("loss")
        return keras.losses.mean_squared_error(y_true, y_pred)

    model = watching()
    model.compile("sgd", loss)
    with pytest.raises(KeyError):
        model.fit(X, Y, verbose=0)
    assert calls == [True] * 3
