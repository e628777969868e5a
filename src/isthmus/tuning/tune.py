"""The search for better parameters of an estimator."""

import hashlib
import math
import warnings
from collections.abc import Iterator, Mapping
from functools import partial
from os import PathLike
from threading import Event
from time import monotonic
from typing import Any

import numpy as np
from sklearn.base import clone

from isthmus.anomaly import AnomalyDetector, BaggedAutoencoders, SlidingWindows
from isthmus.anomaly.rows import ANOMALY, read_labels, take_rows
from isthmus.autoencoder import Autoencoder
from isthmus.backbones import MLP
from isthmus.data import as_source
from isthmus.errors import InputTypeError
from isthmus.gap_filling import SeriesImputer
from isthmus.part import is_count
from isthmus.problem import Problem
from isthmus.randomness import mix, seed_of
from isthmus.training import name_fit
from isthmus.tuning.confirmation import SHARE_OF_TIME, judge_again
from isthmus.tuning.measures import RowScores, choose_measure
from isthmus.tuning.objective import Objective
from isthmus.tuning.result import Trial, TuningResult, Values, estimate_gain
from isthmus.tuning.rows import Split, split_rows
from isthmus.tuning.space import Space, default_values, make_space, with_parts
from isthmus.tuning.storage import import_optuna
from isthmus.tuning.study import (
    has_default,
    identify,
    measure_importance,
    note_interrupts,
    open_study,
    read_trials,
    run_study,
    warn_of_interrupt,
)

# Estimators of a series, which cut it into windows: the rows of a search.
OF_SERIES = SlidingWindows | SeriesImputer
# The weight of the divergence; the bound on the log likelihood has the weight 1.
BETA = "bottleneck__beta"
# Factors of the values in the first trials, one value in each. Of single changes, these helped most on six tables that
# benchmarks/tuning.py does not use: titanic, pima, and satimage-2, letter, Cardiotocography and WDBC of ADBench.
FIRST_FACTORS = {"backbone__hidden": 2, "batch_size": 2, "learning_rate": 0.5}


