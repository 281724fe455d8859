import hashlib
import io
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from minikeras.utils import files
from minikeras.utils.files import get_file


def small_npz():
    buffer = io.BytesIO()
    np.savez(buffer, x=np.arange(40_000))
    return buffer.getvalue()


BODY = small_npz()  # several chunks
SHA256 = hashlib.sha256(BODY).hexdigest()
MD5 = hashlib.md5(BODY).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves BODY; `fault` makes the next answers wrong."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests = []
        self.fault = None
        self.hold = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}/folder/data.npz"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        self.server.requests.append(self.path)
        fault = self.server.fault
        if fault == 404:
            return self.send_error(404)
        if isinstance(fault, str) and fault.startswith("to "):
            self.send_response(302)
            self.send_header("Location", fault[3:])
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(200)
        if fault == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        elif fault != "no length":
            self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        if fault == "silent":
            self.server.hold.wait(10)
        elif fault == "truncated":
            self.wfile.write(BODY[: len(BODY) // 2])
        elif fault == "chunked":
            self.wfile.write(b"ffff\r\n" + BODY[:1000])
        else:
            self.wfile.write(BODY)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.hold.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The folder `datasets` of an empty cache."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


def names(folder):
    return sorted(p.name for p in folder.iterdir())


# The happy path


def test_download_then_cache(server, cache):
    path = get_file(origin=server.url, file_hash=SHA256)
    assert path == str(cache / "data.npz")
    assert Path(path).read_bytes() == BODY
    assert get_file(origin=server.url, file_hash=SHA256) == path
    assert server.requests == ["/folder/data.npz"]
    assert names(cache) == ["data.npz"]


def test_without_checksum_a_cached_file_is_taken_as_it_is(server, cache):
    cache.mkdir(parents=True)
    (cache / "data.npz").write_text("mine")
    assert Path(get_file(origin=server.url)).read_text() == "mine"
    assert server.requests == []


def test_force_download_replaces_the_cached_file(server, cache):
    cache.mkdir(parents=True)
    (cache / "data.npz").write_text("old")
    path = get_file(origin=server.url, force_download=True)
    assert Path(path).read_bytes() == BODY


def test_cached_file_with_another_checksum_is_replaced(server, cache, capsys):
    cache.mkdir(parents=True)
    (cache / "data.npz").write_text("outdated")
    path = get_file(origin=server.url, file_hash=SHA256)
    assert Path(path).read_bytes() == BODY
    assert "checksum of" in capsys.readouterr().out


@pytest.mark.parametrize(
    "checksum",
    [
        {"file_hash": SHA256.upper()},
        {"file_hash": SHA256, "hash_algorithm": "sha256"},
        {"file_hash": MD5},
        {"file_hash": MD5, "hash_algorithm": "md5"},
        {"md5_hash": MD5},
    ],
)
def test_checksums(server, cache, checksum):
    assert Path(get_file(origin=server.url, **checksum)).read_bytes() == BODY


def test_positional_order_is_that_of_keras(server, cache):
    # fname, origin, untar, md5_hash, file_hash, cache_subdir
    get_file("a.npz", server.url, False, None, SHA256, "models")
    assert (cache.parent / "models" / "a.npz").read_bytes() == BODY


@pytest.mark.parametrize("fname", ["b.npz", Path("b.npz")])
def test_fname_names_the_file(server, cache, fname):
    assert get_file(fname, server.url) == str(cache / "b.npz")


def test_a_query_is_not_part_of_the_name(server, cache):
    assert get_file(origin=server.url + "?v=2#top") == str(cache / "data.npz")


def test_server_that_tells_no_length(server, cache):
    server.fault = "no length"
    assert Path(get_file(origin=server.url)).read_bytes() == BODY


def test_redirection_to_http(server, cache):
    server.fault = f"to {server.url}"

    class Once(Handler):
        def do_GET(self):
            super().do_GET()
            self.server.fault = None

    server.RequestHandlerClass = Once
    assert Path(get_file(origin=server.url)).read_bytes() == BODY


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_the_file_is_as_readable_as_any_other(server, cache):
    path = Path(get_file(origin=server.url))
    (cache / "other").touch()
    assert path.stat().st_mode == (cache / "other").stat().st_mode


# The cache's place


def test_cache_dir_and_absolute_subdir(server, cache, tmp_path):
    path = get_file(origin=server.url, cache_dir=tmp_path / "c", cache_subdir="s")
    assert path == str(tmp_path / "c" / "s" / "data.npz")
    path = get_file(origin=server.url, cache_subdir=tmp_path / "absolute")
    assert path == str(tmp_path / "absolute" / "data.npz")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return tmp_path / "home"


def test_default_is_the_folder_of_keras(server, home):
    home.mkdir()
    path = get_file(origin=server.url)
    assert path == str(home / ".keras" / "datasets" / "data.npz")


def test_tilde_in_named_folders(server, home, monkeypatch):
    home.mkdir()
    path = get_file(origin=server.url, cache_dir="~/mine")
    assert path == str(home / "mine" / "datasets" / "data.npz")
    monkeypatch.setenv("KERAS_HOME", "~/keras")
    path = get_file(origin=server.url)
    assert path == str(home / "keras" / "datasets" / "data.npz")


def test_home_that_cannot_be_written(server, home, tmp_path):
    home.write_text("a file where the home folder should be")
    path = get_file(origin=server.url)
    assert path == str(tmp_path / "temporary" / ".keras" / "datasets" / "data.npz")


def test_file_in_a_home_that_cannot_be_written_is_used(server, home, monkeypatch):
    cached = home / ".keras" / "datasets" / "data.npz"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(BODY)
    monkeypatch.setattr(files, "_writable", lambda folder: False)
    assert get_file(origin=server.url, file_hash=SHA256) == str(cached)
    assert server.requests == []


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="needs Unix users")
def test_temporary_cache_of_another_user_is_refused(server, home, monkeypatch):
    home.write_text("a file where the home folder should be")
    other = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: other)
    with pytest.raises(PermissionError, match="belongs to another user. Set .*KERAS_H"):
        get_file(origin=server.url)


