"""Composition: models made of layers."""

from minikeras.models.sequential import Sequential

__all__ = ["Sequential"]
