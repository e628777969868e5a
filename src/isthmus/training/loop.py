"""The training loop."""

import math
import operator
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from itertools import islice
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor, nn

from isthmus.data.base import Batch, Batches, skip_empty
from isthmus.part import Part, built_parts
from isthmus.randomness import seeded
from isthmus.training.checkpoint import Checkpoint, resume_rng
from isthmus.training.group import SINGLE_PROCESS, Group
from isthmus.training.hardware import autocast, keep_freed_memory, limit_threads, uses_bfloat16
from isthmus.training.optimizers import clear_gradients, set_learning_rate
from isthmus.training.settings import TrainSettings
from isthmus.training.state import TrainState

VALIDATION_SEED = 0
# Minimum batch size of a validation, in rows: without gradients, smaller batches only cost time.
VALIDATION_SIZE = 256

Callback = Callable[[TrainState], Any]
Means = dict[str, Tensor]


class DivergenceError(ValueError):
    """The loss or a weight is not finite."""


def train(
    state: TrainState,
    source: Batches,
    valid: Batches | None,
    settings: TrainSettings,
    callbacks: Sequence[Callback] = (),
    group: Group = SINGLE_PROCESS,
) -> None:
    """Fit a model to a source; keep the weights with the best bound on ``valid``, or without ``valid`` the last ones.

    Parameters
    ----------
    state : TrainState
        Changed in place.
    source : Batches
        Rows to train on.
    valid : Batches or None
        Rows to validate on.
    settings : TrainSettings
    callbacks : sequence of callables
        Each is called with the state after every epoch; a true result stops the training. A ``Checkpoint`` among them
        is also asked after every step.
    group : Group
        The processes that train together.

    Raises
    ------
    DivergenceError
        If the loss or a weight is not finite after the first epoch. In later epochs the best weights so far are
        restored, with a warning.
    KeyboardInterrupt
        If interrupted in the first epoch. In later epochs the best weights so far are restored, with a warning.
    """
    model, optimizer, n_rows, size = state.model, state.optimizer, len(source), settings.batch_size
    _check_batch_size(size, n_rows, group)
    compute_losses = _make_losses(model, settings)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    parts = built_parts(model)
    checkpoint = next((callback for callback in callbacks if isinstance(callback, Checkpoint)), None)
    first_epoch = state.start_fit()
    if checkpoint:
        checkpoint.resume(state, settings, source, group)
    keep_freed_memory()
    with limit_threads(model, size), _restore_best(state):
        for epoch in range(state.epoch - first_epoch, settings.max_epochs):
            started = time.perf_counter()
            model.train()
            with seeded(settings.noise_seed(epoch, group.rank), state.device):
                resume_rng(state, group)
                for batch in islice(source.batches(size, settings.order_seed(epoch), group.shard), state.step, None):
                    progress = settings.progress(epoch, state.step, n_rows)
                    set_learning_rate(optimizer, settings.rate_at(progress))
                    clear_gradients(parameters)
                    if len(batch.x):
                        loss, means = compute_losses(batch, progress)
                        loss.backward()
                        state.add(means, len(batch.x))
                    due = group.exchange(parameters, parts, len(batch.x), bool(checkpoint and checkpoint.is_due()))
                    optimizer.step()
                    _update_parts(parts, state.n_steps, progress)
                    state.step, state.n_steps = state.step + 1, state.n_steps + 1
                    if checkpoint and due:
                        checkpoint.write(state, group)
            group.copy_from_first(model.buffers())
            row = state.means_over_rows(n_rows, group)
            row["learning_rate"] = settings.rate_at(settings.progress(epoch, state.step - 1, n_rows))
            if valid is not None:
                row["valid_negative_bound"] = evaluate(model, _batches_in_order(valid, size, group), group)
            state.end_epoch({**row, "seconds": time.perf_counter() - started})
            _check_finite(state, source, settings, group)
            state.update_best(settings.anneals(epoch + 1))
            answers = [callback(state) for callback in callbacks]  # calls all, even if one of them stops
            if group.merge(any(answers), operator.or_) or state.epochs_since_best >= (settings.patience or math.inf):
                break


