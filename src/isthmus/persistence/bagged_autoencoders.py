"""Ensembles in files: the nets side by side, and what their scores are measured against."""

from collections.abc import Callable
from typing import Any

from sklearn.base import clone

from isthmus import storage
from isthmus.anomaly import BaggedAutoencoders
from isthmus.anomaly.parallel import Parallel
from isthmus.autoencoder import Autoencoder
from isthmus.configuration import class_name, construct, params_from_plain
from isthmus.persistence import autoencoders
from isthmus.persistence.context import (
    Content,
    Context,
    arrays_to_tensors,
    columns_to_plain,
    own_params_to_plain,
    take_columns,
    tensors_to_arrays,
)

INNER, OWN = "inner", "ensemble"


def describe(ensemble: BaggedAutoencoders, nested: Callable[[Any], Content]) -> Content:
    """Take a fitted ensemble apart."""
    inner = nested(ensemble.estimator_)
    expected, expected_rest = ensemble._expected
    own = {
        "held_out_scores": ensemble.held_out_scores_,
        "left_out": ensemble.left_out_,
        "expected": expected,
        "expected_rest": expected_rest,
    }
    tensors = storage.put_under(INNER, inner.tensors) | storage.put_under(OWN, arrays_to_tensors(own))
    params = own_params_to_plain(ensemble)
    own_document = {"class": "BaggedAutoencoders", "params": params, "default": ensemble.estimator is None}
    return Content(tensors, {"estimator": own_document, INNER: inner.document, "fitted": columns_to_plain(ensemble)})


def rebuild(content: Content, context: Context) -> BaggedAutoencoders:
    """Put an ensemble together."""
    tensors, document = content
    own = tensors_to_arrays(storage.take_from(OWN, tensors))
    with_parallel = context._replace(classes={**context.classes, class_name(Parallel): Parallel})
    nets = autoencoders.rebuild(Content(storage.take_from(INNER, tensors), document[INNER]), with_parallel)
    template = None if document["estimator"]["default"] else _one_of(nets)
    params = params_from_plain(document["estimator"]["params"], context.classes)
    ensemble: BaggedAutoencoders = construct(BaggedAutoencoders, {**params, "estimator": template})
    ensemble.estimator_ = nets
    ensemble.held_out_scores_, ensemble.left_out_ = own["held_out_scores"], own["left_out"]
    ensemble._expected = own["expected"], own["expected_rest"]
    take_columns(ensemble, document["fitted"])
    return ensemble


def _one_of(nets: Autoencoder) -> Autoencoder:
    """Return the kind of net that stands side by side, not fitted; its own seed plays no part in an ensemble."""
    return clone(nets).set_params(backbone=clone(nets.backbone.backbone), random_state=None)