def tune(
    estimator: Any,
    X: Any,
    y: Any = None,
    *,
    space: Mapping[str, Any] | None = None,
    measure: Any = "auto",
    time: float | None = None,
    n_trials: int | None = None,
    storage: str | PathLike[str] | None = None,
    random_state: Any = None,
    verbose: int = 0,
) -> TuningResult:
    """Search for better parameters of an estimator, and fit it with them to all rows.

    The rows are split three ways. A fifth, at most 10,000 rows, judges all trials. Of the other rows, each fit holds
    out a part for early stopping, as always. So no row that judges has an influence on a fit. The first trial is the
    estimator as it is. If the bound judges, the second one has the weight of the divergence that the bound has, 1.
    Three others have twice the width, twice the batch size and half the learning rate, and the rest are chosen by a
    Gaussian process and the expected improvement [1]. A trial that is worse than the median of others at the same tenth
    of the training, on the rows for early stopping, is stopped. The best of many trials is the best partly by chance:
    the three best trials, one for each five, and the default are at last fitted on two other splits of the rows, and
    the best on those is chosen.

    Parameters
    ----------
    estimator : Autoencoder, or AnomalyDetector, BaggedAutoencoders, SlidingWindows or SeriesImputer of one
        Not changed. The parameters of the autoencoder are searched; the others are fitted once, at the end. For
        ``SlidingWindows``, fits are judged on windows of the middle length; for ``SeriesImputer``, on hidden gaps. For
        both, None is the default net.
    X : array, data frame, list or Source of shape (n_samples, ...)
        At least 50 rows. The last windows of a series judge.
    y : array of shape (n_samples,) or None, default=None
        Labels of a conditional model, or of a detector: known anomalies, -1, take no part in the search.
    space : Space, dict or None, default=None
        Values by the name of a parameter: ``Range``, ``Layers`` or a list. None is ``search_space(estimator, X)``.
    measure : {"auto", "bound", "error"} or callable, default="auto"
        "bound" is the bound on the log likelihood (``Autoencoder.score``). It counts the size of the code, which is
        then searched too, and its likelihood is the same in all trials. "error" is the error of reconstructed,
        denoised or imputed cells relative to that of the mean and the most frequent category, or the mean
        squared error per pixel; it does not depend on the likelihood.
        "auto" is the bound for random codes, texts and series of different lengths, and otherwise the error. A
        function of a fitted estimator, rows and labels returns one number per row; higher is better.
    time : float or None, default=None
        Seconds of the search. After seven tenths of it, no trial starts, and running ones are stopped; the rest is for
        the other splits. The last fit takes additional time.
    n_trials : int or None, default=None
        Number of trials, including the default, without those of the other splits. Without a time too, the search stops
        when 20 trials gain less than one standard error.
    storage : path or None, default=None
        SQLite file on a local disk. The same call with the same ``random_state`` continues the study in it, also if the
        process was killed. Several processes may do so at once; ``n_trials`` counts all trials in the file, and each
        process may exceed it by one.
    random_state : int, RandomState or None, default=None
        Seed of the split and of the search, and of the fits if the estimator has none.
    verbose : int, default=0
        1 prints a line per trial.

    Returns
    -------
    TuningResult
        With the fitted estimator, all trials, and the gain over the default with its interval.

    Raises
    ------
    ImportError
        Without optuna.
    OSError
        If the storage cannot be written.
    ValueError
        If a parameter is invalid, there are too few rows, or the storage holds another study.

    Warns
    -----
    ConvergenceWarning
        If interrupted by Ctrl-C: the best parameters so far are used.

    References
    ----------
    [1] Snoek, Larochelle and Adams, Practical Bayesian optimization of machine learning algorithms, NeurIPS 2012,
    arXiv:1206.2944.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import Autoencoder
    >>> from isthmus.tuning import Range, tune
    >>> space = {"learning_rate": Range(1e-3, 1e-1, log=True)}
    >>> net = Autoencoder(8, max_epochs=2)
    >>> result = tune(net, load_digits().data, space=space, n_trials=3, random_state=0)  # doctest: +SKIP
    >>> result.score >= result.default_score  # doctest: +SKIP
    True
    """
    import_optuna()
    _check_budget(time, n_trials)
    (net, rows, labels), seed = _prepare_search(estimator, X, y), seed_of(random_state)
    net = with_parts(net if net.random_state is not None else clone(net).set_params(random_state=mix(seed, 7)))
    split = split_rows(rows, labels, seed, net.schema)
    problem = clone(net).prepare(split.X, split.y)
    net = _keep_linear_part(net, problem)
    chosen = choose_measure(measure, problem.state.model, split.X, mix(seed, 8))
    space = make_space(net, problem, chosen.name == "bound") if space is None else Space(space)
    space.check(net)
    chosen.check(space)
    if verbose:
        print(f"searching\n{space}", flush=True)
    identity = identify(net, space, chosen.name, _digest(split.X, net.schema))
    end = math.inf if time is None else monotonic() + time
    deadline = end if time is None else end - SHARE_OF_TIME * time
    starts = _list_starts(net, problem, space, chosen.name)
    with open_study(storage, identity, starts, seed) as study, note_interrupts() as pressed:
        objective = Objective(net, split, space, chosen.score_rows, deadline, pressed)
        trials = _run_until_stopped(study, objective, space, n_trials, deadline, verbose)
        importance = measure_importance(study)
        compared, scores = judge_again(
            trials,
            partial(_fit_again, net, chosen.score_rows, pressed),
            lambda own: split_rows(rows, labels, own, net.schema),
            mix(seed, 10),
            lambda: pressed.is_set() or monotonic() > end,
        )
    best = compared[int(scores.mean(1).argmax())]
    gain, interval = estimate_gain(scores, np.random.default_rng(mix(seed, 9)))
    model = _refit(estimator, clone(net).set_params(**best.params), X, y)
    return TuningResult(model, best, trials, chosen.description, gain, interval, importance)


def _run_until_stopped(study: Any, objective: Objective, space: Space, *limits: Any) -> list[Trial]:
    """Run trials, and return all of the study. Ctrl-C ends them, with an error unless the default has been judged."""
    try:
        run_study(study, objective, space, *limits)
    except KeyboardInterrupt:
        if not has_default(read_trials(study, space)):
            raise
        warn_of_interrupt()
    return read_trials(study, space)


