"""Writing golden files so that a second run gives the same bytes."""

import io
import json
import zipfile
from importlib.metadata import version

import numpy as np

FIXED_DATE = (1980, 1, 1, 0, 0, 0)


def versions():
    """The packages whose behaviour the files record."""
    return {name: version(name) for name in ("keras", "jax", "numpy")}


def plain(value):
    """Turn arrays, tuples and NumPy scalars into what JSON can hold."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(list(value)) if value.ndim else plain(value[()])
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    if isinstance(value, np.floating):
        return float(str(value))  # fewest digits that give the same float32
    if hasattr(value, "__array__"):
        return plain(np.asarray(value))
    return value


def write_json(path, content):
    """Write `content` with the versions in front of it."""
    content = {"versions": versions(), **plain(content)}
    path.write_text(_text(content) + "\n", encoding="utf-8")


def write_npz(path, arrays):
    """Write `arrays` as an uncompressed npz with fixed time stamps."""
    arrays = {"keras_version": np.array(versions()["keras"]), **arrays}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for key, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{key}.npy", FIXED_DATE)
            archive.writestr(entry, member.getvalue())


def _text(value, prefix="", depth=0, width=88):
    """JSON with a container on one line where it fits, or lies five levels deep."""
    line = json.dumps(value, ensure_ascii=False)
    fits = depth + len(prefix) + len(line) < width
    if not isinstance(value, dict | list) or not value or fits or depth == 5:
        return line
    pairs = [("", item) for item in value]
    if isinstance(value, dict):
        pairs = [(f"{json.dumps(name)}: ", item) for name, item in value.items()]
    rows = [
        " " * (depth + 1) + name + _text(item, name, depth + 1) for name, item in pairs
    ]
    return line[0] + "\n" + ",\n".join(rows) + "\n" + " " * depth + line[-1]
