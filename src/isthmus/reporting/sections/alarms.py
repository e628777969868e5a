"""The alarms of a detector, with reasons."""

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.anomaly import AnomalyDetector
from isthmus.anomaly.rows import take_rows
from isthmus.formatting import format_number, format_percent, pluralize
from isthmus.reporting.blocks import Block, Facts, Figure, Interval, Section, Share, Table
from isthmus.reporting.drawing import ACCENT, MUTED, draw
from isthmus.reporting.intervals import estimate_share
from isthmus.reporting.sections.detection import find_anomalies
from isthmus.reporting.subject import Subject, Values, once
from isthmus.reporting.texts import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Alarms that are explained, and reasons of each.
N_ALARMS, N_REASONS = 10, 3
N_BARS = 40
ANOMALIES = "anomalies"
LABELS = {ANOMALIES: -1, "normal rows": 1}


@once
def decide(subject: Subject) -> Values:
    """Return which rows are alarms."""
    return np.asarray(subject.model.predict(subject.X, scores=subject.scores) == -1)


def show_alarms(subject: Subject) -> Section | None:
    """Return the share of alarms, the scores, and the reasons of the worst alarms."""
    if not isinstance(subject.model, AnomalyDetector):
        return None
    alarms, model = decide(subject), subject.model
    n_alarms = int(alarms.sum())
    share, by_label = estimate_share(n_alarms, len(alarms)), share_by_label(subject)
    reasons = _list_reasons(subject, alarms)
    facts = {
        "alarms": n_alarms,
        "share of alarms": share,
        **{f"share of alarms among {name}": each for name, each in by_label.items()},
        "expected share among normal rows": Share(model.fpr_),
        "threshold of the score": float(model.offset_),
    }
    blocks: list[Block] = [_draw(subject.scores, model.offset_), Facts(facts)]
    blocks += [Table.of(reasons, f"Reasons of the {min(n_alarms, N_ALARMS)} worst alarms")] if reasons else []
    values = {
        "n_alarms": n_alarms,
        "share": share,
        "share_by_label": by_label,
        "expected_share": model.fpr_,
        "threshold": model.offset_,
        "reasons": reasons,
    }
    searched = pluralize(len(alarms), subject.noun)
    lead = summarize_labels(subject) or _summarize(n_alarms, searched, share, model.fpr_)
    return Section("alarms", "Alarms and their reasons", lead, blocks, values)


@once
def share_by_label(subject: Subject) -> dict[str, Interval]:
    """Return the share of alarms among labelled anomalies and among labelled normal rows; time points have none."""
    is_detector = isinstance(subject.model, AnomalyDetector) and subject.data != "time points"
    if not is_detector or find_anomalies(subject) is None:
        return {}
    found = {name: decide(subject)[subject.y == label] for name, label in LABELS.items()}
    return {name: estimate_share(int(each.sum()), len(each)) for name, each in found.items()}


def summarize_labels(subject: Subject) -> str:
    """Return how many labelled anomalies and normal rows are alarms; an empty text without labels."""
    shares, expected = share_by_label(subject), subject.model.fpr_
    if not shares:
        return ""
    caught, false = shares.values()
    comparison = _compare(false, expected, f"{format_percent(expected)} that are expected")
    lead = f"Alarms: {show(caught)} of the labelled anomalies"
    return f"{lead}, and {show(false)} of the normal {subject.nouns}, {comparison}."


def _compare(share: Interval, expected: float, name: str) -> str:
    if share.low <= expected <= share.high:
        return f"as expected ({format_percent(expected)})"
    return f"{'more' if share.low > expected else 'fewer'} than the {name}"


def _summarize(n_alarms: int, searched: str, share: Interval, expected: float) -> str:
    comparison = _compare(share, expected, f"{format_percent(expected)} that normal rows would give")
    return f"{pluralize(n_alarms, 'alarm')} in {searched}: {show(share)}, {comparison}."


def _list_reasons(subject: Subject, alarms: Values) -> list[dict[str, Any]]:
    worst = np.argsort(subject.scores, kind="stable")[: min(int(alarms.sum()), N_ALARMS)]
    if not len(worst):
        return []
    explanation = subject.model.explain(take_rows(subject.X, worst))
    return [
        {
            "row": subject.name_row(row),
            "score": float(subject.scores[row]),
            "column": str(reason.feature).removeprefix("column "),
            "value": reason.value,
            "expected": reason.novelty or (f"{reason.expected} (within)" if reason.is_within else reason.expected),
            "share of the score": Share(round(reason.share, 3)),
        }
        for i, row in enumerate(worst.tolist())
        for reason in explanation.reasons(i, N_REASONS)
    ]


def _draw(scores: Values, threshold: float) -> Figure:
    finite = scores[np.isfinite(scores)]
    low = min(float(np.quantile(finite, 0.005)), threshold)
    shown = np.clip(finite, low - 0.15 * abs(float(finite.max()) - low), None)

    def paint(ax: "Axes") -> None:
        ax.hist(shown, N_BARS, color=MUTED, alpha=0.55)
        ax.axvline(threshold, color=ACCENT, linewidth=1.8)
        ax.annotate(
            "threshold",
            (threshold, 1),
            (0, 2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            color=ACCENT,
        )
        ax.set(xlabel="score (higher is more normal)", ylabel="rows", yscale="symlog")
        ax.yaxis.set_major_formatter("{x:,.0f}")
        ax.set_ylim(0, None)
        ax.locator_params("x", nbins=7)

    alt = f"Histogram of {len(scores)} scores; the threshold is {format_number(threshold)}"
    return draw(paint, alt, "Scores far below the threshold are drawn at the left end.")
