"""Layers that prepare images, and vary them in training."""

from minikeras.layers.augmentation.flipping import RandomFlip
from minikeras.layers.augmentation.intensity import RandomBrightness, RandomContrast
from minikeras.layers.augmentation.pipeline import Pipeline
from minikeras.layers.augmentation.rotation import RandomRotation
from minikeras.layers.augmentation.sizing import CenterCrop, RandomCrop, Resizing
from minikeras.layers.augmentation.translation import RandomTranslation, RandomZoom

__all__ = [
    "CenterCrop",
    "Pipeline",
    "RandomBrightness",
    "RandomContrast",
    "RandomCrop",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "Resizing",
]
