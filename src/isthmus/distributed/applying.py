"""Batch inference on Datasets of Ray, with one model per worker."""

from collections.abc import Sequence
from copy import copy, deepcopy
from typing import Any

import pyarrow as pa
from sklearn.utils.validation import check_is_fitted

from isthmus.autoencoder import Autoencoder
from isthmus.data.files import CHUNK, as_array, as_table
from isthmus.data.streams.parquet import find_files, read_columns_only
from isthmus.data.streams.stream import count_rows_within
from isthmus.distributed.session import Resources, check_workers, load_ray
from isthmus.part import did_you_mean
from isthmus.problem import Reservoir
from isthmus.training import choose_device


def transform(
    estimator: Autoencoder,
    dataset: Any,
    *,
    num_workers: int = 2,
    resources: Resources | None = None,
    keep: Sequence[str] = (),
) -> Any:
    """Encode the rows of a Dataset, with one model per worker.

    Parameters
    ----------
    estimator : Autoencoder
        Fitted.
    dataset : ray.data.Dataset, or str, path or sequence of them, of shape (n_samples, n_features)
        With the columns of the training rows. A path is a Parquet file, a folder or a pattern of Parquet files.
    num_workers : int, default=2
        Largest number of workers.
    resources : dict or None, default=None
        Resources of each worker, such as ``{"CPU": 4, "GPU": 1}``; None is one processor.
    keep : sequence of str, default=()
        Columns that are copied to the results, such as an identifier. Ray does not preserve the order of rows.

    Returns
    -------
    ray.data.Dataset
        Lazy, of shape (n_samples, n_components), in columns named as ``estimator.get_feature_names_out()``.

    Raises
    ------
    ImportError
        If ray is not installed.
    NotFittedError
        If the estimator is not fitted.
    FileNotFoundError, ValueError
        If files do not exist, or a parameter is invalid.

    Examples
    --------
    >>> from isthmus import distributed, load
    >>> codes = distributed.transform(load("m.safetensors"), "day-*.parquet", keep=["id"])  # doctest: +SKIP
    >>> codes.write_parquet("codes")  # doctest: +SKIP
    """
    check_is_fitted(estimator)
    names = list(estimator.get_feature_names_out())
    return _apply(estimator, "transform", names, dataset, num_workers, resources, keep)


def score(
    estimator: Autoencoder,
    dataset: Any,
    *,
    num_workers: int = 2,
    resources: Resources | None = None,
    keep: Sequence[str] = (),
) -> Any:
    """Score the rows of a Dataset in nats, as ``score_samples`` does, with one model per worker.

    Parameters and errors are as in ``transform``.

    Parameters
    ----------
    estimator : Autoencoder
        Fitted.
    dataset : ray.data.Dataset, or str, path or sequence of them, of shape (n_samples, n_features)
        As in ``transform``.
    num_workers : int, default=2
        Largest number of workers.
    resources : dict or None, default=None
        Resources of each worker, such as ``{"CPU": 4, "GPU": 1}``; None is one processor.
    keep : sequence of str, default=()
        Columns of the dataset to keep beside the scores.

    Returns
    -------
    ray.data.Dataset
        Lazy, of shape (n_samples, 1), in the column "score".

    Examples
    --------
    >>> from isthmus import distributed, load
    >>> scores = distributed.score(load("m.safetensors"), "day-*.parquet", keep=["id"])  # doctest: +SKIP
    >>> scores.sort("score").take(10)  # doctest: +SKIP
    """
    check_is_fitted(estimator)
    return _apply(estimator, "score_samples", ["score"], dataset, num_workers, resources, keep)


def _apply(
    estimator: Autoencoder,
    method: str,
    names: list[str],
    dataset: Any,
    num_workers: int,
    resources: Resources | None,
    keep: Sequence[str],
) -> Any:
    check_workers(num_workers)
    ray = load_ray()
    columns, needs = list(dict.fromkeys([*estimator.schema_.names, *keep])), dict(resources or {"CPU": 1})
    if not isinstance(dataset, ray.data.Dataset):
        dataset = _read_files(dataset, columns)
    if estimator.schema_.names:
        dataset = dataset.select_columns(columns)
    return dataset.map_batches(
        _Worker,
        fn_constructor_args=(ray.put(_on_processor(estimator)), method, names, list(keep)),
        batch_format="pyarrow",
        batch_size=count_rows_within(CHUNK, estimator.schema_),
        # With a fixed number of workers, no processor could be left for tasks that read.
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=num_workers),
        num_cpus=needs.pop("CPU", None),
        num_gpus=needs.pop("GPU", None),
        **({"resources": needs} if needs else {}),
    )


class _Worker:
    """One model and the method that is applied to batches of rows."""

    def __init__(self, estimator: Any, method: str, names: list[str], keep: list[str]) -> None:
        self._estimator = load_ray().get(estimator)
        module = self._estimator.module_
        module.to(choose_device(self._estimator.device, module))
        self._method, self._names, self._keep = method, names, keep

    def __call__(self, table: pa.Table) -> pa.Table:
        columns = self._estimator.schema_.names
        rows = table.select(columns) if columns else as_array(table.drop_columns(self._keep))
        results = as_table(getattr(self._estimator, self._method)(rows), self._names)
        for name in self._keep:
            results = results.append_column(name, table.column(name))
        return results


def _read_files(paths: Any, columns: list[str]) -> Any:
    """Check that Parquet files have the columns, and make a Dataset of them."""
    known = read_columns_only(paths).column_names
    for name in columns:
        if name not in known:
            raise ValueError(f"{str(paths)!r} has no column {name!r}{did_you_mean(name, known)}")
    return load_ray().data.read_parquet([str(path) for path in find_files(paths)], partitioning=None)


def _on_processor(estimator: Autoencoder) -> Autoencoder:
    """Copy an estimator to the processor, without state of training, for machines with other accelerators."""
    light = copy(estimator)
    light.module_, light.callbacks, light._state = deepcopy(estimator.module_).cpu(), (), None
    light._reservoir = Reservoir()
    return light
