"""Classifiers that detect synthetic rows, and models trained on synthetic rows that predict real rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score
from threadpoolctl import threadpool_limits

from isthmus.metrics.encoding import Values, encode, number_distinct_rows, sample_rows
from isthmus.part import did_you_mean
from isthmus.randomness import seed_of

N_FOLDS = 5
# Smallest number of rows of each table: 4 per fold.
MIN_ROWS = 20
# Largest number of equal rows that are kept in one fold. More equal rows mean that a table has few distinct rows, whose
# frequencies a classifier should learn.
MAX_GROUP = 10
# Categories that histogram gradient boosting of scikit-learn can distinguish besides missing values; rarer ones are
# merged.
MAX_CATEGORIES = 254
# Largest number of different numbers of a target that are predicted as classes, and largest number of classes, which
# bounds the time. Not tuned.
MAX_VALUES = 20
MAX_CLASSES = 100
ROLES = ("train", "synthetic", "test")

# Features (n, n_features) and targets (n,).
Rows = tuple[Values, Values]


@dataclass(frozen=True)
class Utility:
    """Scores of models trained on real and on synthetic rows that predict a column of real rows.

    Parameters
    ----------
    metric : str
        ``"AUROC"``, where 0.5 is chance, or ``"R2"``, where 0 is the mean; 1 is perfect.
    real, synthetic : float
        Score of the model trained on these rows.
    gap : float
        ``real - synthetic``.

    Examples
    --------
    >>> from isthmus.metrics import Utility
    >>> Utility("AUROC", real=0.9, synthetic=0.875, gap=0.025).gap
    0.025
    """

    metric: str
    real: float
    synthetic: float
    gap: float


def detection_score(real: Any, synthetic: Any, random_state: Any = None, max_rows: int = 10_000) -> float:
    """Return the cross-validated AUROC of gradient boosting that classifies rows as real or synthetic.

    0.5 is indistinguishable, 1 is perfectly distinguishable. Groups of few equal rows are kept in one fold, because a
    classifier would otherwise memorize a row and misclassify its copy.

    Parameters
    ----------
    real, synthetic : data frame
        Of any library that narwhals supports, with the same columns.
    random_state : int, RandomState or None, default=None
        Seed of the rows and folds.
    max_rows : int, default=10000
        Largest number of rows of each table; of more, a random sample is used.

    Returns
    -------
    float
        AUROC, the mean over the folds.

    Raises
    ------
    ValueError
        If columns differ or have values other than numbers, booleans, text, categories or dates, or there are fewer
        than 20 rows.

    References
    ----------
    D. Lopez-Paz, M. Oquab. Revisiting Classifier Two-Sample Tests. ICLR 2017, arXiv:1610.06545.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from isthmus.metrics import detection_score
    >>> real = pa.table({"x": range(100)})
    >>> detection_score(real, real, random_state=0)
    0.5
    >>> detection_score(real, pa.table({"x": range(1000, 1100)}), random_state=0)
    1.0
    """
    _, categorical, tables = encode({"real": real, "synthetic": synthetic})
    n = min(max_rows, *map(len, tables))
    if n < MIN_ROWS:
        raise ValueError(f"detection needs at least {MIN_ROWS} rows of real and of synthetic, got {n}")
    seed = seed_of(random_state)
    generator = np.random.default_rng(seed)
    rows = np.concatenate([sample_rows(table, n, generator) for table in tables])
    kinds = np.repeat([0, 1], n)
    folds = _folds(rows, generator)
    with _one_thread():
        scores = [
            _auroc((rows[~out], kinds[~out]), (rows[out], kinds[out]), categorical, seed)
            for out in (folds == fold for fold in range(N_FOLDS))
            if len(set(kinds[out])) == 2
        ]
    return float(np.mean(scores))


def utility(train: Any, synthetic: Any, test: Any, target: Any, random_state: Any = None) -> Utility:
    """Train gradient boosting on real and on synthetic rows, and test both on real rows.

    Booleans, text, categories and numbers of at most 20 different values in ``train`` are predicted as classes,
    scored by the mean one-versus-rest AUROC; dates and other numbers are predicted as numbers, scored by R2. Rows with
    a missing target are left out. Synthetic numbers are rounded to the nearest real class, and synthetic rows of
    unknown categories are left out; with fewer than two classes left, the score is 0.5.

    Parameters
    ----------
    train, synthetic, test : data frame
        Of any library that narwhals supports, with the same columns.
    target : str
        Column to predict from all others.
    random_state : int, RandomState or None, default=None
        Seed of gradient boosting.

    Returns
    -------
    Utility
        Scores of both models.

    Raises
    ------
    ValueError
        If the target is not a column or the only one, is constant in ``train`` or ``test``, or has more than 100
        classes, or tables have different columns.

    References
    ----------
    C. Esteban, S. Hyland, G. Raetsch. Real-valued (Medical) Time Series Generation with Recurrent Conditional GANs.
    2017, arXiv:1706.02633.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from isthmus.metrics import utility
    >>> real = pa.table({"x": range(100), "large": [i >= 50 for i in range(100)]})
    >>> utility(real, real, real, "large", random_state=0)
    Utility(metric='AUROC', real=1.0, synthetic=1.0, gap=0.0)
    """
    names, categorical, tables = encode({"train": train, "synthetic": synthetic, "test": test})
    place = _place(target, names)
    roles = {role: _split_target(role, rows, names, place) for role, rows in zip(ROLES, tables, strict=True)}
    for role in ("train", "test"):
        if len(np.unique(roles[role][1])) < 2:
            raise ValueError(f"target {target!r} is constant in {role}, expected at least two different values")
    classes = np.unique(roles["train"][1])
    by_class = bool(categorical[place]) or len(classes) <= MAX_VALUES
    if by_class:
        _check_classes(target, classes)
        roles["synthetic"] = _match_classes(*roles["synthetic"], classes, bool(categorical[place]))
    score, features, seed = _auroc if by_class else _r2, np.delete(categorical, place), seed_of(random_state)
    with _one_thread():
        real, made = (score(roles[role], roles["test"], features, seed) for role in ("train", "synthetic"))
    return Utility("AUROC" if by_class else "R2", real, made, real - made)


def _one_thread() -> Any:
    """Limit boosting to one thread: threads synchronize at every node, which takes minutes on a busy machine."""
    return threadpool_limits(1, user_api="openmp")


def _folds(rows: Values, generator: np.random.Generator) -> Values:
    """Assign rows to folds at random, small groups of equal rows to the same fold."""
    numbers = number_distinct_rows(rows)[0]
    few = np.bincount(numbers)[numbers] <= min(MAX_GROUP, len(rows) / MIN_ROWS)
    groups = np.unique(np.where(few, numbers, len(rows) + np.arange(len(rows))), return_inverse=True)[1]
    return generator.permutation(groups.max() + 1)[groups] % N_FOLDS


def _place(target: Any, names: list[Any]) -> int:
    if target not in names:
        raise ValueError(f"target {target!r} is not a column{did_you_mean(str(target), map(str, names))}")
    if len(names) < 2:
        raise ValueError(f"target {target!r} is the only column, expected others to predict it from")
    return names.index(target)


def _split_target(role: str, rows: Values, names: list[Any], place: int) -> Rows:
    """Split rows with a known target into features and target."""
    known = rows[~np.isnan(rows[:, place])]
    if not len(known):
        raise ValueError(f"target {names[place]!r} is missing in all rows of {role}")
    return np.delete(known, place, axis=1), known[:, place]


def _check_classes(target: Any, classes: Values) -> None:
    if len(classes) > MAX_CLASSES:
        raise ValueError(f"target {target!r} has {len(classes)} classes in train, expected at most {MAX_CLASSES}")


def _match_classes(X: Values, y: Values, classes: Values, levels: bool) -> Rows:
    """Leave out rows of unknown categories, or round numbers to the nearest class."""
    if levels:
        known = np.isin(y, classes)
        return X[known], y[known]
    return X, classes[np.abs(y[:, None] - classes).argmin(axis=1)]


def _auroc(train: Rows, test: Rows, categorical: Values, seed: int) -> float:
    """Return the mean one-versus-rest AUROC over the classes of the test rows; 0.5 for unknown classes."""
    (X, y), (X_test, y_test) = train, test
    if len(np.unique(y)) < 2:
        return 0.5
    model = _fitted(HistGradientBoostingClassifier, X, y, categorical, seed)
    shares = dict(zip(model.classes_, model.predict_proba(_features(X_test, categorical)).T, strict=True))
    never = np.zeros(len(y_test))
    return float(np.mean([roc_auc_score(y_test == one, shares.get(one, never)) for one in np.unique(y_test)]))


def _r2(train: Rows, test: Rows, categorical: Values, seed: int) -> float:
    model = _fitted(HistGradientBoostingRegressor, *train, categorical, seed)
    return float(r2_score(test[1], model.predict(_features(test[0], categorical))))


def _fitted(kind: Any, X: Values, y: Values, categorical: Values, seed: int) -> Any:
    # Histograms of empty numeric columns raise an error; as categorical columns they are accepted.
    levels = categorical | np.isnan(X).all(axis=0)
    return kind(categorical_features=levels, early_stopping=False, random_state=seed).fit(_features(X, categorical), y)


def _features(X: Values, categorical: Values) -> Values:
    return np.where(categorical, np.minimum(X, MAX_CATEGORIES), X)
