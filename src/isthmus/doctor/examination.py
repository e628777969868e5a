"""All checks of data and of an estimator for them."""

from collections.abc import Iterable, Mapping
from typing import Any

from isthmus.assembly import check_parameters
from isthmus.autoencoder import Autoencoder
from isthmus.doctor import data_checks, model_checks
from isthmus.doctor.check_input import CheckInput
from isthmus.doctor.rows import Rows, read_rows
from isthmus.errors import require_type
from isthmus.finding import Finding

# Every function of these modules whose name starts with "find_" is a check; checks run in this order.
CHECKS = [
    function
    for module in (data_checks, model_checks)
    for name, function in vars(module).items()
    if name.startswith("find_")
]


def examine(X: Any, estimator: Autoencoder | None = None, *, test: Any = None, y: Any = None) -> list[Finding]:
    """Find problems in data before a fit, and after it whether codes lie where samples are drawn.

    Parameters
    ----------
    X : array, tensor, sparse rows or data frame of shape (n_samples, ...)
        Rows to fit, in memory.
    estimator : Autoencoder or None, default=None
        The estimator that will be fitted; its parameters are checked against the data. It is not fitted here; if it is
        fitted already, its codes are checked too. None is ``Autoencoder()``.
    test : like X, dict of such by name, or None, default=None
        Other splits, which must not share rows with X or with each other.
    y : array of shape (n_samples,) or None, default=None
        Labels of the rows of X, to check the codes of a fitted conditional model.

    Returns
    -------
    list of Finding
        Empty if no problem was found.

    Raises
    ------
    TypeError
        If ``estimator`` is not an Autoencoder, or the rows are not in memory.
    ValueError
        If ``X`` or ``test`` cannot be read, or a parameter of the estimator is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.doctor import examine
    >>> X = np.random.default_rng(0).normal(size=(500, 4))
    >>> examine(X)
    []
    >>> print(*examine(X, test=X[:100]))
    error: leak between splits: 100 of 100 rows of test (100 %) are in X
      take them out of test, or remove duplicates and split again: isthmus prepare
    """
    estimator = Autoencoder() if estimator is None else estimator
    require_type("estimator", estimator, Autoencoder, "an Autoencoder")
    check_parameters(estimator)
    rows = read_rows(X, estimator.schema)
    splits = test if isinstance(test, Mapping) else {} if test is None else {"test": test}
    data = CheckInput(rows, {name: _read_split(name, split, rows) for name, split in splits.items()}, estimator, y)
    return [finding for check in CHECKS for finding in check(data)]


def format_findings(findings: Iterable[Finding]) -> str:
    """Write findings as text, two lines each.

    Examples
    --------
    >>> from isthmus.doctor import format_findings
    >>> format_findings([])
    'no problems found'
    """
    return "\n".join(map(str, findings)) or "no problems found"


def _read_split(name: str, X: Any, rows: Rows) -> Rows:
    split = read_rows(X, rows.source.schema)
    if (split.frame is None) != (rows.frame is None):
        raise ValueError(f"{name} must be a data frame if X is one, and an array if X is one")
    if split.source.schema.shape != rows.source.schema.shape:
        shapes = split.source.schema.shape, rows.source.schema.shape
        raise ValueError("{} has samples of shape {}, expected {} as in X".format(name, *shapes))
    return split
