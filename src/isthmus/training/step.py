"""One step of the optimizer."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn

from isthmus.data.base import Batch
from isthmus.part import Part, built_parts
from isthmus.training.fused import FusedOptimizer, has_hooks
from isthmus.training.group import Group
from isthmus.training.hardware import autocast, uses_bfloat16
from isthmus.training.inputs import StepInputs
from isthmus.training.optimizers import clear_gradients, set_learning_rate
from isthmus.training.settings import TrainSettings
from isthmus.training.state import TrainState

Means = dict[str, Tensor]


class TrainStep:
    """Losses and gradients of a batch, their exchange between processes, and the change of the weights.

    Parameters
    ----------
    state : TrainState
    settings : TrainSettings
    group : Group
    """

    def __init__(self, state: TrainState, settings: TrainSettings, group: Group) -> None:
        self.state, self.group = state, group
        self.parameters = [parameter for parameter in state.model.parameters() if parameter.requires_grad]
        self.parts = built_parts(state.model)
        self.changing = [part for part in self.parts if type(part).after_step is not Part.after_step]
        optimizer = state.optimizer
        self.update: Callable[[], Any] = optimizer.step
        if isinstance(optimizer, FusedOptimizer) and not has_hooks(optimizer):
            self.update = optimizer.update
        self.compute_losses = _make_losses(state.model, settings)

    def __call__(self, inputs: StepInputs, flag: bool = False) -> bool:
        """Make a step; return whether any process passed a true flag."""
        n_rows = len(inputs.batch.x)
        set_learning_rate(self.state.optimizer, inputs.rate)
        clear_gradients(self.parameters)
        if n_rows:
            loss, means = self.compute_losses(inputs.batch, inputs.progress)
            loss.backward()
            self.state.add(means, n_rows)
        flag = self.group.exchange(self.parameters, self.parts, n_rows, flag)
        self.update()
        with torch.no_grad():
            for part in self.changing:
                part.after_step(inputs.progress)
        return flag


def _make_losses(model: nn.Module, settings: TrainSettings) -> Callable[[Batch, Tensor], tuple[Tensor, Means]]:
    """Make the function from a batch and the progress to the loss and the means of the loss, its terms and metrics."""
    forward = torch.compile(model) if settings.compile else model
    lower = uses_bfloat16(settings.precision, model, settings.batch_size)
    device = next(model.parameters()).device

    def compute_losses(batch: Batch, progress: Tensor) -> tuple[Tensor, Means]:
        # For one step only: autocast keeps the weights that it has cast until it ends, and each step changes them.
        with autocast(lower, device):
            terms, metrics = forward(batch.x, batch.y, progress)
            means = {name: _mean(value, batch.weight) for name, value in {**terms, **metrics}.items()}
        loss = reduce(torch.add, (means[name] for name in terms))
        return loss, {"loss": loss, **means}

    return compute_losses


def _mean(value: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean over rows of the weighted values.

    Weights have a mean of 1 over the epoch and not over the batch, so that the gradient is on average that of the
    weighted sum over all rows. A value of the batch as a whole is not weighted.
    """
    return value.mean() if weight is None or not value.ndim else (value * weight.to(value.dtype)).mean()
