"""Densities in files, without pickle: what fit found, as tensors and numbers."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.neighbors import KernelDensity
from torch import Tensor

from isthmus import storage
from isthmus.configuration import class_name, from_plain, params_to_plain, to_plain
from isthmus.densities import Flow, PerLabel
from isthmus.persistence.context import arrays_to_tensors, tensors_to_arrays
from isthmus.randomness import seeded


class Density(NamedTuple):
    """Plain values and tensors of a fitted density."""

    document: dict[str, Any]
    tensors: dict[str, Tensor]


def describe_density(density: Any) -> Density:
    """Take a density apart."""
    if isinstance(density, PerLabel):
        return _describe_each(density.densities)
    document = {
        "class": class_name(type(density)),
        "params": params_to_plain("density", density.get_params(deep=False)),
    }
    if isinstance(density, Flow):
        return Density({**document, "n_features": density.n_features_in_}, density.module_.state_dict())
    if isinstance(density, KernelDensity):
        return Density(document, arrays_to_tensors({"rows": np.asarray(density.tree_.data)}))
    # Of a mixture, what fit found is whatever ends in an underscore.
    found = {name: value for name, value in vars(density).items() if name.endswith("_") and not name.startswith("_")}
    arrays = {name: value for name, value in found.items() if isinstance(value, np.ndarray)}
    numbers = {
        name: to_plain(value) for name, value in found.items() if isinstance(value, bool | int | float | np.generic)
    }
    return Density({**document, "numbers": numbers}, arrays_to_tensors(arrays))


def rebuild_density(document: dict[str, Any] | None, tensors: dict[str, Tensor], classes: dict[str, type]) -> Any:
    """Put a density together; None is none."""
    if document is None:
        return None
    if "each" in document:
        parts = [storage.take_from(str(i), tensors) for i in range(len(document["each"]))]
        pairs = zip(document["each"], parts, strict=True)
        return PerLabel([rebuild_density(one, part, classes) for one, part in pairs])
    density = from_plain({"class": document["class"], "params": document["params"]}, classes)
    if isinstance(density, Flow):
        return _rebuild_flow(density, document["n_features"], tensors)
    if isinstance(density, KernelDensity):
        return density.fit(tensors["rows"].numpy())
    vars(density).update(document["numbers"], **tensors_to_arrays(tensors))
    return density


def _describe_each(densities: list[Any]) -> Density:
    each = [describe_density(density) for density in densities]
    tensors: dict[str, Tensor] = {}
    for i, one in enumerate(each):
        tensors |= storage.put_under(str(i), one.tensors)
    return Density({"each": [one.document for one in each]}, tensors)


def _rebuild_flow(flow: Flow, n_features: int, tensors: dict[str, Tensor]) -> Flow:
    with seeded(0):
        flow.n_features_in_, flow.module_ = n_features, flow.build(n_features)
    flow.module_.load_state_dict(tensors)
    flow.module_.requires_grad_(False)
    return flow
