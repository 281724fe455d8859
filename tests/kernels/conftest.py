"""What the tests of several kernels share."""

import pytest

from minikeras import config
from minikeras.kernels import blocking


@pytest.fixture(autouse=True)
def _default_threads():
    yield
    config.set_threads(None)


@pytest.fixture(params=["one slice", "many slices"])
def cut(request, monkeypatch):
    """Whether the batch is one slice, or a slice an image on three threads."""
    if request.param == "many slices":
        monkeypatch.setattr(blocking, "SLICE_BYTES", 1)
        monkeypatch.setattr(blocking, "MIN_SLICE_WORK", 1)
        config.set_threads(3)
    else:
        monkeypatch.setattr(blocking, "MIN_SLICE_WORK", 1 << 40)
    return request.param
