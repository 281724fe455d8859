"""Computation: NumPy arrays in, NumPy arrays out. No autograd, no layers."""
