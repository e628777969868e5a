"""A normalizing flow with rational-quadratic splines, as a scikit-learn estimator."""

import math
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Self

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor, nn

from isthmus import functional as F
from isthmus.ambient import with_own_settings
from isthmus.part import Configurable, is_count
from isthmus.randomness import seed_of, seeded

Values = np.ndarray[Any, Any]

# Splines are nonlinear on [-TAIL_BOUND, TAIL_BOUND], in standard deviations, and linear outside; number of bins of a
# spline. Durkan et al. use bounds of 3 to 5 and 4 to 10 bins.
TAIL_BOUND, N_BINS = 5.0, 8
# Rows per step; largest numbers of steps and epochs; number of evaluations on held-out rows. They bound the time and
# are not tuned.
BATCH_SIZE, MAX_STEPS, MAX_EPOCHS, N_EVALUATIONS = 256, 2_000, 100, 20


@with_own_settings
class Flow(Configurable):
    """Normalizing flow: an invertible map from normal noise to rows, fitted by maximum likelihood.

    Each layer is a random rotation and a coupling layer: half of the coordinates are transformed by monotone splines,
    whose parameters a net computes from the other half [1, 2]. With 50 rows or more, a tenth is held out, and the
    weights with the largest held-out likelihood are kept.

    Parameters
    ----------
    n_layers : int, default=6
    width : int, default=64
        Width of the nets that compute the parameters of the splines.
    learning_rate : float, default=2e-3
        Largest learning rate of the schedule.
    random_state : int, RandomState or None, default=None

    Attributes
    ----------
    n_features_in_ : int
    module_ : torch module

    References
    ----------
    [1] Dinh, Sohl-Dickstein and Bengio, Density estimation using real NVP, ICLR 2017, arXiv:1605.08803.
    [2] Durkan, Bekasov, Murray and Papamakarios, Neural spline flows, NeurIPS 2019, arXiv:1906.04032.

    Examples
    --------
    >>> import numpy as np
    >>> from isthmus.priors import Flow
    >>> X = np.random.default_rng(0).uniform(size=(500, 2))
    >>> flow = Flow(n_layers=2, random_state=0).fit(X)
    >>> flow.sample(3).shape
    (3, 2)
    """

    def __init__(
        self, n_layers: int = 6, width: int = 64, learning_rate: float = 2e-3, random_state: Any = None
    ) -> None:
        self.n_layers = n_layers
        self.width = width
        self.learning_rate = learning_rate
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the flow to rows (n, n_features)."""
        for name in ("n_layers", "width"):
            if not is_count(getattr(self, name)):
                raise ValueError(f"{name} of Flow must be a positive integer, got {getattr(self, name)!r}")
        X = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        with seeded(seed_of(self.random_state)):
            module = self.build(X.shape[1])
            module.mean.copy_(torch.from_numpy(X.mean(0)))
            module.scale.copy_(torch.from_numpy(np.where(X.std(0) > 0, X.std(0), 1.0)))
            self.module_ = _train(module, module.standardize(torch.from_numpy(X)).float(), self.learning_rate)
        return self

    def build(self, n_features: int) -> "Layers":
        """Return a new net for ``n_features`` features, with weights from the global generator of torch."""
        return Layers(n_features, int(self.n_layers), int(self.width))

    def score_samples(self, X: Any) -> Values:
        """Return the log density of rows (n, n_features), (n,)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        with torch.inference_mode():
            scores = self.module_.log_prob(self.module_.standardize(torch.from_numpy(X)).float())
            return (scores.double() - self.module_.scale.log().sum()).numpy()

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of ``score_samples``."""
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1) -> Values:
        """Draw rows (n_samples, n_features)."""
        check_is_fitted(self)
        module = self.module_
        with seeded(seed_of(self.random_state)), torch.inference_mode():
            noise = torch.randn(n_samples, len(module.mean))
            return (module.from_noise(noise).double() * module.scale + module.mean).numpy()


class Layers(nn.Module):
    """The net of a flow: its layers, and mean and scale of the rows."""

    mean: Tensor
    scale: Tensor

    def __init__(self, n_features: int, n_layers: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_features, dtype=torch.float64))
        self.register_buffer("scale", torch.ones(n_features, dtype=torch.float64))
        self.layers = nn.ModuleList(Layer(n_features, width) for _ in range(n_layers))

    def standardize(self, x: Tensor) -> Tensor:
        """Standardize rows."""
        return (x - self.mean) / self.scale

    def log_prob(self, z: Tensor) -> Tensor:
        """Return the log density of standardized rows, (n,)."""
        total = z.new_zeros(len(z))
        for layer in self.layers:
            z, log_slope = layer(z)
            total = total + log_slope
        return total - 0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)

    def from_noise(self, z: Tensor) -> Tensor:
        """Map noise to standardized rows."""
        for layer in reversed(self.layers):
            z = layer.invert(z)  # type: ignore[operator]
        return z


class Layer(nn.Module):
    """Rotation of rows, followed by a coupling layer that transforms the second half of the coordinates."""

    rotation: Tensor

    def __init__(self, n_features: int, width: int) -> None:
        super().__init__()
        self.n_kept = n_features // 2
        self.register_buffer("rotation", torch.linalg.qr(torch.randn(n_features, n_features))[0])
        last = nn.Linear(width, (n_features - self.n_kept) * (3 * N_BINS - 1))
        # Splines are linear at the start.
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        # The additional input is constant: with one feature, no coordinates are kept.
        self.net = nn.Sequential(nn.Linear(self.n_kept + 1, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), last)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Transform standardized rows; return them and the log determinant of the Jacobian, (n,)."""
        kept, transformed = self._split(z @ self.rotation)
        transformed, log_slope = self._transform(kept, transformed, inverse=False)
        return torch.cat([kept, transformed], -1), log_slope.sum(-1)

    def invert(self, z: Tensor) -> Tensor:
        """Invert ``forward``."""
        kept, transformed = self._split(z)
        transformed, _ = self._transform(kept, transformed, inverse=True)
        return torch.cat([kept, transformed], -1) @ self.rotation.T

    def _split(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z[:, : self.n_kept], z[:, self.n_kept :]

    def _transform(self, kept: Tensor, transformed: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
        parameters = self.net(torch.cat([kept, kept.new_ones(len(kept), 1)], -1)).unflatten(
            -1, (transformed.shape[1], -1)
        )
        widths, heights, slopes = parameters.split((N_BINS, N_BINS, N_BINS - 1), -1)
        return F.rational_quadratic(transformed, widths, heights, slopes, TAIL_BOUND, inverse)


def _train(module: Layers, rows: Tensor, learning_rate: float) -> Layers:
    """Train, then restore the weights with the largest likelihood of held-out rows."""
    rows = rows[torch.randperm(len(rows))]
    n_held_out = len(rows) // 10 if len(rows) >= 50 else 0
    held_out, rows = rows[:n_held_out], rows[n_held_out:]
    n_steps = min(MAX_STEPS, MAX_EPOCHS * math.ceil(len(rows) / BATCH_SIZE))
    optimizer = torch.optim.AdamW(module.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=n_steps)
    best, weights = -math.inf, module.state_dict()
    for step, batch in enumerate(_batches(rows, n_steps), 1):
        optimizer.zero_grad()
        (-module.log_prob(batch).mean()).backward()
        nn.utils.clip_grad_norm_(module.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        if n_held_out and step % max(1, n_steps // N_EVALUATIONS) == 0:
            with torch.inference_mode():
                score = float(module.log_prob(held_out).mean())
            if score > best:
                best, weights = score, deepcopy(module.state_dict())
    module.load_state_dict(weights)
    return module.requires_grad_(False)


def _batches(rows: Tensor, n_steps: int) -> Iterator[Tensor]:
    """Yield ``n_steps`` batches, in a new random order in each epoch."""
    while n_steps > 0:
        for batch in rows[torch.randperm(len(rows))].split(BATCH_SIZE)[:n_steps]:
            n_steps -= 1
            yield batch
