"""The training loop."""

import math
import operator
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from isthmus.data.base import Batch, Batches
from isthmus.data.transfer import copy_batches, hold_batches
from isthmus.randomness import seeded
from isthmus.training.callback import start_epoch
from isthmus.training.checkpoint import Checkpoint, resume_rng
from isthmus.training.group import SINGLE_PROCESS, Group
from isthmus.training.hardware import keep_freed_memory, limit_threads, widest_float
from isthmus.training.inputs import make_inputs
from isthmus.training.optimizers import clear_gradients, set_learning_rate
from isthmus.training.recording import StepRunner, on_training_stream
from isthmus.training.settings import TrainSettings
from isthmus.training.state import TrainState
from isthmus.training.step import TrainStep

# Seed of corruption and sampled codes in validation, which is the same in all epochs, so that they can be compared.
VALIDATION_SEED = 0
# Smallest batch size of validation, in rows. Without gradients, smaller batches are slower and not better.
VALIDATION_SIZE = 256

EpochFunction = Callable[[TrainState], Any]


class DivergenceError(ValueError):
    """The loss or a weight is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import Autoencoder
    >>> from isthmus.training import DivergenceError
    >>> try:
    ...     Autoencoder(2, learning_rate=1e30, max_epochs=5, random_state=0).fit(np.eye(40))
    ... except DivergenceError as error:
    ...     print("reduce the learning rate")
    reduce the learning rate
    """


def train(
    state: TrainState,
    source: Batches,
    valid: Batches | None,
    settings: TrainSettings,
    callbacks: Sequence[EpochFunction] = (),
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
        Length, rate and precision of the training.
    callbacks : sequence of callables, default=()
        Each is called with the state after every epoch; a true result stops the training. A ``Checkpoint`` also writes
        between epochs.
    group : Group, default=Group(rank=0, size=1)
        The processes that train together.

    Raises
    ------
    DivergenceError
        If the loss or a weight is not finite after the first epoch. In later epochs the best weights so far are
        restored, with a warning.
    KeyboardInterrupt
        If interrupted in the first epoch. In later epochs the best weights so far are restored, with a warning.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import Autoencoder
    >>> from isthmus.training import train
    >>> problem = Autoencoder(2, max_epochs=3, random_state=0).prepare(np.eye(40))
    >>> train(problem.state, problem.rows, problem.valid, problem.settings)
    >>> problem.state.epoch
    3
    """
    model, n_rows, size = state.model, len(source), settings.batch_size
    _check_batch_size(size, n_rows, group)
    checkpoint = next((callback for callback in callbacks if isinstance(callback, Checkpoint)), None)
    first_epoch = state.start_fit()
    if checkpoint:
        checkpoint.resume(state, settings, source, group)
    keep_freed_memory()
    with limit_threads(model, size), on_training_stream(state.device), _restore_best(state):
        inputs = make_inputs(source, settings, state.device, group.shard)
        held_out = None if valid is None else hold_batches(valid, max(size, VALIDATION_SIZE), state.device, group.shard)
        run_step = StepRunner(TrainStep(state, settings, group), inputs, settings)
        for epoch in range(state.epoch - first_epoch, settings.max_epochs):
            started = time.perf_counter()
            start_epoch(callbacks)
            model.train()
            with seeded(settings.noise_seed(epoch, group.rank), state.device):
                resume_rng(state, group)
                for n_rows_of_step in inputs.start_epoch(epoch, state.step):
                    due = run_step(n_rows_of_step, bool(checkpoint and checkpoint.is_due()))
                    state.step += 1
                    if checkpoint and due:
                        checkpoint.write(state, group)
            group.copy_from_first(model.buffers())
            row = state.means_over_rows(n_rows, group)
            row["learning_rate"] = settings.rate_at(settings.progress(epoch, state.step - 1, n_rows))
            set_learning_rate(state.optimizer, row["learning_rate"])
            if held_out is not None:
                row["valid_negative_bound"] = evaluate(model, held_out(), group)
            state.execution = run_step.description
            state.end_epoch({**row, "seconds": time.perf_counter() - started})
            _check_finite(state, source, settings, group)
            state.update_best(settings.anneals(epoch + 1))
            answers = [callback(state) for callback in callbacks]  # calls all, even if one of them stops
            if group.merge(any(answers), operator.or_) or state.epochs_since_best >= (settings.patience or math.inf):
                break
    clear_gradients(model.parameters())


def _check_batch_size(batch_size: int, n_rows: int, group: Group) -> None:
    """Raise ``ValueError`` if a process would have no rows in any batch, and so no losses to report."""
    if group.size > 1 and min(batch_size, n_rows) < 2 * group.size:
        raise ValueError(
            f"batch_size must give each of the {group.size} processes 2 rows or more, "
            f"got batches of {batch_size} of {n_rows} rows"
        )


def evaluate(model: nn.Module, batches: Iterable[Batch], group: Group = SINGLE_PROCESS) -> float:
    """Return the mean negative bound over the rows of all processes.

    Dropout is off. Corruption and sampled codes are the same in each call. Schedules of parts have their final values.
    """
    model.eval()
    device = next(model.parameters()).device
    total = torch.zeros(2, dtype=widest_float(device), device=device)
    # Not inference_mode: buffers that parts assign here must stay usable in the next step.
    with torch.no_grad(), seeded(VALIDATION_SEED, device):
        for x, y, weight in batches:
            bounds = model(x, y).terms["negative_bound"].to(total)
            bounds = bounds if weight is None else bounds * weight
            total += torch.stack([bounds.sum(), total.new_tensor(len(bounds))])
        total = group.all_reduce(total)
    return float(total[0] / total[1])


def _check_finite(state: TrainState, source: Batches, settings: TrainSettings, group: Group) -> None:
    """Raise ``DivergenceError`` unless the losses of the last epoch and the weights after it are finite.

    Without validation rows, the first batch is evaluated: finite weights can be so large that the loss overflows.
    """
    bound = state.row.get("valid_negative_bound")
    if bound is None:
        batches = copy_batches(source, settings.batch_size, state.device, group.shard)
        bound = evaluate(state.model, islice(batches, 1), group)
    weights = torch.stack([parameter.isfinite().all() for parameter in state.model.parameters()]).all()
    for loss in (bound, state.row["loss"], 0.0 if weights else math.nan):
        if not math.isfinite(loss):
            raise DivergenceError(
                f"the loss became {loss} in epoch {state.epoch}; "
                f"lower learning_rate (now {settings.learning_rate:g}) or scale the data"
            )


@contextmanager
def _restore_best(state: TrainState) -> Iterator[None]:
    """Load the best weights after the block, also if the training diverges or is interrupted.

    In that case the optimizer's moments are deleted, because they may not be finite.
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
