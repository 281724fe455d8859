"""Parameters: layers, one file a family, each a few lines over `minikeras.ops`."""

from minikeras.layers.convolutional import Conv2D
from minikeras.layers.core import Activation, Dense, Input, InputLayer
from minikeras.layers.input_spec import InputSpec
from minikeras.layers.layer import Layer, get
from minikeras.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from minikeras.layers.regularization import Dropout
from minikeras.layers.reshaping import Flatten
from minikeras.registry import deserialize_keras_object as deserialize
from minikeras.registry import serialize_keras_object as serialize

Convolution2D = Conv2D
MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D

__all__ = [
    "Activation",
    "AveragePooling1D",
    "AveragePooling2D",
    "AveragePooling3D",
    "AvgPool1D",
    "AvgPool2D",
    "AvgPool3D",
    "Conv2D",
    "Convolution2D",
    "Dense",
    "Dropout",
    "Flatten",
    "Input",
    "InputLayer",
    "InputSpec",
    "Layer",
    "MaxPool1D",
    "MaxPool2D",
    "MaxPool3D",
    "MaxPooling1D",
    "MaxPooling2D",
    "MaxPooling3D",
    "deserialize",
    "get",
    "serialize",
]
