"""The scores of estimators and detectors as torch modules."""

from copy import deepcopy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from isthmus.anomaly import AnomalyDetector, ExemplarDistance
from isthmus.anomaly.scores import CodeDensity, Scorer
from isthmus.exporting.exemplars import ExemplarScore
from isthmus.model import Model, scoring

# Rounding of scores, relative to the threshold and the spread of calibration scores. A calibration row often has the
# threshold as its score, which is no alarm; a program rounds otherwise and must not make it one.
ROUNDING = 1e-5


class NetScore(nn.Module):
    """Scores rows by a net, or by the mean over several nets.

    Parameters
    ----------
    model : Model
    kind : {"full", "encoder", "decoder"}
        As ``score_from`` of ``AnomalyDetector``.
    """

    def __init__(self, model: Model, kind: str = "full") -> None:
        super().__init__()
        self.model, self.kind = model, kind

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (n,) of rows (n, *shape)."""
        rows = x.repeat_interleave(self.model.n_nets, 0) if self.model.n_nets > 1 else x
        score = self._mean(scoring.score(self.model, rows)) if self.kind != "encoder" else torch.zeros(())
        if self.kind == "full":
            return score.double()
        divergence = self._mean(scoring.divergence(self.model, rows)).double()
        return -divergence if self.kind == "encoder" else score.double() + divergence

    def _mean(self, each: Tensor) -> Tensor:
        return each.unflatten(0, (-1, self.model.n_nets)).mean(1) if self.model.n_nets > 1 else each


class LatentScore(nn.Module):
    """Scores rows by the density of their codes, as ``isthmus.anomaly.scores.CodeDensity`` does.

    Parameters
    ----------
    model : Model
    codes : CodeDensity
    """

    mean: Tensor
    deviation: Tensor
    whitening: Tensor
    centres: Tensor
    log_weights: Tensor

    def __init__(self, model: Model, codes: CodeDensity) -> None:
        super().__init__()
        self.model, mixture = model, codes.mixture
        whitening = mixture.precisions_cholesky_
        log_determinants = np.log(np.diagonal(whitening, axis1=1, axis2=2)).sum(1)
        constants = np.log(mixture.weights_) + log_determinants - len(codes.mean) * np.log(2 * np.pi) / 2
        arrays = {"mean": codes.mean, "deviation": codes.deviation, "whitening": whitening}
        arrays |= {"centres": mixture.means_[:, None] @ whitening, "log_weights": constants[:, None]}
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(array))

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (n,) of rows (n, *shape)."""
        codes = (self.model.encode(x)[0].double() - self.mean) / self.deviation
        squares = (codes @ self.whitening - self.centres).square().sum(2)
        return (self.log_weights - squares / 2).logsumexp(0)


class DetectorScore(nn.Module):
    """Scores rows as a detector does, and decides.

    Parameters
    ----------
    detector : AnomalyDetector
    decides : bool
        Whether to return, after the score, whether a row is an alarm.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, detector: AnomalyDetector, decides: bool) -> None:
        super().__init__()
        scorer = detector._scorer
        self.scores = nn.ModuleList(_score_of(scorer, kind) for kind in scorer.kinds)
        self.register_buffer("center", torch.from_numpy(scorer.scale.center))
        self.register_buffer("scale", torch.from_numpy(scorer.scale.scale))
        spread = float(np.std(detector.calibration_scores_[np.isfinite(detector.calibration_scores_)]))
        self.offset = float(detector.offset_) - ROUNDING * (abs(float(detector.offset_)) + spread)
        self.nat, self.decides = float(scorer.nat), decides

    def forward(self, x: Tensor, surprise: Tensor) -> tuple[Tensor, ...]:
        """Return scores (n,), and decisions (n,)."""
        each = torch.stack([score(x) for score in self.scores], 1)
        score = ((each - self.center) / self.scale).sum(1) - self.nat * surprise
        return (score, score < self.offset) if self.decides else (score,)


def _score_of(scorer: Scorer, kind: str) -> nn.Module:
    """Return one kind of score of a fitted estimator."""
    if isinstance(scorer.estimator, ExemplarDistance):
        return ExemplarScore(scorer.estimator)
    net = copy_model(scorer.estimator)
    return LatentScore(net, scorer.codes) if scorer.codes and kind == "latent" else NetScore(net, kind)


def copy_model(estimator: Any) -> Model:
    """Copy the fitted net of an estimator to the processor, without gradients: a program runs where it was traced."""
    return deepcopy(estimator.module_).requires_grad_(False).eval().cpu()
