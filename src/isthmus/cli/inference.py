"""The commands that apply a model: each reads rows, computes the model's answer, and writes it.

``open_rows`` decides whether a path is a table, a stream or a folder of images. All three have the same steps: name the
output, read the rows for a model, write the answer.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isthmus.anomaly import AnomalyDetector, SlidingWindows
from isthmus.autoencoder import Autoencoder
from isthmus.cli.filling import INTERVALS, FilledCells, add_intervals, report_filling
from isthmus.cli.fitting import split_as_fit
from isthmus.cli.images import list_file_names, open_folder, write_images, write_samples
from isthmus.cli.models import add_times, choose_rows, decide, list_columns, list_text_columns, load_for
from isthmus.cli.outputs import Output, choose_suffix
from isthmus.cli.paths import WRITTEN_TABLES, holds_images, is_folder
from isthmus.cli.reading import read
from isthmus.cli.runs import parse, split_pairs
from isthmus.cli.streaming import is_streamed
from isthmus.data import Parquet, apply
from isthmus.data.files import as_table
from isthmus.decoder import Decoder
from isthmus.formatting import pluralize
from isthmus.gap_filling import SeriesImputer
from isthmus.generation.intervals import N_DRAWS

Function = Callable[[Any], Any]


class Table:
    """Rows of a file in memory: a table, an array or a series.

    Parameters
    ----------
    path : path
    of_rows : bool
        Whether the answer to the rows has their form, as reconstructions have.
    """

    # Why ``impute --draws`` does not accept these rows; empty if it does.
    refuses_draws = ""

    def __init__(self, path: Path, of_rows: bool) -> None:
        self.path, self.of_rows = path, of_rows

    def name_output(self, output: Output, ending: str, model: Path) -> Path:
        """Name and check the file or folder to write."""
        return output.file(self.path, f".{ending}{choose_suffix(self.path)}", [model, self.path])

    def read(self, estimator: Any) -> Any:
        """Read the rows in the form that a model was fitted on."""
        return choose_rows(estimator, read(self.path, text=list_text_columns(estimator)), self.path)

    def write(self, output: Output, out: Path, X: Any, function: Function, names: Sequence[str]) -> None:
        """Write what a function returns for the rows; ``names`` are those of the columns of an array."""
        _write(output.write_like(self.path), out, function(X), names)


class StreamedTable(Table):
    """Rows of Parquet files, read chunk by chunk."""

    refuses_draws = "is streamed, but --draws and --intervals need its rows in memory"

    def name_output(self, output: Output, ending: str, model: Path) -> Path:
        """Name and check a Parquet file; no other kind is written chunk by chunk."""
        return output.file(self.path, f".{ending}.parquet", [model, self.path], [".parquet"])

    def read(self, estimator: Any) -> Any:
        """Open the files; a series cannot be streamed."""
        if isinstance(getattr(estimator, "estimator_", estimator), SlidingWindows | SeriesImputer):
            raise ValueError(f"{str(self.path)!r} is streamed, but the model needs a whole series in memory")
        names = list_columns(estimator)
        return Parquet(self.path, names) if names else Parquet(self.path).drop_names()

    def write(self, output: Output, out: Path, X: Any, function: Function, names: Sequence[str]) -> None:
        """Write chunk by chunk."""
        _report(out, *apply(function, X, out, names))


class Images(Table):
    """A folder of images; the answer is a folder of images, or a table with the names of the files."""

    refuses_draws = "is a folder of images, but --draws and --intervals fill rows of tables"

    def name_output(self, output: Output, ending: str, model: Path) -> Path:
        """Name and check a folder, or a table."""
        if self.of_rows:
            return output.folder(self.path, f".{ending}", [model, self.path])
        return output.file(self.path, f".{ending}.csv", [model, self.path], WRITTEN_TABLES)

    def read(self, estimator: Any) -> Any:
        """Open the images in the size that a model was fitted on."""
        return open_folder(self.path, like=estimator)

    def write(self, output: Output, out: Path, X: Any, function: Function, names: Sequence[str]) -> None:
        """Write images, or a table whose first column holds the names of the files."""
        files, answer = list_file_names(X), function(X)
        if self.of_rows:
            write_images(out, [Path(name) for name in files], answer, X.schema)
            return
        table = as_table(answer, names)
        output.write({out: table.add_column(0, "file", pa.array(files, pa.string()))})
        print(f"wrote {out}: {pluralize(len(table), 'image')} x {pluralize(table.num_columns + 1, 'column')}")


def open_rows(data: Path, of_rows: bool = False) -> Table:
    """Return the rows of a path: a table, a streamed table, or images."""
    kind = Images if holds_images(data) else StreamedTable if is_streamed(data) else Table
    return kind(data, of_rows)


def transform(model: Path, data: Path, output: Output) -> None:
    """Write codes, in columns named after the model."""

    def encode(net: Any) -> tuple[Function, list[str]]:
        return net.transform, list(net.get_feature_names_out())

    _apply("transform", model, data, output, "codes", encode)


def reconstruct(model: Path, data: Path, output: Output) -> None:
    """Write reconstructions of rows."""
    _apply("reconstruct", model, data, output, "rebuilt", lambda net: (net.reconstruct, []), of_rows=True)


def score(model: Path, data: Path, output: Output, draws: int) -> None:
    """Write a score for each row; a detector adds the p-value and the decision."""

    def rate(net: Any) -> tuple[Function, list[str]]:
        if isinstance(net, AnomalyDetector):
            return add_times(net, lambda rows: pa.table(decide(net, rows)), [])
        return add_times(net, partial(net.score_samples, **({"n_draws": draws} if draws else {})), ["score"])

    estimator, X = _apply("score --draws" if draws else "score", model, data, output, "scores", rate)
    _tell_rows_of_fit(estimator, X)


def _tell_rows_of_fit(estimator: Any, X: Any) -> None:
    """Say which scores cannot be compared if the rows are those that ``isthmus fit`` learned from."""
    _, held_out = split_as_fit(estimator, X, None)
    if len(held_out):
        print(
            f"the model has learned from all but {len(held_out):,} of these {len(X):,} rows, and the others tend to "
            "have lower scores: to rank all rows, use isthmus detect, which scores each by nets that have not seen it"
        )


def contributions(model: Path, data: Path, output: Output, draws: int) -> None:
    """Write the contribution of each column to the score."""
    if holds_images(data):
        raise ValueError(f"{str(data)!r} is a folder of images: use detect --heatmaps instead of --contributions")
    if draws:
        raise ValueError("--contributions explains the score without draws; leave --draws out")

    def split(net: Any) -> tuple[Function, list[str]]:
        return add_times(net, net.contributions, _names_of_terms(net))

    _apply("score --contributions", model, data, output, "contributions", split)


def impute(model: Path, data: Path, output: Output, draws: int, seed: int | None, intervals: bool = False) -> None:
    """Write rows with imputed missing values; several random imputations are written to numbered files."""
    if draws and intervals:
        raise ValueError("--draws writes random imputations and --intervals expected values: give one of them")
    if draws or intervals:
        (_impute_draws if draws else _impute_intervals)(model, data, output, draws or N_DRAWS, seed)
        return
    cells = FilledCells()

    def fill(net: Any) -> tuple[Function, list[str]]:
        return lambda rows: cells.add(rows, net.impute(rows)), []

    report_filling(*_apply("impute", model, data, output, "filled", fill, of_rows=True), cells)


def sample(
    model: Path,
    n: int,
    output: Output,
    condition: str | None,
    given: Sequence[str],
    seed: int | None,
    missing: bool = True,
) -> None:
    """Write new rows; images go to a folder if the output has no suffix."""
    if output.path is not None:
        _check_samples(output, output.path, model)
    estimator = load_for("sample", model)
    estimator = estimator.estimator if isinstance(estimator, Decoder) else estimator
    is_table = estimator.schema_.fields or estimator.schema_.vocabulary
    out = output.name(model, ".samples.csv" if is_table else ".samples.npy")
    _check_samples(output, out, model)
    into_folder = is_folder(out)
    if into_folder and not estimator.schema_.layout:
        raise ValueError(f"the model was fitted on a table: give a file such as new.csv, not the folder {str(out)!r}")
    values = _given(estimator, split_pairs("--given", given, "sex=F"))
    label, drawn = _label(estimator, condition), not into_folder
    rows = estimator.sample(n, y=label, given=values, sample_values=drawn, missing=missing, random_state=seed)
    if into_folder:
        write_samples(out, rows, estimator.schema_)
    else:
        _write(output, out, rows)


def _apply(
    command: str,
    model: Path,
    data: Path,
    output: Output,
    ending: str,
    function_of: Callable[[Any], tuple[Function, Sequence[str]]],
    of_rows: bool = False,
) -> tuple[Any, Any]:
    """Load a model for a command, write what its function returns for the rows, and return the model and the rows.

    ``function_of`` returns for a model the function of rows, and the names of its columns if it returns arrays.
    """
    rows = open_rows(data, of_rows)
    out = rows.name_output(output, ending, model)
    estimator = load_for(command, model)
    X = rows.read(estimator)
    function, names = function_of(estimator)
    rows.write(output, out, X, function, names)
    return estimator, X


def _impute_intervals(model: Path, data: Path, output: Output, draws: int, seed: int | None) -> None:
    rows = _open_in_memory(data)
    out = rows.name_output(output, "filled", model)
    estimator, cells = load_for("impute --intervals", model), FilledCells()
    X = rows.read(estimator)
    if not isinstance(X, pa.Table):
        raise ValueError(f"{str(data)!r} has no column names, which --intervals needs: leave it out, or use --draws")
    filled = cells.add(X, estimator.impute(X))
    _write(
        output.write_like(data), out, add_intervals(X, filled, estimator.impute(X, n_draws=draws, random_state=seed))
    )
    report_filling(estimator, X, cells)
    print(INTERVALS)


def _open_in_memory(data: Path) -> Table:
    rows = open_rows(data)
    if rows.refuses_draws:
        raise ValueError(f"{str(data)!r} {rows.refuses_draws}")
    return rows


def _impute_draws(model: Path, data: Path, output: Output, draws: int, seed: int | None) -> None:
    rows = _open_in_memory(data)
    out = output.name(data, f".filled{choose_suffix(data)}")
    files = [out.with_suffix(f".{i}{out.suffix}") for i in range(1, draws + 1)]
    output.check(files, [model, data])
    estimator, cells = load_for("impute --draws", model), FilledCells()
    X = rows.read(estimator)
    fillings = dict(zip(files, estimator.impute(X, n_draws=draws, random_state=seed), strict=True))
    cells.add(X, fillings[files[0]])
    output.write_like(data).write(fillings)
    for path, filled in fillings.items():
        _report(path, len(filled), int(np.prod(filled.shape[1:])))
    report_filling(estimator, X, cells)


def _check_samples(output: Output, out: Path, model: Path) -> None:
    if is_folder(out):
        output.check_folder(out, [model])
    else:
        output.check([out], [model])


def _names_of_terms(estimator: Any) -> list[str]:
    if isinstance(estimator, SlidingWindows):
        channels = getattr(estimator, "feature_names_in_", [f"x{i}" for i in range(estimator.n_features_in_)])
        return [*map(str, channels), "base"]
    return [*(f"x{i}" for i in range(int(np.prod(estimator.schema_.shape)))), "code", "base"]


def _label(estimator: Autoencoder, text: str | None) -> Any:
    condition = estimator.schema_.condition
    if text is None:
        return None
    if condition is None:
        raise ValueError("the model was fitted without labels, so it takes no --condition")
    return text if isinstance(condition.categories[0], str) else parse(text)


def _given(estimator: Autoencoder, texts: Mapping[str, str]) -> dict[Any, Any]:
    """Parse the values of columns; columns of arrays have positions for names."""
    fields = {field.name: field for field in estimator.schema_.fields}
    if not fields:
        return {parse(name): parse(text) for name, text in texts.items()}
    return {name: _value(text, fields[name].categories if name in fields else ()) for name, text in texts.items()}


def _value(text: str, categories: Sequence[Any]) -> Any:
    """Return the category with this text, or parse the text if there is none."""
    return next((category for category in categories if str(category) == text), parse(text))


def _write(output: Output, out: Path, values: Any, names: Sequence[str] = ()) -> None:
    output.write({out: values}, names)
    _report(out, len(values), 1 if isinstance(values, list) else int(np.prod(values.shape[1:])))


def _report(out: Path, n_rows: int, n_columns: int) -> None:
    print(f"wrote {out}: {pluralize(n_rows, 'row')} x {pluralize(n_columns, 'column')}")
