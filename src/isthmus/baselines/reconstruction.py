"""Rows rebuilt by a model, by PCA with a code of the same size, by regression, and by the mean."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from sklearn.decomposition import PCA

from isthmus.baselines.widening import Widening
from isthmus.data import Source, as_source
from isthmus.data.validation import compute_statistics
from isthmus.schema import Schema
from isthmus.statistics import Statistics

Values = np.ndarray[Any, Any]
Method = Callable[[Values], Values]

# Numbers that a baseline is fitted on: more rows change it little, and this many take half a gigabyte.
SIZE = 2**26
# Rows and columns past which iterative regression takes longer than the fit; sweeps over the columns, and the columns
# that predict each (Van Buuren, Flexible Imputation of Missing Data, 2018, section 9.1).
N_ROWS, WIDE, N_SWEEPS, N_PREDICTORS = 2000, 200, 10, 20


class Task(NamedTuple):
    """Rows (n, n_values) as a method sees them, and the values it is judged by, NaN where it is not judged."""

    seen: Values
    wanted: Values


class Training(NamedTuple):
    """Training rows (n, n_values), and what is known of them: typical values, units and the positions of categories."""

    rows: Values
    typical: Values
    unit: Values
    categories: dict[int, int]

    @classmethod
    def of(cls, train: Any, schema: Schema) -> "Training":
        """Read the training rows of a fitted model."""
        source = as_source(train, schema)
        statistics = compute_statistics(source)
        rows = rows_of(source, seed=0)
        typical = statistics.mean.flatten().numpy().copy()
        for i in schema.categorical:
            typical[i] = np.bincount(rows[~np.isnan(rows[:, i]), i].astype(int), minlength=1).argmax()
        return cls(rows, typical, _unit(statistics), {i: len(schema.used[i].categories) for i in schema.categorical})


def compare(estimator: Any, train: Any, test: Any) -> dict[str, float]:
    """Return mean squared reconstruction errors of a number on test rows: of "model", "PCA" and "mean".

    Missing values do not count; PCA and the mean see the mean of the training rows in their place. Errors are in the
    unit that ``unit_of`` names. Categories do not count; PCA sees one column for each category.

    Parameters
    ----------
    estimator : Autoencoder
        Fitted on ``train``.
    train, test : array or data frame of shape (n_samples, ...)
        Whatever ``fit`` takes.

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
    training, task, guesses = _rebuild(estimator, train, test)
    return errors_of_numbers(training, task, guesses)


def unit_of(train: Any) -> str:
    """Name the unit of errors: the data's where columns share a range, as pixels do, and else their deviations."""
    return (
        "the data's unit"
        if compute_statistics(as_source(train)).has_common_range
        else "each column's standard deviation"
    )


def errors_of_numbers(training: Training, task: Task, guesses: Mapping[str, Values]) -> dict[str, float]:
    """Return the mean squared error of each method over the numbers that are judged, nothing if there are none."""
    numbers = np.setdiff1d(np.arange(task.wanted.shape[1]), list(training.categories))
    judged = ~np.isnan(task.wanted[:, numbers])
    if not judged.any():
        return {}
    errors = {name: ((task.wanted - guess) / training.unit)[:, numbers] for name, guess in guesses.items()}
    return {name: float(np.mean(np.square(error[judged]))) for name, error in errors.items()}


def shares_of_wrong_categories(training: Training, task: Task, guesses: Mapping[str, Values]) -> dict[str, float]:
    """Return the share of wrong categories of each method among those that are judged, nothing if there are none."""
    categories = list(training.categories)
    judged = ~np.isnan(task.wanted[:, categories])
    if not judged.any():
        return {}
    wrong = {name: (guess != task.wanted)[:, categories] for name, guess in guesses.items()}
    return {name: float(np.mean(cells[judged])) for name, cells in wrong.items()}


def fit_mean(training: Training) -> Method:
    """Guess the mean of numbers and the most frequent category, whatever the row."""
    return lambda seen: np.broadcast_to(training.typical, seen.shape)


def fit_pca(training: Training, n_components: int) -> Method:
    """Rebuild rows by PCA on standardised numbers and one column a category."""
    widening = Widening(training.typical, training.unit, training.categories)
    wide = np.nan_to_num(widening.widen(training.rows))
    # Where nothing varies, scikit-learn divides by zero to tell how much of it each component explains.
    with np.errstate(invalid="ignore"):
        pca = PCA(min(n_components, *wide.shape), random_state=0).fit(wide)
    return lambda seen: widening.narrow(pca.inverse_transform(pca.transform(np.nan_to_num(widening.widen(seen)))))


def fit_regression(training: Training) -> Method | None:
    """Predict each hidden cell by ridge regression on the others, over and over; None where that takes too long."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer
    from sklearn.linear_model import Ridge

    widening = Widening(training.typical, training.unit, training.categories)
    wide = widening.widen(training.rows[:N_ROWS])
    if wide.shape[1] > WIDE:
        return None
    imputer = IterativeImputer(
        Ridge(), max_iter=N_SWEEPS, n_nearest_features=N_PREDICTORS, keep_empty_features=True, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a few sweeps are enough for a baseline, converged or not
        imputer.fit(wide)
    return lambda seen: widening.narrow(imputer.transform(widening.widen(seen)))


def rows_of(source: Source, seed: int | None = None) -> Values:
    """Take all rows, or as many as memory has room for, as float64 of shape (n, n_values)."""
    limit = max(1, SIZE // int(np.prod(source.schema.shape)))
    some = next(source.batches(min(limit, len(source)), seed))
    return some.x.flatten(1).double().numpy()


def _rebuild(estimator: Any, train: Any, test: Any) -> tuple[Training, Task, dict[str, Values]]:
    """Rebuild test rows by a model, by PCA with a code of the same size, and by the mean."""
    schema = estimator.schema_
    training, wanted = Training.of(train, schema), rows_of(as_source(test, schema))
    baselines = {"PCA": fit_pca(training, estimator.n_components), "mean": fit_mean(training)}
    rebuilt = rows_of(as_source(estimator.reconstruct(test), schema))
    guesses = {"model": rebuilt, **{name: method(wanted) for name, method in baselines.items()}}
    return training, Task(wanted, wanted), guesses


def _unit(statistics: Statistics) -> Values:
    deviation = statistics.deviation.flatten().numpy()
    return np.ones_like(deviation) if statistics.has_common_range else np.where(deviation > 0, deviation, 1.0)
