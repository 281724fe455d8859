"""Write guides.json: what the programs in recipes/guides return on real Keras.

They override `train_step(self, data)`, so it takes Keras on PyTorch:
KERAS_BACKEND=torch python generate_guides.py
"""

import json
import os
import sys
from importlib import import_module
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import torch
from keras.src.optimizers.base_optimizer import BaseOptimizer


def weight_gradients(function, weights):
    """minikeras.weight_gradients, on torch."""
    variables = getattr(weights, "trainable_weights", weights)
    result = function()
    loss = result[0] if isinstance(result, tuple) else result
    values = [variable.value for variable in variables]
    return result, _gradients(loss, values)


def input_gradients(function, *inputs):
    """minikeras.input_gradients, on torch."""
    arrays = [keras.ops.convert_to_tensor(x) for x in inputs]
    arrays = [x if x.requires_grad else x.requires_grad_() for x in arrays]
    result = function(*arrays)
    loss = result[0] if isinstance(result, tuple) else result
    return result, _gradients(loss, arrays)


def _gradients(loss, values):
    options = {"create_graph": True, "allow_unused": True}
    return list(torch.autograd.grad(loss, values, **options))


def apply_without_tracing(self, grads, trainable_variables=None, apply=None):
    with torch.no_grad():
        grads = [None if g is None else g.detach() for g in grads]
        return _apply(self, grads, trainable_variables)


_apply = BaseOptimizer.apply
BaseOptimizer.apply = apply_without_tracing
keras.weight_gradients = weight_gradients
keras.input_gradients = input_gradients
sys.modules["minikeras"] = keras  # the programs import it under this name
guides = import_module("recipes.guides")


def plain(value):
    """Numbers and texts in lists and dictionaries, as JSON holds them."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    array = np.asarray(keras.ops.convert_to_numpy(value))
    if array.dtype.kind == "f":
        digits = [float(f"{number:.8g}") for number in array.reshape(-1).tolist()]
        return np.array(digits).reshape(array.shape).tolist()
    return array.tolist()


def main():
    names = sys.argv[1:] or list(guides.PROGRAMS)
    found = {"versions": {"keras": keras.__version__, "torch": torch.__version__}}
    for name in names:
        keras.utils.clear_session()
        keras.utils.set_random_seed(1)
        found[name] = plain(guides.PROGRAMS[name]())
    text = json.dumps(found, separators=(",", ":"))
    if names == list(guides.PROGRAMS):
        Path(__file__).with_name("guides.json").write_text(text + "\n")
    print(len(text), "bytes")


if __name__ == "__main__":
    main()
