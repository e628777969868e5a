"""Detectors in files: the estimator within, and the scores that decide."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from isthmus import storage
from isthmus.anomaly import AnomalyDetector
from isthmus.anomaly.background import Background
from isthmus.anomaly.calibration import Calibration
from isthmus.anomaly.row_scorer import numbers_of, source_of
from isthmus.anomaly.scores import Codes, Scorer, kinds_of
from isthmus.configuration import construct, params_from_plain
from isthmus.persistence.context import (
    Content,
    Context,
    Values,
    arrays_to_tensors,
    own_params_to_plain,
    tensors_to_arrays,
)
from isthmus.persistence.densities import describe_density, rebuild_density
from isthmus.persistence.novelties import novelty_from_plain, novelty_to_plain

INNER, OWN, CODES = "inner", "detector", "codes"


def describe(detector: AnomalyDetector, nested: Callable[[Any], Content]) -> Content:
    """Take a fitted detector apart."""
    scorer, calibration = detector._scorer, detector._calibration
    inner = nested(scorer.estimator)
    measures = {name: getattr(scorer, name) for name in ("centre", "spread", "nat")}
    held_out = {"scores": calibration.scores, "labels": calibration.labels}
    own = arrays_to_tensors({**held_out, **measures, **_kept(detector)})
    tensors = storage.put_under(INNER, inner.tensors) | storage.put_under(OWN, own)
    fitted: dict[str, Any] = {"offset_": detector.offset_, "kinds": list(scorer.kinds), "block": calibration.block}
    fitted["novelty"] = novelty_to_plain(scorer.novelty)
    if scorer.codes is not None:
        fitted["mixture"], mixture = describe_density(scorer.codes.mixture)
        moments = arrays_to_tensors({"mean": scorer.codes.mean, "deviation": scorer.codes.deviation})
        tensors |= storage.put_under(OWN, moments) | storage.put_under(CODES, mixture)
    params = own_params_to_plain(detector)
    own_document = {"class": "AnomalyDetector", "params": params, "default": detector.estimator is None}
    return Content(tensors, {"estimator": own_document, INNER: inner.document, "fitted": fitted})


def rebuild(content: Content, context: Context) -> AnomalyDetector:
    """Put a detector together."""
    tensors, document = content
    fitted, arrays = document["fitted"], tensors_to_arrays(storage.take_from(OWN, tensors))
    estimator = context.rebuild(Content(storage.take_from(INNER, tensors), document[INNER]))
    params = params_from_plain(document["estimator"]["params"], context.classes)
    template = None if document["estimator"]["default"] else clone(estimator)
    detector: AnomalyDetector = construct(AnomalyDetector, {**params, "estimator": template})
    scorer = Scorer(
        estimator,
        kinds_of(tuple(fitted["kinds"])),
        novelty=novelty_from_plain(fitted["novelty"]),
        centre=arrays["centre"],
        spread=arrays["spread"],
        nat=float(arrays["nat"]),
    )
    if "mixture" in fitted:
        mixture = rebuild_density(fitted["mixture"], storage.take_from(CODES, tensors), context.classes)
        scorer = replace(scorer, codes=Codes(arrays["mean"], arrays["deviation"], mixture))
    calibration = Calibration(arrays["scores"], arrays["labels"], fitted["block"])
    rows = source_of(arrays["rows"], estimator.schema_) if "rows" in arrays else np.empty((0, 0))
    background = Background(rows, arrays.get("positions", np.empty(0, dtype=int)))
    return detector._take_over(scorer, background)._settle(calibration, float(fitted["offset_"]))


def _kept(detector: AnomalyDetector) -> dict[str, Values]:
    """Return the rows of fit that explanations need; time points are not explained one by one."""
    estimator, background = detector.estimator_, detector._background
    if getattr(estimator, "schema_", None) is None:
        return {}
    return {"rows": numbers_of(estimator._read(background.rows)), "positions": background.positions}
