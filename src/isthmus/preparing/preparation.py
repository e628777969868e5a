"""The steps of preparation, in order."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from isthmus.containers import open_frame, suggest_conversion
from isthmus.data.tables.cells import missing_mask, to_floats
from isthmus.errors import InputTypeError
from isthmus.preparing.cleaning import blank_impossible, treat_constants, treat_duplicates
from isthmus.preparing.draft import Draft
from isthmus.preparing.options import Options
from isthmus.preparing.outliers import treat_outliers
from isthmus.preparing.prepared import Prepared
from isthmus.preparing.repair import repair as repair_types
from isthmus.preparing.scaling import Scale, learn_scales, scale_columns
from isthmus.preparing.sentinels import treat_sentinels
from isthmus.preparing.splitting import split_rows
from isthmus.randomness import seed_of


def prepare(df: Any, *, random_state: Any = None, **options: Any) -> Prepared:
    """Repair, clean and split a table, and list all that was changed, removed or found.

    The steps, in this order: markers of missing values, spaces, types, impossible values, sentinels, duplicates,
    constants, outliers, the split, scaling. The given table is never changed.

    Parameters
    ----------
    df : data frame
        Of pandas, polars, pyarrow or any other library that narwhals supports. The result has the same type, with the
        order of columns and pandas' index.
    random_state : int, RandomState or None, default=None
        Decides the split. The seed that was used is in the result.
    **options
        Fields of ``isthmus.preparing.Options``, which describes them, such as ``scaling="auto"``.

    Returns
    -------
    Prepared
        With ``frame``, ``train``, ``valid``, ``test``, ``findings`` and ``seed``. ``print`` shows the report.

    Raises
    ------
    TypeError
        If ``df`` is not a data frame, or an option is unknown.
    ValueError
        If an option is invalid, the table is empty, or a part would be empty.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from isthmus.preparing import prepare
    >>> table = pa.table({"day": ["2024-03-01", "2.3.2024", "March 3, 2024", "2024-03-04"], "size": [4, 3, 9, -1]})
    >>> prepared = prepare(table, limits={"size": (0, None)}, split_by="time", split_column="day")
    >>> prepared.frame["size"].to_pylist()
    [4, 3, 9, None]
    >>> prepared.test["day"].to_pylist()
    [datetime.datetime(2024, 3, 4, 0, 0)]
    """
    frame, chosen = _read(df), Options.from_keywords(options)
    chosen.check_values()
    chosen.check_columns(frame.columns)
    draft, seed = Draft(frame, np.arange(len(frame))), seed_of(random_state)
    _clean(draft, chosen, seed)
    return _finish(draft, chosen, seed, frame.shape)


def _read(df: Any) -> Any:
    """Open a table that has at least one row and one column."""
    try:
        frame = open_frame(df)
    except TypeError as error:
        remedy = suggest_conversion(df)
        got = f"{type(df).__name__}{remedy and '; '}{remedy}"
        raise InputTypeError(f"prepare takes a data frame of pandas, polars or pyarrow, got {got}") from error
    if not frame.columns or not len(frame):
        raise ValueError("the table has {} rows and {} columns, expected at least one of each".format(*frame.shape))
    return frame


def _clean(draft: Draft, options: Options, seed: int) -> None:
    repair_types(draft, options)
    blank_impossible(draft, options.limits)
    if options.sentinels != "keep":
        treat_sentinels(draft, options.sentinels)
    if all(missing_mask(draft.column(name)).all() for name in draft.frame.columns):
        raise ValueError("all values of the table are missing")
    if options.duplicates != "keep":
        treat_duplicates(draft, options.duplicates)
    if options.constants != "keep":
        treat_constants(draft, options.constants)
    if options.outliers != "keep":
        without, threshold = {options.split_column}, options.outlier_threshold
        treat_outliers(draft, options.outliers, options.outlier_method, threshold, without, seed)


def _finish(draft: Draft, options: Options, seed: int, shape: tuple[int, int]) -> Prepared:
    """Split and scale the remaining rows."""
    if options.split_column is not None and options.split_column not in draft.frame.columns:
        raise ValueError(f"split_column {options.split_column!r} is constant, and cannot split the rows")
    positions = split_rows(draft.frame, options.split, options.split_by, options.split_column, seed)
    scales: dict[Any, Scale] = {}
    if options.scaling is not None:
        scales = learn_scales(draft.frame[positions[0]], options.scaling, {options.split_column})
        _scale(draft, scales)
    frame, (train, valid, test) = draft.frame.to_native(), (draft.frame[rows].to_native() for rows in positions)
    return Prepared(frame, train, valid, test, tuple(draft.findings), seed, scales, draft.rows, options, shape)


def _scale(draft: Draft, scales: Mapping[Any, Scale]) -> None:
    for name, (method, center, scale) in scales.items():
        where = np.flatnonzero(~np.isnan(to_floats(draft.column(name))))
        advice = f"minus {center:.6g}, then divided by {scale:.6g}, learned on the training part; unscale reverses it"
        draft.note("changed", f"scaled ({method})", name, where, advice=advice)
    draft.frame = scale_columns(draft.frame, scales)
