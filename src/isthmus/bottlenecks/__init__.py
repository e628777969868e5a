"""Bottlenecks, which compute latent variables and their cost."""

from isthmus.bottlenecks.base import Bottleneck as Bottleneck
from isthmus.bottlenecks.base import Latent as Latent
from isthmus.bottlenecks.base import NormalPosterior as NormalPosterior
from isthmus.bottlenecks.base import Wrapper as Wrapper
from isthmus.bottlenecks.deterministic import Deterministic
from isthmus.bottlenecks.gaussian import Gaussian
from isthmus.bottlenecks.ladder import Ladder
from isthmus.bottlenecks.nested import Nested
from isthmus.bottlenecks.top_k import TopK
from isthmus.bottlenecks.vector_quantized import VectorQuantized

__all__ = ["Deterministic", "Gaussian", "Ladder", "Nested", "TopK", "VectorQuantized"]
