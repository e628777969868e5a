"""Gap filling of time series."""

from isthmus.gap_filling.series_imputer import SeriesImputer

__all__ = ["SeriesImputer"]
