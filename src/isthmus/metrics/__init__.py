"""How good synthetic tables are, each figure beside that of a holdout; and results of imputed tables, pooled.

``series`` measures how good detectors are, ``generation``, how good generated samples are by any features.
"""

from isthmus.metrics.fidelity import column_fidelity, pair_fidelity
from isthmus.metrics.learning import Utility, detection_score, utility
from isthmus.metrics.pooling import PooledEstimate, pool_estimates
from isthmus.metrics.privacy import ClosestRecord, Comparison, closest_record
from isthmus.metrics.synthetic import SyntheticQuality, synthetic_quality

__all__ = [
    "ClosestRecord",
    "Comparison",
    "PooledEstimate",
    "SyntheticQuality",
    "Utility",
    "closest_record",
    "column_fidelity",
    "detection_score",
    "pair_fidelity",
    "pool_estimates",
    "synthetic_quality",
    "utility",
]
