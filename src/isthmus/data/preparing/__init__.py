"""Tables made ready for a model, with a list of all that was done to them."""

from isthmus.data.preparing.findings import Finding
from isthmus.data.preparing.missing import MISSING
from isthmus.data.preparing.preparation import prepare
from isthmus.data.preparing.prepared import Prepared

__all__ = ["MISSING", "Finding", "Prepared", "prepare"]
