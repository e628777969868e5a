"""Default batch size and number of epochs."""

import math

from isthmus.part import is_count

# Steps of the optimizer in a fit with max_epochs="auto". Chosen on MNIST, see benchmarks/mnist.py.
N_STEPS = 3_500
# Bounds of max_epochs="auto": the maximum limits the steps of small data sets, the minimum those of very large ones.
MAX_EPOCHS, MIN_EPOCHS = 200, 3


def choose_batch_size(batch_size: int | str, n_rows: int) -> int:
    """Resolve "auto" to a power of two: 16 for few rows, 256 from about 10,000 and up to 4,096 from 10 million rows."""
    if batch_size == "auto":
        size = max(min(256, max(16, n_rows // 40)), min(4096, n_rows // 2_500))
        return int(2 ** round(math.log2(size)))
    if not is_count(batch_size):
        raise ValueError(f'batch_size must be "auto" or a positive integer, got {batch_size!r}')
    return int(batch_size)


def choose_max_epochs(max_epochs: int | str, n_rows: int, batch_size: int) -> int:
    """Resolve "auto" to the number of epochs that has about ``N_STEPS`` steps, between 3 and 200."""
    if max_epochs == "auto":
        steps_per_epoch = math.ceil(n_rows / batch_size)
        return min(MAX_EPOCHS, max(MIN_EPOCHS, round(N_STEPS / steps_per_epoch)))
    if not is_count(max_epochs):
        raise ValueError(f'max_epochs must be "auto" or a positive integer, got {max_epochs!r}')
    return int(max_epochs)
