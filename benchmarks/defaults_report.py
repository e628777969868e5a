"""Write the report of ``defaults.py``: every job, before and after, with paired intervals over data sets."""

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from defaults_jobs import JOBS, Job
from scipy import stats
from tables_report import Record, list_distinct, table

OURS, BEFORE, SECONDS = "isthmus", "isthmus before", "processor seconds"
LEVEL = 0.95
# Shorter times are not shown.
SHORTEST = 0.01
# Figures of one job: means over seeds by method, figure and data set.
Book = dict[str, dict[str, dict[str, float]]]

ABOUT = f"""# How good are the defaults

Written by `python benchmarks/defaults.py --before PATH`, where PATH is a checkout of the state before. One default
configuration of each method for all data, and the same data for all methods. `{OURS}` is the present package, and
*before* is that of the other checkout.

Differences are means of paired differences over data sets, with {100 * LEVEL:.0f} % intervals of Student's t over sets.
The best peer is the one with the best mean of that figure, chosen for each row with hindsight. A verdict is *better* or
*worse* if its interval excludes 0. Seconds are processor seconds of one thread for fit and use, medians over sets: the
machine was shared, and wall-clock times mean little. ↓ marks figures of which less is better. Jobs that are not
measured here have figures of the present package in [anomalies](anomalies.md), [tables](tables.md), [texts](text.md)
and [code sizes](latent.md)."""


class Paired(NamedTuple):
    """Mean of paired differences over n data sets, and its interval, which is NaN for one set."""

    mean: float
    low: float
    high: float
    n: int


def compare(ours: dict[str, float], others: dict[str, float]) -> Paired | None:
    """Return ours minus others over their common data sets; None if there are none."""
    differences = np.array([ours[name] - others[name] for name in ours if name in others])
    n = len(differences)
    if not n:
        return None
    spread = differences.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    half = stats.t.ppf((1 + LEVEL) / 2, n - 1) * spread if n > 1 else np.nan
    return Paired(float(differences.mean()), float(differences.mean() - half), float(differences.mean() + half), n)


def report(folder: Path) -> None:
    """Write ``defaults.md`` from ``defaults.jsonl``; the newest line of a case counts."""
    records = [json.loads(line) for line in (folder / "defaults.jsonl").read_text().splitlines()]
    (folder / "defaults.md").write_text(make_page(records, JOBS), encoding="utf-8")


def make_page(records: list[Record], jobs: dict[str, Job]) -> str:
    books = {name: make_book([record for record in records if record["job"] == name]) for name in jobs}
    measured = {name: book for name, book in books.items() if OURS in book}
    missing = [name for name in jobs if name not in measured]
    head = ("job", "figure", "before", "after", "after - before", "best peer", "after - best peer", "verdict")
    rows = [row for name, book in measured.items() for row in summarize(name, jobs[name], book)]
    machines = "; ".join(list_distinct(record["machine"] for record in records))
    page = [ABOUT, f"Measured on {machines}. Not measured: {', '.join(missing) or 'none'}.", table(head, rows)]
    for name, book in measured.items():
        page += [f"## {name}", f"{jobs[name].about} {list_commits(records, name)}", tabulate(jobs[name], book)]
    page += [f"Failed: {job}, {method}: `{reason}`." for (job, method), reason in list_failures(records).items()]
    return "\n\n".join(page) + "\n"


def make_book(records: list[Record]) -> Book:
    newest = {(record["method"], record["data"], record["seed"]): record for record in records if "figures" in record}
    values: dict[Any, list[float]] = defaultdict(list)
    for (method, data, _), record in newest.items():
        for figure, value in record["figures"].items():
            values[method, figure, data].append(value)
    book: Book = defaultdict(lambda: defaultdict(dict))
    for (method, figure, data), each in values.items():
        book[method][figure][data] = statistics.mean(each)
    return book


def summarize(name: str, job: Job, book: Book) -> Iterable[tuple[str, ...]]:
    """Return a row for each figure, and one for the processor time of ours and of the first figure's best peer."""
    peers = [method for method in book if method not in (OURS, BEFORE, *job.references)]
    for figure, sign in job.figures.items():
        ours, before = (book[method][figure] if method in book else {} for method in (OURS, BEFORE))
        best = choose_best(peers, book, figure, sign)
        change, lead = compare(ours, before), compare(ours, book[best][figure]) if best else None
        shown = "" if best is None else f"{best} {average(book[best][figure]):.3f}"
        label = figure if sign > 0 else f"{figure} ↓"
        yield (
            name,
            label,
            mean(before),
            mean(ours),
            format_paired(change),
            shown,
            format_paired(lead),
            judge(lead, sign),
        )
    best = choose_best(peers, book, *next(iter(job.figures.items())))
    times = [middle(book, method) for method in (BEFORE, OURS, best)]
    yield name, "seconds", times[0], times[1], "", "" if best is None else f"{best} {times[2]}", "", ""


def choose_best(peers: list[str], book: Book, figure: str, sign: int) -> str | None:
    """Return the method with the best mean over the sets that all methods have finished."""
    measured = [method for method in peers if book[method].get(figure)]
    common = set.intersection(*(set(book[method][figure]) for method in measured)) if measured else set()
    means = {method: sign * average({name: book[method][figure][name] for name in common}) for method in measured}
    return max(means, key=means.__getitem__) if common else None


def average(values: dict[str, float]) -> float:
    return statistics.mean(values.values())


def mean(values: dict[str, float]) -> str:
    return f"{average(values):.3f}" if values else ""


def middle(book: Book, method: str | None) -> str:
    if method not in book:
        return ""
    seconds = statistics.median(book[method][SECONDS].values())
    return f"{seconds:.3g}" if seconds >= SHORTEST else f"< {SHORTEST:g}"


def format_paired(paired: Paired | None) -> str:
    if paired is None:
        return ""
    interval = f"{paired.low:+.3f} to {paired.high:+.3f}; " if paired.n > 1 else ""
    return f"{paired.mean:+.3f} ({interval}{paired.n} {'sets' if paired.n > 1 else 'set'})"


def judge(lead: Paired | None, sign: int) -> str:
    if lead is None or lead.n == 1:
        return ""
    low, high = sorted((sign * lead.low, sign * lead.high))
    return "better" if low > 0 else "worse" if high < 0 else "level"


def tabulate(job: Job, book: Book) -> str:
    """Return means of every method; the number of sets tells whether they can be compared."""
    head = ("", "sets", *(f"mean {figure}" for figure in job.figures), f"median {SECONDS}")
    rows = (
        (method, str(len(own[SECONDS])), *(mean(own.get(figure, {})) for figure in job.figures), middle(book, method))
        for method, own in book.items()
    )
    return table(head, rows)


def list_commits(records: list[Record], job: str) -> str:
    """Return a sentence about the states of the package that were measured in a job."""
    found = []
    for method, title in ((BEFORE, "before"), (OURS, "after")):
        commits = list_distinct(r["commit"] for r in records if (r["job"], r["method"]) == (job, method))
        found += [f"{title} {', '.join(commits)}"] if commits else []
    return f"Commits: {'; '.join(found)}."


def list_failures(records: list[Record]) -> dict[tuple[str, str], str]:
    """Return reasons by job and method of cases whose newest line has no figures."""
    newest = {tuple(record[key] for key in ("job", "method", "data", "seed")): record for record in records}
    return {case[:2]: record["failed"] for case, record in newest.items() if "failed" in record}
