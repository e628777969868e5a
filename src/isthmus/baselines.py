"""What a reconstruction error is worth: beside it stand those of PCA, with a code of the same size, and of the mean."""

from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from isthmus.data import Source, as_source
from isthmus.data.survey import survey
from isthmus.statistics import Statistics

Values = np.ndarray[Any, Any]

# Numbers that PCA is fitted on: more rows change it little, and this many take half a gigabyte.
SIZE = 2**26


def compare(estimator: Any, train: Any, test: Any) -> dict[str, float]:
    """Return mean squared reconstruction errors of a value on test rows: of "model", "PCA" and "mean".

    Missing values do not count; PCA and the mean see the mean of the training rows in their place. Errors are in the
    unit that ``unit_of`` names.

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
    statistics = survey(as_source(train))
    mean, unit = statistics.mean.flatten().numpy(), _unit(statistics)
    known = (_rows(as_source(train), seed=0) - mean) / unit
    wanted = (_rows(as_source(test)) - mean) / unit
    rebuilt = (_rows(as_source(estimator.reconstruct(test))) - mean) / unit
    # Where nothing varies, scikit-learn divides by zero to tell how much of it each component explains.
    with np.errstate(invalid="ignore"):
        pca = PCA(min(estimator.n_components, *known.shape), random_state=0).fit(np.nan_to_num(known))
    projected = pca.inverse_transform(pca.transform(np.nan_to_num(wanted)))
    return {name: _error(wanted, guess) for name, guess in {"model": rebuilt, "PCA": projected, "mean": 0.0}.items()}


def unit_of(train: Any) -> str:
    """Name the unit of errors: the data's where columns share a range, as pixels do, and else their deviations."""
    return "the data's unit" if survey(as_source(train)).shares_a_range else "each column's standard deviation"


def _unit(statistics: Statistics) -> Values:
    deviation = statistics.deviation.flatten().numpy()
    return np.ones_like(deviation) if statistics.shares_a_range else np.where(deviation > 0, deviation, 1.0)


def _rows(source: Source, seed: int | None = None) -> Values:
    """Take all rows, or as many as memory has room for, as float64 of shape (n, n_values)."""
    limit = max(1, SIZE // int(np.prod(source.schema.shape)))
    some = next(source.batches(min(limit, len(source)), seed))
    return some.x.flatten(1).double().numpy()


def _error(wanted: Values, guess: Any) -> float:
    return float(np.nanmean(np.square(wanted - guess)))
