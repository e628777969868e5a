"""Many columns of numbers at once: read from a data frame as one array, and made from an array."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import narwhals as nw
import numpy as np

from isthmus.containers import select_columns
from isthmus.data.tables.cells import to_floats
from isthmus.data.tables.native_dtypes import round_to_integers

Values = np.ndarray[Any, Any]

# Largest number of values that are read or made at once: 8 MiB of float64. All columns of a short table fit, and of a
# table of a million rows only one, so that no second copy of a large table is made.
SIZE = 2**20
# Dtypes whose columns NumPy holds in one array.
PLAIN = {nw.Float64, nw.Float32, *(getattr(nw, f"{sign}Int{bits}") for sign in ("", "U") for bits in (8, 16, 32, 64))}


def find_plain(frame: Any) -> dict[Any, Any]:
    """Return the dtype of each column of a narwhals frame whose numbers NumPy can hold in an array with others."""
    plain = {name: dtype for name, dtype in frame.schema.items() if dtype in PLAIN}
    if not frame.implementation.is_pandas_like():
        return plain
    dtypes = zip(frame.columns, frame.to_native().dtypes, strict=True)
    nullable = {name for name, dtype in dtypes if not isinstance(dtype, np.dtype)}
    return {name: dtype for name, dtype in plain.items() if name not in nullable}


def iterate_numbers(frame: Any, names: Sequence[Any]) -> Iterator[Values]:
    """Yield columns of numbers or truth values of a narwhals frame as float64 (n,), NaN where missing."""
    plain = find_plain(frame)
    for chosen in split_columns(names, len(frame)):
        yield from _read_numbers(frame, chosen, plain).T


def split_columns(columns: Sequence[Any], n_rows: int) -> Iterator[Sequence[Any]]:
    """Split names or positions of columns into parts whose values are read or made at once."""
    size = max(1, SIZE // max(1, n_rows))
    return (columns[start : start + size] for start in range(0, len(columns), size))


def _read_numbers(frame: Any, names: Sequence[Any], plain: Mapping[Any, Any]) -> Values:
    """Return columns as float64 (n, len(names)), NaN where missing."""
    values = np.empty((len(frame), len(names)), order="F")
    for dtype, positions in _group_by_dtype(names, plain).items():
        if dtype is None:
            for i in positions:
                values[:, i] = to_floats(frame.get_column(names[i]))
        else:
            values[:, positions] = select_columns(frame, [names[i] for i in positions]).to_numpy()
    return values


def _group_by_dtype(names: Sequence[Any], plain: Mapping[Any, Any]) -> dict[Any, list[int]]:
    """Return the positions of the columns of each plain dtype; those of other columns under None."""
    groups: defaultdict[Any, list[int]] = defaultdict(list)
    for i, name in enumerate(names):
        groups[plain.get(name)].append(i)
    return groups


def make_numbers_like(frame: Any, names: Sequence[Any], values: Values, plain: Mapping[Any, Any]) -> Iterator[Any]:
    """Yield narwhals frames that hold known numbers (n, len(names)), with the plain dtypes of columns of a frame."""
    for dtype, positions in _group_by_dtype(names, plain).items():
        block = values[:, positions]
        block = round_to_integers(block, str(dtype)) if dtype.is_integer() else block.astype(str(dtype).lower())
        yield _label(block, [names[i] for i in positions], frame.implementation)


def _label(block: Values, names: list[Any], library: Any) -> Any:
    """Make a narwhals frame of numbers (n, len(names)); names of pandas may be of any type."""
    if not library.is_pandas_like():
        return nw.from_numpy(block, names, backend=library)
    pandas = library.to_native_namespace()
    return nw.from_native(pandas.DataFrame(block, columns=pandas.Index(names, tupleize_cols=False)))


def replace_columns(frame: Any, new: Iterable[Any]) -> Any:
    """Replace columns of a narwhals frame by narwhals frames and series.

    Libraries need time in proportion to the width of the frame to replace a single column. All are replaced at once.
    """
    parts = [*new]
    names = {name for part in parts for name in ([part.name] if isinstance(part, nw.Series) else part.columns)}
    return join_columns([*parts, select_columns(frame, [name for name in frame.columns if name not in names])], frame)


def join_columns(parts: Sequence[Any], frame: Any) -> Any:
    """Join narwhals frames and series with different columns, in the order and with the index of a narwhals frame."""
    # narwhals joins frames of pandas by position only since version 2.25, by index before.
    frames = [nw.maybe_reset_index(part.to_frame() if isinstance(part, nw.Series) else part) for part in parts]
    positions = {name: i for i, name in enumerate(name for part in frames for name in part.columns)}
    joined = nw.concat(frames, how="horizontal")[:, [positions[name] for name in frame.columns]]
    native, like = joined.to_native(), frame.to_native()
    if frame.implementation.is_pandas_like():
        native.columns = like.columns
        native = native.set_axis(like.index, axis=0) if len(like) == len(native) else native
    elif frame.implementation.is_pyarrow():
        native = native.replace_schema_metadata(like.schema.metadata)
    return nw.from_native(native)
