"""How long to train, and in what steps, when nobody says."""

import math

from isthmus.part import is_count

N_STEPS = 3_500
MAX_EPOCHS, MIN_EPOCHS = 200, 3


def choose_batch_size(batch_size: int | str, n_rows: int) -> int:
    """Turn "auto" into a power of two from 16 for a few rows to 256, and up to 4,096 for tens of millions."""
    if batch_size == "auto":
        usual = min(256, max(16, n_rows // 40))
        return int(2 ** round(math.log2(max(usual, min(4096, n_rows // 2_500)))))
    if not is_count(batch_size):
        raise ValueError(f'batch_size must be "auto" or a positive integer, got {batch_size!r}')
    return int(batch_size)


def choose_max_epochs(max_epochs: int | str, n_rows: int, batch_size: int) -> int:
    """Turn "auto" into as many epochs as make a few thousand steps: many for 200 rows, few for 10 million."""
    if max_epochs == "auto":
        steps_an_epoch = math.ceil(n_rows / batch_size)
        return min(MAX_EPOCHS, max(MIN_EPOCHS, round(N_STEPS / steps_an_epoch)))
    if not is_count(max_epochs):
        raise ValueError(f'max_epochs must be "auto" or a positive integer, got {max_epochs!r}')
    return int(max_epochs)
