"""Speed with rows that arrive in small batches: rows per second and delay of a batch, on one thread.

    OMP_NUM_THREADS=1 python benchmarks/monitoring.py
    OMP_NUM_THREADS=1 python benchmarks/monitoring.py --rows 500 --out /tmp/try    # a quick test

Rows are NumPy arrays of 30 columns, and each detector is fitted to 5,000 of them. For each batch size, the detectors
take turns with one batch each, so that a slow machine slows all of them. Processor time is given besides wall-clock
time, which depends on other programs. A monitored detector decides, keeps the latest rows and tests for drift; the
others only score. Appends a line of JSON for each figure to ``benchmarks/results/monitoring.jsonl``, and writes the
newest run to ``benchmarks/results/monitoring.md``. A detector that is not installed is left out.
"""

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mnist import RESULTS
from sklearn.ensemble import IsolationForest
from speed import machine
from streaming import N_CAUSES, N_COLUMNS
from streaming import _block as block

from isthmus import AnomalyDetector, Autoencoder, BaggedAutoencoders
from isthmus.anomaly import StreamMonitor

SIZES = (1, 32, 64, 256)
N_FIT, N_BATCHES, N_ROWS = 5_000, 300, 50_000
PACKAGES = ("isthmus", "torch", "numpy", "scikit-learn", "pyod")
Score = Callable[[np.ndarray], Any]


def detectors(X: np.ndarray) -> dict[str, Score]:
    """Fit all detectors, and return a function of each for arriving rows."""
    found: dict[str, Score] = {}
    for name, estimator in {
        "Autoencoder": Autoencoder(4),
        "BaggedAutoencoders, 8 nets": BaggedAutoencoders(Autoencoder(4)),
    }.items():
        detector = AnomalyDetector(estimator, calibration="split", random_state=0).fit(X)
        found[name] = detector.score_samples
        found[f"{name}, monitored"] = StreamMonitor(detector, random_state=0).update
    found["IsolationForest of scikit-learn"] = IsolationForest(random_state=0).fit(X).score_samples
    if find_spec("pyod"):
        from pyod.models.auto_encoder import AutoEncoder

        found["AutoEncoder of PyOD"] = AutoEncoder(verbose=0, random_state=0).fit(X).decision_function
    return found


def measure(found: dict[str, Score], rows: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """Give every detector the same batches in turns; return wall-clock and processor seconds, (n_batches, 2)."""
    batches = [rows[start : start + size] for start in range(0, len(rows) - size + 1, size)]
    delays: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    for batch in [batches[0], *batches]:
        for name, score in found.items():
            started = time.perf_counter(), time.process_time()
            score(batch)
            delays[name].append((time.perf_counter() - started[0], time.process_time() - started[1]))
    return {name: np.array(taken[1:]) for name, taken in delays.items()}  # the first call is slower and not measured


def figures(n_rows: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(2 * N_CAUSES, N_COLUMNS)).astype(np.float32)
    X = block(rng, N_FIT + n_rows, mixing).astype(np.float64)
    found = detectors(X[:N_FIT])
    return [
        {
            "detector": name,
            "batch": size,
            "rows_per_second": size / clock.mean(),
            "median_ms": 1e3 * float(np.median(clock)),
            "p99_ms": 1e3 * float(np.quantile(clock, 0.99)),
            "rows_per_processor_second": size / processor.mean(),
            "median_processor_ms": 1e3 * float(np.median(processor)),
        }
        for size in SIZES
        for name, taken in measure(found, X[N_FIT:][: size * N_BATCHES], size).items()
        for clock, processor in [taken.T]
    ]


COLUMNS = {
    "rows per second": ("rows_per_second", ",.0f"),
    "median delay, ms": ("median_ms", ".2f"),
    "99 % delay, ms": ("p99_ms", ".2f"),
    "rows per second of processor time": ("rows_per_processor_second", ",.0f"),
    "median processor time, ms": ("median_processor_ms", ".2f"),
}


def table(rows: list[dict[str, Any]]) -> str:
    head = ["detector", "rows per batch", *COLUMNS]
    body = [
        [row["detector"], str(row["batch"]), *(format(row[key], style) for key, style in COLUMNS.values())]
        for row in rows
    ]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [head, ["---"] * len(head), *body])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=N_ROWS, help="rows that arrive")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = figures(options.rows)
    common = {"run": datetime.now(UTC).isoformat(timespec="seconds"), **machine(PACKAGES)}
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "monitoring.jsonl").open("a") as file:
        file.writelines(json.dumps({**row, **common}) + "\n" for row in rows)
    (options.out / "monitoring.md").write_text(table(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
