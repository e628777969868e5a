"""Rows on which a program is compared with isthmus: those of the user, and changes of them that programs often fail."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from isthmus.anomaly import AnomalyDetector
from isthmus.anomaly.cells import replace_cells
from isthmus.anomaly.rows import count_rows, take_rows
from isthmus.autoencoder import Autoencoder
from isthmus.containers import open_frame
from isthmus.data import Source
from isthmus.data.tables.frames import is_frame
from isthmus.exporting.ports import Port, read_cells

Values = np.ndarray[Any, Any]
Probe = tuple[str, Any]

# Largest number of rows that are compared, and rows that an Autoencoder samples if there are none.
MAX_ROWS, N_SAMPLED = 10_000, 200
# Numbers of rows of a call that differ from that of tracing: programs can be fixed to a size without an error.
COUNTS = (1, 2, 17)
# Share of the cells that are made missing or unseen, and distance of extreme values in standard deviations.
SHARE, N_DEVIATIONS = 0.2, 1e2


def choose_rows(model: Any, X: Any) -> Any:
    """Return rows to compare on: those of the user, or rows that the model can give.

    Raises
    ------
    ValueError
        If the model can give none.
    """
    if X is not None:
        return take_rows(X, np.arange(min(count_rows(X), MAX_ROWS)))
    if isinstance(model, AnomalyDetector):
        return model._reference.rows
    if isinstance(model, Autoencoder):
        return model.sample(N_SAMPLED, random_state=0)
    raise ValueError(f"X is needed: {type(model).__name__} has no rows on which its program could be compared")


def make_probes(X: Any, ports: Sequence[Port]) -> Iterator[Probe]:
    """Yield names and rows."""
    yield "rows", X
    n = count_rows(X)
    for count in COUNTS:
        yield f"{count} row{'s' * (count > 1)}", take_rows(X, np.arange(count) % n)
    if isinstance(X, Source) or not (is_frame(X) or isinstance(X, np.ndarray)):
        return
    few = take_rows(X, np.arange(max(COUNTS)) % n)
    yield from _change_cells(few, ports) if is_frame(X) else _change_array(few, X)


def _change_array(few: Values, X: Values) -> Iterator[Probe]:
    yield "constant rows", np.full_like(few, np.median(X[np.isfinite(X)]) if X.dtype.kind == "f" else np.median(X))
    if X.dtype.kind != "f":
        return
    yield "missing cells", np.where(_mark(few.shape), np.nan, few)
    far = N_DEVIATIONS * np.nanstd(X, 0)
    yield "extreme rows", np.where(_mark(few.shape), few + far, few - far).astype(X.dtype)
    yield "float64 input", few.astype(np.float64) + 1e-3 * np.nanstd(X, 0)


def _change_cells(few: Any, ports: Sequence[Port]) -> Iterator[Probe]:
    marks = _mark((max(COUNTS), len(ports)))
    every = {port.name: mark for port, mark in zip(ports, marks.T, strict=True)}
    yield "constant rows", take_rows(few, np.zeros(max(COUNTS), int))
    yield "missing cells", replace_cells(few, every, dict.fromkeys(every))
    texts = {port.name: "a category that was not in fit" for port in ports if port.dtype == "string"}
    if texts:
        yield "unseen categories", replace_cells(few, {name: every[name] for name in texts}, texts)
    # A column of truth values that held numbers would be a column of another kind.
    columns = {str(name): dtype for name, dtype in open_frame(few).schema.items()}
    numbers = [port for port in ports if port.dtype == "float64" and columns[port.name].is_numeric()]
    if numbers:
        cells = read_cells(few, numbers)
        far = {
            name: np.nanmax(np.append(x, 0)) + N_DEVIATIONS * (np.nanstd(np.append(x, 0)) + 1)
            for name, x in cells.items()
        }
        yield "extreme rows", replace_cells(few, {name: every[name] for name in far}, far)


def _mark(shape: tuple[int, ...]) -> Values:
    """Mark a share of the values at random, the same in every call."""
    return np.random.default_rng(0).random(shape) < SHARE


def make_code_probes(estimator: Any, ports: Sequence[Port]) -> Iterator[tuple[str, Values, Any]]:
    """Yield names, codes and labels for a decoder."""
    codes, condition = estimator.module_.sample_codes(N_SAMPLED, None, 1.0).cpu().numpy(), estimator.schema_.condition
    labels = None if condition is None else np.resize(np.asarray(condition.categories), N_SAMPLED)
    for count in (N_SAMPLED, *COUNTS):
        yield f"{count} codes", codes[:count], None if labels is None else labels[:count]
    yield "extreme codes", 10 * codes, labels
    yield "equal codes", np.zeros_like(codes), labels
