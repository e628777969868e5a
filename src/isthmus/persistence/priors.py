"""Fitted density estimators as plain values and tensors for files, without pickle."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.neighbors import KernelDensity
from torch import Tensor

from isthmus import storage
from isthmus.configuration import class_name, from_plain, params_to_plain, to_plain
from isthmus.persistence.context import arrays_to_tensors, tensors_to_arrays
from isthmus.priors import Density, Flow
from isthmus.randomness import seeded


class Fitted(NamedTuple):
    """Plain values and tensors of fitted density estimators."""

    document: dict[str, Any]
    tensors: dict[str, Tensor]


def describe_density(density: Any) -> Fitted:
    """Convert a fitted density estimator to plain values and tensors."""
    document = {
        "class": class_name(type(density)),
        "params": params_to_plain("density", density.get_params(deep=False)),
    }
    if isinstance(density, Flow):
        return Fitted({**document, "n_features": density.n_features_in_}, density.module_.state_dict())
    if isinstance(density, KernelDensity):
        return Fitted(document, arrays_to_tensors({"rows": np.asarray(density.tree_.data)}))
    # Fitted attributes of a mixture end in an underscore.
    found = {name: value for name, value in vars(density).items() if name.endswith("_") and not name.startswith("_")}
    arrays = {name: value for name, value in found.items() if isinstance(value, np.ndarray)}
    numbers = {
        name: to_plain(value) for name, value in found.items() if isinstance(value, bool | int | float | np.generic)
    }
    return Fitted({**document, "numbers": numbers}, arrays_to_tensors(arrays))


def rebuild_density(document: dict[str, Any], tensors: dict[str, Tensor], classes: dict[str, type]) -> Any:
    """Rebuild a fitted density estimator from plain values and tensors."""
    density = from_plain({"class": document["class"], "params": document["params"]}, classes)
    if isinstance(density, Flow):
        return _rebuild_flow(density, document["n_features"], tensors)
    if isinstance(density, KernelDensity):
        return density.fit(tensors["rows"].numpy())
    vars(density).update(document["numbers"], **tensors_to_arrays(tensors))
    return density


def describe_prior(prior: Density) -> Fitted:
    """Convert the estimators of a fitted prior to plain values and tensors."""
    each = [describe_density(estimator) for estimator in prior.fitted]
    tensors: dict[str, Tensor] = {}
    for i, one in enumerate(each):
        tensors |= storage.put_under(str(i), one.tensors)
    return Fitted({"estimators": [one.document for one in each], "frequencies": prior.frequencies}, tensors)


def restore_prior(
    prior: Density, document: dict[str, Any], tensors: dict[str, Tensor], classes: dict[str, type]
) -> None:
    """Rebuild the estimators of a prior that is already built."""
    each = enumerate(document["estimators"])
    prior.fitted = [rebuild_density(one, storage.take_from(str(i), tensors), classes) for i, one in each]
    prior.frequencies = document["frequencies"]


def _rebuild_flow(flow: Flow, n_features: int, tensors: dict[str, Tensor]) -> Flow:
    with seeded(0):
        flow.n_features_in_, flow.module_ = n_features, flow.build(n_features)
    flow.module_.load_state_dict(tensors)
    flow.module_.requires_grad_(False)
    return flow
