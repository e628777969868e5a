"""Bottlenecks: the code, and what it costs."""

from isthmus.bottlenecks.base import Bottleneck as Bottleneck
from isthmus.bottlenecks.base import Code as Code
from isthmus.bottlenecks.deterministic import Deterministic
from isthmus.bottlenecks.gaussian import Gaussian
from isthmus.bottlenecks.nested import Nested

__all__ = ["Deterministic", "Gaussian", "Nested"]
