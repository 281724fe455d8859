"""Layers that prepare data: numbers, categories, strings and texts."""
