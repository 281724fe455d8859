"""Download a file once and keep it in the folder that Keras uses."""

import os
from collections.abc import Generator
from typing import Any

from minikeras.validation import choice

TIMEOUT = 30.0  # seconds without a byte from the server
CHUNK = 1 << 16  # bytes

_DIGITS = {"sha256": 64, "md5": 32}  # hexadecimal digits of a checksum


def get_file(
    fname: str | os.PathLike[str] | None = None,
    origin: str | None = None,
    untar: bool = False,
    md5_hash: str | None = None,
    file_hash: str | None = None,
    cache_subdir: str | os.PathLike[str] = "datasets",
    hash_algorithm: str = "auto",
    extract: bool = False,
    archive_format: str | None = "auto",
    cache_dir: str | os.PathLike[str] | None = None,
    force_download: bool = False,
) -> str:
    """Download a file from the web, unless it is in the cache already.

    The file lands at `cache_dir/cache_subdir/fname`, whole or not at all: it is
    written under another name in the same folder, verified, then renamed.

    Args:
        fname: the file's name in the cache, a bare name without folders. By default
            the last part of `origin`.
        origin: the URL, http or https.
        untar, extract, archive_format: accepted at their defaults only. Archives are
            stored as they are; unpack them with `shutil.unpack_archive`.
        md5_hash: the MD5 checksum; a synonym of `file_hash` from older Keras.
        file_hash: the expected checksum in hexadecimal. A cached file that does not
            match is downloaded again. Without it nothing proves that the file is the
            one you expect.
        cache_subdir: folder below `cache_dir`, or an absolute path.
        hash_algorithm: `"sha256"`, `"md5"`, or `"auto"` to tell by the length.
        cache_dir: top folder of the cache. By default the environment variable
            `KERAS_HOME`, else `~/.keras`, else, when the home folder cannot be
            written, `.keras` in the folder for temporary files.
        force_download: download also when the file is in the cache.

    Returns:
        The path of the file.

    Raises:
        ValueError: an argument is not usable, or the downloaded file does not match
            its checksum.
        ConnectionError: the server does not answer, refuses, or stops early.
        OSError: the file cannot be written.

    A file that is there already needs no network:

    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from minikeras.utils.files import get_file
    >>> url = "https://example.org/notes.txt"
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "notes.txt").write_text("kept from last time")
    ...     Path(get_file(origin=url, cache_dir=folder, cache_subdir="")).read_text()
    'kept from last time'
    """
    if untar or extract or archive_format not in ("auto", None):
        raise ValueError(
            "get_file does not unpack archives. Leave out `untar`, `extract` and "
            "`archive_format`, and call shutil.unpack_archive on the path it returns. "
            f"Received: untar={untar!r}, extract={extract!r}, "
            f"archive_format={archive_format!r}"
        )
    address = _check_origin(origin)
    name = _file_name(fname, address)
    checksum = _checksum(file_hash, md5_hash, hash_algorithm)
    path = _cache_path(cache_dir, os.fspath(cache_subdir), name)
    if os.path.isdir(path):
        raise IsADirectoryError(
            f"get_file: expected a file in the cache, found a folder: {path}. Remove "
            "it, or choose another `fname`"
        )
    if os.path.isfile(path) and not force_download:
        if checksum is None or _matches(path, *checksum):
            return path
        print(f"The checksum of {path} is not the expected one; downloading it again.")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    _download(address, path, checksum)
    return path


def _check_origin(origin: Any) -> str:
    from urllib.parse import urlsplit

    if not isinstance(origin, str):
        raise TypeError(
            "get_file: `origin` must be the URL of the file, a string. "
            f"Received: origin={origin!r}"
        )
    parts = urlsplit(origin)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(
            "get_file: `origin` must be a URL that starts with http:// or https:// "
            f"and names a server. Received: origin={origin!r}"
        )
    if not origin.isascii() or not origin.isprintable() or " " in origin:
        raise ValueError(
            "get_file: `origin` must be printable ASCII without spaces; write other "
            "characters as %XX (urllib.parse.quote does it). "
            f"Received: origin={origin!r}"
        )
    return origin


def _file_name(fname: Any, origin: str) -> str:
    """`fname`, or the last part of the URL, if it names a file and no folder."""
    from pathlib import PurePosixPath, PureWindowsPath
    from urllib.parse import urlsplit

    name = os.fspath(fname) if isinstance(fname, os.PathLike) else fname
    if name is None or name == "":
        name = urlsplit(origin).path.rpartition("/")[2]
        if not name:
            raise ValueError(
                "get_file: `origin` does not end in a file name; give `fname`. "
                f"Received: origin={origin!r}"
            )
    if not isinstance(name, str):
        raise TypeError(
            "get_file: `fname` must be a string, a path or None. "
            f"Received: fname={fname!r}"
        )
    # By the rules of both systems, so that "..\\x" and "C:x" are refused everywhere.
    bare = PurePosixPath(name).name == name == PureWindowsPath(name).name
    if not bare or name == ".." or "\0" in name:
        raise ValueError(
            "get_file: `fname` must be a bare file name; folders go into `cache_dir` "
            f"or `cache_subdir`. Received: {name!r}"
        )
    return name


