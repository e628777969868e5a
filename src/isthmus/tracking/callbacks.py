"""Callbacks that send parameters and the figures of each epoch to tools that track experiments."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from isthmus.errors import require_path
from isthmus.tracking.mlflow_models import import_mlflow
from isthmus.training import Callback, TrainState

# Parameters that are no settings of a training.
LEFT_OUT = ("callbacks", "verbose")


class TensorBoard(Callback):
    """Writes the figures of each epoch for TensorBoard.

    ``tensorboard --logdir runs`` shows the curves of all fits in subfolders of ``runs``.

    Parameters
    ----------
    log_dir : str or path
        Folder of this fit. Estimators that fit several times, such as detectors, use a subfolder for each fit.

    Raises
    ------
    ImportError
        In ``fit``, without tensorboard.

    Examples
    --------
    >>> from isthmus import Autoencoder
    >>> from isthmus.tracking import TensorBoard
    >>> Autoencoder(8, callbacks=[TensorBoard("runs/first")]).fit(X)  # doctest: +SKIP
    """

    _writer: Any = None

    def __init__(self, log_dir: str | os.PathLike[str]) -> None:
        require_path("TensorBoard.log_dir", log_dir)
        self.log_dir = log_dir

    def start(self, params: Mapping[str, Any]) -> None:
        """Open the file, and write the parameters as a table."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError('TensorBoard needs tensorboard: pip install "isthmus[tensorboard]"') from error
        self._writer = SummaryWriter(str(self.log_dir))
        rows = [f"| {name} | {value} |" for name, value in _plain(params).items()]
        self._writer.add_text("parameters", "\n".join(["| parameter | value |", "| --- | --- |", *rows]))

    def __call__(self, state: TrainState) -> None:
        """Write the figures of an epoch."""
        if self._writer is not None:
            for name, value in _figures(state).items():
                self._writer.add_scalar(name, value, state.epoch)

    def end(self, error: BaseException | None) -> None:
        """Close the file."""
        self._writer.close()
        self._writer = None

    def for_fit(self, name: str) -> Self:
        """Return a callback that writes to a subfolder."""
        return type(self)(Path(self.log_dir) / name)


class MLflow(Callback):
    """Logs parameters and the figures of each epoch to the active run of MLflow, or to a run of its own.

    A run of its own ends with the training: as finished, as failed after an error, or as killed after Ctrl-C.

    Parameters
    ----------
    run_name : str or None, default=None
        Name of a run of its own. Estimators that fit several times, such as detectors, log each fit to a child run.
    nested : bool, default=False
        Whether to log to a child run if there is an active run.

    Raises
    ------
    ImportError
        In ``fit``, without mlflow.

    Examples
    --------
    >>> from isthmus import Autoencoder
    >>> from isthmus.tracking import MLflow, log_model
    >>> with mlflow.start_run():  # doctest: +SKIP
    ...     model = Autoencoder(8, callbacks=[MLflow()]).fit(X)
    ...     log_model(model, input_example=X[:5])
    """

    _run_id: str | None = None
    _is_own = False

    def __init__(self, run_name: str | None = None, nested: bool = False) -> None:
        self.run_name, self.nested = run_name, nested

    def start(self, params: Mapping[str, Any]) -> None:
        """Start a run if there is none, and log the parameters."""
        mlflow = import_mlflow()
        active = mlflow.active_run()
        self._is_own = self.nested or active is None
        run = mlflow.start_run(run_name=self.run_name, nested=self.nested) if self._is_own else active
        self._run_id = run.info.run_id
        mlflow.log_params(_plain(params))

    def __call__(self, state: TrainState) -> None:
        """Log the figures of an epoch."""
        if self._run_id is not None:
            import_mlflow().log_metrics(_figures(state), step=state.epoch, run_id=self._run_id)

    def end(self, error: BaseException | None) -> None:
        """End a run of its own."""
        if self._is_own:
            failed = "KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED"
            import_mlflow().end_run("FINISHED" if error is None else failed)
        self._run_id = None

    def for_fit(self, name: str) -> Self:
        """Return a callback that logs to a child run of this name."""
        return type(self)(name, nested=True)


class WeightsAndBiases(Callback):
    """Logs parameters and the figures of each epoch to the active run of Weights & Biases, or to a run of its own.

    Parameters
    ----------
    project : str or None, default=None
        Project of a run of its own.
    **options
        Other arguments of ``wandb.init``, such as ``name`` and ``mode="offline"``.

    Raises
    ------
    ImportError
        In ``fit``, without wandb.

    Examples
    --------
    >>> from isthmus import Autoencoder
    >>> from isthmus.tracking import WeightsAndBiases
    >>> Autoencoder(8, callbacks=[WeightsAndBiases("digits")]).fit(X)  # doctest: +SKIP
    """

    _run: Any = None
    _is_own = False

    def __init__(self, project: str | None = None, **options: Any) -> None:
        self.project, self.options = project, options

    def start(self, params: Mapping[str, Any]) -> None:
        """Start a run if there is none, and log the parameters as its configuration."""
        try:
            import wandb
        except ImportError as error:
            raise ImportError("WeightsAndBiases needs wandb: pip install wandb") from error
        self._is_own = wandb.run is None
        self._run = wandb.init(project=self.project, **self.options) if self._is_own else wandb.run
        self._run.config.update(_plain(params), allow_val_change=True)

    def __call__(self, state: TrainState) -> None:
        """Log the figures of an epoch, with its number as "epoch"."""
        if self._run is not None:
            self._run.log({"epoch": state.epoch, **_figures(state)})

    def end(self, error: BaseException | None) -> None:
        """End a run of its own; exit code 1 marks it as failed."""
        if self._is_own:
            self._run.finish(exit_code=int(error is not None))
        self._run = None

    def for_fit(self, name: str) -> Self:
        """Return a callback whose own run has this name."""
        return type(self)(self.project, **{**self.options, "name": name})


def _figures(state: TrainState) -> dict[str, float]:
    """Return the figures of the last epoch, without its number."""
    return {name: value for name, value in state.row.items() if name != "epoch"}


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters as numbers and texts."""
    chosen = {name: value for name, value in params.items() if name.split("__")[-1] not in LEFT_OUT}
    return {name: value if isinstance(value, bool | int | float) else str(value) for name, value in chosen.items()}
