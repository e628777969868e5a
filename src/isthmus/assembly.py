"""Build the model of an autoencoder from its parameters."""

import math
from collections.abc import Callable
from numbers import Real
from typing import Any

import torch

from isthmus import backbones, bottlenecks, corruptions, likelihoods, regularizers
from isthmus.allocation import AllocationLimit, physical_memory
from isthmus.formatting import list_names
from isthmus.model import Model
from isthmus.part import Part, is_count, resolve
from isthmus.priors import resolve_prior
from isthmus.schema import Schema
from isthmus.statistics import Statistics
from isthmus.training import check_precision, choose_batch_size, choose_max_epochs
from isthmus.training.optimizers import check_optimizer
from isthmus.training.schedules import resolve_schedule

# Names for a choice by the values and the estimator; "density" maximizes log densities for plain autoencoders too.
CHOICES = ("auto", "mixed", "density")
# Bytes of a parameter: float32.
BYTES = 4


def check_parameters(net: Any) -> None:
    """Check the parameters of an autoencoder that do not belong to a part.

    Raises
    ------
    TypeError, ValueError
        If a parameter is invalid; the message names it.
    """
    callbacks = net.callbacks
    expectations = {
        "n_components": (is_count(net.n_components), "a positive integer"),
        "validation_fraction": (_is_fraction(net.validation_fraction), "in [0, 1)"),
        "trim": (_is_fraction(net.trim), "in [0, 1)"),
        "verbose": (is_count(net.verbose) or net.verbose in (0, False, True), "an integer >= 0"),
        "callbacks": (isinstance(callbacks, tuple | list) and all(map(callable, callbacks)), "a tuple of callables"),
        "patience": (net.patience in (None, "auto") or is_count(net.patience), 'None, "auto" or a positive integer'),
    }
    for name, (holds, expected) in expectations.items():
        if not holds:
            raise ValueError(f"{name} must be {expected}, got {getattr(net, name)!r}")
    _resolve_prior(net)
    choose_max_epochs(net.max_epochs, 1, choose_batch_size(net.batch_size, 1))
    check_precision(net.precision)
    resolve_schedule(net.schedule)
    check_optimizer(net.optimizer, 1.0 if net.learning_rate == "auto" else net.learning_rate, net.weight_decay)


def _is_fraction(value: Any) -> bool:
    return isinstance(value, Real) and bool(0 <= value < 1)  # type: ignore[operator]


def choose_likelihood(net: Any, statistics: Statistics, schema: Schema) -> Any:
    """Return the likelihood of an autoencoder for data of a schema, as a name or a part.

    Raises
    ------
    ValueError
        If the requested likelihood does not fit the kind of values.
    """
    if isinstance(net.likelihood, str) and net.likelihood in CHOICES:
        return likelihoods.choose(statistics, schema, _purpose(net))
    of_categories = (likelihoods.Mixed, likelihoods.Categorical, likelihoods.Embedded)
    if schema.n_categories and not isinstance(net.likelihood, of_categories):
        raise ValueError(f"likelihood {net.likelihood!r} is for numbers, but the values are tokens")
    if schema.categorical and not isinstance(net.likelihood, of_categories):
        names = [schema.used[i].name for i in schema.categorical if schema.used[i].kind != "binary"]
        if names:
            raise ValueError(f"likelihood {net.likelihood!r} is for numbers, but {list_names(names)} hold categories")
    return net.likelihood


def _purpose(net: Any) -> str:
    """Return what the model is for. Only a plain autoencoder weighs columns: its loss has no other terms."""
    if corruptions.predicts_hidden_cells(net.corruption):
        return "imputation"
    is_free = net.bottleneck == "deterministic" or isinstance(net.bottleneck, bottlenecks.Deterministic)
    is_plain = is_free and not net.regularizers and net.corruption is None
    # Ensembles of nets score rows.
    scores = net.likelihood == "density" or getattr(net.backbone, "n_nets", 1) > 1
    return "reconstruction" if is_plain and not scores else "density"


def build_model(net: Any, schema: Schema, statistics: Statistics, likelihood: Any) -> Model:
    """Build the model of an autoencoder, with weights drawn from the global generator of torch.

    Raises
    ------
    MemoryError
        If the parameters of the model need more memory than this machine has. None of it is allocated then.
    """
    with _limit_to_memory(net):
        return _build_model(net, schema, statistics, likelihood)


def _limit_to_memory(net: Any) -> AllocationLimit:
    memory = physical_memory()
    found = f"this machine has {memory / 2**30:.3g} GiB"
    advice = f"lower n_components (now {net.n_components}) or the widths of the backbone"
    error = MemoryError(f"there is not enough memory for the parameters of the model: {found}; {advice}")
    return AllocationLimit(memory / BYTES, math.inf, error)


def _build_model(net: Any, schema: Schema, statistics: Statistics, likelihood: Any) -> Model:
    terms = net.regularizers if isinstance(net.regularizers, tuple | list) else (net.regularizers,)
    likelihood = resolve(likelihood, likelihoods, likelihoods.Likelihood)
    backbone = _resolve_backbone(net, schema, likelihood)
    backbone.preferred_linear_part = _choose_linear_part(net, schema, likelihood)
    model = Model(
        schema,
        statistics,
        int(net.n_components),
        backbone,
        resolve(net.bottleneck, bottlenecks, bottlenecks.Bottleneck),
        likelihood,
        [resolve(term, regularizers, regularizers.Regularizer) for term in terms],
        _resolve_corruption(net),
        _resolve_prior(net),
        float(net.trim),
    )
    # No conversion for float32: ``to(float32)`` would round the origin, which needs float64.
    return model.double() if check_precision(net.precision) is torch.float64 else model


def _choose_linear_part(net: Any, schema: Schema, likelihood: Any) -> str | None:
    """Return which part of a fully connected net is best linear; see docs/performance.md.

    Shortcuts are for squared errors in standard deviations of the columns, which PCA minimizes too.
    """
    if _purpose(net) != "reconstruction":
        return None
    leaves = getattr(likelihood, "parts", None) or (likelihood,)
    weighs_columns = any(getattr(leaf, "beta", 0.0) for leaf in leaves)
    return "encoder" if schema.categorical else "shortcut" if weighs_columns else None


def _resolve_backbone(net: Any, schema: Schema, likelihood: Any) -> Any:
    if isinstance(net.backbone, str) and net.backbone == "auto":
        is_categorical = isinstance(likelihood, likelihoods.Categorical)
        return backbones.choose(schema.shape, is_categorical and is_count(likelihood.n_categories))
    return resolve(net.backbone, backbones, backbones.Backbone)


def _resolve_corruption(net: Any) -> Any:
    """Return a corruption or any callable; parts of other kinds raise an error."""
    if net.corruption is None:
        return None
    kind = corruptions.Corruption if isinstance(net.corruption, Part) else Callable
    return resolve(net.corruption, corruptions, kind)


def _resolve_prior(net: Any) -> Any:
    return None if net.prior is None else resolve_prior(net.prior)
