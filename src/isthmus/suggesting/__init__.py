"""The choice of an estimator from the kind of data and the use: by rules, and by fits within a time."""

from isthmus.suggesting.leaderboard import Entry, Leaderboard
from isthmus.suggesting.rules import Choice
from isthmus.suggesting.suggestion import Suggestion, suggest
from isthmus.suggesting.traits import Traits

__all__ = ["Choice", "Entry", "Leaderboard", "Suggestion", "Traits", "suggest"]
