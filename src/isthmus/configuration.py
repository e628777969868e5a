"""Conversion of estimators and parts to plain values and back, for model files, run files and the command line.

A part is ``{"class": "bottlenecks.Gaussian", "params": {"beta": 4.0}}``, a tuple ``{"tuple": [...]}``, a dict
``{"dict": {...}}``, a schema ``{"schema": {...}}``; all other values are those of JSON.
"""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.neighbors import KernelDensity

from isthmus import backbones, bottlenecks, corruptions, likelihoods, priors, regularizers
from isthmus.part import did_you_mean
from isthmus.schema import Schema

PACKAGES: tuple[ModuleType, ...] = (backbones, bottlenecks, corruptions, likelihoods, priors, regularizers)
ESTIMATORS = {
    "priors.Flow": priors.Flow,
    "sklearn.mixture.BayesianGaussianMixture": BayesianGaussianMixture,
    "sklearn.mixture.GaussianMixture": GaussianMixture,
    "sklearn.neighbors.KernelDensity": KernelDensity,
}


def known_classes(parts: Sequence[type] = ()) -> dict[str, type]:
    """Return the classes that a document may contain, by name: parts of isthmus, density estimators, and ``parts``."""
    ours = {
        f"{package.__name__.rsplit('.', 1)[-1]}.{name}": getattr(package, name)
        for package in PACKAGES
        for name in package.__all__
    }
    return {**ours, **ESTIMATORS, **{f"{part.__module__}.{part.__qualname__}": part for part in parts}}


def to_plain(value: Any, where: str = "value") -> Any:
    """Convert a parameter to plain values.

    Raises
    ------
    ValueError
        If there is no plain form, as for a function; the message names ``where``.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return {"tuple": [to_plain(item, where) for item in value]}
    if isinstance(value, list):
        return [to_plain(item, where) for item in value]
    if isinstance(value, Schema):
        return {"schema": value.to_json()}
    if isinstance(value, dict):
        return {"dict": {name: to_plain(item, where) for name, item in value.items()}}
    if callable(getattr(value, "get_params", None)):
        return {
            "class": class_name(type(value)),
            "params": params_to_plain(type(value).__name__, value.get_params(deep=False)),
        }
    raise ValueError(f"{where} cannot be saved: {value!r} is neither a plain value nor a part")


def params_to_plain(owner: str, params: dict[str, Any], leave_out: Sequence[str] = ()) -> dict[str, Any]:
    """Convert the parameters of an estimator or a part to plain values; ``owner`` is its name in messages."""
    return {name: to_plain(value, f"{owner}.{name}") for name, value in params.items() if name not in leave_out}


def class_name(kind: type) -> str:
    """Return the name of a class in documents: short for classes of isthmus, and with the module for others."""
    short = {known: name for name, known in known_classes().items()}
    return short.get(kind, f"{kind.__module__}.{kind.__qualname__}")


def from_plain(value: Any, classes: dict[str, type]) -> Any:
    """Convert plain values back. Only objects of ``classes`` are created.

    Raises
    ------
    ValueError
        If a value names another class, or a parameter that the class does not have.
    """
    if isinstance(value, list):
        return [from_plain(item, classes) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"tuple"}:
        return tuple(from_plain(item, classes) for item in value["tuple"])
    if set(value) == {"dict"}:
        return {name: from_plain(item, classes) for name, item in value["dict"].items()}
    if set(value) == {"schema"}:
        return Schema.from_json(value["schema"])
    if set(value) != {"class", "params"}:
        raise ValueError(f"expected a part with 'class' and 'params', got an object with {sorted(value)}")
    name = value["class"]
    if name not in classes:
        own = "; pass your own classes of parts to load(path, parts=[...])"
        raise ValueError(f"{name!r} is not a class of isthmus{did_you_mean(str(name), classes)}{own}")
    return construct(classes[name], params_from_plain(value["params"], classes))


def params_from_plain(params: dict[str, Any], classes: dict[str, type]) -> dict[str, Any]:
    """Convert plain parameters back."""
    return {name: from_plain(value, classes) for name, value in params.items()}


class UnknownParameterError(ValueError):
    """A document has a parameter that a class does not have."""


def construct(kind: Any, params: dict[str, Any]) -> Any:
    """Create an object of a class; raise ``UnknownParameterError`` for a parameter that it lacks."""
    known = kind._get_param_names()
    for name in params:
        if name not in known:
            raise UnknownParameterError(f"{kind.__name__} has no parameter {name!r}{did_you_mean(name, known)}")
    return kind(**params)
