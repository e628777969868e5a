"""isthmus: the toolkit for autoencoders, with scikit-learn's habits."""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus import distributed, doctor, hub, latent, metrics, tracking, tuning, zoo
    from isthmus.anomaly import AnomalyDetector, BaggedAutoencoders, ExemplarDistance, SlidingWindows
    from isthmus.autoencoder import Autoencoder
    from isthmus.decoder import Decoder
    from isthmus.exporting import export
    from isthmus.gap_filling import SeriesImputer
    from isthmus.persistence import load, save
    from isthmus.reporting import report
    from isthmus.suggesting import suggest
    from isthmus.training import Checkpoint

__version__ = "0.2.0"
__all__ = [
    "AnomalyDetector",
    "Autoencoder",
    "BaggedAutoencoders",
    "Checkpoint",
    "Decoder",
    "ExemplarDistance",
    "SeriesImputer",
    "SlidingWindows",
    "distributed",
    "doctor",
    "export",
    "hub",
    "latent",
    "load",
    "metrics",
    "report",
    "save",
    "suggest",
    "tracking",
    "tuning",
    "zoo",
]

# How often a thread of torch that waits for others looks for work before it sleeps; read when torch is imported. The
# default of GNU OpenMP keeps it busy for milliseconds, and takes the processor from the threads it waits for while
# other programs run: see docs/performance.md.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# The package of each public class and function.
_HOME = {
    "AnomalyDetector": "anomaly",
    "Autoencoder": "autoencoder",
    "BaggedAutoencoders": "anomaly",
    "Checkpoint": "training",
    "Decoder": "decoder",
    "ExemplarDistance": "anomaly",
    "SeriesImputer": "gap_filling",
    "SlidingWindows": "anomaly",
    "export": "exporting",
    "load": "persistence",
    "report": "reporting",
    "save": "persistence",
    "suggest": "suggesting",
}


def __getattr__(name: str) -> Any:
    """Import a public name at its first use: importing torch takes a second, and ``--help`` does not need it."""
    if name not in __all__:
        raise AttributeError(f"module 'isthmus' has no attribute {name!r}")
    module = import_module(f"isthmus.{_HOME.get(name, name)}")
    return getattr(module, name) if name in _HOME else module


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
