"""Rates of false alarms on series whose points depend on each other, compared with the requested rates.

    OMP_NUM_THREADS=1 python benchmarks/series_rates.py
    OMP_NUM_THREADS=1 python benchmarks/series_rates.py --seeds 1 --quick --out /tmp/try    # a quick test

A detector of ``SlidingWindows`` is fitted to 2,000 points of a process without anomalies, and alarms are counted on the
6,000 points that follow: each is false. Thresholds are computed from the same scores in two ways: for independent
points, and for blocks, as in ``AnomalyDetector(fpr=)``. Processes are autoregressions x[t] = phi x[t - 1] + noise and
seasons with such noise. Appends a line of JSON for each series to ``benchmarks/results/series_rates.jsonl`` and writes
the newest run to ``benchmarks/results/series_rates.md``.
"""

import argparse
import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mnist import RESULTS
from scipy.signal import lfilter
from speed import machine

from isthmus import AnomalyDetector, SlidingWindows
from isthmus.anomaly.thresholds import at_rate

N_FIT, N_NEW, N_SEEDS = 2_000, 6_000, 6
RATES = (0.05, 0.02)
PACKAGES = ("isthmus", "torch", "numpy", "scipy")


def make_autoregression(phi: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw n points of a stationary autoregression with standard deviation 1."""
    start = rng.standard_normal() * phi
    noise = np.sqrt(1 - phi**2) * rng.standard_normal(n)
    return np.asarray(lfilter([1.0], [1.0, -phi], noise, zi=[start])[0])


def season(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a sine with a period of 50 steps and noise that is correlated over a few steps."""
    return np.sin(2 * np.pi * np.arange(n) / 50) + 0.3 * make_autoregression(0.5, n, rng)


def make_changing_season(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a sine with a period of 48 steps and a changing amplitude, with correlated noise."""
    height = 1 + 0.3 * make_autoregression(0.99, n, rng)
    return height * np.sin(2 * np.pi * np.arange(n) / 48) + 0.5 * make_autoregression(0.9, n, rng)


PROCESSES: dict[str, Callable[[int, np.random.Generator], np.ndarray]] = {
    **{f"AR(1), phi = {phi}": partial(make_autoregression, phi) for phi in (0.0, 0.5, 0.9, 0.99)},
    "season": season,
    "changing season": make_changing_season,
}


def measure(name: str, seed: int, quick: bool) -> dict[str, Any]:
    """Fit a detector, and count its alarms on later points for each rate and each rule."""
    rng = np.random.default_rng([seed, list(PROCESSES).index(name)])
    series = PROCESSES[name](N_FIT + N_NEW, rng)
    sliding = SlidingWindows(lengths=(16,), views=("values",)) if quick else SlidingWindows()
    detector = AnomalyDetector(sliding, random_state=seed).fit(series[:N_FIT])
    known, new, block = detector.calibration_scores_, detector.score_samples(series[N_FIT:]), detector.block_length_
    rates = [
        {
            "requested": rate,
            "points": float(np.mean(new < at_rate(known, rate))),
            "blocks": float(np.mean(new < at_rate(known, rate, block))),
            "bound": max(rate, block / (len(known) + block)),
        }
        for rate in RATES
    ]
    return {"process": name, "seed": seed, "quick": quick, "block": block, "rates": rates}


def table(rows: list[dict[str, Any]]) -> str:
    """Write mean and range over series."""
    head = ["process", "requested", "as independent points", "by blocks", "`fpr_`", "points per block", "series"]
    lines = [head, ["---"] * len(head)]
    for name in [*PROCESSES, "all"]:
        some = [row for row in rows if name in (row["process"], "all")]
        for i, rate in enumerate(RATES):
            rates = {key: [row["rates"][i][key] for row in some] for key in ("points", "blocks", "bound")}
            blocks = f"{np.mean([row['block'] for row in some]):.0f}"
            lines.append(
                [
                    name,
                    str(rate),
                    span(rates["points"]),
                    span(rates["blocks"]),
                    span(rates["bound"]),
                    blocks,
                    str(len(some)),
                ]
            )
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def span(values: list[float]) -> str:
    """Format mean, minimum and maximum of rates."""
    return f"{np.mean(values):.3f} ({min(values):.3f} .. {max(values):.3f})"


def main() -> None:
    """Measure all processes, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=N_SEEDS, help="series of each process")
    parser.add_argument("--quick", action="store_true", help="one short window only")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    common = {"run": datetime.now(UTC).isoformat(timespec="seconds"), **machine(PACKAGES)}
    options.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in range(options.seeds):
        for name in PROCESSES:
            rows.append(measure(name, seed, options.quick))
            with (options.out / "series_rates.jsonl").open("a") as file:
                file.write(json.dumps({**rows[-1], **common}) + "\n")
    (options.out / "series_rates.md").write_text(table(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
