"""What the checks look at: rows, what is known of them, and the estimator that is to learn from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from sklearn.base import clone

from isthmus import likelihoods
from isthmus.autoencoder import Autoencoder
from isthmus.data.validation import complete_schema, compute_statistics
from isthmus.doctor.rows import Rows, Values, label, n_values
from isthmus.doctor.texts import readable
from isthmus.likelihoods import Likelihood, LogNormal, Mixed
from isthmus.part import resolve
from isthmus.randomness import seeded
from isthmus.schema import Field, Schema
from isthmus.statistics import Statistics


@dataclass(frozen=True)
class Column:
    """One value of a sample in all rows.

    Parameters
    ----------
    label : str, int or tuple
        Name of the column, or position in an array.
    values : ndarray of shape (n,)
        NaN where missing.
    field : Field or None
        What the column of a data frame is.
    """

    label: Any
    values: Values
    field: Field | None = None

    @cached_property
    def present(self) -> Values:
        """The values that are there."""
        return self.values[~np.isnan(self.values)]

    @cached_property
    def _levels_and_counts(self) -> tuple[Values, Values]:
        return np.unique(self.present, return_counts=True)

    @property
    def levels(self) -> Values:
        """The different values, in order."""
        return self._levels_and_counts[0]

    @property
    def counts(self) -> Values:
        """How often each of them occurs."""
        return self._levels_and_counts[1]

    @property
    def mode_share(self) -> float:
        """Share of the values that are equal to the most common one."""
        return float(self.counts.max() / len(self.present)) if len(self.present) else 1.0

    @property
    def match_probability(self) -> float:
        """Share of the pairs of rows that agree."""
        n_alike = np.array([*self.counts.tolist(), len(self.values) - len(self.present)], dtype=np.float64)
        return float((n_alike * (n_alike - 1)).sum() / max(1, len(self.values) * (len(self.values) - 1)))

    @property
    def is_number(self) -> bool:
        """Whether more and less mean something."""
        return self.field is None or not self.field.is_categorical

    @property
    def whole(self) -> bool:
        """Whether all values are whole numbers."""
        return self.is_number and bool((self.levels == np.round(self.levels)).all())


@dataclass(frozen=True)
class CheckInput:
    """Rows, further splits of them, and an estimator.

    Parameters
    ----------
    rows : Rows
    splits : mapping of str to Rows
    estimator : Autoencoder
    y : array of shape (n,) or None
        Labels of the rows.
    """

    rows: Rows
    splits: Mapping[str, Rows]
    estimator: Autoencoder
    y: Any = None

    @property
    def schema(self) -> Schema:
        """What a row looks like."""
        return self.rows.source.schema

    @property
    def n_values(self) -> int:
        """Number of values of a sample."""
        return n_values(self.schema)

    @property
    def uses_labels(self) -> bool:
        """Whether there are labels, and the estimator looks at them."""
        return self.y is not None and bool(self.estimator.conditional)

    @cached_property
    def statistics(self) -> Statistics:
        """What the fit would know of all rows."""
        return compute_statistics(self.rows.source)

    @cached_property
    def columns(self) -> list[Column]:
        """The values of a sample, one after the other."""
        fields: Sequence[Field | None] = self.schema.used or [None] * self.n_values
        values = self.rows.values.T
        return [Column(label(self.schema, i), values[i], fields[i]) for i in range(self.n_values)]

    @cached_property
    def match_probability(self) -> float:
        """Chance that two rows agree, if columns had nothing to do with each other."""
        texts = [Column("", text) for text in self.rows.texts]
        return prod(column.match_probability for column in [*self.columns, *texts])

    @property
    def has_common_range(self) -> bool:
        """Whether values share a range, as pixels do: those that hardly vary do no harm then."""
        return not self.schema.categorical and self.statistics.are_pixels

    @property
    def user_kinds(self) -> set[Any]:
        """Names of the columns of which the user has said what they are."""
        schema = self.estimator.schema
        return set(schema.names) if isinstance(schema, Schema) else set(schema or {})

    @cached_property
    def readable(self) -> dict[Any, str]:
        """Columns of numbers or dates that are text, with an example of each."""
        frame = self.rows.frame
        names = (
            [] if frame is None else [field.name for field in self.schema.fields if field.name not in self.user_kinds]
        )
        examples = {name: readable(frame.get_column(name)) for name in names}
        return {name: example for name, example in examples.items() if example}

    @property
    def chooses_likelihood(self) -> bool:
        """Whether the likelihood is left to isthmus."""
        return isinstance(self.estimator.likelihood, str) and self.estimator.likelihood in ("auto", "mixed")

    @property
    def can_be_fitted(self) -> bool:
        """Whether fit would get as far as to build one."""
        return len(self.rows) > 1 and bool((self.statistics.count > 0).all())

    @cached_property
    def likelihood(self) -> Likelihood:
        """The likelihood that fit would take, or that which "auto" means where fit would refuse it."""
        try:
            choice = self.estimator._choose_likelihood(self.statistics, self.schema)
        except ValueError:
            choice = likelihoods.choose(self.statistics, self.schema)
        return resolve(choice, likelihoods, Likelihood)

    @property
    def leaves(self) -> list[tuple[Likelihood, list[int]]]:
        """Likelihoods of single columns, with the positions of these."""
        if isinstance(self.likelihood, Mixed):
            return list(zip(self.likelihood.parts, map(list, self.likelihood.columns), strict=True))
        return [(self.likelihood, list(range(self.n_values)))]

    def labels(self, positions: Any) -> tuple[Any, ...]:
        """Labels of the columns at some positions."""
        return tuple(label(self.schema, int(position)) for position in positions)

    def outside(self, leaf: Likelihood, positions: list[int]) -> list[int]:
        """Positions whose values a likelihood does not allow."""
        low, high = self.statistics.low.flatten()[positions], self.statistics.high.flatten()[positions]
        outside = (low < leaf.support[0]) | (high > leaf.support[1])
        if isinstance(leaf, LogNormal):
            outside |= low <= 0
        if leaf.integer_support:
            outside |= (low != low.round()) | (high != high.round())
        return [position for position, out in zip(positions, outside.tolist(), strict=True) if out]

    def count_weights(self, **changes: Any) -> int:
        """Build the net of the estimator with some parameters changed, and count its weights."""
        estimator = clone(self.estimator).set_params(**changes)
        schema = complete_schema(self.schema, self.statistics, self.statistics.missing, None)
        fits = not any(self.outside(leaf, positions) for leaf, positions in self.leaves)
        likelihood = self.likelihood if fits else likelihoods.choose(self.statistics, schema)
        with seeded(0):
            model = estimator._build_model(schema, self.statistics, likelihood)
        return sum(weights.numel() for weights in model.parameters())
