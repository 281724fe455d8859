"""Blocks without NumPy's warnings; `test_blocking.py` has those that hold BLAS."""

import threading

import numpy as np
import pytest

from minikeras.kernels.session import quiet

ALL = ("divide", "over", "under", "invalid")


def settings():
    return {np.geterr()[kind] for kind in ALL}


def test_blocks_nest_and_the_outermost_gives_back_what_was_set():
    with np.errstate(all="raise"):
        with quiet:
            with quiet:
                assert settings() == {"ignore"}
            assert settings() == {"ignore"}
            np.float32(1) / np.zeros(1, "f4")
        assert settings() == {"raise"}


def test_an_error_inside_gives_it_back_too():
    with np.errstate(all="raise"):
        with pytest.raises(KeyError), quiet, quiet:
            raise KeyError
        assert settings() == {"raise"}
        with quiet:
            assert settings() == {"ignore"}


def test_what_is_set_inside_counts_until_its_end():
    with quiet:
        with np.errstate(all="raise"):
            assert settings() == {"raise"}
        assert settings() == {"ignore"}


def test_each_thread_has_its_own():
    found = []
    with quiet:
        thread = threading.Thread(target=lambda: found.append(settings()))
        thread.start()
        thread.join()
    assert found[0] != {"ignore"}
