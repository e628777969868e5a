"""Anomalies: why rows are odd."""

from isthmus.detector.explanation import Explanation

__all__ = ["Explanation"]
