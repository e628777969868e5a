"""Many small nets, trained at once."""

from isthmus.ensemble.ensemble import Ensemble

__all__ = ["Ensemble"]
