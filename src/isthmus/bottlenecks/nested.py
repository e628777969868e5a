"""Codes with components ordered by importance."""

import torch
from sklearn.base import clone
from torch import Tensor

from isthmus.bottlenecks.base import Bottleneck, Latent, Wrapper
from isthmus.bottlenecks.deterministic import Deterministic
from isthmus.part import Shape, Shapes
from isthmus.priors import Normal, Prior


class Nested(Wrapper):
    """Nested dropout: truncates the codes of another bottleneck to their first components in training.

    Each batch uses every size, from one component to all, for equally many rows. Dropped components are 0 for the
    decoder and have no cost. Components are thus ordered by importance as in PCA, and one training gives the error
    of every size (``isthmus.latent.suggest_n_components``). Outside training, all components are used.

    A component can be dropped without a cost if the prior of the objective has independent components.

    Parameters
    ----------
    bottleneck : Bottleneck or None, default=None
        Bottleneck whose codes are truncated; None is ``Deterministic()``.

    Raises
    ------
    ValueError
        At ``build``, if ``bottleneck`` is not a bottleneck, or if the prior of the objective is not the standard normal
        distribution, as with ``Vamp`` and ``Ladder``.

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
        """Clone the bottleneck and set the prior of the clone."""
        self.require("bottleneck", lambda v: v is None or isinstance(v, Bottleneck), "None or a bottleneck")
        # Parameters of a part are never built, and weights must not be registered under two names.
        self.inner = Deterministic() if self.bottleneck is None else clone(self.bottleneck)
        super().set_prior(prior)
        if not isinstance(self.prior, Normal):
            raise ValueError(
                "Nested cuts components, which have no cost under prior='normal' or one that is fitted after training; "
                f"got bottleneck {self.inner!r} with prior {self.prior!r}, whose components depend on each other"
            )

    def build(self, n_components: int, shapes: Shapes) -> tuple[Shape, Shape]:
        """Build the wrapped bottleneck; return the shapes of h and z."""
        self.register_buffer("sizes", torch.arange(1, n_components + 1), persistent=False)
        return super().build(n_components, shapes)

    def forward(self, h: Tensor, y: Tensor | None, progress: Tensor) -> Latent:
        """Truncate z to its first components."""
        kept = self._sample_kept(len(h))
        # For ``Gaussian``, an encoder output of 0 is the standard normal distribution, whose divergence is 0.
        latent: Latent = self.inner(self.truncate(h, kept), y, progress)
        return latent._replace(z=self.truncate(latent.z, kept))

    def truncate(self, values: Tensor, kept: Tensor) -> Tensor:
        """Set the components on the last axis to 0 if they are not kept.

        Parameters
        ----------
        values : Tensor of shape (..., n, *h_shape) or (..., n, *z_shape)
            Values of codes or of what codes are computed from.
        kept : Tensor of shape (n, n_components) or (1, n_components), bool
            Components to keep.

        Returns
        -------
        Tensor of the shape of ``values``
            The truncated values.
        """
        return (values.unflatten(-1, (-1, len(self.sizes))) * kept[:, None]).flatten(-2)

    def _sample_kept(self, n: int) -> Tensor:
        """Return the mask of kept components (n, n_components): consecutive sizes, from a random first size.

        Rows of a batch are in random order, so the order of the sizes has no effect.
        """
        n_sizes, device = len(self.sizes), self.sizes.device
        index = torch.arange(n, device=device) + torch.randint(n_sizes, (), device=device)
        return self.sizes <= self.sizes[index % n_sizes, None]
