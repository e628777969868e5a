"""Tables made ready for a model, with a list of all that was done to them."""

from isthmus.data.parsing.missing_words import MISSING
from isthmus.preparing.findings import Finding
from isthmus.preparing.preparation import prepare
from isthmus.preparing.prepared import Prepared

__all__ = ["MISSING", "Finding", "Prepared", "prepare"]
