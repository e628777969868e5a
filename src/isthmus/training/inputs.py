"""What each step of a training reads: a batch, the progress and the learning rate."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from isthmus.data.base import Batch, Batches, Plan, Shard
from isthmus.data.transfer import copy_ahead, copy_rows, fits
from isthmus.training.settings import TrainSettings


class StepInputs(NamedTuple):
    """A batch on the device, the progress as a tensor (), and the learning rate as a number or a tensor ()."""

    batch: Batch
    progress: Tensor
    rate: float | Tensor


class StreamedInputs:
    """Batches of the source, each copied to the device for its step.

    Parameters
    ----------
    source : Batches
    settings : TrainSettings
    device : torch.device
    shard : (int, int)
        Rank of this process and number of processes.

    Attributes
    ----------
    n_full : int
        Rows of all steps but the last of an epoch.
    """

    def __init__(self, source: Batches, settings: TrainSettings, device: torch.device, shard: Shard) -> None:
        self.source, self.settings, self.device, self.shard = source, settings, device, shard
        self.n_full = settings.batch_size

    def start_epoch(self, epoch: int, first: int) -> Iterator[int]:
        """Yield the number of rows of each step of an epoch from step ``first``; ``read`` then returns its input."""
        settings, n_rows = self.settings, len(self.source)
        batches = self.source.batches(settings.batch_size, settings.order_seed(epoch), self.shard)
        for step, batch in enumerate(copy_ahead(islice(batches, first, None), self.device), first):
            self._batch, self._progress = batch, settings.progress(epoch, step, n_rows)
            yield len(batch.x)

    def read(self, n_rows: int) -> StepInputs:
        """Return the input of the present step."""
        progress = torch.full((), self._progress, device=self.device)
        return StepInputs(self._batch, progress, self.settings.rate_at(self._progress))


class ResidentInputs:
    """All rows on the device, from which each step gathers the next ones.

    Order, progress and learning rates of an epoch are copied once, and the position is counted on the device. No number
    passes from the processor to the device within a step, so that a step can be recorded and replayed.

    Parameters
    ----------
    source : Batches
        Its ``plan`` is not None.
    settings : TrainSettings
    device : torch.device
    """

    def __init__(self, source: Batches, settings: TrainSettings, device: torch.device) -> None:
        self.source, self.settings = source, settings
        self.rows = copy_rows(source, device)
        self.order = torch.zeros(len(source), dtype=torch.int64, device=device)
        self.schedule = torch.zeros(2, len(self._plan(0).bounds), device=device)
        self.position = torch.zeros((), dtype=torch.int64, device=device)
        self.step = torch.zeros(1, dtype=torch.int64, device=device)
        self.offsets = torch.arange(len(source), device=device)
        self.n_full = self._plan(0).bounds[0][1]

    def start_epoch(self, epoch: int, first: int) -> Iterator[int]:
        """Yield the number of rows of each step; see ``StreamedInputs``."""
        positions, bounds = self._plan(epoch)
        progress = [self.settings.progress(epoch, step, len(self.source)) for step in range(len(bounds))]
        self.order[: len(positions)].copy_(positions)
        self.schedule.copy_(torch.tensor([progress, [self.settings.rate_at(value) for value in progress]]))
        self.step.fill_(first)
        self.position.fill_(sum(stop - start for start, stop in bounds[:first]))
        for start, stop in bounds[first:]:
            yield stop - start

    def read(self, n_rows: int) -> StepInputs:
        """Gather the input of the present step, and count on."""
        index = self.order.take(self.position + self.offsets[:n_rows])
        progress, rate = self.schedule.index_select(1, self.step).squeeze(1)
        batch = self.rows.map(lambda values: values.index_select(0, index))
        self.position += n_rows
        self.step += 1
        return StepInputs(batch, progress, rate)

    def _plan(self, epoch: int) -> Plan:
        plan = self.source.plan(self.settings.batch_size, self.settings.order_seed(epoch))
        assert plan is not None
        return plan


Inputs = StreamedInputs | ResidentInputs


def make_inputs(source: Batches, settings: TrainSettings, device: torch.device, shard: Shard) -> Inputs:
    """Keep the rows on an accelerator if they have random access and fit, for one process; else copy each batch."""
    is_plannable = device.type != "cpu" and shard[1] == 1 and source.plan(settings.batch_size) is not None
    if is_plannable and fits(source, device):
        return ResidentInputs(source, settings, device)
    return StreamedInputs(source, settings, device, shard)
