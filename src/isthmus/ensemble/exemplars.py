"""Rows judged by what nets make of other rows."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from isthmus.model import DONE, Model


@dataclass(frozen=True)
class Exemplars:
    """What each net says of some of its training rows: the centres of a mixture, which is a density of all rows.

    An autoencoder with a wide code also rebuilds rows it should find odd. It does not turn a training row into one.

    Parameters
    ----------
    model : Model
    theta : Tensor of shape (n_exemplars * n_nets, *parameter_shape)
        What the decoders say of training rows, of each net in turn.

    References
    ----------
    Norouzi, Fleet and Norouzi, Exemplar VAE, NeurIPS 2020, arXiv:2004.04795.
    """

    model: Model
    theta: Tensor

    @classmethod
    def of(cls, model: Model, x: Tensor) -> "Exemplars":
        """Decode the centres of the codes of raw rows, which are for each net in turn."""
        with torch.inference_mode():
            code = model.bottleneck(model.backbone.encode(model.look(model.read(x))), False, DONE)
            return cls(model, model.backbone.decode(code.z[0]))

    def __len__(self) -> int:
        return len(self.theta) // self.model.n_nets

    def score(self, x: Tensor) -> Tensor:
        """Log density of raw rows under the mixture of each net, (n, n_nets)."""
        return self._totals(self._log_prob(x)).logsumexp(1) - math.log(len(self))

    def plug_in(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Take the score apart: values (n, n_nets, *shape), weighted as exemplars explain the row, and the rest."""
        log_prob = self._log_prob(x)
        totals = self._totals(log_prob)
        weights = totals.softmax(1)
        values = torch.einsum("nkm,nkm...->nm...", weights, log_prob)
        return values, totals.logsumexp(1) - math.log(len(self)) - (weights * totals).sum(1)

    def _log_prob(self, x: Tensor) -> Tensor:
        """Log p of every value under every exemplar, (n, n_exemplars, n_nets, *shape)."""
        theta = self.theta.repeat(len(x), *[1] * (self.theta.ndim - 1))
        each = self.model.read(x).repeat_interleave(len(self.theta), 0)
        return self.model._log_prob(theta, each).unflatten(0, (len(x), len(self), self.model.n_nets))

    @staticmethod
    def _totals(log_prob: Tensor) -> Tensor:
        return log_prob.flatten(3).sum(-1)
