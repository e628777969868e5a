"""The estimator that scores rows by how near they are to others."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from isthmus.autoencoder import Autoencoder, Values
from isthmus.backbones import MLP
from isthmus.corruptions import Masking
from isthmus.data import Source, as_source
from isthmus.data.frames import empty, is_frame
from isthmus.data.survey import describe, survey
from isthmus.ensemble import Ensemble
from isthmus.likelihoods import Gaussian
from isthmus.proximity.scales import N_KEPT, Exemplars, Neighbours
from isthmus.proximity.views import Points, Scaling, Taming, points_of
from isthmus.randomness import mix, seed_of
from isthmus.schema import Schema

# Steps of the nets, rows of each at a time, and nets.
N_STEPS, BATCH_SIZE, N_NETS = 200, 128, 4


@dataclass(frozen=True)
class Side:
    """One view of the rows: the scaling, and the distances in it."""

    view: Scaling | Taming
    exemplars: Exemplars
    neighbours: Neighbours

    def distances(self, points: Points) -> Points:
        """Distances of points, coarse and then fine (n, n_coarse + 1); what is missing is typical."""
        seen = np.nan_to_num(self.view(points))
        return np.column_stack([self.exemplars.distances(seen).mean(2), self.neighbours.distances(seen)])


class Proximity(MetaEstimatorMixin, BaseEstimator):
    """Scores rows by how far they are off others, at two scales, of which the one that finds a row odder decides.

    Coarse: how far a row lies from a few training rows as nets rebuild them. A handful of rows rarely holds an anomaly,
    so this works where many anomalies are among the training rows. Fine: how far it lies from the nearest of all
    training rows, which sees more, but nothing of anomalies that come in groups. Each is measured in two views, with
    values as they are and with tamed tails, and in units of its own scatter on training rows that it has not seen.

    Parameters
    ----------
    estimator : Autoencoder or None, default=None
        The kind of net that rebuilds rows. None is a small masked autoencoder whose code is half as wide as the data.
    n_estimators : int, default=4
        Nets of each view.
    weight : float, default=1.15
        Of the fine scale. More is right where the training rows are known to be clean.
    random_state : int, RandomState or None, default=None
        Decides everything random.

    Attributes
    ----------
    held_out_scores_ : ndarray of shape (n_samples,)
        Score of every training row, by nets and neighbours that are not the row itself.
    schema_ : Schema
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where the data had column names.

    References
    ----------
    Liu, Ting and Zhou, Isolation forest, ICDM 2008: why few rows at a time see more. Ramaswamy, Rastogi and Shim,
    Efficient algorithms for mining outliers from large data sets, SIGMOD 2000: the nearest row. Norouzi, Fleet and
    Norouzi, Exemplar VAE, NeurIPS 2020, arXiv:2004.04795: rebuilt training rows as the centres of a density.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus import Proximity
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> model = Proximity(random_state=0).fit(X)
    >>> bool(model.score_samples([[0.0, 0.0, 0.0, 0.0]])[0] > model.score_samples([[0.0, 9.0, 0.0, 0.0]])[0])
    True
    """

    held_out_scores_: Values
    schema_: Schema
    n_features_in_: int
    _sides: list[Side]

    def __init__(
        self,
        estimator: Autoencoder | None = None,
        n_estimators: int = N_NETS,
        *,
        weight: float = 1.15,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.weight = weight
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn where rows are.

        Parameters
        ----------
        X : array, tensor, sparse rows, data frame or Source of shape (n_samples, ...)
            In memory; NaN means missing.
        y : ignored

        Raises
        ------
        ValueError
            If a parameter or the data are not usable; the message names which.
        """
        if not (isinstance(self.weight, int | float) and self.weight >= 0):
            raise ValueError(f"weight must be a number >= 0, got {self.weight!r}")
        seed = seed_of(self.random_state)
        source = as_source(X)
        schema = describe(source.schema, survey(source), False, None)
        points = points_of(source, schema)
        views: list[Scaling | Taming] = [Scaling.of(points), Taming.of(points)]
        fitted = [self._fit_side(view, points, mix(seed, i)) for i, view in enumerate(views)]
        self._sides = [side for side, _, _ in fitted]
        self._learn_units([(coarse, fine) for _, coarse, fine in fitted])
        validate_data(self, empty(X.schema) if isinstance(X, Source) else X, skip_check_array=True, reset=True)
        self.n_features_in_, self.schema_ = len(schema.fields) or schema.shape[0], schema
        return self

    def _fit_side(self, view: Scaling | Taming, points: Points, seed: int) -> tuple[Side, Points, Points]:
        """Fit nets and neighbours in a view; and measure the rows by what has not seen them."""
        rng = np.random.default_rng(seed)
        seen = view(points)
        ensemble = Ensemble(self._net(points), self.n_estimators, random_state=mix(seed, 1)).fit(seen)
        filled = np.nan_to_num(seen)
        kept = np.zeros(len(points), dtype=bool)
        kept[rng.permutation(len(points))[:N_KEPT]] = True
        side = Side(view, Exemplars.of(ensemble, seen, rng), Neighbours.of(filled[kept]))
        unseen = ensemble.left_out_.T[:, None].astype(float)
        coarse = (side.exemplars.distances(filled) * unseen).sum(2) / unseen.sum(2)
        return side, coarse, side.neighbours.distances(filled, kept)[:, None]

    def _net(self, points: Points) -> Autoencoder:
        if self.estimator is not None:
            return clone(self.estimator)
        n_rows, n_coordinates = points.shape
        batch_size = max(1, min(BATCH_SIZE, n_rows // 2))
        return Autoencoder(
            max(2, n_coordinates // 2),
            backbone=MLP((64,)),
            likelihood=Gaussian(),
            corruption=Masking((0.0, 0.8)),
            batch_size=batch_size,
            max_epochs=max(1, round(N_STEPS * batch_size / max(1, n_rows // 2))),
            learning_rate=5e-3,
        )

    def _learn_units(self, held_out: list[tuple[Points, Points]]) -> None:
        """Learn what is usual of each distance, and how far off the outer half of the rows lies."""
        measured = np.stack([np.hstack(pair) for pair in held_out], 1)
        self._centre, upper = np.quantile(measured, [0.5, 0.75], axis=0)
        spread = np.where(upper > self._centre, upper - self._centre, measured.std(0))
        self._spread = np.where(spread > 0, spread, 1.0)
        self.held_out_scores_ = self._combine(measured)

    def _combine(self, measured: Points) -> Values:
        """Join distances (n, n_views, n_coarse + 1) to scores: the odder scale decides in each view."""
        odd = (measured - self._centre) / self._spread
        coarse, fine = odd[..., :-1].mean(-1), odd[..., -1]
        scores: Values = -np.maximum(coarse, self.weight * fine).mean(1)
        return scores

    # Using

    def score_samples(self, X: Any) -> Values:
        """Score rows, (n_samples,); higher is more normal.

        0 is usual, and -1 where the outer quarter of the training rows begins.
        """
        points = points_of(self._read(X), self.schema_)
        return self._combine(np.stack([side.distances(points) for side in self._sides], 1))

    def _read(self, X: Any) -> Source:
        check_is_fitted(self)
        validate_data(self, empty(X.schema) if isinstance(X, Source) else X, skip_check_array=True, reset=False)
        source = as_source(X, self.schema_) if is_frame(X) else as_source(X)
        if source.schema.shape != self.schema_.shape:
            raise ValueError(f"X has samples of shape {source.schema.shape}, but fit saw {self.schema_.shape}")
        return source

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags
