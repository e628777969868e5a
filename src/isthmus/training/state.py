"""What training changes, as tensors and plain values."""

import math
from dataclasses import dataclass, field
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor, nn, optim

from isthmus.plain import dataclass_of
from isthmus.storage import put_under, take_from

Row = dict[str, float]
Weights = dict[str, Tensor]


def copy_weights(model: nn.Module) -> Weights:
    """Copy the weights: ``state_dict`` alone would go on changing with them."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


@dataclass
class TrainState:
    """Everything that training changes.

    Parameters
    ----------
    model : Module
        Returns ``Losses`` from ``forward(x, y, progress)``.
    optimizer : Optimizer
    history : list of dict
        One row an epoch.
    best : dict of Tensor
        Copy of the best weights so far, or without validation of the last that are known to be good.
    best_bound : float
    epochs_since_best : int
        Epochs without a better bound since the learning rate falls.
    epoch, step : int
        Position: epochs done, and steps done of the next.
    start : dict of Tensor
        Copy of the weights that the epoch began with; only without validation.
    totals : dict of Tensor
        Sums over the rows of the epoch so far, by term.
    processes : list of (Tensor, dict of Tensor)
        Random generators and totals of each process; empty but while a checkpoint is written or read.
    """

    model: nn.Module
    optimizer: optim.Optimizer
    history: list[Row] = field(default_factory=list)
    best: Weights = field(default_factory=dict)
    best_bound: float = math.inf
    epochs_since_best: int = 0
    epoch: int = 0
    step: int = 0
    start: Weights = field(default_factory=dict)
    totals: Weights = field(default_factory=dict)
    processes: list[tuple[Tensor, Weights]] = field(default_factory=list)

    @property
    def row(self) -> Row:
        """The newest row of the history."""
        return self.history[-1]

    def to_plain(self) -> tuple[Weights, dict[str, Any]]:
        """Return named tensors, and all else as a document of plain values."""
        tensors = {
            **put_under("model", self.model.state_dict()),
            **put_under("best", self.best),
            **put_under("start", self.start),
        }
        for i, (generators, totals) in enumerate(self.processes):
            tensors |= put_under(f"process.{i}", {"generators": generators, **put_under("total", totals)})
        numbers: dict[str, Any] = {}
        for i, values in _state_dict(self.optimizer)["state"].items():
            tensors |= put_under(f"optimizer.{i}", {k: v for k, v in values.items() if isinstance(v, Tensor)})
            numbers[str(i)] = {k: v for k, v in values.items() if not isinstance(v, Tensor)}
        fields = {name: getattr(self, name) for name in ("history", "best_bound", "epochs_since_best", "epoch", "step")}
        rates = [group["lr"] for group in self.optimizer.param_groups]
        others = {"processes": len(self.processes), "totals": list(self.totals), "learning_rates": rates}
        return tensors, {**fields, **others, "optimizer": numbers}

    def restore(self, tensors: Weights, document: dict[str, Any]) -> None:
        """Take over what ``to_plain`` gave.

        Raises
        ------
        ArithmeticError, LookupError, RuntimeError, TypeError, ValueError
            If it does not fit the model and the optimizer, or itself.
        """
        position = dataclass_of(_Position, document)
        position.check(len(tensors))
        device = next(self.model.parameters()).device
        # Also those of an accelerator keep their state in the processor's memory.
        tensors = {name: t if name.endswith(".generators") else t.to(device) for name, t in tensors.items()}
        self.model.load_state_dict(take_from("model", tensors))
        self.best, self.start = take_from("best", tensors), take_from("start", tensors)
        for weights in (self.best, self.start):
            _check_like(weights, self.model.state_dict())
        processes = [take_from(f"process.{i}", tensors) for i in range(position.processes)]
        self.processes = [
            (own["generators"], {name: own[f"total.{name}"] for name in position.totals}) for own in processes
        ]
        for generators, totals in self.processes:
            torch.Generator().set_state(generators[: len(torch.get_rng_state())])
            _check_like(totals, {name: total.new_zeros(()) for name, total in totals.items()})
        self.history = list(position.history)
        for name in ("best_bound", "epochs_since_best", "epoch", "step"):
            setattr(self, name, getattr(position, name))
        state = {int(i): {**take_from(f"optimizer.{i}", tensors), **rest} for i, rest in position.optimizer.items()}
        _check_moments(state, [parameter for group in self.optimizer.param_groups for parameter in group["params"]])
        load = unwrap(type(self.optimizer).load_state_dict)
        load(self.optimizer, {**_state_dict(self.optimizer), "state": state})
        for group, rate in zip(self.optimizer.param_groups, position.learning_rates, strict=True):
            group["lr"] = rate


@dataclass(frozen=True)
class _Position:
    """The plain values of a state, with the types that they must have."""

    history: tuple[dict[str, float], ...]
    best_bound: float
    epochs_since_best: int
    epoch: int
    step: int
    processes: int
    totals: tuple[str, ...]
    learning_rates: tuple[float, ...]
    optimizer: dict[str, dict[str, Any]]

    def check(self, n_tensors: int) -> None:
        """Raise ``ValueError`` if the values do not fit each other."""
        if len(self.history) != self.epoch or min(self.epochs_since_best, self.step, self.processes) < 0:
            raise ValueError(f"it is at step {self.step} of epoch {self.epoch} with {len(self.history)} epochs done")
        if self.processes > n_tensors or (self.step and not self.totals):
            raise ValueError(f"it lacks the sums of {self.processes} processes")
        if not all(0 <= rate < math.inf for rate in self.learning_rates):
            raise ValueError(f"its learning rates are {self.learning_rates}")


def _check_like(tensors: Weights, others: Weights) -> None:
    """Raise ``ValueError`` unless tensors, if there are any, have the names and shapes of others, and are finite."""
    if tensors and {name: t.shape for name, t in tensors.items()} != {name: t.shape for name, t in others.items()}:
        raise ValueError("its tensors do not fit the model")
    for name, tensor in tensors.items():
        if tensor.dtype != others[name].dtype or not tensor.isfinite().all() and others[name].isfinite().all():
            raise ValueError(f"its tensor {name!r} holds values that are not finite, or of another type")


def _check_moments(state: dict[int, dict[str, Any]], parameters: list[Tensor]) -> None:
    """Raise unless what an optimizer keeps of a parameter has its shape, or none, and the same names for all."""
    for i, moments in state.items():
        if not 0 <= i < len(parameters) or moments.keys() != next(iter(state.values())).keys():
            raise ValueError("its moments do not fit the optimizer")
        for name, moment in moments.items():
            if isinstance(moment, Tensor) and (
                moment.shape not in ((), parameters[i].shape) or not moment.isfinite().all()
            ):
                raise ValueError(f"its moment {name!r} does not fit its parameter")


def _state_dict(optimizer: optim.Optimizer) -> dict[str, Any]:
    """Call what torch wraps in an import of its compiler, which takes two seconds."""
    return unwrap(type(optimizer).state_dict)(optimizer)


def get_rng_state(device: torch.device) -> Tensor:
    """State of the generators that draws on a device come from."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return torch.cat(states)


def set_rng_state(device: torch.device, state: Tensor) -> None:
    """Put back what ``get_rng_state`` returned."""
    own = len(torch.get_rng_state())
    torch.set_rng_state(state[:own])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state[own:], device)
