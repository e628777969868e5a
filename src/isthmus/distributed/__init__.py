"""Clusters: Ray Train fits one estimator on several machines, and Ray Data applies it to many rows."""

from isthmus.distributed.applying import score, transform
from isthmus.distributed.fitting import fit

__all__ = ["fit", "score", "transform"]
