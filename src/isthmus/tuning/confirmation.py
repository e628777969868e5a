"""Second judgement of the best trials of a search, on other splits of the rows."""

from collections.abc import Callable, Sequence

import numpy as np

from isthmus.randomness import mix
from isthmus.tuning.result import Trial, Values
from isthmus.tuning.rows import Split
from isthmus.tuning.study import warn_of_interrupt

# Part of the time of a search for the second judgement, number of other splits, and largest number of trials that are
# judged again beside the default. Not tuned.
SHARE_OF_TIME, N_SPLITS, MAX_FINALISTS = 0.3, 2, 3
# Completed trials for each that is judged again: the best of few trials is hardly better by chance.
TRIALS_PER_FINALIST = 5


def choose_finalists(trials: Sequence[Trial]) -> list[Trial]:
    """Return the default, then the best of the other trials; only the default if there are few."""
    complete = [trial for trial in trials[1:] if trial.state == "complete"]
    best = sorted(complete, key=lambda trial: trial.score, reverse=True)
    return [trials[0], *best[: min(MAX_FINALISTS, len(complete) // TRIALS_PER_FINALIST)]]


def judge_again(
    trials: Sequence[Trial],
    fit_and_score: Callable[[Trial, Split, int], Values],
    split: Callable[[int], Split],
    seed: int,
    is_over: Callable[[], bool],
) -> tuple[Sequence[Trial], Values]:
    """Fit the best trials again on other splits and with other seeds; return them, and scores of the same rows.

    A trial that won by chance on the rows of the search, or with its seed, does not win again.

    Parameters
    ----------
    trials : sequence of Trial
        All trials, the default first.
    fit_and_score : callable
        Maps a trial, a split and the seed of the fit to the scores of the judged rows.
    split : callable
        Maps a seed to a split of the rows.
    seed : int
    is_over : callable
        Returns whether no more fits may start. Splits on which not all trials were fitted do not count.

    Warns
    -----
    ConvergenceWarning
        If a fit is interrupted by Ctrl-C. Its split does not count.

    Returns
    -------
    sequence of Trial
        The default and the best of the others; all that are complete if there are few, or no time.
    ndarray of shape (n_trials, n_scores)
        Scores on the other splits, or else those of the search.
    """
    finalists, rounds = choose_finalists(trials), list[Values]()
    try:
        for own in (mix(seed, i) for i in range(N_SPLITS) if len(finalists) > 1):
            judged = split(own)
            scores = [fit_and_score(trial, judged, own) for trial in finalists if not is_over()]
            if len(scores) == len(finalists):
                rounds.append(np.stack(scores))
    except KeyboardInterrupt:
        warn_of_interrupt()
    if rounds:
        return finalists, np.concatenate(rounds, axis=1)
    complete = [trial for trial in trials if trial.state == "complete"]
    return complete, np.stack([trial.scores for trial in complete])
