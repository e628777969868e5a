"""How good synthetic tables are, each figure beside that of a holdout; and results of imputed tables, pooled.

``series`` measures how good detectors are, ``generation``, how good generated samples are by any features.
"""

from isthmus.metrics.fidelity import column_fidelity, pair_fidelity
from isthmus.metrics.learning import Utility, detection_score, utility
from isthmus.metrics.pooling import Pooled, pool_estimates
from isthmus.metrics.privacy import ClosestRecord, Figure, closest_record
from isthmus.metrics.synthetic import Quality, synthetic_quality

__all__ = [
    "ClosestRecord",
    "Figure",
    "Pooled",
    "Quality",
    "Utility",
    "closest_record",
    "column_fidelity",
    "detection_score",
    "pair_fidelity",
    "pool_estimates",
    "synthetic_quality",
    "utility",
]
