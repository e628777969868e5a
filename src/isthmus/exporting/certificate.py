"""The comparison of a program with isthmus, without which no program is written."""

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isthmus.exporting.formats import Run
from isthmus.exporting.ports import Feeds, Port
from isthmus.formatting import format_percent

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
    n_rows : int, default=0
        Number of rows.
    difference, mean_difference : float, default=0.0
        Largest and mean difference of a number, relative to the scale of its output.
    n_different, n_decisions : int, default=0
        Number of decisions and categories that differ, and of all.
    note : str, default=""
        Why the rows were not compared: the message with which isthmus refuses them.

    Examples
    --------
    >>> from isthmus.exporting import Check
    >>> Check("real rows", n_rows=200, n_different=1, n_decisions=200).different_share
    0.005
    """

    rows: str
    n_rows: int = 0
    difference: float = 0.0
    mean_difference: float = 0.0
    n_different: int = 0
    n_decisions: int = 0
    note: str = ""

    @property
    def different_share(self) -> float:
        """Share of the decisions and categories that differ."""
        return self.n_different / max(self.n_decisions, 1)


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
        The first one is on the real rows.
    precision : str or None
        To which the layers were reduced.
    tolerance : float
        Largest difference that was allowed: of each number, or with a reduced precision, on the real rows, of the mean
        and of the share of different decisions.
    n_bytes, n_bytes_full : int
        Size of the program without its metadata, and of the program in the precision of the model.

    Examples
    --------
    >>> from isthmus.exporting import Certificate, Check
    >>> checks = (Check("real rows", n_rows=200, difference=2e-6),)
    >>> print(Certificate("Autoencoder", "encoder", {}, [], [], checks, None, 1e-4, 9_000, 9_000))
    encoder of Autoencoder: 200 rows compared, largest relative difference 2.0e-06
    """

    model: str
    part: str
    versions: dict[str, str]
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    checks: tuple[Check, ...]
    precision: str | None
    tolerance: float
    n_bytes: int
    n_bytes_full: int

    def to_json(self) -> str:
        """Return the certificate as text.

        Returns
        -------
        str
            A JSON document with all fields.
        """
        return json.dumps(asdict(self), indent=2)

    def __str__(self) -> str:
        compared = [check for check in self.checks if not check.note]
        worst = max(check.difference for check in compared)
        n_rows = sum(check.n_rows for check in compared)
        text = f"{self.part} of {self.model}: {n_rows:,} rows compared, largest relative difference {worst:.1e}"
        return text if self.precision is None else f"{text}; {self._describe_precision()}"

    def _describe_precision(self) -> str:
        real = self.checks[0]
        decisions = f", {format_percent(real.different_share)} of decisions differ" if real.n_decisions else ""
        size = f"{self.n_bytes:,} bytes instead of {self.n_bytes_full:,}"
        return f"{self.precision}: mean difference on real rows {real.mean_difference:.1e}{decisions}, {size}"


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
    for port in program.outputs:
        if found[port.name].shape != expected[port.name].shape:
            shapes = f"{found[port.name].shape} instead of {expected[port.name].shape}"
            raise ValueError(f"the exported program returns {port.name!r} of shape {shapes} for {name}")
    return _measure(name, found, expected, scales, program.outputs)


def _measure(name: str, found: Feeds, expected: Feeds, scales: "Scales", outputs: Sequence[Port]) -> Check:
    differences, different = [np.zeros(1)], [np.zeros(0, bool)]
    for port in outputs:
        if port.is_decision:
            different.append((found[port.name] != expected[port.name]).ravel())
        else:
            differences.append(scales.differences(port, found[port.name], expected[port.name]).ravel())
    numbers, decisions = np.concatenate(differences), np.concatenate(different)
    mean = float(numbers[1:].mean()) if numbers[1:].size else 0.0
    n_rows = len(expected[outputs[0].name])
    return Check(name, n_rows, float(numbers.max()), mean, int(decisions.sum()), len(decisions))


class Scales:
    """Means and standard deviations of the numbers that isthmus returns for the real rows.

    Values that share a unit have one standard deviation: that of a pixel that is black in all rows is only rounding.
    """

    def __init__(self, expected: Feeds, outputs: Any) -> None:
        numbers = {port.name: expected[port.name].astype(np.float64) for port in outputs if not port.is_decision}
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.means = {name: np.nan_to_num(np.nanmean(x, 0)) for name, x in numbers.items()}
            shared = {port.name: None if port.shares_unit else 0 for port in outputs}
            self.deviations = {name: np.nan_to_num(np.nanstd(x, shared[name])) for name, x in numbers.items()}

    def differences(self, port: Port, found: Values, expected: Values) -> Values:
        """Return relative differences; infinity if a value is missing or infinite in one of them only."""
        x, y = found.astype(np.float64), expected.astype(np.float64)
        mean, deviation = self.means[port.name], self.deviations[port.name]
        with np.errstate(invalid="ignore"):
            # A number near the middle of two values to which it may be rounded can be rounded to either.
            gap = np.abs(x - y) - port.step
            rounding = ROUNDING / TOLERANCE * np.abs(y)
            ratio = gap / (deviation + np.abs(y - mean) + rounding + np.finfo(np.float32).tiny)
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        return np.where(same, 0.0, np.where(np.isfinite(x) & np.isfinite(y), np.maximum(ratio, 0.0), np.inf))


def require_equal(checks: Sequence[Check]) -> None:
    """Raise ``ValueError`` if a number or a decision differs, or nothing was compared."""
    for check in checks:
        message = checks[0].note
        if check.n_different:
            message = f"it decides differently in {check.n_different} cells of {check.n_rows} rows ({check.rows})"
        elif check.difference > TOLERANCE:
            message = f"the relative difference on {check.rows} is {check.difference:.1e}, allowed are {TOLERANCE:.0e}"
        if message:
            raise ValueError(f"the exported program differs from isthmus, so no file was written: {message}")


def require_close(checks: Sequence[Check], precision: str, max_error: float) -> None:
    """Raise ``ValueError`` if a reduced precision costs more than ``max_error`` on the real rows, the first check."""
    real = checks[0]
    overflows = [check.rows for check in checks if check.difference == np.inf]
    message = real.note
    if overflows:
        message = f"values overflow on {overflows[0]}"
    elif real.mean_difference > max_error:
        message = f"the mean relative difference is {real.mean_difference:.1e}, max_error is {max_error:g}"
    elif real.different_share > max_error:
        message = f"{format_percent(real.different_share)} of the decisions differ, max_error is {max_error:g}"
    if message:
        raise ValueError(f"{precision} is not precise enough for this model, so no file was written: {message}")
