"""The models that are compared, built with whichever Keras is passed in.

Each workload has a function that adds layers, the shape of a sample, the number of
classes and the size of a batch. Data are random: only time is measured.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class Workload:
    """A model and the data it is trained on."""

    title: str
    shape: tuple[int, ...]
    classes: int
    batch: int
    layers: Callable[[Any], list[Any]]
    steps: int = 10  # batches in a measured epoch

    def data(self, batches: int) -> tuple[np.ndarray, np.ndarray]:
        """Samples and labels for some batches."""
        rng = np.random.default_rng(0)
        count = self.batch * batches
        x = rng.standard_normal((count, *self.shape), np.float32)
        return x, rng.integers(0, self.classes, count)

    def build(self, keras: Any) -> Any:
        """The compiled model."""
        layers = [keras.Input(self.shape), *self.layers(keras.layers)]
        model = keras.Sequential(layers)
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


def _mlp(k):
    return [k.Dense(128, activation="relu"), k.Dense(10, activation="softmax")]


def _wide_mlp(k):
    wide = [k.Dense(1024, activation="relu") for _ in range(3)]
    return [*wide, k.Dense(10, activation="softmax")]


def _cnn(k):
    return [
        k.Conv2D(32, 3, activation="relu"),
        k.MaxPooling2D(2),
        k.Conv2D(64, 3, activation="relu"),
        k.MaxPooling2D(2),
        k.Flatten(),
        k.Dropout(0.5),
        k.Dense(10, activation="softmax"),
    ]


def _lenet(k):
    return [
        k.Conv2D(6, 5, padding="same", activation="tanh"),
        k.AveragePooling2D(2),
        k.Conv2D(16, 5, activation="tanh"),
        k.AveragePooling2D(2),
        k.Flatten(),
        k.Dense(120, activation="tanh"),
        k.Dense(84, activation="tanh"),
        k.Dense(10, activation="softmax"),
    ]


def _three_five_seven(k):
    return [
        k.Dense(16),
        k.Conv2D(32, 3, activation="relu"),
        k.Conv2D(64, 5, activation="relu"),
        k.Conv2D(128, 7, activation="relu"),
        k.Flatten(),
        k.Dense(2, activation="softmax"),
    ]


def _vgg(k):
    found = []
    for filters in (32, 64, 128):
        for _ in range(2):
            found += [
                k.Conv2D(filters, 3, padding="same", use_bias=False),
                k.BatchNormalization(),
                k.Activation("relu"),
            ]
        found.append(k.MaxPooling2D(2))
    return [*found, k.Flatten(), k.Dense(10, activation="softmax")]


def _conv1d(k):
    return [
        k.Conv1D(64, 5, activation="relu"),
        k.MaxPooling1D(2),
        k.Conv1D(128, 5, activation="relu"),
        k.GlobalAveragePooling1D(),
        k.Dense(6, activation="softmax"),
    ]


def _conv3d(k):
    return [
        k.Conv3D(16, 3, activation="relu"),
        k.MaxPooling3D(2),
        k.Conv3D(32, 3, activation="relu"),
        k.Flatten(),
        k.Dense(4, activation="softmax"),
    ]


def _separable(k):
    return [
        k.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
        k.DepthwiseConv2D(3, padding="same", activation="relu"),
        k.Conv2D(64, 1, activation="relu"),
        k.SeparableConv2D(128, 3, padding="same", activation="relu"),
        k.GlobalAveragePooling2D(),
        k.Dense(10, activation="softmax"),
    ]


def _lstm(k):
    return [k.LSTM(64), k.Dense(5, activation="softmax")]


def _gru(k):
    return [k.GRU(64), k.Dense(5, activation="softmax")]


WORKLOADS = {
    "mlp": Workload("MLP 784-128-10, batch 32", (784,), 10, 32, _mlp, 100),
    "wide-mlp": Workload(
        "MLP 784-1024-1024-1024-10, batch 128", (784,), 10, 128, _wide_mlp
    ),
    "cnn": Workload("CNN 32-64 on 28x28, batch 128", (28, 28, 1), 10, 128, _cnn),
    "lenet": Workload(
        "LeNet-5 with tanh on 28x28, batch 128", (28, 28, 1), 10, 128, _lenet
    ),
    "3-5-7": Workload(
        "Dense 16, conv 3, 5, 7 on 20x20x3, batch 32",
        (20, 20, 3),
        2,
        32,
        _three_five_seven,
    ),
    "vgg": Workload(
        "VGG-like with batch norm on 32x32x3, batch 64", (32, 32, 3), 10, 64, _vgg, 5
    ),
    "conv1d": Workload("Conv1D 64-128 on 128x9, batch 64", (128, 9), 6, 64, _conv1d),
    "conv3d": Workload(
        "Conv3D 16-32 on 16x16x16, batch 32", (16, 16, 16, 1), 4, 32, _conv3d
    ),
    "separable": Workload(
        "Depthwise and separable on 64x64x3, batch 32", (64, 64, 3), 10, 32, _separable
    ),
    "lstm": Workload("LSTM(64) on 50x16, batch 32", (50, 16), 5, 32, _lstm, 30),
    "gru": Workload("GRU(64) on 50x16, batch 32", (50, 16), 5, 32, _gru, 30),
}
