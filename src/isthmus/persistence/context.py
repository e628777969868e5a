"""What goes into a file, and what is needed to rebuild an estimator of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from isthmus.configuration import class_name, from_plain, params_to_plain, to_plain

Values = np.ndarray[Any, Any]


class Content(NamedTuple):
    """Tensors by name, and a document, which says in "estimator" what class they are of."""

    tensors: dict[str, Tensor]
    document: dict[str, Any]


class Context(NamedTuple):
    """Which classes a document may name, where to compute, and how to rebuild an estimator within an estimator."""

    classes: dict[str, type]
    device: str
    rebuild: Callable[[Content], Any]


def seed_to_plain(seed: Any) -> int | None:
    """Keep a random state if it is a number."""
    return int(seed) if isinstance(seed, int | np.integer) else None


def arrays_to_tensors(arrays: dict[str, Values]) -> dict[str, Tensor]:
    """Copy arrays to tensors."""
    return {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}


def tensors_to_arrays(tensors: dict[str, Tensor]) -> dict[str, Values]:
    """See tensors as arrays."""
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def columns_to_plain(estimator: Any) -> dict[str, Any]:
    """Say how many features fit saw, and their names if they had some."""
    names = vars(estimator).get("feature_names_in_")
    return {"n_features_in_": estimator.n_features_in_, "feature_names_in_": None if names is None else list(names)}


def take_columns(estimator: Any, fitted: dict[str, Any]) -> None:
    """Give an estimator back what ``columns_to_plain`` said."""
    estimator.n_features_in_ = fitted["n_features_in_"]
    if fitted["feature_names_in_"] is not None:
        estimator.feature_names_in_ = np.array(fitted["feature_names_in_"], dtype=object)


def describe_mixture(mixture: Any) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Take a mixture apart: what fit found is whatever ends in an underscore."""
    found = {name: value for name, value in vars(mixture).items() if name.endswith("_") and not name.startswith("_")}
    arrays = {name: value for name, value in found.items() if isinstance(value, np.ndarray)}
    numbers = {
        name: to_plain(value) for name, value in found.items() if isinstance(value, bool | int | float | np.generic)
    }
    return {
        "class": class_name(type(mixture)),
        "params": params_to_plain("density", mixture.get_params(deep=False)),
        "numbers": numbers,
    }, arrays_to_tensors(arrays)


def rebuild_mixture(document: dict[str, Any] | None, tensors: dict[str, Tensor], classes: dict[str, type]) -> Any:
    """Put a mixture together; None is none."""
    if document is None:
        return None
    mixture = from_plain({"class": document["class"], "params": document["params"]}, classes)
    vars(mixture).update(document["numbers"], **{name: tensor.numpy() for name, tensor in tensors.items()})
    return mixture
