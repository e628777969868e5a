"""``isthmus report``: a report about a model as one HTML file."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isthmus.cli.fitting import split_as_fit
from isthmus.cli.inference import Table, open_rows
from isthmus.cli.models import load_for
from isthmus.cli.outputs import Output
from isthmus.cli.reading import list_options, read
from isthmus.formatting import pluralize
from isthmus.reporting import report
from isthmus.reporting.document import ENDINGS
from isthmus.reporting.subject import MIN_ROWS

# Options that write further files, by the ending of the file.
OPTIONS = {".json": "--json", ".md": "--card"}


def report_file(
    model: Path, data: Path, train: Path | None, label: str | None, seed: int, output: Output, endings: list[str]
) -> None:
    """Write a report, and with other endings its numbers and a model card; and print the verdict.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read or written, or the rows do not fit the model.
    """
    inputs = [model, data, train]
    out = output.file(data, ".report.html", inputs, ENDINGS[:1])
    paths = [out, *map(out.with_suffix, endings)]
    output.check(paths, inputs, ENDINGS)
    estimator, rows = load_for("report", model), open_rows(data)
    X = rows.read(estimator)
    made = report(
        estimator,
        X,
        None if label is None else _read_labels(rows, label),
        train=None if train is None else open_rows(train).read(estimator),
        held_out=None if train is not None else _find_held_out(estimator, X),
        random_state=seed,
        command=_repeat(model, data, train, label, seed, endings),
        files={name: path for name, path in (("model", model), ("data", data), ("train", train)) if path is not None},
    )
    made.save(*paths)
    print(*made.verdict, *(f"wrote {path}: {pluralize(len(made.sections), 'section')}" for path in paths), sep="\n")


def _find_held_out(model: Any, X: Any) -> Any:
    """Return the positions of the rows that ``isthmus fit`` held out, if the model was fitted to the others."""
    _, held_out = split_as_fit(model, X, None)
    return held_out if len(held_out) >= MIN_ROWS else None


def _read_labels(rows: Table, name: str) -> Any:
    if type(rows) is not Table:
        raise ValueError(f"--label needs a table in memory, but {str(rows.path)!r} is none")
    table = read(rows.path)
    if not isinstance(table, pa.Table) or name not in table.column_names:
        raise ValueError(f"{str(rows.path)!r} has no column {name!r} of labels")
    return np.asarray(table.column(name).to_pylist())


def _repeat(model: Path, data: Path, train: Path | None, label: str | None, seed: int, endings: Sequence[str]) -> str:
    """Return the command without folders, which differ between machines."""
    words = ["isthmus", "report", model.name, data.name]
    words += [] if train is None else ["--train", train.name]
    words += [] if label is None else ["--label", label]
    return shlex.join([*words, *list_options(), "--seed", str(seed), *(OPTIONS[ending] for ending in endings)])
