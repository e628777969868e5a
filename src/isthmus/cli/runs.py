"""Runs: descriptions of fits, from run files and options of the command line, and the estimators they describe."""

import ast
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from inspect import signature
from pathlib import Path
from typing import Any

import pyarrow as pa

from isthmus import backbones, bottlenecks, corruptions, likelihoods, regularizers, zoo
from isthmus.assembly import check_parameters
from isthmus.autoencoder import Autoencoder
from isthmus.cli.options import ColumnOptions
from isthmus.configuration import from_plain, known_classes
from isthmus.formatting import list_names
from isthmus.part import Part, did_you_mean, resolve

ROLES = {
    "backbone": backbones,
    "bottleneck": bottlenecks,
    "corruption": corruptions,
    "likelihood": likelihoods,
    "regularizers": regularizers,
}
TYPES = {"model": str, "set": dict, "seed": int, "columns": list, "without": list, "kinds": dict, "condition": str}


@dataclass(frozen=True)
class Run:
    """A fit in plain values, in the form of a run file.

    Parameters
    ----------
    model : str
        Name of the variant.
    set : dict
        Parameters, nested ones with dots.
    seed : int
    columns, without : sequence of str
        Columns to use (all if empty), and columns to leave out.
    kinds : dict
        Kinds of columns by name, for columns whose kind is not to be inferred from their values.
    condition : str or None
        Column of the labels.
    """

    model: str = "autoencoder"
    set: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    columns: Sequence[str] = ()
    without: Sequence[str] = ()
    kinds: Mapping[str, str] = field(default_factory=dict)
    condition: str | None = None


def read_run(config: Path | None, settings: Iterable[str], kinds: Iterable[str] = (), **options: Any) -> Run:
    """Combine a run file with options, which take precedence.

    Parameters
    ----------
    config : path or None
        JSON such as ``{"model": "vae", "set": {"n_components": 8, "bottleneck.beta": 4}, "seed": 0}``.
    settings : iterable of str
        Such as ``"bottleneck.beta=4"``.
    kinds : iterable of str
        Such as ``"zip=category"``.
    **options
        Fields of ``Run``; None where not given.

    Raises
    ------
    FileNotFoundError, ValueError
        If the run file does not exist or is not valid.
    """
    run = {} if config is None else _read_config(config)
    parameters = {name: parse(text) for name, text in split_pairs("--set", settings, "n_components=8").items()}
    named = {**run.get("kinds", {}), **split_pairs("--kind", kinds, "zip=category")}
    given = {name: value for name, value in options.items() if value not in (None, [])}
    return Run(**{**run, **given, "set": {**run.get("set", {}), **parameters}, "kinds": named})


def read_options(options: ColumnOptions, **fields: Any) -> Run:
    """Combine the options of a command, and further fields of ``Run``, with the run file if there is one."""
    values = {**asdict(options), **fields}
    config, settings, kinds = (values.pop(name, None) for name in ("config", "setting", "kind"))
    return read_run(config, settings or [], kinds or [], **values)


def make_estimator(run: Run) -> Autoencoder:
    """Make the estimator that a run describes.

    Raises
    ------
    ValueError
        If a variant, parameter or part does not exist, for which the message suggests the nearest name, or a value is
        not valid.
    """
    if run.model not in zoo.__all__:
        known = ", ".join(zoo.__all__)
        raise ValueError(f"--model must be one of {known}, got {run.model!r}{did_you_mean(run.model, zoo.__all__)}")
    variant = getattr(zoo, run.model)
    parameters = {name: _part(name, _value(value)) for name, value in run.set.items()}
    options = {name: value for name, value in parameters.items() if "." not in name}
    own = [name for name in signature(variant).parameters if name != "options"]
    _check_known(options, [*own, *_names(variant())], run.model)
    estimator: Autoencoder = variant(**{"random_state": run.seed, "verbose": 1, **options})
    _check_known(parameters, [*own, *_names(estimator)], run.model)
    nested = {name.replace(".", "__"): value for name, value in parameters.items() if name not in options}
    estimator.set_params(schema=dict(run.kinds) or None, **nested)
    check_parameters(estimator)
    return estimator


