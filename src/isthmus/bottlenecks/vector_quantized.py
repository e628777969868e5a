"""Discrete codes: indices of the vectors of a codebook."""

import math

import torch
from torch import Tensor
from torch.compiler import is_compiling
from torch.nn.functional import normalize

from isthmus.bottlenecks.base import Bottleneck, Latent
from isthmus.part import Part, Shape, Shapes, is_count

# Ratio of the frequencies of a rare and a frequent vector below which the rare one is moved. Chosen on scikit-learn's
# digits: from 0.2 to 0.5, the perplexity exceeds 0.9 times the number of vectors, and errors are equal. Without moves
# it is 0.77 times this number, or 0.26 times with vectors of length 8.
MIN_FREQUENCY_RATIO = 0.25
# Smallest positive normal number of float32, as a lower limit of divisors.
TINY = torch.finfo(torch.float32).tiny


class Codebook(Part):
    """Vectors that follow the means of the encoder outputs assigned to them: mini-batch k-means.

    A rarely used vector is moved next to a frequently used one, and takes over some of its outputs. Moves depend only
    on sums over outputs, so that several processes make the same moves.

    Parameters
    ----------
    n_codes, width, decay
        See ``VectorQuantized``.
    """

    sums = ("batch_sums",)
    vectors: Tensor
    frequency: Tensor
    batch_sums: Tensor

    def __init__(self, n_codes: int = 64, width: int = 4, decay: float = 0.99) -> None:
        super().__init__()
        self.n_codes = n_codes
        self.width = width
        self.decay = decay

    def build(self) -> None:
        """Create random vectors; the first batches move them to the encoder outputs."""
        self.register_buffer("vectors", torch.randn(self.n_codes, self.width))
        self.register_buffer("frequency", torch.zeros(self.n_codes))
        # For each vector, sums over the outputs assigned to it: differences from it, squared distances, and counts.
        self.register_buffer("batch_sums", torch.zeros(self.n_codes, self.width + 2), persistent=False)

    def nearest(self, outputs: Tensor) -> Tensor:
        """Return the index of the vector nearest to each output (..., width); with equal distances, the first index."""
        # Products of matrices are faster, but their rounding depends on the number of rows.
        return torch.cdist(outputs, self.vectors, compute_mode="donot_use_mm_for_euclid_dist").argmin(-1)

    def check(self, code: Tensor) -> None:
        """Raise ``ValueError`` unless all numbers are indices; exported programs do not check."""
        wrong = code[(code != code.round()) | (code < 0) | (code >= self.n_codes)] if not is_compiling() else code[:0]
        if wrong.numel():
            expected = f"integers from 0 to {self.n_codes - 1}, the indices of {self.n_codes} vectors"
            raise ValueError(f"codes of VectorQuantized must be {expected}, got {float(wrong[0]):g}")

    def count(self, index: Tensor, differences: Tensor, squares: Tensor, kept: Tensor) -> None:
        """Sum differences (n, width), squared distances (n,) and ``kept`` (n,) over the outputs of each vector."""
        each = torch.cat([differences, squares[:, None], kept[:, None]], 1).detach()
        # A product, because ``index_add_`` adds in a random order on CUDA.
        chosen = torch.arange(self.n_codes, device=index.device)[:, None] == index
        with torch.autocast(each.device.type, enabled=False):
            self.batch_sums = chosen.to(each) @ each

    def after_step(self, progress: Tensor) -> None:
        """Update frequencies and vectors by the sums of the batch, and move rare vectors."""
        sums, squares, counts = self.batch_sums.split([self.width, 1, 1], 1)
        self.frequency.lerp_(counts[:, 0], 1 - self.decay)
        self.vectors += (1 - self.decay) * sums / self.frequency.clamp(min=TINY)[:, None]
        counts = counts.clamp(min=1)
        variance = squares / counts - (sums / counts).square().sum(1, keepdim=True)
        self._move_rare((variance.clamp(min=0) / self.width).sqrt())

    def _move_rare(self, scale: Tensor) -> None:
        """Move each rare vector next to a frequent one; both get half of the frequency [2].

        The rarest vector is paired with the most frequent one, and so on. A pair is placed around the frequent vector,
        on both sides at one standard deviation ``scale`` (n_codes, 1) of its outputs.
        """
        order, n_pairs = self.frequency.argsort(descending=True, stable=True), self.n_codes // 2
        frequent, rare = order[:n_pairs], order.flip(0)[:n_pairs]
        moves = self.frequency[rare] < MIN_FREQUENCY_RATIO * self.frequency[frequent]
        half, center = self.frequency[frequent] / 2, self.vectors[frequent]
        shift = scale[frequent] * normalize(self.vectors[rare] - center)
        for index, vectors in ((frequent, center - shift), (rare, center + shift)):
            self.frequency[index] = torch.where(moves, half, self.frequency[index])
            self.vectors[index] = torch.where(moves[:, None], vectors, self.vectors[index])

    @property
    def perplexity(self) -> Tensor:
        """Exponential of the entropy of the frequencies: the effective number of vectors in use."""
        shares = self.frequency / self.frequency.sum().clamp(min=TINY)
        return torch.special.entr(shares).sum().exp()


