"""Model files: the classes of models that each command accepts, and the columns that a model reads."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from isthmus.anomaly import AnomalyDetector, SlidingWindows
from isthmus.anomaly.decisions import p_values
from isthmus.anomaly.events import mark_events
from isthmus.data.files import as_array, as_table
from isthmus.data.series.series import read_fitted_series
from isthmus.data.series.times import list_time_columns
from isthmus.data.tables.frames import unused_name
from isthmus.formatting import format_shape, list_names
from isthmus.gap_filling import SeriesImputer
from isthmus.persistence import load
from isthmus.storage import read_document

# Classes of models that each command takes.
TAKES: dict[str, tuple[str, ...]] = {
    "transform": ("Autoencoder",),
    "reconstruct": ("Autoencoder", "BaggedAutoencoders"),
    "impute": ("Autoencoder", "SeriesImputer"),
    "impute --draws": ("Autoencoder",),
    "impute --intervals": ("Autoencoder",),
    "score": ("Autoencoder", "BaggedAutoencoders", "ExemplarDistance", "SlidingWindows", "AnomalyDetector"),
    "score --draws": ("Autoencoder",),
    "score --contributions": ("Autoencoder", "BaggedAutoencoders", "SlidingWindows"),
    "sample": ("Autoencoder", "Decoder"),
    "detect --detector": ("AnomalyDetector",),
    "doctor": ("Autoencoder", "BaggedAutoencoders", "AnomalyDetector"),
    "export": ("Autoencoder", "Decoder", "BaggedAutoencoders", "ExemplarDistance", "AnomalyDetector"),
    "report": (
        "Autoencoder",
        "AnomalyDetector",
        "BaggedAutoencoders",
        "ExemplarDistance",
        "SeriesImputer",
        "SlidingWindows",
    ),
}


def load_for(command: str, path: Path) -> Any:
    """Load a model for a command.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, or holds a model of a class that the command does not take.
    """
    kind = _class_in(read_document(path))
    if kind is None or kind in TAKES[command]:
        return load(path)
    others = [name for name in TAKES if kind in TAKES[name]]
    advice = f"commands that take it are {', '.join([*others, 'info'])}" if others else "only info reads it"
    raise ValueError(f"{str(path)!r} holds {_with_article(kind)}, which {command} does not take; {advice}")


def list_columns(model: Any) -> list[str]:
    """Return the names of the columns that a model reads; none if it was fitted on arrays."""
    estimator = model.estimator_ if isinstance(model, AnomalyDetector) else model
    if not isinstance(estimator, SlidingWindows | SeriesImputer):
        return list(estimator.schema_.names)
    return [*list_time_columns(estimator.time), *map(str, getattr(estimator, "feature_names_in_", ()))]


def list_text_columns(model: Any) -> list[str]:
    """Return the names of the columns that were text in fit; they stay text, even if all cells look like numbers."""
    schema = getattr(getattr(model, "estimator_", model), "schema_", None)
    return [field.name for field in schema.fields if field.dtype == "String"] if schema else []


def list_times(model: Any) -> list[str]:
    """Return the names of the columns of times that a model of a series reads."""
    return list_time_columns(getattr(getattr(model, "estimator_", model), "time", None))


def choose_rows(model: Any, values: Any, path: Path) -> Any:
    """Return the columns of a file that a model reads: by name if both have names, and otherwise by position.

    Raises
    ------
    ValueError
        If a column is missing, or an array has another shape than in fit.
    """
    names = list_columns(model)
    if not names:
        return as_array(values)
    if isinstance(values, pa.Table):
        _check_columns(names, values.column_names, path)
        return values.select(names)
    if values.shape[1:] != (len(names),):
        found, expected = format_shape(values.shape[1:]), format_shape((len(names),))
        raise ValueError(f"{str(path)!r} has rows of {found}, but the model expects {expected}")
    return as_table(values, names)


def decide(detector: AnomalyDetector, X: Any) -> dict[str, Any]:
    """Return columns with the score, p-value and decision of each row; rows of tables are scored once.

    P-values are not smoothed: readers of a file expect a lower score to have a lower p-value. The anomalies of a series
    are the points of its events, as in ``isthmus detect``: points beside them have low scores, too.
    """
    scores, estimator = detector.score_samples(X), detector.estimator_
    if isinstance(estimator, SlidingWindows):
        is_anomaly = mark_events(detector.events(X), read_fitted_series(estimator, X).times)
    else:
        is_anomaly = detector.predict(X, scores=scores) == -1
    return {"score": scores, "p_value": p_values(scores, detector.calibration_scores_), "is_anomaly": is_anomaly}


def add_times(
    model: Any, function: Callable[[Any], Any], names: Sequence[str]
) -> tuple[Callable[[Any], Any], list[str]]:
    """Return a function whose results have the columns of times of a series before them, and the names of its columns.

    ``names`` are those of the columns of an array that the given function returns.
    """
    times = list_times(model)

    def compute(rows: Any) -> pa.Table:
        results = as_table(function(rows), names)
        own = {unused_name(name, times): results[name] for name in results.column_names}
        return pa.table({**{name: rows[name] for name in times}, **own})

    return (compute, []) if times else (function, list(names))


def _check_columns(names: Collection[str], found: Collection[str], path: Path) -> None:
    missing, others = ([name for name in one if name not in other] for one, other in ((names, found), (found, names)))
    if missing:
        instead = f"; it has {list_names(others)} instead" if others else ""
        raise ValueError(f"{str(path)!r} lacks columns that the model was fitted on: {list_names(missing)}{instead}")


def _class_in(document: dict[str, Any]) -> str | None:
    """Return the class that a header names, or None if the header is damaged, which ``load`` reports in detail."""
    if "fingerprint" in document:
        return "checkpoint of an unfinished fit"
    estimator = document.get("estimator")
    return estimator.get("class") if isinstance(estimator, dict) else None


def _with_article(kind: str) -> str:
    return f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}"
