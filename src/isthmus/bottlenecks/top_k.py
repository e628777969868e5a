"""Sparse codes that keep the largest components."""

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.bottlenecks.base import Bottleneck, Latent
from isthmus.part import Shape, Shapes, is_count


class TopK(Bottleneck):
    """Keeps the ``k`` largest components of the code of each row, and sets the others to 0 [1, 2].

    Exactly ``k`` components are kept, also if some are equal. Negative components become 0. A row thus has ``k``
    positive components, or fewer if the encoder returns fewer positive values. No penalty shrinks the codes.

    A component that is 0 in all rows for many steps is dead: it gets no gradients. ``history_`` has the fraction of
    dead components as ``dead_share``, and ``isthmus.regularizers.AuxK`` revives them.

    Parameters
    ----------
    k : int, default=8
        Number of components that each row keeps, at most ``n_components``.
    dead_after : int, default=100
        Number of training steps after which a component that is 0 in all rows is dead. In [1] it is 10 million tokens,
        or 76 batches.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is not a positive integer, or ``k`` exceeds the number of components.

    References
    ----------
    [1] Gao et al., Scaling and evaluating sparse autoencoders, 2024, arXiv:2406.04093.
    [2] Makhzani and Frey, k-sparse autoencoders, 2013, arXiv:1312.5663.

    Examples
    --------
    >>> from isthmus.bottlenecks import TopK
    >>> TopK(k=4)
    TopK(k=4)
    """

    sums = ("active",)
    active: Tensor
    idle: Tensor

    def __init__(self, k: int = 8, dead_after: int = 100) -> None:
        super().__init__()
        self.k = k
        self.dead_after = dead_after

    def build(self, n_components: int, shapes: Shapes) -> tuple[Shape, Shape]:
        """Check the parameters and create the counters; return the shapes of h and z."""
        expected = f"a positive integer, at most n_components={n_components}"
        self.require("k", lambda v: is_count(v) and v <= n_components, expected)
        self.require("dead_after", is_count, "a positive integer")
        self.z_shape = (n_components,)
        # For each component of each net: rows of the batch in which it is positive, and steps since it was positive.
        self.register_buffer("active", torch.zeros(shapes.n_nets, n_components), persistent=False)
        self.register_buffer("idle", torch.zeros(shapes.n_nets, n_components, dtype=torch.int64))
        return self.z_shape, self.z_shape

    @property
    def dead(self) -> Tensor:
        """Whether each component of each net is dead, (n_nets, n_components)."""
        return self.idle >= self.dead_after

    def forward(self, h: Tensor, y: Tensor | None, progress: Tensor) -> Latent:
        """Return the code, without a cost, and count the rows in which each component is positive."""
        z = self.code_mean(h)
        if self.training:
            self.active = (z.detach() > 0).unflatten(0, (-1, len(self.idle))).sum(0).to(self.active)
        return Latent(z[None], {}, h.new_zeros(1, h.shape[0]), {"dead_share": self.dead.to(self.active).mean()})

    def after_step(self, progress: Tensor) -> None:
        """Count the steps since each component was positive."""
        self.idle.add_(1).mul_(self.active == 0)

    def code_mean(self, h: Tensor) -> Tensor:
        """Return the code."""
        return self.clamp(h)

    def clamp(self, z: Tensor) -> Tensor:
        """Keep the ``k`` largest components, and set negative ones to 0."""
        return F.keep_largest(z, self.k).relu()
