"""What models learn of synthetic rows: to tell them from real ones, and to predict real ones."""

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
# Rows of each table without which folds are too small to judge by.
MIN_ROWS = 20
# So many equal rows at most are kept in one fold: beyond, a table has few different rows, and learning counts them.
FEW = 10
# What scikit-learn's histograms tell apart, missing aside. Rarer levels are one.
MAX_LEVELS = 254
# A number of more values is predicted as a number, one of fewer as a class.
MAX_VALUES = 20
MAX_CLASSES = 100
ROLES = ("train", "synthetic", "test")

# Features (n, n_features) and targets (n,).
Rows = tuple[Values, Values]


@dataclass(frozen=True)
class Utility:
    """How well a column of real rows is predicted by a model of real and by one of synthetic rows.

    Attributes
    ----------
    metric : str
        ``"AUROC"``, where 0.5 is worthless, or ``"R2"``, where 0 is; 1 is perfect.
    real, synthetic : float
        Of the model that was trained on such rows.
    gap : float
        What the synthetic rows lack: ``real - synthetic``.
    """

    metric: str
    real: float
    synthetic: float
    gap: float


def detection_score(real: Any, synthetic: Any, random_state: Any = None, max_rows: int = 10_000) -> float:
    """Cross-validated AUROC of gradient boosting that tells synthetic rows from as many real ones.

    0.5 is indistinguishable, 1 is told apart at sight. Equal rows stay in one fold while they are few, or a model would
    remember a row and mistake its copy for the other kind.

    Parameters
    ----------
    real, synthetic : data frame
        Of any library that narwhals knows, with the same columns.
    random_state : int, RandomState or None
        Decides which rows and folds are drawn.
    max_rows : int
        Of each table; more are drawn from.

    Raises
    ------
    ValueError
        If columns differ, hold what is neither number, boolean, text, category nor date, or there are fewer than 20
        rows.

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
    measured by the AUROC, the mean of one class against the rest; dates and other numbers as numbers, measured by R2.
    Rows whose target is missing are left out. Of synthetic rows, a number counts as the nearest real class, and those
    of a level that no real row has are left out; where fewer than two classes are left, nothing is learned: 0.5.

    Parameters
    ----------
    train, synthetic, test : data frame
        Of any library that narwhals knows, with the same columns.
    target : str
        Column to predict by all others.
    random_state : int, RandomState or None

    Raises
    ------
    ValueError
        If there is no column of this name or no other, it does not vary in ``train`` or ``test``, it has more than
        100 classes, or tables cannot be read together.

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
    roles = {role: _take_apart(role, rows, names, place) for role, rows in zip(ROLES, tables, strict=True)}
    for role in ("train", "test"):
        if len(np.unique(roles[role][1])) < 2:
            raise ValueError(f"target {target!r} is constant in {role}, expected at least two different values")
    classes = np.unique(roles["train"][1])
    by_class = bool(categorical[place]) or len(classes) <= MAX_VALUES
    if by_class:
        _check_classes(target, classes)
        roles["synthetic"] = _put_into_classes(*roles["synthetic"], classes, bool(categorical[place]))
    score, features, seed = _auroc if by_class else _r2, np.delete(categorical, place), seed_of(random_state)
    with _one_thread():
        real, made = (score(roles[role], roles["test"], features, seed) for role in ("train", "synthetic"))
    return Utility("AUROC" if by_class else "R2", real, made, real - made)


def _one_thread() -> Any:
    """Keep boosting to one thread: its threads wait for each other at every node, on a busy machine for minutes."""
    return threadpool_limits(1, user_api="openmp")


def _folds(rows: Values, generator: np.random.Generator) -> Values:
    """Deal rows to folds at random, those that are equal to few others together with these."""
    numbers = number_distinct_rows(rows)[0]
    few = np.bincount(numbers)[numbers] <= min(FEW, len(rows) / MIN_ROWS)
    groups = np.unique(np.where(few, numbers, len(rows) + np.arange(len(rows))), return_inverse=True)[1]
    return generator.permutation(groups.max() + 1)[groups] % N_FOLDS


def _place(target: Any, names: list[Any]) -> int:
    if target not in names:
        raise ValueError(f"target {target!r} is no column{did_you_mean(str(target), map(str, names))}")
    if len(names) < 2:
        raise ValueError(f"target {target!r} is the only column, expected others to predict it by")
    return names.index(target)


def _take_apart(role: str, rows: Values, names: list[Any], place: int) -> Rows:
    """Part the target from all else, in the rows where it is known."""
    known = rows[~np.isnan(rows[:, place])]
    if not len(known):
        raise ValueError(f"target {names[place]!r} is missing in all rows of {role}")
    return np.delete(known, place, axis=1), known[:, place]


def _check_classes(target: Any, classes: Values) -> None:
    if len(classes) > MAX_CLASSES:
        raise ValueError(f"target {target!r} has {len(classes)} classes in train, expected at most {MAX_CLASSES}")


def _put_into_classes(X: Values, y: Values, classes: Values, levels: bool) -> Rows:
    """Leave out rows of levels that are no class, and round numbers to the nearest class."""
    if levels:
        known = np.isin(y, classes)
        return X[known], y[known]
    return X, classes[np.abs(y[:, None] - classes).argmin(axis=1)]


def _auroc(train: Rows, test: Rows, categorical: Values, seed: int) -> float:
    """Mean over the classes of the test rows of the AUROC of one against the rest; 0.5 of those never seen."""
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
    # Histograms of a column without numbers cannot be made; as one of levels it passes.
    levels = categorical | np.isnan(X).all(axis=0)
    return kind(categorical_features=levels, early_stopping=False, random_state=seed).fit(_features(X, categorical), y)


def _features(X: Values, categorical: Values) -> Values:
    return np.where(categorical, np.minimum(X, MAX_LEVELS), X)
