"""Limits of the memory and time of ``load``: the header determines sizes of tensors, and may be damaged."""

from torch import Tensor

from isthmus.allocation import AllocationLimit

# Largest numbers of allocated values per stored value, and of operations per stored tensor. Building a model allocates
# up to 3 values per stored value and takes 17 operations per tensor, measured on all variants.
VALUES_FACTOR, OPERATIONS_FACTOR = 16, 256
# Numbers of values and operations that are allowed in addition for every file: 16 MiB of float32, and the operations of
# a few hundred layers.
VALUES, OPERATIONS = 2**22, 20_000


def limit_to_file(stored: dict[str, Tensor]) -> AllocationLimit:
    """Return a limit that raises ``ValueError`` if tensors are far larger than those in a file, ``stored``."""
    return AllocationLimit(
        VALUES + VALUES_FACTOR * sum(tensor.numel() for tensor in stored.values()),
        OPERATIONS + OPERATIONS_FACTOR * len(stored),
        ValueError("its header requires far more memory or operations than its tensors need"),
    )
