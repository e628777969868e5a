"""Codes that are indices of vectors."""

import math

import torch
from torch import Tensor
from torch.compiler import is_compiling
from torch.nn.functional import normalize

from isthmus.bottlenecks.base import Bottleneck, Latent
from isthmus.part import Part, Shape, Shapes, is_count

# A vector is unused if its frequency is below this share of that of a frequent one. Chosen on scikit-learn's digits:
# with 0.2 to 0.5 the perplexity is above 0.9 of the number of vectors, at equal errors. Without moves it is 0.77, and
# 0.26 with vectors of 8 numbers.
UNUSED = 0.25
TINY = torch.finfo(torch.float32).tiny


class Codebook(Part):
    """Vectors that follow the means of the encoder outputs assigned to them: k-means on batches.

    A rarely used vector is moved next to a frequently used one, and the two then share the outputs of the latter. Moves
    depend only on sums over outputs, so that several processes make the same moves.

    Parameters
    ----------
    n_codes, width, decay
        See ``VectorQuantized``.
    """

    sums = ("batch",)
    vectors: Tensor
    frequency: Tensor
    batch: Tensor

    def __init__(self, n_codes: int = 64, width: int = 4, decay: float = 0.99) -> None:
        super().__init__()
        self.n_codes = n_codes
        self.width = width
        self.decay = decay

    def build(self) -> None:
        """Make random vectors; the first batches move them to the encoder outputs."""
        self.register_buffer("vectors", torch.randn(self.n_codes, self.width))
        self.register_buffer("frequency", torch.zeros(self.n_codes))
        # For each vector, sums over its outputs: differences from it, squared distances, and their number.
        self.register_buffer("batch", torch.zeros(self.n_codes, self.width + 2), persistent=False)

    def nearest(self, outputs: Tensor) -> Tensor:
        """Return the index of the nearest vector of outputs (..., width); the first of several at equal distance."""
        # Products of matrices are faster, but their rounding depends on the number of rows.
        return torch.cdist(outputs, self.vectors, compute_mode="donot_use_mm_for_euclid_dist").argmin(-1)

    def check(self, code: Tensor) -> None:
        """Raise ``ValueError`` unless all numbers are indices; exported programs cannot."""
        wrong = code[(code != code.round()) | (code < 0) | (code >= self.n_codes)] if not is_compiling() else code[:0]
        if wrong.numel():
            expected = f"whole numbers from 0 to {self.n_codes - 1}, as they are indices of {self.n_codes} vectors"
            raise ValueError(f"codes of VectorQuantized must be {expected}, got {float(wrong[0]):g}")

    def count(self, index: Tensor, differences: Tensor, squares: Tensor, kept: Tensor) -> None:
        """Add up, for each vector, differences (n, width), squared distances (n,) and numbers of outputs that count."""
        each = torch.cat([differences, squares[:, None], kept[:, None]], 1).detach()
        self.batch = torch.zeros_like(self.batch).index_add_(0, index, each)

    def after_step(self, step: int, progress: float) -> None:
        """Move the vectors; see the base class."""
        sums, squares, counts = self.batch.split([self.width, 1, 1], 1)
        self.frequency.lerp_(counts[:, 0], 1 - self.decay)
        self.vectors += (1 - self.decay) * sums / self.frequency.clamp(min=TINY)[:, None]
        counts = counts.clamp(min=1)
        variance = squares / counts - (sums / counts).square().sum(1, keepdim=True)
        self._move_unused((variance.clamp(min=0) / self.width).sqrt())

    def _move_unused(self, scale: Tensor) -> None:
        """Move pairs of an unused and a frequent vector to a standard deviation (n_codes, 1) around the frequent one.

        The least frequent is paired with the most frequent, and so on [2]; a pair shares the frequency.
        """
        order, n_pairs = self.frequency.argsort(descending=True, stable=True), self.n_codes // 2
        much, little = order[:n_pairs], order.flip(0)[:n_pairs]
        moves = self.frequency[little] < UNUSED * self.frequency[much]
        half, center = self.frequency[much] / 2, self.vectors[much]
        shift = scale[much] * normalize(self.vectors[little] - center)
        for index, vectors in ((much, center - shift), (little, center + shift)):
            self.frequency[index] = torch.where(moves, half, self.frequency[index])
            self.vectors[index] = torch.where(moves[:, None], vectors, self.vectors[index])

    @property
    def perplexity(self) -> Tensor:
        """Exponential of the entropy of the frequencies: the number of vectors in use."""
        shares = self.frequency / self.frequency.sum().clamp(min=TINY)
        return torch.special.entr(shares).sum().exp()


