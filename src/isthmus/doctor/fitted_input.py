"""The input of the checks of a fitted model: rows that it was trained on, rows that it was not, and their codes."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from isthmus.ambient import own_settings
from isthmus.autoencoder import Autoencoder
from isthmus.bottlenecks import Bottleneck, Wrapper
from isthmus.data import Array, Source, hold_out
from isthmus.data.arrays import ArraySource
from isthmus.data.base import WHOLE
from isthmus.data.transfer import hold_batches
from isthmus.doctor.check_input import CheckInput
from isthmus.doctor.rows import Values
from isthmus.doctor.simple_models import BetterModel, is_compared, list_better_models
from isthmus.inference import run
from isthmus.likelihoods import Likelihood
from isthmus.model import Model
from isthmus.randomness import mix, seeded
from isthmus.training.loop import VALIDATION_SIZE, evaluate

# Largest number of rows of a kind that are examined, chosen at random. Bounds the time.
N_ROWS = 2_000
# Fewest rows that the model was not trained on by which it is judged. With fewer, figures of columns are too uncertain.
MIN_JUDGED = 300
# Probability that a training row has a higher score than another row, above which a net remembers rows, and standard
# errors above 0.5. On synthetic data, it is at most 0.63 after early stopping, and 0.88 if a wide net is trained
# without it. Sparse and quantized codes of fits with early stopping reach 0.9, without a loss on new rows.
MAX_SEEN_HIGHER, N_ERRORS = 0.7, 3.0
# Relative difference of two computations of one loss. Losses of different rows differ by more.
TOLERANCE = 1e-5
# Key of the loss of held-out rows in ``history_``.
HELD_OUT_LOSS = "valid_negative_bound"


@dataclass(frozen=True)
class FittedInput(CheckInput):
    """Rows, other splits, and an autoencoder that is fitted."""

    @property
    def module(self) -> Model:
        """The fitted model."""
        return self.estimator.module_

    @cached_property
    def likelihood(self) -> Likelihood:
        """The likelihood that was fitted."""
        return self.module.likelihood

    @property
    def bottleneck(self) -> Bottleneck:
        """The bottleneck, without a wrapper."""
        bottleneck = self.module.bottleneck
        return bottleneck.inner if isinstance(bottleneck, Wrapper) else bottleneck

    @property
    def history(self) -> list[dict[str, float]]:
        """Losses of each epoch."""
        return self.estimator.history_

    @cached_property
    def source(self) -> Source:
        """Rows as the model reads them."""
        return self.estimator.read_rows(self.rows.source)

    @cached_property
    def held_out(self) -> Values:
        """Positions of the rows that fit held out for validation; empty if they are not known."""
        labels = self.y if self.uses_labels else None
        return find_held_out(self.estimator, self.estimator.read_rows(self.rows.source, labels))

    @cached_property
    def positions(self) -> Values:
        """Positions of random rows, without those that are known to be held out."""
        return _choose(np.setdiff1d(np.arange(len(self.source)), self.held_out))

    @cached_property
    def sample(self) -> Source:
        """The rows at ``positions``."""
        return self.source.take(self.positions)

    @property
    def sample_labels(self) -> Any:
        """Labels of ``sample``; None without labels."""
        return np.asarray(self.y)[self.positions] if self.uses_labels else None

    @property
    def labelled_sample(self) -> Source:
        """The rows at ``positions`` with labels, if there are labels."""
        return self.estimator.read_rows(self.sample, self.sample_labels)

    @property
    def lacks_labels(self) -> bool:
        """Whether the model is conditional and there are no labels."""
        return bool(self.module.labels.width) and not self.uses_labels

    @cached_property
    def unseen(self) -> Mapping[str, Source]:
        """Rows that the model was not trained on, by name: held-out rows and other splits."""
        held_out = {"the rows that fit held out": self.source.take(self.held_out)} if len(self.held_out) else {}
        splits = {name: self.estimator.read_rows(rows.source) for name, rows in self.splits.items()}
        return {name: rows.take(_choose(np.arange(len(rows)))) for name, rows in {**held_out, **splits}.items()}

    @cached_property
    def judged(self) -> Source:
        """Rows by which the model is judged: the most rows that it was not trained on, or rows of training if few.

        A net that remembers rows of training is not judged by them.
        """
        most = max(self.unseen.values(), key=len, default=self.sample)
        return most if len(most) >= MIN_JUDGED or self.remembered else self.sample

    @cached_property
    def remembered(self) -> dict[str, float]:
        """How probably a row of training scores higher than one of the unseen rows of a name, if too probably."""
        seen = self.estimator.score_samples(self.sample) if self.unseen else np.empty(0)
        found = {name: _compare_scores(seen, self.estimator.score_samples(rows)) for name, rows in self.unseen.items()}
        limits = {name: max(MAX_SEEN_HIGHER, 0.5 + N_ERRORS * error) for name, (_, error) in found.items()}
        return {name: auroc for name, (auroc, _) in found.items() if auroc > limits[name]}

    @property
    def overfitted(self) -> dict[str, float]:
        """``remembered``, if it does harm: a simple model is better, or there is none to compare with."""
        return self.remembered if self.better_models or not is_compared(self.estimator) else {}

    @cached_property
    def better_models(self) -> list[BetterModel]:
        """Simple models that are better than the fitted one."""
        return list_better_models(self.estimator, self.sample, self.judged)

    @cached_property
    def codes(self) -> Values:
        """Codes of ``sample``, (n, code_size)."""
        return np.asarray(self.estimator.transform(self.sample))

    def run(self, function: Any, rows: Source) -> tuple[Values, ...]:
        """Apply a function of values and labels to rows in batches, with the same random numbers in each call."""
        with seeded(0, self.module.device):
            return run(self.module, function, rows)


def _compare_scores(scores: Values, others: Values) -> tuple[float, float]:
    """Return the probability that a score exceeds another one, the AUROC, and its standard error if they are alike.

    Mann and Whitney, On a test of whether one of two random variables is stochastically larger than the other, 1947.
    """
    n, m = len(scores), len(others)
    auroc = roc_auc_score(np.repeat([1, 0], [n, m]), np.concatenate([scores, others]))
    return float(auroc), float(np.sqrt((n + m + 1) / (12 * n * m)))


def _choose(positions: Values) -> Values:
    """Choose at most ``N_ROWS`` positions, in random order."""
    return np.random.default_rng(0).permutation(positions)[:N_ROWS]


@own_settings()
def find_held_out(model: Autoencoder, rows: Source) -> Values:
    """Return the positions of the rows that ``fit`` held out; none if the rows are not those of ``fit``.

    The positions follow from the number of rows and the seed. If the model was fitted to these rows, their loss is the
    smallest one in ``history_``.
    """
    losses = [row[HELD_OUT_LOSS] for row in model.history_ if HELD_OUT_LOSS in row]
    seed = model._fitted_params["random_state"]
    unknown = np.empty(0, dtype=np.int64)
    if not losses or not isinstance(seed, int | np.integer):
        return unknown
    rows = rows.array if isinstance(rows, ArraySource) else rows
    if not isinstance(rows, Array) or model.module_.labels.lacks(rows.y):
        return unknown
    others, held_out = hold_out(rows, model._fitted_params["validation_fraction"], mix(int(seed), 1))
    if not isinstance(held_out, Array) or held_out.rows is None:
        return unknown
    size = model.make_settings(model.module_, len(others), int(seed)).batch_size
    batches = hold_batches(held_out, max(size, VALIDATION_SIZE), model.module_.device, WHOLE)
    same = math.isclose(evaluate(model.module_, batches()), min(losses), rel_tol=TOLERANCE)
    positions = np.arange(len(rows)) if rows.rows is None else rows.rows.numpy()
    return np.flatnonzero(np.isin(positions, held_out.rows.numpy())) if same else unknown
