"""Codes whose first components do as much as they can."""

import torch
from sklearn.base import clone
from torch import Tensor

from isthmus.bottlenecks.base import Bottleneck, Latent, Wrapper
from isthmus.bottlenecks.deterministic import Deterministic
from isthmus.part import Shape, Shapes
from isthmus.priors import Prior


class Nested(Wrapper):
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

    def set_prior(self, prior: Prior) -> None:
        """Make the bottleneck that is cut, and pass the prior on; see the base class."""
        self.require("bottleneck", lambda v: v is None or isinstance(v, Bottleneck), "None or a bottleneck")
        # A clone: parameters are never built, and weights must not have two names.
        self.whole = Deterministic() if self.bottleneck is None else clone(self.bottleneck)
        super().set_prior(prior)

    def build(self, n_components: int, shapes: Shapes) -> tuple[Shape, Shape]:
        """Build the bottleneck that is cut; see the base class."""
        self.register_buffer("sizes", torch.arange(1, n_components + 1), persistent=False)
        return super().build(n_components, shapes)

    def forward(self, h: Tensor, y: Tensor | None, progress: Tensor) -> Latent:
        """Cut z; see the base class."""
        kept = self._sample_kept(len(h))
        # An encoder's output of 0 is the standard normal distribution, which costs a Gaussian code nothing.
        latent: Latent = self.whole(self.zero_rest(h, kept), y, progress)
        return latent._replace(z=self.zero_rest(latent.z, kept))

    def zero_rest(self, values: Tensor, kept: Tensor) -> Tensor:
        """Set what does not belong to kept components (n, n_components) to 0; components lie on the last axis.

        Parameters
        ----------
        values : Tensor of shape (..., n, *h_shape) or (..., n, *z_shape)
        kept : Tensor of shape (n, n_components) or (1, n_components), bool
        """
        return (values.unflatten(-1, (-1, len(self.sizes))) * kept[:, None]).flatten(-2)

    def _sample_kept(self, n: int) -> Tensor:
        """Return which components each of ``n`` rows keeps: sizes in turn from a random one, as rows are shuffled."""
        n_sizes, device = len(self.sizes), self.sizes.device
        turn = torch.arange(n, device=device) + torch.randint(n_sizes, (), device=device)
        return self.sizes <= self.sizes[turn % n_sizes, None]
