"""Autoencoders as plain values and tensors for files."""

from collections.abc import Callable
from typing import Any

from isthmus import storage
from isthmus.assembly import build_model, check_parameters
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
from isthmus.persistence.priors import describe_prior, restore_prior
from isthmus.priors import Density
from isthmus.problem import Reservoir
from isthmus.schema import Schema
from isthmus.statistics import Statistics
from isthmus.training import choose_device

# Parameters that hold functions or depend on the machine; they do not affect the results of a fitted model.
NOT_SAVED = ("callbacks", "device")


def describe_params(params: dict[str, Any]) -> dict[str, Any]:
    """Convert the parameters of an autoencoder to plain values."""
    plain = params_to_plain("Autoencoder", params, leave_out=("random_state", *NOT_SAVED))
    return {**plain, "random_state": seed_to_plain(params["random_state"])}


def describe(estimator: Autoencoder, nested: Callable[[Any], Content]) -> Content:
    """Convert a fitted autoencoder to plain values and tensors."""
    kind, params = type(estimator).__name__, describe_params(estimator._fitted_params)
    fitted = {
        **columns_to_plain(estimator),
        "n_rows": estimator.n_samples_fit_,
        "history_": estimator.history_,
        "likelihood_": to_plain(estimator.likelihood_),
    }
    tensors = storage.put_under("module", estimator.module_.state_dict())
    if isinstance(prior := estimator.module_.prior, Density):
        fitted["prior"], estimators = describe_prior(prior)
        tensors |= storage.put_under("prior", estimators)
    document = {"estimator": {"class": kind, "params": params}, "schema": estimator.schema_.to_json(), "fitted": fitted}
    return Content(tensors, document)


def rebuild(content: Content, context: Context, encodes: bool = True) -> Autoencoder:
    """Rebuild an autoencoder from plain values and tensors, with or without its encoder."""
    tensors, document = content
    params = params_from_plain(document["estimator"]["params"], context.classes)
    estimator: Autoencoder = construct(Autoencoder, params)
    fitted = document["fitted"]
    check_parameters(estimator)
    estimator.schema_ = Schema.from_json(document["schema"])
    estimator.schema_.check()
    estimator.likelihood_ = from_plain(fitted["likelihood_"], context.classes)
    estimator._state, estimator._reservoir, estimator._fitted_params = (
        None,
        Reservoir(),
        estimator.get_params(deep=False),
    )
    take_columns(estimator, fitted)
    estimator.n_samples_fit_, estimator.history_ = fitted["n_rows"], fitted["history_"]
    estimator.module_ = build_model(
        estimator, estimator.schema_, Statistics.empty(estimator.schema_.shape), estimator.likelihood_
    )
    if not encodes:
        estimator.module_.backbone.drop_encoder()
    estimator.module_.load_state_dict(storage.take_from("module", tensors))
    check_finite(dict(estimator.module_.named_parameters()))
    estimator.module_.to(choose_device(context.device, estimator.module_)).eval()
    estimator._n_features_out = estimator.module_.bottleneck.code_size
    if isinstance(prior := estimator.module_.prior, Density):
        restore_prior(prior, fitted["prior"], storage.take_from("prior", tensors), context.classes)
    return estimator
