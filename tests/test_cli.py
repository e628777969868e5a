"""The command line: files, output and errors of each command."""

import errno
import json
import os
import sys
import warnings
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
from conftest import run_limited
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from typer.testing import CliRunner

import isthmus
from isthmus import load, storage, zoo
from isthmus.baselines import compare
from isthmus.baselines.reconstruction import Training
from isthmus.bottlenecks import Gaussian
from isthmus.cli.app import app
from isthmus.cli.errors import show_warning
from isthmus.cli.fitting import hold_out
from isthmus.cli.runs import Run, make_estimator, parse, read_run
from isthmus.data import Source, as_source
from isthmus.data.files import KINDS, as_array, read, write
from isthmus.likelihoods import StudentT
from isthmus.schema import Schema

NAMES = ["height", "width", "depth", "weight"]
TINY = ["--set", "max_epochs=1", "--set", "backbone.hidden=[4]", "--set", "n_components=2"]


def call(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def done(*arguments):
    """Run a command that should succeed, and return the last line of its output."""
    result = call(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()[-1]


def refused(*arguments):
    """Run a command that should fail with one sentence, and return the sentence."""
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("isthmus: ")
    return result.stderr.removeprefix("isthmus: ").strip()


@pytest.fixture(scope="module")
def rows():
    generator = np.random.default_rng(0)
    return generator.normal(size=(60, 2)) @ generator.normal(size=(2, 4)) + generator.normal(scale=0.1, size=(60, 4))


@pytest.fixture(scope="module")
def shared(tmp_path_factory, rows):
    """Return a folder with the same rows in every file format, and models with and without column names."""
    folder = tmp_path_factory.mktemp("shared")
    for suffix in KINDS:
        write(folder / f"rows{suffix}", rows, NAMES)
    done("fit", folder / "rows.csv", *TINY, "--out", folder / "named.safetensors")
    done("fit", folder / "rows.npy", *TINY, "--out", folder / "plain.safetensors")
    return folder


@pytest.fixture
def table(rows):
    """Return the rows with labels and text."""
    kinds = np.array(["oak", "ash", "elm"])[np.arange(60) % 3]
    return pa.table({**dict(zip(NAMES, rows.T, strict=True)), "kind": kinds, "noted by": ["Ann"] * 60})


# fit


@pytest.mark.parametrize("suffix", KINDS)
def test_fit_takes_every_kind_of_file_and_writes_a_model_beside_it(tmp_path, rows, suffix):
    write(tmp_path / f"rows{suffix}", rows)
    last = done("fit", tmp_path / f"rows{suffix}", *TINY)
    assert last.startswith("wrote ")
    assert last.endswith("rows.safetensors: autoencoder fitted to 54 rows x 4 columns; a code has 2 numbers")
    assert load(tmp_path / "rows.safetensors").n_features_in_ == 4


def test_fit_shows_progress_the_bound_and_the_error_beside_those_of_simple_methods(shared, tmp_path):
    result = call("fit", shared / "rows.csv", "--model", "vae", *TINY, "--out", tmp_path / "m.safetensors")
    assert "1/1 epochs" in result.stdout
    assert "the variance of each column" in " ".join(result.stdout.split())
    rows = [line.replace("│", " ").split() for line in result.stdout.splitlines() if line.startswith("│")]
    assert [row[0] for row in rows[:5]] == ["vae", "no", "vae", "PCA", "mean"]
    errors = {row[0]: float(row[-1]) for row in rows[2:5]}
    assert errors["PCA"] < 0.1 < errors["mean"]
    assert "clearly smaller errors than the model: PCA" in " ".join(result.stdout.split())


def test_fit_gives_the_model_of_the_library_on_the_rows_not_held_out(shared, tmp_path):
    done("fit", shared / "rows.csv", "--model", "vae", *TINY, "--seed", 3, "--out", tmp_path / "m.safetensors")
    table = read(shared / "rows.csv")
    kept, held_out = hold_out(as_source(table), 3)
    model = zoo.vae(2, max_epochs=1, random_state=3).set_params(backbone__hidden=(4,)).fit(table.take(kept))
    assert sorted([*kept, *held_out]) == list(range(60))
    np.testing.assert_array_equal(load(tmp_path / "m.safetensors").transform(table), model.transform(table))


def test_results_depend_on_the_seed_only(shared, tmp_path):
    def codes(seed, name):
        done("fit", shared / "rows.npy", *TINY, "--seed", seed, "--out", tmp_path / f"{name}.safetensors")
        return load(tmp_path / f"{name}.safetensors").transform(read(shared / "rows.npy"))

    first, again, other = codes(1, "first"), codes(1, "again"), codes(2, "other")
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)


def test_columns_are_selected_and_left_out_by_name(tmp_path, table):
    write(tmp_path / "rows.csv", table)
    leave = ["--without", "kind", "--without", "noted by"]
    done("fit", tmp_path / "rows.csv", *TINY, *leave, "--without", "width")
    assert load(tmp_path / "rows.safetensors").schema_.names == ["height", "depth", "weight"]
    done("fit", tmp_path / "rows.csv", *TINY, "--columns", "depth", "--columns", "height", "--force")
    assert load(tmp_path / "rows.safetensors").schema_.names == ["depth", "height"]


def test_a_conditional_model_takes_the_named_column_as_labels_only(tmp_path, table):
    write(tmp_path / "rows.csv", table)
    options = ["--condition", "kind", "--without", "noted by"]
    done("fit", tmp_path / "rows.csv", "--model", "conditional_vae", *TINY, *options)
    schema = load(tmp_path / "rows.safetensors").schema_
    assert schema.names == NAMES
    assert schema.condition.categories == ("ash", "elm", "oak")


def test_the_only_row_with_missing_values_is_not_held_out(tmp_path, rows):
    for row in range(0, 60, 10):
        values = rows.copy()
        values[row, 1] = np.nan
        kept, _ = hold_out(as_source(values), seed=0)
        assert row in kept
    write(tmp_path / "gaps.csv", values, NAMES)
    done("fit", tmp_path / "gaps.csv", *TINY)
    done("reconstruct", tmp_path / "gaps.safetensors", tmp_path / "gaps.csv")
    assert np.isfinite(as_array(read(tmp_path / "gaps.rebuilt.csv"))).all()


def count_calls(monkeypatch, module, name, counted=lambda *arguments: True):
    """Count the calls of a function in every module that imported it."""
    function, calls = getattr(module, name), []

    def count(*arguments, **options):
        if counted(*arguments):
            calls.append(name)
        return function(*arguments, **options)

    for other in [other for key, other in sys.modules.items() if key.startswith("isthmus")]:
        if vars(other).get(name) is function:
            monkeypatch.setattr(other, name, count)
    return calls


@pytest.mark.parametrize("data", ["rows.csv", "rows.npy", "days"])
@pytest.mark.parametrize("model", ["autoencoder", "vae", "imputer", "tabular_vae"])
def test_fit_reads_rows_once_and_compares_once(shared, tmp_path, monkeypatch, data, model):
    (tmp_path / "days").mkdir()
    for day in range(2):
        write(tmp_path / "days" / f"{day}.parquet", read(shared / "rows.csv"))
    path = tmp_path / "days" if data == "days" else shared / data
    sources = count_calls(monkeypatch, isthmus.data.sources, "as_source", lambda X, *_: not isinstance(X, Source))
    statistics = count_calls(monkeypatch, isthmus.data.validation, "compute_statistics")
    comparisons, fits, fit = count_calls(monkeypatch, isthmus.baselines.judging, "judge"), [], PCA.fit
    monkeypatch.setattr(PCA, "fit", lambda pca, *rows: fits.append(pca) or fit(pca, *rows))
    done("fit", path, "--model", model, *TINY, "--out", tmp_path / "m.safetensors")
    # Codes and generated rows are also arrays and tables, but not rows of the file.
    expected = {"days": 0, "rows.npy": 1, "rows.csv": 1}[data]
    assert len(sources) <= expected + 2 * (model == "tabular_vae")
    # Passes over all rows for checks, over training and validation rows in fit, over training rows to compare. An
    # imputer has no validation rows.
    assert len(statistics) == (3 if data == "days" else 4) - (model == "imputer")
    assert (len(comparisons), len(fits)) == (1, 0 if model == "imputer" else 1)


def test_the_unit_of_errors_is_that_of_the_columns_that_are_learned(tmp_path, rng):
    """Columns that --kind leaves out have no effect."""
    y, x = np.divmod(np.arange(16), 4)
    distance = np.hypot(x - rng.uniform(-1, 4, size=(300, 1)), y - rng.uniform(-1, 4, size=(300, 1)))
    pixels = {f"pixel {i}": column for i, column in enumerate((2 - distance).clip(0, 1).T)}
    write(tmp_path / "rows.csv", pa.table({**pixels, **{f"n{i}": rng.normal(size=300) * 10**i for i in range(3)}}))
    leave = [word for i in range(3) for word in ("--kind", f"n{i}=identifier")]
    for options, error in (([], "relative to the variance of each column"), (leave, "mean squared error per pixel")):
        with warnings.catch_warnings(action="ignore"):
            result = call("fit", tmp_path / "rows.csv", *TINY, *options, "--force")
        assert f"{error};" in " ".join(result.stdout.split())


# Settings of a run


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8", 8),
        ("1e-3", 1e-3),
        ("true", True),
        ("False", False),
        ("null", None),
        ("None", None),
        ("[64, 32]", [64, 32]),
        ("(64, 32)", (64, 32)),
        ("relu", "relu"),
        ('"8"', "8"),
        ("'sgd'", "sgd"),
        ("", ""),
        ("{[]: 1}", "{[]: 1}"),
    ],
)
def test_values_that_are_neither_json_nor_python_are_text(text, value):
    assert parse(text) == value
    assert type(parse(text)) is type(value)


