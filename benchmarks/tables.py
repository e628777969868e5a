"""Tables of mixed columns, compared with other methods: imputation, new rows, and informative codes.

    make bench                                               # everything
    python benchmarks/tables.py imputation codes --seeds 1   # a part
    python benchmarks/tables.py --rows 500 --out /tmp/try    # a quick test

Five real tables are read from the folder ``$ISTHMUS_TEST_DATA/tabular-mixed`` (default: ``../shared/data`` beside the
repository). Every method, table and seed has a separate process, one after the other. Appends a line of JSON
for each figure to ``benchmarks/results/tables.jsonl`` and writes the newest run of every task to
``benchmarks/results/tables.md``. A method that fails is left out, with the reason.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tables_codes
import tables_imputation
import tables_synthetic
from mnist import RESULTS
from speed import machine
from tables_case import Case
from tables_report import report

TASKS = {"imputation": tables_imputation, "synthetic": tables_synthetic, "codes": tables_codes}
PACKAGES = ("isthmus", "torch", "numpy", "scikit-learn", "pandas", "ctgan")
Record = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tasks", nargs="*", metavar="task", help=f"of {', '.join(TASKS)}; none is all")
    parser.add_argument("--seeds", type=int, help="number of repeats  [default: depends on the task]")
    parser.add_argument("--rows", type=int, help="number of rows, to test the benchmark itself")
    parser.add_argument("--methods", nargs="+", help="methods  [default: all]")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--worker", metavar="CASE", help="measure one case and print a line of JSON")
    options = parser.parse_args()
    if options.worker:
        case = Case(*json.loads(options.worker))
        print("\n" + json.dumps(TASKS[case.task].measure(case, options.rows)))
        return
    unknown = sorted(set(options.tasks) - set(TASKS))
    if unknown:
        parser.error(f"unknown tasks {unknown}, expected some of {list(TASKS)}")
    run(cases(options.tasks or list(TASKS), options.seeds, options.methods), options.rows, options.out)


def cases(tasks: list[str], n_seeds: int | None, methods: list[str] | None) -> Iterator[Case]:
    for task in tasks:
        for case in TASKS[task].cases(n_seeds or TASKS[task].N_SEEDS):
            if methods is None or case.method in methods:
                yield case


def run(some: Iterator[Case], n_rows: int | None, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    common = {"run": datetime.now(UTC).isoformat(timespec="seconds"), **machine(PACKAGES)}
    with (out / "tables.jsonl").open("a") as file:
        for case in some:
            for figure in run_in_process(case, n_rows):
                print(f"{case}: {format_figure(figure)}", flush=True)
                file.write(json.dumps({**case._asdict(), **figure, "rows": n_rows, **common}) + "\n")
                file.flush()
    report(out)


def run_in_process(case: Case, n_rows: int | None) -> list[Record]:
    patience = TASKS[case.task].PATIENCE_SECONDS
    command = [sys.executable, __file__, "--worker", json.dumps(case)]
    command += ["--rows", str(n_rows)] if n_rows else []
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired:
        return [{"failed": f"not done after {patience} s"}]
    if done.returncode:
        return [{"failed": (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:200]}]
    return [{"figure": name, "value": value} for name, value in json.loads(done.stdout.splitlines()[-1]).items()]


def format_figure(figure: Record) -> str:
    return f"failed: {figure['failed']}" if "failed" in figure else f"{figure['figure']} {figure['value']:.4g}"


if __name__ == "__main__":
    main()
