"""Errors of reconstructions by a model, by PCA with a code of the same size, by regression, and by the mean."""

import warnings
from collections.abc import Callable, Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np
from sklearn.decomposition import PCA

from isthmus.baselines.one_hot import OneHotScaler
from isthmus.data import Source, as_source
from isthmus.data.validation import compute_statistics
from isthmus.schema import Schema
from isthmus.statistics import Statistics

Values = np.ndarray[Any, Any]
Method = Callable[[Values], Values]

# Largest number of values to which a baseline is fitted: half a gigabyte of float64.
MAX_NUMBERS = 2**26
# Largest numbers of rows and columns of iterative regression. With more, it takes longer than the fit of a model.
MAX_ROWS, MAX_COLUMNS = 2000, 200
# Number of sweeps over the columns, and number of predictors of each column (Van Buuren, Flexible Imputation of Missing
# Data, 2018, 9.1).
N_SWEEPS, N_PREDICTORS = 10, 20
# Share of known cells that are hidden to judge imputation, as in benchmarks/imputation.py.
HIDDEN = 0.2


class Task(NamedTuple):
    """Rows (n, n_values) that a method gets, and the values that it should return; NaN is not compared."""

    given: Values
    expected: Values


class Training(NamedTuple):
    """Input of baselines: training rows (n, n_values), and typical value and unit of each column (n_values,).

    The unit of numbers is their standard deviation, that of the channel for time steps, and 1 for pixels; that of all
    categories is the share of cells that differ from the most frequent category of their column. So the mean and the
    most frequent category have an error of 1 in training cells of both kinds. ``categories`` is the number of
    categories by position of a column; ``are_pixels`` says whether all values have the unit 1, and ``error_name`` is
    the name of squared errors, with their unit.
    """

    rows: Values
    typical: Values
    unit: Values
    categories: dict[int, int]
    are_pixels: bool
    error_name: str

    @classmethod
    def of(cls, source: Source) -> "Training":
        """Read training rows, in one pass for the statistics and one for the values."""
        schema, statistics, rows = source.schema, compute_statistics(source), read_values(source, seed=0)
        typical = statistics.mean.flatten().numpy().copy()
        for i in schema.categorical:
            typical[i] = np.bincount(rows[~np.isnan(rows[:, i]), i].astype(int), minlength=1).argmax()
        # The range of pixels may differ: corners of photographs may always be dark.
        are_pixels = bool(schema.layout) or len(schema.shape) > 2 or statistics.are_pixels
        unit, error_name = _choose_unit(schema, statistics, are_pixels)
        categories = {i: len(schema.used[i].categories) for i in schema.categorical}
        cells, common = rows[:, list(categories)], typical[list(categories)]
        known = ~np.isnan(cells)
        unit[list(categories)] = (cells != common)[known].sum() / max(1, known.sum()) or 1.0
        return cls(rows, typical, unit, categories, are_pixels, error_name)


def _choose_unit(schema: Schema, statistics: Statistics, are_pixels: bool) -> tuple[Values, str]:
    """Return the unit of each value (n_values,), and the name of squared errors in it."""
    if are_pixels:
        return np.ones(prod(schema.shape)), "mean squared error per pixel"
    # A time step at which all rows are nearly equal must not count more than others.
    are_series = len(schema.shape) == 2
    deviation = (statistics.shared((1,)) if are_series else statistics).deviation.flatten().numpy()
    name = f"mean squared error of numbers, relative to the variance of each {'channel' if are_series else 'column'}"
    return np.where(deviation == 0, 1.0, deviation), name


def compare(estimator: Any, train: Any, test: Any) -> dict[str, float]:
    """Return the mean squared reconstruction error per number on test rows, of "model", "PCA" and "mean".

    PCA has a code of the same size. Missing values are not compared; for PCA and the mean, they are replaced by means
    of the training rows. Errors are in the unit of the data for pixels, and otherwise in standard deviations of each
    column. Categories are not compared; PCA gets one column for each category.

    Parameters
    ----------
    estimator : Autoencoder
        Fitted on ``train``.
    train, test : array, data frame or Source of shape (n_samples, ...)
        Rows of the fit, and rows that the model has not seen.

    Returns
    -------
    dict of str to float
        Errors by method; empty if there are no numbers to compare.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus.baselines import compare
    >>> from isthmus.zoo import linear
    >>> X = load_digits().data
    >>> errors = compare(linear(8, max_epochs=2, random_state=0).fit(X[:1500]), X[:1500], X[1500:])
    >>> errors["PCA"] < errors["mean"]
    True
    """
    schema = estimator.schema_
    training, expected = Training.of(as_source(train, schema)), read_values(as_source(test, schema))
    methods = {"PCA": fit_pca(training, estimator.n_components).rebuild, "mean": fit_mean(training)}
    rebuilt = {"model": read_values(as_source(estimator.reconstruct(test), schema))}
    rebuilt |= {name: method(expected) for name, method in methods.items()}
    return squared_errors(training, Task(expected, expected), rebuilt)


