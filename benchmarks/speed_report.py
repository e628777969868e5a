"""Write the reports of ``speed.py``: medians, ratios and goals.

python benchmarks/speed_report.py    # write both pages again
"""

import json
import statistics
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import speed_accelerator
from mnist import RESULTS
from speed_quality import QUALITY_PEERS
from speed_tasks import BATCH, LARGE, NETS, TASKS, flops, list_shapes

Record = dict[str, Any]
Medians = dict[str, float]
# Medians of the libraries by task and figure.
Book = dict[tuple[str, str], Medians]
OURS = ("isthmus", "isthmus-float32", "onnxruntime")
EPOCH, SCORE, TRANSFORM = "seconds per epoch", "seconds to score", "seconds to transform"
MEMORY, FIT, ERROR = "peak memory above the imports, relative to the array", "seconds to fit", "test error"

ABOUT = """# Speed compared with other libraries

All nets have ReLU after every hidden layer and after the code, and a linear output. They are trained with Adam at 1e-3,
squared error, batches of 256 and without validation. isthmus uses `Gaussian(scale="shared", scaling="none")`, which
also learns a noise scale. `conv` has 3 x 3 convolutions of stride 2 and a linear code. `torch` is a plain loop with
`DataLoader`, `torch-resident` is a loop without it, and `keras-jax-steps` is Keras with 32 steps per call
(`steps_per_execution`). `classic` is the net of the Keras tutorial, where each library has its own settings.
`time-table` and `time-adult` count the seconds until isthmus has the test error that Keras and scikit-learn have after
20 epochs; each library has its defaults. `zoo` trains on some of the rows. The first epoch is not counted. Scoring
compares `score_samples` of isthmus with `predict`, with `decision_function` of PyOD, `reconstruct` of pythae, and ONNX
Runtime on the same graph with the sum; `transform` is the encoder alone. The other libraries have the best of several
batch sizes, isthmus has its default. Figures are medians over rounds. A ratio is time, memory or error of isthmus
divided by that of the other library: below 1, isthmus is better."""
SHARES = [
    "| net | library | GFLOP/s | relative to large products | relative to the products of the net |",
    "| --- | --- | --- | --- | --- |",
]


def report(folder: Path, page: str) -> None:
    """Write "speed.md" or "accelerator.md" from the newest run of every task in the file of records."""
    file = folder / f"{page}.jsonl"
    records = select_newest([json.loads(line) for line in file.read_text().splitlines()]) if file.exists() else []
    (folder / f"{page}.md").write_text("\n\n".join(SECTIONS[page](records, medians(records))) + "\n")


def make_processor_page(records: list[Record], book: Book) -> list[str]:
    page = [ABOUT, machines(records), "## Goals", make_goals_table(goals(book)), *make_task_sections(records, book)]
    if lines := shares(book, records):
        page += ["## Share of the matrix-product limit that training reaches", "\n".join([*SHARES, *lines])]
    return page


def make_accelerator_page(records: list[Record], book: Book) -> list[str]:
    nets = {name: str(task.net) for name, task in TASKS.items()}
    asked = speed_accelerator.goals(partial(to_peer, book), nets)
    page = [speed_accelerator.ABOUT, machines(records), "## Goals", make_goals_table(asked)]
    return [*page, *make_task_sections(records, book)]


def make_task_sections(records: list[Record], book: Book) -> list[str]:
    page = []
    for task in TASKS:
        of_task = [record for record in records if record["task"] == task]
        if of_task:
            page += [f"## {task}", *sections(task, of_task, book)]
    return page


def select_newest(records: list[Record]) -> list[Record]:
    last = {record["task"]: record["run"] for record in records}
    return [record for record in records if record["run"] == last[record["task"]]]


def medians(records: list[Record]) -> Book:
    """Libraries that failed in any round are left out."""
    failed = {(record["task"], record["peer"]) for record in records if "failed" in record}
    values: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        if (record["task"], record["peer"]) not in failed:
            values[record["task"], record["figure"]][record["peer"]].append(record["value"])
    return {key: {peer: statistics.median(each) for peer, each in peers.items()} for key, peers in values.items()}


def machines(records: list[Record]) -> str:
    """Describe machine and versions of the newest runs; one line if all are equal."""
    hidden = {"task", "round", "peer", "figure", "value", "rows", "note", "failed", "run"}
    lines = {", ".join(f"{name} {value}" for name, value in r.items() if name not in hidden) for r in records}
    runs = sorted({record["run"] for record in records})
    return "\n".join(f"Measured {' and '.join(runs)}: {line}." for line in sorted(lines))


def sections(task: str, records: list[Record], book: Book) -> list[str]:
    figures = {figure: peers for (of, figure), peers in book.items() if of == task}
    if len(TASKS[task].peers) == 1:
        parts = [make_plain_table(figures, records)]
    else:
        tables = (make_figure_table(name, peers, records) for name, peers in figures.items())
        parts = [f"{TASKS[task].net}.", *tables]
    failed = {record["peer"]: record["failed"] for record in records if "failed" in record}
    return parts + [f"Left out: {peer}, which failed with `{reason}`." for peer, reason in failed.items()]


