"""The alarms of a detector, with reasons."""

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest

from isthmus.anomaly import AnomalyDetector
from isthmus.anomaly.rows import take_rows
from isthmus.formatting import format_number, pluralize
from isthmus.reporting.blocks import Block, Facts, Figure, Interval, Section, Share, Table
from isthmus.reporting.drawing import ACCENT, MUTED, draw
from isthmus.reporting.subject import Subject, Values, once
from isthmus.reporting.texts import show_share

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Alarms that are explained, and reasons of each.
N_ALARMS, N_REASONS = 10, 3
N_BARS = 40


@once
def decide(subject: Subject) -> Values:
    """Return which rows are alarms."""
    return np.asarray(subject.model.predict(subject.X, scores=subject.scores) == -1)


def show_alarms(subject: Subject) -> Section | None:
    """Return the share of alarms, the scores, and the reasons of the worst alarms."""
    if not isinstance(subject.model, AnomalyDetector):
        return None
    alarms, model = decide(subject), subject.model
    n_alarms, n = int(alarms.sum()), len(alarms)
    limits = binomtest(n_alarms, n).proportion_ci(method="wilson")
    share = Interval(Share(n_alarms / n), limits.low, limits.high)
    reasons = _list_reasons(subject, alarms)
    facts = {
        "alarms": n_alarms,
        "share of alarms": share,
        "expected share among normal rows": Share(model.fpr_),
        "threshold of the score": float(model.offset_),
    }
    blocks: list[Block] = [_draw(subject.scores, model.offset_), Facts(facts)]
    blocks += [Table.of(reasons, f"Reasons of the {min(n_alarms, N_ALARMS)} worst alarms")] if reasons else []
    values = {
        "n_alarms": n_alarms,
        "share": share,
        "expected_share": model.fpr_,
        "threshold": model.offset_,
        "reasons": reasons,
    }
    return Section("alarms", "Alarms and their reasons", _summarize(n_alarms, n, share, model.fpr_), blocks, values)


def _summarize(n_alarms: int, n: int, share: Interval, expected: float) -> str:
    lead = f"{pluralize(n_alarms, 'alarm')} in {pluralize(n, 'row')}: {show_share(share.value)}"
    limits = f"({show_share(share.low)} to {show_share(share.high)})"
    if share.low > expected:
        return f"{lead} {limits}, more than the {show_share(expected)} that normal rows would give."
    if share.high < expected:
        return f"{lead} {limits}, fewer than the {show_share(expected)} that normal rows would give."
    return f"{lead} {limits}, as expected of normal rows ({show_share(expected)})."


def _list_reasons(subject: Subject, alarms: Values) -> list[dict[str, Any]]:
    worst = np.argsort(subject.scores, kind="stable")[: min(int(alarms.sum()), N_ALARMS)]
    if not len(worst):
        return []
    explanation = subject.model.explain(take_rows(subject.X, worst))
    return [
        {
            "row": f"{subject.positions[row]:,}",
            "score": float(subject.scores[row]),
            "column": str(reason.feature),
            "value": reason.value,
            "expected": reason.novelty or reason.expected,
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
            (4, -2),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
            color=ACCENT,
        )
        ax.set(xlabel="score (higher is more normal)", ylabel="rows", yscale="symlog")
        ax.yaxis.set_major_formatter("{x:,.0f}")
        ax.set_ylim(0, None)

    alt = f"Histogram of {len(scores)} scores; the threshold is {format_number(threshold)}"
    return draw(paint, alt, "Scores far below the threshold are drawn at the left end.")
