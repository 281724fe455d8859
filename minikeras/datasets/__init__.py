"""Data sets: `digits` comes with the package, `mnist` is downloaded once."""

from typing import TYPE_CHECKING

from minikeras.lazy import names_from

if TYPE_CHECKING:
    from minikeras.datasets import digits as digits, mnist as mnist
else:
    __getattr__, __dir__, __all__ = names_from(__name__, {".": "digits mnist"})
