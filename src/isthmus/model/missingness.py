"""A model of which values are missing, fitted to the training rows."""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from isthmus.schema import Schema
from isthmus.statistics import Statistics

# Largest number of weights times rows in one pass of the fit, which limits the rows; largest number of iterations of
# L-BFGS. Both bound the time and are not tuned.
MAX_PRODUCTS, MAX_ITERATIONS = 2**26, 60
# Largest number of weights, which is quadratic in the number of columns: L-BFGS keeps 200 times as many numbers, here
# 0.8 GiB. In wider tables, values are missing independently of each other. Not tuned.
MAX_WEIGHTS = 2**20
# Number of categories of a column that have their own weight; later ones share the last weight. Bounds the number of
# weights; not tuned.
MAX_CATEGORIES = 32
# Newton steps of the calibration. Each changes a bias by at most 1, in units of the logit.
N_NEWTON_STEPS = 20


class Missingness(nn.Module):
    """Logistic regressions of the missing mask: each column on all other values and on the mask of earlier columns.

    In generated rows, missing values thus depend on each other and on the other values as in the training rows. The
    model is a fully visible sigmoid belief network (Neal, Connectionist learning of belief networks, Artificial
    Intelligence 56, 1992). With more than ``MAX_WEIGHTS`` weights, each column has its missing rate only.

    Parameters
    ----------
    schema : Schema
        Schema whose ``missing_columns`` are the columns with missing values.
    statistics : Statistics
        Statistics of the training rows.
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
        if n * (len(owner) + n) > MAX_WEIGHTS:
            allowed = torch.ones(n, 0, dtype=torch.bool)
        else:
            # The values of the column itself are not used: missing values are unknown.
            allowed = torch.cat([owner[None] != columns[:, None], torch.ones(n, n).tril(-1).bool()], 1)
        self.register_buffer("allowed", allowed, persistent=False)
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
        """Return the largest number of rows that a fit uses."""
        return max(64, MAX_PRODUCTS // max(1, self.weight.numel()))

    def fit(self, x: Tensor, missing: Tensor) -> None:
        """Fit the regressions.

        Parameters
        ----------
        x : Tensor of shape (n, n_used)
            Rows with imputed missing values.
        missing : Tensor of shape (n, n_missing_columns)
            Mask of the columns with missing values.
        """
        u = self.features(x)
        target = missing.to(u)
        self.rate.copy_(target.mean(0))
        features = torch.cat([u, target], 1)[:, : self.weight.shape[1]]
        weight = torch.zeros_like(self.weight, requires_grad=True)
        bias = torch.logit(self.rate, eps=0.5 / len(u)).clone().requires_grad_()
        optimizer = torch.optim.LBFGS([weight, bias], max_iter=MAX_ITERATIONS, line_search_fn="strong_wolfe")

        @torch.enable_grad()
        def loss() -> Tensor:
            """Return the negative log posterior per row, with a standard normal prior of the weights."""
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
        """Adjust the biases so that drawn rows (n, n_used) have the missing rates of the training rows."""
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
        weight = self.weight[j]
        return torch.cat([u, missing], 1) @ weight if len(weight) else missing.new_zeros(len(missing))


def _draw_bernoulli(logits: Tensor) -> Tensor:
    return (torch.rand(len(logits)).to(logits) < torch.sigmoid(logits)).to(logits)
