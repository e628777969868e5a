"""Learning from rows as they arrive."""

from typing import Any

import numpy as np

from isthmus.anomaly.calibration import Calibration
from isthmus.anomaly.dates import with_known_dates
from isthmus.anomaly.rows import ANOMALY, Values, take
from isthmus.anomaly.scores import Scorer

# Latest rows that calibrate.
N_LATEST = 10_000


def score_then_learn(scorer: Scorer, calibration: Calibration, X: Any, labels: Values) -> Calibration:
    """Let the estimator learn of rows, less known anomalies, and return the calibration that their scores have joined.

    Scores are taken before, so that they are those of rows which the net has not seen.

    Raises
    ------
    ValueError
        If codes are scored by where those of the first rows lay: they move as the net learns.
    """
    if scorer.codes is not None:
        raise ValueError("score_from='latent' cannot follow partial_fit, which moves the codes; call fit instead")
    arrived = Calibration(scorer(with_known_dates(scorer.estimator, X)), labels)
    odd, rows = labels == ANOMALY, scorer.settled(X)
    scorer.estimator.partial_fit(take(rows, np.flatnonzero(~odd)) if odd.any() else rows)
    return calibration.joined(arrived, N_LATEST)
