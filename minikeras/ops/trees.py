"""Arrays in nested tuples, lists and dictionaries, as the loops of `ops` take them."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from autograd.tracer import isbox


def leaves(tree: Any) -> list[Any]:
    """Whatever is in the containers, from left to right; None is left out."""
    if tree is None:
        return []
    if not is_container(tree):
        return [tree]
    parts = tree.values() if isinstance(tree, dict) else tree
    return [leaf for part in parts for leaf in leaves(part)]


def rebuilt(tree: Any, values: Iterable[Any]) -> Any:
    """Containers like those of `tree` around other leaves."""
    return _filled(tree, iter(values))


def mapped(function: Callable[[Any], Any], tree: Any) -> Any:
    """The tree with `function` of each leaf in its place."""
    return rebuilt(tree, [function(leaf) for leaf in leaves(tree)])


def form(tree: Any) -> Any:
    """The containers alone, with a star for each leaf."""
    return mapped(lambda leaf: "*", tree)


def is_container(tree: Any) -> bool:
    """Whether it is one of these, not a leaf; None is neither."""
    return isinstance(tree, list | tuple | dict) and not isbox(tree)


def _filled(tree: Any, values: Iterator[Any]) -> Any:
    if tree is None:
        return None
    if not is_container(tree):
        return next(values)
    if isinstance(tree, dict):
        return {key: _filled(part, values) for key, part in tree.items()}
    parts = [_filled(part, values) for part in tree]
    return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
