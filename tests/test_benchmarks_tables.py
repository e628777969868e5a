"""The pure functions of ``benchmarks/tables.py``, on small tables."""

import math
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

TABLE = pd.DataFrame({"age": [1.0, 2.0, 3.0, np.nan, 4.0], "town": ["Rome", "Oslo", "Rome", "Rome", None]})


@pytest.fixture
def data(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return import_module("tables_data")


def test_an_exact_share_of_the_known_cells_of_each_column_is_hidden(data):
    holed, hidden = data.hide(TABLE, 0.5, seed=0)
    assert hidden.sum().tolist() == [2, 2]
    assert not (hidden & TABLE.isna()).to_numpy().any()
    pd.testing.assert_frame_equal(holed.isna(), hidden | TABLE.isna())
    assert holed.fillna(TABLE).equals(TABLE)


def test_only_hidden_cells_are_scored(data):
    hidden = pd.DataFrame({"age": [True, True, False, False, False], "town": [True, True, False, False, False]})
    filled = pd.DataFrame({"age": [1.4, 4.0, 99.0, 99.0, 99.0], "town": ["Rome", "Rome", "Oslo", "Oslo", "Oslo"]})
    nrmse, accuracy = data.score(TABLE, filled, hidden)
    # 1.4 is rounded to 1; the errors are 0 and 2, and the standard deviation of 1, 2, 3, 4 is sqrt(1.25).
    assert nrmse == pytest.approx(math.sqrt(2) / math.sqrt(1.25))
    assert accuracy == 0.5


def test_a_matrix_is_converted_back_to_its_table(data):
    matrix = data.Matrix(TABLE)
    values = matrix.encode(TABLE)
    assert values.shape == (5, 3)
    assert np.isnan(values).sum() == 1 + 2
    known = TABLE.dropna()
    pd.testing.assert_frame_equal(matrix.decode(values)[: len(known)], known, check_dtype=False)
