"""``ExemplarDistance`` in files: exemplars and training rows as points. Only ``fit`` uses the nets."""

from collections.abc import Callable
from typing import Any

import numpy as np

from isthmus.anomaly import ExemplarDistance
from isthmus.anomaly.coordinates import RankGaussian, Standardisation, to_points
from isthmus.anomaly.distances import Exemplars, NearestRow, View, ViewScorer
from isthmus.anomaly.exemplar_distance import VIEWS
from isthmus.anomaly.robust_scale import RobustScale
from isthmus.anomaly.rows import from_numbers
from isthmus.autoencoder import Autoencoder
from isthmus.configuration import construct, params_from_plain
from isthmus.persistence import autoencoders
from isthmus.persistence.context import Content, Context, Values, columns_to_plain, take_columns
from isthmus.schema import Schema

STANDARDISATIONS = ("standardisation", "final")


def describe(model: ExemplarDistance, nested: Callable[[Any], Content]) -> Content:
    """Describe a fitted estimator."""
    ranked = model._ranks
    arrays = {
        **vars(model._scale),
        "held_out_scores": model.held_out_scores_,
        "quantiles": ranked.quantiles,
        **{f"{name}_{part}": value for name in STANDARDISATIONS for part, value in vars(getattr(ranked, name)).items()},
    }
    for name, scorer in zip(VIEWS, model._view_scorers, strict=True):
        arrays |= {f"{name}_{part}": points for part, points in _points_of(scorer).items()}
    net = model.estimator and autoencoders.describe_params(model.estimator.get_params(deep=False))
    fitted = {**columns_to_plain(model), "n_rows": ranked.n_rows, "tokens": model._tokens.tolist()}
    tensors, document = Content.of(model, arrays, fitted, {}, net=net)
    return Content(tensors, {**document, "schema": model.schema_.to_json()})


def rebuild(content: Content, context: Context) -> ExemplarDistance:
    """Rebuild an estimator."""
    arrays, document = content.arrays, content.document
    net = document["estimator"]["net"]
    template = None if net is None else construct(Autoencoder, params_from_plain(net, context.classes))
    model: ExemplarDistance = context.construct(ExemplarDistance, content, estimator=template)
    plain, final = (Standardisation(arrays[f"{name}_mean"], arrays[f"{name}_deviation"]) for name in STANDARDISATIONS)
    views: tuple[View, ...] = (plain, RankGaussian(plain, arrays["quantiles"], document["fitted"]["n_rows"], final))
    model._view_scorers = tuple(
        _rebuild_scorer(view, f"{name}_", arrays) for view, name in zip(views, VIEWS, strict=True)
    )
    model._tokens = np.array(document["fitted"]["tokens"])
    model._scale = RobustScale(arrays["center"], arrays["scale"])
    model.held_out_scores_ = arrays["held_out_scores"]
    model.schema_ = Schema.from_json(document["schema"])
    model.schema_.check()
    take_columns(model, document["fitted"])
    _check_points(model)
    return model


def _points_of(scorer: ViewScorer) -> dict[str, Values]:
    groups = {f"groups_{i}": groups for i, groups in enumerate(scorer.exemplars.groups)}
    return {**groups, "nearest": scorer.nearest.points}


def _rebuild_scorer(view: View, prefix: str, arrays: dict[str, Values]) -> ViewScorer:
    n_groups = sum(name.startswith(f"{prefix}groups_") for name in arrays)
    groups = tuple(arrays[f"{prefix}groups_{i}"] for i in range(n_groups))
    return ViewScorer(view, Exemplars(groups), NearestRow.fit(arrays[f"{prefix}nearest"]))


def _check_points(model: ExemplarDistance) -> None:
    """Raise ``ValueError`` unless a row can be compared with all points."""
    schema = model.schema_
    row = to_points(from_numbers(np.zeros((1, *schema.shape)), schema), schema, model._tokens)
    try:
        model._combine(model._distances(row))
    except (IndexError, RuntimeError, ValueError) as error:
        raise ValueError(f"its points do not have the {row.shape[1]} coordinates of a row ({error})") from error
