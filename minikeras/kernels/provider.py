"""The seam for other kernels: any function of `kernels` can come from elsewhere.

`ops` looks kernels up in their modules at each call, so a library with the same
functions, arrays in and arrays out, can stand in for ours at run time, and neither ops
nor layers know. What a provider does not have stays ours.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

_ours: dict[tuple[str, str], Any] = {}  # (module, function) -> what was replaced


def use(provider: Any) -> list[str]:
    """Take kernels from a provider from now on; None takes ours again.

    Args:
        provider: an object with an attribute for each module of `kernels` it knows,
            such as `conv` or `dense`, each with functions of the same names,
            arguments and results as there.

    Returns:
        The names of the functions that were taken, such as `"conv.convolve"`.

    Raises:
        ValueError: if it has a module or function that `kernels` has not; nothing is
            changed then.

    >>> from types import SimpleNamespace
    >>> def matmul(a, b):
    ...     return a @ b
    >>> use(SimpleNamespace(dense=SimpleNamespace(matmul=matmul)))
    ['dense.matmul']
    >>> use(None)
    []
    """
    found = []
    for name, part in _public(provider):
        try:
            module = import_module(f"minikeras.kernels.{name}")
        except ModuleNotFoundError:
            raise ValueError(
                f"The provider has the attribute {name!r}, but there is no module "
                f"minikeras.kernels.{name}."
            ) from None
        for function, value in _public(part):
            if not callable(getattr(module, function, None)):
                raise ValueError(
                    f"The provider has {name}.{function}, but minikeras.kernels.{name} "
                    "has no such function."
                )
            found.append((module, name, function, value))
    for (name, function), value in _ours.items():
        setattr(import_module(f"minikeras.kernels.{name}"), function, value)
    _ours.clear()
    for module, name, function, value in found:
        _ours[name, function] = getattr(module, function)
        setattr(module, function, value)
    return [f"{name}.{function}" for _, name, function, _ in found]


@contextmanager
def using(provider: Any) -> Iterator[list[str]]:
    """`use` for the length of a `with` block."""
    try:
        yield use(provider)
    finally:
        use(None)


def _public(holder: Any) -> list[tuple[str, Any]]:
    return [(k, v) for k, v in vars(holder).items() if k[0] != "_"] if holder else []
