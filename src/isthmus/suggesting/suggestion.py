"""``suggest``: an estimator for some data and a use, the reasons, and a leaderboard if a budget allows fits."""

import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from time import monotonic
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import Pipeline

from isthmus.anomaly import AnomalyDetector, ExemplarDistance
from isthmus.data import Source, as_source
from isthmus.data.streams.stream import Stream
from isthmus.formatting import pluralize
from isthmus.randomness import seed_of
from isthmus.schema.condition import check_labels
from isthmus.suggesting.contests import CONTESTS, Split
from isthmus.suggesting.leaderboard import Leaderboard, rank
from isthmus.suggesting.rules import Choice, choose_size, list_choices
from isthmus.suggesting.traits import Traits, read_data

Values = np.ndarray[Any, Any]

# One in N_FOLDS rows is held out. Smallest number of rows that are held out: a classifier of new rows needs 20.
N_FOLDS, MIN_HELD_OUT = 5, 20
# Largest number of rows of a stream that are loaded for a leaderboard.
N_LOADED = 100_000
# Rows that are searched for missing cells at once.
CHUNK = 2**12
# Uses for which rows may be time points of one series.
OF_SERIES = ("detect", "impute")
# How data of a kind can be passed to other models.
HINTS = {
    "texts": "It reads texts as tokens: fit it to isthmus.data.Texts(X).",
    "flat images": "X.reshape(n, 1, height, width) adds the axes of images, so that convolutions can be used.",
    "series": "If the rows are images, X[:, None] adds the axis of channels that makes them images.",
}
# Number of characters of a line of reasons.
WIDTH = 100


@dataclass(frozen=True, eq=False, repr=False)
class Suggestion:
    """An estimator for some data and a use; ``print`` shows the reasons.

    Parameters
    ----------
    use : str
        What the estimator is for.
    traits : Traits
        What the data are.
    choices : tuple of Choice
        Estimators that suit the data, the best first.
    reasons : list of str
        Sentences that explain the first choice.
    leaderboard : Leaderboard or None, default=None
        Figures on held-out rows, if there was time for fits.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import suggest
    >>> suggestion = suggest(np.random.default_rng(0).normal(size=(100, 6)), use="detect")
    >>> suggestion.estimator
    AnomalyDetector()
    """

    use: str
    traits: Traits
    choices: tuple[Choice, ...]
    reasons: list[str]
    leaderboard: Leaderboard | None = None

    @property
    def estimator(self) -> Any:
        """The suggested estimator, not fitted."""
        return self.choices[0].estimator

    @property
    def alternatives(self) -> list[Any]:
        """Other estimators that suit the data, not fitted, the better ones first."""
        return [choice.estimator for choice in self.choices[1:]]

    def __repr__(self) -> str:
        lines = [
            f"Suggestion for use={self.use!r}: {self.choices[0].name}",
            textwrap.indent(repr(self.estimator), "  "),
        ]
        lines += [textwrap.fill(reason, WIDTH, initial_indent="- ", subsequent_indent="  ") for reason in self.reasons]
        lines += [f"alternative: {choice.name}, because {choice.reason}" for choice in self.choices[1:]]
        return "\n".join([*lines, *([] if self.leaderboard is None else [str(self.leaderboard)])])


