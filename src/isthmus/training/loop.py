"""The training loop."""

import math
import operator
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from isthmus.data.base import Batch, Batches, skip_empty
from isthmus.losses import Losses
from isthmus.randomness import mix, seeded
from isthmus.training.checkpoint import Checkpoint, resume_rng
from isthmus.training.group import SINGLE_PROCESS, Group
from isthmus.training.hardware import autocast, keep_freed_memory, limit_threads, uses_bfloat16
from isthmus.training.schedules import Schedule, resolve_schedule
from isthmus.training.state import Row, TrainState, copy_weights

VALIDATION_SEED = 0
EVALUATION_SIZE = 256

Callback = Callable[[TrainState], Any]


@dataclass
class _Plan:
    """What stays the same throughout a training."""

    forward: Callable[..., Losses]
    parameters: list[nn.Parameter]
    source: Batches
    batch_size: int
    max_epochs: int
    learning_rate: float
    schedule: Schedule
    patience: int | None
    precision: str
    uses_bfloat16: bool
    open_ended: bool
    seed: int
    group: Group
    checkpoint: Checkpoint | None

    @property
    def device(self) -> torch.device:
        """Where to compute."""
        return self.parameters[0].device

    @property
    def n_batches(self) -> int:
        """Steps an epoch."""
        return math.ceil(len(self.source) / self.batch_size)

    @property
    def settings(self) -> dict[str, Any]:
        """What must be the same for a training to go on from a checkpoint."""
        names = ("max_epochs", "batch_size", "learning_rate", "patience", "precision", "seed")
        settings = {name: getattr(self, name) for name in names}
        return settings | {"schedule": self.schedule.name, "n_rows": len(self.source)}

    def progress(self, state: TrainState) -> float:
        """Share of the training that is done."""
        n_steps = self.max_epochs * self.n_batches
        return 1.0 if self.open_ended else (state.epoch * self.n_batches + state.step) / n_steps


def train(
    state: TrainState,
    source: Batches,
    valid: Batches | None = None,
    *,
    max_epochs: int,
    batch_size: int,
    learning_rate: float,
    schedule: str = "one_cycle",
    patience: int | None = None,
    precision: str = "auto",
    compile: bool = False,
    callbacks: Sequence[Callback] = (),
    open_ended: bool = False,
    seed: int = 0,
    group: Group = SINGLE_PROCESS,
) -> None:
    """Fit a model to a source, and leave in it the weights that were best on ``valid``, or the last.

    Parameters
    ----------
    state : TrainState
        Changed in place.
    source, valid : Feed
        Rows to train on and rows to watch.
    patience : int or None
        Epochs without a better bound on ``valid`` before training stops; counted once the learning rate falls.
    callbacks : sequence of callables
        Each is called with the state after every epoch; a true answer stops the training. A ``Checkpoint`` among them
        is asked after every step.
    open_ended : bool
        Whether nobody knows how many epochs will follow; then schedules of parts are at their end throughout.
    group : Group
        The processes that train together.

    Raises
    ------
    ValueError
        If the loss is not finite in the first epoch. Later the last good weights come back, with a warning.
    KeyboardInterrupt
        If interrupted in the first epoch. Later the best weights so far are kept, with a warning.
    """
    _check_shares(group, batch_size, len(source))
    plan = _Plan(
        torch.compile(state.model) if compile else state.model,
        list(state.model.parameters()),
        source,
        batch_size,
        max_epochs,
        learning_rate,
        resolve_schedule(schedule),
        patience,
        precision,
        uses_bfloat16(precision, state.model, batch_size),
        open_ended,
        seed,
        group,
        next((callback for callback in callbacks if isinstance(callback, Checkpoint)), None),
    )
    state.epoch = state.step = state.epochs_since_best = 0
    if plan.checkpoint is not None:
        first_batch = next(source.batches(batch_size, _order_seed(seed, 0)))
        plan.checkpoint.resume(state, plan.settings, first_batch, group)
    keep_freed_memory()
    try:
        with limit_threads(state.model, batch_size):
            _train_epochs(plan, state, valid, callbacks)
    except KeyboardInterrupt:
        _keep_best(state)
    if valid is not None:
        state.model.load_state_dict(state.best)
    state.model.eval()


def _check_shares(group: Group, batch_size: int, n_rows: int) -> None:
    """Raise ``ValueError`` where a process would go without rows, and so without terms to add up."""
    if group.size > 1 and min(batch_size, n_rows) < 2 * group.size:
        raise ValueError(
            f"batch_size must give each of the {group.size} processes 2 rows or more, "
            f"got batches of {batch_size} of {n_rows} rows"
        )


def _train_epochs(plan: _Plan, state: TrainState, valid: Batches | None, callbacks: Sequence[Callback]) -> None:
    while state.epoch < plan.max_epochs:
        started = time.perf_counter()
        if valid is None and not state.step:
            state.start = copy_weights(state.model)
        row = _train_epoch(plan, state)
        if valid is not None:
            row["valid_negative_bound"] = evaluate(state.model, valid, plan.batch_size, plan.group)
        row["seconds"] = time.perf_counter() - started
        state.history.append({"epoch": len(state.history) + 1, **row})
        state.epoch, state.step, state.totals = state.epoch + 1, 0, {}
        if not math.isfinite(row.get("valid_negative_bound", row["loss"])):
            _restore_last_good(state, plan.learning_rate)
            break
        _update_best(plan, state, valid is not None)
        answers = [callback(state) for callback in callbacks]  # all are called, also those after one that wants to stop
        if plan.group.merge(any(answers), operator.or_) or (
            valid is not None and plan.patience is not None and state.epochs_since_best >= plan.patience
        ):
            break


