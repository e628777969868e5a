"""isthmus: the toolkit for autoencoders, with scikit-learn's habits."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isthmus import distributed, doctor, latent, metrics, zoo
    from isthmus.autoencoder import Autoencoder
    from isthmus.decoder import Decoder
    from isthmus.detector import AnomalyDetector
    from isthmus.ensemble import Ensemble
    from isthmus.persistence import load, save
    from isthmus.proximity import Proximity
    from isthmus.sliding import SeriesImputer, Sliding
    from isthmus.training import Checkpoint

__version__ = "0.1.0"
__all__ = [
    "AnomalyDetector",
    "Autoencoder",
    "Checkpoint",
    "Decoder",
    "Ensemble",
    "Proximity",
    "SeriesImputer",
    "Sliding",
    "distributed",
    "doctor",
    "latent",
    "load",
    "metrics",
    "save",
    "zoo",
]

_HOME = {
    "AnomalyDetector": "detector",
    "Autoencoder": "autoencoder",
    "Checkpoint": "training",
    "Decoder": "decoder",
    "Ensemble": "ensemble",
    "Proximity": "proximity",
    "SeriesImputer": "sliding",
    "Sliding": "sliding",
    "load": "persistence",
    "save": "persistence",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for: torch takes a second, and ``--help`` does not need it."""
    if name not in __all__:
        raise AttributeError(f"module 'isthmus' has no attribute {name!r}")
    module = import_module(f"isthmus.{_HOME.get(name, name)}")
    return getattr(module, name) if name in _HOME else module


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
