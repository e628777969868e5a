"""The commands that use a model: each reads rows, asks the model, and writes what it answers."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from isthmus.autoencoder import Autoencoder
from isthmus.cli.runs import pairs, parse
from isthmus.cli.streaming import beside, streams
from isthmus.data import Parquet, apply
from isthmus.data.files import as_array, as_table, check_target, read, write
from isthmus.persistence import load


def transform(model: Path, data: Path, out: Path | None) -> None:
    """Write codes, in columns named after the model."""
    out = _target(out, data, "codes")
    estimator, X = _load(model, data)
    _answer(out, estimator.transform, X, list(estimator.get_feature_names_out()))


def reconstruct(model: Path, data: Path, out: Path | None) -> None:
    """Write rebuilt rows."""
    out = _target(out, data, "rebuilt")
    estimator, X = _load(model, data)
    _answer(out, estimator.reconstruct, X)


def impute(model: Path, data: Path, out: Path | None, draws: int, seed: int | None) -> None:
    """Write rows with their missing values filled; several fillings go to files that are counted."""
    out = _target(out, data, "filled")
    estimator, X = _load(model, data)
    if not draws:
        _answer(out, estimator.impute, X)
        return
    if isinstance(X, Parquet):
        raise ValueError(f"{str(data)!r} is streamed, but --draws needs its rows in memory")
    for i, filled in enumerate(estimator.impute(X, n_draws=draws, random_state=seed), start=1):
        _write(out.with_suffix(f".{i}{out.suffix}"), filled)


def score(model: Path, data: Path, out: Path | None, draws: int) -> None:
    """Write a score a row."""
    out = _target(out, data, "scores")
    estimator, X = _load(model, data)
    _answer(out, partial(estimator.score_samples, n_draws=draws), X, ["score"])


def contributions(model: Path, data: Path, out: Path | None, draws: int) -> None:
    """Write what each column adds to the score."""
    if draws:
        raise ValueError("--contributions takes the score without draws apart; leave --draws out")
    out = _target(out, data, "contributions")
    estimator, X = _load(model, data)
    n_values = int(np.prod(estimator.schema_.shape))
    _answer(out, estimator.contributions, X, [*(f"x{i}" for i in range(n_values)), "code", "base"])


def sample(
    model: Path, n: int, out: Path | None, condition: str | None, given: Sequence[str], seed: int | None
) -> None:
    """Write new rows."""
    if out is not None:
        check_target(out)
    estimator = load(model)
    out = out or model.with_suffix(".samples.csv" if estimator.schema_.fields else ".samples.npy")
    values = _given(estimator, pairs("--given", given, "sex=F"))
    _write(out, estimator.sample(n, y=_label(estimator, condition), given=values, random_state=seed))


def _target(out: Path | None, source: Path, what: str) -> Path:
    """Say where to write: beside what was read and of its kind, if nothing is asked for."""
    streamed = streams(source)
    if out is not None:
        check_target(out, [".parquet"] if streamed else None)
    return out or beside(source, f".{what}{'.parquet' if streamed else source.suffix}")


def _load(model: Path, data: Path) -> tuple[Autoencoder, Any]:
    """Read a model and the rows for it: its own columns by name, where both know names, and by position where not."""
    estimator = load(model)
    names = estimator.schema_.names
    if streams(data):
        return estimator, Parquet(data, names) if names else Parquet(data).unnamed()
    values = read(data)
    if not names:
        return estimator, as_array(values)
    if isinstance(values, pa.Table):
        lacking = [name for name in names if name not in values.column_names]
        if lacking:
            raise ValueError(
                f"{str(data)!r} lacks columns that the model was fitted on: {', '.join(map(repr, lacking))}"
            )
        return estimator, values.select(names)
    if values.shape[1:] != estimator.schema_.shape:
        raise ValueError(
            f"{str(data)!r} has rows of shape {values.shape[1:]}, but the model was fitted on {len(names)} columns"
        )
    return estimator, as_table(values, names)


def _label(estimator: Autoencoder, text: str | None) -> Any:
    condition = estimator.schema_.condition
    if text is None:
        return None
    if condition is None:
        raise ValueError("the model was fitted without labels, so it takes no --condition")
    return text if isinstance(condition.levels[0], str) else parse(text)


def _given(estimator: Autoencoder, texts: Mapping[str, str]) -> dict[Any, Any]:
    """Turn texts into values of their columns; of arrays, names are positions."""
    fields = {field.name: field for field in estimator.schema_.fields}
    if not fields:
        return {parse(name): parse(text) for name, text in texts.items()}
    return {name: _value(text, fields[name].levels if name in fields else ()) for name, text in texts.items()}


def _value(text: str, levels: Sequence[Any]) -> Any:
    """Read a value as one of some levels, where there are any, or as what it looks like."""
    return next((level for level in levels if str(level) == text), parse(text))


def _answer(out: Path, function: Callable[[Any], Any], X: Any, names: Sequence[str] = ()) -> None:
    """Write what a function says of the rows, chunk by chunk where they are streamed."""
    if isinstance(X, Parquet):
        _say(out, *apply(function, X, out, names))
    else:
        _write(out, function(X), names)


def _write(out: Path, values: Any, names: Sequence[str] = ()) -> None:
    write(out, values, names)
    _say(out, len(values), int(np.prod(values.shape[1:])))


def _say(out: Path, n_rows: int, n_columns: int) -> None:
    print(f"wrote {out}: {n_rows} rows x {n_columns} column{'s' * (n_columns != 1)}")