def _check_batch_size(batch_size: int, n_rows: int, group: Group) -> None:
    """Raise ``ValueError`` if a process would have no rows in any batch, and so no losses to report."""
    if group.size > 1 and min(batch_size, n_rows) < 2 * group.size:
        raise ValueError(
            f"batch_size must give each of the {group.size} processes 2 rows or more, "
            f"got batches of {batch_size} of {n_rows} rows"
        )


def _make_losses(model: nn.Module, settings: TrainSettings) -> Callable[[Batch, float], tuple[Tensor, Means]]:
    """Make the function from a batch and the progress to the loss and the means of the loss, its terms and metrics."""
    forward = torch.compile(model) if settings.compile else model
    lower = uses_bfloat16(settings.precision, model, settings.batch_size)
    device = next(model.parameters()).device

    def compute_losses(batch: Batch, progress: float) -> tuple[Tensor, Means]:
        x, y, weight = (None if part is None else part.to(device, non_blocking=True) for part in batch)
        # For one step only: autocast keeps the weights that it has cast until it ends, and each step changes them.
        with autocast(lower, device):
            terms, metrics = forward(x, y, torch.full((), progress, device=device))
            means = {name: _mean(value, weight) for name, value in {**terms, **metrics}.items()}
        loss = reduce(torch.add, (means[name] for name in terms))
        return loss, {"loss": loss, **means}

    return compute_losses


def _mean(value: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean over rows of the weighted values.

    Weights have a mean of 1 over the epoch and not over the batch, so that the gradient is on average that of the
    weighted sum over all rows. A value of the batch as a whole is not weighted.
    """
    return value.mean() if weight is None or not value.ndim else (value * weight.to(value.dtype)).mean()


@torch.no_grad()
def _update_parts(parts: Sequence[Part], step: int, progress: float) -> None:
    for part in parts:
        part.after_step(step, progress)


def evaluate(model: nn.Module, batches: Iterable[Batch], group: Group = SINGLE_PROCESS) -> float:
    """Mean negative bound over the rows of all processes.

    Dropout is off. Corruption and sampled codes are the same in each call. Schedules of parts are at their end.
    """
    model.eval()
    device = next(model.parameters()).device
    total = torch.zeros(2, dtype=torch.float64, device=device)
    # Not inference_mode: buffers that parts assign here must stay usable in the next step.
    with torch.no_grad(), seeded(VALIDATION_SEED, device):
        for x, y, weight in batches:
            bounds = model(x.to(device), None if y is None else y.to(device)).terms["negative_bound"].double()
            bounds = bounds if weight is None else bounds * weight.to(device)
            total += torch.stack([bounds.sum(), total.new_tensor(len(bounds))])
        total = group.all_reduce(total)
    return float(total[0] / total[1])


def _batches_in_order(source: Batches, size: int, group: Group) -> Iterator[Batch]:
    return skip_empty(source.batches(max(size, VALIDATION_SIZE), shard=group.shard))


def _check_finite(state: TrainState, source: Batches, settings: TrainSettings, group: Group) -> None:
    """Raise ``DivergenceError`` unless the losses of the last epoch and the weights after it are finite.

    Without validation rows, the first batch is evaluated: finite weights can be so large that the loss overflows.
    """
    bound = state.row.get("valid_negative_bound")
    if bound is None:
        first = islice(skip_empty(source.batches(settings.batch_size, shard=group.shard)), 1)
        bound = evaluate(state.model, first, group)
    weights = torch.stack([parameter.isfinite().all() for parameter in state.model.parameters()]).all()
    for loss in (bound, state.row["loss"], 0.0 if weights else math.nan):
        if not math.isfinite(loss):
            raise DivergenceError(
                f"the loss became {loss} in epoch {state.epoch}; "
                f"lower learning_rate (now {settings.learning_rate:g}) or scale the data"
            )


@contextmanager
def _restore_best(state: TrainState) -> Iterator[None]:
    """Load the best weights after the block, also if training diverged or was interrupted in it.

    The optimizer's moments are forgotten in that case, because they may not be finite.
    """
    try:
        yield
    except (DivergenceError, KeyboardInterrupt) as error:
        if not state.best:
            raise
        reason = str(error) or f"interrupted in epoch {state.epoch + 1}"
        state.optimizer.state.clear()
        warnings.warn(f"{reason}; the best weights so far are kept", ConvergenceWarning, stacklevel=4)
    state.model.load_state_dict(state.best)
    state.model.eval()
