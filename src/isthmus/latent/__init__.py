"""The latent space as a place to walk in: functions of a fitted estimator, and how wide a code should be.

Rows go in and come out in the container that ``fit`` saw. ``y`` are labels for the decoder of a conditional model: one,
or one a row that comes out.
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
