"""Detectors in files: the estimator, the calibration scores and the reference rows."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from isthmus.anomaly import AnomalyDetector
from isthmus.anomaly.calibration import Calibration
from isthmus.anomaly.robust_scale import RobustScale
from isthmus.anomaly.rows import ReferenceRows, from_numbers, to_numbers
from isthmus.anomaly.scores import CodeDensity, Scorer, read_kinds
from isthmus.persistence.context import Content, Context, Values
from isthmus.persistence.novelties import novelty_from_plain, novelty_to_plain
from isthmus.persistence.priors import describe_density, rebuild_density


def describe(detector: AnomalyDetector, nested: Callable[[Any], Content]) -> Content:
    """Describe a fitted detector."""
    scorer, calibration = detector._scorer, detector._calibration
    held_out = {"scores": calibration.scores, "labels": calibration.labels}
    arrays = {**held_out, **vars(scorer.scale), "nat": np.asarray(scorer.nat), **_reference_rows(detector)}
    fitted = {"offset_": detector.offset_, "kinds": list(scorer.kinds), "block": calibration.block}
    # Only for readers of the header: loading computes both from the scores.
    fitted |= {"fpr_": detector.fpr_, "n_calibration": len(detector.calibration_scores_)}
    fitted["novelty"] = novelty_to_plain(scorer.novelty)
    inner = {"inner": nested(scorer.estimator)}
    if scorer.codes is not None:
        mixture, tensors = describe_density(scorer.codes.mixture)
        inner["mixture"] = Content(tensors, mixture)
        arrays |= {"mean": scorer.codes.mean, "deviation": scorer.codes.deviation}
    return Content.of(detector, arrays, fitted, inner, default=detector.estimator is None)


def rebuild(content: Content, context: Context) -> AnomalyDetector:
    """Rebuild a detector."""
    document, arrays = content.document, content.arrays
    fitted, estimator = document["fitted"], context.rebuild(content.inner("inner"))
    template = None if document["estimator"]["default"] else clone(estimator)
    detector: AnomalyDetector = context.construct(AnomalyDetector, content, estimator=template)
    scorer = Scorer(
        estimator,
        read_kinds(tuple(fitted["kinds"])),
        novelty=novelty_from_plain(fitted["novelty"]),
        scale=RobustScale(arrays["center"], arrays["scale"]),
        nat=float(arrays["nat"]),
    )
    if "mixture" in document:
        tensors, plain = content.inner("mixture")
        mixture = rebuild_density(plain, tensors, context.classes)
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
    return {"rows": to_numbers(estimator.read_rows(reference.rows)), "positions": reference.positions}
