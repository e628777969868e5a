"""All checks of data, of an estimator for them, and of a fitted model."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import prod
from types import ModuleType
from typing import Any

from isthmus.anomaly import AnomalyDetector, BaggedAutoencoders, ExemplarDistance
from isthmus.assembly import check_parameters
from isthmus.autoencoder import Autoencoder
from isthmus.doctor import code_checks, data_checks, fit_checks, model_checks, shift_checks, training_checks
from isthmus.doctor.check_input import CheckInput
from isthmus.doctor.fitted_input import FittedInput
from isthmus.doctor.rows import read_rows, read_split
from isthmus.doctor.training_checks import Training
from isthmus.errors import InputTypeError, require_type
from isthmus.finding import Finding


def _list_checks(*modules: ModuleType) -> list[Callable[[Any], Iterable[Finding]]]:
    """Return the functions of modules whose names start with "find_", in their order."""
    return [check for module in modules for name, check in vars(module).items() if name.startswith("find_")]


# Checks of data and an estimator, checks of losses, and checks of one fitted net; they run in this order.
CHECKS = _list_checks(data_checks, model_checks, shift_checks)
TRAINING_CHECKS = _list_checks(training_checks)
FITTED_CHECKS = _list_checks(code_checks, fit_checks)
# Checks of codes that need no columns.
CODE_CHECKS = (
    code_checks.find_posterior_collapse,
    code_checks.find_dead_components,
    code_checks.find_dead_hidden_units,
)
Estimator = Autoencoder | BaggedAutoencoders | AnomalyDetector


def examine(X: Any, estimator: Estimator | None = None, *, test: Any = None, y: Any = None) -> list[Finding]:
    """Find problems in data and in an estimator for them, before a fit and after it.

    If the estimator is fitted, its training and its net are examined too: losses that jump or still fall at the end,
    overfitting and underfitting, codes that are not used, units that are always 0, samples drawn where no codes lie,
    and columns whose values are not distributed as the likelihood says. X should hold the rows of ``fit``; those that
    ``fit`` held out are recognised if ``random_state`` is an integer.

    Parameters
    ----------
    X : array, tensor, sparse rows or data frame of shape (n_samples, ...)
        Rows to fit, or rows that were fitted, in memory.
    estimator : Autoencoder, BaggedAutoencoders, AnomalyDetector or None, default=None
        The estimator for the rows; its parameters are checked against the data. It is not fitted here. A detector must
        contain autoencoders. Of ``BaggedAutoencoders``, only the training is examined, because each row
        belongs to some of its nets. None is ``Autoencoder()``.
    test : like X, dict of such by name, or None, default=None
        Other splits, which must not share rows with X or with each other. Overfitting is found by them, and columns in
        another unit.
    y : array of shape (n_samples,) or None, default=None
        Labels of the rows of X, to check the codes of a fitted conditional model.

    Returns
    -------
    list of Finding
        Empty if no problem was found.

    Raises
    ------
    TypeError
        If ``estimator`` has another type, or the rows are not in memory.
    ValueError
        If ``X`` or ``test`` cannot be read or has other columns than in ``fit``, or a parameter of the estimator is out
        of range.

    References
    ----------
    Burda, Grosse and Salakhutdinov, Importance weighted autoencoders, ICLR 2016, arXiv:1509.00519 (active units).
    Bowman et al., Generating sentences from a continuous space, CoNLL 2016, arXiv:1511.06349 (posterior collapse).
    Yeom, Giacomelli, Fredrikson and Jha, Privacy risk in machine learning: analyzing the connection to overfitting, CSF
    2018, arXiv:1709.01604. Gneiting, Balabdaoui and Raftery, Probabilistic forecasts, calibration and sharpness, JRSS B
    69, 2007 (probability integral transform). Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017,
    arXiv:1610.06545 (samples and codes).

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
    template, fitted = _open(Autoencoder() if estimator is None else estimator)
    check_parameters(template)
    if fitted is not None:
        fitted.read_rows(X)  # raises an error if X has other columns
    rows = read_rows(X, template.schema if fitted is None else fitted.schema_)
    splits = test if isinstance(test, Mapping) else {} if test is None else {"test": test}
    splits = {name: read_split(name, split, rows) for name, split in splits.items()}
    data = CheckInput(rows, splits, template, y)
    findings = [finding for check in CHECKS for finding in check(data)]
    if fitted is None:
        return findings
    checks = TRAINING_CHECKS + (FITTED_CHECKS if fitted.module_.n_nets == 1 else [])
    fitted_data = FittedInput(rows, splits, fitted, y)
    return findings + [finding for check in checks for finding in check(fitted_data)]


def examine_training(estimator: Any, X: Any = None) -> list[Finding]:
    """Find problems in the training of the nets of a fitted estimator, whatever its rows are.

    Parameters
    ----------
    estimator : Autoencoder, BaggedAutoencoders, SlidingWindows, SeriesImputer, or AnomalyDetector of one of them
        Fitted.
    X : Source or None, default=None
        Rows of an ``Autoencoder``, in memory: its codes and its hidden units are examined too.

    Returns
    -------
    list of Finding
        Empty if no problem was found.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import SeriesImputer
    >>> from isthmus.doctor import examine_training
    >>> noise = np.random.default_rng(0).normal(size=400)
    >>> imputer = SeriesImputer(16, random_state=0).fit(np.sin(np.arange(400) / 5) + 0.2 * noise)
    >>> [finding.what for finding in examine_training(imputer)]
    []
    """
    nets = list(_list_nets(estimator))
    trainings = [Training(net.history_, prod(net.module_.schema.shape)) for net in nets]
    findings = [finding for check in TRAINING_CHECKS for training in trainings for finding in check(training)]
    if X is None:
        return findings
    data = FittedInput(read_rows(X, X.schema), {}, estimator)
    return findings + [finding for check in CODE_CHECKS for finding in check(data)]


def _list_nets(estimator: Any) -> Iterator[Any]:
    """Yield the nets of an estimator that have a history."""
    if "history_" in vars(estimator):
        yield estimator
        return
    for inner in [*getattr(estimator, "estimators_", ()), getattr(estimator, "estimator_", None)]:
        if inner is not None:
            yield from _list_nets(inner)


def format_findings(findings: Iterable[Finding]) -> str:
    """Write findings as text, two lines each.

    Parameters
    ----------
    findings : iterable of Finding
        Results of ``examine``.

    Returns
    -------
    str
        The text; "no problems found" without findings.

    Examples
    --------
    >>> from isthmus.doctor import format_findings
    >>> format_findings([])
    'no problems found'
    """
    return "\n".join(map(str, findings)) or "no problems found"


def _open(estimator: Any) -> tuple[Autoencoder, Autoencoder | None]:
    """Return the autoencoder whose parameters are checked, and the fitted one, if there is one."""
    inner = estimator
    if isinstance(estimator, AnomalyDetector):
        inner = vars(estimator).get("estimator_", estimator.estimator)
    known = Autoencoder | BaggedAutoencoders
    if inner is not estimator and not isinstance(inner, known):
        name = type(inner or ExemplarDistance()).__name__
        raise InputTypeError(
            f"this detector scores rows by {name}, which the doctor cannot examine; examine the rows alone, or a "
            "detector of an Autoencoder"
        )
    require_type("estimator", inner, known, "an Autoencoder, BaggedAutoencoders, or an AnomalyDetector of one of them")
    if isinstance(inner, Autoencoder):
        return inner, inner if "module_" in vars(inner) else None
    return inner.estimator or Autoencoder(), vars(inner).get("estimator_")
