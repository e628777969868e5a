"""Training: the function ``train``, its settings and state, optimizers, checkpoints and groups of processes."""

from isthmus.training.callback import Callback, name_fit, start_callbacks
from isthmus.training.checkpoint import Checkpoint
from isthmus.training.group import SINGLE_PROCESS, Group
from isthmus.training.hardware import check_precision, choose_device
from isthmus.training.loop import DivergenceError, train
from isthmus.training.optimizers import make_optimizer
from isthmus.training.progress import show_progress
from isthmus.training.settings import TrainSettings
from isthmus.training.sizing import (
    choose_batch_size,
    choose_learning_rate,
    choose_max_epochs,
    choose_n_steps,
    choose_patience,
)
from isthmus.training.state import TrainState, copy_weights

__all__ = [
    "SINGLE_PROCESS",
    "Callback",
    "Checkpoint",
    "DivergenceError",
    "Group",
    "TrainSettings",
    "TrainState",
    "check_precision",
    "choose_batch_size",
    "choose_device",
    "choose_learning_rate",
    "choose_max_epochs",
    "choose_n_steps",
    "choose_patience",
    "copy_weights",
    "make_optimizer",
    "name_fit",
    "show_progress",
    "start_callbacks",
    "train",
]
