"""Spaces of parameters, and the default space of an estimator and its data."""

import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from math import prod
from os import PathLike
from pathlib import Path
from typing import Any, cast

from sklearn.base import clone

from isthmus import backbones, bottlenecks, corruptions
from isthmus.backbones import MLP
from isthmus.errors import require_path, require_type
from isthmus.model import Model
from isthmus.part import Part, did_you_mean, resolve
from isthmus.problem import Problem
from isthmus.tuning.dimensions import Choice, Dimension, Layers, Range, as_dimension

# Factor by which the learning rate may differ from the default: three halvings or doublings.
RATE_FACTOR = 8
# Factor for sizes (width of layers, rows of a batch, size of the code): two halvings or doublings.
SIZE_FACTOR = 4
# Factor for weights of terms of the loss, and values of weight decay. Wide enough for common settings; not tuned.
WEIGHT_FACTOR, DECAYS = 10, [0.0, 1e-4, 1e-3, 1e-2, 1e-1]
# Largest dropout, and bounds of widths and batch sizes. Not tuned.
MAX_DROPOUT, MIN_WIDTH, MAX_WIDTH, MIN_BATCH = 0.3, 16, 2048, 8
# Parameters of parts that may be given by name; as instances, their own parameters can be searched.
PARTS = {"backbone": backbones, "bottleneck": bottlenecks, "corruption": corruptions}

# Readers of the files of a space, by suffix.
READERS: dict[str, Callable[[str], Any]] = {".toml": tomllib.loads, ".json": json.loads}

Rule = Callable[[Any, Problem], Any]


