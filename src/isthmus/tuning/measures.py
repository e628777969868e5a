"""Measures of fitted estimators on rows that they have not seen: one number per row, higher is better."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from isthmus.baselines.judging import row_errors
from isthmus.baselines.reconstruction import Training
from isthmus.corruptions import predicts_hidden_cells
from isthmus.data import as_source
from isthmus.gap_filling.gaps import Gaps

Values = np.ndarray[Any, Any]
RowScores = Callable[[Any, Any, Any], Values]

# Parameters that change the unit or the task of a measure, so that trials could not be compared.
FIXED = {
    "bound": ("conditional", "likelihood", "schema"),
    "error": ("conditional", "corruption", "n_components", "schema"),
}


class Measure(NamedTuple):
    """A measure: its name, what it is in which unit, and a function of a fitted estimator, rows and labels."""

    name: str
    description: str
    score_rows: RowScores

    def check(self, names: Iterable[str]) -> None:
        """Raise ``ValueError`` if one of these parameters must not differ between trials."""
        for name in names:
            if name.split("__")[0] in FIXED.get(self.name, ()):
                raise ValueError(
                    f"space[{name!r}] changes what the measure {self.name!r} means; choose another measure"
                )


def choose_measure(measure: Any, model: Any, X: Any, seed: int) -> Measure:
    """Return the measure with a name, or the one that suits a model.

    Parameters
    ----------
    measure : {"auto", "bound", "error"} or callable
    model : Model
        Built, not necessarily trained.
    X : array, data frame or Source
        Rows of the fits.
    seed : int

    Raises
    ------
    ValueError
        If the measure does not exist.
    """
    if callable(measure):
        return Measure("custom", getattr(measure, "__name__", "custom measure"), measure)
    if measure == "auto":
        measure = "bound" if _needs_bound(model) else "error"
    if measure == "bound":
        return Measure(
            "bound", "lower bound on the log likelihood, in nats per row", lambda net, X, y: net.bounds(X, y)
        )
    if measure == "error":
        training = Training.of(as_source(X, model.schema))
        return Measure("error", _describe(training, X), lambda net, X, y: -row_errors(net, training, X, seed))
    raise ValueError(f'measure must be "auto", "bound", "error" or a function, got {measure!r}')


def _describe(training: Training, X: Any) -> str:
    if isinstance(X, Gaps):
        return "minus the mean squared error of hidden values; that of linear interpolation is about 1"
    if training.are_pixels:
        return f"minus the {training.error_name}"
    return "minus the mean error of cells; 1 is that of the mean and the most frequent category"


def _needs_bound(model: Any) -> bool:
    """Whether codes are random, so that their size has a cost, or rows are texts or series of different lengths."""
    has_free_code = not model.bottleneck.stochastic or predicts_hidden_cells(model.corruption)
    return bool(model.schema.vocabulary or model.schema.ragged or not has_free_code)
