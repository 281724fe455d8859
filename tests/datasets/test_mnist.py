import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from minikeras.datasets import mnist

SHAPES = {
    "x_train": (60000, 28, 28),
    "y_train": (60000,),
    "x_test": (10000, 28, 28),
    "y_test": (10000,),
}


@pytest.fixture(scope="module")
def blank():
    """Arrays with MNIST's names, shapes and type, and a mark in each."""
    arrays = {name: np.zeros(shape, np.uint8) for name, shape in SHAPES.items()}
    for mark, array in enumerate(arrays.values(), 1):
        array.flat[-1] = mark
    return arrays


@pytest.fixture
def serve(tmp_path, monkeypatch):
    """Publish arrays (or bytes) as the data set, with their true checksum."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    body = b""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()

    def publish(content, save=np.savez_compressed):
        nonlocal body
        if not isinstance(content, bytes):
            save(tmp_path / "made.npz", **content)
            content = (tmp_path / "made.npz").read_bytes()
        body = content
        monkeypatch.setattr(
            mnist, "ORIGIN", f"http://127.0.0.1:{server.server_port}/mnist.npz"
        )
        monkeypatch.setattr(mnist, "SHA256", hashlib.sha256(body).hexdigest())
        return requests

    yield publish
    server.shutdown()
    thread.join()
    server.server_close()


def test_source_and_checksum_are_those_of_keras():
    # keras/src/datasets/mnist.py, Keras 3.15.1
    assert mnist.ORIGIN == (
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
    )
    assert mnist.SHA256 == (
        "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
    )


def test_downloads_once_and_returns_the_arrays(serve, blank, tmp_path):
    requests = serve(blank)
    for _ in range(2):
        (x_train, y_train), (x_test, y_test) = mnist.load_data()
        for name, array in zip(blank, (x_train, y_train, x_test, y_test), strict=True):
            assert array.dtype == np.uint8 and array.flags.writeable
            assert np.array_equal(array, blank[name]), name
    assert requests == ["/mnist.npz"]
    assert (tmp_path / "cache" / "datasets" / "mnist.npz").is_file()


def test_path_names_the_file_in_the_cache(serve, blank, tmp_path):
    serve(blank)
    mnist.load_data("digits-70000.npz")
    assert [p.name for p in (tmp_path / "cache" / "datasets").iterdir()] == [
        "digits-70000.npz"
    ]


def test_without_network_it_names_the_bundled_digits(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(mnist, "ORIGIN", "http://127.0.0.1:9/mnist.npz")
    with pytest.raises(ConnectionError) as caught:
        mnist.load_data()
    message = str(caught.value)
    assert "http://127.0.0.1:9/mnist.npz" in message
    assert str(tmp_path / "datasets" / "mnist.npz") in message
    assert mnist.SHA256 in message
    assert "`minikeras.datasets.digits.load_data()`" in message


def test_wrong_checksum_is_refused(serve, blank, monkeypatch, tmp_path):
    serve(blank)
    monkeypatch.setattr(mnist, "SHA256", "0" * 64)
    with pytest.raises(ValueError, match="is damaged or has changed: expected sha256"):
        mnist.load_data()
    assert list((tmp_path / "cache" / "datasets").iterdir()) == []


def npy(array, path):
    np.save(path, array)
    return path.read_bytes()


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut off"])
def test_unreadable_file(serve, content):
    serve(content)
    with pytest.raises(ValueError, match=r"mnist.npz is not a readable .npz file"):
        mnist.load_data()


def test_single_array_instead_of_an_archive(serve, tmp_path):
    serve(npy(np.zeros(3, np.uint8), tmp_path / "one.npy"))
    with pytest.raises(ValueError, match=r"mnist.npz is not a readable .npz file"):
        mnist.load_data()


def test_damaged_member(serve, tmp_path):
    np.savez_compressed(tmp_path / "ok.npz", x_train=np.arange(1000))
    content = bytearray((tmp_path / "ok.npz").read_bytes())
    content[100:200] = b"\xff" * 100
    serve(bytes(content))
    with pytest.raises(ValueError, match=r"mnist.npz is not a readable .npz file"):
        mnist.load_data()


def test_pickled_objects_are_not_loaded(serve, blank):
    serve({**blank, "y_test": np.array([{}, None], object)})
    with pytest.raises(ValueError, match=r"mnist.npz is not a readable .npz file"):
        mnist.load_data()


@pytest.mark.parametrize(
    "change, received",
    [
        ({"y_test": None}, r"Received: \{(?!.*y_test)"),
        ({"y_test": np.zeros(9, np.uint8)}, r"Received: .*'y_test': 'uint8 \(9,\)'"),
        ({"y_test": np.zeros(10000)}, r"Received: .*'y_test': 'float64 \(10000,\)'"),
    ],
    ids=["missing", "shape", "dtype"],
)
def test_wrong_arrays(serve, blank, change, received):
    arrays = {k: v for k, v in {**blank, **change}.items() if v is not None}
    serve(arrays)
    with pytest.raises(ValueError, match="mnist.npz must hold the arrays") as caught:
        mnist.load_data()
    assert caught.match(received)


def test_other_arrays_in_the_file_do_no_harm(serve, blank):
    serve({**blank, "x_extra": np.zeros(2)})
    assert len(mnist.load_data()) == 2
