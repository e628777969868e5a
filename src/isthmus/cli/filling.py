"""Number of missing cells that a model filled, by column."""

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from isthmus.containers import open_frame
from isthmus.data import Source
from isthmus.data.tables.cells import find_missing
from isthmus.formatting import pluralize

# Columns that a message names at most.
N_NAMED = 5
# Rows of a source that are read at once.
CHUNK = 2**12


class FilledCells:
    """Counts the cells that are missing before and after imputation, over one or more tables, arrays or sources."""

    def __init__(self) -> None:
        self.before: Counter[str] = Counter()
        self.after: Counter[str] = Counter()

    def add(self, before: Any, after: Any) -> Any:
        """Count the missing cells of rows before and after imputation, and return the latter."""
        self.before += _count_missing(before)
        self.after += _count_missing(after)
        return after

    def __str__(self) -> str:
        """Return one sentence, such as ``filled 23 cells (age 10, city 13); 2 stay missing (note 2)``."""
        filled = self.before - self.after
        sentence = f"filled {pluralize(filled.total(), 'cell')}{_by_column(filled)}"
        return f"{sentence}; {self.after.total():,} stay missing{_by_column(self.after)}" if self.after else sentence


def _count_missing(rows: Any) -> Counter[str]:
    if isinstance(rows, pa.Table):
        frame = open_frame(rows)
        counts = {name: find_missing(frame.get_column(name)).sum() for name in frame.columns}
        return Counter({name: int(n) for name, n in counts.items() if n})
    if isinstance(rows, Source):
        n_missing = sum(int(batch.x.isnan().sum()) for batch in rows.batches(CHUNK))
    else:
        n_missing = int(np.isnan(np.asarray(rows, dtype=np.float64)).sum())
    return Counter({"": n_missing} if n_missing else {})


def _by_column(counts: Counter[str]) -> str:
    named = [f"{name} {n:,}" for name, n in counts.most_common(N_NAMED) if name]
    more = ", ..." if len(counts) > N_NAMED else ""
    return f" ({', '.join(named)}{more})" if named else ""