class VectorQuantized(Bottleneck):
    """Encodes rows as indices of the vectors of a learned codebook: the bottleneck of the VQ-VAE [1].

    Each component is the index of the codebook vector nearest to an output of the encoder. The decoder reads this
    vector, and its gradient is copied to the output of the encoder (straight-through). Each vector follows the mean of
    the outputs assigned to it, as in k-means. A rare vector is moved next to a frequent one, and takes over some of its
    outputs [2]. Outputs that are 0, to which ``Nested`` sets dropped components, have no cost and move no vector.

    Parameters
    ----------
    n_codes : int, default=64
        Number of vectors of the codebook, which all components share. An index contains log(n_codes) nats.
    width : int, default=4
        Length of a vector.
    commitment : float, default=0.25
        Cost in nats of a squared distance of 1 between an output of the encoder and its codebook vector.
    decay : float, default=0.99
        Decay of the moving averages that vectors and frequencies follow: the weight of all earlier batches.

    Raises
    ------
    ValueError
        At ``build``, if a parameter is out of range; when codes are decoded, if a number is not an index.

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
        """Check the parameters and create the codebook; return the shapes of h and z."""
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
        """Return the nearest codebook vectors, and the cost of the distances to them."""
        outputs = self._vectors(h).flatten(0, 1)
        index, kept = self.codebook.nearest(outputs), outputs.any(-1)
        differences = outputs - self.codebook.vectors[index]
        squares = differences.square().sum(-1) * kept
        if self.training:
            self.codebook.count(index, differences * kept[:, None], squares, kept)
        cost = self.commitment * squares.view(h.shape[0], -1).sum(-1)[None]
        z, metrics = self.code_mean(h)[None], {"perplexity": self.codebook.perplexity}
        return Latent(z, {"commitment": cost}, h.new_zeros(1, h.shape[0]), metrics)

    def code_mean(self, h: Tensor) -> Tensor:
        """Return the nearest codebook vectors, (n, *z_shape), with the gradient of h."""
        return self.clamp(h) + (h - h.detach())

    @property
    def code_size(self) -> int:
        """Number of indices per row."""
        return self.z_shape[0] // self.width

    def to_code(self, z: Tensor) -> Tensor:
        """Map z (n, *z_shape) to the indices of the nearest codebook vectors, (n, code_size)."""
        return self.codebook.nearest(self._vectors(z)).to(z)

    def from_code(self, code: Tensor) -> Tensor:
        """Map indices (n, code_size) to codebook vectors, (n, *z_shape)."""
        self.codebook.check(code)
        return self.codebook.vectors[code.long()].mT.flatten(1)

    def clamp(self, z: Tensor) -> Tensor:
        """Return the nearest codebook vectors."""
        return self.codebook.vectors[self.codebook.nearest(self._vectors(z))].mT.flatten(1)

    def _vectors(self, values: Tensor) -> Tensor:
        """Reshape h or z to vectors (n, code_size, width). The index of the component varies fastest in h and z."""
        return values.to(self.codebook.vectors).unflatten(1, (self.width, -1)).mT
