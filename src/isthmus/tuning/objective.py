"""One trial of a search: a fit with the parameters of the trial, and its scores of the judged rows."""

import math
import warnings
from dataclasses import dataclass
from functools import partial
from threading import Event
from time import monotonic
from typing import Any

from sklearn.base import clone

from isthmus.errors import is_out_of_memory
from isthmus.inference import run
from isthmus.model import scoring
from isthmus.problem import Problem
from isthmus.randomness import seeded
from isthmus.training import TrainState, name_fit
from isthmus.tuning.measures import RowScores, Values
from isthmus.tuning.rows import Split
from isthmus.tuning.space import Space
from isthmus.tuning.storage import import_optuna
from isthmus.tuning.study import N_STAGES, is_default


class Pruning:
    """A callback of a fit that stops it if it is worse than other trials at the same stage, or time is over.

    After the fit, ``is_worse`` and ``is_late`` say why it was stopped.

    Stages are parts of the training and not epochs, because the schedule of the learning rate depends on the part.

    Parameters
    ----------
    trial : Trial of Optuna
    deadline : float
        Time at which fits are stopped, in seconds of ``monotonic``.
    """

    problem: Problem

    def __init__(self, trial: Any, deadline: float) -> None:
        self.trial, self.deadline = trial, deadline
        self.stage, self.is_worse, self.is_late = 0, False, False

    def __call__(self, state: TrainState) -> bool:
        """Return whether the fit is to be stopped. The default, trial 0, never is."""
        if is_default(self.trial):
            return False
        stage = state.epoch * N_STAGES // self.problem.settings.max_epochs
        if stage > self.stage and self.problem.valid is not None:
            self.stage = stage
            self.trial.report(_validation_score(state, self.problem.valid), stage)
            self.is_worse = stage < N_STAGES and bool(self.trial.should_prune())
        self.is_late = monotonic() > self.deadline
        return self.is_worse or self.is_late


def _validation_score(state: TrainState, valid: Any) -> float:
    """Return the score of the rows for early stopping, without the weight of the divergence, which trials change."""
    model: Any = state.model
    if not model.bottleneck.stochastic:
        return -state.row["valid_negative_bound"]
    with seeded(0, model.device):
        return float(run(model, partial(scoring.evidence_bound, model), valid)[0].mean())


@dataclass(frozen=True)
class Objective:
    """Fits the estimator with the parameters of a trial, and returns the mean score of the judged rows.

    Parameters
    ----------
    estimator : Autoencoder
    split : Split
    space : Space
    score_rows : callable
        The measure.
    deadline : float
        Time at which fits are stopped, in seconds of ``monotonic``.
    interrupted : Event
        Set by Ctrl-C.
    """

    estimator: Any
    split: Split
    space: Space
    score_rows: RowScores
    deadline: float
    interrupted: Event

    def __call__(self, trial: Any) -> float:
        """Return the score of a trial, also of one that was stopped as worse, so that the search learns from it.

        That of a fit that ended with an error is minus infinity; the trial stores the message.

        Raises
        ------
        TrialPruned
            If the time was over before the end of the fit.
        """
        asked = self.space.ask(trial)
        try:
            scores = self._fit_and_score(trial, {} if is_default(trial) else asked)
        except Exception as error:
            if is_default(trial) or not (isinstance(error, ValueError) or is_out_of_memory(error)):
                raise
            trial.set_user_attr("error", str(error))
            return -math.inf
        trial.set_user_attr("scores", scores.tolist())
        return float(scores.mean())

    def _fit_and_score(self, trial: Any, params: dict[str, Any]) -> Values:
        net, pruning = name_fit(clone(self.estimator), f"trial-{trial.number}"), Pruning(trial, self.deadline)
        net.set_params(**params, callbacks=(*net.callbacks, pruning), verbose=0)
        # The estimator itself has given the warnings about the rows, and that a fit diverges is what its score says.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            problem = pruning.problem = net.prepare(self.split.X, self.split.y)
            net.train(problem)
        if self.interrupted.is_set():
            raise KeyboardInterrupt
        if pruning.is_late:
            raise import_optuna().TrialPruned
        trial.set_user_attr("is_worse", pruning.is_worse)
        return self.score_rows(net.adopt(problem), self.split.X_judged, self.split.y_judged)
