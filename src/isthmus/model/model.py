"""All parts, connected in one torch module.

    x --corrupt--> x~ --encode--> u --encoder--> h --bottleneck--> z --decoder--> theta --mean--> x^
    |                                               |                |
    +----------------------- log p(x | theta) <-----+----------------+

x is (n, *shape), u (n, *input_shape), h (n, *h_shape), z (n_draws, n, *z_shape), theta (n, n_parameters, *shape).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property, partial, reduce
from math import prod
from typing import cast

import torch
from torch import Tensor, nn

from isthmus import functional as F
from isthmus.backbones import Backbone
from isthmus.backbones.grids import weight_uses
from isthmus.backbones.norms import running_statistics
from isthmus.bottlenecks import Bottleneck, Latent
from isthmus.corruptions import Corruption, corrupt
from isthmus.likelihoods import Likelihood
from isthmus.model.decoding import decode_parameters, decode_rows
from isthmus.model.discriminator import Discriminator
from isthmus.model.labels import Labels
from isthmus.model.losses import Losses
from isthmus.model.missingness import Missingness
from isthmus.model.proposal import Proposal
from isthmus.model.small_net import SmallNet
from isthmus.part import Shapes, snake_case
from isthmus.priors import Normal, Prior
from isthmus.regularizers import Regularizer, Step
from isthmus.schema import Schema
from isthmus.statistics import Statistics

# Progress of a batch outside training: schedules have their final values.
TRAINING_END = torch.ones(())
# Hidden units and dropout rate of the net that predicts each category of a row from its other values. Chosen on one
# half of adult, see docs/performance.md.
WIDTH, DROPOUT = 128, 0.1


class Model(nn.Module):
    """Parts that are built for the shape and schema of one data set.

    Parameters
    ----------
    schema : Schema
    statistics : Statistics
        Statistics of the training rows.
    n_components : int
    backbone, bottleneck, likelihood, regularizers
        Parts that are not yet built; the model builds them and keeps them.
    corruption : Corruption, callable or None
    prior : Prior or None
        Prior that is not yet built. None uses the default prior of the bottleneck.
    trim : float
        Fraction of the rows of each batch, those with the largest loss, that training ignores.
    """

    origin: Tensor | None
    numeric: Tensor
    mean_log_prob: Tensor
    mean_divergence: Tensor
    n_finalized: Tensor

    def __init__(
        self,
        schema: Schema,
        statistics: Statistics,
        n_components: int,
        backbone: Backbone,
        bottleneck: Bottleneck,
        likelihood: Likelihood,
        regularizers: Sequence[Regularizer] = (),
        corruption: Callable[[Tensor], Tensor] | None = None,
        prior: Prior | None = None,
        trim: float = 0.0,
    ) -> None:
        super().__init__()
        self.schema, self.trim, self.n_nets, shape = schema, trim, backbone.n_nets, schema.shape
        self.flags = schema.missing or (isinstance(corruption, Corruption) and corruption.hides)
        self.has_missing = self.flags or bool(schema.categorical)  # unknown categories are missing values
        center = schema.origin if likelihood.translation_invariant else None
        origin = None if center is None else torch.tensor(center, dtype=torch.float64).reshape(shape)
        self.register_buffer("origin", origin, persistent=False)
        if isinstance(corruption, Corruption):
            corruption.build(statistics)
        statistics = replace(statistics.minus(origin), shared_axes=schema.shared_axes)
        self.likelihood, self.corruption, self.bottleneck, self.backbone = likelihood, corruption, bottleneck, backbone
        self.regularizers = nn.ModuleList(regularizers)
        likelihood.build(statistics)
        numeric = likelihood.numeric.clone()
        numeric.view(-1)[schema.categorical] = False
        self.register_buffer("numeric", numeric, persistent=False)
        self.has_categories = not numeric.all()
        self.corrupts_numeric_only = (
            isinstance(corruption, Corruption) and corruption.numeric_only and self.has_categories
        )
        self.labels = Labels(schema.condition)
        self.missingness = Missingness(schema, statistics) if schema.missing_columns and self.n_nets == 1 else None
        encoded = likelihood.encoded_shape
        # One-hot categories of a series are on the axis of channels, and share one flag at each position.
        self.flag_shape = shape if len(encoded) == len(shape) else (1, *shape)
        backbone.values_per_sample = prod(shape)
        backbone.n_flags = self.flags * (1 if len(encoded) == 1 else self.flag_shape[0])
        input_shape = (encoded[0] + self.flags * self.flag_shape[0], *encoded[1:])
        self._build_latent(
            Shapes(input_shape, self.labels.width, self.labels.n_classes, self.n_nets), n_components, prior
        )
        chooses = self.prior.n_candidates > 1 and self.n_nets == 1
        self.discriminator = Discriminator(prod(input_shape), self.prior.n_candidates) if chooses else None
        self.conditionals = self._make_conditionals(prod(input_shape))
        self.register_buffer("mean_log_prob", torch.zeros(shape))
        self.register_buffer("mean_divergence", torch.zeros(()))
        self.register_buffer("n_finalized", torch.zeros((), dtype=torch.int64))

    def _make_conditionals(self, n_inputs: int) -> SmallNet | None:
        """Return a net that predicts hidden categories from the other values of a row, which also marks hidden ones."""
        is_table = len(self.likelihood.encoded_shape) == 1 and self.n_nets == 1 and self.schema.condition is None
        if not (is_table and self.schema.categorical and self.prior.n_sweeps):
            return None
        return SmallNet(n_inputs + prod(self.schema.shape), WIDTH, prod(self.likelihood.parameter_shape), DROPOUT)

    def _build_latent(self, shapes: Shapes, n_components: int, prior: Prior | None) -> None:
        """Build bottleneck, priors, regularizers and backbone, whose shapes depend on each other."""
        prior = self._default_prior() if prior is None else prior
        self.fitted_prior = None if prior.joint else prior
        self.bottleneck.set_prior(prior if prior.joint else Normal())
        h, z = self.bottleneck.build(n_components, shapes)
        shapes = shapes._replace(h=h, z=z)
        priors = [each for each in (self.bottleneck.prior, self.fitted_prior) if each is not None]
        for each in priors:
            each.build(z, shapes)
        deterministic = not self.bottleneck.stochastic and self.bottleneck.log_n_values is None
        self.proposal = Proposal(z) if deterministic else None
        for regularizer in cast(Iterable[Regularizer], self.regularizers):
            regularizer.build(shapes, self.bottleneck)
        self.backbone.build(shapes.input, self.likelihood.parameter_shape, h, z, shapes.condition)
        for each in priors:
            each.bind(self.moments)

    def _default_prior(self) -> Prior:
        """Return the prior that a regularizer needs, or else that of the bottleneck."""
        needed = (each.default_prior for each in cast(Iterable[Regularizer], self.regularizers))
        return next(filter(None, needed), self.bottleneck.default_prior)()

    @property
    def prior(self) -> Prior:
        """The distribution from which new codes are drawn."""
        return self.bottleneck.prior if self.fitted_prior is None else self.fitted_prior

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self.mean_log_prob.device

    @cached_property
    def width(self) -> int:
        """The largest number of values per row in any layer."""
        return max(max(weight.shape) * times for weight, times in weight_uses(self) if weight.ndim > 1)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the weights, and of all computation outside autocast."""
        return self.mean_log_prob.dtype

    def forward(self, x: Tensor, y: Tensor | None = None, progress: Tensor = TRAINING_END) -> Losses:
        """Return the loss terms of a batch by name, each of shape (n_kept,), (n,) or (), with sampling and corruption.

        The method is ``forward`` and not ``loss``, so that torch wrappers of modules contain the whole objective.
        """
        corrupted, target = self._corrupt(self.likelihood.sample_targets(self.to_model(x)))
        u = self.encode_input(corrupted)
        h = self.backbone.encode(u)
        latent = self.bottleneck(h, y, progress)
        theta, log_prob = self.decode_draws(latent.z, target, y)
        bound = F.importance_bound(reduce(torch.sub, latent.costs.values(), log_prob))
        terms = {"negative_bound": F.drop_largest(-bound, self.trim)}
        if self.training and self.regularizers:
            # All further passes of regularizers: the statistics of batch normalisation are those of the first pass.
            with running_statistics(self.backbone):
                self._add_regularizers(terms, self._make_step(target, u, h, latent, theta, y, progress))
        return Losses(terms, latent.metrics)

    @torch.no_grad()
    def initialize(self, batches: Iterable[Tensor]) -> None:
        """Let the backbone set its weights before training by batches of raw rows."""
        self.backbone.initialize(self.encode_input(self.to_model(x)) for x in batches)

    def _make_step(
        self, x: Tensor, u: Tensor, h: Tensor, latent: Latent, theta: Tensor, y: Tensor | None, progress: Tensor
    ) -> Step:
        norms = self.backbone.code_norms()
        norms = None if norms is None else norms.repeat(len(u) // self.n_nets, 1)
        decode = partial(self._decode_parameters, x=x)
        parts = self.bottleneck, self.likelihood, self.n_nets
        return Step(x, u, h, latent, theta, y, progress, self.code_mean, decode, norms, *parts)

    def _add_regularizers(self, terms: dict[str, Tensor], step: Step) -> None:
        for regularizer in self.regularizers:
            found = regularizer(step)
            found = found if isinstance(found, dict) else {snake_case(type(regularizer).__name__): found}
            for name, term in found.items():
                terms[name] = terms.get(name, 0) + term

    def _corrupt(self, x: Tensor) -> tuple[Tensor, Tensor]:
        corrupted = x if self.corruption is None else corrupt(self.corruption, x, self.origin)
        corrupted = torch.where(self.numeric, corrupted, x) if self.corrupts_numeric_only else corrupted
        return corrupted, self.corruption.target(x, corrupted) if isinstance(self.corruption, Corruption) else x

    def corrupt(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return corrupted raw values, the encoder input in training, and targets, with NaN for values without loss."""
        return tuple(map(self.to_data, self._corrupt(self.to_model(x))))

    def to_model(self, x: Tensor) -> Tensor:
        """Convert raw values to the dtype of the model.

        The origin is subtracted first, in full precision. Outside training, extreme values are compressed.
        """
        x = x if self.origin is None else x - self.origin
        return (x if self.training else self.likelihood.compress_extremes(x)).to(self.dtype)

    def to_data(self, x: Tensor) -> Tensor:
        """Undo ``to_model``, in float64 if there is an origin. Categories of an integer dtype become integers again."""
        if self.likelihood.returns_integers and self.schema.dtype.startswith(("int", "uint")) and not self.flags:
            return x.long()
        return x if self.origin is None else x + self.origin

    def encode_input(self, x: Tensor) -> Tensor:
        """Encode values as input. Missing values are replaced by the fill value and marked by a flag."""
        u = self.likelihood.encode(self.likelihood.fill(x) if self.has_missing else x)
        return torch.cat([u, x.isnan().to(u).view(-1, *self.flag_shape)], 1) if self.flags else u

    def code_mean(self, u: Tensor) -> Tensor:
        """Return the mean of q(z | x) for encoded input, (n, *z_shape)."""
        return self.bottleneck.code_mean(self.backbone.encode(u))

    def moments(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance of q(z | x) for encoded input, each (n, *z_shape), without a change of state."""
        with running_statistics(self.backbone):
            return self.bottleneck.moments(self.backbone.encode(u))

    def encode(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Encode raw values to codes and their standard deviations, each (n, code_size). Labels have no effect."""
        h = self.encode_rows(x)
        return self.bottleneck.to_code(self.bottleneck.code_mean(h)), self.bottleneck.code_std(h)

    def draw(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Draw latent variables from q(z | x) for raw values, (n, *z_shape)."""
        return self.bottleneck.draw(self.encode_rows(x), 1)[0][0]

    def decode(self, code: Tensor, y: Tensor | None = None) -> Tensor:
        """Decode codes (n, code_size) to raw expected values; without labels, return the mean over all labels."""
        return self.decode_latent(self.bottleneck.from_code(code), y)

    def decode_latent(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Decode latent variables (n, *z_shape) to raw expected values; see ``decode``."""
        if self.labels.lacks(y):
            return self._decode_average(z, self.labels.frequencies(z.shape[0]))
        return self.to_data(self._decode_rows(z, y))

    def sample(self, code: Tensor, y: Tensor | None) -> Tensor:
        """Decode codes (n, code_size) and draw raw values from the likelihood."""
        return self.to_data(self._decode_rows(self.bottleneck.from_code(code), y, draw=True))

    @torch.no_grad()
    def sample_codes(self, n: int, y: Tensor | None, temperature: float) -> Tensor:
        """Draw codes (n, code_size) from the prior."""
        z = self.prior.sample(n, y, temperature).to(self.mean_log_prob)
        return self.bottleneck.to_code(self.bottleneck.clamp(z))

    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Reconstruct raw values. Without labels, average over labels by their posterior probabilities."""
        x = self.to_model(x)
        z = self.code_mean(self.encode_input(x))
        if not self.labels.lacks(y):
            return self.to_data(self._decode_rows(z, y))
        return self._decode_average(z, self.labels.responsibilities(self.log_prob_by_label(z, x)))

    def sample_posterior_predictive(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Draw raw values from p(x | z), with one z per row; without labels, use the most probable label."""
        z, x = self.draw(x, y), self.to_model(x)
        if self.labels.lacks(y):
            y = self.labels.most_probable(self.labels.responsibilities(self.log_prob_by_label(z, x)))
        return self.to_data(self._decode_rows(z, y, draw=True))

    def encode_rows(self, x: Tensor) -> Tensor:
        """Return the output of the encoder for raw values, (n, *h_shape)."""
        return self.backbone.encode(self.encode_raw(x))

    def encode_raw(self, x: Tensor) -> Tensor:
        """Encode raw values as input, (n, *input_shape)."""
        return self.encode_input(self.to_model(x))

    def _decode_parameters(self, z: Tensor, y: Tensor | None, x: Tensor) -> Tensor:
        return decode_parameters(self.backbone, self.likelihood, z, y, x)

    def _decode_rows(self, z: Tensor, y: Tensor | None, draw: bool = False) -> Tensor:
        return decode_rows(self.backbone, self.likelihood, z, y, draw)

    def log_prob_by_label(self, z: Tensor, x: Tensor) -> list[Tensor]:
        """Return ``log_prob`` for each label."""
        return [self.log_prob(z, x, y) for y in self.labels.each(z.shape[0])]

    def log_prob(self, z: Tensor, x: Tensor, y: Tensor | None) -> Tensor:
        """Return log p of every value of x (n, *shape), given z (n, *z_shape); 0 for missing values."""
        return self._log_prob(self._decode_parameters(z, y, x), x)

    def _log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return log p of every value; 0 for missing values, which are filled first, to keep NaN out of gradients."""
        if not self.has_missing:
            return self.likelihood.log_prob(theta, x)
        return torch.where(x.isnan(), 0.0, self.likelihood.log_prob(theta, self.likelihood.fill(x)))

    def _row_log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Return the sum of ``_log_prob`` over each row, (n,), in fewer passes if no value can be missing."""
        return (
            self._log_prob(theta, x).flatten(1).sum(-1) if self.has_missing else self.likelihood.row_log_prob(theta, x)
        )

    def decode_draws(self, z: Tensor, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return theta of all samples of z, and log p(x | z) of each (n_draws, n).

        Samples are flattened into the batch axis, because convolutions accept one batch axis only.
        """
        n_draws, n = z.shape[:2]
        if n_draws > 1:
            x = x.expand(n_draws, *x.shape).flatten(0, 1)
            y = None if y is None else y.expand(n_draws, *y.shape).flatten(0, 1)
        theta = self._decode_parameters(z.flatten(0, 1), y, x)
        return theta, self._row_log_prob(theta, x).unflatten(0, (n_draws, n))

    def _decode_average(self, z: Tensor, weights: Tensor) -> Tensor:
        """Decode with every label and average by weights (n, n_labels).

        Categories have no mean. With categories, only the most probable label is used.
        """
        if self.has_categories:
            return self.to_data(self._decode_rows(z, self.labels.most_probable(weights)))
        return self.to_data(F.weighted_sum(weights, [self._decode_rows(z, y) for y in self.labels.each(z.shape[0])]))