class VectorQuantized(Bottleneck):
    """Code of indices of a learned codebook: the bottleneck of the VQ-VAE [1].

    Each component is the index of the codebook vector nearest to what the encoder returns, and the decoder reads this
    vector. Gradients pass the codebook unchanged. Each codebook vector follows the mean of the outputs that it stands
    for, as in k-means, and an unused one is moved beside a frequent one, to share its outputs [2]. An output of zeros,
    as for components that ``Nested`` cuts, costs nothing and moves no vector.

    Parameters
    ----------
    n_codes : int, default=64
        Vectors of the codebook, which all components share; an index takes log(n_codes) nats to store.
    width : int, default=4
        Numbers of a vector.
    commitment : float, default=0.25
        Cost in nats of a squared distance of 1 between an output of the encoder and its codebook vector.
    decay : float, default=0.99
        Weight of all earlier batches, against the newest one, in the means that codebook vectors follow.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of its range; where codes are decoded, if a number is not an index.

    References
    ----------
    [1] van den Oord, Vinyals and Kavukcuoglu, Neural discrete representation learning, NeurIPS 2017, arXiv:1711.00937.
    [2] Linde, Buzo and Gray, An algorithm for vector quantizer design, IEEE Transactions on Communications 28, 1980.

    Examples
    --------
    >>> from isthmus.bottlenecks import VectorQuantized
    >>> VectorQuantized(n_codes=256)
    VectorQuantized(n_codes=256)
    """

    def __init__(self, n_codes: int = 64, width: int = 4, commitment: float = 0.25, decay: float = 0.99) -> None:
        super().__init__()
        self.n_codes = n_codes
        self.width = width
        self.commitment = commitment
        self.decay = decay

    def build(self, n_components: int, shapes: Shapes) -> tuple[Shape, Shape]:
        """Check the parameters and make the codebook; see the base class."""
        self.require("n_codes", is_count, "a positive integer")
        self.require("width", is_count, "a positive integer")
        self.require("commitment", lambda v: 0 <= v < math.inf, ">= 0")
        self.require("decay", lambda v: 0 <= v < 1, "in [0, 1)")
        self.codebook = Codebook(self.n_codes, self.width, self.decay)
        self.codebook.build()
        self.z_shape = (self.width * n_components,)
        self.log_n_values = n_components * math.log(self.n_codes)
        return self.z_shape, self.z_shape

    def forward(self, h: Tensor, y: Tensor | None, progress: Tensor) -> Latent:
        """Return codebook vectors, and the cost of the distances to them; see the base class."""
        outputs = self._vectors(h).flatten(0, 1)
        index, kept = self.codebook.nearest(outputs), outputs.any(-1)
        differences = outputs - self.codebook.vectors[index]
        squares = differences.square().sum(-1) * kept
        if self.training:
            self.codebook.count(index, differences * kept[:, None], squares, kept)
        cost = self.commitment * squares.view(len(h), -1).sum(-1)[None]
        z, metrics = self.code_mean(h)[None], {"perplexity": self.codebook.perplexity}
        return Latent(z, {"commitment": cost}, h.new_zeros(1, len(h)), metrics)

    def code_mean(self, h: Tensor) -> Tensor:
        """Return the nearest codebook vectors, with the gradient of h; see the base class."""
        return self.clamp(h) + (h - h.detach())

    @property
    def code_size(self) -> int:
        """Number of indices of a row."""
        return self.z_shape[0] // self.width

    def to_code(self, z: Tensor) -> Tensor:
        """Return the indices of the nearest codebook vectors; see the base class."""
        return self.codebook.nearest(self._vectors(z)).to(z)

    def from_code(self, code: Tensor) -> Tensor:
        """Return the codebook vectors of indices; see the base class."""
        self.codebook.check(code)
        return self.codebook.vectors[code.long()].mT.flatten(1)

    def clamp(self, z: Tensor) -> Tensor:
        """Return the nearest codebook vectors; see the base class."""
        return self.codebook.vectors[self.codebook.nearest(self._vectors(z))].mT.flatten(1)

    def _vectors(self, values: Tensor) -> Tensor:
        """Turn h or z, whose last axis is that of components, into vectors (n, code_size, width)."""
        return values.to(self.codebook.vectors).unflatten(1, (self.width, -1)).mT
