"""Autoencoders in files."""

from collections.abc import Callable
from typing import Any

from isthmus import storage
from isthmus.autoencoder import Autoencoder
from isthmus.configuration import construct, from_plain, params_from_plain, params_to_plain, to_plain
from isthmus.persistence.context import (
    Content,
    Context,
    check_finite,
    columns_to_plain,
    seed_to_plain,
    take_columns,
)
from isthmus.persistence.densities import describe_density, rebuild_density
from isthmus.schema import Schema
from isthmus.statistics import Statistics
from isthmus.training import choose_device

# What holds functions or belongs to one machine; neither changes what a fitted model computes.
NOT_SAVED = ("callbacks", "device")


def describe_params(params: dict[str, Any]) -> dict[str, Any]:
    """Turn the parameters of an autoencoder into plain values."""
    plain = params_to_plain("Autoencoder", params, leave_out=("random_state", *NOT_SAVED))
    return {**plain, "random_state": seed_to_plain(params["random_state"])}


def describe(estimator: Autoencoder, nested: Callable[[Any], Content]) -> Content:
    """Take a fitted autoencoder apart."""
    kind, params = type(estimator).__name__, describe_params(estimator._fitted_params)
    fitted = {
        **columns_to_plain(estimator),
        "history_": estimator.history_,
        "likelihood_": to_plain(estimator.likelihood_),
    }
    tensors = storage.put_under("module", estimator.module_.state_dict())
    if estimator.density_ is not None:
        fitted["density_"], density = describe_density(estimator.density_)
        tensors |= storage.put_under("density", density)
    document = {"estimator": {"class": kind, "params": params}, "schema": estimator.schema_.to_json(), "fitted": fitted}
    return Content(tensors, document)


def rebuild(content: Content, context: Context, encodes: bool = True) -> Autoencoder:
    """Put an autoencoder together, or all of it but the encoder."""
    tensors, document = content
    params = params_from_plain(document["estimator"]["params"], context.classes)
    estimator: Autoencoder = construct(Autoencoder, params)
    fitted = document["fitted"]
    estimator._check_parameters()
    estimator.schema_ = Schema.from_json(document["schema"])
    estimator.schema_.check()
    estimator.likelihood_ = from_plain(fitted["likelihood_"], context.classes)
    estimator._state, estimator._fitted_params = None, estimator.get_params(deep=False)
    take_columns(estimator, fitted)
    estimator.history_ = fitted["history_"]
    estimator.module_ = estimator._build_model(
        estimator.schema_, Statistics.empty(estimator.schema_.shape), estimator.likelihood_
    )
    if not encodes:
        estimator.module_.backbone.drop_encoder()
    estimator.module_.load_state_dict(storage.take_from("module", tensors))
    check_finite(dict(estimator.module_.named_parameters()))
    estimator.module_.to(choose_device(context.device)).eval()
    estimator._n_features_out = estimator.n_components
    estimator.density_ = rebuild_density(fitted.get("density_"), storage.take_from("density", tensors), context.classes)
    return estimator