def _nested_estimators(estimator: Any) -> list[Any]:
    """Return an estimator and those inside it, down to the autoencoder; None is the default net of a series."""
    nested = [estimator]
    while isinstance(nested[-1], AnomalyDetector | BaggedAutoencoders | OF_SERIES):
        nested.append(nested[-1].estimator)
    has_default_net = nested[-1] is None and isinstance(nested[-2], OF_SERIES)
    if not (isinstance(nested[-1], Autoencoder) or has_default_net):
        expected = "an Autoencoder, a detector or bag of one, or a SeriesImputer"
        raise InputTypeError(f"tune takes {expected}, got {estimator!r}")
    return nested


def _prepare_search(estimator: Any, X: Any, y: Any) -> tuple[Autoencoder, Any, Any]:
    """Return the autoencoder in an estimator, and rows and labels of its fits; those of a series are windows."""
    nested = _nested_estimators(estimator)
    for each in nested:
        if isinstance(each, OF_SERIES):
            return *each.prepare_search(X), None
    return nested[-1], *_normal_rows(estimator, X, y)


def _normal_rows(estimator: Any, X: Any, y: Any) -> tuple[Any, Any]:
    """Return rows and labels of fits; known anomalies are left out, as in the fit of a detector."""
    if not isinstance(estimator, AnomalyDetector) or y is None:
        return X, y
    return take_rows(X, np.flatnonzero(read_labels(y, X, required=False) != ANOMALY)), None


def _check_budget(time: Any, n_trials: Any) -> None:
    if time is not None and not (isinstance(time, int | float) and time > 0):
        raise ValueError(f"time must be None or a number of seconds > 0, got {time!r}")
    if n_trials is not None and not is_count(n_trials):
        raise ValueError(f"n_trials must be None or a positive integer, got {n_trials!r}")


def _digest(X: Any, schema: Any) -> str:
    """Identify rows by their number and the first of them."""
    source = as_source(X, schema)
    first = next(source.batches(256)).x.contiguous().numpy()
    return f"{len(source)} with digest {hashlib.sha256(first.tobytes()).hexdigest()[:12]}"


def _keep_linear_part(net: Any, problem: Problem) -> Any:
    """Give all trials the linear part that "auto" means for the default widths."""
    backbone = problem.state.model.backbone
    if not (isinstance(net.backbone, MLP) and isinstance(backbone, MLP)):
        return net
    return clone(net).set_params(backbone__linear=backbone.linear_part())


def _list_starts(net: Any, problem: Problem, space: Space, measure: str) -> list[dict[str, Any]]:
    """Return the first points of the search as numbers of trials.

    The default comes first, then the default with the weight that the divergence has in the measure, and then changes
    of the latter.
    """
    values = default_values(net, problem)
    weighted = {**values, BETA: 1.0} if measure == "bound" else values
    points = (values, weighted, *_change_one_value(weighted, space))
    return list({str(numbers): numbers for numbers in map(space.encode, points)}.values())


def _change_one_value(values: dict[str, Any], space: Space) -> Iterator[dict[str, Any]]:
    for name, factor in FIRST_FACTORS.items():
        if name in space:
            value = values[name]
            changed = tuple(factor * n for n in value) if isinstance(value, tuple) else factor * value
            if space[name].encode(changed, name):
                yield {**values, name: changed}


def _fit_again(net: Any, score_rows: RowScores, interrupted: Event, trial: Trial, split: Split, seed: int) -> Values:
    """Fit the parameters of a trial with another seed to the rows of another split, and score its judged rows."""
    fitted = name_fit(clone(net), f"trial-{trial.number}-{seed}").set_params(
        **trial.params, random_state=seed, verbose=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted.fit(split.X, split.y)
    # Training ends at Ctrl-C without an error.
    if interrupted.is_set():
        raise KeyboardInterrupt
    return score_rows(fitted, split.X_judged, split.y_judged)


def _refit(estimator: Any, net: Autoencoder, X: Any, y: Any) -> Any:
    """Return the estimator with this autoencoder, fitted to all rows."""
    name = "__".join(["estimator"] * (len(_nested_estimators(estimator)) - 1))
    model = clone(estimator).set_params(**{name: net}) if name else net
    return model.fit(X) if y is None else model.fit(X, y)
