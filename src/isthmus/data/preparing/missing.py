"""Words that stand for a missing value."""

from collections.abc import Collection
from typing import Any

import pyarrow as pa
from pyarrow import compute

# Not "none", "unknown" and "-", which are as often values as marks of a missing one.
MISSING = ("", "?", "NA", "N/A", "n.a.", "#N/A", "<NA>", "NaN", "null", "--", ".")


def fold(words: Collection[str]) -> set[str]:
    """Return words in the form in which they are compared: without case and surrounding spaces."""
    return {word.strip().casefold() for word in words}


def is_missing(levels: Any, words: Collection[str]) -> Any:
    """Return for each text of a pyarrow array whether it is one of the words, whatever its case and outer spaces."""
    plain = compute.utf8_lower(compute.utf8_trim_whitespace(levels))
    return compute.is_in(plain, pa.array(sorted(fold(words)), pa.string()))
