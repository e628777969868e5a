"""Checks of a fitted estimator: whether codes lie where new ones are drawn."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from isthmus.doctor.check_input import CheckInput
from isthmus.finding import Finding
from isthmus.generation import draw_codes
from isthmus.metrics.learning import MIN_ROWS, detection_score
from isthmus.randomness import seeded

Values = np.ndarray[Any, Any]

# Codes that are compared, and the AUROC from which on new ones are of another kind: VAEs whose samples are good reach
# 0.6 on real data, and plain autoencoders of data in clusters 0.7 to 1.
N_CODES, TOLD_APART = 2_000, 0.65


def prior(case: CheckInput) -> Iterator[Finding]:
    """Codes that are drawn where those of rows do not lie: a classifier tells them apart (Lopez-Paz, Oquab 2017)."""
    model = case.estimator
    if "module_" not in vars(model) or len(case.rows) < MIN_ROWS:
        return
    codes, drawn = _codes(case)
    auroc = detection_score(codes, drawn, random_state=0)
    if auroc > TOLD_APART:
        known = " and their labels" if case.uses_labels else ""
        detail = f"drawn ones are told from those of rows{known} with an AUROC of {auroc:.2f}; 0.5 would be by chance"
        remedy = 'fit a density on the codes and draw from it: density="mixture"'
        advice = remedy if model.density_ is None else 'a density that follows the codes more closely: density="flow"'
        yield Finding("codes do not lie where samples are drawn", (), detail, advice)


def _codes(case: CheckInput) -> tuple[pa.Table, pa.Table]:
    """Tables of codes of rows and of as many drawn ones, with their labels if these are known."""
    model, generator = case.estimator, np.random.default_rng(0)
    chosen = generator.permutation(len(case.rows))[:N_CODES]
    centre, deviation = (values[chosen] for values in model.transform(case.rows.source, return_std=True))
    codes = centre + deviation * generator.normal(size=centre.shape)
    y = np.asarray(case.y)[chosen] if case.uses_labels else None
    with seeded(0, model.module_.device):
        drawn = draw_codes(model.module_, model.density_, len(codes), 1.0, y)
    return _table(codes, y), _table(drawn, y)


def _table(codes: Values, y: Any) -> pa.Table:
    columns = {str(i): component for i, component in enumerate(codes.T)}
    return pa.table(columns if y is None else {**columns, "label": y})
