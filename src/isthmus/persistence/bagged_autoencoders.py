"""``BaggedAutoencoders`` in files: the nets, their held-out scores and expected contributions."""

from collections.abc import Callable
from typing import Any

from sklearn.base import clone

from isthmus.anomaly import BaggedAutoencoders
from isthmus.anomaly.parallel import Parallel
from isthmus.autoencoder import Autoencoder
from isthmus.configuration import class_name
from isthmus.persistence import autoencoders
from isthmus.persistence.context import Content, Context, columns_to_plain, take_columns


def describe(ensemble: BaggedAutoencoders, nested: Callable[[Any], Content]) -> Content:
    """Describe a fitted ensemble."""
    expected, expected_rest = ensemble._expected
    arrays = {
        "held_out_scores": ensemble.held_out_scores_,
        "left_out": ensemble.left_out_,
        "expected": expected,
        "expected_rest": expected_rest,
    }
    inner, default = {"inner": nested(ensemble.estimator_)}, ensemble.estimator is None
    return Content.of(ensemble, arrays, columns_to_plain(ensemble), inner, default=default)


def rebuild(content: Content, context: Context) -> BaggedAutoencoders:
    """Rebuild an ensemble."""
    document, arrays = content.document, content.arrays
    with_parallel = context._replace(classes={**context.classes, class_name(Parallel): Parallel})
    nets = autoencoders.rebuild(content.inner("inner"), with_parallel)
    template = None if document["estimator"]["default"] else _one_of(nets)
    ensemble: BaggedAutoencoders = context.construct(BaggedAutoencoders, content, estimator=template)
    ensemble.estimator_ = nets
    ensemble.held_out_scores_, ensemble.left_out_ = arrays["held_out_scores"], arrays["left_out"]
    ensemble._expected = arrays["expected"], arrays["expected_rest"]
    take_columns(ensemble, document["fitted"])
    return ensemble


def _one_of(nets: Autoencoder) -> Autoencoder:
    """Return one net of the ensemble, not fitted; its seed is not used in an ensemble."""
    return clone(nets).set_params(backbone=clone(nets.backbone.backbone), random_state=None)
