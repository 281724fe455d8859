"""Write summary.json: what real Keras 3 prints for a number of models.

    KERAS_BACKEND=jax python tests/golden/generate_summary.py

Each case holds what a summary reads from a model (names, classes, shapes, numbers of
parameters), the options, the width of the terminal, and the text that `print_fn` got.
"""

import json
import os
from pathlib import Path

import keras
from keras import layers

TARGET = Path(__file__).with_name("summary.json")


def weight(variable):
    return [list(variable.shape), str(variable.dtype)]


def describe(layer):
    try:
        output_shape = list(layer.output.shape)
    except (AttributeError, ValueError):
        output_shape = None
    return {
        "name": layer.name,
        "class": type(layer).__name__,
        "output_shape": output_shape,
        "built": layer.built,
        "trainable": layer.trainable,
        "params": layer.count_params() if layer.built else None,
        "weights": len(layer.weights),
        "layers": [describe(inner) for inner in getattr(layer, "layers", [])],
    }


def describe_model(model):
    optimizer = getattr(model, "optimizer", None)
    return {
        "name": model.name,
        "layers": [describe(layer) for layer in model.layers],
        "trainable_weights": list(map(weight, model.trainable_weights)),
        "non_trainable_weights": list(map(weight, model.non_trainable_weights)),
        "compiled": model.compiled,
        "optimizer": optimizer
        and {
            "built": optimizer.built,
            "variables": list(map(weight, optimizer.variables)),
        },
    }


def cnn():
    return keras.Sequential(
        [
            layers.Input((20, 20, 3)),
            layers.Dense(16),
            layers.Conv2D(32, 3),
            layers.Conv2D(64, 5),
            layers.Conv2D(128, 7),
            layers.Flatten(),
            layers.Dense(2),
        ]
    )


def mlp(**kwargs):
    return keras.Sequential(
        [
            layers.Input((784,)),
            layers.Dense(128, activation="relu", name="first"),
            layers.Dropout(0.2, name="drop_1"),
            layers.Dense(64, name="hidden"),
            layers.Dropout(0.2, name="drop_2"),
            layers.Dense(10, name="last"),
        ],
        **kwargs,
    )


def frozen():
    model = keras.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2),
        ]
    )
    model.layers[0].trainable = False
    return model


def nested():
    inner = keras.Sequential(
        [layers.Input((6,)), layers.Dense(5), layers.Dense(4)], name="inner"
    )
    middle = keras.Sequential(
        [layers.Input((6,)), inner, layers.ReLU(), layers.Dense(3)], name="middle"
    )
    return keras.Sequential(
        [layers.Input((6,)), middle, layers.Dense(2), layers.Softmax()], name="outer"
    )


def unbuilt():
    return keras.Sequential([layers.Dense(4), layers.Dropout(0.5), layers.Dense(1)])


def long_names():
    return keras.Sequential(
        [
            layers.Input((4,)),
            layers.Dense(4, name="a_layer_with_a_name_that_is_longer_than_its_column"),
            layers.Dense(4, name="words of a name that wrap between them as they do"),
            layers.BatchNormalization(name="just_long_enough_to_part_it"),
            layers.Dense(4, name="[bold]brackets[red]"),
            layers.Dense(4, name="全結合層の名前はここで折り返されるはずです"),
            layers.Dense(4, name="x"),
        ],
        name="[a] model",
    )


def many_dimensions():
    return keras.Sequential(
        [
            layers.Input((1000, 2000, 300, 4)),
            layers.Dense(50000),
            layers.Reshape((1000, 1, 2000, 1, 300, 1, 50000)),
        ]
    )


def trained():
    model = mlp(name="trained")
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def compiled():
    model = mlp(name="compiled")
    model.compile("adam", "mse")
    return model


def half():
    return keras.Sequential(
        [
            layers.Input((100,)),
            layers.Dense(300, dtype="float16"),
            layers.Dense(300, dtype="float32"),
            layers.Dense(30000),
        ]
    )


def no_layers():
    return keras.Sequential(name="empty")


CASES = [
    (cnn, {}, 120),
    (cnn, {}, 80),
    (cnn, {}, 40),
    (cnn, {"line_length": 60}, 120),
    (cnn, {"line_length": 117}, 120),
    (cnn, {"positions": [0.5, 0.7, 1.0]}, 120),
    (cnn, {"positions": [0.3, 0.5, 0.6]}, 120),
    (cnn, {"positions": [0.3, 0.5, 0.9], "line_length": 101}, 120),
    (mlp, {"layer_range": ["first", "last"]}, 120),
    (mlp, {"layer_range": ["drop", "hid"]}, 120),
    (mlp, {"layer_range": ["last", "hidden"]}, 120),
    (mlp, {"layer_range": ["drop", "drop"]}, 120),
    (mlp, {"layer_range": [".*_1", ".*_2"], "show_trainable": True}, 120),
    (frozen, {}, 120),
    (frozen, {"show_trainable": True}, 120),
    (frozen, {"show_trainable": True}, 70),
    (frozen, {"show_trainable": True, "positions": [0.4, 0.7, 1.0]}, 120),
    (nested, {}, 120),
    (nested, {"expand_nested": True}, 120),
    (nested, {"expand_nested": True, "show_trainable": True}, 60),
    (unbuilt, {}, 120),
    (unbuilt, {"show_trainable": True}, 120),
    (long_names, {}, 120),
    (long_names, {"show_trainable": True, "line_length": 57}, 120),
    (many_dimensions, {}, 120),
    (trained, {}, 120),
    (trained, {"show_trainable": True}, 120),
    (compiled, {}, 120),
    (half, {}, 120),
    (no_layers, {}, 120),
]


def main():
    cases = []
    for make, options, columns in CASES:
        keras.utils.clear_session()
        os.environ["COLUMNS"] = str(columns)
        model = make()
        texts = []
        model.summary(print_fn=texts.append, **options)
        cases.append(
            {
                "case": make.__name__,
                "columns": columns,
                "options": options,
                "model": describe_model(model),
                "text": "".join(texts),
            }
        )
    # One case a line.
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    text = f'{{"keras": "{keras.__version__}", "cases": [\n{lines}\n]}}\n'
    TARGET.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
