"""Save and load fitted estimators: one safetensors file with a JSON header, without pickle."""

from isthmus.persistence.saving import load, save

__all__ = ["load", "save"]
