"""Simple methods on the same rows, to compare the figures of a model with."""

from isthmus.baselines.judging import Comparison, judge
from isthmus.baselines.reconstruction import compare

__all__ = ["Comparison", "compare", "judge"]