class Space(dict[str, Dimension]):
    """The parameters of a search, as a dict from names of ``get_params`` to a ``Range``, ``Layers`` or a list.

    Parameters
    ----------
    entries : mapping or iterable of pairs, default=()
        Names of parameters, and the values that they may take.

    Examples
    --------
    >>> from isthmus.tuning import Range, Space
    >>> space = Space({"learning_rate": Range(1e-4, 1e-2, log=True), "backbone__activation": ["relu", "silu"]})
    >>> print(space)
    learning_rate        = {low = 0.0001, high = 0.01, log = true}
    backbone__activation = ["relu", "silu"]
    """

    def __init__(self, entries: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__()
        for name, values in dict(entries).items():
            self[name] = values

    def __setitem__(self, name: str, values: Any) -> None:
        super().__setitem__(name, as_dimension(name, values))

    def __str__(self) -> str:
        width = max(map(len, self), default=0)
        return "\n".join(f"{name:{width}} = {values}" for name, values in self.items())

    def ask(self, trial: Any) -> dict[str, Any]:
        """Return the value of each parameter for a trial.

        Parameters
        ----------
        trial : optuna.trial.Trial
            Trial of a search.

        Returns
        -------
        dict of str to object
            Values by name of the parameter.
        """
        return {name: values.ask(trial, name) for name, values in self.items()}

    def encode(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Return the numbers of a trial with these values of parameters.

        Parameters
        ----------
        params : mapping of str to object
            Values of parameters; those that are not in the space are ignored.

        Returns
        -------
        dict of str to object
            Numbers by their names in the trial.
        """
        known = {name: value for name, value in params.items() if name in self}
        return {key: number for name, value in known.items() for key, number in self[name].encode(value, name).items()}

    def check(self, estimator: Any) -> None:
        """Check that an estimator has the parameters of the space.

        Parameters
        ----------
        estimator : estimator
            Whose parameters are searched.

        Raises
        ------
        ValueError
            If the space is empty, or the estimator lacks one of its parameters.
        """
        known = estimator.get_params()
        if not self:
            raise ValueError("space has no parameters")
        for name in self:
            if name not in known:
                owner = type(estimator).__name__
                raise ValueError(f"space[{name!r}]: {owner} has no such parameter{did_you_mean(name, known)}")


def read_space(path: str | PathLike[str]) -> Space:
    """Read a space from a file of TOML, the form in which a space is printed, or of JSON.

    Parameters
    ----------
    path : str or path
        Ending in ``.toml`` or ``.json``.

    Returns
    -------
    Space
        The space.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is not such a file, or the values of a parameter are not valid.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from isthmus.tuning import Range, Space, read_space
    >>> space = Space({"learning_rate": Range(1e-4, 1e-2, log=True), "backbone__hidden": [(64,), (64, 32)]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "space.toml"
    ...     path.write_text(str(space)) > 0
    ...     read_space(path) == space
    True
    True
    """
    require_path("path", path)
    path = Path(path)
    if path.suffix not in READERS:
        raise ValueError(f"the file of a space must end in one of {', '.join(READERS)}, got {str(path)!r}")
    try:
        document = READERS[path.suffix](path.read_text(encoding="utf-8"))
        require_type("the file", document, dict, "an object of parameters")
        return Space({name: _to_options(values) for name, values in document.items()})
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{str(path)!r} is not a space of parameters: {error}") from error


def _to_options(values: Any) -> Any:
    """Return the options of a choice with tuples instead of lists, as parameters have; other values unchanged."""
    if not isinstance(values, list):
        return values
    return [tuple(option) if isinstance(option, list) else option for option in values]


def search_space(estimator: Any, X: Any, y: Any = None, *, code_size: bool = False) -> Space:
    """Return the default space of an estimator for data: learning rate, batch size, sizes of the net, and others.

    The default values of the estimator are in the middle of the ranges. The space may be changed before it is passed to
    ``tune``.

    Parameters
    ----------
    estimator : Autoencoder
        Its parameters are the middle of the ranges.
    X : object
        As in ``fit``.
    y : object, default=None
        As in ``fit``.
    code_size : bool, default=False
        Whether to include ``n_components``. It makes sense only for a measure that counts the size of the code, such as
        the bound.

    Returns
    -------
    Space
        The space.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import Autoencoder
    >>> from isthmus.tuning import search_space
    >>> print(search_space(Autoencoder(2), np.random.default_rng(0).normal(size=(1000, 8))))
    learning_rate     = {low = 0.0009765625, high = 0.0625, log = true}
    backbone__hidden  = {low = 32, high = 512, depth = 3}
    batch_size        = {low = 8, high = 64, log = true}
    weight_decay      = [0.0, 0.0001, 0.001, 0.01, 0.1]
    backbone__dropout = {low = 0.0, high = 0.3}
    """
    estimator = with_parts(estimator)
    return make_space(estimator, clone(estimator).prepare(X, y), code_size)


def make_space(estimator: Any, problem: Problem, code_size: bool) -> Space:
    """Return the default space of an estimator, whose problem has been prepared."""
    values = default_values(estimator, problem)
    rules = {name: rule for name, rule in RULES.items() if name in values and (code_size or name != "n_components")}
    found = {name: rule(values[name], problem) for name, rule in rules.items()}
    return Space({name: dimension for name, dimension in found.items() if dimension is not None})


def default_values(estimator: Any, problem: Problem) -> dict[str, Any]:
    """Return the parameters of an estimator, with the values that "auto" means for its problem."""
    settings, backbone = problem.settings, problem.state.model.backbone
    resolved: dict[str, Any] = {"learning_rate": settings.learning_rate, "batch_size": settings.batch_size}
    if isinstance(backbone, MLP):
        resolved["backbone__hidden"] = tuple(backbone.widths())
    return {**estimator.get_params(), **resolved}


def with_parts(estimator: Any) -> Any:
    """Return an unfitted copy with parts as instances, whose parameters can be set."""
    names = {name: getattr(estimator, name) for name in PARTS}
    parts = {
        name: resolve(value, PARTS[name], Part)
        for name, value in names.items()
        if isinstance(value, str) and value != "auto"
    }
    return clone(estimator).set_params(**parts)


# Rules: from the default value and the problem to the values of the search, or None to leave the parameter out.


def _weight(value: Any, problem: Problem) -> Range | None:
    """Return the range of a weight of the loss; None for a schedule or 0."""
    is_number = isinstance(value, int | float) and value > 0
    return Range(value / WEIGHT_FACTOR, float(value * WEIGHT_FACTOR), log=True) if is_number else None


def _size(value: int, low: int, high: int) -> Range | None:
    low, high = max(low, value // SIZE_FACTOR), min(high, value * SIZE_FACTOR)
    return Range(low, high, log=True) if low < high else None


def _layers(value: Any, problem: Problem) -> Layers | None:
    if not value:
        return None
    low, high = max(MIN_WIDTH, value[0] // SIZE_FACTOR), min(MAX_WIDTH, value[0] * SIZE_FACTOR)
    return Layers(low, high) if low < high else None


def _channels(value: tuple[int, ...], problem: Problem) -> Choice:
    return Choice([tuple(max(1, int(factor * n)) for n in value) for factor in (0.5, 1, 2)])


def _width(value: Any, problem: Problem) -> Choice | None:
    # Twice and half of a width that heads divide are divided by them, too, or are errors of trials.
    return Choice([value // 2, value, value * 2]) if isinstance(value, int) and value > 1 else None


RULES: dict[str, Rule] = {
    "bottleneck__beta": _weight,
    "n_components": lambda value, problem: _size(value, 1, prod(cast(Model, problem.state.model).schema.shape) - 1),
    "learning_rate": lambda value, problem: Range(value / RATE_FACTOR, value * RATE_FACTOR, log=True),
    "regularizers__weight": _weight,
    "backbone__hidden": _layers,
    "backbone__channels": _channels,
    "backbone__width": _width,
    "backbone__n_layers": lambda value, problem: Range(1, 3),
    "batch_size": lambda value, problem: _size(value, MIN_BATCH, len(problem.rows) // 4),
    "weight_decay": lambda value, problem: Choice(DECAYS),
    "backbone__dropout": lambda value, problem: Range(0.0, MAX_DROPOUT),
}
