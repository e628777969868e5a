"""The result of a search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isthmus.formatting import format_estimate, format_number

Values = np.ndarray[Any, Any]

# Number of bootstrap resamples of the judged rows, and quantiles of a 95 % interval.
N_RESAMPLES, QUANTILES = 400, (0.025, 0.975)


@dataclass(frozen=True, eq=False)
class Trial:
    """One fit of a search.

    Parameters
    ----------
    number : int
        Position in the search, from 0.
    params : dict
        Values of parameters; empty for the default, which is trial 0.
    state : {"complete", "pruned", "failed"}
        Whether the fit was judged, stopped early because it was worse than others, or ended with an error.
    seconds : float
        Time of the fit.
    scores : ndarray of shape (n_judged,)
        Score of each judged row, higher is better; empty unless the trial is complete.
    error : str, default=""
        Message of the error of a failed trial.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.tuning import Trial
    >>> print(Trial(3, {"learning_rate": 0.01}, "complete", 2.5, scores=np.array([0.7, 0.9])))
    trial 3: 0.8 ± 0.1
    """

    number: int
    params: Mapping[str, Any]
    state: str
    seconds: float
    scores: Values
    error: str = ""

    def __str__(self) -> str:
        outcome = (
            f"{format_number(self.score)} ± {format_number(self.standard_error)}" if len(self.scores) else self.state
        )
        return f"trial {self.number}: {outcome}{f' ({self.error})' if self.error else ''}"

    @property
    def score(self) -> float:
        """Mean score of the judged rows; minus infinity unless the trial is complete."""
        return float(self.scores.mean()) if len(self.scores) else -np.inf

    @property
    def standard_error(self) -> float:
        """Standard error of the score."""
        return float(self.scores.std(ddof=1) / np.sqrt(len(self.scores))) if len(self.scores) else np.nan


@dataclass(frozen=True, eq=False)
class TuningResult:
    """The result of ``tune``.

    Parameters
    ----------
    estimator : estimator
        Of the kind that ``tune`` got, with the best parameters, fitted to all rows.
    best : Trial
        The trial with the chosen parameters.
    trials : list of Trial
        All trials; the first one is the default.
    measure : str
        What scores are, and their unit; higher is better.
    gain : float
        Expected score of the chosen parameters minus that of the default, on new rows. It is measured on the other
        splits of the rows if there were any, else on those of the search.
    interval : tuple of float
        95 % interval of the gain. If it contains 0, the search has not shown that the parameters are better.
    importance : dict of str to float
        Share of the differences between trials that a parameter explains (PED-ANOVA); empty for few trials.

    Notes
    -----
    The best of many trials is the best partly by chance. ``gain`` and ``interval`` account for this: parameters are
    chosen on bootstrap resamples of the judged rows, and judged on the rows that are not in the resample (Tsamardinos,
    Greasidou and Borboudakis, Bootstrapping the out-of-sample predictions for efficient and accurate cross-validation,
    Machine learning 107, 2018).

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.tuning import Trial, TuningResult
    >>> trials = [Trial(i, {}, "complete", 1.0, np.array([i, i + 0.5])) for i in range(2)]
    >>> result = TuningResult(None, trials[1], trials, "bound in nats", 0.9, (0.2, 1.4), {})
    >>> result.default_score, result.score
    (0.25, 1.25)
    """

    estimator: Any
    best: Trial
    trials: Sequence[Trial]
    measure: str
    gain: float
    interval: tuple[float, float]
    importance: Mapping[str, float]

    @property
    def params(self) -> Mapping[str, Any]:
        """The chosen parameters; empty if they are the default ones."""
        return self.best.params

    @property
    def score(self) -> float:
        """Mean score of the chosen trial. As one of the best of many, it is higher than on new rows."""
        return self.best.score

    @property
    def default_score(self) -> float:
        """Mean score of the default parameters."""
        return self.trials[0].score

    def to_rows(self) -> list[dict[str, Any]]:
        """Return one dict per trial, for a data frame.

        Returns
        -------
        list of dict
            Number, state, score, time and parameters of each trial.
        """
        names = list(dict.fromkeys(name for trial in self.trials for name in trial.params))
        return [
            {
                "trial": trial.number,
                "state": trial.state,
                "score": trial.score if len(trial.scores) else None,
                "standard_error": trial.standard_error if len(trial.scores) else None,
                "seconds": trial.seconds,
                **{name: trial.params.get(name) for name in names},
            }
            for trial in self.trials
        ]

    def __str__(self) -> str:
        counts = [f"{sum(trial.state == state for trial in self.trials)} {state}" for state in STATES]
        best = [f"  {name} = {_format(value)}" for name, value in self.params.items()] or ["  the default parameters"]
        lines = [
            f"{len(self.trials)} trials: {', '.join(count for count in counts if count[0] != '0')}",
            f"measure: {self.measure}; higher is better",
            f"default {format_number(self.default_score)}, best {format_number(self.score)}",
            f"gain on new rows: {format_estimate(self.gain, *self.interval)}, 95 % interval",
            *([] if self.interval[0] > 0 else ["the interval contains 0: the search shows no gain over the default"]),
            "best parameters:",
        ]
        return "\n".join([*lines, *best])


STATES = ("complete", "pruned", "failed")


def _format(value: Any) -> str:
    return format_number(value) if isinstance(value, float) else repr(value)


def estimate_gain(scores: Values, rng: np.random.Generator) -> tuple[float, tuple[float, float]]:
    """Return the expected gain of the best over the first trial on new rows, and its 95 % interval.

    Parameters
    ----------
    scores : ndarray of shape (n_trials, n_rows)
        Scores of the same rows in each trial.
    rng : Generator
    """
    n_rows = scores.shape[1]
    counts = rng.multinomial(n_rows, np.full(n_rows, 1 / n_rows), N_RESAMPLES)
    chosen = (counts @ scores.T).argmax(1)
    left_out = counts == 0
    gains = np.sum(left_out * (scores - scores[0])[chosen], axis=1) / left_out.sum(1)
    low, high = np.quantile(gains, QUANTILES)
    return float(gains.mean()), (float(low), float(high))
