"""Autoencoders of series, whose rows are time points."""

from isthmus.sliding.sliding import Sliding

__all__ = ["Sliding"]
