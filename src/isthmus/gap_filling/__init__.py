"""Filling gaps of series."""

from isthmus.gap_filling.series_imputer import SeriesImputer

__all__ = ["SeriesImputer"]
