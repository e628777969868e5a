"""Memory and speed of rows larger than memory: the same fit from Parquet files and from an array, and scores to a file.

    python benchmarks/streaming.py                            # 20 million rows of 30 columns, in a temporary folder
    python benchmarks/streaming.py --rows 200000 --folder x   # fewer, in files that are kept

Each figure is from a separate process; the system reports its peak resident memory. Writes a line of
JSON for each to ``benchmarks/results/streaming.jsonl`` and a table to ``benchmarks/results/streaming.md``.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

RESULTS = Path(__file__).resolve().parent / "results"
N_COLUMNS, N_CAUSES, N_FILES = 30, 5, 8
# Rows per generated chunk.
BLOCK = 2**18


def generate(folder: Path, n_rows: int) -> None:
    """Write files of nonlinear functions of a few variables, with noise, in row groups of pyarrow's default size."""
    import pyarrow as pa
    from pyarrow import parquet

    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(2 * N_CAUSES, N_COLUMNS)).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    for i, size in enumerate(map(len, np.array_split(np.empty(n_rows, bool), N_FILES))):
        blocks = [_block(rng, min(BLOCK, size - start), mixing) for start in range(0, size, BLOCK)]
        columns = {f"c{j}": np.concatenate([block[:, j] for block in blocks]) for j in range(N_COLUMNS)}
        parquet.write_table(pa.table(columns), folder / f"part-{i}.parquet")


def _block(rng: np.random.Generator, n: int, mixing: np.ndarray) -> np.ndarray:
    causes = rng.standard_normal((n, N_CAUSES), dtype=np.float32)
    noise = 0.1 * rng.standard_normal((n, N_COLUMNS), dtype=np.float32)
    return np.hstack([causes, np.sin(2 * causes)]) @ mixing + noise


def fit(X: Any) -> Any:
    from isthmus import Autoencoder

    return Autoencoder(8, max_epochs=1, validation_fraction=0.01, random_state=0).fit(X)


def in_memory(folder: Path) -> np.ndarray:
    """Read the files into one array without a second copy in memory."""
    from pyarrow import parquet

    files = [parquet.ParquetFile(path) for path in sorted(folder.glob("part-*.parquet"))]
    X = np.empty((sum(file.metadata.num_rows for file in files), N_COLUMNS), np.float32)
    start = 0
    for file in files:
        for batch in file.iter_batches(BLOCK):
            for j, column in enumerate(batch.columns):
                X[start : start + len(batch), j] = column.to_numpy()
            start += len(batch)
    return X


def fit_from_memory(folder: Path) -> tuple[int, Callable[[], object]]:
    X = in_memory(folder)
    return len(X), lambda: fit(X)


def fit_from_files(folder: Path) -> tuple[int, Callable[[], object]]:
    from isthmus.data import Parquet

    source = Parquet(folder / "part-*.parquet")
    return len(source), lambda: fit(source)


def score_to_file(folder: Path) -> tuple[int, Callable[[], object]]:
    from isthmus.data import Parquet, apply

    source = Parquet(folder / "part-*.parquet")
    model = fit(next(source.batches(100_000)).x.numpy())
    # The array has no column names, so the model is also given rows without names.
    rows = source.drop_names()
    return len(source), lambda: apply(model.score_samples, rows, folder / "scores.parquet", ["score"])


TASKS = {"fit from memory": fit_from_memory, "fit from Parquet": fit_from_files, "score to Parquet": score_to_file}


def run(task: str, folder: Path) -> dict[str, Any]:
    """Run and measure one task in this process."""
    n_rows, work = TASKS[task](folder)
    started = time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    unit = 1 if sys.platform == "darwin" else 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
    return {"measure": task, "rows": n_rows, "seconds": seconds, "rows_per_second": n_rows / seconds, "peak_gib": peak}


def measure(task: str, folder: Path) -> dict[str, Any]:
    """Run one task in a separate process."""
    command = [sys.executable, __file__, "--folder", str(folder), "--task", task]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1])


def machine() -> dict[str, str]:
    versions = {name: version(name) for name in ("torch", "numpy", "pyarrow")}
    return {"python": platform.python_version(), "cores": str(os.cpu_count()), "cpu": platform.processor(), **versions}


def write(figures: list[dict[str, Any]]) -> None:
    """Append to the record, and write the table of the newest value of every figure."""
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / "streaming.jsonl").open("a") as file:
        file.writelines(json.dumps({**figure, **machine()}) + "\n" for figure in figures)
    lines = (RESULTS / "streaming.jsonl").read_text().splitlines()
    newest = {row["measure"]: row for row in map(json.loads, lines)}
    table = ["| task | rows | rows per second | peak memory, GiB |", "| --- | --- | --- | --- |"]
    table += [
        f"| {row['measure']} | {row['rows']:,} | {row['rows_per_second']:,.0f} | {row['peak_gib']:.2f} |"
        for row in newest.values()
    ]
    (RESULTS / "streaming.md").write_text("\n".join(table) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument(
        "--folder", type=Path, help="folder of the files, made if missing  [default: a temporary folder]"
    )
    parser.add_argument("--task", choices=TASKS, help="run one task in this process on existing files")
    options = parser.parse_args()
    if options.task:
        print(json.dumps(run(options.task, options.folder)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        if not list(folder.glob("part-*.parquet")):
            generate(folder, options.rows)
        figures = []
        for task in TASKS:
            figures.append(measure(task, folder))
            print(
                f"{task}: {figures[-1]['rows_per_second']:,.0f} rows per second, {figures[-1]['peak_gib']:.2f} GiB",
                flush=True,
            )
    print(f"speed from Parquet relative to memory: {figures[1]['rows_per_second'] / figures[0]['rows_per_second']:.2f}")
    write(figures)


if __name__ == "__main__":
    main()