def squared_errors(training: Training, task: Task, answers: Mapping[str, Values]) -> dict[str, float]:
    """Return the mean squared error of each method over the compared numbers; an empty dict if there are none."""
    numbers = np.setdiff1d(np.arange(task.expected.shape[1]), list(training.categories))
    counts = ~np.isnan(task.expected[:, numbers])
    if not counts.any():
        return {}
    errors = {name: ((task.expected - answer) / training.unit)[:, numbers] for name, answer in answers.items()}
    return {name: float(np.mean(np.square(error[counts]))) for name, error in errors.items()}


def error_rates(training: Training, task: Task, answers: Mapping[str, Values]) -> dict[str, float]:
    """Return the fraction of wrong categories of each method; an empty dict if no categories are compared."""
    categories = list(training.categories)
    counts = ~np.isnan(task.expected[:, categories])
    if not counts.any():
        return {}
    wrong = {name: (answer != task.expected)[:, categories] for name, answer in answers.items()}
    return {name: float(np.mean(cells[counts])) for name, cells in wrong.items()}


def relative_errors(training: Training, task: Task, answers: Mapping[str, Values]) -> dict[str, float]:
    """Return the mean error of the rows of each method, divided by that of "mean".

    1 is no better than means and most frequent categories; 0 is exact.
    """
    means = {name: sum_cell_errors(training, task, answer).mean() for name, answer in answers.items()}
    if not means["mean"]:
        raise ValueError(
            "all held-out rows equal the mean of the other rows, so errors relative to that of the mean are undefined"
        )
    return {name: float(mean / means["mean"]) for name, mean in means.items()}


def hide_cells(clean: Values, seed: int) -> Task:
    """Hide random known cells of rows; a method should return the hidden ones."""
    hidden = np.random.default_rng(seed).random(clean.shape) < HIDDEN
    return Task(np.where(hidden, np.nan, clean), np.where(hidden, clean, np.nan))


def cell_errors(training: Training, task: Task, answer: Values) -> Values:
    """Return the error of each cell (n, n_values), NaN where none is compared.

    The error of a number is squared, in its unit; that of a wrong category is 1 in its unit.
    """
    errors = np.square((task.expected - answer) / training.unit)
    categories = list(training.categories)
    wrong = (answer != task.expected)[:, categories] / training.unit[categories]
    errors[:, categories] = np.where(np.isnan(task.expected[:, categories]), np.nan, wrong)
    return np.asarray(errors)


def sum_cell_errors(training: Training, task: Task, answer: Values) -> Values:
    """Return the error of each row (n,): the sum over its cells, divided by the mean number of compared cells."""
    errors = cell_errors(training, task, answer)
    return np.nansum(errors, axis=1) / max(np.mean(np.sum(~np.isnan(errors), axis=1)), 1e-12)


def fit_mean(training: Training) -> Method:
    """Return a method that returns the mean of numbers and the most frequent category for every row."""
    return lambda rows: np.broadcast_to(training.typical, rows.shape)


class Projection(NamedTuple):
    """PCA of standardized numbers and one-hot categories; missing values are replaced by means."""

    scaler: OneHotScaler
    pca: PCA

    def scale(self, rows: Values) -> Values:
        """Return rows as the complete matrix to which PCA is fitted."""
        return np.nan_to_num(self.scaler.transform(rows))

    def encode(self, rows: Values) -> Values:
        """Return the principal components of rows."""
        return np.asarray(self.pca.transform(self.scale(rows)))

    def rebuild(self, rows: Values) -> Values:
        """Return rows of the same form, rebuilt from their principal components."""
        return self.scaler.inverse_transform(self.pca.inverse_transform(self.encode(rows)))


def fit_pca(training: Training, n_components: int) -> Projection:
    """Fit PCA with a given number of components, and fewer if the rows have fewer."""
    scaler = OneHotScaler(training.typical, training.unit, training.categories)
    matrix = np.nan_to_num(scaler.transform(training.rows))
    # scikit-learn divides by the total variance, which is 0 if all rows are equal.
    with np.errstate(invalid="ignore"):
        return Projection(scaler, PCA(min(n_components, *matrix.shape), random_state=0).fit(matrix))


def fit_regression(training: Training) -> Method | None:
    """Return imputation by iterated ridge regression of each column on others; None if it would take too long."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer
    from sklearn.linear_model import Ridge

    scaler = OneHotScaler(training.typical, training.unit, training.categories)
    matrix = scaler.transform(training.rows[:MAX_ROWS])
    if matrix.shape[1] > MAX_COLUMNS:
        return None
    imputer = IterativeImputer(
        Ridge(), max_iter=N_SWEEPS, n_nearest_features=N_PREDICTORS, keep_empty_features=True, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a baseline needs no convergence
        imputer.fit(matrix)
    return lambda rows: scaler.inverse_transform(imputer.transform(scaler.transform(rows)))


def read_values(source: Source, seed: int | None = None) -> Values:
    """Return the values of a source as float64 of shape (n, n_values), of the first rows up to MAX_NUMBERS values.

    With a ``seed``, the rows are shuffled first.
    """
    limit = max(1, MAX_NUMBERS // int(np.prod(source.schema.shape)))
    batch = next(source.batches(min(limit, len(source)), seed))
    return batch.x.flatten(1).double().numpy()
