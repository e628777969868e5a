"""The learning curve."""

from typing import TYPE_CHECKING, Any

import numpy as np

from isthmus.formatting import format_number, pluralize
from isthmus.reporting.blocks import Block, Figure, Section, Text
from isthmus.reporting.drawing import ACCENT, MUTED, draw
from isthmus.reporting.subject import Subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRAINING, VALIDATION = "negative_bound", "valid_negative_bound"
# Largest number of epochs of which the picture shows all losses; the first losses of more would flatten the curve.
FEW_EPOCHS = 50


def show_training(subject: Subject) -> Section | None:
    """Return the loss of training and validation rows by epoch, and the epoch whose weights were kept."""
    history = getattr(subject.estimator, "history_", None)
    if not history:
        return None
    curves = {name: [row.get(name, np.nan) for row in history] for name in (TRAINING, VALIDATION)}
    has_validation = VALIDATION in history[0]
    kept = int(np.nanargmin(curves[VALIDATION])) if has_validation else len(history) - 1
    seconds = sum(row.get("seconds", 0.0) for row in history)
    lead = (
        f"The training had {pluralize(len(history), 'epoch')}; the weights of epoch {history[kept]['epoch']} were kept."
    )
    note = (
        f"Both curves are bounds on the negative log likelihood, in nats for each of the {subject.nouns}: the training "
        f"curve is measured with the noise of training, the validation curve on held-out {subject.nouns} without it."
        if has_validation
        else f"The training used no validation {subject.nouns}, so the curve does not show overfitting."
    )
    blocks: list[Block] = [_draw(curves, kept, has_validation), Text(note)]
    values = {
        "n_epochs": len(history),
        "kept_epoch": history[kept]["epoch"],
        "seconds": seconds,
        **{name: values for name, values in curves.items() if has_validation or name == TRAINING},
    }
    return Section("training", "How it learned", lead, blocks, values)


def _draw(curves: dict[str, Any], kept: int, has_validation: bool) -> Figure:
    epochs = np.arange(1, len(curves[TRAINING]) + 1)

    def paint(ax: "Axes") -> None:
        ax.plot(epochs, curves[TRAINING], color=MUTED, linewidth=1.4, label="training")
        if has_validation:
            ax.plot(epochs, curves[VALIDATION], color=ACCENT, linewidth=1.8, label="validation")
            ax.plot(epochs[kept], curves[VALIDATION][kept], "o", color=ACCENT, markersize=6, label="kept")
        known = np.concatenate([curves[name] for name in curves])
        known = known[np.isfinite(known)]
        low, high = float(known.min()), float(np.quantile(known, 1 if len(epochs) <= FEW_EPOCHS else 0.98))
        ax.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low) + 1e-9)
        ax.set(xlabel="epoch", ylabel="loss (nats)")
        ax.locator_params("x", integer=True)
        ax.grid(axis="y")
        ax.legend()

    last = ", ".join(
        f"{name} {format_number(float(values[kept]))}"
        for name, values in (("training", curves[TRAINING]), ("validation", curves[VALIDATION]))
        if np.isfinite(values[kept])
    )
    return draw(paint, f"Learning curve over {len(epochs)} epochs; loss at the kept epoch: {last}")
