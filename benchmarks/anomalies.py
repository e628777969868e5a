"""Anomaly detection in tables, network connections, series, server metrics and heartbeats, with other methods.

    make bench                                                        # everything
    python benchmarks/anomalies.py contaminated --methods isthmus     # a part
    python benchmarks/anomalies.py --rows 2000 --out /tmp/try         # a quick test

Data are read from the folder ``$ISTHMUS_TEST_DATA`` (default: ``../shared/data`` beside the repository). All methods
are fitted to the same rows and score the same rows, one after the other in this process, so that times can be compared.
Each has been fitted to a few rows before, so that times contain no imports. Appends a line of JSON for each figure to
``benchmarks/results/anomalies.jsonl`` and writes the newest run of every method to ``benchmarks/results/anomalies.md``.
A method that fails is left out, with the reason.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import anomalies_data as data
from anomalies_data import Split
from anomalies_peers import OF_FRAMES, OF_ROWS, Fit
from anomalies_report import report
from mnist import RESULTS
from peers_series import OF_SERIES, OF_SERVERS
from speed import machine
from tables_case import Figures, timed
from tables_data import Values

PACKAGES = ("isthmus", "torch", "numpy", "scikit-learn", "pyod")
WARM = 1_000
Record = dict[str, Any]


class Task(NamedTuple):
    """Data sets by seed, methods, measures of their scores, and number of seeds."""

    splits: Callable[[int, int | None], Iterator[Split]]
    methods: dict[str, Fit]
    measure: Callable[[Split, Values], Figures]
    n_seeds: int = 1


def measure_rows(split: Split, scores: Values) -> Figures:
    from sklearn.metrics import average_precision_score, roc_auc_score

    return {
        "AUROC": float(roc_auc_score(split.labels, scores)),
        "AP": float(average_precision_score(split.labels, scores)),
    }


def measure_points(split: Split, scores: Values) -> Figures:
    from isthmus.metrics.series import archive_hit, auc_pr, auc_roc
    from isthmus.metrics.series.volume import volumes

    labels, later = split.labels[split.context :], scores[split.context :]
    pr, roc = volumes(labels > 0, later, window=100)
    figures = {"VUS-PR": pr, "VUS-ROC": roc, "AUC-PR": auc_pr(labels, later), "AUC-ROC": auc_roc(labels, later)}
    if split.context:
        figures["archive hit"] = float(archive_hit(labels, later))
        figures["AUC-PR, whole series"] = auc_pr(split.labels, scores)
        figures["AUC-ROC, whole series"] = auc_roc(split.labels, scores)
    return figures


TASKS = {
    "contaminated": Task(data.contaminated, OF_ROWS, measure_rows, n_seeds=2),
    "one-class": Task(data.one_class, OF_ROWS, measure_rows),
    "intrusion": Task(data.intrusion, OF_FRAMES, measure_rows),
    "ucr": Task(data.ucr, OF_SERIES, measure_points),
    "servers": Task(data.servers, OF_SERVERS, measure_points),
    "beats": Task(data.beats, OF_ROWS, measure_rows, n_seeds=5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("tasks", nargs="*", metavar="task", help=f"of {', '.join(TASKS)}; none is all")
    parser.add_argument("--seeds", type=int, help="number of repeats  [default: depends on the task]")
    parser.add_argument("--rows", type=int, help="number of rows, to test the benchmark itself")
    parser.add_argument("--methods", nargs="+", help="methods  [default: all]")
    parser.add_argument("--sets", nargs="+", help="data sets  [default: all]")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    unknown = sorted(set(options.tasks) - set(TASKS))
    if unknown:
        parser.error(f"unknown tasks {unknown}, expected some of {list(TASKS)}")
    run(**vars(options))


def run(
    tasks: list[str], seeds: int | None, rows: int | None, methods: list[str] | None, sets: list[str] | None, out: Path
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    common = {"rows": rows, "run": datetime.now(UTC).isoformat(timespec="seconds"), **machine(PACKAGES)}
    with (out / "anomalies.jsonl").open("a") as file:
        for name in tasks or TASKS:
            for record in records(TASKS[name], seeds, rows, methods, sets):
                print(f"{name}: {', '.join(map(str, record.values()))}", flush=True)
                file.write(json.dumps({"task": name, **record, **common}) + "\n")
                file.flush()
    report(out)


def records(
    task: Task, n_seeds: int | None, most: int | None, names: list[str] | None, sets: list[str] | None
) -> Iterator[Record]:
    methods = {name: fit for name, fit in task.methods.items() if names is None or name in names}
    warm: set[str] = set()
    for seed in range(n_seeds or task.n_seeds):
        for split in task.splits(seed, most):
            if sets is not None and split.name not in sets:
                continue
            for name, fit in methods.items():
                if name not in warm:
                    warm.add(name)
                    attempt(partial(scored, take_first_rows(split), fit, seed))
                place = {"data": split.name, "method": name, "seed": seed}
                yield from ({**place, **figure} for figure in measured(task, split, fit, seed))
            if task.splits is data.ucr:
                yield from published(split)


def take_first_rows(split: Split) -> Split:
    return split._replace(train=split.train[:WARM], test=split.test[:WARM])


def measured(task: Task, split: Split, fit: Fit, seed: int) -> Iterator[Record]:
    done = attempt(lambda: measure(task, split, fit, seed))
    if isinstance(done, Exception):
        yield {"failed": f"{type(done).__name__}: {done}"[:200]}
        return
    yield from ({"figure": name, "value": value} for name, value in done.items())


def measure(task: Task, split: Split, fit: Fit, seed: int) -> Figures:
    scores, seconds = scored(split, fit, seed)
    return {**task.measure(split, scores), **seconds}


def scored(split: Split, fit: Fit, seed: int) -> tuple[Values, Figures]:
    fit_seconds, score = timed(lambda: fit(split.train, seed))
    score_seconds, scores = timed(lambda: score(split.test))
    return scores, {"fit seconds": fit_seconds, "score seconds": score_seconds}


def attempt(function: Callable[[], Any]) -> Any:
    """Return the result of a function, or its error, so that the run continues with the other methods."""
    try:
        return function()
    except Exception as error:
        return error


def published(split: Split) -> Iterator[Record]:
    for name, value in data.load_published_ucr(split.name).items():
        yield {"data": split.name, "method": "AE (TSB-UAD, published)", "seed": 0, "figure": name, "value": value}


if __name__ == "__main__":
    main()
