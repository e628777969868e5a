"""The leaderboard: estimators and simple methods, fitted within a time and judged on rows that no fit has seen."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sklearn.base import clone

from isthmus.autoencoder import Autoencoder
from isthmus.formatting import pluralize
from isthmus.metrics.text_table import format_table
from isthmus.suggesting.contests import Contest, Split
from isthmus.suggesting.rules import Choice


class Entry(NamedTuple):
    """A row of a leaderboard.

    Parameters
    ----------
    name : str
        Name of the estimator or simple method.
    figure : float
        The figure on held-out rows.
    seconds : float, default=0.0
        Time of the fit; 0 for simple methods, which take no time worth telling.
    choice : Choice or None, default=None
        The estimator; None for a simple method.

    Examples
    --------
    >>> from isthmus.suggesting import Entry
    >>> Entry("PCA", 0.42).choice is None
    True
    """

    name: str
    figure: float
    seconds: float = 0.0
    choice: Choice | None = None


@dataclass(frozen=True)
class Leaderboard:
    """Estimators and simple methods in the order of a figure on held-out rows, the best first.

    Parameters
    ----------
    measure : str
        What the figure is.
    n_rows : int
        Number of held-out rows.
    entries : tuple of Entry
        The rows, the best first.
    skipped : tuple of str, default=()
        Names of estimators for which no time was left.

    Examples
    --------
    >>> from isthmus.suggesting import Entry, Leaderboard
    >>> print(Leaderboard("relative error", 50, (Entry("PCA", 0.42), Entry("mean", 1.0))))
    relative error; 50 held-out rows
    PCA   0.42  simple method
    mean     1  simple method
    """

    measure: str
    n_rows: int
    entries: tuple[Entry, ...]
    skipped: tuple[str, ...] = ()

    def __str__(self) -> str:
        rows = [
            (entry.name, f"{entry.figure:.4g}", f"{entry.seconds:.1f} s" if entry.choice else "simple method")
            for entry in self.entries
        ]
        skipped = f"\nno time was left for {', '.join(self.skipped)}" if self.skipped else ""
        return f"{self.measure}; {pluralize(self.n_rows, 'held-out row')}\n{format_table(rows)}{skipped}"


def rank(choices: Sequence[Choice], contest: Contest, split: Split, end: float, seed: int) -> Leaderboard:
    """Fit estimators until a time of the monotonic clock, and order them and simple methods by the figure of a contest.

    Each estimator gets an equal share of the time that is left. The first one is always fitted, for an epoch at least.
    """
    entries, skipped = [Entry(name, figure) for name, figure in contest.baselines.items()], []
    for i, choice in enumerate(choices):
        started = time.monotonic()
        if i and started >= end:
            skipped.append(choice.name)
            continue
        fitted = _fit_within(choice.estimator, split, (end - started) / (len(choices) - i), seed)
        figure = contest.judge(fitted)
        entries.append(Entry(choice.name, figure, time.monotonic() - started, choice))
    ordered = sorted(entries, key=lambda entry: entry.figure, reverse=contest.higher_is_better)
    return Leaderboard(contest.measure, len(split.test), tuple(ordered), tuple(skipped))


def _fit_within(estimator: Any, split: Split, seconds: float, seed: int) -> Any:
    """Fit a clone for at most some seconds, with fewer epochs if there is no time for all.

    A fit that is merely stopped would end with a high learning rate: a first epoch tells how many the time allows.
    """
    end, estimator = time.monotonic() + seconds, clone(estimator).set_params(random_state=seed)
    y = split.y if getattr(estimator, "conditional", False) else None
    if isinstance(estimator, Autoencoder):
        trial, started = estimator.prepare(split.train, y), time.monotonic()
        estimator.train(trial._replace(settings=replace(trial.settings, max_epochs=1)))
        affordable = (end - time.monotonic()) / (time.monotonic() - started)
        estimator.set_params(
            max_epochs=int(max(1, min(trial.settings.max_epochs, affordable))),
            callbacks=(lambda state: time.monotonic() > end,),
        )
    return estimator.fit(split.train, y)
