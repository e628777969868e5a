"""Studies of Optuna: in which order parameters are tried, what trials tell, and when a search stops."""

import math
import re
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike, getpid
from time import monotonic, sleep
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from isthmus.randomness import mix
from isthmus.tuning.result import Trial
from isthmus.tuning.space import Space
from isthmus.tuning.storage import import_optuna, open_storage, quiet_optuna

# A search without a number of trials and without a time ends when this many trials gain less than one standard error.
N_WITHOUT_GAIN = 20
# Number of stages of a training, and the first stage after which trials are compared: before the end of the third, the
# learning rate of the one-cycle schedule still rises.
N_STAGES, FIRST_STAGE = 10, 3
# First trials that are never stopped early by the median of others, and judged trials before the Gaussian process.
N_UNPRUNED = N_BEFORE_MODEL = 5
NAME = "isthmus"
# Seconds between two checks of the default that another process fits.
POLL = 0.5


@contextmanager
def open_study(
    storage: str | PathLike[str] | None, identity: Mapping[str, str], starts: Sequence[dict[str, Any]], seed: int
) -> Iterator[Any]:
    """Create a study with the first points of a search, or open the one in a file, and close the file after the block.

    Parameters
    ----------
    storage : path or None
        SQLite file; None keeps trials in memory.
    identity : mapping of str to str
        What the study searches. A file with another identity is an error.
    starts : sequence of dict
        Numbers of the first trials; the first one is the default.
    seed : int

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If the file holds a study of something else, or is no SQLite file.
    """
    optuna = import_optuna()
    with open_storage(storage) as opened:
        with quiet_optuna():
            # Hyperband would show the sampler only the trials of one bracket: half of the few that there are.
            pruner = optuna.pruners.MedianPruner(n_startup_trials=N_UNPRUNED, n_warmup_steps=FIRST_STAGE - 1)
            study = optuna.create_study(
                storage=opened.trials, study_name=NAME, direction="maximize", load_if_exists=True, pruner=pruner
            )
        _check_identity(study, identity, storage)
        if opened.is_first:
            _fail_killed_trials(study)
        # A continued study must not repeat the random numbers of its first trials, nor those of another process.
        own = () if opened.is_first else (getpid(),)
        study.sampler = optuna.samplers.GPSampler(
            seed=mix(seed, 6, len(study.trials), *own) % 2**32,
            n_startup_trials=N_BEFORE_MODEL,
            warn_independent_sampling=False,
        )
        _enqueue_starts(study, starts)
        opened.admit_others()
        yield study


def _check_identity(study: Any, identity: Mapping[str, str], storage: Any) -> None:
    stored = study.user_attrs.get("identity")
    if stored is None:
        study.set_user_attr("identity", dict(identity))
        return
    for name in sorted({*stored, *identity}):
        here, there = identity.get(name, "missing"), stored.get(name, "missing")
        if here != there:
            raise ValueError(
                f"storage {str(storage)!r} holds a study of something else: {name} is {there} there and {here} here; "
                "delete the file or choose another one"
            )


def identify(estimator: Any, space: Space, measure: str, rows: str) -> dict[str, str]:
    """Return the parameters of an estimator and the other inputs of a search, as texts by name.

    Parameters without an influence on results are left out, and addresses of objects removed.
    """
    leave_out = ("callbacks", "device", "verbose")
    params = {name: value for name, value in estimator.get_params().items() if name not in leave_out}
    texts = {name: re.sub(r" at 0x[0-9a-f]+", "", repr(value)) for name, value in params.items()}
    return {"estimator": type(estimator).__name__, **texts, "space": str(space), "measure": measure, "rows": rows}


# Trials


def is_default(trial: Any) -> bool:
    """Whether a trial of Optuna is that of the default parameters, the first start."""
    return trial.user_attrs.get("start") == 0


def read_trials(study: Any, space: Space) -> list[Trial]:
    """Return the finished trials, the default first."""
    optuna = import_optuna()
    ended = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    found = [_read_trial(optuna, trial, space) for trial in study.get_trials(deepcopy=False, states=ended)]
    return sorted(found, key=lambda trial: bool(trial.params))


