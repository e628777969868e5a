"""Time and peak memory for wide tables and long ones: reading, fit, preparation, doctor and detection.

    python benchmarks/wide.py                                                             # a few minutes
    python benchmarks/wide.py --mixed 500 1000 2000 5000 --genes 20000 --rows 1000000     # the sizes of wide.md

Each figure is measured in a process of its own, with two epochs for each fit. The table goes to
``benchmarks/results/wide.md``, below the text that stands there.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pandas as pd

RESULT = Path(__file__).resolve().parent / "results" / "wide.md"
TITLE = "## Figures"


def make_mixed(n_rows: int, n_columns: int) -> pd.DataFrame:
    """Make a data frame of numbers, categories, dates and truth values, in turn."""
    rng, columns = np.random.default_rng(0), {}
    for i in range(n_columns):
        makers = (
            lambda: rng.normal(size=n_rows),
            lambda: np.array(["Oslo", "Rome", "Lima"], dtype=object)[rng.integers(0, 3, n_rows)],
            lambda: np.datetime64("2024-01-01", "us") + rng.integers(0, 900, n_rows) * np.timedelta64(1, "D"),
            lambda: rng.random(n_rows) < 0.5,
        )
        columns[f"column {i}"] = makers[i % 4]()
    return pd.DataFrame(columns)


def make_genes(n_rows: int, n_columns: int) -> pd.DataFrame:
    """Make a data frame of numbers with five common causes."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(n_rows, 5)) @ rng.normal(size=(5, n_columns)) + rng.normal(size=(n_rows, n_columns))
    return pd.DataFrame(values, columns=[f"gene {i}" for i in range(n_columns)])


def make_gene_array(n_rows: int, n_columns: int) -> np.ndarray:
    """Make the same numbers as an array."""
    return make_genes(n_rows, n_columns).to_numpy()


def read(X: Any) -> None:
    from isthmus.data import as_source
    from isthmus.data.validation import check_cells, compute_statistics

    source = as_source(X)
    check_cells(source, compute_statistics(source))


def fit(X: Any) -> None:
    from isthmus import Autoencoder

    Autoencoder(8, max_epochs=2, random_state=0).fit(X)


def prepare(X: Any) -> None:
    from isthmus.preparing import prepare

    prepare(X, scaling="auto", random_state=0)


def examine(X: Any) -> None:
    from isthmus.doctor import examine

    examine(X)


def detect(X: Any) -> None:
    from isthmus import AnomalyDetector, Autoencoder

    AnomalyDetector(Autoencoder(8, max_epochs=2, random_state=0), random_state=0).fit(X).predict(X)


MAKERS = {"mixed": make_mixed, "genes": make_genes, "genes, array": make_gene_array}
TASKS: dict[str, Callable[[Any], None]] = {
    "read": read,
    "fit": fit,
    "prepare": prepare,
    "doctor": examine,
    "detect": detect,
}


def peak_memory() -> float:
    """Return the peak of resident memory in GiB."""
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def run(kind: str, n_rows: int, n_columns: int, task: str) -> tuple[float, float]:
    """Return the seconds of processor time of a task in this process, and the peak memory in GiB."""
    TASKS["read"](MAKERS[kind](50, 8))  # imports
    X = MAKERS[kind](n_rows, n_columns)
    started = process_time()
    TASKS[task](X)
    return process_time() - started, peak_memory()


def measure(kind: str, n_rows: int, n_columns: int, task: str) -> tuple[float, float]:
    """Run a task in a process of its own, with one thread."""
    command = [sys.executable, __file__, "--run", kind, str(n_rows), str(n_columns), task]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


def make_table(sizes: list[tuple[str, int, int]]) -> list[str]:
    """Measure all tasks at all sizes, and return the lines of a table."""
    lines = [f"| table | {' | '.join(TASKS)} |", f"| --- |{' --- |' * len(TASKS)}"]
    for kind, n_rows, n_columns in sizes:
        cells = []
        for task in TASKS:
            if task == "prepare" and kind == "genes, array":  # takes data frames only
                cells.append("-")
                continue
            seconds, peak = measure(kind, n_rows, n_columns, task)
            cells.append(f"{seconds:.1f} s, {peak:.2f} GiB")
            print(f"{kind}, {n_rows:,} x {n_columns:,}, {task}: {cells[-1]}", flush=True)
        lines.append(f"| {kind}, {n_rows:,} x {n_columns:,} | {' | '.join(cells)} |")
    return lines


def write(lines: list[str]) -> None:
    """Replace the table below the text of the results."""
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "pandas"))
    where = f"Python {platform.python_version()}, {versions}, one thread of {os.cpu_count()} cores."
    text = RESULT.read_text().partition(TITLE)[0] if RESULT.exists() else "# Wide tables and long ones\n\n"
    RESULT.write_text("\n".join([f"{text}{TITLE}", "", where, "", *lines]) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mixed", type=int, nargs="*", default=[500, 1000], help="columns of mixed tables of 60 rows")
    parser.add_argument("--genes", type=int, nargs="*", default=[2000], help="columns of tables of numbers of 200 rows")
    parser.add_argument("--rows", type=int, nargs="*", default=[20_000], help="rows of mixed tables of 20 columns")
    parser.add_argument("--run", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        kind, n_rows, n_columns, task = options.run
        print(json.dumps(run(kind, int(n_rows), int(n_columns), task)))
        return
    sizes = [("mixed", 60, n) for n in options.mixed]
    sizes += [(kind, 200, n) for n in options.genes for kind in ("genes", "genes, array")]
    write(make_table(sizes + [("mixed", n, 20) for n in options.rows]))


if __name__ == "__main__":
    main()
