"""Model files of every class with every command: used, or an error that names the contents of the file."""

import re

import numpy as np
import pandas as pd
import pyarrow.csv
import pytest
from test_cli import call, done, refused

from isthmus import (
    AnomalyDetector,
    Autoencoder,
    BaggedAutoencoders,
    Decoder,
    ExemplarDistance,
    SlidingWindows,
    load,
    save,
    storage,
    zoo,
)
from isthmus.backbones import MLP
from isthmus.cli.models import TAKES
from isthmus.formatting import format_percent

COLUMNS = ["length", "width", "city"]
FILES = [
    "Autoencoder",
    "Decoder",
    "BaggedAutoencoders",
    "ExemplarDistance",
    "SlidingWindows",
    "AnomalyDetector",
    "AnomalyDetector of SlidingWindows",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a folder with a model file of every class, rows of a table and a series."""
    folder, rng = tmp_path_factory.mktemp("models"), np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(150, 2)), columns=COLUMNS[:2])
    rows["city"] = rng.choice(["Oslo", "Bergen"], 150)
    rows["note"] = [f"note {i}" for i in range(150)]
    rows.to_csv(folder / "rows.csv", index=False)
    time = pd.date_range("2024-01-01", periods=300, freq="h")
    series = pd.DataFrame({"time": time, "load": np.sin(np.arange(300) / 4) + 0.05 * rng.normal(size=300)})
    series.to_csv(folder / "series.csv", index=False)
    small = {"backbone": MLP((8,)), "max_epochs": 1, "random_state": 0}
    vae, table = zoo.vae(2, likelihood="auto", **small).fit(rows[COLUMNS]), rows[COLUMNS]
    sliding = SlidingWindows(lengths=(8,), views=("values",), time="time", random_state=0)
    models = {
        "Autoencoder": vae,
        "Decoder": Decoder(vae),
        "BaggedAutoencoders": BaggedAutoencoders(Autoencoder(2, **small), 2, random_state=0).fit(table),
        "ExemplarDistance": ExemplarDistance(Autoencoder(2, **small), random_state=0).fit(table),
        "SlidingWindows": sliding.fit(series),
        "AnomalyDetector": AnomalyDetector(random_state=0).fit(table),
        "AnomalyDetector of SlidingWindows": AnomalyDetector(sliding, fpr=0.05, random_state=0).fit(series),
    }
    for name, model in models.items():
        save(model, folder / f"{name}.safetensors")
    return folder


def words(command, model, data, out):
    """Return a command with its arguments."""
    if command == "doctor":
        return ["doctor", model, data]
    if command == "sample":
        return ["sample", model, "-n", "3", "--out", out]
    if command == "detect --detector":
        return ["detect", data, "--detector", model, "--out", out]
    if command == "export":
        return ["export", model, "--data", data, "--to", out.with_suffix(".pt2")]
    if command == "report":
        return ["report", model, data, "--out", out.with_suffix(".html")]
    name, *option = command.split()
    return [name, model, data, *option, *(["2"] if option == ["--draws"] else []), "--out", out]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("command", TAKES)
def test_a_command_takes_a_model_or_names_its_kind_and_the_commands_for_it(home, tmp_path, command, file):
    data = home / ("series.csv" if "SlidingWindows" in file else "rows.csv")
    arguments, kind = words(command, home / f"{file}.safetensors", data, tmp_path / "out.csv"), file.split()[0]
    if command == "export" and "of SlidingWindows" in file:
        assert "a detector with SlidingWindows cannot be exported" in refused(*arguments)
        return
    if command == "doctor" and kind == "AnomalyDetector":  # of other estimators than autoencoders
        name = "SlidingWindows" if "SlidingWindows" in file else "ExemplarDistance"
        assert f"scores rows by {name}, which the doctor cannot examine" in refused(*arguments)
        return
    if kind in TAKES[command]:
        wrote = rf"^wrote {re.escape(str(tmp_path))}/out(\.1)?\.(csv|html|pt2): "
        prints = r"^(no problems found|(error|warning|hint): )" if command == "doctor" else wrote
        assert re.search(prints, call(*arguments).stdout, re.MULTILINE)
        return
    message = refused(*arguments)
    assert f" {kind}, which {command} does not take; commands that take it are " in message
    assert all((name in message) for name in TAKES if kind in TAKES[name])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("file", FILES)
def test_info_describes_every_class(home, file):
    told = call("info", home / f"{file}.safetensors")
    assert told.exit_code == 0, told.output
    assert "load" in told.output if "SlidingWindows" in file else "city" in told.output
    assert file.split()[0] in told.output
    model = load(home / f"{file}.safetensors")
    if isinstance(model, AnomalyDetector):
        assert f"{format_percent(model.fpr_)} of normal rows or time points on average" in told.output
        assert f"{len(model.calibration_scores_)} rows scored by models that had not seen them" in told.output


@pytest.mark.parametrize("command", [*TAKES, "info"])
def test_a_checkpoint_is_not_accepted_as_a_model(home, tmp_path, command):
    path = tmp_path / "checkpoint.safetensors"
    storage.write(path, {}, {"fingerprint": "0", "state": {}})
    arguments = ["info", path] if command == "info" else words(command, path, home / "rows.csv", tmp_path / "out.csv")
    assert "checkpoint of an unfinished fit" in refused(*arguments)


def test_a_detector_scores_all_rows_with_p_values_and_decisions(home, tmp_path):
    done("score", home / "AnomalyDetector.safetensors", home / "rows.csv", "--out", tmp_path / "scores.csv")
    found = pyarrow.csv.read_csv(tmp_path / "scores.csv").to_pandas()
    detector = load(home / "AnomalyDetector.safetensors")
    rows = pyarrow.csv.read_csv(home / "rows.csv").select(COLUMNS).to_pandas()
    np.testing.assert_allclose(found["score"], detector.score_samples(rows), rtol=1e-12)
    ranks = np.searchsorted(detector.calibration_scores_, detector.score_samples(rows), side="right")
    np.testing.assert_allclose(found["p_value"], (1 + ranks) / (1 + len(detector.calibration_scores_)))
    assert found["is_anomaly"].tolist() == (detector.predict(rows) == -1).tolist()


def test_rows_are_scored_once_for_scores_p_values_and_decisions(home, tmp_path, monkeypatch):
    calls, score_samples = [], AnomalyDetector.score_samples

    def count(detector, X):
        calls.append(len(X))
        return score_samples(detector, X)

    monkeypatch.setattr(AnomalyDetector, "score_samples", count)
    model, rows = home / "AnomalyDetector.safetensors", home / "rows.csv"
    done("score", model, rows, "--out", tmp_path / "scores.csv")
    assert calls == [150]
    done("detect", rows, "--detector", model, "--fdr", "0.2", "--out", tmp_path / "alarms.csv")
    assert calls == [150, 150]
    done("detect", rows, "--fdr", "0.2", "--seed", "0", "--without", "note", "--out", tmp_path / "own.csv")
    assert calls == [150, 150]  # the rows of fit have held-out scores


def test_a_decoder_draws_the_samples_of_its_autoencoder(home, tmp_path):
    for name in ("Autoencoder", "Decoder"):
        done("sample", home / f"{name}.safetensors", "--seed", "1", "--out", tmp_path / f"{name}.csv")
    assert (tmp_path / "Decoder.csv").read_text() == (tmp_path / "Autoencoder.csv").read_text()


def test_contributions_of_channels_have_their_names(home, tmp_path):
    arguments = words(
        "score --contributions", home / "SlidingWindows.safetensors", home / "series.csv", tmp_path / "out.csv"
    )
    done(*arguments)
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == '"time","load","base"'
