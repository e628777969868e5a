"""A detector beside an isolation forest: measures on labelled rows, or how far both agree."""

from typing import Any

import numpy as np
from scipy.stats import spearmanr
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score

from isthmus.baselines.one_hot import OneHotScaler
from isthmus.baselines.reconstruction import Training
from isthmus.formatting import join_limits
from isthmus.reporting.blocks import Block, Interval, Section, Table, Text
from isthmus.reporting.fitted import get_training_rows
from isthmus.reporting.intervals import PERCENTILES
from isthmus.reporting.subject import Subject, Values, once
from isthmus.reporting.texts import show, show_limits, show_value

MODEL, FOREST = "this model", "isolation forest"
MEASURES = {"ROC AUC": roc_auc_score, "average precision": average_precision_score}
# Resamples of the bootstrap: each sorts all scores, so there are fewer than for means.
N_RESAMPLES = 200


@once
def score_by_forest(subject: Subject) -> Values:
    """Return scores of an isolation forest that was not fitted to the rows that it scores."""
    rows, judged = get_training_rows(subject), subject.numbers.reshape(len(subject.numbers), -1)
    training = Training.of(subject.source)
    scaler = OneHotScaler(training.typical, training.unit, training.categories)
    matrix = np.nan_to_num(scaler.transform(judged))
    if rows is not None:
        return _fit(np.nan_to_num(scaler.transform(rows)), subject.seed).score_samples(matrix)
    order = np.random.default_rng(subject.seed).permutation(len(matrix))
    scores, halves = np.empty(len(matrix)), np.array_split(order, 2)
    for fitted, scored in (halves, halves[::-1]):
        scores[scored] = _fit(matrix[fitted], subject.seed).score_samples(matrix[scored])
    return scores


def compare_detectors(subject: Subject) -> Section:
    """Return measures of both detectors on labelled rows, or their agreement without labels."""
    scores = {MODEL: subject.scores, FOREST: score_by_forest(subject)}
    is_anomaly = find_anomalies(subject)
    if is_anomaly is None:
        return _show_agreement(scores)
    known = subject.y != 0
    scores, is_anomaly = {name: each[known] for name, each in scores.items()}, is_anomaly[known]
    measured = _measure(scores, is_anomaly, subject.seed)
    records = [{"method": name, **measured[name]} for name in scores]
    difference = measured["difference"]["ROC AUC"]
    lead = _summarize(measured, difference)
    n = int(is_anomaly.sum())
    blocks: list[Block] = [
        Table.of(records, f"Ranking of {n:,} anomalies among {len(is_anomaly):,} labelled rows; 95 % intervals"),
        Text(
            "ROC AUC is the probability that an anomaly has a lower score than a normal row; 0.5 is chance. Average "
            "precision is the mean share of anomalies among the rows up to each anomaly; chance is "
            f"{show(n / len(is_anomaly))}."
        ),
    ]
    values = {"n_anomalies": n, "n_rows": len(is_anomaly), "measures": measured}
    return Section("comparison", "Compared with an isolation forest", lead, blocks, values, "quality")


def find_anomalies(subject: Subject) -> Values | None:
    """Return which rows are labelled as anomalies; None if labels are not those of a detector."""
    labels = subject.y
    if labels is None or labels.dtype.kind not in "iuf" or not np.isin(labels, (-1, 0, 1)).all():
        return None
    return labels == -1 if {-1, 1} <= set(labels.tolist()) else None


def _fit(matrix: Values, seed: int) -> Any:
    return IsolationForest(random_state=seed % 2**32).fit(matrix)


def _measure(scores: dict[str, Values], is_anomaly: Values, seed: int) -> dict[str, dict[str, Interval]]:
    """Return each measure of each method, and the differences, with bootstrap intervals over rows."""
    generator, n = np.random.default_rng(seed), len(is_anomaly)
    resamples = [np.arange(n), *(generator.integers(n, size=n) for _ in range(N_RESAMPLES))]
    resamples = [rows for rows in resamples if 0 < is_anomaly[rows].sum() < n]
    found = {
        name: {
            measure: np.array([compute(is_anomaly[rows], -each[rows]) for rows in resamples])
            for measure, compute in MEASURES.items()
        }
        for name, each in scores.items()
    }
    found["difference"] = {measure: found[MODEL][measure] - found[FOREST][measure] for measure in MEASURES}
    return {name: {measure: _as_interval(values) for measure, values in each.items()} for name, each in found.items()}


def _as_interval(values: Values) -> Interval:
    low, high = np.percentile(values[1:], PERCENTILES)
    return Interval(float(values[0]), float(low), float(high))


def _summarize(measured: dict[str, dict[str, Interval]], difference: Interval) -> str:
    model, forest = (show_value(measured[name]["ROC AUC"]) for name in (MODEL, FOREST))
    limits = f"(difference {show_value(difference)}, 95 % interval {join_limits(*show_limits(difference))})"
    if difference.includes_zero:
        return f"The ROC AUC is {model}, not clearly different from the {forest} of an isolation forest {limits}."
    word = "more" if difference.low > 0 else "less"
    return f"The ROC AUC is {model}, {word} than the {forest} of an isolation forest {limits}."


def _show_agreement(scores: dict[str, Values]) -> Section:
    n_top = max(1, len(scores[MODEL]) // 20)
    tops = [set(np.argsort(each, kind="stable")[:n_top].tolist()) for each in scores.values()]
    shared = len(tops[0] & tops[1])
    correlation = float(spearmanr(*scores.values()).statistic)
    lead = (
        f"No labels were given, so the detections were not judged; {shared:,} of the {n_top:,} lowest scores are also "
        "among the lowest of an isolation forest."
    )
    text = Text(
        f"The rank correlation of both scores is {show(correlation)}. Agreement does not show that "
        "detections are right: both can miss the same rows."
    )
    values = {"n_lowest": n_top, "n_shared": shared, "rank_correlation": correlation}
    return Section("comparison", "Compared with an isolation forest", lead, [text], values, "quality")