def _update_best(plan: _Plan, state: TrainState, watched: bool) -> None:
    """Keep the weights if they are the best so far, and count the epochs since."""
    better = watched and state.row["valid_negative_bound"] < state.best_bound
    annealing = state.epoch / plan.max_epochs > plan.schedule.anneals_from
    state.epochs_since_best = state.epochs_since_best + 1 if annealing and not better else 0
    if better:
        state.best, state.best_bound = copy_weights(state.model), state.row["valid_negative_bound"]
    elif not watched:
        state.best = state.start  # shown to be good by an epoch that began with them


def evaluate(model: nn.Module, source: Batches, size: int = EVALUATION_SIZE, group: Group = SINGLE_PROCESS) -> float:
    """Mean bound over a source: dropout off, corruption and draws on and the same each time, schedules at their end."""
    model.eval()
    device = next(model.parameters()).device
    total = torch.zeros(2, dtype=torch.float64, device=device)
    with torch.inference_mode(), seeded(VALIDATION_SEED, device):
        for x, y, weight in skip_empty(source.batches(max(size, EVALUATION_SIZE), shard=group.shard)):
            bounds = model(x.to(device), None if y is None else y.to(device)).terms["negative_bound"].double()
            bounds = bounds if weight is None else bounds * weight.to(device)
            total += torch.stack([bounds.sum(), total.new_tensor(len(bounds))])
        total = group.all_reduce(total)
    return float(total[0] / total[1])


def _train_epoch(plan: _Plan, state: TrainState) -> Row:
    state.model.train()
    batches = plan.source.batches(plan.batch_size, _order_seed(plan.seed, state.epoch), plan.group.shard)
    with ExitStack() as stack:
        stack.enter_context(seeded(_noise_seed(plan, state.epoch), plan.device))
        resume_rng(state, plan.device, plan.group)
        for batch in islice(batches, state.step, None):
            due = _train_batch(plan, state, batch)
            if due and plan.checkpoint is not None:
                plan.checkpoint.write(state, plan.device, plan.group)
    plan.group.copy_from_first(state.model.buffers())
    sums = plan.group.all_reduce(torch.stack(list(state.totals.values())))
    means = dict(zip(state.totals, (sums / len(plan.source)).tolist(), strict=True))
    return {**means, "learning_rate": state.optimizer.param_groups[0]["lr"]}


def _train_batch(plan: _Plan, state: TrainState, batch: Batch) -> bool:
    """Make one step, and say whether a checkpoint is due."""
    progress = plan.progress(state)
    for group in state.optimizer.param_groups:
        group["lr"] = float(plan.learning_rate) * plan.schedule.factor(progress)
    for parameter in plan.parameters:
        parameter.grad = None
    means = _backward(plan, batch, torch.full((), progress, device=plan.device)) if len(batch.x) else {}
    for name, mean in means.items():
        # On the device: reading a number here would make the processor wait for the accelerator at every batch.
        state.totals[name] = torch.add(state.totals.get(name, 0.0), mean, alpha=len(batch.x))
    due = plan.checkpoint is not None and plan.checkpoint.is_due()
    due = plan.group.average_gradients(plan.parameters, len(batch.x), due)
    state.optimizer.step()
    state.step += 1
    return due


def _backward(plan: _Plan, batch: Batch, progress: Tensor) -> dict[str, Tensor]:
    """Compute the gradients of the loss; return the loss and the mean of each term and metric."""
    x, y, weight = (None if part is None else part.to(plan.device, non_blocking=True) for part in batch)
    # One step long: autocast keeps the weights it has cast until it ends, and the next step has others.
    with autocast(plan.uses_bfloat16, plan.device):
        terms, metrics = plan.forward(x, y, progress)
        means = {name: _mean(value, weight) for name, value in {**terms, **metrics}.items()}
    loss = reduce(torch.add, (means[name] for name in terms))
    loss.backward()
    return {name: value.detach() for name, value in {"loss": loss, **means}.items()}


def _mean(term: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean of a term over rows, whose weights have a mean of 1 over the epoch and not over the batch.

    So its gradient is on average that of the weighted sum over all rows. A term of the batch as a whole has no weights.
    """
    return term.mean() if weight is None or not term.ndim else (term * weight.to(term.dtype)).mean()


def _order_seed(seed: int, epoch: int) -> int:
    """Seed for the order of the rows, which all processes share."""
    return mix(seed, epoch, 1)


def _noise_seed(plan: _Plan, epoch: int) -> int:
    """Seed for corruption and draws, of each process its own."""
    return mix(plan.seed, epoch, *([2, plan.group.rank] if plan.group.rank else []))


def _keep_best(state: TrainState) -> None:
    """Go back to the best weights when interrupted, or go on with the interruption if there are none."""
    if not state.best:
        raise KeyboardInterrupt
    # Without validation the last epoch's weights are the best if they are good, which nothing has shown yet.
    good = state.start and all(bool(value.isfinite().all()) for value in state.start.values())
    state.model.load_state_dict(state.start if good else state.best)
    what = f"interrupted in epoch {state.epoch + 1}; the best weights so far are kept"
    warnings.warn(what, ConvergenceWarning, stacklevel=3)


def _restore_last_good(state: TrainState, learning_rate: float) -> None:
    """Go back to the last good weights when the loss is no longer a number, or say that there are none."""
    bound = state.row.get("valid_negative_bound", state.row["loss"])
    what = f"the loss became {bound} in epoch {len(state.history)}"
    advice = f"lower learning_rate (now {learning_rate:g}) or scale the data"
    if not state.best:
        raise ValueError(f"{what}; {advice}")
    state.model.load_state_dict(state.best)
    warnings.warn(f"{what}; the last good weights are kept: {advice}", ConvergenceWarning, stacklevel=3)
