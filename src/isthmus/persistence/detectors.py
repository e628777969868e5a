"""Detectors in files: the estimator, the calibration scores and the reference rows."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from isthmus import storage
from isthmus.anomaly import AnomalyDetector
from isthmus.anomaly.calibration import Calibration
from isthmus.anomaly.robust_scale import RobustScale
from isthmus.anomaly.rows import ReferenceRows, from_numbers, to_numbers
from isthmus.anomaly.scores import CodeDensity, Scorer, read_kinds
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
    """Describe a fitted detector."""
    scorer, calibration = detector._scorer, detector._calibration
    inner = nested(scorer.estimator)
    held_out = {"scores": calibration.scores, "labels": calibration.labels}
    own = arrays_to_tensors(
        {**held_out, **vars(scorer.scale), "nat": np.asarray(scorer.nat), **_reference_rows(detector)}
    )
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
    """Rebuild a detector."""
    tensors, document = content
    fitted, arrays = document["fitted"], tensors_to_arrays(storage.take_from(OWN, tensors))
    estimator = context.rebuild(Content(storage.take_from(INNER, tensors), document[INNER]))
    params = params_from_plain(document["estimator"]["params"], context.classes)
    template = None if document["estimator"]["default"] else clone(estimator)
    detector: AnomalyDetector = construct(AnomalyDetector, {**params, "estimator": template})
    scorer = Scorer(
        estimator,
        read_kinds(tuple(fitted["kinds"])),
        novelty=novelty_from_plain(fitted["novelty"]),
        scale=RobustScale(arrays["center"], arrays["scale"]),
        nat=float(arrays["nat"]),
    )
    if "mixture" in fitted:
        mixture = rebuild_density(fitted["mixture"], storage.take_from(CODES, tensors), context.classes)
        scorer = replace(scorer, codes=CodeDensity(arrays["mean"], arrays["deviation"], mixture))
    calibration = Calibration(arrays["scores"], arrays["labels"], fitted["block"])
    rows = from_numbers(arrays["rows"], estimator.schema_) if "rows" in arrays else np.empty((0, 0))
    reference = ReferenceRows(rows, arrays.get("positions", np.empty(0, dtype=int)))
    return detector._adopt(scorer, reference)._set_calibration(calibration, float(fitted["offset_"]))


def _reference_rows(detector: AnomalyDetector) -> dict[str, Values]:
    """Return the training rows that explanations need; time points are not explained one by one."""
    estimator, reference = detector.estimator_, detector._reference
    if getattr(estimator, "schema_", None) is None:
        return {}
    return {"rows": to_numbers(estimator._read(reference.rows)), "positions": reference.positions}
