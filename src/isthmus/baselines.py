"""What a reconstruction error is worth: beside it stand those of PCA, with a code of the same size, and of the mean."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.decomposition import PCA

from isthmus.data import Source, as_source
from isthmus.data.survey import survey
from isthmus.schema import Schema
from isthmus.statistics import Statistics

Values = np.ndarray[Any, Any]

# Numbers that PCA is fitted on: more rows change it little, and this many take half a gigabyte.
SIZE = 2**26
# Columns of more levels than this would make PCA's input too wide.
MOST_LEVELS = 256


class Guesses(NamedTuple):
    """Test rows (n, n_values), what each method makes of them, units of the numbers, and which columns are levels."""

    wanted: Values
    by: dict[str, Values]
    unit: Values
    levels: list[int]


def compare(estimator: Any, train: Any, test: Any) -> dict[str, float]:
    """Return mean squared reconstruction errors of a number on test rows: of "model", "PCA" and "mean".

    Missing values do not count; PCA and the mean see the mean of the training rows in their place. Errors are in the
    unit that ``unit_of`` names. Categories are told apart from numbers, see ``compare_levels``; PCA sees them as one
    column a level.

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
    wanted, by, unit, levels = _guesses(estimator, train, test)
    numbers = np.delete(np.arange(wanted.shape[1]), levels)
    errors = {name: (wanted - guess)[:, numbers] / unit[numbers] for name, guess in by.items()}
    return {name: float(np.nanmean(np.square(error))) for name, error in errors.items()} if len(numbers) else {}


def compare_levels(estimator: Any, train: Any, test: Any) -> dict[str, float]:
    """Return the share of wrong levels among the categories of test rows, nothing if there are none.

    Of "model", "PCA" and "mean", which stands for the most frequent level.

    Parameters
    ----------
    estimator : Autoencoder
        Fitted on ``train``.
    train, test : data frame
    """
    if not estimator.schema_.levelled:
        return {}
    wanted, by, _, levels = _guesses(estimator, train, test)
    known = ~np.isnan(wanted[:, levels])
    return {name: float(np.mean((guess != wanted)[:, levels][known])) for name, guess in by.items()}


def unit_of(train: Any) -> str:
    """Name the unit of errors: the data's where columns share a range, as pixels do, and else their deviations."""
    return "the data's unit" if survey(as_source(train)).shares_a_range else "each column's standard deviation"


def _guesses(estimator: Any, train: Any, test: Any) -> Guesses:
    schema = estimator.schema_
    source = as_source(train, schema)
    statistics = survey(source)
    known, wanted = _rows(source, seed=0), _rows(as_source(test, schema))
    typical = statistics.mean.flatten().numpy().copy()
    for i in schema.levelled:
        typical[i] = np.bincount(known[~np.isnan(known[:, i]), i].astype(int), minlength=1).argmax()
    by = {
        "model": _rows(as_source(estimator.reconstruct(test), schema)),
        "PCA": _by_pca(estimator.n_components, known, wanted, typical, statistics, schema),
        "mean": np.broadcast_to(typical, wanted.shape),
    }
    return Guesses(wanted, by, _unit(statistics), schema.levelled)


def _by_pca(
    n_components: int, known: Values, wanted: Values, typical: Values, statistics: Statistics, schema: Schema
) -> Values:
    """Rebuild rows by PCA on standardised numbers and one column a level."""
    sizes = {i: len(schema.used[i].levels) for i in schema.levelled if len(schema.used[i].levels) <= MOST_LEVELS}
    numbers = [i for i in range(known.shape[1]) if i not in schema.levelled]
    unit = _unit(statistics)

    def widened(rows: Values) -> Values:
        hot = [np.equal.outer(rows[:, i], np.arange(size)).astype(float) for i, size in sizes.items()]
        return np.hstack([np.nan_to_num((rows - typical) / unit)[:, numbers], *hot])

    # Where nothing varies, scikit-learn divides by zero to tell how much of it each component explains.
    with np.errstate(invalid="ignore"):
        wide = widened(known)
        pca = PCA(min(n_components, *wide.shape), random_state=0).fit(wide)
    rebuilt = pca.inverse_transform(pca.transform(widened(wanted)))
    guess = np.tile(typical, (len(wanted), 1))
    guess[:, numbers] += rebuilt[:, : len(numbers)] * unit[numbers]
    starts = len(numbers) + np.cumsum([0, *sizes.values()])
    for start, (i, size) in zip(starts, sizes.items(), strict=False):
        guess[:, i] = rebuilt[:, start : start + size].argmax(1)
    return guess


def _unit(statistics: Statistics) -> Values:
    deviation = statistics.deviation.flatten().numpy()
    return np.ones_like(deviation) if statistics.shares_a_range else np.where(deviation > 0, deviation, 1.0)


def _rows(source: Source, seed: int | None = None) -> Values:
    """Take all rows, or as many as memory has room for, as float64 of shape (n, n_values)."""
    limit = max(1, SIZE // int(np.prod(source.schema.shape)))
    some = next(source.batches(min(limit, len(source)), seed))
    return some.x.flatten(1).double().numpy()
