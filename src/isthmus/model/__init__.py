"""The model: all parts, connected in one torch module."""

from isthmus.model.model import Model as Model
