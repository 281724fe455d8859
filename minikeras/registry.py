"""Objects from names and configs, and configs from objects.

A config is the dictionary Keras writes: `{"module", "class_name", "config",
"registered_name"}`. Classes are only ever looked up in the tables below or among the
objects a user registered; no module that a config names is imported, and nothing is
unpickled or evaluated.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from minikeras.validation import did_you_mean

T = TypeVar("T")

_families: dict[str, "Family"] = {}
_public: dict[Any, tuple[str, str]] = {}  # our class or function -> (module, name)
_registered: dict[str, Any] = {}  # "package>name" -> a user's class or function
_registered_names: dict[Any, str] = {}
_scope: ContextVar[dict[str, Any] | None] = ContextVar("custom_objects", default=None)


def snake_case(name: str) -> str:
    """`MaxPooling2D` -> `max_pooling2d`, as Keras derives names from classes.

    >>> snake_case("ReLU"), snake_case("Conv2D"), snake_case("L1L2")
    ('re_lu', 'conv2d', 'l1l2')
    """
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


class Family:
    """One kind of object (losses, layers, ...) and every name it answers to.

    Args:
        kind: the word for error messages, such as `"loss"`.
        module: where Keras keeps the family, such as `"keras.losses"`.
    """

    def __init__(self, kind: str, module: str):
        self.kind = kind
        self.module = module
        self.members: dict[str, Any] = {}
        self.add_later([], self.members.__getitem__)
        _families[module] = self

    def add(self, *aliases: str, public: str | None = None) -> Callable[[T], T]:
        """Decorator: enter a class or function under its name and `aliases`.

        Args:
            public: the name that configs have, if it is not its own.
        """

        def enter(member: T) -> T:
            own = member.__name__  # type: ignore[attr-defined]
            for name in (own, public or own):
                self.members.setdefault(name, member)
                if inspect.isclass(member):
                    self.members.setdefault(snake_case(name), member)
            for alias in aliases:
                self.members[alias] = member
            _public[member] = (self.module, public or own)
            return member

        return enter

    def add_later(
        self,
        names: Iterable[str],
        load: Callable[[str], Any],
        aliases: Mapping[str, str] | None = None,
    ) -> None:
        """Enter classes and functions whose modules are imported when looked up.

        Args:
            names: their names.
            load: name -> the class or function.
            aliases: other name -> name.
        """
        self._promised = list(names)
        self._aliases = dict(aliases or {})
        self._load = load

    @cached_property
    def _later(self) -> dict[str, str]:
        """What a promised member answers to -> its name."""
        found: dict[str, str] = {}
        for name in sorted(self._promised, key=lambda name: name[0].isupper()):
            # A function comes before the class whose name is the same in snake case.
            found.setdefault(name, name)
            found.setdefault(snake_case(name), name)
        return {**found, **self._aliases}

    @property
    def names(self) -> list[str]:
        """Every name the family answers to, whether imported yet or not."""
        return list({**self._later, **self.members})

    def _member(self, name: str) -> Any:
        # Not from `members`: a module whose import failed may have entered some there.
        if name in self._later:
            return self._load(self._later[name])
        return self.members.get(name)

    def get(self, identifier: Any) -> Any:
        """The object meant by a name, config, class, instance or callable.

        Raises:
            ValueError: if the name is unknown; the nearest known ones are offered.
            TypeError: if it is none of these.
        """
        if identifier is None:
            return None
        if isinstance(identifier, str):
            found = self.find(identifier)
            return found() if inspect.isclass(found) else found
        if isinstance(identifier, dict):
            return deserialize_keras_object(identifier, family=self)
        if inspect.isclass(identifier):
            return identifier()
        if callable(identifier) or hasattr(identifier, "get_config"):
            return identifier
        raise TypeError(
            f"Expected the {self.kind} as a name, a config, an instance or a "
            f"function. Received: {identifier!r} of type {type(identifier).__name__}"
        )

    def find(self, name: str) -> Any:
        """The class or function called `name`."""
        found = _custom(name)
        if found is None:
            found = self._member(name)
        if found is None:
            found = self._member(name.lower())
        if found is None:
            every = self.names
            known = [n for n in every if n == n.lower()] or every
            raise ValueError(
                f"Unknown {self.kind}: {name!r}{did_you_mean(name, known)} Known names:"
                f" {', '.join(sorted(set(known)))}. A class or function of your own "
                "can be passed as it is, or registered with "
                "`register_keras_serializable`."
            )
        return found


def serialize_keras_object(obj: Any) -> Any:
    """The config of an object: plain values, lists, dictionaries and names only.

    Raises:
        TypeError: for an object without `get_config`, and for a lambda.
    """
    if obj is None or isinstance(obj, str | int | float | bool):
        return obj.item() if isinstance(obj, np.generic) else obj
    if isinstance(obj, np.generic):
        return obj.item()
    if isinstance(obj, np.ndarray):
        config = {"value": obj.tolist(), "dtype": obj.dtype.name}
        return {"class_name": "__numpy__", "config": config}
    if isinstance(obj, list | tuple):
        return type(obj)(serialize_keras_object(item) for item in obj)
    if isinstance(obj, dict):
        return {key: serialize_keras_object(value) for key, value in obj.items()}
    if inspect.isfunction(obj):
        return _function_config(obj)
    if not hasattr(obj, "get_config"):
        raise TypeError(
            f"{type(obj).__name__} cannot be written as a config: it has no "
            "`get_config` method. Add one that returns the arguments of `__init__`."
        )
    module, name, registered = _address(type(obj))
    config = {
        "module": module,
        "class_name": name,
        "config": obj.get_config(),
        "registered_name": registered,
    }
    build_config = getattr(obj, "get_build_config", lambda: None)()
    if build_config is not None:
        config["build_config"] = serialize_keras_object(build_config)
    return config


def serialize_member(obj: Any) -> Any:
    """Like `serialize_keras_object`, but one of our functions is just its name."""
    if inspect.isfunction(obj) and obj in _public:
        return _public[obj][1]
    return serialize_keras_object(obj)


def deserialize_keras_object(
    config: Any,
    custom_objects: dict[str, Any] | None = None,
    family: Family | None = None,
) -> Any:
    """The object a config describes; the reverse of `serialize_keras_object`.

    Args:
        config: what `serialize_keras_object` returned, or Keras wrote.
        custom_objects: classes and functions of the user's own, by name.
        family: where to look up bare names and configs without a module.

    Raises:
        ValueError: if a name is unknown or the config has another form.
    """
    if custom_objects:
        with custom_object_scope(custom_objects):
            return deserialize_keras_object(config, family=family)
    if isinstance(config, str) and family is not None:
        return family.get(config)
    if isinstance(config, list | tuple):
        return type(config)(deserialize_keras_object(item) for item in config)
    if not isinstance(config, dict):
        return config
    if "class_name" not in config:
        return {key: deserialize_keras_object(v) for key, v in config.items()}
    name: str = config["class_name"]
    inner: Any = config.get("config")
    if name == "__numpy__":
        return np.array(inner["value"], dtype=inner["dtype"])
    if name == "function":
        return _find(inner, config, family)
    if name.startswith("__"):
        raise ValueError(
            f"A config of kind {name!r} is refused: it would have to run code or "
            "refer to objects outside the file. Pass the object itself instead."
        )
    cls = _find(name, config, family)
    inner = inner or {}
    obj = cls.from_config(inner) if hasattr(cls, "from_config") else cls(**inner)
    if config.get("build_config") and hasattr(obj, "build_from_config"):
        obj.build_from_config(config["build_config"])
    return obj


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[T], T]:
    """Decorator: let configs name a class or function of your own.

    Args:
        package: prefix that keeps your names apart from those of others.
        name: name in configs; the class's or function's own by default.

    Raises:
        ValueError: at a class without `get_config`, since it could not be written.

    >>> @register_keras_serializable("docs")
    ... def twice(x):
    ...     return x * 2
    >>> get_registered_name(twice)
    'docs>twice'
    """

    def enter(obj: T) -> T:
        if inspect.isclass(obj) and not hasattr(obj, "get_config"):
            raise ValueError(
                f"register_keras_serializable: class {obj.__name__} needs a "
                "`get_config` method that returns the arguments of `__init__`."
            )
        full = f"{package}>{name or obj.__name__}"  # type: ignore[attr-defined]
        _registered[full] = obj
        _registered_names[obj] = full
        return obj

    return enter


def get_registered_name(obj: Any) -> str:
    """The name `obj` was registered under, or its own."""
    return _registered_names.get(obj, obj.__name__)


def get_registered_object(
    name: str, custom_objects: dict[str, Any] | None = None
) -> Any:
    """The class or function registered under `name`, or None."""
    return (custom_objects or {}).get(name, _custom(name))


@contextmanager
def custom_object_scope(objects: dict[str, Any]) -> Iterator[None]:
    """Inside the `with` block, configs may name these classes and functions.

    Args:
        objects: name -> class or function.
    """
    token = _scope.set({**(_scope.get() or {}), **objects})
    try:
        yield
    finally:
        _scope.reset(token)


def get_custom_objects() -> dict[str, Any]:
    """The process-wide table of registered objects, by their full names."""
    return _registered


def _custom(name: str) -> Any:
    scoped = (_scope.get() or {}).get(name)
    return scoped if scoped is not None else _registered.get(name)


def _find(name: str, config: dict[str, Any], family: Family | None) -> Any:
    registered = config.get("registered_name") or name
    for key in (registered, name):
        found = _custom(key)
        if found is not None:
            return found
    module = config.get("module")
    if isinstance(module, str) and module in _families:
        family = _families[module]
    if family is not None:
        return family.find(name)
    for other in _families.values():
        if (found := other._member(name)) is not None:
            return found
    known = [n for f in _families.values() for n in f.names]
    raise ValueError(
        f"Unknown class or function {name!r} of module {module!r}"
        f"{did_you_mean(name, known)} One of your own must be registered with "
        "`register_keras_serializable` or passed in `custom_objects`."
    )


def _address(obj: Any) -> tuple[str | None, str, str | None]:
    if obj in _public:
        return (*_public[obj], None)
    module = None if obj.__module__ == "__main__" else obj.__module__
    return module, obj.__name__, get_registered_name(obj)


def _function_config(function: Any) -> dict[str, Any]:
    if function.__name__ == "<lambda>":
        raise TypeError(
            "A lambda cannot be written as a config: it has no name to find it by. "
            "Define a function and register it with `register_keras_serializable`."
        )
    module, name, registered = _address(function)
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": registered or name,
    }
