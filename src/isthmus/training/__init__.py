"""Training: one function, and what it needs."""

from isthmus.training.callbacks import reporting
from isthmus.training.hardware import check_precision, choose_device
from isthmus.training.loop import Callback, TrainState, train, weights_of
from isthmus.training.optimizers import make_optimizer
from isthmus.training.sizing import choose_batch_size, choose_max_epochs

__all__ = [
    "Callback",
    "TrainState",
    "check_precision",
    "choose_batch_size",
    "choose_device",
    "choose_max_epochs",
    "make_optimizer",
    "reporting",
    "train",
    "weights_of",
]