def test_settings_reach_the_variant_the_estimator_and_the_parts():
    settings = ["noise=0.5", "n_components=8", "learning_rate=0.01", "backbone.hidden=[64, 32]", "corruption.unit=data"]
    estimator = make_estimator(read_run(None, settings, model="denoising", seed=7))
    assert (estimator.n_components, estimator.learning_rate, estimator.random_state) == (8, 0.01, 7)
    assert estimator.backbone.hidden == (64, 32)
    assert (estimator.corruption.scale, estimator.corruption.unit) == (0.5, "data")


def test_parameters_of_a_part_selected_by_name_can_be_set():
    parts = {"likelihood": "student_t", "likelihood.df": 3, "regularizers": "l1", "regularizers.weight": 0.5}
    estimator = make_estimator(Run(set=parts))
    assert isinstance(estimator.likelihood, StudentT)
    assert estimator.likelihood.df == 3
    assert estimator.regularizers.weight == 0.5


def test_a_part_may_be_given_in_the_form_of_model_files():
    part = {"class": "bottlenecks.Gaussian", "params": {"beta": 4.0}}
    run = read_run(None, [f"bottleneck={json.dumps(part)}", "bottleneck.warmup=0.5"])
    estimator = make_estimator(run)
    assert isinstance(estimator.bottleneck, Gaussian)
    assert (estimator.bottleneck.beta, estimator.bottleneck.warmup) == (4.0, 0.5)


