"""The private glue: the parts in a row, as one torch module.

    x --corrupt--> x~ --encode--> u --encoder--> h --bottleneck--> z --decoder--> theta --mean--> x^
    |                                               |                |
    +----------------------- log p(x | theta) <-----+----------------+

x is (n, *shape), u (n, *input_shape), h (n, code_in), z (n_draws, n, n_components), theta (n, n_parameters, *shape).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property

import torch
from torch import Tensor, nn

from isthmus import functional as F
from isthmus.backbones import Backbone
from isthmus.backbones.grids import weight_uses
from isthmus.bottlenecks import Bottleneck
from isthmus.corruptions import Corruption, corrupt
from isthmus.decoding import parameters, rows
from isthmus.likelihoods import Likelihood
from isthmus.losses import Losses
from isthmus.missingness import Missingness
from isthmus.part import snake_case
from isthmus.regularizers import Regularizer, Step
from isthmus.schema import Schema
from isthmus.statistics import Statistics

DONE = torch.ones(())


class Model(nn.Module):
    """Parts, built for one kind of sample.

    Parameters
    ----------
    schema : Schema
    statistics : Statistics
        Of the training rows.
    n_components : int
    backbone, bottleneck, likelihood, regularizers
        Parts, not yet built, which the model makes its own.
    corruption : Corruption, callable or None
    trim : float
        Share of the rows of each batch, those of the largest loss, that are not learned from.
    """

    origin: Tensor | None
    numeric: Tensor
    levels: Tensor
    log_frequencies: Tensor
    expected: Tensor
    expected_divergence: Tensor

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
        trim: float = 0.0,
    ) -> None:
        super().__init__()
        self.schema, self.trim, self.n_nets, shape = schema, trim, backbone.n_nets, schema.shape
        self.flags = schema.missing or (isinstance(corruption, Corruption) and corruption.hides)
        self.has_holes = self.flags or bool(schema.categorical)  # levels that fit has not seen are missing too
        far = schema.origin if likelihood.translation_invariant else None
        origin = None if far is None else torch.tensor(far, dtype=torch.float64).reshape(shape)
        self.register_buffer("origin", origin, persistent=False)
        if isinstance(corruption, Corruption):
            corruption.build(statistics)
        statistics = replace(statistics.minus(origin), shared_axes=schema.shared_axes)
        self.likelihood, self.corruption, self.bottleneck, self.backbone = likelihood, corruption, bottleneck, backbone
        self.regularizers = nn.ModuleList(regularizers)
        likelihood.build(statistics)
        code_in, code_out = bottleneck.build(n_components)
        for regularizer in regularizers:
            regularizer.build(bottleneck)
        numeric = likelihood.numeric.clone()
        numeric.view(-1)[schema.categorical] = False
        self.register_buffer("numeric", numeric, persistent=False)
        self.has_categories = not numeric.all()
        self.spares_categories = isinstance(corruption, Corruption) and corruption.numeric_only and self.has_categories
        self._build_condition(schema)
        self.missingness = Missingness(schema, statistics) if schema.missing_columns and self.n_nets == 1 else None
        encoded = likelihood.encoded_shape
        self.flag_shape = shape if len(encoded) == len(shape) else (1, *shape)  # levels of a series are its channels
        backbone.n_flags = self.flags * (1 if len(encoded) == 1 else self.flag_shape[0])
        input_shape = (encoded[0] + self.flags * self.flag_shape[0], *encoded[1:])
        backbone.build(input_shape, likelihood.parameter_shape, (code_in,), (code_out,), self.condition_width)
        self.register_buffer("expected", torch.zeros(shape))
        self.register_buffer("expected_divergence", torch.zeros(()))

    def _build_condition(self, schema: Schema) -> None:
        condition = schema.condition
        self.condition_width = 0 if condition is None else condition.width
        if condition is not None:
            self.register_buffer("levels", torch.from_numpy(condition.encode(condition.categories)), persistent=False)
            self.register_buffer("log_frequencies", torch.tensor(condition.frequencies).log(), persistent=False)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.expected.device

    @cached_property
    def width(self) -> int:
        """The most numbers that any layer holds a row."""
        return max(max(weight.shape) * times for weight, times in weight_uses(self) if weight.ndim > 1)

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights, and of all computation but for autocast."""
        return self.expected.dtype

    def forward(self, x: Tensor, y: Tensor | None = None, progress: Tensor = DONE) -> Losses:
        """Return the losses of a batch, with draws and corruption; wrappers of modules see the whole objective."""
        corrupted, target = self._corrupt(self.likelihood.sample_targets(self.read(x)))
        u = self.look(corrupted)
        code = self.bottleneck(self.backbone.encode(u), True, progress)
        log_prob = self._log_prob_of_draws(code.z, target, y)
        terms = {"negative_bound": F.drop_largest(-F.importance_bound(log_prob - code.cost), self.trim)}
        if self.training and self.regularizers:
            step = Step(u, code.z, self.centre, self.backbone.code_norms())
            for regularizer in self.regularizers:
                name = snake_case(type(regularizer).__name__)
                terms[name] = terms.get(name, 0) + regularizer(step)
        return Losses(terms, metrics={})

    def _corrupt(self, x: Tensor) -> tuple[Tensor, Tensor]:
        corrupted = x if self.corruption is None else corrupt(self.corruption, x, self.origin)
        corrupted = torch.where(self.numeric, corrupted, x) if self.spares_categories else corrupted
        return corrupted, self.corruption.target(x, corrupted) if isinstance(self.corruption, Corruption) else x

    def corrupt(self, x: Tensor) -> tuple[Tensor, ...]:
        """Raw values to raw values as the encoder sees them in training, and those that are judged, NaN elsewhere."""
        return tuple(map(self.write, self._corrupt(self.read(x))))

    def read(self, x: Tensor) -> Tensor:
        """Raw values to the model's dtype, less their origin, which must go before the digits do; far ones nearer."""
        x = x if self.origin is None else x - self.origin
        return (x if self.training else self.likelihood.compress_extremes(x)).to(self.dtype)

    def write(self, x: Tensor) -> Tensor:
        """Undo ``read``, in float64 where there is an origin; levels that came as integers are integers again."""
        if self.likelihood.returns_integers and self.schema.dtype.startswith(("int", "uint")) and not self.flags:
            return x.long()
        return x if self.origin is None else x + self.origin

    def look(self, x: Tensor) -> Tensor:
        """Values to encoded input: missing ones become the typical value, with a flag beside them."""
        u = self.likelihood.encode(self.likelihood.fill(x) if self.has_holes else x)
        return torch.cat([u, x.isnan().to(u).view(-1, *self.flag_shape)], 1) if self.flags else u

    def centre(self, u: Tensor) -> Tensor:
        """Encoded input to the centre of its code."""
        return self.bottleneck.posterior(self.backbone.encode(u))[0]

    def encode(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Raw values to mean and standard deviation of their codes, which labels do not change."""
        return self.bottleneck.posterior(self.backbone.encode(self.look(self.read(x))))

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Codes (n, n_components) to raw expected values; without a label, to their mean over all labels."""
        if y is None and self.condition_width:
            return self._average(z, self.log_frequencies.exp().expand(len(z), -1))
        return self.sample(z, y, noise=False)

    def reconstruct(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Raw values to raw values. Without a label, labels weigh as they explain the row."""
        read = self.read(x)
        z = self.centre(self.look(read))
        if y is not None or not self.condition_width:
            return self.decode(z, y)
        return self._average(z, self._responsibilities(self._log_prob_of_each(z, read)))

    def sample(self, z: Tensor, y: Tensor | None, noise: bool) -> Tensor:
        """Codes to raw values, with or without the likelihood's own scatter."""
        return self.write(self._rows(z, y, noise))

    def redraw(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Raw values to raw values drawn from one code each, drawn too; without a label, of the likeliest."""
        read = self.read(x)
        z = self.bottleneck(self.backbone.encode(self.look(read)), True, DONE).z[0]
        if y is None and self.condition_width:
            y = self.levels[self._responsibilities(self._log_prob_of_each(z, read)).argmax(-1)]
        return self.sample(z, y, noise=True)

    def plug_in(self, x: Tensor, y: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Log p(x | decoder(centre)) of every value (n, *shape), and the code's divergence (n,).

        Without a label on a conditional model, the two still add up to the log of the mean over labels: values weigh
        the labels as these explain the row, and the rest goes to the divergence.
        """
        x = self.read(x)
        code = self.bottleneck(self.backbone.encode(self.look(x)), False, DONE)
        z = code.z[0]
        if y is not None or not self.condition_width:
            return self._log_prob(self._theta(z, y, x), x), code.divergence
        each = self._log_prob_of_each(z, x)
        log_weights = self._responsibilities(each)
        mixed = F.weighted_sum(log_weights, each)
        excess = (log_weights * (log_weights.clamp(min=1e-30).log() - self.log_frequencies)).sum(-1)
        return mixed, code.divergence + excess

    def log_weights(self, x: Tensor, y: Tensor | None, n_draws: int) -> Tensor:
        """Log importance weights log p(x, z) - log q(z | x) of ``n_draws`` codes, (n_draws, n)."""
        x = self.read(x)
        z, log_weight = self.bottleneck.weigh(self.backbone.encode(self.look(x)), n_draws)
        if y is not None or not self.condition_width:
            return self._log_prob_of_draws(z, x, y) + log_weight
        each = [self._log_prob_of_draws(z, x, y) for y in self._each_level(len(x))]
        return torch.logsumexp(torch.stack(each, -1) + self.log_frequencies, -1) + log_weight

    def score(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Deterministic score of raw values, (n,)."""
        if y is None and self.condition_width:
            log_prob, divergence = self.plug_in(x, y)
            return log_prob.flatten(1).sum(-1) - divergence
        x = self.read(x)
        code = self.bottleneck(self.backbone.encode(self.look(x)), False, DONE)
        return self._row_log_prob(self._theta(code.z[0], y, x), x) - code.divergence

    def divergence(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Divergence of the code of raw values, (n,), from the encoder alone."""
        return self.bottleneck(self.backbone.encode(self.look(self.read(x))), False, DONE).divergence

    def contributions(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """Addends of the score: one a value, one of the code, one of the constants, (n, n_values + 2)."""
        log_prob, divergence = self.plug_in(x, y)
        expected = torch.where(x.isnan(), 0.0, self.expected).flatten(1)
        code, base = self.expected_divergence - divergence, expected.sum(-1) - self.expected_divergence
        return torch.cat([log_prob.flatten(1) - expected, code[:, None], base[:, None]], 1)

    def bound(self, x: Tensor, y: Tensor | None, n_draws: int, at_once: int) -> Tensor:
        """Importance-weighted bound on log p(x), (n,), drawing at most ``at_once`` codes a row together."""
        counts = [min(at_once, n_draws - done) for done in range(0, n_draws, at_once)]
        return F.importance_bound(torch.cat([self.log_weights(x, y, count) for count in counts]))

    def settle(self, batches: Iterable[tuple[Tensor, Tensor | None]]) -> None:
        """Keep, once trained, what scores and samples are measured against: the mean score of each value, the codes."""
        codes, n, n_known = [], 0, torch.zeros_like(self.expected)
        for x, y in batches:
            log_prob, divergence = self.plug_in(x, y)
            known = ~x.isnan()
            n, n_known = n + len(x), n_known + known.sum(0)
            self.expected += (log_prob - self.expected * known).sum(0) / n_known.clamp(min=1)
            self.expected_divergence += (divergence - self.expected_divergence).sum() / n
            codes.append(self.encode(x)[0])
        self.bottleneck.settle(torch.cat(codes))

    def _theta(self, z: Tensor, y: Tensor | None, x: Tensor) -> Tensor:
        return parameters(self.backbone, self.likelihood, z, y, x)

    def _rows(self, z: Tensor, y: Tensor | None, noise: bool = False) -> Tensor:
        return rows(self.backbone, self.likelihood, z, y, noise)

    def _log_prob_of_each(self, z: Tensor, x: Tensor) -> list[Tensor]:
        return [self._log_prob(self._theta(z, y, x), x) for y in self._each_level(len(z))]

    def _log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log p of every value, 0 where it is missing. Missing values are filled: NaN would reach the gradient."""
        if not self.has_holes:
            return self.likelihood.log_prob(theta, x)
        return torch.where(x.isnan(), 0.0, self.likelihood.log_prob(theta, self.likelihood.fill(x)))

    def _row_log_prob(self, theta: Tensor, x: Tensor) -> Tensor:
        """Log p of every row, (n,): the sum of ``_log_prob``, in fewer passes where nothing is missing."""
        return self._log_prob(theta, x).flatten(1).sum(-1) if self.has_holes else self.likelihood.row_log_prob(theta, x)

    def _log_prob_of_draws(self, z: Tensor, x: Tensor, y: Tensor | None) -> Tensor:
        """Log p(x | z) of every draw, (n_draws, n). Draws join the batch: a leading axis would break convolutions."""
        n_draws, n = z.shape[:2]
        if n_draws > 1:
            x = x.expand(n_draws, *x.shape).flatten(0, 1)
            y = None if y is None else y.expand(n_draws, *y.shape).flatten(0, 1)
        theta = self._theta(z.flatten(0, 1), y, x)
        return self._row_log_prob(theta, x).unflatten(0, (n_draws, n))

    def _each_level(self, n: int) -> list[Tensor]:
        return [level.expand(n, -1) for level in self.levels]

    def _responsibilities(self, log_probs: list[Tensor]) -> Tensor:
        """How much each label explains each row, (n, n_levels)."""
        totals = torch.stack([log_prob.flatten(1).sum(-1) for log_prob in log_probs], -1)
        return torch.softmax(totals + self.log_frequencies, -1)

    def _average(self, z: Tensor, weights: Tensor) -> Tensor:
        """Decode with every label and weigh them (n, n_levels); levels have no mean: there the likeliest decides."""
        if self.has_categories:
            return self.write(self._rows(z, self.levels[weights.argmax(-1)]))
        return self.write(F.weighted_sum(weights, [self._rows(z, y) for y in self._each_level(len(z))]))
