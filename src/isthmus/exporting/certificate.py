"""The comparison of a program with isthmus, without which no program is written."""

import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isthmus.exporting.formats import Run
from isthmus.exporting.ports import Feeds, Port

Values = np.ndarray[Any, Any]

# Largest difference of a value, in units of its distance from the mean of the real rows plus their standard deviation.
TOLERANCE = 1e-4
# Rounding of float32, which the difference may have in units of the value itself.
ROUNDING = 1e-6


@dataclass(frozen=True)
class Check:
    """The comparison on some rows.

    Parameters
    ----------
    rows : str
        What the rows are.
    n_rows : int
    difference : float
        Largest difference of a number, relative to the scale of its output.
    n_different : int
        Number of decisions and categories that differ.
    note : str
        Why the rows were not compared: the message with which isthmus refuses them.
    """

    rows: str
    n_rows: int = 0
    difference: float = 0.0
    n_different: int = 0
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether the program computes what isthmus does."""
        return self.difference <= TOLERANCE and not self.n_different


@dataclass(frozen=True)
class Certificate:
    """What was compared before a program was written.

    Parameters
    ----------
    model, part : str
        Class of the model, and its part.
    versions : dict
        Versions of isthmus and of the libraries that made and ran the program.
    inputs, outputs : list
        Names, types and shapes.
    checks : tuple of Check
    tolerance : float
        Largest difference that was allowed.
    """

    model: str
    part: str
    versions: dict[str, str]
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    checks: tuple[Check, ...]
    tolerance: float = TOLERANCE

    def to_json(self) -> str:
        """Return the certificate as text."""
        return json.dumps(asdict(self), indent=2)

    def __str__(self) -> str:
        compared = [check for check in self.checks if not check.note]
        worst = max(check.difference for check in compared)
        n_rows = sum(check.n_rows for check in compared)
        return f"{self.part} of {self.model}: {n_rows:,} rows compared, largest relative difference {worst:.1e}"


def compare(
    name: str, run: Run, feeds: Callable[[], Feeds], answer: Callable[[], Feeds], scales: "Scales", program: Any
) -> Check:
    """Compare the outputs of a program with those of isthmus; rows that isthmus refuses are not compared.

    Parameters
    ----------
    name : str
        What the rows are.
    run : callable
        The program.
    feeds, answer : callable
        Return the inputs of the program, and the outputs of isthmus by name.
    scales : Scales
        Of the real rows.
    program : Program
        Names the outputs.

    Raises
    ------
    ValueError
        If the program fails on the rows.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = answer()
        except ValueError as error:
            return Check(name, note=f"isthmus refuses these rows: {error}")
        inputs = feeds()
    try:
        found = run(inputs)
    except Exception as error:
        raise ValueError(f"the exported program fails on {name}: {str(error).splitlines()[0]}") from error
    differences, n_different = [0.0], 0
    for port in program.outputs:
        if found[port.name].shape != expected[port.name].shape:
            shapes = f"{found[port.name].shape} instead of {expected[port.name].shape}"
            raise ValueError(f"the exported program returns {port.name!r} of shape {shapes} for {name}")
        if port.is_decision:
            n_different += int((found[port.name] != expected[port.name]).sum())
        else:
            differences.append(scales.difference(port, found[port.name], expected[port.name]))
    return Check(name, len(next(iter(expected.values()))), max(differences), n_different)


class Scales:
    """Means and standard deviations of the numbers that isthmus returns for the real rows."""

    def __init__(self, expected: Feeds, outputs: Any) -> None:
        numbers = {port.name: expected[port.name].astype(np.float64) for port in outputs if not port.is_decision}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.means = {name: np.nan_to_num(np.nanmean(x, 0)) for name, x in numbers.items()}
            self.deviations = {name: np.nan_to_num(np.nanstd(x, 0)) for name, x in numbers.items()}

    def difference(self, port: Port, found: Values, expected: Values) -> float:
        """Return the largest relative difference; infinity if a value is missing or infinite in one of them only."""
        x, y = found.astype(np.float64), expected.astype(np.float64)
        if not np.array_equal(np.isfinite(x), np.isfinite(y)):
            return float("inf")
        mean, deviation = self.means[port.name], self.deviations[port.name]
        with np.errstate(invalid="ignore"):
            # A number near the middle of two values to which it may be rounded can be rounded to either.
            gap = np.abs(x - y) - port.step
            rounding = ROUNDING / TOLERANCE * np.abs(y)
            ratio = gap / (deviation + np.abs(y - mean) + rounding + np.finfo(np.float32).tiny)
        return float(np.nanmax(np.append(np.maximum(ratio, 0.0), 0.0)))


def require_passed(checks: tuple[Check, ...]) -> None:
    """Raise ``ValueError`` if a check has not passed, or nothing was compared."""
    for message in _failures(checks):
        raise ValueError(f"the exported program differs from isthmus, so no file was written: {message}")


def _failures(checks: tuple[Check, ...]) -> Iterator[str]:
    if checks[0].note:
        yield checks[0].note
    for check in checks:
        if check.n_different:
            yield f"it decides differently in {check.n_different} cells of {check.n_rows} rows ({check.rows})"
        if not check.passed:
            yield f"the relative difference on {check.rows} is {check.difference:.1e}, allowed are {TOLERANCE:.0e}"
