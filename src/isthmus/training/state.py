"""The state of a training, and its form in a checkpoint."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn, optim

from isthmus.plain import dataclass_of
from isthmus.storage import put_under, take_from
from isthmus.training.fused import without_compiler
from isthmus.training.group import Group

Row = dict[str, float]
Weights = dict[str, Tensor]

# Fields of a state that a checkpoint stores without conversion.
PLAIN_FIELDS = ("best_bound", "epochs_since_best", "step")


def copy_weights(model: nn.Module) -> Weights:
    """Copy the weights and buffers of a model.

    ``state_dict`` returns the tensors themselves, which training changes.

    Parameters
    ----------
    model : Module
        The model.

    Returns
    -------
    dict of str to Tensor
        The copies.

    Examples
    --------
    >>> from torch import nn
    >>> from isthmus.training import copy_weights
    >>> sorted(copy_weights(nn.Linear(3, 2)))
    ['bias', 'weight']
    """
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


@dataclass
class TrainState:
    """Everything that training changes.

    Parameters
    ----------
    model : Module
        ``forward(x, y, progress)`` returns ``Losses``.
    optimizer : Optimizer
        The optimizer of its parameters.
    history : list of dict
        One entry per epoch.
    best : dict of Tensor
        Copy of the best weights so far; without validation rows, of the last weights with a finite loss.
    best_bound : float
        The smallest negative bound on validation rows so far.
    epochs_since_best : int
        Number of epochs without a better bound, counted while the learning rate falls.
    step : int
        Steps of the optimizer in this epoch.
    totals : dict of Tensor
        Losses and metrics, each summed over the rows of this epoch so far.
    execution : str
        Device and mode of execution of the steps, for the display.
    processes : list of (Tensor, dict of Tensor)
        Random generators and totals of each process; empty except while a checkpoint is written or read.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import Autoencoder
    >>> state = Autoencoder(2, random_state=0).prepare(np.eye(40)).state
    >>> state.epoch, state.step
    (0, 0)
    """

    model: nn.Module
    optimizer: optim.Optimizer
    history: list[Row] = field(default_factory=list)
    best: Weights = field(default_factory=dict)
    best_bound: float = math.inf
    epochs_since_best: int = 0
    step: int = 0
    totals: Weights = field(default_factory=dict)
    execution: str = ""
    processes: list[tuple[Tensor, Weights]] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.model.parameters()).device

    @property
    def epoch(self) -> int:
        """Number of finished epochs."""
        return len(self.history)

    @property
    def row(self) -> Row:
        """The last entry of the history."""
        return self.history[-1]

    def start_fit(self) -> int:
        """Begin at the first step of the next epoch.

        Returns
        -------
        int
            Number of epochs before it.
        """
        self.step, self.totals, self.epochs_since_best = 0, {}, 0
        return self.epoch

    def add(self, means: Weights, n_rows: int) -> None:
        """Add the mean losses and metrics of a batch to the totals, in place.

        The totals stay on the device, because reading a number makes the processor wait for the accelerator. They are
        the same tensors in all epochs, because recorded steps refer to them.

        Parameters
        ----------
        means : dict of str to Tensor
            Means over the rows of the batch.
        n_rows : int
            Number of rows of the batch.
        """
        for name, mean in means.items():
            if name not in self.totals:
                self.totals[name] = torch.zeros_like(mean, requires_grad=False)
            self.totals[name].add_(mean.detach(), alpha=n_rows)

    def means_over_rows(self, n_rows: int, group: Group) -> Row:
        """Divide the totals of all processes by the number of rows.

        Parameters
        ----------
        n_rows : int
            Number of rows of all processes.
        group : Group
            The processes that train together.

        Returns
        -------
        dict of str to float
            Means of losses and metrics.
        """
        sums = group.all_reduce(torch.stack(list(self.totals.values())))
        return dict(zip(self.totals, (sums / n_rows).tolist(), strict=True))

    def end_epoch(self, row: Row) -> None:
        """Append an entry to the history, and begin the next epoch.

        Parameters
        ----------
        row : dict of str to float
            Losses, metrics, learning rate and seconds of the epoch.
        """
        self.history.append({"epoch": self.epoch + 1, **row})
        self.step = 0
        for total in self.totals.values():
            total.zero_()

    def update_best(self, annealing: bool) -> None:
        """Keep a copy of the weights if their bound is the best so far, or if there are no validation rows.

        Parameters
        ----------
        annealing : bool
            Whether the learning rate falls; only then epochs without a better bound are counted.
        """
        bound = self.row.get("valid_negative_bound", -math.inf)
        better = bound < self.best_bound or bound == -math.inf
        self.epochs_since_best = 0 if better or not annealing else self.epochs_since_best + 1
        if better:
            self.best, self.best_bound = copy_weights(self.model), bound

    def copy_best(self) -> "TrainState":
        """Return a state whose model is a copy with the best weights so far, as after training.

        Returns
        -------
        TrainState
            Training does not change its model and history.
        """
        model = deepcopy(self.model)
        model.load_state_dict(self.best or self.model.state_dict())
        return replace(self, model=model.eval(), history=list(self.history))

    @contextmanager
    def restore_on_error(self) -> Iterator[None]:
        """Undo all changes to the model, the optimizer and the history if the block raises an error.

        Yields
        ------
        None
            The block trains the model.
        """
        weights, moments = copy_weights(self.model), deepcopy(_state_dict(self.optimizer))
        n_epochs = self.epoch
        try:
            yield
        except BaseException:
            self.model.load_state_dict(weights)
            self.model.eval()
            _load_state_dict(self.optimizer, moments)
            del self.history[n_epochs:]
            raise

    def to_plain(self) -> tuple[Weights, dict[str, Any]]:
        """Return the state as tensors and plain values.

        Returns
        -------
        tensors : dict of str to Tensor
            All tensors by name.
        document : dict
            The other values.
        """
        tensors = {**put_under("model", self.model.state_dict()), **put_under("best", self.best)}
        for i, (generators, totals) in enumerate(self.processes):
            tensors |= put_under(f"process.{i}", {"generators": generators, **put_under("total", totals)})
        numbers: dict[str, Any] = {}
        for i, values in _state_dict(self.optimizer)["state"].items():
            tensors |= put_under(f"optimizer.{i}", {k: v for k, v in values.items() if isinstance(v, Tensor)})
            numbers[str(i)] = {k: v for k, v in values.items() if not isinstance(v, Tensor)}
        fields = {name: getattr(self, name) for name in ("history", *PLAIN_FIELDS)}
        others = {"processes": len(self.processes), "totals": list(self.totals), "optimizer": numbers}
        return tensors, {**fields, **others}

    def restore(self, tensors: Weights, document: dict[str, Any]) -> None:
        """Replace the state by one that ``to_plain`` returned.

        Parameters
        ----------
        tensors, document : dict
            Results of ``to_plain``.

        Raises
        ------
        ArithmeticError, LookupError, RuntimeError, TypeError, ValueError
            If it does not fit the model and the optimizer, or is inconsistent.
        """
        position = dataclass_of(_Position, document)
        position.check(len(tensors))
        # The state of a generator is always in the processor's memory, also for an accelerator.
        tensors = {name: t if name.endswith(".generators") else t.to(self.device) for name, t in tensors.items()}
        self.model.load_state_dict(take_from("model", tensors))
        self.best = take_from("best", tensors)
        _check_like(self.best, self.model.state_dict())
        processes = [take_from(f"process.{i}", tensors) for i in range(position.processes)]
        self.processes = [
            (own["generators"], {name: own[f"total.{name}"] for name in position.totals}) for own in processes
        ]
        for generators, totals in self.processes:
            torch.Generator().set_state(generators[: len(torch.get_rng_state())])
            _check_like(totals, {name: total.new_zeros(()) for name, total in totals.items()})
        self.history = list(position.history)
        for name in PLAIN_FIELDS:
            setattr(self, name, getattr(position, name))
        state = {int(i): {**take_from(f"optimizer.{i}", tensors), **rest} for i, rest in position.optimizer.items()}
        _check_moments(state, [parameter for group in self.optimizer.param_groups for parameter in group["params"]])
        _load_state_dict(self.optimizer, {**_state_dict(self.optimizer), "state": state})


@dataclass(frozen=True)
class _Position:
    """The plain values of a checkpoint, with their types."""

    history: tuple[dict[str, float], ...]
    best_bound: float
    epochs_since_best: int
    step: int
    processes: int
    totals: tuple[str, ...]
    optimizer: dict[str, dict[str, Any]]

    def check(self, n_tensors: int) -> None:
        """Raise ``ValueError`` if the values do not fit each other."""
        if min(self.epochs_since_best, self.step, self.processes) < 0:
            raise ValueError(f"it is at step {self.step} of an epoch, {self.epochs_since_best} epochs after the best")
        if self.processes > n_tensors or (self.step and not self.totals):
            raise ValueError(f"it lacks the totals of {self.processes} processes")


def _check_like(tensors: Weights, others: Weights) -> None:
    """Raise ``ValueError`` unless tensors, if any, have the names, shapes and dtypes of others and are finite."""
    if tensors and {name: t.shape for name, t in tensors.items()} != {name: t.shape for name, t in others.items()}:
        raise ValueError("its tensors do not fit the model")
    for name, tensor in tensors.items():
        if tensor.dtype != others[name].dtype or not tensor.isfinite().all() and others[name].isfinite().all():
            raise ValueError(f"its tensor {name!r} has values that are not finite, or another dtype")


def _check_moments(state: dict[int, dict[str, Any]], parameters: list[Tensor]) -> None:
    """Raise ``ValueError`` unless moments have the shape of their parameter or (), and equal names for all of them."""
    for i, moments in state.items():
        if not 0 <= i < len(parameters) or moments.keys() != next(iter(state.values())).keys():
            raise ValueError("its moments do not fit the optimizer")
        for name, moment in moments.items():
            if isinstance(moment, Tensor) and (
                moment.shape not in ((), parameters[i].shape) or not moment.isfinite().all()
            ):
                raise ValueError(f"its moment {name!r} does not fit its parameter")


def _state_dict(optimizer: optim.Optimizer) -> dict[str, Any]:
    state: dict[str, Any] = without_compiler(type(optimizer), "state_dict")(optimizer)
    return state


def _load_state_dict(optimizer: optim.Optimizer, state: dict[str, Any]) -> None:
    without_compiler(type(optimizer), "load_state_dict")(optimizer, state)
