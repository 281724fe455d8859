"""Names of a package whose modules are imported when first asked for.

`import minikeras` is to take little longer than that of NumPy and autograd, and most
programs use few of its layers, losses, metrics and functions. A package says where its
names are twice: in imports that only type checkers and editors run, and in the table
below, which is what runs. `tests/test_lazy.py` compares the two.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def names_from(
    package: str, homes: Mapping[str, str], aliases: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` for a package.

    Args:
        package: full name of the package.
        homes: module -> the names it offers, in one text. A module of the package is
            written with a dot in front, and `"."` is the package itself: its names are
            modules.
        aliases: other name -> name.
    """
    other = aliases or {}
    home = {name: module for module, text in homes.items() for name in text.split()}
    every = sorted({*home, *other})

    def find(name: str) -> Any:
        full = other.get(name, name)
        if full not in home:
            from minikeras.validation import did_you_mean

            # Names with an underscore are what tools ask for, not what people mistype.
            near = "" if name.startswith("_") else did_you_mean(name, every)
            raise AttributeError(f"module {package!r} has no attribute {name!r}{near}")
        if home[full] == ".":
            value = import_module(f".{full}", package)
        else:
            value = getattr(import_module(home[full], package), full)
        setattr(sys.modules[package], name, value)
        return value

    def listed() -> list[str]:
        return sorted({*vars(sys.modules[package]), *every})

    return find, listed, every


def words(homes: Mapping[str, str]) -> list[str]:
    """Every name of a table, module by module."""
    return " ".join(homes.values()).split()