def choose_columns(values: Any, run: Run, path: Path) -> Any:
    """Return the columns of a file to learn from.

    Raises
    ------
    ValueError
        If the run names columns that the file does not have.
    """
    named = [*run.columns, *run.without, *run.kinds, *([] if run.condition is None else [run.condition])]
    if not isinstance(values, pa.Table):
        if named:
            raise ValueError(f"{str(path)!r} has no column names, and therefore no column {named[0]!r}")
        return values
    for name in named:
        if name not in values.column_names:
            raise ValueError(f"{str(path)!r} has no column {name!r}{did_you_mean(name, values.column_names)}")
    left_out = {*run.without, run.condition}
    return values.select([name for name in dict.fromkeys(run.columns or values.column_names) if name not in left_out])


def choose_series(values: Any, run: Run, times: Sequence[str], path: Path) -> Any:
    """Return the columns of a series to learn from, and the columns of its times.

    Raises
    ------
    ValueError
        If the file does not have a column, or no channel is left.
    """
    known = getattr(values, "column_names", ())
    for name in times:
        if name not in known:
            only = f", only {list_names(known)}" if known else ""
            raise ValueError(f"{str(path)!r} has no column {name!r} of times{only}{did_you_mean(name, known)}")
        if name in run.without:
            raise ValueError(f"column {name!r} holds the times (--time), so --without cannot leave it out")
    chosen = choose_columns(values, replace(run, columns=[*run.columns, *times]) if run.columns else run, path)
    if set(getattr(chosen, "column_names", [""])) <= set(times):
        raise ValueError(f"no column of {str(path)!r} is left beside that of its times: a series needs channels")
    return chosen


def as_time(columns: Sequence[str]) -> str | tuple[str, ...]:
    """Return the names of time columns as the parameter ``time`` of an estimator."""
    names = tuple(dict.fromkeys(columns))
    return names[0] if len(names) == 1 else names


def parse(text: str) -> Any:
    """Parse a value in the syntax of JSON or Python; return any other text as it is."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):  # the last two: nested too deeply
            continue
    return text


def _read_config(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"there is no run file {str(path)!r}")
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"run file {str(path)!r} is not JSON: {error}") from error
    if not isinstance(run, dict):
        raise ValueError(f"run file {str(path)!r} must be an object with keys such as 'model' and 'set', got {run!r}")
    for key, value in run.items():
        if key not in TYPES:
            raise ValueError(f"run file {str(path)!r} has an unknown key {key!r}{did_you_mean(key, TYPES)}")
        if not isinstance(value, TYPES[key]):
            raise ValueError(f"{key!r} of run file {str(path)!r} must be of type {TYPES[key].__name__}, got {value!r}")
    return run


def split_pairs(option: str, texts: Iterable[str], example: str) -> dict[str, str]:
    """Split the values of an option, such as ``NAME=VALUE``, at the first equals sign."""
    split = [text.partition("=") for text in texts]
    for name, equals, value in split:
        if not equals:
            raise ValueError(f"{option} takes NAME=VALUE, such as {example}, got {name + value!r}")
    return {name.strip(): value.strip() for name, _, value in split}


def _value(plain: Any) -> Any:
    """Turn a plain value into a parameter: parts are made, and lists become tuples, which can be cloned."""
    try:
        value = from_plain(plain, known_classes())
    except RecursionError as error:
        raise ValueError("the value of a parameter is nested too deeply") from error
    return tuple(value) if isinstance(value, list) else value


def _part(name: str, value: Any) -> Any:
    """Make the part with this name, so that its own parameters can be set."""
    return resolve(value, ROLES[name], Part) if name in ROLES and isinstance(value, str) and value != "auto" else value


def _names(estimator: Autoencoder) -> list[str]:
    return [name.replace("__", ".") for name in estimator.get_params()]


def _check_known(names: Iterable[str], known: Sequence[str], model: str) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"unknown --set key {name!r} for {model}{did_you_mean(name, known)}")
