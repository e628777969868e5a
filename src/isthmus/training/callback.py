"""Callbacks: what is called at the start, after each epoch and at the end of a training."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Self

from isthmus.training.state import TrainState


class Callback:
    """Base class of callbacks that need the start or the end of a training.

    Any function of a ``TrainState`` is a callback, too. In distributed training, all processes call it before and after
    each epoch, and only the first one calls ``start`` and ``end``.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import Autoencoder
    >>> from isthmus.training import Callback
    >>> class CountEpochs(Callback):
    ...     def start(self, params):
    ...         self.n_epochs = 0
    ...     def __call__(self, state):
    ...         self.n_epochs += 1
    >>> count = CountEpochs()
    >>> model = Autoencoder(1, max_epochs=3, callbacks=(count,)).fit(np.eye(20))
    >>> count.n_epochs
    3
    """

    def start(self, params: Mapping[str, Any]) -> None:
        """Prepare for a training with these parameters and settings.

        Parameters
        ----------
        params : mapping of str to object
            Parameters of the estimator, with numbers instead of "auto".
        """

    def start_epoch(self) -> None:
        """Prepare for the next epoch."""

    def __call__(self, state: TrainState) -> Any:
        """Read the last epoch, ``state.row``; a true return value stops the training."""

    def end(self, error: BaseException | None) -> None:
        """Finish, also after an error.

        Parameters
        ----------
        error : BaseException or None
            The error that ended the training, if one did.
        """

    def for_fit(self, name: str) -> Self:
        """Return the callback for one of several fits of an estimator; by default, all fits share it.

        Parameters
        ----------
        name : str
            Name of the fit, such as "fold-1".

        Returns
        -------
        Callback
            The callback of this fit.
        """
        return self


@contextmanager
def start_callbacks(callbacks: Sequence[Any], params: Mapping[str, Any]) -> Iterator[None]:
    """Start callbacks before the block, and end those that were started after it.

    Parameters
    ----------
    callbacks : sequence of callables
        Those that are not a ``Callback`` are left alone.
    params : mapping of str to object
        What ``Callback.start`` gets.

    Yields
    ------
    None
        The block runs between start and end.

    Examples
    --------
    >>> from isthmus.training import Callback, start_callbacks
    >>> class Log(Callback):
    ...     def start(self, params):
    ...         print("start with", dict(params))
    ...     def end(self, error):
    ...         print("end with", error)
    >>> with start_callbacks([Log()], {"max_epochs": 3}):
    ...     print("train")
    start with {'max_epochs': 3}
    train
    end with None
    """
    with ExitStack() as stack:
        for callback in callbacks:
            if isinstance(callback, Callback):
                callback.start(params)
                stack.push(lambda kind, error, trace, end=callback.end: end(error))
        yield


def start_epoch(callbacks: Sequence[Any]) -> None:
    """Tell callbacks that an epoch starts; those that are not a ``Callback`` are left alone."""
    for callback in callbacks:
        if isinstance(callback, Callback):
            callback.start_epoch()


def name_fit(estimator: Any, name: str) -> Any:
    """Tell the callbacks of an estimator, and of the estimators inside it, which of several fits follows.

    A ``Checkpoint`` then uses a subfolder of this name.

    Parameters
    ----------
    estimator : estimator
        Not fitted. It is changed in place.
    name : str
        Name of the fit.

    Returns
    -------
    estimator
        The same estimator.

    Examples
    --------
    >>> from isthmus import Autoencoder, Checkpoint
    >>> from isthmus.training import name_fit
    >>> name_fit(Autoencoder(callbacks=(Checkpoint("progress"),)), "fold-1").callbacks
    (Checkpoint('progress/fold-1', every=60.0),)
    """
    found = {
        key: value
        for key, value in estimator.get_params().items()
        if key.split("__")[-1] == "callbacks" and isinstance(value, tuple | list)
    }
    own = {
        key: tuple(each.for_fit(name) if isinstance(each, Callback) else each for each in callbacks)
        for key, callbacks in found.items()
        if any(isinstance(each, Callback) for each in callbacks)
    }
    return estimator.set_params(**own) if own else estimator