def suggest(
    X: Any,
    y: Any = None,
    use: str = "reduce",
    *,
    time: str | Sequence[str] | None = None,
    budget: float | None = None,
    random_state: Any = None,
) -> Suggestion:
    """Suggest an estimator for some data and a use.

    Without a budget, nothing is fitted: the rules in ``isthmus.suggesting.rules`` choose an estimator by the kind of
    data and the use. With a budget, all suitable estimators and a few simple methods are fitted to four fifths of the
    rows. They are compared by a figure on the other fifth, which takes no part in fits or early stopping.

    ===========  ===================================================  =====================================
    use          purpose                                              figure on held-out rows
    ===========  ===================================================  =====================================
    "reduce"     short codes from which rows can be reconstructed     error relative to that of the mean
    "features"   codes as input of another model                      accuracy or R2 of a linear model that
                                                                      predicts ``y`` from codes; without
                                                                      ``y``, the same as for "reduce"
    "detect"     detection of anomalies                               area under the ROC curve; needs ``y``
    "impute"     imputation of missing cells                          error of cells that are hidden at
                                                                      random, relative to that of the mean
    "generate"   generation of new rows                               area under the ROC curve of a
                                                                      classifier that separates generated
                                                                      from real rows
    "topics"     topics of texts or counts                            coherence times diversity
    ===========  ===================================================  =====================================

    Parameters
    ----------
    X : array, sparse rows, data frame, list of texts or Source of shape (n_samples, ...)
        Rows of any kind that ``isthmus.data.as_source`` reads, or texts.
    y : array of shape (n_samples,) or None, default=None
        Labels: classes or numbers that are predicted from codes ("features"), labels of new rows ("generate"), or 1
        for normal rows and -1 for anomalies ("detect"; detectors are fitted to normal rows). Other uses ignore them.
    use : {"reduce", "features", "detect", "impute", "generate", "topics"}, default="reduce"
    time : str, sequence of str or None, default=None
        Columns with the times of the rows, which are then time points of one series. If this is None, "detect" and
        "impute" take a data frame of numbers for a series if it has one column of dates at equal steps in ascending
        order.
    budget : float or None, default=None
        Seconds for a leaderboard. It may take longer: each estimator that is started is fitted for at least one epoch.
    random_state : int, RandomState or None, default=None
        Source of all random numbers of the fits.

    Returns
    -------
    Suggestion
        With ``estimator``, ``reasons``, ``alternatives`` and ``leaderboard``.

    Raises
    ------
    ValueError
        If the use is unknown or does not suit the kind of data, there are no rows, a value is infinite or a column
        empty, labels are missing or do not match the rows, or the budget is not positive or no figure can be computed.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from isthmus import suggest
    >>> X, y = load_digits(return_X_y=True)
    >>> suggestion = suggest(X, use="reduce")
    >>> suggestion.estimator
    Autoencoder(backbone=MLP(), bottleneck=Deterministic(), n_components=16)
    >>> suggestion.reasons[0]
    'X has 1,797 images of 64 pixels, one per row.'
    """
    if budget is not None and not (isinstance(budget, Real) and float(budget) > 0):
        raise ValueError(f"budget must be a number of seconds > 0 or None, got {budget!r}")
    started = monotonic()
    data, traits = read_data(X, time, may_be_series=use in OF_SERIES)
    labels = _check_labels(y, traits, use)
    choices = list_choices(use, traits, labels is not None)
    suggestion = Suggestion(use, traits, tuple(choices), _explain(choices[0], traits, use))
    end = started + (budget or 0.0)
    return suggestion if budget is None else _compare(suggestion, data, labels, end, seed_of(random_state))


def _check_labels(y: Any, traits: Traits, use: str) -> Values | None:
    if y is None:
        return None
    labels = check_labels(y)
    if len(labels) != traits.n_rows:
        raise ValueError(
            f"y must have a label for each of the {pluralize(traits.n_rows, 'row')} of X, got {len(labels):,}"
        )
    if use == "detect" and set(labels.tolist()) != {-1, 1}:
        found = ", ".join(map(repr, sorted(set(labels.tolist()), key=str)[:5]))
        raise ValueError(f"for use='detect', y must hold 1 (normal) and -1 (anomaly), both of them; it holds {found}")
    return labels


def _explain(choice: Choice, traits: Traits, use: str) -> list[str]:
    """Return the sentences that explain a choice made by the rules."""
    is_variant, n_components = bool(choice.variant), choice.options.get("n_components", 0)
    code_is_free = n_components > 0 and use not in ("topics", "generate", "impute")
    reasons = {
        f"X has {traits}.": True,
        f"{choice.name}: {choice.reason}.": True,
        "Each column gets a likelihood for its kind, so you need not encode or scale columns.": (
            traits.n_categorical > 0 and is_variant
        ),
        "You need not fill missing cells: it learns from the other cells.": traits.missing > 0 and use != "impute",
        f"Codes have {pluralize(n_components, 'number')} at first; isthmus.latent.suggest_n_components(X) estimates "
        "how many X needs.": code_is_free,
        HINTS.get(traits.kind, ""): traits.kind in HINTS and not isinstance(choice.estimator, Pipeline),
    }
    return [reason for reason, applies in reasons.items() if applies]


# Leaderboard


