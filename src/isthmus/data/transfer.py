"""Copies of rows to an accelerator."""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

from isthmus.data.base import Batch, Batches, Shard, skip_empty

# Largest share of the free memory of an accelerator for the rows. The other half is for the computation; not tuned.
MAX_SHARE = 0.5
# Bytes of the rows that are copied at once. Bounds the memory that the copy needs beside the rows, which may be sparse.
COPIED_BYTES = 2**26
# Batches that an accelerator computes at once without gradients, because it computes them in about the time of one.
N_BATCHES_AT_ONCE = 16


def hold_batches(source: Batches, size: int, device: torch.device, shard: Shard) -> Callable[[], Iterable[Batch]]:
    """Make a function that returns the batches of the rows in order, which are kept on an accelerator if they fit."""
    if device.type == "cpu" or not fits(source, device):
        return lambda: copy_batches(source, size, device, shard)
    batches = list(copy_batches(source, size * N_BATCHES_AT_ONCE, device, shard))
    return lambda: batches


def copy_batches(source: Batches, size: int, device: torch.device, shard: Shard) -> Iterator[Batch]:
    """Yield the batches of the rows in order, on a device."""
    return (batch.to(device) for batch in skip_empty(source.batches(size, shard=shard)))


def fits(source: Batches, device: torch.device) -> bool:
    """Whether all rows with labels and weights fit on a device."""
    return len(source) * _row_bytes(next(source.batches(1))) <= MAX_SHARE * free_memory(device)


def _row_bytes(row: Batch) -> int:
    """Return the size of a batch of one row."""
    return sum(values.nbytes for values in row if values is not None)


def copy_rows(source: Batches, device: torch.device) -> Batch:
    """Copy all rows to the device, in blocks."""
    first, n_done = next(source.batches(1)).to(device), 0
    rows = first.map(lambda values: values.new_empty((len(source), *values.shape[1:])))
    for batch in source.batches(max(1, COPIED_BYTES // _row_bytes(first))):
        for values, block in zip(rows, batch, strict=True):
            if values is not None and block is not None:
                values[n_done : n_done + len(batch.x)].copy_(block)
        n_done += len(batch.x)
    return rows


def copy_ahead(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Copy batches to a device; to a CUDA device, the next batch is copied during the step of the current batch."""
    if device.type != "cuda":
        yield from batches if device.type == "cpu" else (batch.to(device) for batch in batches)
        return
    stream, copied = torch.cuda.Stream(device), list[tuple[Batch, torch.cuda.Event]]()
    for batch in batches:
        with torch.cuda.stream(stream):
            pinned = batch.map(Tensor.pin_memory)
            copied.append((pinned.to(device), stream.record_event()))
        if len(copied) > 1:
            yield _wait_for(*copied.pop(0))
    yield from (_wait_for(*each) for each in copied)


def _wait_for(batch: Batch, event: "torch.cuda.Event") -> Batch:
    """Make the current stream wait for a copy, and keep the memory of the copy until the current stream has used it."""
    present = torch.cuda.current_stream()
    present.wait_event(event)
    for values in batch:
        if values is not None:
            values.record_stream(present)
    return batch


def free_memory(device: torch.device) -> int:
    """Return the free memory of an accelerator in bytes."""
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return int(getattr(torch, device.type).mem_get_info(device)[0])
