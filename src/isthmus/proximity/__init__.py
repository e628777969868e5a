"""Scores by how near rows are to others, at two scales."""

from isthmus.proximity.proximity import Proximity

__all__ = ["Proximity"]
