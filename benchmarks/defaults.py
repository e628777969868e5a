"""How good are the defaults: every job, compared with other methods and with an earlier state of the package.

    OMP_NUM_THREADS=1 python benchmarks/defaults.py                              # everything
    OMP_NUM_THREADS=1 python benchmarks/defaults.py codes servers                # some of the jobs
    OMP_NUM_THREADS=1 python benchmarks/defaults.py codes --before ../checkout   # also with the package of a checkout
    OMP_NUM_THREADS=1 python benchmarks/defaults.py --sets 1 --out /tmp/try      # a quick test

Data are read from the folder ``$ISTHMUS_TEST_DATA`` (default: ``../shared/data`` beside the repository). Appends a line
of JSON for each method, data set and seed to ``benchmarks/results/defaults.jsonl``, and writes all of them to
``benchmarks/results/defaults.md``. What is in the file is not measured again, so that a run which was stopped goes on;
``--again`` measures it again, and the newest line counts.
"""

import argparse
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path
from time import process_time
from typing import Any

from anomalies import attempt
from defaults_jobs import JOBS, Item, Job
from defaults_report import BEFORE, OURS, SECONDS, report
from mnist import REPOSITORY, RESULTS
from speed import machine
from tables_case import timed

import isthmus

PACKAGES = ("torch", "numpy", "scikit-learn")
Record = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("jobs", nargs="*", metavar="job", help=f"of {', '.join(JOBS)}; none is all")
    parser.add_argument("--before", type=Path, metavar="PATH", help="also measure the package in PATH/src")
    parser.add_argument("--sets", type=int, help="number of data sets of each job  [default: all]")
    parser.add_argument("--again", action="store_true", help="measure again what is in the file")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--worker", metavar="RUN", help="measure ours in one job, as before")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.worker:
        run(*json.loads(options.worker))
        return
    unknown = sorted(set(options.jobs) - set(JOBS))
    if unknown:
        parser.error(f"unknown jobs {unknown}, expected some of {list(JOBS)}")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.jobs or JOBS:
        words = (name, options.sets, options.again, str(options.out.resolve()))
        run(*words)
        if options.before:
            run_before(options.before.resolve(), words)
        report(options.out)


def run_before(package: Path, words: tuple[Any, ...]) -> None:
    """Measure ours with the package of another checkout, in a process of its own."""
    command = [sys.executable, __file__, "--worker", json.dumps([*words, str(package)])]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": str(package / "src")}, check=True)


def run(name: str, n_sets: int | None, again: bool, out: str, package: str | None = None) -> None:
    """Measure a job; if the folder of a package is given, only ours, as before."""
    source = Path(package or REPOSITORY)
    if not Path(isthmus.__file__).is_relative_to(source / "src"):
        raise SystemExit(f"isthmus is imported from {isthmus.__file__}, expected a file in {source / 'src'}")
    job = JOBS[name] if package is None else JOBS[name]._replace(methods={BEFORE: JOBS[name].methods[OURS]})
    common = {"run": datetime.now(UTC).isoformat(timespec="seconds"), "commit": find_commit(source)}
    common["machine"] = ", ".join(f"{key} {value}" for key, value in machine(PACKAGES).items())
    path = Path(out) / "defaults.jsonl"
    with path.open("a") as file:
        for record in measure(job, n_sets, set() if again else list_done(path, name)):
            print(name, *record.values(), flush=True)
            file.write(json.dumps({"job": name, **record, **common}) + "\n")
            file.flush()


def find_commit(path: Path) -> str:
    command = ["git", "-C", str(path), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"


def list_done(path: Path, name: str) -> set[tuple[str, int, str]]:
    """Return data set, seed and method of the cases of a job that have figures."""
    records = map(json.loads, path.read_text().splitlines())
    return {tuple(r[key] for key in ("data", "seed", "method")) for r in records if r["job"] == name and "figures" in r}


def measure(job: Job, n_sets: int | None, done: set[tuple[str, int, str]]) -> Iterator[Record]:
    for seed in range(job.n_seeds):
        for item in islice(job.items(seed), n_sets):
            for method in job.methods:
                if (item.name, seed, method) not in done:
                    yield {"data": item.name, "seed": seed, "method": method, **measure_case(job, method, item, seed)}


def measure_case(job: Job, method: str, item: Item, seed: int) -> Record:
    found = attempt(partial(find_figures, job, method, item, seed))
    return {"failed": f"{type(found).__name__}: {found}"[:200]} if isinstance(found, Exception) else {"figures": found}


def find_figures(job: Job, method: str, item: Item, seed: int) -> dict[str, float]:
    seconds, result = timed(lambda: job.methods[method](*item.inputs, seed), clock=process_time)
    figures = job.measure(item.truth, result)
    return {**{name: figures[name] for name in job.figures if name in figures}, SECONDS: seconds}


if __name__ == "__main__":
    main()
