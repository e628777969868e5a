"""The input of all checks: rows, their statistics, and the estimator that will be fitted to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from sklearn.base import clone

from isthmus import likelihoods
from isthmus.assembly import CHOICES, build_model, choose_likelihood
from isthmus.autoencoder import Autoencoder
from isthmus.data.tables.parseable import find_parseable_text
from isthmus.data.validation import complete_schema, compute_statistics
from isthmus.doctor.rows import Rows, Values, get_label
from isthmus.likelihoods import Likelihood, LogNormal, Mixed
from isthmus.part import resolve
from isthmus.randomness import seeded
from isthmus.schema import Field, Schema
from isthmus.statistics import Statistics


@dataclass(frozen=True)
class Column:
    """One column of a table, or one value of a sample, in all rows.

    Parameters
    ----------
    label : str, int or tuple
        Name of the column, or position in an array.
    values : ndarray of shape (n,)
        NaN where missing.
    field : Field or None
        Field of the schema, for data frames.
    """

    label: Any
    values: Values
    field: Field | None = None

    @cached_property
    def present(self) -> Values:
        """Values that are not missing."""
        return self.values[~np.isnan(self.values)]

    @cached_property
    def _distinct_and_counts(self) -> tuple[Values, Values]:
        return np.unique(self.present, return_counts=True)

    @property
    def distinct(self) -> Values:
        """Distinct values, sorted."""
        return self._distinct_and_counts[0]

    @property
    def counts(self) -> Values:
        """Number of rows with each distinct value."""
        return self._distinct_and_counts[1]

    @property
    def mode_share(self) -> float:
        """Share of the most frequent value among the values that are not missing."""
        return float(self.counts.max() / len(self.present)) if len(self.present) else 1.0

    @property
    def match_probability(self) -> float:
        """Share of pairs of rows with equal values."""
        counts = np.array([*self.counts.tolist(), len(self.values) - len(self.present)], dtype=np.float64)
        return float((counts * (counts - 1)).sum() / max(1, len(self.values) * (len(self.values) - 1)))

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers, and not codes of categories."""
        return self.field is None or not self.field.is_categorical

    @property
    def is_integer(self) -> bool:
        """Whether all values are integers."""
        return self.is_number and bool((self.distinct == np.round(self.distinct)).all())


@dataclass(frozen=True)
class CheckInput:
    """Rows, other splits, and an estimator.

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
        """Schema of a row."""
        return self.rows.source.schema

    @property
    def n_values(self) -> int:
        """Number of values of a sample."""
        return prod(self.schema.shape)

    @property
    def uses_labels(self) -> bool:
        """Whether there are labels and the estimator is conditional."""
        return self.y is not None and bool(self.estimator.conditional)

    @cached_property
    def statistics(self) -> Statistics:
        """Statistics of all rows, as in fit."""
        return compute_statistics(self.rows.source)

    @cached_property
    def columns(self) -> list[Column]:
        """Columns of a table, or values of a sample in order."""
        fields: Sequence[Field | None] = self.schema.used or [None] * self.n_values
        values = self.rows.values.T
        return [Column(get_label(self.schema, i), values[i], fields[i]) for i in range(self.n_values)]

    @cached_property
    def match_probability(self) -> float:
        """Probability that two rows are equal, under the assumption that columns are independent."""
        texts = [Column("", text) for text in self.rows.texts]
        return prod(column.match_probability for column in [*self.columns, *texts])

    @property
    def are_pixels(self) -> bool:
        """Whether all values are pixels, some of which may be almost constant."""
        return len(self.schema.shape) > 2 or (not self.schema.categorical and self.statistics.are_pixels)

    @property
    def user_kinds(self) -> set[Any]:
        """Names of columns whose kind the user has set."""
        schema = self.estimator.schema
        return set(schema.names) if isinstance(schema, Schema) else set(schema or {})

    @cached_property
    def parseable(self) -> dict[Any, str]:
        """Columns of text that hold numbers or dates, with an example of each."""
        frame = self.rows.frame
        fields = [] if frame is None else self.schema.fields
        names = [field.name for field in fields if field.name not in self.user_kinds]
        examples = {name: find_parseable_text(frame.get_column(name)) for name in names}
        return {name: example for name, example in examples.items() if example}

    @property
    def chooses_likelihood(self) -> bool:
        """Whether isthmus chooses the likelihood."""
        return isinstance(self.estimator.likelihood, str) and self.estimator.likelihood in CHOICES

    @property
    def can_be_fitted(self) -> bool:
        """Whether there are at least two rows, and no empty columns."""
        return len(self.rows) > 1 and bool((self.statistics.count > 0).all())

    @cached_property
    def likelihood(self) -> Likelihood:
        """The likelihood that fit would use, or the automatic choice if fit would raise an error."""
        try:
            choice = choose_likelihood(self.estimator, self.statistics, self.schema)
        except ValueError:
            choice = likelihoods.choose(self.statistics, self.schema)
        return resolve(choice, likelihoods, Likelihood)

    @property
    def column_likelihoods(self) -> list[tuple[Likelihood, list[int]]]:
        """Likelihoods, each with the positions of its columns."""
        if isinstance(self.likelihood, Mixed):
            return list(zip(self.likelihood.parts, map(list, self.likelihood.columns), strict=True))
        return [(self.likelihood, list(range(self.n_values)))]

    def labels(self, positions: Any) -> tuple[Any, ...]:
        """Return the labels of columns."""
        return tuple(get_label(self.schema, int(position)) for position in positions)

    def outside(self, likelihood: Likelihood, positions: list[int]) -> list[int]:
        """Return the positions of columns with values outside the support of a likelihood."""
        low, high = self.statistics.low.flatten()[positions], self.statistics.high.flatten()[positions]
        outside = (low < likelihood.support[0]) | (high > likelihood.support[1])
        if isinstance(likelihood, LogNormal):
            outside |= low <= 0
        if likelihood.integer_support:
            outside |= (low != low.round()) | (high != high.round())
        return [position for position, out in zip(positions, outside.tolist(), strict=True) if out]

    def count_weights(self, **changes: Any) -> int:
        """Count the weights of the net after changing some parameters of the estimator."""
        estimator = clone(self.estimator).set_params(**changes)
        schema = complete_schema(self.schema, self.statistics, self.statistics.missing, None)
        fits = not any(self.outside(*leaf) for leaf in self.column_likelihoods)
        likelihood = self.likelihood if fits else likelihoods.choose(self.statistics, schema)
        with seeded(0):
            model = build_model(estimator, schema, self.statistics, likelihood)
        return sum(weights.numel() for weights in model.parameters())
