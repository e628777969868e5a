"""The commands that use a model: each reads rows, asks the model, and writes what it answers."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isthmus.anomaly import AnomalyDetector, SlidingWindows
from isthmus.autoencoder import Autoencoder
from isthmus.cli import pictures
from isthmus.cli.filling import FilledCells
from isthmus.cli.models import choose_rows, columns_of, decisions_of, load_for, texts_of
from isthmus.cli.outputs import Output
from isthmus.cli.paths import is_folder
from isthmus.cli.reading import read
from isthmus.cli.runs import pairs, parse
from isthmus.cli.streaming import beside, streams, suffix_beside
from isthmus.data import Parquet, apply
from isthmus.decoder import Decoder
from isthmus.formatting import pluralize
from isthmus.gap_filling import SeriesImputer


def transform(model: Path, data: Path, output: Output) -> None:
    """Write codes, in columns named after the model."""
    out = _target(output, model, data, "codes")
    estimator = load_for("transform", model)
    X = _read_rows(estimator, data)
    _answer(output, out, estimator.transform, X, list(estimator.get_feature_names_out()))


def reconstruct(model: Path, data: Path, output: Output) -> None:
    """Write rebuilt rows."""
    out = _target(output, model, data, "rebuilt")
    estimator = load_for("reconstruct", model)
    _answer(output, out, estimator.reconstruct, _read_rows(estimator, data))


def impute(model: Path, data: Path, output: Output, draws: int, seed: int | None) -> None:
    """Write rows with their missing values filled; several fillings go to files that are counted."""
    out = _target(output, model, data, "filled", draws)
    estimator = load_for("impute --draws" if draws else "impute", model)
    X, cells = _read_rows(estimator, data), FilledCells()
    if not draws:
        _answer(output, out, partial(_impute, estimator, cells), X)
    elif isinstance(X, Parquet):
        raise ValueError(f"{str(data)!r} is streamed, but --draws needs its rows in memory")
    else:
        drawn = estimator.impute(X, n_draws=draws, random_state=seed)
        cells.add(X, drawn[0])
        fillings = dict(zip(_files(out, draws), drawn, strict=True))
        output.write(fillings)
        for path, filled in fillings.items():
            _say(path, len(filled), int(np.prod(filled.shape[1:])))
    print(cells)


def _impute(estimator: Any, cells: FilledCells, rows: Any) -> Any:
    filled = estimator.impute(rows)
    cells.add(rows, filled)
    return filled


def score(model: Path, data: Path, output: Output, draws: int) -> None:
    """Write a score a row; of a detector, the p-value and the decision as well."""
    out = _target(output, model, data, "scores")
    estimator = load_for("score --draws" if draws else "score", model)
    X = _read_rows(estimator, data)
    if isinstance(estimator, AnomalyDetector):
        _answer(output, out, lambda rows: pa.table(decisions_of(estimator, rows)), X)
    else:
        _answer(output, out, partial(estimator.score_samples, **({"n_draws": draws} if draws else {})), X, ["score"])


def contributions(model: Path, data: Path, output: Output, draws: int) -> None:
    """Write what each column adds to the score."""
    if draws:
        raise ValueError("--contributions takes the score without draws apart; leave --draws out")
    out = _target(output, model, data, "contributions")
    estimator = load_for("score --contributions", model)
    _answer(output, out, estimator.contributions, _read_rows(estimator, data), _names_of_addends(estimator))


def sample(
    model: Path,
    n: int,
    output: Output,
    condition: str | None,
    given: Sequence[str],
    seed: int | None,
    missing: bool = True,
) -> None:
    """Write new rows; images into a folder, if a name without a suffix is given."""
    if output.path is not None:
        _check_samples(output, output.path, model)
    estimator = load_for("sample", model)
    estimator = estimator.estimator if isinstance(estimator, Decoder) else estimator
    is_table = estimator.schema_.fields or estimator.schema_.vocabulary
    out = output.path or model.with_suffix(".samples.csv" if is_table else ".samples.npy")
    _check_samples(output, out, model)
    into_folder = is_folder(out)
    if into_folder and not estimator.schema_.layout:
        raise ValueError(f"the model was fitted on rows, which go to a file such as new.csv, not to {str(out)!r}")
    values = _given(estimator, pairs("--given", given, "sex=F"))
    label, noise = _label(estimator, condition), not into_folder
    rows = estimator.sample(n, y=label, given=values, noise=noise, missing=missing, random_state=seed)
    if into_folder:
        pictures.write_samples(out, rows, estimator.schema_)
    else:
        _write(output, out, rows)


def _check_samples(output: Output, out: Path, model: Path) -> None:
    if is_folder(out):
        output.check_folder(out, [model])
    else:
        output.check([out], [model])


def _target(output: Output, model: Path, source: Path, what: str, draws: int = 0) -> Path:
    """Say where to write: beside what was read and of its kind, if nothing is asked for."""
    out = output.path or beside(source, f".{what}{suffix_beside(source)}")
    output.check(_files(out, draws), [model, source], [".parquet"] if streams(source) else None)
    return out


def _files(out: Path, draws: int) -> list[Path]:
    """List the files to write: one, or for several draws one each, with its number."""
    return [out.with_suffix(f".{i}{out.suffix}") for i in range(1, draws + 1)] or [out]


def _read_rows(estimator: Any, data: Path) -> Any:
    """Read the columns of a file that a model was fitted on, as a stream where the file is large."""
    if not streams(data):
        return choose_rows(estimator, read(data, text=texts_of(estimator)), data)
    if isinstance(getattr(estimator, "estimator_", estimator), SlidingWindows) or isinstance(estimator, SeriesImputer):
        raise ValueError(f"{str(data)!r} is streamed, but the model judges a time point by those around it")
    names = columns_of(estimator)
    return Parquet(data, names) if names else Parquet(data).drop_names()


def _names_of_addends(estimator: Any) -> list[str]:
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
    """Turn texts into values of their columns; of arrays, names are positions."""
    fields = {field.name: field for field in estimator.schema_.fields}
    if not fields:
        return {parse(name): parse(text) for name, text in texts.items()}
    return {name: _value(text, fields[name].categories if name in fields else ()) for name, text in texts.items()}


def _value(text: str, levels: Sequence[Any]) -> Any:
    """Read a value as one of some levels, where there are any, or as what it looks like."""
    return next((level for level in levels if str(level) == text), parse(text))


def _answer(output: Output, out: Path, function: Callable[[Any], Any], X: Any, names: Sequence[str] = ()) -> None:
    """Write what a function says of the rows, chunk by chunk where they are streamed."""
    if isinstance(X, Parquet):
        _say(out, *apply(function, X, out, names))
    else:
        _write(output, out, function(X), names)


def _write(output: Output, out: Path, values: Any, names: Sequence[str] = ()) -> None:
    output.write({out: values}, names)
    n_columns = 1 if isinstance(values, list) else int(np.prod(values.shape[1:]))
    _say(out, len(values), n_columns)


def _say(out: Path, n_rows: int, n_columns: int) -> None:
    print(f"wrote {out}: {pluralize(n_rows, 'row')} x {pluralize(n_columns, 'column')}")
