"""The values that a search may give to one parameter.

Each kind has two methods. ``ask`` draws a value from a trial of Optuna, and ``encode`` converts a value to the numbers
of a trial. Each kind is printed as a value of TOML.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from isthmus.errors import InputTypeError
from isthmus.plain import dataclass_of


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``; integers if both are integers.

    Parameters
    ----------
    low, high : int or float
        Limits, which are in the range.
    log : bool, default=False
        Whether the search is uniform in the logarithm.

    Examples
    --------
    >>> from isthmus.tuning import Range
    >>> print(Range(1e-4, 1e-2, log=True))
    {low = 0.0001, high = 0.01, log = true}
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (self.low < self.high and (self.low > 0 or not self.log)):
            positive = "0 < low < high" if self.log else "low < high"
            raise ValueError(f"Range must have {positive}, got low={self.low!r}, high={self.high!r}")

    def __str__(self) -> str:
        limits = {"low": self.low, "high": self.high}
        return _format({**limits, "log": True} if self.log else limits)

    @property
    def _integers(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    def ask(self, trial: Any, name: str) -> Any:
        """Return a value for a trial.

        Parameters
        ----------
        trial : optuna.trial.Trial
            Trial of a search.
        name : str
            Name of the parameter.

        Returns
        -------
        int or float
            The value.
        """
        suggest = trial.suggest_int if self._integers else trial.suggest_float
        return suggest(name, self.low, self.high, log=self.log)

    def encode(self, value: Any, name: str) -> dict[str, Any]:
        """Return the numbers of a trial with this value, or with the nearest value of the space.

        Parameters
        ----------
        value : int or float
            Value of the parameter.
        name : str
            Name of the parameter.

        Returns
        -------
        dict of str to number
            Numbers by their names in the trial.
        """
        number = min(max(value, self.low), self.high)
        return {name: int(number) if self._integers else float(number)}


@dataclass(frozen=True)
class Choice:
    """One of several values of any type; a list in a space means the same.

    Parameters
    ----------
    options : sequence
        At least two values.

    Examples
    --------
    >>> from isthmus.tuning import Choice
    >>> print(Choice(["relu", "silu"]))
    ["relu", "silu"]
    """

    options: Sequence[Any]

    def __post_init__(self) -> None:
        if isinstance(self.options, str) or len(self._names) < 2:
            raise ValueError(f"Choice must have at least two different values, got {self.options!r}")

    def __str__(self) -> str:
        return _format(self.options)

    @property
    def _names(self) -> dict[str, Any]:
        return {repr(option): option for option in self.options}

    def ask(self, trial: Any, name: str) -> Any:
        """Return a value for a trial.

        Parameters
        ----------
        trial : optuna.trial.Trial
            Trial of a search.
        name : str
            Name of the parameter.

        Returns
        -------
        object
            The option.
        """
        return self._names[trial.suggest_categorical(name, list(self._names))]

    def encode(self, value: Any, name: str) -> dict[str, Any]:
        """Return the entry of a trial with this value; empty if it is not an option.

        Parameters
        ----------
        value : object
            Value of the parameter.
        name : str
            Name of the parameter.

        Returns
        -------
        dict of str to str
            The option by its name in the trial.
        """
        return {name: repr(value)} if repr(value) in self._names else {}


@dataclass(frozen=True)
class Layers:
    """Widths of the layers of an encoder, each half as wide as the layer before.

    Parameters
    ----------
    low, high : int
        Smallest and largest width of the first layer; the search is uniform in the logarithm.
    depth : int, default=3
        Largest number of layers.

    Examples
    --------
    >>> from isthmus.tuning import Layers
    >>> print(Layers(64, 1024))
    {low = 64, high = 1024, depth = 3}
    """

    low: int
    high: int
    depth: int = 3

    def __post_init__(self) -> None:
        if not (0 < self.low < self.high and self.depth > 0):
            numbers = f"low={self.low!r}, high={self.high!r}, depth={self.depth!r}"
            raise ValueError(f"Layers must have 0 < low < high and depth > 0, got {numbers}")

    def __str__(self) -> str:
        return _format(asdict(self))

    def ask(self, trial: Any, name: str) -> tuple[int, ...]:
        """Return the widths for a trial.

        Parameters
        ----------
        trial : optuna.trial.Trial
            Trial of a search.
        name : str
            Name of the parameter.

        Returns
        -------
        tuple of int
            Widths of the layers.
        """
        first = trial.suggest_int(f"{name}.width", self.low, self.high, log=True)
        return _halve(first, trial.suggest_int(f"{name}.depth", 1, self.depth))

    def encode(self, value: Any, name: str) -> dict[str, Any]:
        """Return the numbers of a trial with these widths, or with the nearest ones of the space.

        Parameters
        ----------
        value : tuple of int
            Widths of the layers.
        name : str
            Name of the parameter.

        Returns
        -------
        dict of str to int
            Width and depth by their names in the trial; empty without layers.
        """
        if not value:
            return {}
        first = min(max(value[0], self.low), self.high)
        return {f"{name}.width": first, f"{name}.depth": min(len(value), self.depth)}


Dimension = Range | Choice | Layers


def as_dimension(name: str, values: Any) -> Dimension:
    """Return the values of a parameter in a space.

    A list is a choice. A mapping, as in a file, has the parameters of ``Layers`` if it has a depth, or of ``Range``.
    """
    try:
        if isinstance(values, list | tuple):
            return Choice(values)
        if isinstance(values, Mapping):
            dimension: Dimension = dataclass_of(Layers if "depth" in values else Range, dict(values))
            return dimension
    except ValueError as error:
        raise ValueError(f"space[{name!r}]: {error}") from error
    if not isinstance(values, Dimension):
        raise InputTypeError(f"space[{name!r}] must be a Range, Layers or a list of values, got {values!r}")
    return values


def _halve(first: int, depth: int) -> tuple[int, ...]:
    return tuple(max(1, first >> i) for i in range(depth))


def _format(value: Any) -> str:
    """Format a plain value as in TOML, and other objects as in Python."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name} = {_format(item)}' for name, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_format, value))}]"
    return json.dumps(value) if isinstance(value, bool | str) else repr(value)
