"""Write the report of ``anomalies.py``: goals, means over data sets, and every data set."""

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tables_report import Goal, Record, list_distinct, machines, make_goals_table, select_newest, table

# Means over seeds by task, data set, method and figure.
Book = dict[tuple[str, str, str, str], float]
LEADING = {"ucr": ("VUS-PR", "AUC-PR, whole series"), "servers": ("VUS-PR",)}
OF_ROWS = ("AUROC", "AP")
ON_WINDOWS = ("Sub-PCA", "KMeansAD", "IForest")
PUBLISHED_AE = "AE (TSB-UAD, published)"

ABOUT = """# Anomalies compared with other methods

All methods have their default settings, which are the same for all data. *isthmus* is `AnomalyDetector()`, and for
series `AnomalyDetector(SlidingWindows())`.

- contaminated: the tables of ADBench, at most 10,000 rows. 70 % of all rows, anomalies included, are for training, and
  30 % are scored. Columns are standardised by the training rows. Two seeds.
- one-class: the same tables, at most 20,000 rows. One half of the normal rows is for training; the other half and all
  anomalies are scored.
- intrusion: the 20 % training file of NSL-KDD, split as in one-class. isthmus gets the table without changes, the other
  methods get standardised numbers and one column for each category. *isthmus encoder* is a variational autoencoder
  whose decoder is not used for scores.
- ucr: series of the UCR archive. Points before the limit that the archive gives are for training; later points are
  scored. *archive hit*: the highest score lies within 100 points of the anomaly, or within its length. VUS has buffers
  of at most 100 points. The published figures of TSB-UAD's autoencoder are for whole series, so these are scored too.
- servers: the training and test parts of SMD and ASD.
- beats: heartbeats of the training file of ECG5000. One half of the normal ones is for training. Five seeds.

Other methods for windows (one period long; five points if there are many channels) are fitted to the same training
part. AP is average precision. KNN is the mean distance to five neighbours (in PyOD, the distance to the fifth). PCA is
the likelihood with half of the components for rows, and the reconstruction error with eight components for windows.
Sub-PCA weights components by their variance, which detects more than the program of TSB-AD. USAD has the size and the
250 epochs
that its authors use for SMD."""


def report(folder: Path) -> None:
    """Write ``anomalies.md`` from the newest run of every method in ``anomalies.jsonl``."""
    records = select_newest([json.loads(line) for line in (folder / "anomalies.jsonl").read_text().splitlines()])
    book = means(records)
    page = [ABOUT, machines(records), "## Goals", make_goals_table(goals(book))]
    for task in list_distinct(key[0] for key in book):
        page += [f"## {task}", overview(book, task)]
        page += [by_set(book, task, figure) for figure in LEADING.get(task, OF_ROWS)]
    failed = {(record["task"], record["method"]): record["failed"] for record in records if "failed" in record}
    page += [f"Failed in {task}, at least once: {name}, `{reason}`." for (task, name), reason in failed.items()]
    (folder / "anomalies.md").write_text("\n\n".join(page) + "\n")


def means(records: list[Record]) -> Book:
    values: dict[Any, list[float]] = defaultdict(list)
    for record in records:
        if "failed" not in record:
            values[tuple(record[name] for name in ("task", "data", "method", "figure"))].append(record["value"])
    return {key: statistics.mean(each) for key, each in values.items()}


def goals(book: Book) -> Iterable[Goal]:
    for task, least in (("contaminated", (0.805, 0.465)), ("one-class", (0.90, 0.72))):
        for figure, limit in zip(OF_ROWS, least, strict=True):
            yield f"{task}: mean {figure}", average_over_sets(book, task, "isthmus", figure), (-1, limit)
        yield f"{task}: median fit time over that of PyOD's AutoEncoder", compute_time_ratio(book, task), (1, 1.0)
    yield "intrusion: AUROC", average_over_sets(book, "intrusion", "isthmus", "AUROC"), (-1, 0.95)
    encoder = average_over_sets(book, "intrusion", "isthmus encoder", "AUROC")
    yield "intrusion: AUROC with the encoder alone", encoder, (-1, 0.93)
    yield "ucr: archive hit", average_over_sets(book, "ucr", "isthmus", "archive hit"), (-1, 0.75)
    yield f"ucr: VUS-PR minus the best of {', '.join(ON_WINDOWS)}", lead(book, "ucr", "VUS-PR", ON_WINDOWS), (-1, 0.0)
    for figure in ("AUC-PR, whole series", "AUC-ROC, whole series"):
        yield f"ucr: {figure}, minus the published autoencoder", lead(book, "ucr", figure, (PUBLISHED_AE,)), (-1, 0.0)
    for names in (("PCA", "IForest"), ("USAD",)):
        measured = lead(book, "servers", "VUS-PR", names)
        yield f"servers: VUS-PR minus that of {' and '.join(names)}", measured, (-1, 0.0)
    yield "beats: AUROC", average_over_sets(book, "beats", "isthmus", "AUROC"), (-1, 0.97)


def list_values(book: Book, task: str, method: str, figure: str) -> list[float]:
    """Return one value for each data set that the method has finished."""
    return [value for key, value in book.items() if (key[0], *key[2:]) == (task, method, figure)]


def average_over_sets(book: Book, task: str, method: str, figure: str) -> float | None:
    """Return the mean over data sets; None if the method has not finished all of them."""
    values = list_values(book, task, method, figure)
    return statistics.mean(values) if values and len(values) == len(list_sets(book, task)) else None


def list_sets(book: Book, task: str) -> list[str]:
    return list_distinct(key[1] for key in book if key[0] == task)


def compute_time_ratio(book: Book, task: str) -> float | None:
    ours, theirs = (list_values(book, task, name, "fit seconds") for name in ("isthmus", "PyOD AutoEncoder"))
    return statistics.median(ours) / statistics.median(theirs) if ours and len(ours) == len(theirs) else None


def lead(book: Book, task: str, figure: str, names: tuple[str, ...]) -> float | None:
    """Return the mean of isthmus minus the best mean of the other methods."""
    ours, *theirs = (average_over_sets(book, task, name, figure) for name in ("isthmus", *names))
    known = [value for value in theirs if value is not None]
    return None if ours is None or len(known) < len(names) else ours - max(known)


def overview(book: Book, task: str) -> str:
    """Return a table of means over data sets, one row for each method; times are medians."""
    figures = list_distinct(key[3] for key in book if key[0] == task)
    head = (f"median {figure}" if "seconds" in figure else f"mean {figure}" for figure in figures)
    rows = (
        (method, *(shown(middle(book, task, method, figure)) for figure in figures))
        for method in list_distinct(key[2] for key in book if key[0] == task)
    )
    return table((f"{len(list_sets(book, task))} sets", *head), rows)


def middle(book: Book, task: str, method: str, figure: str) -> float | None:
    if "seconds" in figure:
        return statistics.median(list_values(book, task, method, figure) or [0]) or None
    return average_over_sets(book, task, method, figure)


def by_set(book: Book, task: str, figure: str) -> str:
    """Return a table of one figure: a row for each data set, a column for each method, the best in bold."""
    methods = list_distinct(key[2] for key in book if key[0] == task and key[3] == figure)
    rows = []
    for name in list_sets(book, task):
        values = [book.get((task, name, method, figure)) for method in methods]
        best = max(value for value in values if value is not None)
        rows.append((name, *(f"**{shown(value)}**" if value == best else shown(value) for value in values)))
    return table((figure, *methods), rows)


def shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
