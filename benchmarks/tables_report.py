"""Write the report of ``tables.py``: goals, and a table for each task."""

import json
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Record = dict[str, Any]
# Means over seeds by task, table, share of hidden cells, method and figure.
Book = dict[tuple[str, str, float, str, str], float]
# Goal, measured value, and limit: 1 for at most, -1 for at least.
Goal = tuple[str, float | None, tuple[int, float]]
HIDDEN = {"task", "method", "data", "fraction", "seed", "figure", "value", "failed", "run"}
PEERS = ("KNNImputer", "IterativeImputer", "mean and mode")

ABOUT = """# Tables compared with other methods

Five real tables. Numbers are float64, and all other columns are text. Identifiers, names and columns that are missing
in more than half of the rows are left out. Every method gets the same data.

- imputation: 10, 30 and 50 % of the known cells of every column are hidden at random; adult has 5,000 rows. *Error* is
  the root mean squared error of the hidden numbers of a column, divided by the standard deviation of the column.
  *Correct* is the share of correct hidden categories. Both are means over columns. Imputed numbers of integer columns
  are rounded for all methods. `IterativeImputer` uses ridge regressions on standardised numbers and one column for each
  category (its default, `BayesianRidge`, is not better and takes minutes instead of seconds). `KNNImputer` has 30
  neighbours in the same columns. "chained forests" is missForest with three sweeps of 50 trees, based on scikit-learn.
- synthetic: new rows of adult, by models of one half, compared with the other half by
  `isthmus.metrics.synthetic_quality`. TVAE and CTGAN are those of the package `ctgan`, with 300 epochs.
- codes: eight numbers for adult without the income, from which logistic regression and gradient boosting predict the
  income of other rows."""


def report(folder: Path) -> None:
    """Write ``tables.md`` from the newest run of every task in ``tables.jsonl``."""
    records = select_newest([json.loads(line) for line in (folder / "tables.jsonl").read_text().splitlines()])
    book = means(records)
    page = [ABOUT, machines(records), "## Goals", make_goals_table(goals(book))]
    for task, section in (("imputation", imputation), ("synthetic", plain), ("codes", plain)):
        if any(key[0] == task for key in book):
            page += [f"## {task}", *section(book, task)]
    failed = {(record["task"], record["method"]): record["failed"] for record in records if "failed" in record}
    page += [f"Left out of {task} where it failed: {name}, `{reason}`." for (task, name), reason in failed.items()]
    (folder / "tables.md").write_text("\n\n".join(page) + "\n")


def select_newest(records: list[Record]) -> list[Record]:
    """Keep the newest run of every method of a task; a failure counts only if no run succeeded."""
    succeeded_last = sorted(records, key=lambda record: "failed" not in record)
    last = {(record["task"], record["method"]): record["run"] for record in succeeded_last}
    return [record for record in records if record["run"] == last[record["task"], record["method"]]]


def means(records: list[Record]) -> Book:
    values: dict[Any, list[float]] = defaultdict(list)
    for record in records:
        if "failed" not in record:
            values[tuple(record[name] for name in ("task", "data", "fraction", "method", "figure"))].append(
                record["value"]
            )
    return {key: statistics.mean(each) for key, each in values.items()}


def machines(records: list[Record]) -> str:
    """Describe each machine of the newest runs, with its versions and its days."""
    days = defaultdict(set)
    for record in records:
        days[", ".join(f"{name} {value}" for name, value in record.items() if name not in HIDDEN)].add(
            record["run"][:10]
        )
    return "\n\n".join(f"Measured on {' and '.join(sorted(days[line]))}: {line}." for line in sorted(days))


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows])


