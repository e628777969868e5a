"""Loops in PyTorch for any net: with ``DataLoader``, with all rows on the device, and with a captured step.

The last is the limit for a training step by step on an accelerator: one CUDA graph, in which nothing waits.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from peers_common import BATCH, RATE, Fitted, Peer, make_error, split_calls, stack, torch_device

# Steps before the capture, as torch's notes on CUDA graphs ask for.
N_WARM = 3
Loop = Callable[[Any, Any, int], list[float]]


def fit(widths: tuple[int, ...], x: np.ndarray, epochs: int, loop: Loop) -> Fitted:
    """Fit the net of the widths by a loop."""
    from torch import nn

    encoder = stack(widths)
    return fit_net(nn.Sequential(encoder, stack(widths[::-1], linear_end=True)), encoder, widths[:1], x, epochs, loop)


def fit_net(net: Any, encoder: Any, shape: tuple[int, ...], x: np.ndarray, epochs: int, loop: Loop) -> Fitted:
    """Fit a net, whose input has a shape, by a loop."""
    import torch

    torch.manual_seed(0)
    net.to(torch_device())
    seconds = loop(net, torch.from_numpy(x).view(-1, *shape), epochs)

    def call(module: Any, x: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return module(torch.from_numpy(x).view(-1, *shape).to(torch_device())).flatten(1).cpu().numpy()

    rebuild, encode = partial(call, net), partial(call, encoder)
    return Fitted(seconds, make_error(rebuild), split_calls(rebuild), split_calls(encode))


def with_loader(net: Any, rows: Any, epochs: int) -> list[float]:
    """Train as PyTorch's tutorials do."""
    from torch.utils.data import DataLoader, TensorDataset

    step, loader = make_step(net), DataLoader(TensorDataset(rows), batch_size=BATCH, shuffle=True)

    def epoch() -> None:
        for (batch,) in loader:
            step(batch.to(torch_device()))

    return time_epochs(epoch, epochs)


def resident(net: Any, rows: Any, epochs: int) -> list[float]:
    """Gather each batch from rows on the device."""
    import torch

    rows = rows.to(torch_device())
    step = make_step(net, fused=True)

    def epoch() -> None:
        for index in torch.randperm(len(rows), device=rows.device).split(BATCH):
            step(rows[index])

    return time_epochs(epoch, epochs)


def captured(net: Any, rows: Any, epochs: int) -> list[float]:
    """Capture one step as a CUDA graph, with the position in the order of the rows counted on the device."""
    import torch

    rows = rows.to("cuda")
    step = make_step(net, fused=True, capturable=True)
    order, position = torch.randperm(len(rows), device="cuda"), torch.zeros((), dtype=torch.int64, device="cuda")
    offsets = torch.arange(BATCH, device="cuda")

    def next_step() -> None:
        step(rows.index_select(0, order.take(position + offsets)))
        position.add_(BATCH)

    replay = capture(next_step)

    def epoch() -> None:
        order.copy_(torch.randperm(len(rows), device="cuda"))
        position.zero_()
        for _ in range(len(rows) // BATCH):
            replay()
        if rest := len(rows) % BATCH:
            step(rows[order[-rest:]])

    return time_epochs(epoch, epochs)


def capture(step: Callable[[], None]) -> Callable[[], None]:
    """Warm a step up on a stream of its own, capture it, and return what runs it again."""
    import torch

    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(N_WARM):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def make_step(net: Any, **options: Any) -> Callable[[Any], None]:
    """Make the function that trains a net on a batch."""
    import torch

    optimizer = torch.optim.Adam(net.parameters(), lr=RATE, **options)

    def step(batch: Any) -> None:
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(net(batch), batch).backward()
        optimizer.step()

    return step


def time_epochs(epoch: Callable[[], None], n_epochs: int) -> list[float]:
    """Seconds of each epoch, until the device has done all of it."""
    import torch

    seconds = []
    for _ in range(n_epochs):
        started = time.perf_counter()
        epoch()
        if torch_device() == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return seconds


LOOPS: dict[str, Loop] = {"torch": with_loader, "torch-resident": resident, "torch-captured": captured}
TORCH_PEERS = {name: Peer(partial(fit, loop=loop), ("torch",)) for name, loop in LOOPS.items()}
