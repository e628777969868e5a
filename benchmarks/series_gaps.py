"""Errors of imputed gaps of series.

    OMP_NUM_THREADS=1 python benchmarks/series_gaps.py --data DIR
    OMP_NUM_THREADS=1 python benchmarks/series_gaps.py --data DIR --points 1500 --out /tmp/try    # a quick test

DIR holds ``nab`` (Numenta anomaly benchmark) and ``smd`` (server machine dataset). Single values, blocks of 6 and
blocks of 24 steps are hidden, each kind in 5 % of the points. All of them are missing in ``fit``, and those of one size
are imputed at a time. Errors are root mean squares in standard deviations of a channel. ``zoo.imputer`` imputes
windows, and overlapping windows are averaged. Writes ``benchmarks/results/series_gaps.md``.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from mnist import RESULTS

from isthmus import SeriesImputer, zoo
from isthmus.data import Windows

SIZES, SHARE, LENGTH, N_POINTS = (1, 6, 24), 0.05, 64, 6000
NAB = {"nyc_taxi": 48, "ambient_temperature_system_failure": 24, "machine_temperature_system_failure": 288}


def load_series(data: Path, n_points: int) -> dict[str, tuple[np.ndarray, int]]:
    """Read series (n_points, n_channels) and their periods."""
    found = {}
    for name, period in NAB.items():
        frame = pd.read_csv(data / "nab" / "data" / "realKnownCause" / f"{name}.csv.gz")
        found[f"NAB {name}"] = frame["value"].to_numpy(float)[:n_points, None], period
    machine = np.load(data / "smd" / "machine-1-6.npz")
    train = machine[next(key for key in machine if "train" in key)][:n_points].astype(float)
    found["SMD machine-1-6"] = train[:, train.std(0) > 0.02][:, :4], 60
    return found


def hide(series: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Hide blocks that do not touch; half of them are in one channel only."""
    broken = series.copy()
    n_places = len(series) // (2 * size) - 2
    for place in rng.choice(n_places, int(SHARE * len(series) / size), replace=False):
        channel = rng.integers(series.shape[1]) if rng.random() < 0.5 else slice(None)
        start = (2 * place + 1) * size
        broken[start : start + size, channel] = np.nan
    return broken


def fill_by_season(broken: np.ndarray, period: int) -> np.ndarray:
    """Impute the mean of the same phase."""
    phase = np.arange(len(broken)) % period
    profile = pd.DataFrame(broken).groupby(phase).mean().to_numpy()
    return np.where(np.isnan(broken), profile[phase], broken)


def fill_by_windows(train: np.ndarray) -> Any:
    """Fit ``zoo.imputer`` to windows, and return a function that imputes a series."""
    windows = Windows(train, LENGTH)
    model = zoo.imputer(random_state=0).fit(windows)
    return lambda broken: np.where(
        np.isnan(broken), windows.spread(model.reconstruct(windows.like(broken))).reshape(broken.shape), broken
    )


def errors(series: np.ndarray, period: int) -> dict[str, list[float]]:
    """Return the error of each method for gaps of each size."""
    rng = np.random.default_rng(0)
    broken = {size: hide(series, size, rng) for size in SIZES}
    train = np.where(np.any([np.isnan(each) for each in broken.values()], 0), np.nan, series)
    methods = {
        "linear interpolation": lambda x: pd.DataFrame(x).interpolate(limit_direction="both").to_numpy(),
        "last value": lambda x: pd.DataFrame(x).ffill().bfill().to_numpy(),
        "seasonal mean": lambda x: fill_by_season(x, period),
        "`zoo.imputer` on windows": fill_by_windows(train),
        "`SeriesImputer`": SeriesImputer(random_state=0).fit(train).impute,
    }
    return {
        name: [compute_rms((fill(x) - series) / series.std(0), np.isnan(x)) for x in broken.values()]
        for name, fill in methods.items()
    }


def compute_rms(values: np.ndarray, where: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values[where] ** 2)))


def main() -> None:
    """Measure all series, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with nab and smd")
    parser.add_argument("--points", type=int, default=N_POINTS, help="points of each series")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = [["series", "imputed by", *(f"{size} step{'s' * (size > 1)}" for size in SIZES)], ["---"] * 5]
    for name, (series, period) in load_series(options.data, options.points).items():
        for method, found in errors(series, period).items():
            lines.append([name, method, *(f"{error:.3f}" for error in found)])
    table = "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "series_gaps.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
