"""Preparing tables for a model, with a report of all that was changed."""

from isthmus.data.parsing.missing_words import MISSING
from isthmus.preparing.options import Options
from isthmus.preparing.preparation import prepare
from isthmus.preparing.prepared import Prepared

__all__ = ["MISSING", "Options", "Prepared", "prepare"]
