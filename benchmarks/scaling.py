"""Speed of several processes: rows per second of one and two processes, and time of an exchange of gradients.

    python benchmarks/scaling.py                    # about three minutes

Every process computes on one thread. Writes a line of JSON for each figure to ``benchmarks/results/scaling.jsonl`` and
prints tables. ``docs/scaling.md`` explains them.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

RESULTS = Path(__file__).resolve().parent / "results"
# Width of the rows, hidden layers, width of the code.
NETS = {"784-512-256-32": (784, (512, 256), 32), "784-128-32": (784, (128,), 32), "table 30-64-8": (30, (64,), 8)}
BATCHES = (256, 4096)
SIZES = [4 * 10**power for power in range(2, 8)]
EPOCHS = 4


class Machines(NamedTuple):
    """Processes that train together, and assumptions of the cost model; see ``docs/scaling.md``."""

    name: str
    n: int
    per_row: float
    per_step: float
    bandwidth: float
    latency: float


# A row of the first net is 6.5 MFLOP, at 20 TFLOP/s; a step launches some 200 kernels of 5 microseconds.
GPU = {"per_row": 0.33e-6, "per_step": 1e-3}
ASSUMED = [
    Machines("1 GPU", 1, **GPU, bandwidth=math.inf, latency=0),
    Machines("8 GPUs, NVLink", 8, **GPU, bandwidth=200e9, latency=20e-6),
    Machines("64 machines of 1 GPU, InfiniBand", 64, **GPU, bandwidth=25e9, latency=60e-6),
]


def predict_step_seconds(machines: Machines, batch_size: int, n_bytes: float) -> float:
    """Predict the seconds per step: rows of one process, time independent of the rows, and the exchange."""
    _, n, per_row, per_step, bandwidth, latency = machines
    return batch_size / n * per_row + per_step + 2 * (n - 1) / n * n_bytes / bandwidth + latency


def fit(net: str, batch_size: int) -> dict[str, Any]:
    """Time the epochs of a fit except the first, which allocates memory."""
    from isthmus import Autoencoder
    from isthmus.backbones import MLP

    width, hidden, code = NETS[net]
    n_rows = min(2**16, max(40 * batch_size, 2**23 // width))
    X = np.random.default_rng(0).standard_normal((n_rows, width), dtype=np.float32)
    options = {"validation_fraction": 0, "max_epochs": EPOCHS, "random_state": 0}
    model = Autoencoder(code, backbone=MLP(hidden), batch_size=batch_size, **options).fit(X)
    seconds = float(np.median([row["seconds"] for row in model.history_[1:]]))
    n_weights = sum(p.numel() for p in model.module_.parameters())
    return {
        "rows_per_second": n_rows / seconds,
        "seconds_per_step": seconds / (n_rows / batch_size),
        "bytes_per_step": 4 * (n_weights + 2),
    }


def exchange(n_bytes: int) -> dict[str, Any]:
    """Time the sum of float32 arrays over all processes."""
    import torch
    from torch import distributed

    values = torch.ones(n_bytes // 4)
    times = []
    for _ in range(max(5, min(200, 10**8 // n_bytes))):
        distributed.barrier()
        started = time.perf_counter()
        distributed.all_reduce(values)
        times.append(time.perf_counter() - started)
    return {"seconds": float(np.median(times[2:]))}


def work() -> None:
    """Run one of the processes; the first one prints the results."""
    from isthmus.training import Group

    group = Group.current()
    rows = [{"net": net, "batch_size": size, **fit(net, size)} for net in NETS for size in BATCHES]
    if group.size > 1:
        rows += [{"exchange": size, **exchange(size)} for size in SIZES]
    if group.rank == 0:
        for row in rows:
            print(json.dumps({"processes": group.size, **row}), flush=True)


def measure(n: int) -> list[dict[str, Any]]:
    """Start processes with one thread each."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={n}", __file__]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, "--work"], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def show(one: list[dict[str, Any]], two: list[dict[str, Any]]) -> None:
    """Print the tables of ``docs/scaling.md``."""
    print("| net | batch | bytes per step | us per row | rows per second: 1 | 2 | speed-up |\n" + "| --- " * 7 + "|")
    for a, b in zip(one, [row for row in two if "net" in row], strict=True):
        pace = a["rows_per_second"], b["rows_per_second"]
        print(
            f"| {a['net']} | {a['batch_size']} | {a['bytes_per_step']:,} | {1e6 / pace[0]:.2f} "
            f"| {pace[0]:,.0f} | {pace[1]:,.0f} | {pace[1] / pace[0]:.2f} |"
        )
    print("\n| bytes summed over 2 processes | microseconds | MB/s |\n" + "| --- " * 3 + "|")
    for row in two:
        if "exchange" in row:
            size, seconds = row["exchange"], row["seconds"]
            print(f"| {size:,} | {1e6 * seconds:,.0f} | {size / seconds / 1e6:,.0f} |")


def print_predictions(n_bytes: float) -> None:
    """Print predictions of the cost model for larger machines, for small and large batches."""
    print("\n| machines | batch | milliseconds per step | million rows per second | speed-up |\n" + "| --- " * 5 + "|")
    for batch_size in (4096, 65536, 4096 * 64):
        alone = predict_step_seconds(ASSUMED[0], batch_size, n_bytes)
        for machines in ASSUMED:
            seconds = predict_step_seconds(machines, batch_size, n_bytes)
            pace = batch_size / seconds / 1e6
            print(f"| {machines.name} | {batch_size:,} | {1e3 * seconds:.2f} | {pace:.1f} | {alone / seconds:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", action="store_true", help="run one of the processes")
    if parser.parse_args().work:
        work()
        return
    one, two = measure(1), measure(2)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scaling.jsonl").write_text("".join(json.dumps(row) + "\n" for row in one + two))
    show(one, two)
    print_predictions(one[0]["bytes_per_step"])


if __name__ == "__main__":
    main()