def _read_trial(optuna: Any, trial: Any, space: Space) -> Trial:
    attrs = trial.user_attrs
    params = {} if is_default(trial) else space.ask(optuna.trial.FixedTrial(trial.params))
    error = attrs.get("error", "")
    state = "failed" if error else "pruned" if attrs.get("is_worse") else trial.state.name.lower()
    seconds = (trial.datetime_complete - trial.datetime_start).total_seconds()
    scores = np.array(attrs.get("scores", []) if state == "complete" else [])
    return Trial(trial.number, params, state, seconds, scores, error)


def _fail_killed_trials(study: Any) -> None:
    """Give trials that were running in a process that was killed the state of failed ones."""
    states = import_optuna().trial.TrialState
    for trial in study.get_trials(deepcopy=False, states=(states.RUNNING,)):
        study.tell(trial.number, state=states.FAIL)


def _enqueue_starts(study: Any, starts: Sequence[dict[str, Any]]) -> None:
    """Put the first points of the search into the queue, except those that have been tried: 0 is the default."""
    failed = import_optuna().trial.TrialState.FAIL
    tried = {trial.user_attrs.get("start") for trial in study.get_trials(deepcopy=False) if trial.state != failed}
    for i, numbers in enumerate(starts):
        if i not in tried:
            study.enqueue_trial(numbers, user_attrs={"start": i})


def run_study(
    study: Any, objective: Callable[[Any], float], space: Space, n_trials: int | None, deadline: float, verbose: int
) -> None:
    """Run trials until there are ``n_trials`` or the time is over, or without both, gain nothing; print each.

    The default is always tried. ``n_trials`` counts the trials of earlier runs and of other processes in the same
    storage, but no killed ones.
    """

    def print_trial(study: Any, trial: Any) -> None:
        if verbose:
            print(_read_trial(import_optuna(), trial, space), flush=True)

    def is_over(trials: Sequence[Trial]) -> bool:
        if n_trials is None and deadline == math.inf:
            return has_stalled([trial.scores for trial in trials])
        return (n_trials is not None and len(trials) >= n_trials) or monotonic() > deadline

    with quiet_optuna():
        while not (is_over(trials := read_trials(study, space)) and has_default(trials)):
            if is_over(trials) and _is_default_running(study):
                sleep(POLL)
            else:
                study.optimize(objective, n_trials=1, callbacks=[print_trial])


def _is_default_running(study: Any) -> bool:
    """Whether another process fits the default."""
    optuna = import_optuna()
    optuna.storages.fail_stale_trials(study)
    running = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,))
    return any(map(is_default, running))


def has_default(trials: Sequence[Trial]) -> bool:
    """Whether the default has been judged."""
    return any(trial.state == "complete" and not trial.params for trial in trials)


def has_stalled(scores: Sequence[np.ndarray[Any, Any]]) -> bool:
    """Whether the last trials improved the best score by less than one standard error of the difference.

    ``scores`` are those of each trial, by row; empty for trials that were not judged.
    """
    before = [each for each in scores[:-N_WITHOUT_GAIN] if len(each)]
    if not before:
        return False
    best_before, best = (max(group, key=np.mean) for group in (before, [each for each in scores if len(each)]))
    gain = best - best_before
    return bool(gain.mean() <= gain.std(ddof=1) / np.sqrt(len(gain)))


@contextmanager
def note_interrupts() -> Iterator[threading.Event]:
    """Set an event at Ctrl-C, in addition to what Python does.

    Training answers Ctrl-C by keeping the best weights, so that a search would continue with the next trial.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    previous = signal.getsignal(signal.SIGINT)

    def note(number: int, frame: Any) -> None:
        pressed.set()
        if callable(previous):
            previous(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, previous)


def warn_of_interrupt() -> None:
    """Warn that Ctrl-C ended a search, and that its result is that of the trials before."""
    warnings.warn("interrupted; the best parameters so far are used", ConvergenceWarning, stacklevel=4)


def measure_importance(study: Any) -> dict[str, float]:
    """Return the share of the differences between trials that each number explains; empty for too few trials."""
    optuna = import_optuna()
    with quiet_optuna(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = optuna.importance.get_param_importances(study)
        except (RuntimeError, ValueError):
            return {}
    return {name: float(share) for name, share in found.items()}