def test_folder_in_the_files_place(server, cache):
    (cache / "data.npz").mkdir(parents=True)
    with pytest.raises(IsADirectoryError, match="expected a file in the cache, found"):
        get_file(origin=server.url)


# Failures: the error says what to do, nothing is left behind, the next try works


def fails_clean_then_works(server, cache, error, match, **kwargs):
    with pytest.raises(error, match=match) as caught:
        get_file(origin=server.url, **kwargs)
    assert names(cache) == []
    server.fault = None
    assert Path(get_file(origin=server.url)).read_bytes() == BODY
    assert names(cache) == ["data.npz"]
    return str(caught.value)


def test_not_found(server, cache):
    server.fault = 404
    message = fails_clean_then_works(
        server, cache, ConnectionError, "404", file_hash=SHA256
    )
    assert message == (
        f"Could not download {server.url}: HTTP Error 404: Not Found. Try again; or, "
        "when this machine has no network, fetch the file elsewhere, whose checksum "
        f"is {SHA256}, and put it at {cache / 'data.npz'}"
    )


def test_truncated_body(server, cache):
    server.fault = "truncated"
    fails_clean_then_works(
        server,
        cache,
        ConnectionError,
        rf"{server.url}: received \d+ of {len(BODY)} bytes",
    )


def test_truncated_chunk(server, cache):
    server.fault = "chunked"
    fails_clean_then_works(server, cache, ConnectionError, "IncompleteRead")


def test_server_that_falls_silent(server, cache, monkeypatch):
    server.fault = "silent"
    monkeypatch.setattr(files, "TIMEOUT", 0.1)
    fails_clean_then_works(server, cache, ConnectionError, "timed out")


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/x", "file:///etc/hostname"])
def test_redirection_to_another_scheme(server, cache, place):
    server.fault = f"to {place}"
    fails_clean_then_works(server, cache, ConnectionError, "Could not download")


def test_wrong_checksum(server, cache):
    message = fails_clean_then_works(
        server, cache, ValueError, "damaged or has changed", file_hash="0" * 64
    )
    assert f"expected sha256 {'0' * 64}, received {SHA256}" in message


def test_no_server(server, cache):
    server.shutdown()
    server.socket.close()
    with pytest.raises(ConnectionError, match="Could not download .*refused"):
        get_file(origin=server.url)
    assert names(cache) == []


def test_interrupt(server, cache, monkeypatch):
    def interrupt(self, count):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tqdm.tqdm.update", interrupt)
        with pytest.raises(KeyboardInterrupt):
            get_file(origin=server.url)
    assert names(cache) == []
    assert Path(get_file(origin=server.url)).read_bytes() == BODY


