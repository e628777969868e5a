"""What a report is about: a fitted model, and rows to judge it on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from isthmus.anomaly import AnomalyDetector, BaggedAutoencoders, ExemplarDistance, SlidingWindows
from isthmus.anomaly.rows import count_rows, take_rows, to_numbers
from isthmus.autoencoder import Autoencoder
from isthmus.corruptions import predicts_hidden_cells
from isthmus.data import ImageFolder, Source, as_source
from isthmus.data.streams.stream import Stream
from isthmus.doctor.fitted_input import find_held_out
from isthmus.errors import require_type
from isthmus.formatting import list_names, pluralize
from isthmus.gap_filling import SeriesImputer
from isthmus.likelihoods import Multinomial
from isthmus.plots.samples import make_samples
from isthmus.priors import Density
from isthmus.reporting.cells import name_columns
from isthmus.schema import Schema

Values = np.ndarray[Any, Any]
Result = TypeVar("Result")

MODELS = (Autoencoder, AnomalyDetector, BaggedAutoencoders, ExemplarDistance, SeriesImputer, SlidingWindows)
# What a row is called, by kind of data.
NOUNS = {
    "counts": "text",
    "flat images": "image",
    "images": "image",
    "series": "series",
    "texts": "text",
    "time points": "time point",
}
# Largest numbers of rows, and of values, that are judged. Standard errors of shares of 10,000 rows are at most 0.5 %.
MAX_ROWS, MAX_VALUES = 10_000, 2**24
# Smallest number of rows. Intervals of fewer rows say nothing, and each half of the rows can be the training rows of
# simple methods.
MIN_ROWS = 10
# Largest number of time points of one series that is judged: the first ones, because they depend on each other.
MAX_POINTS = 20_000


@dataclass
class Subject:
    """A fitted model, and rows to judge it on.

    Parameters
    ----------
    model : fitted estimator
    X : array, data frame or Source of shape (n_samples, ...)
        The judged rows, in memory: a random sample if there are many.
    y : ndarray of shape (n_samples,) or None
        Labels of the judged rows.
    positions : ndarray of int of shape (n_samples,)
        Numbers of the judged rows in the given data, from 0; those of a sampled stream count the sample.
    train : like X, or None
        Training rows, or a random sample of them, if they are known.
    n_rows : int
        Number of rows before sampling.
    seed : int
    are_fitted : bool
        Whether the model is known to be fitted to the given rows.
    are_held_out : bool
        Whether the judged rows were given as those that were held out of the fit.
    command : str
        The command or program that repeats the report.
    files : mapping of str to path
        Files of the report, by what they are.
    columns : sequence of str or None
        Names of the values of a row, if the rows have none.
    """

    model: Any
    X: Any
    y: Values | None
    positions: Values
    train: Any
    n_rows: int
    seed: int
    are_fitted: bool = False
    are_held_out: bool = False
    command: str = ""
    files: Mapping[str, Path] = field(default_factory=dict)
    columns: Sequence[str] | None = None
    measured: dict[Callable[..., Any], Any] = field(default_factory=dict)

    @property
    def estimator(self) -> Any:
        """The estimator of a detector; otherwise the model."""
        return self.model.estimator_ if isinstance(self.model, AnomalyDetector) else self.model

    @property
    def net(self) -> Autoencoder | None:
        """The autoencoder, if the model is one or is built on one."""
        return self.estimator if isinstance(self.estimator, Autoencoder) else None

    @property
    def schema(self) -> Schema:
        """The schema of the model, or that of the rows if the model has none."""
        schema = getattr(self.estimator, "schema_", None)
        return schema if isinstance(schema, Schema) else as_source(self.X).schema

    @property
    def names(self) -> list[str]:
        """Names of the values of a row."""
        return name_columns(self.schema) if self.columns is None else [str(name) for name in self.columns]

    @property
    def task(self) -> str:
        """What the model is for: "detector", "imputer", "generator" or "autoencoder"."""
        if isinstance(self.model, AnomalyDetector | BaggedAutoencoders | ExemplarDistance | SlidingWindows):
            return "detector"
        if isinstance(self.model, SeriesImputer) or self._fills_cells:
            return "imputer"
        return "generator" if isinstance(self.model.module_.prior, Density) else "autoencoder"

    @property
    def data(self) -> str:
        """Kind of the rows: "table", "flat images", "images", "series", "counts", "texts" or "time points"."""
        if isinstance(self.estimator, SlidingWindows | SeriesImputer):
            return "time points"
        if self.schema.vocabulary:
            return "texts"
        if self.net is not None and isinstance(self.net.likelihood_, Multinomial):
            return "counts"
        if self.schema.layout or len(self.schema.shape) > 2:
            return "images"
        if len(self.schema.shape) == 2:
            return "series"
        return "flat images" if self._are_flat_images else "table"

    @property
    def noun(self) -> str:
        """What a row is called."""
        return NOUNS.get(self.data, "row")

    @property
    def nouns(self) -> str:
        """What rows are called."""
        return pluralize(2, self.noun).removeprefix("2 ")

    def name_row(self, row: int) -> str:
        """Return the file of a judged image of a folder, or the number of a row in the given data."""
        if isinstance(self.X, ImageFolder):
            return str(self.X.files[row].relative_to(self.X.path).as_posix())
        return f"{self.positions[row]:,}"

    @property
    def _fills_cells(self) -> bool:
        return predicts_hidden_cells(self.model.module_.corruption)

    @property
    def _are_flat_images(self) -> bool:
        return self.net is not None and not self.schema.fields and make_samples(self.net, self.numbers, None).are_images

    @cached_property
    def source(self) -> Source:
        """The judged rows as the model reads them."""
        return as_source(self.X, self.schema)

    @cached_property
    def numbers(self) -> Values:
        """The judged rows as numbers (n, *shape): categories are positions, missing values NaN."""
        return to_numbers(self.source)

    @cached_property
    def codes(self) -> Values:
        """Codes of the judged rows (n, n_components)."""
        return np.asarray(self.estimator.transform(self.X))

    @cached_property
    def reconstructions(self) -> Values:
        """Reconstructions of the judged rows as numbers (n, *shape)."""
        return to_numbers(as_source(self.estimator.reconstruct(self.X), self.schema))

    @cached_property
    def scores(self) -> Values:
        """Scores of the judged rows (n,); higher is more normal."""
        return np.asarray(self.model.score_samples(self.X), dtype=float)


def once(measure: Callable[[Subject], Result]) -> Callable[[Subject], Result]:
    """Compute a measure of a subject only once, however many sections use it."""

    @wraps(measure)
    def measured(subject: Subject) -> Result:
        if measure not in subject.measured:
            subject.measured[measure] = measure(subject)
        result: Result = subject.measured[measure]
        return result

    return measured


def make_subject(model: Any, X: Any, y: Any, train: Any, seed: int, held_out: Any = None, **origin: Any) -> Subject:
    """Check a model and rows, and sample the rows if there are many.

    Raises
    ------
    TypeError
        If there is no report about the model.
    ValueError
        If the model is not fitted, or was fitted on other columns; if there are few rows, or labels of a detector are
        not 1 and -1.
    """
    require_type("model", model, MODELS, f"a fitted {', '.join(kind.__name__ for kind in MODELS)}")
    check_is_fitted(model)
    in_order = isinstance(getattr(model, "estimator_", model), SlidingWindows | SeriesImputer)
    n_rows, labels = count_rows(X), None if y is None else np.asarray(y)
    if labels is not None and labels.shape != (n_rows,):
        raise ValueError(f"y must have a label for each of the {n_rows} rows of X, got shape {labels.shape}")
    if n_rows < MIN_ROWS:
        raise ValueError(
            f"X has {pluralize(n_rows, 'row')}, but a report needs at least {MIN_ROWS} to judge a model on"
        )
    choose = _first if in_order else _sample
    judged = _check_positions(held_out, train, n_rows)
    if held_out is not None:
        train, X = take_rows(X, np.setdiff1d(np.arange(n_rows), judged)), take_rows(X, judged)
    rows, positions = choose(X, seed)
    labels = None if labels is None else labels[judged][positions]
    train = None if train is None else choose(train, seed)[0]
    origin |= {"are_fitted": train is None and _are_fitted(model, X), "are_held_out": held_out is not None}
    subject = Subject(model, rows, labels, judged[positions], train, len(judged), seed, **origin)
    _check_rows(subject)
    _check_columns(subject)
    _check_labels(subject)
    return subject


def _check_positions(held_out: Any, train: Any, n_rows: int) -> Values:
    """Return the positions of the rows to judge; raise ``ValueError`` if they are not valid."""
    if held_out is None:
        return np.arange(n_rows)
    positions = np.unique(np.asarray(held_out))
    if train is not None:
        raise ValueError("held_out must be None if train is given: the other rows of X are the training rows")
    if not np.issubdtype(positions.dtype, np.integer) or not np.isin(positions, np.arange(n_rows)).all():
        raise ValueError(f"held_out must be positions of the {n_rows} rows of X")
    if not MIN_ROWS <= len(positions) < n_rows:
        raise ValueError(f"held_out must be at least {MIN_ROWS} and not all of the rows of X, got {len(positions)}")
    return positions


def _are_fitted(model: Any, X: Any) -> bool:
    """Whether an autoencoder was fitted to these rows: those that fit held out have the loss that it recorded."""
    if not isinstance(model, Autoencoder) or isinstance(X, Stream):
        return False
    return len(find_held_out(model, model.read_rows(X))) > 0


def _check_columns(subject: Subject) -> None:
    """Raise ``ValueError`` if the names do not fit the columns, or the columns have names."""
    if subject.columns is None:
        return
    if subject.schema.fields:
        raise ValueError("columns must be None, because the columns of the rows have names")
    n_columns = int(np.prod(subject.schema.shape))
    if len(set(subject.columns)) != n_columns or len(subject.columns) != n_columns:
        raise ValueError(f"columns must be {n_columns} different names, got {len(set(subject.columns))} different ones")


def _check_labels(subject: Subject) -> None:
    """Raise ``ValueError`` if labels of a detector do not mark anomalies by -1."""
    labels = set() if subject.y is None or subject.task != "detector" else set(np.unique(subject.y).tolist())
    if labels and not {-1} <= labels <= {-1, 0, 1}:
        found = list_names(sorted(labels, key=str))
        raise ValueError(
            f"y of a detector must be 1 for normal rows, -1 for anomalies and 0 for unknown ones, got {found}"
        )


def _check_rows(subject: Subject) -> None:
    """Raise an error if the model cannot read the rows."""
    if subject.net is not None:
        subject.net.read_rows(subject.X)
    elif not isinstance(subject.estimator, SlidingWindows | SeriesImputer):
        subject.model.score_samples(take_rows(subject.X, np.arange(1)))


def _first(X: Any, seed: int) -> tuple[Any, Values]:
    """Return the first time points, and their numbers."""
    positions = np.arange(min(count_rows(X), MAX_POINTS))
    return take_rows(X, positions), positions


def _sample(X: Any, seed: int) -> tuple[Any, Values]:
    """Return random rows in their order, and their numbers; all rows if there are few."""
    n_rows = count_rows(X)
    size = int(np.prod(X.schema.shape if isinstance(X, Source) else np.shape(X)[1:]))
    n = min(MAX_ROWS, n_rows, max(1, MAX_VALUES // max(1, size)))
    if isinstance(X, Stream):
        return (X.split(n, seed)[1] if n < n_rows else X).load(), np.arange(n)
    if n == n_rows:
        return X, np.arange(n)
    positions = np.sort(np.random.default_rng(seed).permutation(n_rows)[:n])
    return take_rows(X, positions), positions
