"""``isthmus quality``: synthetic rows compared with real ones."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from isthmus.cli.reading import read
from isthmus.data.files import as_table
from isthmus.formatting import list_names
from isthmus.metrics import synthetic_quality

HALVED = (
    "one half of the real rows is used as training rows, and the other half as held-out rows; if the model was trained "
    "on all of them, give rows that it has not seen with --holdout"
)


def compare_files(
    real: Path, synthetic: Path, holdout: Path | None, target: str | None, without: list[str], seed: int
) -> None:
    """Print the figures of synthetic rows, each beside that of held-out real rows.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read, or the tables have different columns.
    """
    train = _read(real, without)
    generated = _match(train, _read(synthetic, without), real, synthetic)
    if holdout is None:
        train, unseen = _halve(train, seed)
        print(HALVED)
    else:
        unseen = _match(train, _read(holdout, without), real, holdout)
    if target is not None and target not in train.column_names:
        raise ValueError(f"{str(real)!r} has no column {target!r} for --target")
    print(synthetic_quality(train, generated, unseen, target=target, random_state=seed))


def _read(path: Path, without: list[str]) -> pa.Table:
    table = as_table(read(path))
    return table.select([name for name in table.column_names if name not in without])


def _match(real: pa.Table, other: pa.Table, real_path: Path, other_path: Path) -> pa.Table:
    """Return the columns of a table that the real one has, in the same order."""
    missing = [name for name in real.column_names if name not in other.column_names]
    if missing:
        names = list_names(missing)
        raise ValueError(f"{str(other_path)!r} lacks columns of {str(real_path)!r}; leave out {names} with --without")
    return other.select(real.column_names)


def _halve(table: pa.Table, seed: int) -> tuple[pa.Table, pa.Table]:
    if len(table) < 2:
        raise ValueError(f"half of the real rows are held out: give --holdout or at least 2 rows, got {len(table)}")
    order = np.random.default_rng(seed).permutation(len(table))
    middle = len(table) // 2
    return table.take(np.sort(order[:middle])), table.take(np.sort(order[middle:]))
