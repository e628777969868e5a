"""From the records of ``anomalies.py`` to a page: goals, means over sets, and every set."""

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tables_report import Goal, Record, different, goals_table, machines, newest, table

# Means over seeds by task, data set, method and figure.
Book = dict[tuple[str, str, str, str], float]
LEADING = {"ucr": ("VUS-PR", "AUC-PR, whole series"), "servers": ("VUS-PR",)}
OF_ROWS = ("AUROC", "AP")
ON_WINDOWS = ("Sub-PCA", "KMeansAD", "IForest")
PUBLISHED_AE = "AE (TSB-UAD, published)"

ABOUT = """# Anomalies beside the peers

All methods have one setting for all data, their authors' own. *isthmus* is `AnomalyDetector()`, for series
`AnomalyDetector(SlidingWindows())`, as they come.

- contaminated: the tables of ADBench, cut to 10,000 rows. 70 % of all rows are learned from, anomalies among them, 30 %
  scored; columns are standardised by the rows that are learned from. Two seeds.
- one-class: the same tables, cut to 20,000 rows. One half of the normal rows is learned from; the other half and all
  anomalies are scored.
- intrusion: the 20 % training file of NSL-KDD, split as in one-class. isthmus gets the table as it is, the peers
  standardised numbers and one column a level. *isthmus encoder* is a variational autoencoder whose decoder is not used
  for scores.
- ucr: series of the UCR archive, learned up to where the archive says; what follows is scored. *archive hit*: the
  highest score lies within 100 points of the anomaly, or its length. VUS with buffers up to 100. What TSB-UAD published
  for its autoencoder is over whole series, so these are scored too.
- servers: the training and test parts of SMD and ASD.
- beats: heartbeats of ECG5000's training file, one half of the normal ones learned from, five seeds.

Peers on windows (one period long, five points for many channels) are fitted as isthmus is, on the training part. AP is
average precision, KNN the mean distance to five neighbours (PyOD's is that to the fifth), PCA the likelihood with half
of the components for rows and the error of eight for windows. Sub-PCA weighs components by their variance, which finds
more than the program of TSB-AD does. USAD has the size and the 250 epochs that its authors gave it for SMD."""


def report(folder: Path) -> None:
    """Write ``anomalies.md`` from the newest run of every method in ``anomalies.jsonl``."""
    records = newest([json.loads(line) for line in (folder / "anomalies.jsonl").read_text().splitlines()])
    book = means(records)
    page = [ABOUT, machines(records), "## Goals", goals_table(goals(book))]
    for task in different(key[0] for key in book):
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
            yield f"{task}: mean {figure}", over_sets(book, task, "isthmus", figure), (-1, limit)
        yield f"{task}: median fit time over that of PyOD's AutoEncoder", time_ratio(book, task), (1, 1.0)
    yield "intrusion: AUROC", over_sets(book, "intrusion", "isthmus", "AUROC"), (-1, 0.95)
    encoder = over_sets(book, "intrusion", "isthmus encoder", "AUROC")
    yield "intrusion: AUROC with the encoder alone", encoder, (-1, 0.93)
    yield "ucr: archive accuracy", over_sets(book, "ucr", "isthmus", "archive hit"), (-1, 0.75)
    yield f"ucr: VUS-PR less the best of {', '.join(ON_WINDOWS)}", lead(book, "ucr", "VUS-PR", ON_WINDOWS), (-1, 0.0)
    for figure in ("AUC-PR, whole series", "AUC-ROC, whole series"):
        yield f"ucr: {figure}, less the published autoencoder's", lead(book, "ucr", figure, (PUBLISHED_AE,)), (-1, 0.0)
    for names in (("PCA", "IForest"), ("USAD",)):
        measured = lead(book, "servers", "VUS-PR", names)
        yield f"servers: VUS-PR less that of {' and '.join(names)}", measured, (-1, 0.0)
    yield "beats: AUROC", over_sets(book, "beats", "isthmus", "AUROC"), (-1, 0.97)


def values_of(book: Book, task: str, method: str, figure: str) -> list[float]:
    """One value for each set that the method has done."""
    return [value for key, value in book.items() if (key[0], *key[2:]) == (task, method, figure)]


def over_sets(book: Book, task: str, method: str, figure: str) -> float | None:
    """Mean over the sets; None if the method has not done all of them."""
    values = values_of(book, task, method, figure)
    return statistics.mean(values) if values and len(values) == len(sets_of(book, task)) else None


def sets_of(book: Book, task: str) -> list[str]:
    return different(key[1] for key in book if key[0] == task)


def time_ratio(book: Book, task: str) -> float | None:
    ours, theirs = (values_of(book, task, name, "fit seconds") for name in ("isthmus", "PyOD AutoEncoder"))
    return statistics.median(ours) / statistics.median(theirs) if ours and len(ours) == len(theirs) else None


def lead(book: Book, task: str, figure: str, names: tuple[str, ...]) -> float | None:
    """Isthmus's mean less the best of the peers' means."""
    ours, *theirs = (over_sets(book, task, name, figure) for name in ("isthmus", *names))
    known = [value for value in theirs if value is not None]
    return None if ours is None or len(known) < len(names) else ours - max(known)


def overview(book: Book, task: str) -> str:
    """Return a table of means over sets, methods down; times are medians."""
    figures = different(key[3] for key in book if key[0] == task)
    head = (f"median {figure}" if "seconds" in figure else f"mean {figure}" for figure in figures)
    rows = (
        (method, *(shown(middle(book, task, method, figure)) for figure in figures))
        for method in different(key[2] for key in book if key[0] == task)
    )
    return table((f"{len(sets_of(book, task))} sets", *head), rows)


def middle(book: Book, task: str, method: str, figure: str) -> float | None:
    if "seconds" in figure:
        return statistics.median(values_of(book, task, method, figure) or [0]) or None
    return over_sets(book, task, method, figure)


def by_set(book: Book, task: str, figure: str) -> str:
    """Return a table of one figure, sets down, methods across, the best in bold."""
    methods = different(key[2] for key in book if key[0] == task and key[3] == figure)
    rows = []
    for name in sets_of(book, task):
        values = [book.get((task, name, method, figure)) for method in methods]
        best = max(value for value in values if value is not None)
        rows.append((name, *(f"**{shown(value)}**" if value == best else shown(value) for value in values)))
    return table((figure, *methods), rows)


def shown(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