def _compare(suggestion: Suggestion, data: Any, labels: Values | None, end: float, seed: int) -> Suggestion:
    """Fit the choices, and return the suggestion with a leaderboard and the best choice first."""
    use, choices = suggestion.use, suggestion.choices
    _check_comparable(use, suggestion.traits.kind, labels)
    split = _split(data, labels, use, choose_size(use, suggestion.traits), seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit that ends with its time has not converged
        contenders = [replace(choice, estimator=_get_judged(choice.estimator)) for choice in choices]
        board = rank(contenders, CONTESTS[use](split), split, end, seed)
    order = [entry.name for entry in board.entries if entry.choice] + list(board.skipped)
    best = tuple(sorted(choices, key=lambda choice: order.index(choice.name)))
    reasons = [suggestion.reasons[0], f"{best[0].name}: {best[0].reason}.", _summarize(board)]
    return replace(suggestion, choices=best, reasons=reasons, leaderboard=board)


def _check_comparable(use: str, kind: str, labels: Values | None) -> None:
    """Raise ``ValueError`` if no figure compares estimators."""
    if use == "detect" and labels is None:
        raise ValueError("a budget with use='detect' needs labels: y of 1 (normal) and -1 (anomaly)")
    if kind == "time points" or (kind, use) in (("series", "impute"), ("texts", "generate"), ("texts", "detect")):
        raise ValueError(f"no figure compares estimators for use={use!r} of {kind}; leave the budget out")


def _summarize(board: Leaderboard) -> str:
    """Compare the best estimator with the best simple method."""
    best, simple = (next(entry for entry in board.entries if bool(entry.choice) is fitted) for fitted in (True, False))
    figures = f"{best.figure:.3g} and {simple.figure:.3g}"
    if board.entries.index(best) < board.entries.index(simple):
        return f"{best.name} is better on held-out rows than the best simple method, {simple.name}: {figures}."
    return f"{best.name} is not better on held-out rows than the best simple method, {simple.name}: {figures}."


def _get_judged(estimator: Any) -> Any:
    """Return what a figure depends on: the step of a pipeline that reads counts, or the estimator of scores."""
    if isinstance(estimator, AnomalyDetector):
        return ExemplarDistance() if estimator.estimator is None else estimator.estimator
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


def _split(data: Any, labels: Values | None, use: str, size: int, seed: int) -> Split:
    """Hold out rows."""
    if isinstance(data, Stream) and labels is not None:
        raise ValueError("a budget with y needs rows in memory: load the rows of the stream, or leave the budget out")
    source = _in_memory(data, seed)
    train, test = _choose_rows(source, labels if use == "detect" else None, seed)
    y, y_test = (None, None) if labels is None else (labels[train], labels[test])
    parts = _count_words(data, train, test) if isinstance(data, list) else (source.take(train), source.take(test))
    return Split(*parts, y, y_test, size, seed)


def _choose_rows(source: Source, anomalies: Values | None, seed: int) -> tuple[Values, Values]:
    """Return the positions of rows to fit and of held-out rows; a source of windows decides which share no values.

    Rows that are labelled -1 in ``anomalies`` are held out.
    """
    train, test = next(iter(source.folds(N_FOLDS, seed)))
    incomplete = np.concatenate([batch.x.flatten(1).isnan().any(1).numpy() for batch in source.batches(CHUNK)])
    if not incomplete[train].any():  # a model accepts missing cells only if rows of fit have some
        test = test[~incomplete[test]]
    if anomalies is not None:
        train, test = train[anomalies[train] == 1], np.union1d(test, np.flatnonzero(anomalies == -1))
    if min(len(test), len(train)) < MIN_HELD_OUT:
        raise ValueError(
            f"n_samples={len(source)}: a leaderboard needs {MIN_HELD_OUT} rows to fit and as many held-out rows, "
            f"but has {len(train)} and {len(test)}; leave the budget out"
        )
    return train, test


def _count_words(texts: list[str], train: Values, test: Values) -> tuple[Source, Source]:
    words = CountVectorizer()
    known = as_source(words.fit_transform([texts[i] for i in train]))
    return known, as_source(words.transform([texts[i] for i in test]))


def _in_memory(data: Any, seed: int) -> Source:
    """Return rows with random access: a random part of a stream, and the positions of texts."""
    if isinstance(data, list):
        return as_source(np.zeros((len(data), 1)))
    if isinstance(data, Stream):
        return (data.split(N_LOADED, seed)[1] if len(data) > N_LOADED else data).load()
    return data