def test_options_override_the_equal_settings_of_a_run_file(tmp_path):
    run = {"model": "vae", "set": {"n_components": 8, "bottleneck.beta": 4}, "seed": 5, "columns": ["a", "b"]}
    (tmp_path / "run.json").write_text(json.dumps(run))
    expected = Run("vae", {"n_components": 8, "bottleneck.beta": 4}, 5, ["a", "b"])
    none = {"model": None, "seed": None, "columns": None, "without": None, "condition": None}
    assert read_run(tmp_path / "run.json", [], **none) == expected
    options = {"model": "vae", "seed": 5, "columns": ["a", "b"]}
    assert read_run(None, ["n_components=8", "bottleneck.beta=4"], **options) == expected
    winner = read_run(tmp_path / "run.json", ["bottleneck.beta=1"], **{**none, "seed": 0, "model": "beta_vae"})
    assert winner == Run("beta_vae", {"n_components": 8, "bottleneck.beta": 1}, 0, ["a", "b"])


def test_fit_follows_a_run_file(shared, tmp_path):
    run = {"model": "vae", "set": {"n_components": 3, "max_epochs": 1, "backbone.hidden": [4]}, "without": ["width"]}
    (tmp_path / "run.json").write_text(json.dumps(run))
    done("fit", shared / "rows.csv", "--config", tmp_path / "run.json", "--out", tmp_path / "m.safetensors")
    model = load(tmp_path / "m.safetensors")
    assert model.backbone.hidden == (4,)
    assert model.transform(read(shared / "rows.csv").select(model.schema_.names)).shape == (60, 3)


# Using a model


@pytest.mark.parametrize("suffix", KINDS)
@pytest.mark.parametrize("model", ["named", "plain"])
def test_every_kind_of_file_gives_the_results_of_the_library(shared, tmp_path, rows, model, suffix):
    (tmp_path / f"new{suffix}").write_bytes((shared / f"rows{suffix}").read_bytes())
    estimator = load(shared / f"{model}.safetensors")
    known = pa.table(dict(zip(NAMES, rows.T, strict=True))) if model == "named" else rows
    expected = {
        ("transform", "codes"): estimator.transform(known),
        ("reconstruct", "rebuilt"): as_array(estimator.reconstruct(known)),
        ("score", "scores"): estimator.score_samples(known),
    }
    for (command, name), values in expected.items():
        result = call(command, shared / f"{model}.safetensors", tmp_path / f"new{suffix}")
        path = tmp_path / f"new.{name}{suffix}"
        assert f"\nwrote {path}: 60 rows x " in result.stdout
        np.testing.assert_allclose(np.squeeze(as_array(read(path))), values, rtol=1e-7)


def test_columns_of_results_have_names(shared, tmp_path):
    names = {}
    for command in ("transform", "reconstruct", "score"):
        done(command, shared / "named.safetensors", shared / "rows.npy", "--out", tmp_path / f"{command}.csv")
        names[command] = read(tmp_path / f"{command}.csv").column_names
    assert names == {"transform": ["autoencoder0", "autoencoder1"], "reconstruct": NAMES, "score": ["score"]}


def test_scores_do_not_depend_on_the_kind_of_file(shared, tmp_path):
    for suffix in (".csv", ".parquet"):
        done("score", shared / "named.safetensors", shared / f"rows{suffix}", "--out", tmp_path / f"scores{suffix}")
    assert read(tmp_path / "scores.csv").equals(read(tmp_path / "scores.parquet"))


def test_columns_are_selected_by_name_among_other_columns(shared, tmp_path, table):
    mixed = table.select(["noted by", *reversed(NAMES), "kind"])
    write(tmp_path / "mixed.csv", mixed)
    for path in (tmp_path / "mixed.csv", shared / "rows.csv"):
        done("transform", shared / "named.safetensors", path, "--out", tmp_path / f"codes of {path.name}")
    assert read(tmp_path / "codes of mixed.csv").equals(read(tmp_path / "codes of rows.csv"))


def test_images_keep_their_shape(tmp_path, rows):
    np.save(tmp_path / "images.npy", rows.reshape(60, 2, 2))
    done("fit", tmp_path / "images.npy", *TINY)
    last = done("reconstruct", tmp_path / "images.safetensors", tmp_path / "images.npy")
    assert last.endswith("images.rebuilt.npy: 60 rows x 4 columns")
    assert read(tmp_path / "images.rebuilt.npy").shape == (60, 2, 2)


