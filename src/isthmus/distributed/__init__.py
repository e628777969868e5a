"""Clusters: Ray Train fits one estimator on many machines, Ray Data applies it to rows past any of them."""

from isthmus.distributed.applying import score, transform
from isthmus.distributed.fitting import fit

__all__ = ["fit", "score", "transform"]
