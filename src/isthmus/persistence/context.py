"""What goes into a file, and what is needed to rebuild an estimator of it."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from isthmus.configuration import params_to_plain
from isthmus.part import is_count

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


def own_params_to_plain(estimator: Any) -> dict[str, Any]:
    """Turn the parameters of an estimator into plain values; an estimator within it is described by itself."""
    params = {name: value for name, value in estimator.get_params(deep=False).items() if name != "estimator"}
    plain = params_to_plain(type(estimator).__name__, params, ("random_state",))
    return {**plain, "random_state": seed_to_plain(params["random_state"])}


def arrays_to_tensors(arrays: dict[str, Values]) -> dict[str, Tensor]:
    """Copy arrays to tensors."""
    return {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}


def tensors_to_arrays(tensors: dict[str, Tensor]) -> dict[str, Values]:
    """See tensors as arrays."""
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise ``ValueError`` if a value is infinite or NaN."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ValueError(f"the tensor {name!r} holds values that are not finite")


def columns_to_plain(estimator: Any) -> dict[str, Any]:
    """Say how many features fit saw, and their names if they had some."""
    names = vars(estimator).get("feature_names_in_")
    return {"n_features_in_": estimator.n_features_in_, "feature_names_in_": None if names is None else list(names)}


def take_columns(estimator: Any, fitted: dict[str, Any]) -> None:
    """Give an estimator back what ``columns_to_plain`` said."""
    width, names = fitted["n_features_in_"], fitted["feature_names_in_"]
    if not is_count(width):
        raise ValueError(f"n_features_in_ must be a positive integer, got {width!r}")
    estimator.n_features_in_ = width
    if names is None:
        return
    if not isinstance(names, list) or not all(isinstance(name, str | int) for name in names):
        raise ValueError(f"feature_names_in_ must be a list of names, got {names!r}")
    estimator.feature_names_in_ = np.array(names, dtype=object)
