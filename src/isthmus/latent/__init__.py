"""Exploration of the latent space of a fitted estimator, and choice of the size of a code.

Rows have the container of the training rows. ``y`` are labels for the decoder of a conditional model: one for all
rows, or one per returned row.
"""

from isthmus.latent.code_size import CodeSizes, suggest_n_components
from isthmus.latent.concepts import analogy, concept_vector, edit
from isthmus.latent.evolution import SearchResult, search
from isthmus.latent.interpolation import interpolate, traverse
from isthmus.latent.projection import active_units, map2d

__all__ = [
    "CodeSizes",
    "SearchResult",
    "active_units",
    "analogy",
    "concept_vector",
    "edit",
    "interpolate",
    "map2d",
    "search",
    "suggest_n_components",
    "traverse",
]
