"""Search for better parameters of an estimator, by Optuna."""

from isthmus.tuning.dimensions import Choice, Layers, Range
from isthmus.tuning.result import Trial, TuningResult
from isthmus.tuning.space import Space, read_space, search_space
from isthmus.tuning.tune import tune

__all__ = ["Choice", "Layers", "Range", "Space", "Trial", "TuningResult", "read_space", "search_space", "tune"]