def test_the_option_draws_gives_the_importance_weighted_bound(shared, tmp_path):
    done("fit", shared / "rows.npy", "--model", "vae", *TINY, "--out", tmp_path / "vae.safetensors")
    for name, draws in {"bound": 3, "again": 3, "plain": 0}.items():
        done(
            "score",
            tmp_path / "vae.safetensors",
            shared / "rows.npy",
            "--draws",
            draws,
            "--out",
            tmp_path / f"{name}.npy",
        )
    bound, again, plain = (read(tmp_path / f"{name}.npy") for name in ("bound", "again", "plain"))
    model = load(tmp_path / "vae.safetensors")
    np.testing.assert_array_equal(bound, model.score_samples(read(shared / "rows.npy"), n_draws=3))
    np.testing.assert_array_equal(bound, again)
    assert not np.allclose(bound, plain)


@pytest.mark.parametrize(("model", "names"), [("named", NAMES), ("plain", ["x0", "x1", "x2", "x3"])])
def test_contributions_add_up_to_the_score(shared, tmp_path, model, names):
    model = shared / f"{model}.safetensors"
    last = done("score", model, shared / "rows.npy", "--contributions", "--out", tmp_path / "c.csv")
    assert last.endswith("60 rows x 6 columns")
    done("score", model, shared / "rows.npy", "--out", tmp_path / "s.csv")
    assert read(tmp_path / "c.csv").column_names == [*names, "code", "base"]
    np.testing.assert_allclose(
        as_array(read(tmp_path / "c.csv")).sum(1), as_array(read(tmp_path / "s.csv"))[:, 0], rtol=1e-4
    )


def test_samples_have_the_columns_of_the_model_and_repeat_by_seed(shared, tmp_path):
    for name, seed in {"a": 1, "b": 1, "c": 2}.items():
        done("sample", shared / "named.safetensors", "-n", 7, "--seed", seed, "--out", tmp_path / f"{name}.csv")
    a, b, c = (read(tmp_path / f"{name}.csv") for name in "abc")
    assert (a.num_rows, a.column_names) == (7, NAMES)
    assert a.equals(b)
    assert not a.equals(c)


@pytest.mark.parametrize(("model", "suffix"), [("named", ".csv"), ("plain", ".npy")])
def test_samples_are_written_beside_the_model(shared, tmp_path, model, suffix):
    (tmp_path / "m.safetensors").write_bytes((shared / f"{model}.safetensors").read_bytes())
    assert done("sample", tmp_path / "m.safetensors") == f"wrote {tmp_path / 'm.samples'}{suffix}: 100 rows x 4 columns"
    assert as_array(read(tmp_path / f"m.samples{suffix}")).shape == (100, 4)


@pytest.mark.parametrize(("kinds", "wanted"), [(["oak", "ash"], "oak"), ([3, 4], "4"), (["1", "2"], "2")])
def test_samples_of_a_label_are_those_of_the_library(tmp_path, rows, kinds, wanted):
    labels = pa.array(kinds * 30)
    table = pa.table({**dict(zip(NAMES, rows.T, strict=True)), "kind": labels})
    write(tmp_path / "rows.parquet", table)
    done("fit", tmp_path / "rows.parquet", "--model", "conditional_vae", *TINY, "--condition", "kind")
    done("sample", tmp_path / "rows.safetensors", "-n", 5, "--condition", wanted, "--out", tmp_path / "new.npy")
    expected = load(tmp_path / "rows.safetensors").sample(5, y=type(kinds[0])(wanted))
    np.testing.assert_array_equal(read(tmp_path / "new.npy"), as_array(expected))


# Descriptions


def test_zoo_lists_every_variant_with_its_first_line():
    lines = call("zoo").stdout.splitlines()
    assert [line.split()[0] for line in lines] == zoo.__all__
    for line in lines:
        name, summary = line.split(maxsplit=1)
        assert summary == getattr(zoo, name).__doc__.splitlines()[0]


def test_info_says_what_a_model_file_holds(shared):
    facts = dict(
        line.split("  ", 1) for line in call("info", shared / "named.safetensors").stdout.splitlines() if "  " in line
    )
    facts = {name.strip(): fact.strip() for name, fact in facts.items()}
    assert facts["file"].endswith(f"named.safetensors, {(shared / 'named.safetensors').stat().st_size:,} bytes")
    assert facts["columns"] == "height, width, depth, weight"
    assert (facts["model"], facts["epochs"]) == ("Autoencoder", "1")
    assert facts["last epoch"].startswith("epoch 1, loss ")


def test_info_shows_parts_and_labels(tmp_path, table):
    write(tmp_path / "rows.csv", table)
    options = ["--model", "conditional_vae", "--condition", "kind", "--without", "noted by", "--set", "beta=2.5"]
    done("fit", tmp_path / "rows.csv", *TINY, *options)
    told = call("info", tmp_path / "rows.safetensors").stdout
    assert "ash, elm, oak" in told
    assert "bottlenecks.Gaussian(beta=2.5, " in told
    assert "hidden=(4,)" in told


def test_version_prints_the_version():
    assert done("--version") == f"isthmus {isthmus.__version__}"


# Errors


