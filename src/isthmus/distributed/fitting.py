"""Fitting on a cluster: a group of workers, each of which calls ``Autoencoder.fit``.

Dataset --write--> Parquet --Ray Train--> workers --fit--> outcome, all in the folder of the run
"""

import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sklearn.base import clone

from isthmus.assembly import check_parameters
from isthmus.autoencoder import Autoencoder
from isthmus.data import Parquet
from isthmus.distributed.session import Resources, check_workers, load_ray, session
from isthmus.randomness import seed_of
from isthmus.storage import replacing
from isthmus.training import Checkpoint, Group, choose_device

FilePath = str | os.PathLike[str]

# Errors in arguments or data, which would be the same after a restart. They end the fit.
USER_ERRORS = (ValueError, TypeError, FileNotFoundError)


def fit(
    estimator: Autoencoder,
    dataset: Any,
    *,
    num_workers: int = 2,
    resources: Resources | None = None,
    storage_path: FilePath | None = None,
    max_failures: int = 3,
    every: float = 60.0,
) -> Any:
    """Fit a copy of an estimator on several workers of Ray.

    Each worker gets a part of every batch, so each step is the same as in one process. If a worker dies, Ray starts all
    workers again, and they resume from the last checkpoint. The fit uses the open session of Ray, or the cluster in
    ``RAY_ADDRESS``, or a session on this machine that ends with the fit.

    Parameters
    ----------
    estimator : Autoencoder
        It is not changed. Copies with parts and callbacks run on the workers.
    dataset : ray.data.Dataset, Parquet, or str, path or sequence of them, of shape (n_samples, n_features)
        A Dataset must have columns of numbers, and is first written to the folder of the run, because Ray gives its
        rows to other workers in each epoch, and held-out rows must not change. Other values are as in
        ``isthmus.data.Parquet``.
    num_workers : int, default=2
        Number of workers, each with a part of every batch.
    resources : dict or None, default=None
        Resources of each worker, such as ``{"CPU": 4, "GPU": 1}``; None is one processor.
    storage_path : str, path or None, default=None
        Folder that all machines can access. The checkpoint is kept there, so that the same call also resumes after the
        driver was killed; other files are removed at the end. None is a temporary folder on this machine.
    max_failures : int, default=3
        Largest number of restarts of the workers; -1 is no limit.
    every : float, default=60.0
        Seconds between two checkpoints.

    Returns
    -------
    Autoencoder
        Fitted.

    Raises
    ------
    ImportError
        If ray is not installed.
    FileNotFoundError, ValueError, TypeError
        If a parameter or the data are invalid; the message names the parameter or column.
    ray.train.TrainingFailedError
        If workers died more than ``max_failures`` times.

    Examples
    --------
    >>> from isthmus import Autoencoder, distributed
    >>> model = distributed.fit(Autoencoder(8), "day-*.parquet", num_workers=4)  # doctest: +SKIP
    """
    check_workers(num_workers)
    check_parameters(estimator)
    resources = dict(resources or {"CPU": 1})
    with session(num_workers, resources), _run_folder(storage_path) as run:
        checkpoint = Checkpoint(run if storage_path is None else storage_path, every)
        job = clone(estimator).set_params(
            # All workers need the same seed, also if ``random_state`` is None.
            random_state=seed_of(estimator.random_state),
            callbacks=(*estimator.callbacks, checkpoint),
        )
        _write(run / "job", (job, _rows(dataset, run)))
        _train(run, num_workers, resources, max_failures)
        outcome, raised = _read(run / "outcome")
    for warning in raised:
        warnings.warn(warning, stacklevel=2)
    if isinstance(outcome, Exception):
        raise outcome
    outcome.module_.to(choose_device(estimator.device, outcome.module_))
    return outcome.set_params(random_state=estimator.random_state, callbacks=estimator.callbacks)


def _rows(dataset: Any, run: Path) -> Parquet:
    """Return the rows as Parquet files; write the files of a Dataset."""
    if isinstance(dataset, Parquet):
        return dataset
    if isinstance(dataset, load_ray().data.Dataset):
        dataset.write_parquet(str(run / "rows"))
        return Parquet(run / "rows")
    return Parquet(dataset)


def _train(run: Path, num_workers: int, resources: dict[str, float], max_failures: int) -> None:
    """Start the workers and wait until they have written the outcome."""
    train = load_ray().train
    trainer = train.torch.TorchTrainer(
        _work,
        train_loop_config={"run": str(run)},
        scaling_config=train.ScalingConfig(
            num_workers=num_workers, resources_per_worker=resources, use_gpu=bool(resources.get("GPU"))
        ),
        run_config=train.RunConfig(
            name="train", storage_path=str(run), failure_config=train.FailureConfig(max_failures=max_failures)
        ),
    )
    try:
        trainer.fit()
    except train.TrainingFailedError:
        if not (run / "outcome").exists():
            raise


def _work(config: dict[str, str]) -> None:
    """Fit as one of the workers, and write the outcome: a fitted estimator or an error, and all warnings."""
    run = Path(config["run"])
    if (run / "outcome").exists():
        return  # the workers were started again after the end of the fit
    estimator, rows = _read(run / "job")
    try:
        with warnings.catch_warnings(record=True, action="always") as raised:
            estimator.fit(rows)
    except USER_ERRORS as error:
        _write(run / "outcome", (error, []))
        raise
    if Group.current().rank == 0:
        estimator.module_.cpu()  # the driver may have no accelerator
        _write(run / "outcome", (estimator, [warning.message for warning in raised]))


@contextmanager
def _run_folder(storage_path: FilePath | None) -> Iterator[Path]:
    """Create a folder for the files that driver and workers exchange, and remove it at the end."""
    if storage_path is None:
        n_machines = sum(node["Alive"] for node in load_ray().nodes())
        if n_machines > 1:
            raise ValueError(f"storage_path must be a folder that all {n_machines} machines can access, got None")
    elif "://" in str(storage_path):
        raise ValueError(f"storage_path must be a folder that all machines can access, got {str(storage_path)!r}")
    else:
        Path(storage_path).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="isthmus-", dir=storage_path) as folder:
        yield Path(folder).resolve()


def _write(path: Path, value: Any) -> None:
    """Write any value, also functions, to a file that is written completely or not at all."""
    with replacing(path) as file:
        load_ray().cloudpickle.dump(value, file)


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        return load_ray().cloudpickle.load(file)
