"""The content of a file, and the conversion of estimators to it and back."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from isthmus import storage
from isthmus.configuration import construct, params_from_plain, params_to_plain
from isthmus.part import is_count

Values = np.ndarray[Any, Any]


# Prefix of the arrays of an estimator; arrays of estimators inside it have other prefixes.
OWN = "own"


class Content(NamedTuple):
    """Tensors by name, and a document of plain values, whose entry "estimator" names the class."""

    tensors: dict[str, Tensor]
    document: dict[str, Any]

    @classmethod
    def of(
        cls,
        estimator: Any,
        arrays: Mapping[str, Values],
        fitted: dict[str, Any],
        inner: Mapping[str, "Content"],
        **more: Any,
    ) -> "Content":
        """Describe an estimator.

        Parameters
        ----------
        estimator : estimator
            Estimator whose class and parameters are stored.
        arrays, fitted : dict
            Arrays and plain values that ``fit`` computed.
        inner : dict of str to Content
            Contents of the estimators inside it, by name.
        **more
            Plain values that are stored with class and parameters.
        """
        tensors = storage.put_under(OWN, arrays_to_tensors(arrays))
        for name, content in inner.items():
            tensors |= storage.put_under(name, content.tensors)
        described = {"class": type(estimator).__name__, "params": own_params_to_plain(estimator), **more}
        documents = {name: content.document for name, content in inner.items()}
        return cls(tensors, {"estimator": described, "fitted": fitted, **documents})

    @property
    def arrays(self) -> dict[str, Values]:
        """Arrays of the estimator, without those of estimators inside it."""
        return tensors_to_arrays(storage.take_from(OWN, self.tensors))

    def inner(self, name: str) -> "Content":
        """Return the content of an estimator inside it."""
        return Content(storage.take_from(name, self.tensors), self.document[name])


class Context(NamedTuple):
    """The classes that a document may contain, the device, and the function that rebuilds inner estimators."""

    classes: dict[str, type]
    device: str
    rebuild: Callable[[Content], Any]

    def construct(self, kind: type, content: Content, **params: Any) -> Any:
        """Create an unfitted estimator with the parameters of a document and ``params``."""
        return construct(kind, {**params_from_plain(content.document["estimator"]["params"], self.classes), **params})


def seed_to_plain(seed: Any) -> int | None:
    """Return a random state if it is an integer, and otherwise None."""
    return int(seed) if isinstance(seed, int | np.integer) else None


def own_params_to_plain(estimator: Any) -> dict[str, Any]:
    """Convert the parameters of an estimator to plain values, except for the parameter ``estimator``."""
    params = {name: value for name, value in estimator.get_params(deep=False).items() if name != "estimator"}
    plain = params_to_plain(type(estimator).__name__, params, ("random_state",))
    return {**plain, "random_state": seed_to_plain(params["random_state"])}


def arrays_to_tensors(arrays: Mapping[str, Values]) -> dict[str, Tensor]:
    """Copy arrays to tensors."""
    return {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}


def tensors_to_arrays(tensors: dict[str, Tensor]) -> dict[str, Values]:
    """Return arrays that share the memory of tensors."""
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def check_finite(tensors: Mapping[str, Tensor]) -> None:
    """Raise ``ValueError`` if a value is infinite or NaN."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise ValueError(f"the tensor {name!r} holds values that are not finite")


def columns_to_plain(estimator: Any) -> dict[str, Any]:
    """Return the number of features in fit, and their names if they have names."""
    names = vars(estimator).get("feature_names_in_")
    return {"n_features_in_": estimator.n_features_in_, "feature_names_in_": None if names is None else list(names)}


def take_columns(estimator: Any, fitted: dict[str, Any]) -> None:
    """Set the attributes of an estimator that ``columns_to_plain`` returned."""
    width, names = fitted["n_features_in_"], fitted["feature_names_in_"]
    if not is_count(width):
        raise ValueError(f"n_features_in_ must be a positive integer, got {width!r}")
    estimator.n_features_in_ = width
    if names is None:
        return
    if not isinstance(names, list) or not all(isinstance(name, str | int) for name in names):
        raise ValueError(f"feature_names_in_ must be a list of names, got {names!r}")
    estimator.feature_names_in_ = np.array(names, dtype=object)