def test_an_unknown_model_is_refused_with_the_nearest(shared):
    message = refused("fit", shared / "rows.csv", "--model", "bvae")
    assert message.endswith("got 'bvae'; did you mean 'vae'?")
    assert "conditional_vae" in message


@pytest.mark.parametrize(
    ("setting", "end"),
    [
        ("n_component=8", "unknown --set key 'n_component' for vae; did you mean 'n_components'?"),
        ("bottleneck.bta=4", "unknown --set key 'bottleneck.bta' for vae; did you mean 'bottleneck.beta'?"),
        ("qqqqqqqq=4", "unknown --set key 'qqqqqqqq' for vae"),
        ("options=4", "did you mean 'corruption'?"),
        ("n_components", "--set takes NAME=VALUE, such as n_components=8, got 'n_components'"),
        ("bottleneck.beta=-1", "bottleneck.beta of Gaussian must be >= 0, got -1"),
        ("bottleneck=gausian", "did you mean 'gaussian'?"),
        (
            'bottleneck={"class": "os.system", "params": {}}',
            "pass your own classes of parts to load(path, parts=[...])",
        ),
    ],
)
def test_an_impossible_setting_is_refused(shared, tmp_path, setting, end):
    message = refused(
        "fit", shared / "rows.csv", "--model", "vae", *TINY, "--set", setting, "--out", tmp_path / "m.safetensors"
    )
    assert message.endswith(end)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{model: vae}", "is not JSON: "),
        ("[1, 2]", "must be an object with keys such as 'model' and 'set', got [1, 2]"),
        ('{"modle": "vae"}', "has an unknown key 'modle'; did you mean 'model'?"),
        ('{"set": ["n_components=8"]}', "'set' of run file"),
        ('{"seed": "one"}', "must be of type int, got 'one'"),
    ],
)
def test_a_run_file_that_cannot_be_read_is_refused(shared, tmp_path, text, said):
    (tmp_path / "run.json").write_text(text)
    assert said in refused("fit", shared / "rows.csv", "--config", tmp_path / "run.json")


def test_a_missing_run_file_is_named(shared, tmp_path):
    assert refused("fit", shared / "rows.csv", "--config", tmp_path / "run.json").startswith("there is no run file ")


def test_text_columns_are_categories_and_constant_ones_are_left_out(tmp_path, table):
    write(tmp_path / "rows.csv", table)
    with pytest.warns(UserWarning, match=r"left out: 'noted by' \('Ann' in all rows\)"):
        done("fit", tmp_path / "rows.csv", *TINY)
    assert {field.name: field.kind for field in load(tmp_path / "rows.safetensors").schema_.fields} == {
        **dict.fromkeys(NAMES, "real"),
        "kind": "category",
        "noted by": "constant",
    }


@pytest.mark.parametrize("command", ["transform", "reconstruct", "score", "impute"])
def test_exchanged_model_and_data_files_are_named(shared, tmp_path, command):
    message = refused(command, shared / "rows.csv", shared / "named.safetensors", "--out", tmp_path / "o.csv")
    assert message.endswith("rows.csv' is the name of a file of rows, expected a model file; MODEL comes before DATA")
    message = refused(command, shared / "named.safetensors", shared / "named.safetensors", "--out", tmp_path / "o.csv")
    assert "is the name of a model file, expected a file of rows" in message


@pytest.mark.parametrize("command", ["fit", "look", "doctor"])
def test_the_kind_of_an_unknown_column_is_refused_with_the_nearest(shared, command):
    message = refused(command, shared / "rows.csv", "--kind", "hight=real")
    assert message.endswith("rows.csv' has no column 'hight'; did you mean 'height'?")


@pytest.mark.parametrize("option", ["--columns", "--without", "--condition"])
def test_an_unknown_column_is_refused_with_the_nearest(shared, option):
    condition = () if option == "--condition" else ("--condition", "weight")
    message = refused("fit", shared / "rows.csv", "--model", "conditional_vae", *condition, option, "hight")
    assert message.endswith("rows.csv' has no column 'hight'; did you mean 'height'?")


def test_arrays_have_no_columns_to_name(shared):
    assert "rows.npy' has no column names" in refused("fit", shared / "rows.npy", "--without", "height")


def test_conditional_models_need_the_option_condition_and_others_refuse_it(shared):
    assert "takes no --condition; use --model conditional_vae" in refused(
        "fit", shared / "rows.csv", "--condition", "width"
    )
    assert "name its column of labels" in refused("fit", shared / "rows.csv", "--model", "conditional_vae")


def test_missing_labels_are_counted(tmp_path):
    (tmp_path / "rows.csv").write_text("a,kind\n" + "1,3\n2,\n" * 10)
    message = refused("fit", tmp_path / "rows.csv", "--model", "conditional_vae", "--condition", "kind")
    assert message.startswith("column 'kind' lacks 10 labels")


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_rows_to_hold_one_out_are_refused(tmp_path, n):
    (tmp_path / "rows.csv").write_text("a,b\n" + "1,2\n" * n)
    assert refused("fit", tmp_path / "rows.csv").startswith(f"n_samples={n}: fit needs at least 3 rows")


