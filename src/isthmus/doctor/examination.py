"""The examination: all checks, in the order of their findings."""

from collections.abc import Iterable, Mapping
from typing import Any

from isthmus.autoencoder import Autoencoder
from isthmus.doctor import data_checks, model_checks, of_codes, of_pairs, of_rows
from isthmus.doctor.check_input import CheckInput
from isthmus.doctor.rows import Rows, read_rows
from isthmus.errors import InputTypeError
from isthmus.finding import Finding

CHECKS = (
    of_rows.leaks,
    of_rows.duplicates,
    of_rows.empty_rows,
    data_checks.infinite,
    data_checks.beyond_float32,
    data_checks.without_values,
    data_checks.numbers_as_text,
    data_checks.left_out,
    data_checks.hardly_varying,
    data_checks.row_numbers,
    data_checks.scattered_levels,
    data_checks.codes_as_numbers,
    data_checks.mostly_missing,
    of_pairs.copies,
    model_checks.likelihood_of_numbers,
    model_checks.outside_the_support,
    model_checks.grey_values,
    model_checks.scales,
    model_checks.tails,
    model_checks.few_rows,
    model_checks.wide_code,
    model_checks.large_batches,
    of_codes.prior,
)


def examine(X: Any, estimator: Autoencoder | None = None, *, test: Any = None, y: Any = None) -> list[Finding]:
    """Look, before a fit, for what would spoil it; and after one, whether codes lie where samples are drawn.

    Parameters
    ----------
    X : array, tensor, sparse rows or data frame of shape (n_samples, ...)
        Rows to fit, in memory.
    estimator : Autoencoder or None, default=None
        Whose choices are held against the data. It is not fitted; if it is already, its codes are looked at too. None
        is ``Autoencoder()``.
    test : like X, dict of such by name, or None, default=None
        Rows that should not be among those of X, nor of each other.
    y : array of shape (n_samples,) or None, default=None
        Labels of the rows of X, for the codes of a fitted conditional model.

    Returns
    -------
    list of Finding
        Empty if no problem was found.

    Raises
    ------
    TypeError
        If ``estimator`` is none, or the rows are not in memory.
    ValueError
        If ``X`` or ``test`` hold no rows that could be read, or a parameter of the estimator is out of its range.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.doctor import examine
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> examine(X)
    []
    >>> print(*examine(X, test=X[:100]))
    error: leak between splits: 100 of 100 rows of test (100 %) are in X
      take them out of test, or remove duplicates and split anew: isthmus prepare
    """
    estimator = Autoencoder() if estimator is None else estimator
    if not isinstance(estimator, Autoencoder):
        raise InputTypeError(f"estimator must be an Autoencoder, got {estimator!r}")
    estimator._check_parameters()
    rows = read_rows(X, estimator.schema)
    splits = test if isinstance(test, Mapping) else {} if test is None else {"test": test}
    case = CheckInput(rows, {name: _read_split(name, split, rows) for name, split in splits.items()}, estimator, y)
    return [finding for check in CHECKS for finding in check(case)]


def report(findings: Iterable[Finding]) -> str:
    """Write findings as text, two lines each.

    Examples
    --------
    >>> from isthmus.doctor import report
    >>> report([])
    'no problems found'
    """
    return "\n".join(map(str, findings)) or "no problems found"


def _read_split(name: str, X: Any, rows: Rows) -> Rows:
    split = read_rows(X, rows.source.schema)
    if (split.frame is None) != (rows.frame is None):
        raise ValueError(f"{name} must be a data frame where X is one, and an array where X is one")
    if split.source.schema.shape != rows.source.schema.shape:
        raise ValueError(
            f"{name} has samples of shape {split.source.schema.shape}, those of X are of {rows.source.schema.shape}"
        )
    return split
