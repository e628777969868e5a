"""Rows larger than memory: streams give the same results as rows in memory."""

import threading

import numpy as np
import pyarrow as pa
import pytest
import torch
from conftest import COLUMNS, N_ROWS, small
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from sklearn.base import clone

from isthmus import Autoencoder
from isthmus.baselines import compare
from isthmus.data import Chunks, Parquet, as_source, hold_out
from isthmus.data.arrays import Array
from isthmus.data.streams import stream as streams
from isthmus.data.validation import compute_statistics
from isthmus.schema import Schema

NUMBERS = Schema(())  # all columns are numbers, as those of streams are


def rows_of(source, size=64, seed=None):
    return torch.cat([batch.x for batch in source.batches(size, seed)]).numpy()


def numbers(source, size=64, seed=None):
    """Return the numbers of the rows in their order."""
    return rows_of(source, size, seed)[:, 0].astype(int)


def of_chunks(table, size=90):
    return Chunks(lambda: (table.slice(start, size) for start in range(0, len(table), size)))


# Equality


@pytest.mark.parametrize("make", [Parquet, lambda folder: of_chunks(parquet.read_table(folder))])
def test_statistics_and_results_are_those_of_the_rows_in_memory(make, folder, table, small_pools):
    source = make(folder)
    mine, theirs = compute_statistics(source), compute_statistics(as_source(table))
    assert mine.n_rows == theirs.n_rows == len(source) == N_ROWS
    for name in ("count", "mean", "m2", "low", "high"):
        torch.testing.assert_close(getattr(mine, name), getattr(theirs, name), rtol=1e-12, atol=0)
    model = small("vae").fit(table)
    np.testing.assert_array_equal(rows_of(source), rows_of(as_source(table)))
    for method in ("transform", "score_samples"):
        np.testing.assert_allclose(getattr(model, method)(source), getattr(model, method)(table), rtol=1e-6, atol=1e-6)
    for method in ("reconstruct", "contributions"):
        mine, theirs = getattr(model, method)(source), getattr(model, method)(table)
        assert mine.column_names == theirs.column_names
        np.testing.assert_allclose(mine.to_pandas(), theirs.to_pandas(), rtol=1e-5, atol=1e-5)


def test_dtypes_are_those_of_the_table(tmp_path):
    kinds = {"i": pa.int64(), "b": pa.bool_(), "f": pa.float32(), "n": pa.null(), "u": pa.uint8()}
    values = {"i": [1, None, 3], "b": [True, False, None], "f": [0.5, None, 2.0], "n": [None] * 3, "u": [1, 2, 3]}
    table = pa.table(values, pa.schema(list(kinds.items())))
    parquet.write_table(table, tmp_path / "x.parquet")
    for names in (["i", "b", "f", "u"], ["b", "f"], ["u", "f"]):
        streamed, whole = Parquet(tmp_path / "x.parquet", names), as_source(table.select(names), NUMBERS)
        assert streamed.schema == whole.schema
        np.testing.assert_array_equal(rows_of(streamed), rows_of(whole))
    assert np.isnan(rows_of(Parquet(tmp_path / "x.parquet", ["n"]))).all()


def test_a_fit_on_a_stream_is_as_good_as_in_memory(folder, table, small_pools):
    """Of a linear net: others end in local optima with some seeds, wherever their rows are."""
    net = Autoencoder(2, backbone="linear", max_epochs=10, batch_size=20, random_state=0)
    models = [clone(net).fit(X) for X in (Parquet(folder), of_chunks(table), table)]
    errors = [compare(model, table, table)["model"] for model in models]
    np.testing.assert_allclose(errors[:2], [errors[2]] * 2, rtol=0.2)
    assert all(list(model.feature_names_in_) == COLUMNS for model in models)
    again = clone(net).fit(Parquet(folder))
    np.testing.assert_array_equal(again.transform(table), models[0].transform(table))


def test_columns_of_named_sources_are_compared_with_those_of_fit(folder, table):
    model = small("autoencoder").fit(Parquet(folder))
    with pytest.raises(ValueError, match="yet now missing:\n- d\n- e"):
        model.transform(Parquet(folder, columns=["a", "b", "c"]))
    with pytest.raises(ValueError, match="same order"):
        model.transform(Parquet(folder, columns=COLUMNS[::-1]))
    with pytest.raises(TypeError, match="labels go beside rows in memory, got Parquet"):
        small("conditional_vae").fit(Parquet(folder), np.zeros(N_ROWS))