@pytest.mark.parametrize(
    ("text", "said"),
    [("1,inf", "column 'b' holds an infinite value"), ("1,", "column 'b': no value in any row")],
)
def test_columns_without_information_are_refused_by_name(tmp_path, text, said):
    (tmp_path / "rows.csv").write_text("a,b\n" + f"{text}\n" * 20)
    assert said in refused("fit", tmp_path / "rows.csv", *TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize("command", ["transform", "reconstruct", "score"])
def test_missing_columns_are_named(shared, tmp_path, table, command):
    write(tmp_path / "new.csv", table.drop_columns(["height", "depth"]))
    message = refused(command, shared / "named.safetensors", tmp_path / "new.csv")
    lacking = "new.csv' lacks columns that the model was fitted on: 'height', 'depth'"
    assert message.endswith(f"{lacking}; it has 'kind', 'noted by' instead")
    assert [path.name for path in tmp_path.iterdir()] == ["new.csv"]


@pytest.mark.parametrize("model", ["named", "plain"])
def test_arrays_of_another_width_are_refused(shared, tmp_path, model):
    np.save(tmp_path / "new.npy", np.zeros((5, 3)))
    message = refused("transform", shared / f"{model}.safetensors", tmp_path / "new.npy")
    assert "3" in message
    assert "4" in message


def test_a_missing_data_file_is_named_before_a_missing_output_folder(tmp_path):
    assert refused("fit", tmp_path / "nowhere" / "no.csv").startswith("there is no file ")


@pytest.mark.parametrize("command", ["transform", "reconstruct", "score"])
@pytest.mark.parametrize("role", ["model", "data"])
def test_missing_files_are_named(shared, tmp_path, command, role):
    model = tmp_path / "m.safetensors" if role == "model" else shared / "named.safetensors"
    data = tmp_path / "new.csv" if role == "data" else shared / "rows.csv"
    assert "there is no " in refused(command, model, data, "--out", tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["transform", "info", "sample"])
@pytest.mark.parametrize("harm", ["truncated", "overwritten", "of another kind"])
def test_damaged_model_files_are_refused(shared, tmp_path, command, harm):
    path, content = tmp_path / "m.safetensors", (shared / "named.safetensors").read_bytes()
    harmed = {"truncated": content[:-100], "overwritten": b"\xff" * 64 + content[64:], "of another kind": b"a,b\n1,2\n"}
    path.write_bytes(harmed[harm])
    message = refused(
        command, path, *([shared / "rows.csv", "--out", tmp_path / "o.csv"] if command == "transform" else [])
    )
    assert message.startswith(f"{str(path)!r} is damaged or not a model file of isthmus")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("command", ["info", "sample"])
def test_a_model_file_whose_header_lacks_something_is_refused(tmp_path, command):
    storage.write(tmp_path / "m.safetensors", {}, {"format": storage.FORMAT})
    message = refused(command, tmp_path / "m.safetensors")
    assert message.startswith(f"{str(tmp_path / 'm.safetensors')!r} is damaged: its header ")
    assert "'estimator'" in message


OUTPUTS = {
    "fit": ["no.csv"],
    "transform": ["no.safetensors", "no.csv"],
    "reconstruct": ["no.safetensors", "no.csv"],
    "score": ["no.safetensors", "no.csv"],
    "sample": ["no.safetensors"],
}


def lay_out_damaged_inputs(folder, monkeypatch):
    """Change to a folder with inputs that would raise an error when they are read."""
    monkeypatch.chdir(folder)
    for name in ("no.safetensors", "no.csv"):
        (folder / name).touch()


# For sample, a name without suffix may be a folder of images; this depends on the model.
@pytest.mark.parametrize(
    ("command", "name"), [pair for pair in product(OUTPUTS, ["out.xlsx", "out"]) if pair != ("sample", "out")]
)
def test_an_unknown_suffix_of_the_output_is_refused_before_the_work(tmp_path, monkeypatch, command, name):
    lay_out_damaged_inputs(tmp_path, monkeypatch)
    known = ".safetensors" if command == "fit" else "one of .csv, .tsv, .parquet, .npy, .npz"
    message = refused(command, *OUTPUTS[command], "--out", tmp_path / name)
    assert message.startswith(f"{str(tmp_path / name)!r} has the suffix ")
    assert message.endswith(f", expected {known}")


@pytest.mark.parametrize("command", OUTPUTS)
def test_a_missing_folder_of_the_output_is_refused_before_the_work(tmp_path, monkeypatch, command):
    lay_out_damaged_inputs(tmp_path, monkeypatch)
    out = tmp_path / "nowhere" / ("m.safetensors" if command == "fit" else "out.csv")
    assert refused(command, *OUTPUTS[command], "--out", out).endswith(f"there is no folder {str(out.parent)!r}")


def test_the_options_draws_and_contributions_exclude_each_other(shared):
    message = refused("score", shared / "named.safetensors", shared / "rows.csv", "--contributions", "--draws", 2)
    assert "leave --draws out" in message


def test_only_conditional_models_take_labels(shared, tmp_path):
    message = refused("sample", shared / "named.safetensors", "--condition", "oak", "--out", tmp_path / "new.csv")
    assert message == "the model was fitted without labels, so it takes no --condition"


@pytest.mark.parametrize("command", ["fit", "transform"])
def test_a_full_disk_leaves_the_old_file(shared, tmp_path, command, monkeypatch):
    def fill_the_disk(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("isthmus.storage.os.fsync", fill_the_disk)
    out = tmp_path / {"fit": "old.safetensors", "transform": "old.csv"}[command]
    out.write_text("old")
    before = [shared / "rows.csv", *TINY] if command == "fit" else [shared / "named.safetensors", shared / "rows.csv"]
    assert "No space left" in refused(command, *before, "--out", out, "--force")
    assert out.read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize("arguments", [["fit"], ["bake", "rows.csv"], ["zoo", "--all"], ["sample", "m", "-n", "0"]])
def test_wrong_usage_exits_with_2(arguments):
    assert call(*arguments).exit_code == 2


@pytest.mark.parametrize("kind", [AssertionError, TypeError, AttributeError, KeyError, IndexError, RuntimeError])
def test_an_unexpected_exception_is_an_internal_error(shared, monkeypatch, kind):
    def fail(*_):
        raise kind("a fault")

    monkeypatch.setattr("isthmus.cli.inference.transform", fail)
    result = call("transform", shared / "named.safetensors", shared / "rows.csv")
    assert result.exit_code == 70
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("isthmus: internal error, please report it; isthmus --debug shows the traceback")
    assert f"({kind.__name__}: " in result.stderr


@pytest.mark.parametrize(("error", "code"), [(KeyError("a fault"), 70), (ValueError("a mistake"), 2)])
def test_debug_shows_the_traceback_of_any_error(shared, monkeypatch, error, code):
    def fail(*_):
        raise error

    monkeypatch.setattr("isthmus.cli.inference.transform", fail)
    result = call("--debug", "transform", shared / "named.safetensors", shared / "rows.csv")
    assert result.exit_code == code
    assert "Traceback (most recent call last)" in result.stderr
    assert "in fail" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("isthmus: ")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MemoryError(), "there is not enough memory"),
        (MemoryError("Unable to allocate 8 GiB"), "Unable to allocate 8 GiB"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
            "there is not enough memory (DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes)",
        ),
    ],
)
def test_lack_of_memory_is_reported_as_such(shared, monkeypatch, error, sentence):
    def fail(*_):
        raise error

    monkeypatch.setattr("isthmus.cli.inference.transform", fail)
    assert refused("transform", shared / "named.safetensors", shared / "rows.csv") == sentence


