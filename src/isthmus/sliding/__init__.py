"""Autoencoders of series, whose rows are time points."""

from isthmus.sliding.series_imputer import SeriesImputer
from isthmus.sliding.sliding import Sliding

__all__ = ["SeriesImputer", "Sliding"]
