"""Codes whose first components do as much as they can."""

import torch
from sklearn.base import clone
from torch import Tensor

from isthmus.bottlenecks.base import Bottleneck, Code
from isthmus.bottlenecks.deterministic import Deterministic


class Nested(Bottleneck):
    """Another bottleneck's code, in training cut to its first components, so that every size is a code of its own.

    Each batch asks every size, from one component to all, of equally many rows. What is cut off is 0 for the decoder
    and costs nothing. Components come to stand in the order of their use, as those of PCA do, and one training tells
    the error of every size: ``isthmus.latent.suggest_n_components``. Outside training codes are whole.

    Parameters
    ----------
    bottleneck : Bottleneck or None, default=None
        Whose code is cut; None is the plain code.

    Raises
    ------
    ValueError
        At ``build``, if it is no bottleneck.

    References
    ----------
    Rippel, Gelbart and Adams, Learning ordered representations with nested dropout, ICML 2014, arXiv:1402.0915.

    Examples
    --------
    >>> from isthmus.bottlenecks import Gaussian, Nested
    >>> Nested(Gaussian(beta=4.0))
    Nested(bottleneck=Gaussian(beta=4.0))
    """

    sizes: Tensor

    def __init__(self, bottleneck: Bottleneck | None = None) -> None:
        super().__init__()
        self.bottleneck = bottleneck

    def build(self, n_components: int) -> tuple[int, int]:
        """Build the code that is cut; see the base class."""
        self.require("bottleneck", lambda v: v is None or isinstance(v, Bottleneck), "None or a bottleneck")
        # A clone: parameters are never built, and weights must not have two names.
        self.whole = Deterministic() if self.bottleneck is None else clone(self.bottleneck)
        self.stochastic = self.whole.stochastic
        self.register_buffer("sizes", torch.arange(1, n_components + 1), persistent=False)
        return self.whole.build(n_components)

    def forward(self, h: Tensor, draw: bool, progress: Tensor) -> Code:
        """Cut, but only where codes are drawn, which is in training; see the base class."""
        if not draw:
            return self.whole(h, draw, progress)
        kept = self._kept(len(h))
        # An encoder's output of 0 is the standard normal, which costs a Gaussian code nothing.
        cut = (h.unflatten(-1, (-1, len(self.sizes))) * kept[:, None]).flatten(1)
        code: Code = self.whole(cut, draw, progress)
        return code._replace(z=code.z * kept)

    def posterior(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Of the whole code; see the base class."""
        return self.whole.posterior(h)

    def weigh(self, h: Tensor, n_draws: int) -> tuple[Tensor, Tensor]:
        """Draw whole codes; see the base class."""
        return self.whole.weigh(h, n_draws)

    def settle(self, codes: Tensor) -> None:
        """Pass the codes on; see the base class."""
        self.whole.settle(codes)

    def sample(self, n: int, temperature: float) -> Tensor:
        """Draw whole codes; see the base class."""
        return self.whole.sample(n, temperature)

    def _kept(self, n: int) -> Tensor:
        """Which components each of ``n`` rows keeps: sizes in turn, from a random one on, as rows come shuffled."""
        n_sizes, device = len(self.sizes), self.sizes.device
        turn = torch.arange(n, device=device) + torch.randint(n_sizes, (), device=device)
        return self.sizes <= self.sizes[turn % n_sizes, None]
