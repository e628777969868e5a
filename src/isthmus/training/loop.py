"""The training loop."""

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn, optim

from isthmus.data import Source
from isthmus.randomness import mix, seeded
from isthmus.training.hardware import autocast
from isthmus.training.schedules import resolve_schedule

Row = dict[str, float]
VALIDATION_SEED = 0
EVALUATION_SIZE = 2048


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
    """

    model: nn.Module
    optimizer: optim.Optimizer
    history: list[Row] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    best_bound: float = math.inf

    @property
    def row(self) -> Row:
        """The newest row of the history."""
        return self.history[-1]


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Copy the weights: ``state_dict`` alone would go on changing with them."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


Callback = Callable[[TrainState], Any]


def train(
    state: TrainState,
    source: Source,
    valid: Source | None = None,
    *,
    max_epochs: int,
    batch_size: int,
    learning_rate: float,
    schedule: str = "one_cycle",
    patience: int | None = None,
    precision: str = "auto",
    compile: bool = False,
    callbacks: Sequence[Callback] = (),
    endless: bool = False,
    seed: int = 0,
) -> None:
    """Fit a model to a source, and leave in it the weights that were best on ``valid``, or the last.

    Parameters
    ----------
    state : TrainState
        Changed in place.
    source, valid : Source
        Rows to train on and rows to watch.
    patience : int or None
        Epochs without a better bound on ``valid`` before training stops; counted once the learning rate falls.
    callbacks : sequence of callables
        Each is called with the state after every epoch; a true answer stops the training.
    endless : bool
        Whether nobody knows how many epochs will follow; then schedules of parts are at their end throughout.

    Raises
    ------
    ValueError
        If the loss is not finite in the first epoch. Later the last good weights come back, with a warning.
    """
    plan = resolve_schedule(schedule)
    forward = torch.compile(state.model) if compile else state.model
    device = next(state.model.parameters()).device
    waited = 0
    for epoch in range(max_epochs):
        started = time.perf_counter()
        before = None if valid is not None else weights_of(state.model)
        with seeded(mix(seed, epoch), device), autocast(precision, device):
            rates = _rates(plan.factor, learning_rate, epoch, max_epochs, math.ceil(len(source) / batch_size), endless)
            row = _train_epoch(forward, state, source, batch_size, mix(seed, epoch, 1), rates)
        if valid is not None:
            row["valid_bound"] = evaluate(state.model, valid)
        row["seconds"] = time.perf_counter() - started
        state.history.append({"epoch": len(state.history) + 1, **row})
        bound = row.get("valid_bound", row["loss"])
        if not math.isfinite(bound):
            _give_up(state, bound, learning_rate)
            break
        better = valid is not None and bound < state.best_bound
        waited = 0 if better or (epoch + 1) / max_epochs <= plan.anneals_from else waited + 1
        if better:
            state.best, state.best_bound = weights_of(state.model), bound
        elif before is not None:
            state.best = before  # shown to be good by an epoch that began with them
        answers = [callback(state) for callback in callbacks]  # all are called, also those after one that wants to stop
        if any(answers) or (valid is not None and patience is not None and waited >= patience):
            break
    if valid is not None:
        state.model.load_state_dict(state.best)
    state.model.eval()


def evaluate(model: nn.Module, source: Source) -> float:
    """Mean bound over a source: dropout off, corruption and draws on and the same each time, schedules at their end."""
    model.eval()
    device = next(model.parameters()).device
    bounds = []
    with torch.inference_mode(), seeded(VALIDATION_SEED, device):
        for x, y in source.batches(EVALUATION_SIZE):
            bounds.append(model(x.to(device), None if y is None else y.to(device))["bound"])
        return float(torch.cat(bounds).double().mean())


def _train_epoch(
    forward: Callable[..., dict[str, Tensor]],
    state: TrainState,
    source: Source,
    batch_size: int,
    seed: int,
    rates: Iterator[tuple[float, float]],
) -> Row:
    state.model.train()
    device = next(state.model.parameters()).device
    totals: dict[str, Tensor] = {}
    for (x, y), (progress, rate) in zip(source.batches(batch_size, seed), rates, strict=False):
        for group in state.optimizer.param_groups:
            group["lr"] = rate
        x, y = x.to(device, non_blocking=True), None if y is None else y.to(device, non_blocking=True)
        terms = {name: term.mean() for name, term in forward(x, y, torch.full((), progress, device=device)).items()}
        loss = torch.stack(list(terms.values())).sum()
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        state.optimizer.step()
        # On the device: reading a number here would make the processor wait for the accelerator at every batch.
        for name, term in {"loss": loss, **terms}.items():
            totals[name] = totals.get(name, 0) + term.detach() * len(x)
    means = (torch.stack(list(totals.values())) / len(source)).tolist()
    return {**dict(zip(totals, means, strict=True)), "learning_rate": state.optimizer.param_groups[0]["lr"]}


def _rates(
    factor: Callable[[float], float], learning_rate: float, epoch: int, max_epochs: int, n_batches: int, endless: bool
) -> Iterator[tuple[float, float]]:
    """Progress and learning rate of every step of an epoch."""
    for step in range(n_batches):
        progress = 1.0 if endless else (epoch * n_batches + step) / (max_epochs * n_batches)
        yield progress, float(learning_rate) * factor(progress)


def _give_up(state: TrainState, bound: float, learning_rate: float) -> None:
    """Go back to the last good weights when the loss is no longer a number, or say that there are none."""
    what = f"the loss became {bound} in epoch {len(state.history)}"
    advice = f"lower learning_rate (now {learning_rate:g}) or scale the data"
    if not state.best:
        raise ValueError(f"{what}; {advice}")
    state.model.load_state_dict(state.best)
    warnings.warn(f"{what}; the last good weights are kept: {advice}", ConvergenceWarning, stacklevel=2)
