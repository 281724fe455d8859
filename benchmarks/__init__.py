"""Measurements behind the claims and the fast paths; ratios within one run."""
