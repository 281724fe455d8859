"""Layers that prepare images, and vary them in training."""
