"""The latent space as a place to walk in: functions of a fitted estimator, and how wide a code should be.

Rows go in and come out in the container that ``fit`` saw. ``y`` are labels for the decoder of a conditional model: one,
or one a row that comes out.
"""

from isthmus.latent.concepts import analogy, concept_vector, edit
from isthmus.latent.maps import active_units, map2d
from isthmus.latent.searching import SearchResult, search
from isthmus.latent.sizes import Sizes, suggest_n_components
from isthmus.latent.walks import interpolate, traverse

__all__ = [
    "SearchResult",
    "Sizes",
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
