"""Which values of new rows are missing, as in the rows of fit."""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from isthmus.schema import Schema
from isthmus.statistics import Statistics

# Products of weights and rows in one pass of the fit, which bounds the rows it uses; passes of the fit.
MAX_PRODUCTS, MAX_ITERATIONS = 2**26, 60
# Levels of a category that are told apart; the rest count as one.
MAX_CATEGORIES = 32
# Newton steps towards the share of missing values in fit.
N_NEWTON_STEPS = 20


class Missingness(nn.Module):
    """Logistic regressions of what is missing: each column on all other values, and on what is missing before it.

    So columns that are missing together in fit are missing together in new rows, and what is missing depends on the
    other values as it did in fit (a fully visible sigmoid belief network: Neal, Connectionist learning of belief
    networks, Artificial Intelligence 56, 1992).

    Parameters
    ----------
    schema : Schema
        Whose ``holes`` are the columns with missing values.
    statistics : Statistics
        Of the training rows.
    """

    center: Tensor
    spread: Tensor
    weight: Tensor
    bias: Tensor
    allowed: Tensor
    rate: Tensor

    def __init__(self, schema: Schema, statistics: Statistics) -> None:
        super().__init__()
        self.n_categories = [len(field.categories) if field.is_categorical else 0 for field in schema.used]
        owner = torch.repeat_interleave(torch.tensor([min(n, MAX_CATEGORIES) or 2 for n in self.n_categories]))
        columns, n = torch.tensor(schema.missing_columns), len(schema.missing_columns)
        # A column's own values are known only where it is not missing, and tell nothing.
        others = owner[None] != columns[:, None]
        self.register_buffer("allowed", torch.cat([others, torch.ones(n, n).tril(-1).bool()], 1), persistent=False)
        self.register_buffer("center", statistics.mean.float())
        self.register_buffer("spread", torch.where(statistics.deviation > 0, statistics.deviation, 1.0).float())
        self.register_buffer("weight", torch.zeros(self.allowed.shape))
        self.register_buffer("bias", torch.zeros(n))
        self.register_buffer("rate", torch.zeros(n))

    def features(self, x: Tensor) -> Tensor:
        """Turn rows (n, n_used) without missing values into features, (n, n_features)."""
        u = torch.asinh((x - self.center) / self.spread).float()
        features = [
            one_hot(x[:, j].long().clamp(max=MAX_CATEGORIES - 1), min(n, MAX_CATEGORIES)).float()
            if n
            else torch.stack([u[:, j], u[:, j].square()], 1)
            for j, n in enumerate(self.n_categories)
        ]
        return torch.cat(features, 1)

    def max_rows(self) -> int:
        """Rows that a fit uses at most."""
        return max(64, MAX_PRODUCTS // self.weight.numel())

    def fit(self, x: Tensor, missing: Tensor) -> None:
        """Fit the regressions.

        Parameters
        ----------
        x : Tensor of shape (n, n_used)
            Rows, in which missing values are drawn.
        missing : Tensor of shape (n, n_missing_columns)
            Which values of the columns with missing values are missing.
        """
        u = self.features(x)
        target = missing.to(u)
        self.rate.copy_(target.mean(0))
        features = torch.cat([u, target], 1)
        weight = torch.zeros_like(self.weight, requires_grad=True)
        bias = torch.logit(self.rate, eps=0.5 / len(u)).clone().requires_grad_()
        optimizer = torch.optim.LBFGS([weight, bias], max_iter=MAX_ITERATIONS, line_search_fn="strong_wolfe")

        @torch.enable_grad()
        def loss() -> Tensor:
            """Return the negative log posterior a row, under a standard normal prior of the weights."""
            optimizer.zero_grad()
            logits = features @ (weight * self.allowed).T + bias
            value = binary_cross_entropy_with_logits(logits, target) * target.shape[1]
            value = value + weight.square().sum() / (2 * len(u))
            value.backward()
            return value

        optimizer.step(loss)
        self.weight.copy_(weight.detach() * self.allowed)
        self.bias.copy_(bias.detach())

    def calibrate(self, x: Tensor) -> None:
        """Move the biases until as many values are missing in drawn rows (n, n_used) as in fit."""
        u, missing = self.features(x), x.new_zeros(len(x), len(self.bias), dtype=torch.float32)
        for j, rate in enumerate(self.rate):
            logits = self._logits(u, missing, j)
            for _ in range(N_NEWTON_STEPS):
                p = torch.sigmoid(logits + self.bias[j])
                self.bias[j] -= ((p.mean() - rate) / (p * (1 - p)).mean().clamp(min=1e-3)).clamp(-1, 1)
            missing[:, j] = _draw_bernoulli(logits + self.bias[j])

    def draw(self, x: Tensor) -> Tensor:
        """Draw which values of rows (n, n_used) are missing, (n, n_missing_columns)."""
        u, missing = self.features(x), x.new_zeros(len(x), len(self.bias), dtype=torch.float32)
        for j in range(len(self.bias)):
            missing[:, j] = _draw_bernoulli(self._logits(u, missing, j) + self.bias[j])
        return missing.bool()

    def _logits(self, u: Tensor, missing: Tensor, j: int) -> Tensor:
        return torch.cat([u, missing], 1) @ self.weight[j]


def _draw_bernoulli(logits: Tensor) -> Tensor:
    return (torch.rand(len(logits)).to(logits) < torch.sigmoid(logits)).to(logits)
