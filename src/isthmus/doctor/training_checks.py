"""Checks of the training of a fitted model, by the losses of its epochs."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from isthmus.doctor.fitted_input import HELD_OUT_LOSS, FittedInput
from isthmus.doctor.rows import Values
from isthmus.finding import Finding

# Rise of the loss from one epoch to the next above which the training is unstable: as a share of its whole fall, and in
# nats per value. Chosen on synthetic data.
MAX_RISE, MIN_RISE = 2.0, 0.1
# Share of the last epochs, and share of the whole fall of the loss of held-out rows that falls into them, above which
# the training ended too early.
LAST, MAX_LAST_FALL = 0.2, 0.25


class Training(NamedTuple):
    """Losses of each epoch, and number of values of a row."""

    history: list[dict[str, float]]
    n_values: int


def find_unstable_training(data: FittedInput | Training) -> Iterator[Finding]:
    """Find losses that are not finite or that jump from one epoch to the next."""
    losses = _losses(data)
    advice = f"a lower learning rate: learning_rate={_learning_rate(data) / 10:.1g}"
    if not np.isfinite(losses).all():
        epoch = int(np.flatnonzero(~np.isfinite(losses))[0]) + 1
        yield Finding("unstable training", (), f"the loss was not finite in epoch {epoch}", advice)
        return
    rises, fall = np.diff(losses, prepend=losses[:1]), losses[0] - losses.min()
    if rises.max() > max(MAX_RISE * fall, MIN_RISE * data.n_values):
        epoch = int(rises.argmax())
        detail = f"the loss rose from {losses[epoch - 1]:.4g} to {losses[epoch]:.4g} nats in epoch {epoch + 1}"
        yield Finding("unstable training", (), detail, advice)


def find_early_end(data: FittedInput | Training) -> Iterator[Finding]:
    """Find a training that ended while the loss of held-out rows still fell clearly."""
    losses = _losses(data)
    if HELD_OUT_LOSS not in data.history[-1] or not np.isfinite(losses).all():
        return
    best = np.minimum.accumulate(losses)
    n_last = max(1, math.ceil(LAST * len(best)))
    last, fall = best[max(0, len(best) - 1 - n_last)] - best[-1], best[0] - best[-1]
    if last > MAX_LAST_FALL * fall:
        detail = f"the loss of held-out rows fell by {last:.4g} nats in the last {n_last} of {len(best)} epochs"
        yield Finding("training ended early", (), detail, f"more epochs: max_epochs={4 * len(best)}")


def _losses(data: FittedInput | Training) -> Values:
    """Return the loss of held-out rows in each epoch, or of training rows if none were held out."""
    name = HELD_OUT_LOSS if HELD_OUT_LOSS in data.history[-1] else "loss"
    return np.array([row[name] for row in data.history if name in row])


def _learning_rate(data: FittedInput | Training) -> float:
    """Return the largest learning rate of the training."""
    return max(row["learning_rate"] for row in data.history)
