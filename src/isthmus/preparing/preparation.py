"""The steps of preparation, in their order."""

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np

from isthmus.containers import open_frame, suggest_conversion
from isthmus.data.parsing.missing_words import MISSING
from isthmus.errors import InputTypeError
from isthmus.preparing.cleaning import blank_impossible, treat_constants, treat_duplicates
from isthmus.preparing.coding import find_missing, numbers
from isthmus.preparing.draft import Draft
from isthmus.preparing.options import Options
from isthmus.preparing.outliers import treat_outliers
from isthmus.preparing.prepared import Prepared
from isthmus.preparing.repair import repair as repair_types
from isthmus.preparing.scaling import Scale, learn_scales, scale_columns
from isthmus.preparing.sentinels import treat_sentinels
from isthmus.preparing.splitting import split_rows
from isthmus.randomness import seed_of


def prepare(
    df: Any,
    *,
    missing: Sequence[str] = MISSING,
    repair: bool = True,
    day_first: bool | None = None,
    limits: Mapping[Any, tuple[float | None, float | None]] | None = None,
    sentinels: str = "report",
    duplicates: str = "remove",
    constants: str = "remove",
    outliers: str = "report",
    outlier_method: str = "robust_z",
    outlier_threshold: float | None = None,
    scaling: str | None = None,
    split: tuple[float, float, float] = (0.7, 0.15, 0.15),
    split_by: str = "random",
    split_column: Any = None,
    random_state: Any = None,
) -> Prepared:
    """Repair, clean and split a table, and list all that was changed, removed or seen.

    The steps, in this order: markers of missing values, spaces, types, impossible values, codes, duplicates,
    constants, outliers, the split, scaling. The given table is never changed.

    Parameters
    ----------
    df : data frame
        Of pandas, polars, pyarrow or whatever else narwhals knows. The same comes back, with the order of columns
        and pandas' index.
    missing : sequence of str
        Texts that mean a missing value, whatever their case and the spaces around them; in columns of text only.
    repair : bool
        Remove spaces around texts, and turn text into numbers or dates where every value can be read. Units such as
        "%" and "$" are taken off where all values have the same. Codes with leading zeros stay text, and so do
        numbers like "1,234" or "1.234" and dates like "1/2/2020" if nothing in the column shows how to read them.
        Where at least 95 % can be read, the others are reported.
    day_first : bool or None
        Whether "1/2/2020" is in February; None asks the column.
    limits : dict or None
        For names of columns of numbers ``(lowest, highest)``, either of which may be None: what lies outside becomes
        missing. Infinite values always do.
    sentinels : {"report", "missing", "keep"}
        What to do about values such as 0, -1, 99 and -999 that stand apart from all others of their column and occur
        often. Whether a 0 was measured only you can know. "keep" does not look.
    duplicates : {"remove", "report", "keep"}
        What to do about rows equal to an earlier one; "keep" does not look.
    constants : {"remove", "report", "keep"}
        What to do about columns with the same value, or none, in all rows.
    outliers : {"report", "remove", "keep"}
        What to do about rows with outliers in columns of numbers.
    outlier_method : {"robust_z", "isolation"}
        Distance from the median in units of the median absolute deviation, a column at a time, without values that
        belong to a long tail or to a mode of the column. Or the score of an isolation forest, for whole rows.
    outlier_threshold : float or None
        What counts as an outlier; None is 3.5 for ``robust_z`` and 0.65 for ``isolation``, whose scores end at 1.
    scaling : {None, "standard", "robust", "range", "auto"}
        To mean 0 and deviation 1, to median 0 and distance of quartiles 1, from 0 to 1, or what suits each column;
        learned on the training part. ``unscale`` of the result undoes it.
    split : tuple of three floats
        Shares of the training, validation and test part; ``(1, 0, 0)`` does not split.
    split_by : {"random", "stratified", "grouped", "time"}
        By chance; with equal shares of each class; without breaking groups, of which the largest are assigned first;
        the earliest rows to train and the latest to test, where rows of the same time stay together.
    split_column : str or None
        The column of classes, groups or times, which is neither scaled nor searched for outliers.
    random_state : int, RandomState or None
        Decides the split. The seed that came of it is in the result.

    Returns
    -------
    Prepared
        With ``frame``, ``train``, ``valid``, ``test``, ``findings`` and ``seed``. ``print`` shows the report.

    Raises
    ------
    TypeError
        If ``df`` is not a data frame.
    ValueError
        If an option is not as described, the table holds nothing, or a part would be empty.

    References
    ----------
    B. Iglewicz and D. C. Hoaglin, How to Detect and Handle Outliers, 1993.
    F. T. Liu, K. M. Ting and Z.-H. Zhou, Isolation Forest, ICDM 2008.

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
    options = Options(
        missing=missing,
        repair=repair,
        day_first=day_first,
        limits=dict(limits or {}),
        sentinels=sentinels,
        duplicates=duplicates,
        constants=constants,
        outliers=outliers,
        outlier_method=outlier_method,
        outlier_threshold=outlier_threshold,
        scaling=scaling,
        split=split,
        split_by=split_by,
        split_column=split_column,
    )
    frame = _read(df)
    options.check(frame.columns)
    draft, seed = Draft(frame, np.arange(len(frame))), seed_of(random_state)
    _clean(draft, options, seed)
    return _finish(draft, options, seed, frame.shape)


def _read(df: Any) -> Any:
    """Read a table that has rows, columns and values."""
    try:
        frame = open_frame(df)
    except TypeError as error:
        remedy = suggest_conversion(df)
        raise InputTypeError(
            f"prepare takes a data frame of pandas, polars or pyarrow, got {type(df).__name__}{remedy and '; '}{remedy}"
        ) from error
    except nw.exceptions.DuplicateError as error:
        raise ValueError(f"columns of a table must have different names: {error}") from error
    if not frame.columns or not len(frame):
        raise ValueError(
            f"the table has {len(frame)} rows and {len(frame.columns)} columns, expected at least one of each"
        )
    return frame


def _clean(draft: Draft, options: Options, seed: int) -> None:
    repair_types(draft, options)
    blank_impossible(draft, options.limits)
    if options.sentinels != "keep":
        treat_sentinels(draft, options.sentinels)
    if all(find_missing(draft.column(name)).all() for name in draft.frame.columns):
        raise ValueError("all values of the table are missing")
    if options.duplicates != "keep":
        treat_duplicates(draft, options.duplicates)
    if options.constants != "keep":
        treat_constants(draft, options.constants)
    if options.outliers != "keep":
        without, threshold = {options.split_column}, options.outlier_threshold
        treat_outliers(draft, options.outliers, options.outlier_method, threshold, without, seed)


def _finish(draft: Draft, options: Options, seed: int, shape: tuple[int, int]) -> Prepared:
    """Split and scale what is left."""
    if options.split_column is not None and options.split_column not in draft.frame.columns:
        raise ValueError(f"split_column {options.split_column!r} is the same in all rows, so that it splits nothing")
    positions = split_rows(draft.frame, options.split, options.split_by, options.split_column, seed)
    scales: dict[Any, Scale] = {}
    if options.scaling is not None:
        scales = learn_scales(draft.frame[positions[0]], options.scaling, {options.split_column})
        _scale(draft, scales)
    frame, (train, valid, test) = draft.frame.to_native(), (draft.frame[rows].to_native() for rows in positions)
    return Prepared(frame, train, valid, test, tuple(draft.findings), seed, scales, draft.rows, options, shape)


def _scale(draft: Draft, scales: Mapping[Any, Scale]) -> None:
    for name, (method, center, scale) in scales.items():
        where = np.flatnonzero(~np.isnan(numbers(draft.column(name))))
        advice = f"less {center:.6g}, then divided by {scale:.6g}, learned on the training part; unscale undoes it"
        draft.note("changed", f"scaled ({method})", name, where, advice=advice)
    draft.frame = scale_columns(draft.frame, scales)