# Shuffling


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(1, 200), st.integers(1, 80), st.integers(1, 300), st.integers(0, 2**40), st.integers(1, 100))
def test_every_row_comes_once_in_batches_of_the_size_asked_for(tmp_path_factory, n, group, size, seed, pool):
    path = tmp_path_factory.mktemp("any") / "x.parquet"
    parquet.write_table(pa.table({"a": np.arange(n)}), path, row_group_size=group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "POOL", pool)
        for source in (Parquet(path), Chunks(lambda: np.split(np.arange(float(n))[:, None], range(group, n, group)))):
            batches = [batch.x[:, 0].numpy() for batch in source.batches(size, seed)]
            ordered = [batch.x[:, 0].numpy() for batch in source.batches(size)]
            in_memory = as_source(pa.table({"a": np.arange(n)}), NUMBERS)
            assert list(map(len, batches)) == [len(batch.x) for batch in in_memory.batches(size, seed)]
            assert list(map(len, ordered)) == [len(batch.x) for batch in in_memory.batches(size)]
            np.testing.assert_array_equal(np.sort(np.concatenate(batches)), np.arange(n))
            np.testing.assert_array_equal(np.concatenate(ordered), np.arange(n))


def test_the_seed_alone_decides_the_order(folder, small_pools):
    first = numbers(Parquet(folder), seed=3)
    np.testing.assert_array_equal(first, numbers(Parquet(folder), seed=3))
    assert not np.array_equal(first, numbers(Parquet(folder), seed=4))
    np.testing.assert_array_equal(first[:6], [79, 729, 673, 644, 76, 747])  # so that other processes agree


def test_a_batch_contains_rows_of_distant_row_groups(folder, small_pools):
    order = numbers(Parquet(folder), seed=0)
    assert abs(np.corrcoef(order, np.arange(N_ROWS))[0, 1]) < 0.3
    groups = [len(np.unique(batch // 70)) for batch in order[:960].reshape(-1, 64)]
    assert min(groups) >= 4


# Splits


@pytest.mark.parametrize("make", [Parquet, lambda folder: of_chunks(parquet.read_table(folder))])
def test_splits_partition_the_rows_and_can_be_split_again(make, folder, small_pools):
    rest, aside = make(folder).split(100, seed=1)
    other, more = rest.split(300, seed=1)
    assert list(map(len, (rest, aside, other, more))) == [900, 100, 600, 300]
    assert [len(numbers(part)) for part in (rest, aside, other, more)] == [900, 100, 600, 300]
    np.testing.assert_array_equal(np.sort(np.concatenate(list(map(numbers, (aside, other, more))))), np.arange(N_ROWS))
    np.testing.assert_array_equal(np.sort(numbers(other, seed=5)), numbers(other))
    assert np.bincount(numbers(aside) // 250).min() > 10
    assert set(numbers(aside)) != set(numbers(make(folder).split(100, seed=2)[1]))


@pytest.mark.parametrize("n", [0, N_ROWS])
def test_a_split_leaves_rows_on_both_sides(folder, n):
    with pytest.raises(ValueError, match=f"both sides of 1000, got {n}"):
        Parquet(folder).split(n, 0)


def test_watched_rows_are_kept_in_memory_and_fit_into_a_pool(folder, small_pools, monkeypatch):
    rest, aside = hold_out(Parquet(folder), 0.1, seed=0)
    assert isinstance(aside, Array)
    assert (len(rest), len(aside)) == (900, 100)
    monkeypatch.setattr("isthmus.data.sources.POOL", 50 * 5)
    assert [len(part) for part in hold_out(Parquet(folder), 0.1, seed=0)] == [950, 50]


# The thread


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("isthmus-read")]


def test_the_reading_thread_ends_with_the_pass_even_if_it_is_abandoned(folder, small_pools):
    batches = Parquet(folder).batches(10, seed=0)
    next(batches)
    assert len(readers()) == 1
    batches.close()
    assert not readers()
    next(iter(Parquet(folder).batches(10)))
    assert not readers()
    numbers(Parquet(folder))
    assert not readers()


def test_errors_of_the_reading_thread_are_raised_in_the_consumer():
    def chunks():
        yield np.zeros((5, 2))
        raise KeyError("the database is gone")

    with pytest.raises(KeyError, match="database is gone"):
        rows_of(Chunks(chunks))
    assert not readers()
