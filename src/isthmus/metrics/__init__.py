"""Quality of synthetic tables, compared with held-out rows, and pooling of estimates from imputed tables.

``series`` measures detectors of anomalies in series, ``generation`` generated samples by their features, ``topics``
topic models.
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
