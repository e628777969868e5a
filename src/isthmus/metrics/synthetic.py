"""All measures of synthetic rows, compared with held-out real rows."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from isthmus.metrics.encoding import as_frame, sample_rows
from isthmus.metrics.fidelity import column_fidelity, pair_fidelity
from isthmus.metrics.learning import Utility, detection_score, utility
from isthmus.metrics.privacy import ClosestRecord, Comparison, closest_record
from isthmus.metrics.text_table import format_table
from isthmus.randomness import seed_of

# Columns and pairs with the lowest fidelity that a report lists.
N_LOWEST = 3


@dataclass(frozen=True)
class SyntheticQuality:
    """Measures of synthetic rows; ``print`` shows a table of the main ones.

    Parameters
    ----------
    columns : dict of str to Comparison
        ``column_fidelity`` to the training rows; the baseline is that of the held-out rows.
    pairs : dict of str to dict of str to Comparison
        ``pair_fidelity``: ``pairs["a"]["b"]``, where column a comes before b.
    detection : Comparison
        ``detection_score`` against the training rows.
    closest : ClosestRecord
        ``closest_record``: distances to training rows.
    utility : Utility or None
        Tested on the held-out rows. None without a target.

    Examples
    --------
    >>> import numpy as np
    >>> import pyarrow as pa
    >>> from isthmus.metrics import synthetic_quality
    >>> tables = (pa.table({"x": row}) for row in np.random.default_rng(0).normal(size=(3, 100)))
    >>> quality = synthetic_quality(*tables, random_state=0)
    >>> sorted(quality.columns), quality.utility is None
    (['x'], True)
    """

    columns: dict[str, Comparison]
    pairs: dict[str, dict[str, Comparison]]
    detection: Comparison
    closest: ClosestRecord
    utility: Utility | None

    def to_json(self) -> str:
        """Return all measures as a JSON document.

        Returns
        -------
        str
            The document.
        """
        return json.dumps(asdict(self), indent=2)

    def __str__(self) -> str:
        rows = [(label, f"{figure.synthetic:.3f}", f"{figure.baseline:.3f}") for label, figure in self._lines()]
        return format_table([("", "synthetic", "baseline"), *rows])

    def _lines(self) -> list[tuple[str, Comparison]]:
        pairs = {f"{a}, {b}": figure for a, others in self.pairs.items() for b, figure in others.items()}
        lines = [*_summary("column fidelity", self.columns), *_summary("pair fidelity", pairs)]
        lines.append(("classified as synthetic, AUROC (0.5 is best)", self.detection))
        if self.utility:
            label = f"trained on synthetic rows, {self.utility.metric} (baseline: on training rows)"
            lines.append((label, Comparison(self.utility.synthetic, self.utility.real)))
        return [
            *lines,
            ("distance to the closest training row, median", self.closest.median),
            ("  5th percentile", self.closest.percentile_5),
            ("copies of training rows, share", self.closest.copies),
            (
                "closer to training than to held-out rows, share (0.5 is best)",
                Comparison(self.closest.closer_to_train, 0.5),
            ),
        ]


def synthetic_quality(
    train: Any, synthetic: Any, holdout: Any, target: Any = None, random_state: Any = None
) -> SyntheticQuality:
    """Compute all measures of synthetic rows in this package, each with that of the held-out rows.

    Held-out real rows are the best possible synthetic rows, and even a finite sample of them is not perfect. Fidelity
    and detection depend on the number of rows; they are computed with the same number of synthetic and held-out rows.

    Parameters
    ----------
    train : data frame
        The rows that the generator was trained on. Of any library that narwhals supports.
    synthetic : data frame
        With the same columns.
    holdout : data frame
        Held-out real rows, with the same columns.
    target : str or None, default=None
        Column to predict, for the utility.
    random_state : int, RandomState or None, default=None
        Seed.

    Returns
    -------
    SyntheticQuality
        All measures; ``print`` shows a table.

    Raises
    ------
    ValueError
        If tables have different columns or fewer than 20 rows, or the target is not a column.

    Examples
    --------
    >>> import numpy as np
    >>> import pyarrow as pa
    >>> from isthmus.metrics import synthetic_quality
    >>> x = np.random.default_rng(0).normal(size=(3, 200))
    >>> train, synthetic, holdout = (pa.table({"x": row, "positive": row > 0}) for row in x)
    >>> quality = synthetic_quality(train, synthetic, holdout, target="positive", random_state=0)
    >>> quality.closest.copies
    Comparison(synthetic=0.0, baseline=0.0)
    >>> print(str(quality).splitlines()[0].split())
    ['synthetic', 'baseline']
    """
    seed = seed_of(random_state)
    made, unseen = _of_equal_size(synthetic, holdout, seed)
    candidates = [made, unseen]
    columns = [column_fidelity(train, rows) for rows in candidates]
    pairs = [pair_fidelity(train, rows) for rows in candidates]
    return SyntheticQuality(
        columns={str(name): Comparison(*(scores[name] for scores in columns)) for name in columns[0]},
        pairs=_nested({pair: Comparison(*(scores[pair] for scores in pairs)) for pair in pairs[0]}),
        detection=Comparison(*(detection_score(train, rows, seed) for rows in candidates)),
        closest=closest_record(train, synthetic, holdout, random_state=seed),
        utility=None if target is None else utility(train, synthetic, holdout, target, seed),
    )


def _of_equal_size(synthetic: Any, holdout: Any, seed: int) -> list[Any]:
    frames = [as_frame("synthetic", synthetic), as_frame("holdout", holdout)]
    generator = np.random.default_rng(seed)
    return [sample_rows(frame, min(map(len, frames)), generator).to_native() for frame in frames]


def _nested(pairs: dict[tuple[Any, Any], Comparison]) -> dict[str, dict[str, Comparison]]:
    nested: dict[str, dict[str, Comparison]] = {}
    for (a, b), figure in pairs.items():
        nested.setdefault(str(a), {})[str(b)] = figure
    return nested


def _summary(label: str, figures: dict[str, Comparison]) -> list[tuple[str, Comparison]]:
    """Return the mean of measures, and the lowest ones of the synthetic rows by name."""
    if not figures:
        return []
    mean = np.mean([(figure.synthetic, figure.baseline) for figure in figures.values()], axis=0).tolist()
    lowest = sorted(figures.items(), key=lambda item: item[1].synthetic)[:N_LOWEST]
    return [(f"{label}, mean (1 is best)", Comparison(*mean)), *((f"  {name}", figure) for name, figure in lowest)]
