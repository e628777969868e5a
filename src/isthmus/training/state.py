"""What training changes, as tensors and plain values."""

import math
from dataclasses import dataclass, field
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor, nn, optim

from isthmus.storage import put_under, take_from

Row = dict[str, float]
Weights = dict[str, Tensor]


def weights_of(model: nn.Module) -> Weights:
    """Copy the weights: ``state_dict`` alone would go on changing with them."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


@dataclass
class TrainState:
    """Everything that training changes.

    Parameters
    ----------
    model : Module
        Returns a dictionary of loss terms from ``forward(x, y, progress)``.
    optimizer : Optimizer
    history : list of dict
        One row an epoch.
    best : dict of Tensor
        Copy of the best weights so far, or without validation of the last that are known to be good.
    best_bound : float
    waited : int
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
    waited: int = 0
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
        fields = {name: getattr(self, name) for name in ("history", "best_bound", "waited", "epoch", "step")}
        rates = [group["lr"] for group in self.optimizer.param_groups]
        others = {"processes": len(self.processes), "totals": list(self.totals), "learning_rates": rates}
        return tensors, {**fields, **others, "optimizer": numbers}

    def restore(self, tensors: Weights, document: dict[str, Any]) -> None:
        """Take over what ``to_plain`` gave."""
        device = next(self.model.parameters()).device
        # Also those of an accelerator keep their state in the processor's memory.
        tensors = {name: t if name.endswith(".generators") else t.to(device) for name, t in tensors.items()}
        self.model.load_state_dict(take_from("model", tensors))
        self.best, self.start = take_from("best", tensors), take_from("start", tensors)
        processes = [take_from(f"process.{i}", tensors) for i in range(document["processes"])]
        self.processes = [
            (own["generators"], {name: own[f"total.{name}"] for name in document["totals"]}) for own in processes
        ]
        for name in ("history", "best_bound", "waited", "epoch", "step"):
            setattr(self, name, document[name])
        state = {int(i): {**take_from(f"optimizer.{i}", tensors), **rest} for i, rest in document["optimizer"].items()}
        load = unwrap(type(self.optimizer).load_state_dict)
        load(self.optimizer, {**_state_dict(self.optimizer), "state": state})
        for group, rate in zip(self.optimizer.param_groups, document["learning_rates"], strict=True):
            group["lr"] = rate


def _state_dict(optimizer: optim.Optimizer) -> dict[str, Any]:
    """Call what torch wraps in an import of its compiler, which takes two seconds."""
    return unwrap(type(optimizer).state_dict)(optimizer)


def generators_of(device: torch.device) -> Tensor:
    """State of the generators that draws on a device come from."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return torch.cat(states)


def set_generators(device: torch.device, state: Tensor) -> None:
    """Put back what ``generators_of`` returned."""
    own = len(torch.get_rng_state())
    torch.set_rng_state(state[:own])
    if device.type == "cuda":
        torch.cuda.set_rng_state(state[own:], device)
