"""The settings of a training, as plain values."""

import math
from dataclasses import dataclass

from isthmus.randomness import mix
from isthmus.training.schedules import resolve_schedule


@dataclass(frozen=True)
class TrainSettings:
    """Settings of ``train``. A checkpoint is resumed only under equal settings.

    Parameters
    ----------
    max_epochs : int
        Largest number of passes over the rows.
    batch_size : int
        Rows of a batch, of all processes together.
    learning_rate : float
        The maximum of the schedule.
    schedule : {"one_cycle", "constant"}, default="one_cycle"
    patience : int or None, default=None
        Number of epochs without a better validation bound before training stops. Only epochs in which the learning
        rate falls are counted. None never stops early.
    precision : {"auto", "float32", "float64", "bfloat16"}, default="auto"
    compile : bool, default=False
        Whether to compile the model with ``torch.compile``.
    open_ended : bool, default=False
        Whether more epochs may follow, as in ``partial_fit``. Then progress is always 1.
    seed : int, default=0
        Seed of all random numbers.

    Raises
    ------
    ValueError
        If no schedule has the given name.

    Examples
    --------
    >>> from isthmus.training import TrainSettings
    >>> settings = TrainSettings(max_epochs=10, batch_size=32, learning_rate=1e-3)
    >>> settings.n_steps(n_rows=100)
    40
    """

    max_epochs: int
    batch_size: int
    learning_rate: float
    schedule: str = "one_cycle"
    patience: int | None = None
    precision: str = "auto"
    compile: bool = False
    open_ended: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        resolve_schedule(self.schedule)

    def n_steps(self, n_rows: int) -> int:
        """Return the number of steps on some rows.

        Parameters
        ----------
        n_rows : int
            Number of rows.

        Returns
        -------
        int
            Number of steps of all epochs.
        """
        return self.max_epochs * math.ceil(n_rows / self.batch_size)

    def progress(self, epoch: int, step: int, n_rows: int) -> float:
        """Return the completed fraction of the training.

        Parameters
        ----------
        epoch : int
            Number of finished epochs.
        step : int
            Number of batches of this epoch that were read.
        n_rows : int
            Number of rows.

        Returns
        -------
        float
            Fraction in [0, 1].
        """
        n_batches = math.ceil(n_rows / self.batch_size)
        return 1.0 if self.open_ended else (epoch * n_batches + step) / self.n_steps(n_rows)

    def rate_at(self, progress: float) -> float:
        """Return the learning rate of parameters whose ``learning_rate_factor`` is 1.

        Parameters
        ----------
        progress : float
            Completed fraction of the training.

        Returns
        -------
        float
            The learning rate.
        """
        return float(self.learning_rate) * resolve_schedule(self.schedule).factor(progress)

    def anneals(self, n_epochs: int) -> bool:
        """Return whether the learning rate falls after this number of epochs.

        Parameters
        ----------
        n_epochs : int
            Number of finished epochs.

        Returns
        -------
        bool
            True if the schedule is in its falling part.
        """
        return n_epochs / self.max_epochs > resolve_schedule(self.schedule).anneals_from

    def order_seed(self, epoch: int) -> int:
        """Return the seed of the order of rows in an epoch, which is the same for all processes.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 0.

        Returns
        -------
        int
            The seed.
        """
        return mix(self.seed, epoch, 1)

    def noise_seed(self, epoch: int, rank: int) -> int:
        """Return the seed of corruption, dropout and sampled codes in an epoch, which differs between processes.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 0.
        rank : int
            Index of the process.

        Returns
        -------
        int
            The seed.
        """
        return mix(self.seed, epoch, *([2, rank] if rank else []))
