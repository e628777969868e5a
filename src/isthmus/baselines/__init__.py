"""What the figures of a model are worth: each stands beside those of simple methods on the same rows."""

from isthmus.baselines.judging import Comparison, judge
from isthmus.baselines.reconstruction import compare, unit_of

__all__ = ["Comparison", "compare", "judge", "unit_of"]
