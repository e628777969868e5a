"""Comparison of a model with simple methods on the same rows."""

from isthmus.baselines.comparison import Comparison
from isthmus.baselines.judging import judge
from isthmus.baselines.reconstruction import compare

__all__ = ["Comparison", "compare", "judge"]
