"""An overview of a table: columns, repeated rows, associations; and the commands that print it."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from scipy.stats import kruskal
from scipy.stats.contingency import association
from typer.testing import CliRunner

from isthmus.cli.app import app
from isthmus.cli.filling import FilledCells
from isthmus.data.files import write
from isthmus.doctor import summarize
from isthmus.doctor.overview import ASCII_BARS, BARS
from isthmus.metrics.association import correlation_ratio, cramers_v


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def table(rng):
    age = rng.integers(18, 90, 200)
    return pa.table(
        {
            "age": pa.array([None if i < 10 else int(value) for i, value in enumerate(age)]),
            "town": pa.array(["Oslo", "Rome", "Oslo", "Bern"] * 50),
            "country": pa.array(["NO", "IT", "NO", "CH"] * 50),
            "since": pa.array(np.datetime64("2024-01-01") + np.arange(200)),
            "always": ["x"] * 200,
            "key": [f"k{i}" for i in range(200)],
            "pay": age * 10.0 + rng.normal(size=200),
        }
    )


def test_the_overview_has_kind_missing_cells_and_values_of_each_column(table):
    columns = {column.name: column for column in summarize(table).columns}
    assert [columns[name].kind for name in table.column_names] == [
        "real", "category", "category", "date", "constant", "identifier", "real",
    ]  # fmt: skip
    known = table["age"].drop_null().to_numpy()
    assert columns["age"].n_missing == 10
    assert columns["age"].values == f"{known.min():g} to {known.max():g}, median {np.median(known):g}"
    assert columns["age"].counts == tuple(np.histogram(known, 10)[0])
    assert columns["town"].values.startswith("3 categories: Oslo 50 %, ")
    assert columns["town"].counts == (100, 50, 50)
    assert columns["since"].values.startswith("2024-01-01 to 2024-07-18")
    assert columns["always"].values == "always x"
    assert columns["key"].values.startswith("200 distinct, such as k")


@pytest.mark.parametrize("library", [pd.DataFrame, pl.from_arrow])
def test_every_library_gives_the_same_overview(table, library):
    expected = summarize(table)
    overview = summarize(table.to_pandas() if library is pd.DataFrame else library(table))
    assert [column.counts for column in overview.columns] == [column.counts for column in expected.columns]
    assert [column.n_missing for column in overview.columns] == [column.n_missing for column in expected.columns]
    assert str(overview.associations) == str(expected.associations)


def test_rows_that_differ_only_in_the_identifier_are_repeated(table):
    repeated = pa.concat_tables([table, table.slice(0, 7)])
    keys = pa.array([f"k{i}" for i in range(207)])
    repeated = repeated.set_column(repeated.column_names.index("key"), "key", keys)
    assert summarize(repeated).n_duplicates == 7
    assert summarize(table).n_duplicates == 0


def test_infinite_values_do_not_stop_an_overview():
    (column,) = summarize(pa.table({"x": [1.0, 2.0, 4.5, np.inf] * 10})).columns
    assert column.values == "1 to 4.5, median 2"


def test_associations_of_all_three_kinds_are_found(table):
    found = {(pair.first, pair.second): pair for pair in summarize(table).associations}
    assert found["town", "country"].strength == pytest.approx(1)
    assert found["age", "pay"].strength > 0.99
    assert ("town", "age") not in found


def test_cramers_v_tends_to_scipys_and_is_zero_for_independent_columns(rng):
    first = rng.integers(0, 4, 50_000).astype(float)
    second = np.where(rng.random(50_000) < 0.4, first, rng.integers(0, 4, 50_000))
    counts = pd.crosstab(first, second).to_numpy()
    assert cramers_v(first, second) == pytest.approx(association(counts, method="cramer"), abs=1e-3)
    assert cramers_v(first, first) == pytest.approx(1)
    few = [cramers_v(*rng.integers(0, 10, (2, 100)).astype(float)) for _ in range(50)]
    assert np.mean(few) < 0.1  # without the correction for chance: about 0.3


def test_correlation_ratio_of_ranks_follows_from_the_kruskal_wallis_statistic(rng):
    categories = rng.integers(0, 5, 300).astype(float)
    numbers = categories**2 + rng.normal(size=300)
    h = kruskal(*(numbers[categories == c] for c in range(5))).statistic
    assert correlation_ratio(categories, numbers) == pytest.approx(np.sqrt((h - 5 + 1) / (300 - 5)))
    assert correlation_ratio(categories, rng.normal(size=300)) < 0.2
    assert correlation_ratio(categories, categories) == pytest.approx(1)


def test_missing_cells_are_left_out_of_associations(rng):
    categories, numbers = np.repeat([0.0, 1.0], 50), np.repeat([0.0, 1.0], 50)
    categories[::5], numbers[::7] = np.nan, np.nan
    assert correlation_ratio(categories, numbers) == pytest.approx(1)
    assert cramers_v(categories, numbers) > 0.9


def call(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_look_prints_one_line_per_column(tmp_path, table):
    write(tmp_path / "rows.parquet", table)
    result = call("look", tmp_path / "rows.parquet", "--kind", "age=count", "--without", "key")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert ["age", "count", "5", "%"] in [line[:4] for line in lines]
    assert not any(line[:1] == ["key"] for line in lines)
    assert "town, country: 1.00 (Cramér's V)" in result.stdout


def test_look_does_not_warn_of_huge_numbers_and_uses_the_singular(tmp_path, rng):
    write(tmp_path / "huge.csv", pa.table({"x": [*(rng.normal(size=30) * 1e300)], "y": [None, *range(29)]}))
    result = call("look", tmp_path / "huge.csv")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("30 rows x 2 columns; 1 cell missing (1.7 %); 0 rows repeat an earlier one")


def test_quality_needs_two_rows_to_split(tmp_path):
    write(tmp_path / "one.csv", pa.table({"x": [1.0]}))
    refused = call("quality", tmp_path / "one.csv", tmp_path / "one.csv")
    assert refused.exit_code == 2
    assert "give --holdout or at least 2 rows, got 1" in refused.stderr


def test_look_takes_arrays_and_refuses_images(tmp_path, rng):
    write(tmp_path / "rows.npy", rng.normal(size=(30, 2)))
    assert "x1" in call("look", tmp_path / "rows.npy").stdout
    write(tmp_path / "images.npy", np.zeros((4, 3, 3)))
    refused = call("look", tmp_path / "images.npy")
    assert refused.exit_code == 2
    assert "holds values of shape (4, 3, 3), but look takes rows and columns" in refused.stderr


def test_histograms_use_ascii_where_the_terminal_needs_it(table):
    overview = summarize(table)
    assert set(BARS) & set(str(overview))
    plain = overview.to_text(ASCII_BARS)
    assert not set(BARS) & set(plain)
    assert set(ASCII_BARS) & set(plain)


def test_the_report_of_prepare_shows_gaps_and_kinds(tmp_path, table):
    write(tmp_path / "rows.csv", table)
    result = call("prepare", tmp_path / "rows.csv", tmp_path / "clean.csv", "--report")
    assert result.exit_code == 0, result.output
    assert any(line.split()[:4] == ["age", "real", "5", "%"] for line in result.stdout.splitlines())


def test_quality_compares_files(tmp_path, table, rng):
    write(tmp_path / "real.csv", table)
    write(tmp_path / "made.csv", table.take(rng.permutation(200)))
    result = call("quality", tmp_path / "real.csv", tmp_path / "made.csv", "--without", "key", "--target", "town")
    assert result.exit_code == 0, result.output
    assert "column fidelity, mean (1 is best)" in result.stdout
    assert "half of the real rows" in result.stdout
    held_out = call("quality", *(tmp_path / f"{name}.csv" for name in ("real", "made")), "--holdout",
                    tmp_path / "made.csv", "--without", "key")  # fmt: skip
    assert held_out.exit_code == 0, held_out.output
    assert "half of the real rows" not in held_out.stdout


def test_quality_names_columns_that_are_not_in_both_files(tmp_path, table):
    write(tmp_path / "real.csv", table)
    write(tmp_path / "made.csv", table.drop(["pay"]))
    refused = call("quality", tmp_path / "real.csv", tmp_path / "made.csv")
    assert refused.exit_code == 2
    assert "'pay'" in refused.stderr
    assert refused.stderr.count("\n") == 1
    refused = call("quality", tmp_path / "real.csv", tmp_path / "real.csv", "--target", "wage")
    assert refused.exit_code == 2
    assert "'wage'" in refused.stderr


def test_impute_counts_the_cells_that_it_filled(tmp_path, table):
    write(tmp_path / "rows.parquet", table.drop(["always", "key"]))
    tiny = ["--set", "max_epochs=1", "--set", "backbone.hidden=[4]"]
    fitted = call("fit", tmp_path / "rows.parquet", "--model", "imputer", *tiny, "--out", tmp_path / "m.safetensors")
    assert fitted.exit_code == 0, fitted.output
    for draws in ([], ["--draws", 2]):
        result = call(
            "impute",
            tmp_path / "m.safetensors",
            tmp_path / "rows.parquet",
            *draws,
            "--out",
            tmp_path / f"f{len(draws)}.csv",
        )
        assert result.stdout.splitlines()[-1] == "filled 10 cells (age 10)"


def test_cells_that_stay_missing_are_counted():
    cells = FilledCells()
    before = pa.table({"a": [1.0, None, None], "b": [None, "x", "y"], "c": [None, None, "z"]})
    cells.add(before, pa.table({"a": [1.0, 2.0, None], "b": ["x", "x", "y"], "c": [None, None, "z"]}))
    assert str(cells) == "filled 2 cells (a 1, b 1); 3 stay missing (c 2, a 1)"
    cells = FilledCells()
    cells.add(np.array([[np.nan, 1.0]]), np.array([[2.0, 1.0]]))
    assert str(cells) == "filled 1 cell"


def test_commands_print_what_they_read_before_torch_is_imported(tmp_path, table):
    write(tmp_path / "rows.csv", table)
    code = (
        "import sys; from isthmus.cli import progress; from isthmus.__main__ import main\n"
        "say = progress.say\n"
        "from isthmus.cli import commands\n"
        "commands.say = lambda step: (say(step), print('torch' in sys.modules))\n"
        "main()"
    )
    arguments = ["fit", tmp_path / "rows.csv", "--set", "max_epochs=0"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[:2] == [f"reading {tmp_path / 'rows.csv'}", "False"]
    assert done.returncode == 2


@pytest.mark.parametrize("arguments", [["fit", "no.csv"], ["look", "no.csv"], ["sample", "no.safetensors"]])
def test_a_missing_file_is_named_without_importing_torch(arguments):
    code = (
        "import sys; from isthmus.__main__ import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'numpy', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "[]\n")
    assert done.stderr.startswith("isthmus: there is no ")
