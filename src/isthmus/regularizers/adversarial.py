"""Codes that a discriminator cannot distinguish from draws of the prior."""

from math import prod
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import softplus

from isthmus.bottlenecks import Bottleneck
from isthmus.part import Shapes, is_count
from isthmus.priors import Normal, Prior
from isthmus.regularizers.base import Regularizer, Step


class Adversarial(Regularizer):
    """Trains a discriminator to distinguish codes from draws of the prior, and the encoder to mislead it [1].

    The term "discriminator" is its cross-entropy in nats, and trains the discriminator only. It is 2 log 2 if codes and
    draws cannot be distinguished. The term "adversarial" is -log D(z), where D(z) is the probability that the
    discriminator gives to a code of being a draw; it trains the encoder only (the non-saturating loss of [2]).

    The discriminator is a net with two hidden layers. In conditional models it also reads the label, so that the codes
    of each label follow the prior. If the user chooses no prior, it is the standard normal distribution, and
    ``sample`` draws from it. A prior that is fitted after training changes ``sample`` only: codes are trained towards
    the standard normal distribution.

    Parameters
    ----------
    weight : float, default=10.0
        Weight of the term "adversarial". The other term has weight 1. Codes of clustered rows, such as digits, do not
        pass a two-sample test against the prior with the defaults.
    width : int, default=64
        Width of the discriminator's hidden layers.
    noise : float, default=0.3
        Standard deviation of normal noise that is added to codes and draws before the discriminator reads them. It
        bounds the gradients if the two distributions hardly overlap [3].

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range, or if codes cannot have every value, such as those of
        ``VectorQuantized``, ``TopK`` and ``Deterministic`` with an activation: they cannot be distributed as the prior.

    References
    ----------
    [1] Makhzani, Shlens, Jaitly, Goodfellow and Frey, Adversarial autoencoders, 2015, arXiv:1511.05644.
    [2] Goodfellow et al., Generative adversarial nets, NIPS 2014, arXiv:1406.2661.
    [3] Arjovsky and Bottou, Towards principled methods for training generative adversarial networks, ICLR 2017,
    arXiv:1701.04862.

    Examples
    --------
    >>> from isthmus.regularizers import Adversarial
    >>> Adversarial(weight=3.0)
    Adversarial(weight=3.0)
    """

    default_prior: ClassVar[type[Prior]] = Normal
    # The discriminator must follow the codes. Chosen from 1, 2 and 5 on two tables with two seeds each.
    learning_rate_factor: ClassVar[float] = 5.0

    def __init__(self, weight: float = 10.0, width: int = 64, noise: float = 0.3) -> None:
        super().__init__()
        self.weight = weight
        self.width = width
        self.noise = noise

    def build(self, shapes: Shapes, bottleneck: Bottleneck) -> None:
        """Check the parameters and create the discriminator."""
        super().build(shapes, bottleneck)
        self.require("width", is_count, "a positive integer")
        self.require("noise", lambda v: v >= 0, ">= 0")
        _check_range(shapes, bottleneck)
        first = nn.Linear(prod(shapes.z) + shapes.condition, self.width)
        second, last = nn.Linear(self.width, self.width), nn.Linear(self.width, 1)
        self.discriminator = nn.Sequential(first, nn.SiLU(), second, nn.SiLU(), last)

    def forward(self, step: Step) -> dict[str, Tensor]:
        """Return the two terms of each row, (n,)."""
        # A new draw of all components: bottlenecks such as ``Nested`` truncate z in training.
        z = step.bottleneck.draw(step.h, 1)[0][0]
        drawn = step.bottleneck.prior.sample(len(z), step.y).to(z).detach()
        codes, drawn = (self._make_input(rows, step.y) for rows in (z, drawn))
        fixed = {name: parameter.detach() for name, parameter in self.discriminator.named_parameters()}
        discriminator = softplus(-self.discriminator(drawn)) + softplus(self.discriminator(codes.detach()))
        adversarial = softplus(-functional_call(self.discriminator, fixed, (codes,)))
        return {"discriminator": discriminator[:, 0], "adversarial": self.weight * adversarial[:, 0]}

    def _make_input(self, z: Tensor, y: Tensor | None) -> Tensor:
        """Return the input of the discriminator: noisy latent variables and labels, (n, n_inputs)."""
        rows = z.flatten(1)
        rows = rows + self.noise * torch.randn_like(rows)
        return rows if y is None else torch.cat([rows, y.to(rows)], 1)


def _check_range(shapes: Shapes, bottleneck: Bottleneck) -> None:
    """Raise ``ValueError`` unless codes can have every value. All priors of an objective have a density everywhere."""
    z = torch.randn(16, *shapes.z)
    if not torch.equal(bottleneck.clamp(z), z):
        raise ValueError(
            f"regularizer Adversarial needs codes that can have every value, such as those of bottleneck="
            f"'deterministic' or 'gaussian'; codes of {bottleneck!r} cannot be distributed as a continuous prior"
        )