def test_full_disk_is_not_taken_for_a_network_failure(server, cache, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        get_file(origin=server.url)
    assert not isinstance(caught.value, ConnectionError)
    assert names(cache) == []


def test_failed_replacement_keeps_the_old_file(server, cache):
    cache.mkdir(parents=True)
    (cache / "data.npz").write_text("old")
    server.fault = "truncated"
    with pytest.raises(ConnectionError):
        get_file(origin=server.url, force_download=True)
    assert names(cache) == ["data.npz"]
    assert (cache / "data.npz").read_text() == "old"


def test_processes_at_once(server, cache):
    code = (
        "import sys; from minikeras.utils.files import get_file; "
        "get_file(origin=sys.argv[1], file_hash=sys.argv[2], force_download=True)"
    )
    command = [sys.executable, "-c", code, server.url, SHA256]
    children = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(4)]
    assert [child.wait(60) for child in children] == [0] * 4
    assert len(server.requests) == 4
    assert names(cache) == ["data.npz"]
    assert (cache / "data.npz").read_bytes() == BODY


# Output


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_bar_on_a_terminal(server, cache, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    get_file(origin=server.url)
    shown = sys.stdout.getvalue()
    assert "data.npz: 100%" in shown and "Downloading" not in shown


def test_one_line_elsewhere_and_none_when_cached(server, cache, capsys):
    get_file(origin=server.url)
    output = capsys.readouterr()
    assert output.out == f"Downloading {server.url} to {cache / 'data.npz'}\n"
    assert output.err == ""
    get_file(origin=server.url)
    assert capsys.readouterr().out == ""


def test_program_without_standard_output(server, cache, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert Path(get_file(origin=server.url)).read_bytes() == BODY


# Arguments


URL = "https://example.org/data.npz"


@pytest.mark.parametrize(
    "fname",
    ["../x", "..", ".", "a/b", "/x", "a/", "..\\x", "a\\b", "C:x", "C:\\x", "a\0b"],
)
def test_fname_with_folders(cache, fname):
    with pytest.raises(ValueError, match="`fname` must be a bare file name"):
        get_file(fname, URL)
    assert not cache.exists()


def test_origin_that_ends_in_a_folder(cache):
    with pytest.raises(ValueError, match="does not end in a file name; give `fname`"):
        get_file(origin="https://example.org/folder/")
    with pytest.raises(ValueError, match="`fname` must be a bare file name"):
        get_file(origin="https://example.org/folder/..")


def test_fname_of_another_type():
    with pytest.raises(TypeError, match="`fname` must be a string, a path or None"):
        get_file(3, URL)


@pytest.mark.parametrize(
    "origin",
    ["ftp://example.org/x", "file:///etc/passwd", "data:,x", "x.npz", "http:///x", ""],
)
def test_unsupported_origin(cache, origin):
    with pytest.raises(ValueError, match="starts with http:// or https://"):
        get_file("x", origin)
    assert not cache.exists()


@pytest.mark.parametrize("origin", [None, 3])
def test_origin_is_required(origin):
    with pytest.raises(TypeError, match="`origin` must be the URL of the file"):
        get_file("x", origin)


@pytest.mark.parametrize("last", ["a b", "ä", "a\r\nHost: x"])
def test_origin_with_characters_to_escape(last):
    with pytest.raises(ValueError, match="must be printable ASCII without spaces"):
        get_file("x", f"http://example.org/{last}")


@pytest.mark.parametrize(
    "option", [{"untar": True}, {"extract": True}, {"archive_format": "zip"}]
)
def test_archives_are_not_unpacked(option):
    with pytest.raises(ValueError, match="does not unpack .*shutil.unpack_archive"):
        get_file("x", URL, **option)


@pytest.mark.parametrize(
    "checksum, expected",
    [
        ({"file_hash": "12"}, r"64 hexadecimal digits \(sha256\) or 32 .*: '12'"),
        ({"file_hash": "x" * 64}, "64 hexadecimal digits"),
        ({"file_hash": 5}, "64 hexadecimal digits"),
        ({"file_hash": MD5, "hash_algorithm": "sha256"}, "must be 64 hex"),
        ({"md5_hash": SHA256}, "must be 32 hex"),
        ({"md5_hash": MD5, "file_hash": MD5}, "`md5_hash` excludes `file_hash`"),
        ({"md5_hash": MD5, "hash_algorithm": "sha256"}, "`md5_hash` excludes"),
        ({"hash_algorithm": "crc"}, "`hash_algorithm` must be one of 'auto', 'sha256'"),
    ],
)
def test_unusable_checksums(checksum, expected):
    with pytest.raises(ValueError, match=expected):
        get_file("x", URL, **checksum)


def test_importing_loads_no_network_code():
    code = (
        "import sys, minikeras.datasets; "
        "print([m for m in ('urllib.request', 'http.client', 'tqdm') "
        "if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, text=True).strip() == "[]"