def _checksum(
    file_hash: str | None, md5_hash: str | None, algorithm: str
) -> tuple[str, str] | None:
    """(algorithm, hexadecimal digits) to verify with, or None."""
    algorithm = choice(algorithm, ("auto", *_DIGITS), "hash_algorithm", "get_file")
    if md5_hash is not None:
        if file_hash is not None or algorithm == "sha256":
            raise ValueError(
                "get_file: `md5_hash` excludes `file_hash` and "
                "`hash_algorithm='sha256'`; keep `file_hash`. Received: "
                f"md5_hash={md5_hash!r}, file_hash={file_hash!r}, "
                f"hash_algorithm={algorithm!r}"
            )
        file_hash, algorithm = md5_hash, "md5"
    if file_hash is None:
        return None
    digits = file_hash.lower() if isinstance(file_hash, str) else ""
    for known, length in _DIGITS.items():
        if algorithm in ("auto", known) and len(digits) == length:
            if set(digits) <= set("0123456789abcdef"):
                return known, digits
    expected = " or ".join(
        f"{length} hexadecimal digits ({known})"
        for known, length in _DIGITS.items()
        if algorithm in ("auto", known)
    )
    raise ValueError(
        f"get_file: the checksum must be {expected}. Received: {file_hash!r}"
    )


def _cache_path(
    cache_dir: str | os.PathLike[str] | None, subdir: str, name: str
) -> str:
    """Where the file is or will be.

    A folder that the user names is used as it is. Only `~/.keras` has a substitute,
    for accounts whose home cannot be written.
    """
    chosen = cache_dir if cache_dir is not None else os.environ.get("KERAS_HOME")
    if chosen:
        return os.path.join(os.path.expanduser(chosen), subdir, name)
    home = os.path.join(os.path.expanduser("~"), ".keras")
    path = os.path.join(home, subdir, name)
    if os.path.exists(path) or os.path.isabs(subdir) or _writable(home):
        return path

    import tempfile

    return os.path.join(_own_folder(tempfile.gettempdir()), subdir, name)


def _writable(folder: str) -> bool:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


def _own_folder(parent: str) -> str:
    """`.keras` in a folder that other users share, if it is ours."""
    folder = os.path.join(parent, ".keras")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if hasattr(os, "getuid") and os.stat(folder).st_uid != os.getuid():
        raise PermissionError(
            f"get_file: the cache folder {folder} belongs to another user. Set the "
            "environment variable KERAS_HOME to a folder of yours, or give `cache_dir`"
        )
    return folder


def _hasher(algorithm: str) -> Any:
    import hashlib

    # MD5 guards against damage here, not against attackers.
    return hashlib.new(algorithm, usedforsecurity=algorithm != "md5")


def _matches(path: str, algorithm: str, digits: str) -> bool:
    hasher = _hasher(algorithm)
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            hasher.update(chunk)
    return hasher.hexdigest() == digits


def _download(origin: str, path: str, checksum: tuple[str, str] | None) -> None:
    """Write the file at `origin` to `path`, verified, in one step for other readers."""
    import secrets
    from contextlib import closing, suppress

    algorithm, digits = checksum or ("sha256", None)
    hasher = _hasher(algorithm)
    # A name of its own for each download: several processes may run at once.
    part = os.path.join(os.path.dirname(path), f".download-{secrets.token_hex(8)}.part")
    try:
        with open(part, "xb") as file, closing(_chunks(origin, path, digits)) as chunks:
            for chunk in chunks:
                hasher.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if digits is not None and hasher.hexdigest() != digits:
            raise ValueError(
                f"The file at {origin} is damaged or has changed: expected {algorithm} "
                f"{digits}, received {hasher.hexdigest()}. Nothing was kept; try "
                "again, or correct the checksum"
            )
        os.replace(part, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(part)


def _chunks(origin: str, path: str, digits: str | None) -> Generator[bytes, None, None]:
    """The bytes at `origin`, with a progress bar.

    Raises:
        ConnectionError: for whatever goes wrong between here and the server. What the
            consumer raises is not caught here.
    """
    from http.client import HTTPException
    from urllib.error import HTTPError

    try:
        with _open(origin) as response:
            expected = response.length  # None when the server does not tell
            received = 0
            with _progress(origin, path, expected) as bar:
                while chunk := response.read(CHUNK):
                    received += len(chunk)
                    bar.update(len(chunk))
                    yield chunk
        if expected is not None and received != expected:
            raise ConnectionError(f"received {received} of {expected} bytes")
    except (OSError, HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        reason = str(error) or type(error).__name__
        verified = f", whose checksum is {digits}" if digits else ""
        raise ConnectionError(
            f"Could not download {origin}: {reason}. Try again; or, when this machine "
            f"has no network, fetch the file elsewhere{verified}, and put it at {path}"
        ) from error


def _open(origin: str) -> Any:
    """The server's answer. Redirections, too, lead to http and https only."""
    from urllib import request

    handlers = [
        request.ProxyHandler,
        request.HTTPHandler,
        request.HTTPRedirectHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPErrorProcessor,
        request.UnknownHandler,
    ]
    if hasattr(request, "HTTPSHandler"):  # absent from a Python without OpenSSL
        handlers.append(request.HTTPSHandler)
    opener = request.OpenerDirector()
    for handler in handlers:
        opener.add_handler(handler())
    opener.addheaders = [("User-Agent", "minikeras")]
    return opener.open(origin, timeout=TIMEOUT)


def _progress(origin: str, path: str, total: int | None) -> Any:
    """A bar on a terminal, one line elsewhere."""
    import sys

    from tqdm import tqdm

    terminal = sys.stdout is not None and sys.stdout.isatty()
    if not terminal:
        print(f"Downloading {origin} to {path}")
    return tqdm(
        total=total,
        desc=os.path.basename(path),
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        file=sys.stdout,
        disable=not terminal,
    )
