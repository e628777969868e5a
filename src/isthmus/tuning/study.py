"""Studies of Optuna: where trials are stored, in which order parameters are tried, and when a search stops."""

import math
import re
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import W_OK as WRITABLE
from os import PathLike, access
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from isthmus.randomness import mix
from isthmus.tuning.result import Trial
from isthmus.tuning.space import Space

# Seconds between two signs of life of a trial, and seconds without one after which a trial counts as killed.
HEARTBEAT, GRACE = 10, 30
# A search without a number of trials and without a time ends when this many trials gain less than one standard error.
N_WITHOUT_GAIN = 20
# Number of stages of a training, and the first stage after which trials are compared: before the end of the third, the
# learning rate of the one-cycle schedule still rises.
N_STAGES, FIRST_STAGE = 10, 3
# First trials that are never stopped early by the median of others, and judged trials before the Gaussian process.
N_UNPRUNED = N_BEFORE_MODEL = 5
NAME = "isthmus"


def import_optuna() -> Any:
    """Import Optuna.

    Raises
    ------
    ImportError
        If it is not installed; the message names the extra.
    """
    try:
        import optuna
    except ImportError as error:
        raise ImportError('tuning needs optuna: pip install "isthmus[tuning]"') from error
    return optuna


@contextmanager
def open_study(storage: str | PathLike[str] | None, identity: Mapping[str, str], seed: int) -> Iterator[Any]:
    """Create a study, or open the one in a file, and close the file after the block.

    Parameters
    ----------
    storage : path or None
        SQLite file; None keeps trials in memory.
    identity : mapping of str to str
        What the study searches. A file with another identity is an error.
    seed : int

    Raises
    ------
    OSError
        If the file cannot be written.
    ValueError
        If the file holds a study of something else, or is no SQLite file.
    """
    optuna = import_optuna()
    with _open_storage(optuna, storage) as opened:
        with _quiet():
            # Hyperband would show the sampler only the trials of one bracket: half of the few that there are.
            pruner = optuna.pruners.MedianPruner(n_startup_trials=N_UNPRUNED, n_warmup_steps=FIRST_STAGE - 1)
            study = optuna.create_study(
                storage=opened, study_name=NAME, direction="maximize", load_if_exists=True, pruner=pruner
            )
        _check_identity(study, identity, storage)
        # A continued study must not repeat the random numbers of its first trials.
        study.sampler = optuna.samplers.GPSampler(
            seed=mix(seed, 6, len(study.trials)) % 2**32,
            n_startup_trials=N_BEFORE_MODEL,
            warn_independent_sampling=False,
        )
        yield study


@contextmanager
def _open_storage(optuna: Any, storage: str | PathLike[str] | None) -> Iterator[Any]:
    """Open a file for trials, and close it after the block; None for None.

    Raises
    ------
    OSError
        If the file cannot be written, also in the block, such as on a full disk.
    """
    if storage is None:
        yield None
        return
    from sqlalchemy.exc import OperationalError

    try:
        opened = _open_file(optuna, Path(storage))
        try:
            yield opened
        finally:
            opened.remove_session()
            opened.engine.dispose()
    except (OperationalError, optuna.exceptions.StorageInternalError) as error:
        reason = _first_line(error.__cause__ or error)
        raise OSError(f"cannot write the study {str(storage)!r}: {reason}") from error


def _open_file(optuna: Any, path: Path) -> Any:
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {str(path)!r}: there is no folder {str(path.parent)!r}")
    if path.is_dir() or not access(path if path.exists() else path.parent, WRITABLE):
        raise PermissionError(f"storage must be a file that can be written, got {str(path)!r}")
    from sqlalchemy.exc import OperationalError

    address = f"sqlite:///{path.resolve()}"
    try:
        with _quiet():
            return optuna.storages.RDBStorage(address, heartbeat_interval=HEARTBEAT, grace_period=GRACE)
    except OperationalError:  # the disk, and not the content of the file
        raise
    except Exception as error:
        raise ValueError(f"storage {str(path)!r} is not a study of isthmus: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


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


def read_trials(study: Any, space: Space) -> list[Trial]:
    """Return the finished trials, the default first."""
    optuna = import_optuna()
    ended = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    found = [_read_trial(optuna, trial, space) for trial in study.get_trials(deepcopy=False, states=ended)]
    return sorted(found, key=lambda trial: bool(trial.params))


def _read_trial(optuna: Any, trial: Any, space: Space) -> Trial:
    attrs, is_default = trial.user_attrs, trial.user_attrs.get("start") == 0
    params = {} if is_default else space.ask(optuna.trial.FixedTrial(trial.params))
    error = attrs.get("error", "")
    state = "failed" if error else "pruned" if attrs.get("is_worse") else trial.state.name.lower()
    seconds = (trial.datetime_complete - trial.datetime_start).total_seconds()
    scores = np.array(attrs.get("scores", []) if state == "complete" else [])
    return Trial(trial.number, params, state, seconds, scores, error)


def enqueue_starts(study: Any, starts: Sequence[dict[str, Any]]) -> None:
    """Put the first points of the search into the queue, except those that have been tried: 0 is the default."""
    states = import_optuna().trial.TrialState
    done = [t for t in study.get_trials(deepcopy=False) if t.state in (states.COMPLETE, states.PRUNED, states.WAITING)]
    tried = {trial.user_attrs.get("start") for trial in done}
    for i, numbers in enumerate(starts):
        if i not in tried:
            study.enqueue_trial(numbers, user_attrs={"start": i})


def run_study(
    study: Any, objective: Callable[[Any], float], space: Space, n_trials: int | None, deadline: float, verbose: int
) -> None:
    """Run trials until there are ``n_trials`` or the time is over, or without both, gain nothing; print each.

    The default is always tried. ``n_trials`` counts the trials of earlier runs in the same storage, but no killed ones.
    """

    def is_done() -> bool:
        trials = read_trials(study, space)
        is_full = n_trials is not None and len(trials) >= n_trials
        if n_trials is None and deadline == math.inf:
            is_full = has_stalled([trial.scores for trial in trials])
        return has_default(trials) and (is_full or monotonic() > deadline)

    def end_trial(study: Any, trial: Any) -> None:
        if verbose:
            print(_read_trial(import_optuna(), trial, space), flush=True)
        if is_done():
            study.stop()

    if not is_done():
        with _quiet():
            study.optimize(objective, callbacks=[end_trial])


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
def _quiet() -> Iterator[None]:
    """Turn off the log of Optuna, which has a line for every trial, and its warnings that users cannot act on."""
    optuna = import_optuna()
    logging, level = optuna.logging, optuna.logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            warnings.filterwarnings("ignore", "Clip non-finite values", UserWarning)  # scores of failed trials
            yield
    finally:
        logging.set_verbosity(level)


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
    with _quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = optuna.importance.get_param_importances(study)
        except (RuntimeError, ValueError):
            return {}
    return {name: float(share) for name, share in found.items()}
