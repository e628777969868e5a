"""Wide tables: the work per column does not grow with the number of columns. Calls are counted, not timed."""

import sys
from collections.abc import Callable

import numpy as np
import pandas
import polars
import pyarrow
import pytest
from pyarrow import parquet

from isthmus import Autoencoder, load, save
from isthmus.data import Parquet, as_source
from isthmus.data.files import read, write
from isthmus.doctor import examine, overview, summarize
from isthmus.preparing import prepare

N_ROWS = 30
LIBRARIES = {"pandas": pandas.DataFrame, "polars": polars.DataFrame, "pyarrow": pyarrow.table}


def mixed(n_columns: int) -> dict[str, np.ndarray]:
    """Numbers with a gap, categories, dates and truth values, in turn."""
    rng, columns = np.random.default_rng(0), {}
    for i in range(0, n_columns, 4):
        columns[f"number {i}"] = np.r_[np.nan, rng.normal(size=N_ROWS - 1)]
        columns[f"town {i}"] = rng.choice(["Oslo", "Rome", "Lima"], N_ROWS)
        columns[f"day {i}"] = np.datetime64("2024-01-01", "us") + rng.integers(0, 90, N_ROWS) * np.timedelta64(1, "D")
        columns[f"flag {i}"] = rng.random(N_ROWS) < 0.5
    return columns


def count_calls(work: Callable[[], object]) -> int:
    """Count the calls of Python and C functions."""
    n_calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal n_calls
        n_calls += event.endswith("call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return n_calls


def require_linear(prepare_work: Callable[[int], Callable[[], object]]) -> None:
    """Assert that 64 more columns after 64 more cost as many calls as before: a quadratic term would double them."""
    prepare_work(16)()  # imports
    small, middle, large = (count_calls(prepare_work(n)) for n in (32, 96, 160))
    assert large - middle <= 1.3 * (middle - small)


@pytest.mark.parametrize("library", LIBRARIES)
def test_reading_time_is_linear_in_the_number_of_columns(library):
    tables = {n: LIBRARIES[library](mixed(n)) for n in (16, 32, 96, 160)}
    require_linear(lambda n: lambda: as_source(tables[n]))


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("method", ["reconstruct", "impute", "transform", "inverse_transform"])
def test_time_of_results_is_linear_in_the_number_of_columns(library, method):
    tables = {n: LIBRARIES[library](mixed(n)) for n in (16, 32, 96, 160)}
    fitted = {n: Autoencoder(2, max_epochs=1, random_state=0).fit(table) for n, table in tables.items()}
    codes = {n: fitted[n].transform(table) for n, table in tables.items()}
    given = codes if method == "inverse_transform" else tables
    require_linear(lambda n: lambda: getattr(fitted[n], method)(given[n]))


@pytest.mark.parametrize("work", [examine, summarize, prepare, lambda table: prepare(table, scaling="standard")])
def test_doctor_and_prepare_are_linear_in_the_number_of_columns(work, monkeypatch):
    monkeypatch.setattr(overview, "MAX_COLUMNS", 8)  # wider tables are summarised without pairs of columns
    tables = {n: pandas.DataFrame(mixed(n)) for n in (16, 32, 96, 160)}
    require_linear(lambda n: lambda: work(tables[n]))


def test_fitting_and_saving_are_linear_in_the_number_of_columns(tmp_path):
    tables = {n: pandas.DataFrame(mixed(n)) for n in (16, 32, 96, 160)}
    fitted = {n: Autoencoder(2, max_epochs=1, random_state=0).fit(table) for n, table in tables.items()}
    require_linear(lambda n: lambda: Autoencoder(2, max_epochs=1, random_state=0).fit(tables[n]))
    require_linear(lambda n: lambda: save(fitted[n], tmp_path / f"{n}.safetensors"))
    require_linear(lambda n: lambda: load(tmp_path / f"{n}.safetensors"))
    for n, table in tables.items():
        write(tmp_path / f"{n}.csv", table)
        write(tmp_path / f"{n}.parquet", table)
    require_linear(lambda n: lambda: read(tmp_path / f"{n}.csv"))
    require_linear(lambda n: lambda: read(tmp_path / f"{n}.parquet"))


def test_streaming_is_linear_in_the_number_of_columns(tmp_path):
    for n in (16, 32, 96, 160):
        columns = {f"x{i}": np.arange(5.0) for i in range(n)}
        (tmp_path / str(n)).mkdir()
        for part in range(2):
            parquet.write_table(pyarrow.table(columns), tmp_path / str(n) / f"{part}.parquet")
    require_linear(lambda n: lambda: list(Parquet(tmp_path / str(n)).batches(4)))
