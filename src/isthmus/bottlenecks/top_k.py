"""Sparse codes by selection."""

import torch
from torch import Tensor

from isthmus import functional as F
from isthmus.bottlenecks.base import Bottleneck, Latent
from isthmus.part import Shape, Shapes, is_count


class TopK(Bottleneck):
    """Code of which each row keeps the ``k`` largest components; the others are 0 [1, 2].

    Of equal components exactly as many are kept as there is room for. A kept component below 0 becomes 0, so that codes
    are never negative: ``k`` of them are above 0 where the encoder returns at least ``k`` positive numbers, and fewer
    elsewhere. No penalty is needed, and none shrinks the codes.

    A component that is 0 in all rows for many steps is dead: it gets no gradients. The history says how many are, as
    ``dead_share``, and ``isthmus.regularizers.AuxK`` revives them.

    Parameters
    ----------
    k : int, default=8
        Components that a row keeps, at most all of them.
    dead_after : int, default=100
        Steps of training after which a component that stayed 0 in all rows is dead. In [1] it is 10 million tokens, 76
        batches.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is no positive integer, or ``k`` exceeds the number of components.

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
        """Check the parameters and make the counters; see the base class."""
        expected = f"a positive integer, at most n_components={n_components}"
        self.require("k", lambda v: is_count(v) and v <= n_components, expected)
        self.require("dead_after", is_count, "a positive integer")
        self.z_shape = (n_components,)
        # Of each net's components: rows of the batch that they are above 0 in, and steps since there was one.
        self.register_buffer("active", torch.zeros(shapes.n_nets, n_components), persistent=False)
        self.register_buffer("idle", torch.zeros(shapes.n_nets, n_components, dtype=torch.int64))
        return self.z_shape, self.z_shape

    @property
    def dead(self) -> Tensor:
        """Whether each component of each net is dead, (n_nets, n_components)."""
        return self.idle >= self.dead_after

    def forward(self, h: Tensor, y: Tensor | None, progress: Tensor) -> Latent:
        """Return the code, which costs nothing, and count where it is above 0; see the base class."""
        z = self.code_mean(h)
        if self.training:
            self.active = (z.detach() > 0).unflatten(0, (-1, len(self.idle))).sum(0).to(self.active)
        return Latent(z[None], {}, h.new_zeros(1, len(h)), {"dead_share": self.dead.to(self.active).mean()})

    def after_step(self, step: int, progress: float) -> None:
        """Count a step of those that no row needed; see the base class."""
        self.idle.add_(1).mul_(self.active == 0)

    def code_mean(self, h: Tensor) -> Tensor:
        """Return the code; see the base class."""
        return self.clamp(h)

    def clamp(self, z: Tensor) -> Tensor:
        """Keep the largest components, at least 0; see the base class."""
        return F.keep_largest(z, self.k).relu()
