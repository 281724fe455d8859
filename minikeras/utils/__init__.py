"""Seeds, names, files and small helpers, as in `keras.utils`."""

from minikeras.config import clear_session, set_random_seed
from minikeras.registry import (
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)
from minikeras.utils.arrays import normalize, to_categorical
from minikeras.utils.files import get_file

CustomObjectScope = custom_object_scope

__all__ = [
    "CustomObjectScope",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "normalize",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "to_categorical",
]
