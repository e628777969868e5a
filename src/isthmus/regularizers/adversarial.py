"""Codes that a critic cannot distinguish from draws of the prior."""

from math import prod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import softplus

from isthmus.bottlenecks import Bottleneck
from isthmus.part import Shapes, is_count
from isthmus.regularizers.base import Regularizer, Step


class Adversarial(Regularizer):
    """Trains a critic to distinguish codes from draws of the prior, and the encoder to mislead it.

    The prior is that of the bottleneck: ``prior="normal"`` makes ``sample`` draw from it too. The critic is a net of
    two hidden layers. In conditional models it reads the label as well, so that codes of each label follow the prior.
    Both terms are non-saturating [2] and in nats: the cross-entropy of the critic, which only the critic learns from,
    and the weighted -log of the probability that a code is a draw, by the critic, which only the encoder learns from.
    The first is 2 log 2 where codes cannot be distinguished.

    Parameters
    ----------
    weight : float, default=10.0
        Of the encoder's term. The critic's term has weight 1.
    width : int, default=64
        Width of the critic's hidden layers.
    noise : float, default=0.3
        Standard deviation of normal noise on all that the critic reads of codes and draws, which keeps its gradients
        bounded where the two hardly overlap [3].

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of its range.

    References
    ----------
    [1] Makhzani, Shlens, Jaitly, Goodfellow and Frey, Adversarial autoencoders, 2015, arXiv:1511.05644. [2] Goodfellow
        et al., Generative adversarial nets, NIPS 2014, arXiv:1406.2661. [3] Arjovsky and Bottou, Towards principled
        methods for training generative adversarial networks, ICLR 2017, arXiv:1701.04862.

    Examples
    --------
    >>> from isthmus.regularizers import Adversarial
    >>> Adversarial(weight=3.0)
    Adversarial(weight=3.0)
    """

    # Of the critic, which must follow the codes; chosen from 1, 2 and 5 on two tables with two seeds each.
    learning_rate_factor: ClassVar[float] = 5.0

    def __init__(self, weight: float = 10.0, width: int = 64, noise: float = 0.3) -> None:
        super().__init__()
        self.weight = weight
        self.width = width
        self.noise = noise

    def build(self, shapes: Shapes, bottleneck: Bottleneck) -> None:
        """Check the parameters and make the critic; see the base class."""
        super().build(shapes, bottleneck)
        self.require("width", is_count, "a positive integer")
        self.require("noise", lambda v: v >= 0, ">= 0")
        first = nn.Linear(prod(shapes.z) + shapes.condition, self.width)
        second, last = nn.Linear(self.width, self.width), nn.Linear(self.width, 1)
        self.critic = nn.Sequential(first, nn.SiLU(), second, nn.SiLU(), last)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """Return the terms of the critic and of the encoder for each row; see the base class."""
        # Drawn anew and whole: some bottlenecks change z in training, such as ``Nested``.
        z = step.bottleneck.draw(step.h, step.y, 1)[0][0]
        drawn = step.bottleneck.prior.sample(len(z), step.y).to(z).detach()
        codes, drawn = (self._make_input(rows, step.y) for rows in (z, drawn))
        fixed = {name: parameter.detach() for name, parameter in self.critic.named_parameters()}
        critic = softplus(-self.critic(drawn)) + softplus(self.critic(codes.detach()))
        adversarial = softplus(-functional_call(self.critic, fixed, (codes,)))
        return {"critic": critic[:, 0], "adversarial": self.weight * adversarial[:, 0]}

    def _make_input(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Return what the critic reads of latent variables and labels, (n, n_inputs)."""
        rows = z.flatten(1)
        rows = rows + self.noise * torch.randn_like(rows)
        return rows if y is None else torch.cat([rows, y.to(rows)], 1)
