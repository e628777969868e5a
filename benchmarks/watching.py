"""Rows that arrive a few at a time: rows a second, and the delay of a micro-batch, on one thread.

    OMP_NUM_THREADS=1 python benchmarks/watching.py
    OMP_NUM_THREADS=1 python benchmarks/watching.py --rows 500 --out /tmp/try    # does it work?

Numpy rows of 30 columns; each detector is fitted once on 5,000 of them, and for every size of batch the detectors take
turns, a batch each: a machine that slows down slows all. The processor's time is told beside the clock's, which on a
busy machine measures the others. A watch decides, keeps the latest rows and tests for drift; the others only score.
Appends a line of JSON for each figure to ``benchmarks/results/watching.jsonl`` and writes the newest run to
``benchmarks/results/watching.md``. A detector that is not installed is left out.
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
    """Fit all, and return what each does with arriving rows."""
    found: dict[str, Score] = {}
    for name, estimator in {"Autoencoder": Autoencoder(4), "Ensemble of 8": BaggedAutoencoders(Autoencoder(4))}.items():
        detector = AnomalyDetector(estimator, calibration="split", random_state=0).fit(X)
        found[name] = detector.score_samples
        found[f"{name}, watched"] = StreamMonitor(detector, random_state=0).update
    found["IsolationForest of scikit-learn"] = IsolationForest(random_state=0).fit(X).score_samples
    if find_spec("pyod"):
        from pyod.models.auto_encoder import AutoEncoder

        found["AutoEncoder of PyOD"] = AutoEncoder(verbose=0, random_state=0).fit(X).decision_function
    return found


def measure(found: dict[str, Score], rows: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """Give every detector the same batches, in turns, and return seconds (n_batches, 2), of clock and processor."""
    batches = [rows[start : start + size] for start in range(0, len(rows) - size + 1, size)]
    delays: dict[str, list[tuple[float, float]]] = {name: [] for name in found}
    for batch in [batches[0], *batches]:
        for name, score in found.items():
            started = time.perf_counter(), time.process_time()
            score(batch)
            delays[name].append((time.perf_counter() - started[0], time.process_time() - started[1]))
    return {name: np.array(taken[1:]) for name, taken in delays.items()}  # the first call warms up


def figures(n_rows: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(2 * N_CAUSES, N_COLUMNS)).astype(np.float32)
    X = block(rng, N_FIT + n_rows, mixing).astype(np.float64)
    found = detectors(X[:N_FIT])
    return [
        {
            "detector": name,
            "batch": size,
            "rows_a_second": size / clock.mean(),
            "median_ms": 1e3 * float(np.median(clock)),
            "p99_ms": 1e3 * float(np.quantile(clock, 0.99)),
            "rows_a_processor_second": size / processor.mean(),
            "median_processor_ms": 1e3 * float(np.median(processor)),
        }
        for size in SIZES
        for name, taken in measure(found, X[N_FIT:][: size * N_BATCHES], size).items()
        for clock, processor in [taken.T]
    ]


COLUMNS = {
    "rows a second": ("rows_a_second", ",.0f"),
    "median delay, ms": ("median_ms", ".2f"),
    "99 % delay, ms": ("p99_ms", ".2f"),
    "rows a second of the processor": ("rows_a_processor_second", ",.0f"),
    "median of the processor, ms": ("median_processor_ms", ".2f"),
}


def table(rows: list[dict[str, Any]]) -> str:
    head = ["detector", "rows a batch", *COLUMNS]
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
    with (options.out / "watching.jsonl").open("a") as file:
        file.writelines(json.dumps({**row, **common}) + "\n" for row in rows)
    (options.out / "watching.md").write_text(table(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
