"""Autoencoders in files."""

from collections.abc import Callable
from typing import Any

import numpy as np

from isthmus import storage
from isthmus.autoencoder import Autoencoder
from isthmus.configuration import construct, from_plain, params_from_plain, params_to_plain, to_plain
from isthmus.persistence.context import Content, Context, describe_mixture, rebuild_mixture, seed_to_plain
from isthmus.schema import Schema
from isthmus.statistics import Statistics
from isthmus.training import choose_device

# What holds functions or belongs to one machine; neither changes what a fitted model computes.
NOT_SAVED = ("callbacks", "device")


def describe(estimator: Autoencoder, nested: Callable[[Any], Content]) -> Content:
    """Take a fitted autoencoder apart."""
    kind = type(estimator).__name__
    params = params_to_plain(kind, estimator._fitted_params, leave_out=("random_state", *NOT_SAVED))
    params["random_state"] = seed_to_plain(estimator._fitted_params["random_state"])
    names = vars(estimator).get("feature_names_in_")
    fitted = {
        "n_features_in_": estimator.n_features_in_,
        "feature_names_in_": None if names is None else list(names),
        "history_": estimator.history_,
        "likelihood_": to_plain(estimator.likelihood_),
    }
    tensors = storage.put_under("module", estimator.module_.state_dict())
    if estimator.density_ is not None:
        fitted["density_"], mixture = describe_mixture(estimator.density_)
        tensors |= storage.put_under("density", mixture)
    document = {"estimator": {"class": kind, "params": params}, "schema": estimator.schema_.to_json(), "fitted": fitted}
    return Content(tensors, document)


def rebuild(content: Content, context: Context) -> Autoencoder:
    """Put an autoencoder together."""
    tensors, document = content
    params = params_from_plain(document["estimator"]["params"], context.classes)
    estimator: Autoencoder = construct(Autoencoder, params)
    fitted = document["fitted"]
    estimator.schema_ = Schema.from_json(document["schema"])
    estimator.likelihood_ = from_plain(fitted["likelihood_"], context.classes)
    estimator._state, estimator._fitted_params = None, estimator.get_params(deep=False)
    estimator.n_features_in_ = fitted["n_features_in_"]
    if fitted["feature_names_in_"] is not None:
        estimator.feature_names_in_ = np.array(fitted["feature_names_in_"], dtype=object)
    estimator.history_ = fitted["history_"]
    estimator.module_ = estimator._build_model(
        estimator.schema_, Statistics.of_none(estimator.schema_.shape), estimator.likelihood_
    )
    estimator.module_.load_state_dict(storage.take_from("module", tensors))
    estimator.module_.to(choose_device(context.device)).eval()
    estimator._n_features_out = estimator.n_components
    estimator.density_ = rebuild_mixture(fitted.get("density_"), storage.take_from("density", tensors), context.classes)
    return estimator
