"""``ExemplarDistance`` in files: exemplars and training rows as points; the nets are used in ``fit`` only."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from torch import Tensor

from isthmus import storage
from isthmus.anomaly import ExemplarDistance
from isthmus.anomaly.coordinates import RankGaussian, Standardisation, to_points
from isthmus.anomaly.distances import Exemplars, NearestRow, View, ViewScorer
from isthmus.anomaly.exemplar_distance import VIEWS
from isthmus.anomaly.robust_scale import RobustScale
from isthmus.anomaly.rows import from_numbers
from isthmus.autoencoder import Autoencoder
from isthmus.configuration import construct, params_from_plain
from isthmus.persistence import autoencoders
from isthmus.persistence.context import (
    Content,
    Context,
    Values,
    arrays_to_tensors,
    columns_to_plain,
    own_params_to_plain,
    take_columns,
    tensors_to_arrays,
)
from isthmus.schema import Schema

STANDARDISATIONS = ("standardisation", "final")


def describe(model: ExemplarDistance, nested: Callable[[Any], Content]) -> Content:
    """Describe a fitted estimator."""
    ranked = cast(RankGaussian, model._view_scorers[1].view)
    own = {
        **vars(model._scale),
        "held_out_scores": model.held_out_scores_,
        "quantiles": ranked.quantiles,
        **{f"{name}_{part}": value for name in STANDARDISATIONS for part, value in vars(getattr(ranked, name)).items()},
    }
    tensors = arrays_to_tensors(own)
    for name, scorer in zip(VIEWS, model._view_scorers, strict=True):
        tensors |= storage.put_under(name, arrays_to_tensors(_points_of(scorer)))
    params = own_params_to_plain(model)
    net = model.estimator and autoencoders.describe_params(model.estimator.get_params(deep=False))
    fitted = {**columns_to_plain(model), "n_rows": ranked.n_rows}
    own_document = {"class": "ExemplarDistance", "params": params, "net": net}
    return Content(tensors, {"estimator": own_document, "schema": model.schema_.to_json(), "fitted": fitted})


def rebuild(content: Content, context: Context) -> ExemplarDistance:
    """Rebuild an estimator."""
    own, document = tensors_to_arrays(content.tensors), content.document
    net, params = document["estimator"]["net"], params_from_plain(document["estimator"]["params"], context.classes)
    template = None if net is None else construct(Autoencoder, params_from_plain(net, context.classes))
    model: ExemplarDistance = construct(ExemplarDistance, {**params, "estimator": template})
    plain, final = (Standardisation(own[f"{name}_mean"], own[f"{name}_deviation"]) for name in STANDARDISATIONS)
    views: tuple[View, ...] = (plain, RankGaussian(plain, own["quantiles"], document["fitted"]["n_rows"], final))
    model._view_scorers = tuple(
        _rebuild_scorer(view, storage.take_from(name, content.tensors)) for view, name in zip(views, VIEWS, strict=True)
    )
    model._scale = RobustScale(own["center"], own["scale"])
    model.held_out_scores_ = own["held_out_scores"]
    model.schema_ = Schema.from_json(document["schema"])
    model.schema_.check()
    take_columns(model, document["fitted"])
    _check_points(model)
    return model


def _points_of(scorer: ViewScorer) -> dict[str, Values]:
    groups = {f"groups_{i}": groups for i, groups in enumerate(scorer.exemplars.groups)}
    return {**groups, "nearest": scorer.nearest.points}


def _rebuild_scorer(view: View, tensors: dict[str, Tensor]) -> ViewScorer:
    points = tensors_to_arrays(tensors)
    groups = tuple(points[f"groups_{i}"] for i in range(len(points) - 1))
    return ViewScorer(view, Exemplars(groups), NearestRow.fit(points["nearest"]))


def _check_points(model: ExemplarDistance) -> None:
    """Raise ``ValueError`` unless a row can be compared with all points."""
    schema = model.schema_
    row = to_points(from_numbers(np.zeros((1, *schema.shape)), schema), schema)
    try:
        distances = np.stack([scorer.distances(row) for scorer in model._view_scorers], 1)
        model._combine(distances)
    except (IndexError, RuntimeError, ValueError) as error:
        raise ValueError(f"its points do not have the {row.shape[1]} coordinates of a row ({error})") from error
