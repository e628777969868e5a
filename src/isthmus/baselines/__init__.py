"""What the figures of a model are worth: each stands beside those of simple methods on the same rows."""

from isthmus.baselines.judging import Comparison, judge
from isthmus.baselines.reconstruction import compare, compare_levels, unit_of

__all__ = ["Comparison", "compare", "compare_levels", "judge", "unit_of"]
