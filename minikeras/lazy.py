"""Names of a package whose modules are imported when first asked for.

`import minikeras` is to take a fifth of a second, and most programs use few of its
layers and functions.
"""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def names_from(
    package: str, homes: Mapping[str, str]
) -> tuple[Callable[[str], Any], dict[str, str]]:
    """`__getattr__` for a package, and the module of each name.

    Args:
        package: full name of the package.
        homes: module inside the package -> the names it offers, in one text. The
            module `""` stands for the package itself: its names are modules.
    """
    home = {name: module for module, names in homes.items() for name in names.split()}

    def find(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if home[name]:
            value = getattr(import_module(f"{package}.{home[name]}"), name)
        else:
            value = import_module(f"{package}.{name}")
        setattr(sys.modules[package], name, value)
        return value

    return find, home