@pytest.mark.parametrize("name", ["n_components", "max_epochs", "learning_rate", "batch_size", "patience", "schedule"])
@pytest.mark.parametrize("value", ["[1]", '{"a": 1}', "1j"])
def test_a_parameter_of_a_wrong_type_is_a_user_error(shared, tmp_path, name, value):
    assert refused("fit", shared / "rows.npy", "--set", f"{name}={value}", "--out", tmp_path / "m.safetensors")


@pytest.mark.parametrize("part", ["backbone", "bottleneck", "likelihood", "corruption", "regularizers"])
@pytest.mark.parametrize("value", ["5", "[1]", '{"class": "isthmus.Nothing", "params": {}}'])
def test_a_wrong_part_is_a_user_error(shared, tmp_path, part, value):
    message = refused("fit", shared / "rows.npy", "--set", f"{part}={value}", "--out", tmp_path / "m.safetensors")
    assert "isthmus.Nothing" in message or part.removesuffix("s") in message


def test_an_interrupt_exits_with_130_and_no_traceback(shared, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("isthmus.cli.inference.transform", interrupt)
    result = call("transform", shared / "named.safetensors", shared / "rows.csv")
    assert (result.exit_code, result.stderr) == (130, "")


def test_warnings_are_shown_as_a_sentence(capsys):
    for _ in range(2):
        show_warning(UserWarning("the loss\nbecame nan"), UserWarning, "loop.py", 1)
    assert capsys.readouterr().err == "isthmus: the loss became nan\n"


# In a separate process


def python(*arguments):
    return run_limited([sys.executable, *arguments], capture_output=True)


def test_the_module_runs_and_lists_the_commands():
    result = python("-m", "isthmus", "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert all(
        f"  {name} " in result.stdout for name in ("fit", "transform", "reconstruct", "score", "sample", "info", "zoo")
    )


def test_a_user_error_is_one_line_on_stderr_and_exit_code_2(tmp_path):
    result = python("-m", "isthmus", "info", str(tmp_path / "m.safetensors"))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"isthmus: there is no model file {str(tmp_path / 'm.safetensors')!r}\n"


@pytest.mark.parametrize("command", ["--help", "zoo"])
def test_commands_without_a_net_import_no_large_library(command):
    heavy = {"torch", "sklearn", "numpy", "pyarrow", "rich"}
    code = (
        f"import sys, typer; sys.argv = ['isthmus', {command!r}]\n"
        "typers = set(sys.modules)\n"  # typer before 0.17 imports rich
        "from isthmus.__main__ import main\n"
        "try: main()\n"
        f"except SystemExit: print('heavy:', *sorted({heavy!r} & set(sys.modules) - typers))"
    )
    assert python("-c", code).stdout.splitlines()[-1] == "heavy:"


# Errors of reconstructions


class Off:
    """Replace a fitted estimator; its reconstructions have a known error."""

    n_components = 1
    schema_ = Schema((4,))

    def __init__(self, by):
        self.by = by

    def reconstruct(self, X):
        return np.nan_to_num(X) + self.by


def test_baseline_errors_equal_those_of_scikit_learns_pca_and_of_the_mean(rows):
    train, test = rows[:50] * [1, 10, 100, 1000], rows[50:] * [1, 10, 100, 1000]
    scale = train.std(0)
    errors = compare(Off(by=3 * scale), train, test)
    pca = PCA(1).fit(train / scale)
    rebuilt = pca.inverse_transform(pca.transform(test / scale))
    assert (
        Training.of(as_source(train)).error_name
        == "mean squared error of numbers, relative to the variance of each column"
    )
    assert errors["model"] == pytest.approx(9)
    assert errors["PCA"] == pytest.approx(np.mean((test / scale - rebuilt) ** 2))
    assert errors["mean"] == pytest.approx(np.mean(((test - train.mean(0)) / scale) ** 2))


def test_errors_of_pixels_are_in_their_unit():
    train = load_digits().data[:300]
    assert Training.of(as_source(train)).error_name == "mean squared error per pixel"
    errors = compare(Off(by=2), train, train)
    assert errors["model"] == pytest.approx(4)
    assert errors["mean"] == pytest.approx(train.var(0).mean())


def test_errors_exclude_missing_values_and_baselines_fill_them_with_the_mean(rows):
    train, test = rows[:50].copy(), rows[50:].copy()
    train[::7, 1], test[::3, 2] = np.nan, np.nan
    mean, scale = np.nanmean(train, 0), np.nanstd(train, 0)
    errors = compare(Off(by=scale), train, test)
    filled = np.where(np.isnan(train), 0, (train - mean) / scale)
    wanted = (test - mean) / scale
    pca = PCA(1).fit(filled)
    rebuilt = pca.inverse_transform(pca.transform(np.nan_to_num(wanted)))
    assert errors["model"] == pytest.approx(1)
    assert errors["PCA"] == pytest.approx(np.nanmean((wanted - rebuilt) ** 2))
    assert errors["mean"] == pytest.approx(np.nanmean(wanted**2))


def test_errors_of_constant_rows_are_zero():
    train = np.full((10, 3), 5.0)
    assert compare(Off(by=0), train, train) == {"model": 0, "PCA": 0, "mean": 0}


def test_constant_columns_are_part_of_the_comparison(rows):
    train = np.column_stack([rows, np.full(60, 5.0)])
    errors = compare(Off(by=0), train, train)
    assert errors["model"] == 0
    assert errors["mean"] == pytest.approx(4 / 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "n_components=0"], "n_components must be a positive integer, got 0"),
        (["--set", "batch_size=0"], 'batch_size must be "auto" or a positive integer, got 0'),
        (["--set", "max_epochs=-1"], 'max_epochs must be "auto" or a positive integer, got -1'),
        (["--set", "learning_rate=-1"], 'learning_rate must be "auto" or a number > 0, got -1'),
        (["--set", "weight_decay=-1"], "weight_decay must be a number >= 0, got -1"),
        (["--set", "trim=2"], "trim must be in [0, 1), got 2"),
        (["--set", "schedule=linear"], "schedule must be one of ['constant', 'one_cycle'], got 'linear'"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
    ],
)
@pytest.mark.parametrize("command", ["fit", "doctor"])
def test_parameters_are_checked_before_rows_are_read(shared, tmp_path, monkeypatch, command, options, message):
    monkeypatch.setattr("isthmus.data.files.read", None)
    out = ["--out", tmp_path / "m.safetensors"] if command == "fit" else []
    result = call(command, shared / "rows.csv", *options, *out)
    assert result.exit_code == 2
    assert message in result.stderr


