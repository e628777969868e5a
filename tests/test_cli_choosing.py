"""``isthmus fit --model auto``: the variant that suits a file, by rules and by a leaderboard."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from test_cli import call, done, refused

from isthmus import load
from isthmus.data.files import write

TINY = ["--set", "max_epochs=1"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    numbers = rng.normal(size=(60, 2)) @ rng.normal(size=(2, 4)) + 0.1 * rng.normal(size=(60, 4))
    write(folder / "rows.csv", numbers, list("abcd"))
    table = pd.DataFrame(numbers[:, :2], columns=["a", "b"])
    table.assign(kind=np.where(table["a"] > 0, "u", "v")).to_csv(folder / "kinds.csv", index=False)
    table.assign(day=pd.date_range("2024-01-01", periods=60)).to_csv(folder / "sensor.csv", index=False)
    (folder / "photos").mkdir()
    for i in range(12):
        Image.fromarray(rng.integers(256, size=(8, 8), dtype=np.uint8)).save(folder / "photos" / f"{i}.png")
    return folder


@pytest.mark.parametrize(
    ("data", "options", "variant"),
    [
        ("rows.csv", [], "autoencoder"),
        ("rows.csv", ["--use", "impute"], "imputer"),
        ("rows.csv", ["--use", "features"], "autoencoder"),
        ("kinds.csv", ["--use", "generate"], "tabular_vae"),
        ("kinds.csv", ["--condition", "kind"], "conditional_vae"),
        ("sensor.csv", [], "autoencoder"),
        ("photos", ["--set", "backbone.channels=[4]"], "convolutional"),
    ],
)
def test_the_variant_suits_the_file_and_the_use(folder, tmp_path, data, options, variant):
    result = call("fit", folder / data, "--model", "auto", *TINY, *options, "--out", tmp_path / "m.safetensors")
    assert result.exit_code == 0, result.output
    assert "X has " in result.stdout
    assert f"{variant} fitted to" in result.stdout.splitlines()[-1]
    assert load(tmp_path / "m.safetensors").max_epochs == 1


def test_options_replace_parameters_of_the_choice(folder, tmp_path):
    done(
        "fit",
        folder / "rows.csv",
        "--model",
        "auto",
        *TINY,
        "--set",
        "n_components=1",
        "--out",
        tmp_path / "m.safetensors",
    )
    assert load(tmp_path / "m.safetensors").n_components == 1


def test_a_run_file_may_ask_for_the_choice(folder, tmp_path):
    (tmp_path / "run.json").write_text('{"model": "auto", "set": {"max_epochs": 1}}')
    last = done(
        "fit",
        folder / "rows.csv",
        "--config",
        tmp_path / "run.json",
        "--use",
        "impute",
        "--out",
        tmp_path / "m.safetensors",
    )
    assert "imputer fitted to 54 rows" in last


def test_a_budget_prints_a_leaderboard_of_rows_that_neither_fit_nor_comparison_use(tmp_path):
    rng = np.random.default_rng(0)
    write(tmp_path / "rows.csv", rng.normal(size=(150, 4)), list("abcd"))
    result = call("fit", tmp_path / "rows.csv", "--model", "auto", *TINY, "--budget", "0.001")
    assert result.exit_code == 0, result.output
    assert "relative to that of the mean" in result.stdout
    assert "27 held-out rows" in result.stdout  # a fifth of the 135 rows that fit gets
    assert "15 held-out rows" in result.stdout
    assert "no time was left for linear, vae" in result.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--use", "impute"], "they need --model auto, got --model autoencoder"),
        (["--budget", "5", "--model", "vae"], "they need --model auto, got --model vae"),
        (["--model", "auto", "--budget", "0"], "--budget must be a number of seconds > 0, got 0"),
        (
            ["--model", "auto", "--use", "sort"],
            "--use must be one of reduce, features, impute, generate, topics, got 'sort'",
        ),
        (["--model", "auto", "--use", "topics"], "use='topics' takes counts, texts, but X has 54 rows of 4 columns"),
        (["--model", "auto", "--use", "detect"], "--use detect: use the command isthmus detect"),
        (["--model", "auto", "--budget", "5"], "n_samples=54: a leaderboard needs 20 rows"),
        (["--model", "auto", "--set", "nonsense=1"], "unknown --set key 'nonsense'"),
    ],
)
def test_a_choice_that_is_not_possible_is_one_sentence_and_leaves_no_file(folder, tmp_path, options, said):
    out = tmp_path / "m.safetensors"
    assert said in refused("fit", folder / "rows.csv", *options, "--out", out)
    assert not out.exists()


def test_labels_need_a_use_that_takes_them(folder, tmp_path):
    options = ["--model", "auto", "--condition", "kind", "--use", "features", "--out", tmp_path / "m.safetensors"]
    message = refused("fit", folder / "kinds.csv", *options)
    assert message == "--condition is for conditional models, but --use features suggests none: leave it out"


def test_an_estimator_that_is_no_variant_is_named(tmp_path, rng):
    np.save(tmp_path / "waves.npy", rng.normal(size=(30, 2, 16)))
    message = refused("fit", tmp_path / "waves.npy", "--model", "auto", "--use", "impute")
    assert message == "the rows are series, and --use impute suggests SeriesImputer() for them; fit it in Python"
