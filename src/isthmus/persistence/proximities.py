"""Proximities in files: exemplars and neighbours as points. Nets have done their part once exemplars are rebuilt."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from torch import Tensor

from isthmus import storage
from isthmus.anomaly import ExemplarDistance
from isthmus.anomaly.coordinates import Scaling, Taming, points_of
from isthmus.anomaly.distances import Exemplars, Neighbours
from isthmus.anomaly.row_scorer import source_of
from isthmus.anomaly.view_scorer import Side, Units, View
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

SIDES, SCALINGS = ("plain", "tamed"), ("plain", "again")


def describe(proximity: ExemplarDistance, nested: Callable[[Any], Content]) -> Content:
    """Take a fitted proximity apart."""
    tamed = cast(Taming, proximity._sides[1].view)
    own = {
        **vars(proximity._units),
        "held_out_scores": proximity.held_out_scores_,
        "quantiles": tamed.quantiles,
        **{f"{name}_{part}": value for name in SCALINGS for part, value in vars(getattr(tamed, name)).items()},
    }
    tensors = arrays_to_tensors(own)
    for name, side in zip(SIDES, proximity._sides, strict=True):
        tensors |= storage.put_under(name, arrays_to_tensors(_points_of(side)))
    params = own_params_to_plain(proximity)
    net = proximity.estimator and autoencoders.describe_params(proximity.estimator.get_params(deep=False))
    fitted = {**columns_to_plain(proximity), "n_rows": tamed.n_rows}
    own_document = {"class": "ExemplarDistance", "params": params, "net": net}
    return Content(tensors, {"estimator": own_document, "schema": proximity.schema_.to_json(), "fitted": fitted})


def rebuild(content: Content, context: Context) -> ExemplarDistance:
    """Put a proximity together."""
    own, document = tensors_to_arrays(content.tensors), content.document
    net, params = document["estimator"]["net"], params_from_plain(document["estimator"]["params"], context.classes)
    template = None if net is None else construct(Autoencoder, params_from_plain(net, context.classes))
    proximity: ExemplarDistance = construct(ExemplarDistance, {**params, "estimator": template})
    plain, again = (Scaling(own[f"{name}_centre"], own[f"{name}_spread"]) for name in SCALINGS)
    views: tuple[View, ...] = (plain, Taming(plain, own["quantiles"], document["fitted"]["n_rows"], again))
    proximity._sides = tuple(
        _side_of(view, storage.take_from(name, content.tensors)) for view, name in zip(views, SIDES, strict=True)
    )
    proximity._units = Units(own["centre"], own["spread"])
    proximity.held_out_scores_ = own["held_out_scores"]
    proximity.schema_ = Schema.from_json(document["schema"])
    proximity.schema_.check()
    take_columns(proximity, document["fitted"])
    _check_points(proximity)
    return proximity


def _points_of(side: Side) -> dict[str, Values]:
    groups = {f"groups_{i}": groups for i, groups in enumerate(side.exemplars.groups)}
    return {**groups, "neighbours": side.neighbours.points}


def _side_of(view: View, tensors: dict[str, Tensor]) -> Side:
    points = tensors_to_arrays(tensors)
    groups = tuple(points[f"groups_{i}"] for i in range(len(points) - 1))
    return Side(view, Exemplars(groups), Neighbours.of(points["neighbours"]))


def _check_points(proximity: ExemplarDistance) -> None:
    """Raise ``ValueError`` unless a row can be compared with all points."""
    schema = proximity.schema_
    row = points_of(source_of(np.zeros((1, *schema.shape)), schema), schema)
    try:
        distances = np.stack([side.measure(row) for side in proximity._sides], 1)
        proximity._combine(distances)
    except (IndexError, RuntimeError, ValueError) as error:
        raise ValueError(f"its points do not have the {row.shape[1]} coordinates of a row ({error})") from error