def list_distinct(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def make_goals_table(goals: Iterable[Goal]) -> str:
    rows = []
    for goal, measured, (sign, limit) in goals:
        reached = "not measured" if measured is None else "yes" if sign * measured <= sign * limit else "no"
        bound = f"{'at most' if sign > 0 else 'at least'} {limit:g}"
        rows.append((goal, bound, "" if measured is None else f"{measured:.3f}", reached))
    return table(("goal", "", "measured", "reached"), rows)


def goals(book: Book) -> Iterable[Goal]:
    for fraction in (0.1, 0.3, 0.5):
        errors, right = (average_over_sets(book, fraction, figure) for figure in ("nrmse", "accuracy"))
        what = f"{fraction:.0%} hidden, the best of scikit-learn's imputers and of mean and mode"
        yield f"error of numbers minus that of {what}", subtract_best(errors, min), (1, 0.0)
        yield f"correct categories minus those of {what}", subtract_best(right, max), (-1, 0.0)
    made = ("synthetic", "adult_train", 0.0, "isthmus")
    yield "new rows: loss of AUROC if they replace real rows in training", book.get((*made, "utility gap")), (1, 0.03)
    yield "new rows: AUROC of a classifier against real rows", book.get((*made, "detection AUROC")), (1, 0.75)
    for figure in ("logistic, accuracy", "boosting, accuracy"):
        names = ("isthmus swap", "PCA")
        ours, theirs = (book.get(("codes", "adult_train", 0.0, name, figure), math.nan) for name in names)
        measured = None if math.isnan(ours - theirs) else ours - theirs
        yield f"codes trained with swapped cells: {figure} minus that of PCA", measured, (-1, 0.0)


def subtract_best(by_method: dict[str, float], best: Any) -> float | None:
    """Return the figure of isthmus minus the best of the other methods."""
    peers = [by_method[name] for name in PEERS if name in by_method]
    return by_method["isthmus"] - best(peers) if peers and "isthmus" in by_method else None


def average_over_sets(book: Book, fraction: float, figure: str) -> dict[str, float]:
    """Return means over tables of the methods that have finished all of them."""
    sets = list_distinct(key[1] for key in book if key[0] == "imputation")
    found = {}
    for method in list_distinct(key[3] for key in book if key[0] == "imputation"):
        values = [book.get(("imputation", name, fraction, method, figure)) for name in sets]
        if None not in values:
            found[method] = statistics.mean(values)
    return found


def imputation(book: Book, task: str) -> list[str]:
    """Return a table for each figure: a row for each data set and share, a column for each method, the best in bold."""
    methods = list_distinct(key[3] for key in book if key[0] == task)
    places = list_distinct(key[1:3] for key in book if key[0] == task)
    parts = []
    for title, figure, best in (("error of numbers", "nrmse", min), ("correct categories", "accuracy", max)):
        each = [
            (f"{name}, {fraction:.0%}", {m: book.get((task, name, fraction, m, figure)) for m in methods})
            for name, fraction in sorted(places)
        ]
        shares = sorted({fraction for _, fraction in places})
        each += [(f"mean over tables, {share:.0%}", average_over_sets(book, share, figure)) for share in shares]
        parts.append(table((title, *methods), (line(name, values, methods, best) for name, values in each)))
    shares = sorted({place[1] for place in places})
    seconds = {share: average_over_sets(book, share, "seconds") for share in shares}
    rows = (
        (f"{fraction:.0%}", *(f"{values[m]:.1f}" if m in values else "" for m in methods))
        for fraction, values in seconds.items()
    )
    return [*parts, table(("seconds, mean over tables", *methods), rows)]


def line(name: str, values: dict[str, float | None], methods: list[str], best: Any) -> list[str]:
    known = [value for value in values.values() if value is not None]
    cells = [values.get(method) for method in methods]
    shown = ("" if cell is None else f"**{cell:.3f}**" if cell == best(known) else f"{cell:.3f}" for cell in cells)
    return [name, *shown]


def plain(book: Book, task: str) -> list[str]:
    """Return one table with a row for each method and a column for each figure."""
    figures = list_distinct(key[4] for key in book if key[0] == task)
    methods = list_distinct(key[1:4] for key in book if key[0] == task)
    rows = (
        (
            place[2],
            *(f"{book[task, *place, figure]:.4g}" if (task, *place, figure) in book else "" for figure in figures),
        )
        for place in methods
    )
    return [table(("", *figures), rows)]
