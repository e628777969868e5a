"""The callbacks of scikit-learn: a fit is a task, and its epochs are subtasks."""

from collections.abc import Callable
from typing import Any, TypeVar

from isthmus.training.callback import Callback
from isthmus.training.state import TrainState

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupportMixin
    from sklearn.callback import with_callbacks as _with_callbacks
except ImportError:  # scikit-learn < 1.9

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for the class of scikit-learn that has ``set_callbacks``."""

    _with_callbacks = None

Method = TypeVar("Method", bound=Callable[..., Any])


def with_callbacks(method: Method) -> Method:
    """Return a method after which callbacks of scikit-learn are torn down, also after an error."""
    return _with_callbacks(method) if _with_callbacks else method


class FitTasks(Callback):
    """Calls the callbacks of scikit-learn for a fit, which is a task, and for its epochs, which are subtasks.

    Parameters
    ----------
    estimator : CallbackSupportMixin
        The estimator that is fitted, in a method with ``with_callbacks``.
    fitted_attributes : callable
        Returns the attributes that the estimator would have if training ended now.
    **arguments : object
        ``X``, ``y`` and ``metadata`` of the fit.

    References
    ----------
    https://scikit-learn.org/stable/modules/generated/sklearn.callback.FitCallback.html
    """

    epoch: Any = None

    def __init__(self, estimator: Any, fitted_attributes: Callable[[], dict[str, Any]], **arguments: Any) -> None:
        self.estimator = estimator
        self.arguments = {"estimator": estimator, "reconstruction_attributes": fitted_attributes, **arguments}

    def start(self, params: Any) -> None:
        """Begin the task of the fit."""
        self.fit = self.estimator._init_callback_context(max_subtasks=params["max_epochs"])
        self.fit.call_on_fit_task_begin(**self.arguments)

    def start_epoch(self) -> None:
        """Begin the task of an epoch."""
        self.epoch = self.fit.subcontext("epoch").call_on_fit_task_begin(**self.arguments)

    def __call__(self, state: TrainState) -> Any:
        """End the task of the epoch; return whether a callback stops the training."""
        epoch, self.epoch = self.epoch, None
        return epoch.call_on_fit_task_end(**self.arguments)

    def end(self, error: BaseException | None) -> None:
        """End the tasks; after an error, scikit-learn only tears the callbacks down."""
        if error is None:
            for task in filter(None, (self.epoch, self.fit)):
                task.call_on_fit_task_end(**self.arguments)
