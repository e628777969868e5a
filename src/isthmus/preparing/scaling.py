"""Scaling of columns of numbers, learned on the training part only, and its inverse."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from isthmus.data.tables.blocks import replace_columns
from isthmus.data.tables.cells import is_number, to_floats
from isthmus.preparing.coding import Values, make_numbers
from isthmus.preparing.outliers import THRESHOLDS, robust_z

# Largest number of distinct integers of an ordinal scale, such as school grades.
MAX_GRADES = 10
# Share of outliers above which a column is scaled by its quartiles.
MAX_OUTLIERS = 0.01


class Scale(NamedTuple):
    """Parameters of a scaled column: (value - ``center``) / ``scale``."""

    method: str
    center: float
    scale: float


def learn_scales(train: Any, method: str, without: Collection[Any]) -> dict[Any, Scale]:
    """Learn how to scale each column of numbers of a narwhals frame.

    Parameters
    ----------
    train : narwhals.DataFrame
    method : {"standard", "robust", "range", "auto"}
        ``auto`` does not scale columns of at most two values or with values from 0 to 1. It scales up to ten different
        integers by their range, columns with over 1 % of outliers by their quartiles, and others by their standard
        deviation.
    without : collection
        Columns that are not scaled.
    """
    numeric = [name for name in train.columns if name not in without and is_number(train.get_column(name).dtype)]
    scales = {name: _learn(to_floats(train.get_column(name)), method) for name in numeric}
    return {name: scale for name, scale in scales.items() if scale is not None}


def scale_columns(frame: Any, scales: Mapping[Any, Scale]) -> Any:
    """Scale columns of a narwhals frame."""
    columns = [frame.get_column(name) for name in scales]
    each = zip(columns, scales.values(), strict=True)
    return replace_columns(frame, [make_numbers(c, (to_floats(c) - scale.center) / scale.scale) for c, scale in each])


def unscale_columns(frame: Any, scales: Mapping[Any, Scale]) -> Any:
    """Convert scaled columns of a narwhals frame to their original units."""
    columns = [frame.get_column(name) for name in frame.columns if name in scales]
    each = ((column, scales[column.name]) for column in columns)
    return replace_columns(frame, [make_numbers(c, to_floats(c) * scale.scale + scale.center) for c, scale in each])


def _learn(values: Values, method: str) -> Scale | None:
    values = values[~np.isnan(values)]
    method = _choose(values) if method == "auto" else method
    if not len(values) or method == "none":
        return None
    if method == "range":
        return Scale(method, float(values.min()), _width(np.ptp(values)))
    if method == "robust":
        low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
        # If half the values are equal, the quartiles can be too: use the standard deviation.
        return Scale(method, float(middle), _width(high - low or values.std()))
    return Scale(method, float(values.mean()), _width(values.std()))


def _width(width: float) -> float:
    return float(width) if width > 0 else 1.0


def _choose(values: Values) -> str:
    distinct = np.unique(values)
    if len(distinct) <= 2 or (distinct[0] >= 0 and distinct[-1] <= 1):
        return "none"
    if len(distinct) <= MAX_GRADES and np.array_equal(distinct, np.round(distinct)):
        return "range"
    outliers = np.abs(robust_z(values)) > THRESHOLDS["robust_z"]
    return "robust" if outliers.mean() > MAX_OUTLIERS else "standard"