def make_plain_table(figures: dict[str, Medians], records: list[Record]) -> str:
    """Return a table of tasks without other libraries."""
    notes = {record["figure"]: record["note"] for record in records if "figure" in record}
    rows = (f"| {name} | {value:.4g} | {notes[name]} |" for name, peers in figures.items() for value in peers.values())
    return "\n".join(["| | median | note |", "| --- | --- | --- |", *rows])


def make_figure_table(figure: str, peers: Medians, records: list[Record]) -> str:
    """Return a table with a row for each library, the best first."""
    by_peer = {record["peer"]: record for record in records if record.get("figure") == figure}
    ours = peers.get("isthmus")
    lines = [f"| {figure} | median | rows per second | isthmus / other | note |", "| --- | --- | --- | --- | --- |"]
    for peer, value in sorted(peers.items(), key=lambda item: item[1]):
        rows, note = by_peer[peer]["rows"], by_peer[peer]["note"]
        ratio = "" if ours is None or peer == "isthmus" else f"{ours / value:.2f}"
        lines.append(f"| {peer} | {value:.4g} | {f'{rows / value:,.0f}' if rows else ''} | {ratio} | {note} |")
    return "\n".join(lines)


def make_goals_table(goals: list[tuple[str, float, float | None]]) -> str:
    lines = ["| goal | at most | measured | reached |", "| --- | --- | --- | --- |"]
    for goal, most, value in goals:
        if value is None:
            lines.append(f"| {goal} | {most:g} | | not measured |")
        else:
            lines.append(f"| {goal} | {most:g} | {value:.3g} | {'yes' if value <= most else 'no'} |")
    return "\n".join(lines)


def goals(book: Book) -> list[tuple[str, float, float | None]]:
    """Return goals with their limits and measured values."""

    def to_best(task: str, figure: str) -> float | None:
        return ratio(book, task, figure, lambda peers: min(v for name, v in peers.items() if name not in OURS))

    scoring = [
        goal
        for task in ("score-deep", "score-table")
        for verb, figure in (("scoring", SCORE), ("transform", TRANSFORM))
        for goal in (
            (f"{verb}, {TASKS[task].net}: relative to the fastest other library", 0.5, to_best(task, figure)),
            (f"{verb}, {TASKS[task].net}: relative to ONNX Runtime", 1.5, to_peer(book, task, figure, "onnxruntime")),
        )
    ]
    return [
        ("small net, seconds per epoch relative to the best other library", 0.9, to_best("small", EPOCH)),
        ("deep net, seconds per epoch relative to the best other library", 0.6, to_best("deep", EPOCH)),
        (
            "convolutional net, seconds per epoch relative to Keras on JAX",
            0.9,
            to_peer(book, "conv", EPOCH, "keras-jax"),
        ),
        (
            "convolutional net, seconds per epoch relative to a plain PyTorch loop",
            0.7,
            to_peer(book, "conv", EPOCH, "torch"),
        ),
        ("classic net, seconds to fit relative to Keras on JAX", 0.33, to_peer(book, "classic", FIT, "keras-jax")),
        ("classic net, test error relative to Keras on JAX", 1.0, to_peer(book, "classic", ERROR, "keras-jax")),
        *list_time_goals(book),
        *scoring,
        ("`import isthmus`, seconds", 0.15, book.get(("start", "seconds, import isthmus"), {}).get("isthmus")),
        ("peak memory of fitting, relative to the array", 1.4, book.get(("memory", MEMORY), {}).get("isthmus")),
        ("final test error relative to float32", 1.02, to_peer(book, "quality", ERROR, "isthmus-float32")),
    ]


def list_time_goals(book: Book) -> list[tuple[str, float, float | None]]:
    return [
        (
            f"{task.removeprefix('time-')}, seconds to the error of {peer} relative to {peer}",
            0.33,
            to_peer(book, task, f"seconds to the error of {peer}", peer),
        )
        for task in ("time-table", "time-adult")
        for peer in QUALITY_PEERS
        if peer != "isthmus"
    ]


def to_peer(book: Book, task: str, figure: str, peer: str) -> float | None:
    return ratio(book, task, figure, lambda peers: peers[peer])


def ratio(book: Book, task: str, figure: str, best_of: Callable[[Medians], float]) -> float | None:
    """Return the figure of isthmus divided by another, if both exist."""
    peers = book.get((task, figure), {})
    try:
        return peers["isthmus"] / best_of(peers)
    except (KeyError, ValueError):
        return None


def shares(book: Book, records: list[Record]) -> list[str]:
    """Compute floating-point operations per second of training, relative to those of matrix products."""
    lines = []
    n_rows = {record["task"]: record["rows"] for record in records if record.get("figure") == EPOCH}
    for name, net in NETS.items():
        limits = [find_limit(book, what) for what in (f"{LARGE} x {LARGE}", name)]
        for peer, seconds in sorted(book.get((name, EPOCH), {}).items(), key=lambda item: item[1]):
            speed = flops(list_shapes(net)) / BATCH * n_rows[name] / seconds / 1e9
            cells = [f"{speed / most:.1%}" if most else "" for most in limits]
            lines.append(f"| {net} | {peer} | {speed:.4g} | {' | '.join(cells)} |")
    return lines


def find_limit(book: Book, what: str) -> float | None:
    return book.get(("limit", f"GFLOP/s, {what}"), {}).get("torch")


SECTIONS = {"speed": make_processor_page, "accelerator": make_accelerator_page}

if __name__ == "__main__":
    for each in SECTIONS:
        report(RESULTS, each)