def test_intervals_say_how_certain_filled_cells_are(tmp_path, rng):
    size = rng.normal(size=200)
    table = pa.table(
        {
            "size": pa.array(size, mask=rng.random(200) < 0.2),
            "kind": pa.array(np.where(size > 0, "big", "small"), mask=rng.random(200) < 0.2),
            "whole": size + 1,
        }
    )
    write(tmp_path / "t.csv", table)
    with warnings.catch_warnings(action="ignore"):
        done(
            "fit",
            tmp_path / "t.csv",
            "--model",
            "imputer",
            "--set",
            "max_epochs=3",
            "--out",
            tmp_path / "m.safetensors",
        )
    arguments = ("impute", tmp_path / "m.safetensors", tmp_path / "t.csv")
    done(*arguments, "--intervals", "--seed", 0, "--out", tmp_path / "f.csv")
    filled = read(tmp_path / "f.csv").to_pandas()
    assert filled.columns.tolist() == ["size", "size_low", "size_high", "kind", "kind_share", "whole"]
    hidden = {name: table[name].is_null().to_numpy() for name in ("size", "kind")}
    for name, end in (("size", "low"), ("size", "high"), ("kind", "share")):
        np.testing.assert_array_equal(filled[f"{name}_{end}"].notna(), hidden[name])
    assert (filled["size_low"] <= filled["size_high"])[hidden["size"]].all()
    assert filled["kind_share"].dropna().between(0, 1).all()
    assert "give one of them" in refused(*arguments, "--intervals", "--draws", 2, "--out", tmp_path / "g.csv")
