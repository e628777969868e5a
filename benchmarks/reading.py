"""Time to read a clean CSV file, compared with pyarrow's type inference with one block, which also uses all cells.

Run ``python benchmarks/reading.py [rows]``; a million rows are about 100 MB.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import pyarrow as pa
from pyarrow import csv

from isthmus.data.files import read

N_REPEATS = 3


def make_file(path: Path, n_rows: int) -> None:
    """Write numbers, identifiers, categories and dates."""
    rng = np.random.default_rng(0)
    days = np.datetime64("2020-01-01") + rng.integers(0, 1000, n_rows)
    columns = {f"x{i}": np.round(rng.normal(size=n_rows), 4) for i in range(8)}
    names = np.array([f"city {i}" for i in range(500)])
    columns |= {"count": rng.integers(0, 1000, n_rows), "id": np.arange(n_rows), "day": days.astype("M8[D]")}
    csv.write_csv(pa.table({**columns, "city": names[rng.integers(0, 500, n_rows)]}), path)


def read_by_pyarrow(path: Path) -> pa.Table:
    """Read a file in one block."""
    return csv.read_csv(path, csv.ReadOptions(block_size=path.stat().st_size + 1))


def measure(function: Callable[[Path], object], path: Path) -> tuple[float, float]:
    """Return the shortest wall-clock and processor time of several runs."""
    times = []
    for _ in range(N_REPEATS):
        start = perf_counter(), process_time()
        function(path)
        times.append((perf_counter() - start[0], process_time() - start[1]))
    wall, processor = zip(*times, strict=True)
    return min(wall), min(processor)


def main(n_rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        make_file(path, n_rows)
        print(f"{path.stat().st_size / 1e6:.0f} MB, {n_rows:,} rows; shortest of {N_REPEATS} runs, seconds")
        for name, function in (("pyarrow", read_by_pyarrow), ("isthmus", read)):
            wall, processor = measure(function, path)
            print(f"{name}: {wall:.2f} of wall-clock time, {processor:.2f} of processor time")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
