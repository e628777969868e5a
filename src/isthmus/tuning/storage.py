"""Optuna, and the file in which it stores trials. Several processes may share the file."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from os import W_OK as WRITABLE
from os import PathLike, access
from pathlib import Path
from typing import Any, NamedTuple

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

# Seconds between two signs of life of a trial, and seconds without one after which a trial counts as killed.
HEARTBEAT, GRACE = 10, 30


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
def quiet_optuna() -> Iterator[None]:
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


class Opened(NamedTuple):
    """A storage of trials that is open.

    Parameters
    ----------
    trials : RDBStorage or None
        Storage of Optuna; None keeps trials in memory.
    is_first : bool
        Whether no other process uses it. Other processes then wait until they are admitted.
    admit_others : callable
        Lets other processes use it, too.
    """

    trials: Any
    is_first: bool
    admit_others: Callable[[], Any]


@contextmanager
def open_storage(storage: str | PathLike[str] | None) -> Iterator[Opened]:
    """Open a file for trials, and close it after the block; None keeps trials in memory.

    Raises
    ------
    OSError
        If the file cannot be written, also in the block, such as on a full disk.
    """
    if storage is None:
        yield Opened(None, True, lambda: None)
        return
    optuna, path = import_optuna(), Path(storage)
    from sqlalchemy.exc import OperationalError

    _check_writable(path)
    try:
        with _share(path.with_name(f".{path.name}.lock")) as (is_first, admit_others):
            opened = _open_file(optuna, path)
            try:
                yield Opened(opened, is_first, admit_others)
            finally:
                opened.remove_session()
                opened.engine.dispose()
    except (OperationalError, optuna.exceptions.StorageInternalError) as error:
        reason = _first_line(error.__cause__ or error)
        raise OSError(f"cannot write the study {str(storage)!r}: {reason}") from error


def _check_writable(path: Path) -> None:
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {str(path)!r}: there is no folder {str(path.parent)!r}")
    if path.is_dir() or not access(path if path.exists() else path.parent, WRITABLE):
        raise PermissionError(f"storage must be a file that can be written, got {str(path)!r}")


@contextmanager
def _share(path: Path) -> Iterator[tuple[bool, Callable[[], Any]]]:
    """Share a lock with other processes; yield whether this is the first, and a function that admits others.

    The lock ends with its process, so that the first process knows that running trials in the file were killed. On
    Windows, no process is the first; there, trials without a sign of life are found to be killed.
    """
    if fcntl is None:
        yield False, lambda: None
        return
    with path.open("ab") as file:
        share = partial(fcntl.flock, file, fcntl.LOCK_SH)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_first = True
        except BlockingIOError:
            share()
            is_first = False
        yield is_first, share


def _open_file(optuna: Any, path: Path) -> Any:
    from sqlalchemy.exc import OperationalError

    storages, address = optuna.storages, f"sqlite:///{path.resolve()}"
    try:
        with quiet_optuna():
            retry = storages.RetryHeartbeatStaleTrialCallback()
            return storages.RDBStorage(
                address, heartbeat_interval=HEARTBEAT, grace_period=GRACE, heartbeat_stale_trial_callback=retry
            )
    except OperationalError:  # the disk, and not the content of the file
        raise
    except Exception as error:
        raise ValueError(f"storage {str(path)!r} is not a study of isthmus: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
