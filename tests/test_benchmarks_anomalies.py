"""``benchmarks/anomalies.py`` on simulated data: training rows, measures and the report."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

N_CHANNELS, N_POINTS, TRAIN_END = 3, 900, 600


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return import_module


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """One small data set of every kind, at the paths of the real ones."""
    root = tmp_path / "data"
    monkeypatch.setenv("ISTHMUS_TEST_DATA", str(root))
    for name in ("adbench-classical", "nsl-kdd", "ucr-anomaly", "smd", "ecg5000-train"):
        (root / name).mkdir(parents=True)
    generator = np.random.default_rng(0)
    y = np.repeat([0, 1], [180, 20])
    X = generator.normal(size=(200, 4)) + 4 * y[:, None]
    np.savez(root / "adbench-classical" / "2_made.npz", X=X, y=y)
    np.savez(root / "ecg5000-train" / "ecg5000_train.npz", X=X, y=y + 1)
    frame = pd.DataFrame({"bytes": X[:, 0], "protocol": np.where(y, "icmp", "tcp"), "label": "what", "difficulty": 3})
    frame.assign(family=np.where(y, "dos", "normal")).to_csv(root / "nsl-kdd" / "train_20percent.csv.gz", index=False)
    series = np.sin(np.arange(N_POINTS)[:, None] * 2 * np.pi / 30 + np.arange(N_CHANNELS))
    series += 0.05 * generator.normal(size=series.shape)
    series[700:720] = 0.9
    np.savez(root / "ucr-anomaly" / "ucr_anomaly.npz", wave=series[:, 0].astype(np.float32))
    index = {"name": ["wave"], "train_end": [TRAIN_END], "anomaly_start": [700], "anomaly_end": [719]}
    pd.DataFrame(index).to_csv(root / "ucr-anomaly" / "index.csv", index=False)
    labels = np.repeat([0, 1, 0], [100, 20, 180])
    np.savez(root / "smd" / "machine-1.npz", train=series[:600], test=series[600:], test_label=labels)
    reference = tmp_path / "reference"
    reference.mkdir()
    for kind, value in (("pr", 0.25), ("roc", 0.75)):
        published = {"filename": [f"009_UCR_Anomaly_wave_{TRAIN_END}_700_720.txt", "other"], "AE": [value, 0.0]}
        pd.DataFrame(published).to_csv(reference / f"tsb_uad_per_series_auc_{kind}.csv", index=False)
    return root


def test_the_contaminated_protocol_leaves_anomalies_in(module, folder):
    (split,) = module("anomalies_data").contaminated(seed=0)
    assert split.name == "2_made"
    assert (split.train.shape, split.test.shape, split.labels.sum()) == ((140, 4), (60, 4), 6)
    np.testing.assert_allclose(split.train.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(split.train.std(axis=0), 1)
    assert abs(split.test.mean()) > 1e-6


def test_the_one_class_protocol_learns_from_half_of_the_normal_rows(module, folder):
    (split,) = module("anomalies_data").one_class(seed=0)
    assert (len(split.train), len(split.test), split.labels.sum()) == (90, 110, 20)
    together = np.vstack([split.train, split.test])
    assert len(np.unique(together, axis=0)) == 200
    assert split.train.max() < 4
    (other,) = module("anomalies_data").one_class(seed=1)
    assert not np.array_equal(split.train, other.train)


def test_subsampling_keeps_anomalies(module):
    X, y = np.arange(1000)[:, None], np.repeat([0, 1], [988, 12])
    rows, labels = module("anomalies_data").cut(X, y, 100, seed=0)
    assert labels.sum() >= 5
    assert (y[rows[:, 0]] == labels).all()
    assert module("anomalies_data").cut(X, y, 1000, seed=0)[0] is X


def test_attacks_and_their_names_are_not_in_the_training_rows(module, folder):
    (split,) = module("anomalies_data").intrusion(seed=0)
    assert list(split.train.columns) == ["bytes", "protocol"]
    assert set(split.train["protocol"]) == {"tcp"}
    assert (split.labels == (split.test["protocol"] == "icmp")).all()


def test_series_are_evaluated_after_the_training_part(module, folder):
    (split,) = module("anomalies_data").ucr(seed=0)
    assert (split.train.shape, split.test.shape, split.context) == ((600, 1), (900, 1), 600)
    assert np.flatnonzero(split.labels).tolist() == list(range(700, 720))
    anomalies = module("anomalies")
    # The highest score lies before the points that count in the measures.
    scores = split.labels + 2.0 * (np.arange(900) == 10)
    figures = anomalies.measure_points(split, scores)
    assert (figures["archive hit"], figures["AUC-PR"]) == (1, 1)
    assert figures["AUC-PR, whole series"] < 1
    assert module("anomalies_data").load_published_ucr("wave") == {
        "AUC-PR, whole series": 0.25,
        "AUC-ROC, whole series": 0.75,
    }


def test_points_get_the_mean_of_their_windows(module):
    peers = module("peers_series")
    scores = np.array([1.0, 5.0, 3.0])
    assert peers.to_points(scores, 2).tolist() == [1, 3, 4, 3]
    series = np.arange(8.0).reshape(4, 2)
    assert peers.windows(series, 3).tolist() == [[0, 2, 4, 1, 3, 5], [2, 4, 6, 3, 5, 7]]


def test_the_estimated_period_is_that_of_the_sine_wave(module):
    period = module("peers_series").period
    assert period(np.sin(np.arange(2000) * 2 * np.pi / 37)) == 37
    assert period(np.arange(2000.0)) == 100


def test_every_compared_method_on_windows_finds_the_flat_part(module, folder, monkeypatch):
    peers, data = module("peers_series"), module("anomalies_data")
    monkeypatch.setattr(peers, "EPOCHS_USAD", 100)
    (of_one,), (of_many,) = data.ucr(0), data.servers(0)
    for name, fit in peers.OF_SERVERS.items():
        for split in (of_one, of_many) if name != "isthmus" else ():
            state = torch.random.get_rng_state()
            scores = fit(split.train, 0)(split.test)
            assert scores.shape == split.labels.shape
            assert scores[split.labels == 1].mean() > scores[split.labels == 0].mean(), name
            assert torch.equal(torch.random.get_rng_state(), state)


def broken(rows, seed):
    raise ValueError("no such luck")


def test_a_benchmark_run_measures_and_reports_all_methods(module, folder, tmp_path, monkeypatch):
    anomalies, peers, of_series = (module(name) for name in ("anomalies", "anomalies_peers", "peers_series"))
    forest = peers.isolation_forest
    rows = {"isthmus": forest, "PyOD AutoEncoder": peers.pca, "broken": broken}
    frames = dict.fromkeys(("isthmus", "isthmus encoder"), peers.encode_frames(forest))
    series = {"isthmus": of_series.OF_SERIES["Sub-PCA"], **dict.fromkeys(NAMES, of_series.OF_SERVERS["PCA"])}
    methods = {"contaminated": rows, "one-class": rows, "beats": rows, "intrusion": frames}
    for name, task in anomalies.TASKS.items():
        monkeypatch.setitem(anomalies.TASKS, name, task._replace(methods=methods.get(name, series)))
    anomalies.run([], 1, None, None, None, tmp_path / "out")

    records = [json.loads(line) for line in (tmp_path / "out" / "anomalies.jsonl").read_text().splitlines()]
    assert {record["task"] for record in records} == set(anomalies.TASKS)
    assert {record["failed"] for record in records if record["method"] == "broken"} == {"ValueError: no such luck"}
    assert all(np.isfinite(record["value"]) for record in records if "failed" not in record)
    page = (tmp_path / "out" / "anomalies.md").read_text()
    assert "not measured" not in page
    assert "| one-class: mean AUROC | at least 0.9 |" in page
    assert "| contaminated: median fit time over that of PyOD's AutoEncoder | at most 1 |" in page
    assert "| ucr: archive hit | at least 0.75 | 1.000 | yes |" in page
    assert "Failed in beats, at least once: broken, `ValueError: no such luck`." in page
    for name in ("2_made", "NSL-KDD", "wave", "smd machine-1", "ECG5000"):
        assert f"| {name} |" in page


NAMES = ("PCA", "Sub-PCA", "KMeansAD", "IForest", "USAD")


def test_a_mean_is_shown_only_over_all_data_sets(module):
    report = module("anomalies_report")
    book = {
        ("ucr", "a", "isthmus", "VUS-PR"): 0.5,
        ("ucr", "b", "isthmus", "VUS-PR"): 0.7,
        ("ucr", "a", "PCA", "VUS-PR"): 0.9,
    }
    assert report.average_over_sets(book, "ucr", "isthmus", "VUS-PR") == pytest.approx(0.6)
    assert report.average_over_sets(book, "ucr", "PCA", "VUS-PR") is None
    assert report.lead(book, "ucr", "VUS-PR", ("PCA",)) is None


def test_the_heavily_contaminated_protocol_leaves_29_percent_anomalies_in(module, folder, monkeypatch):
    data = module("anomalies_data")
    monkeypatch.setattr(data, "FEWEST_ROWS", 40)
    (split,) = data.heavily_contaminated(seed=0)
    # 14 of the 140 training rows are anomalies, and 14 / 0.29 = 48.3.
    assert (split.train.shape, split.test.shape, split.labels.sum()) == ((48, 4), (60, 4), 6)
    monkeypatch.setattr(data, "FEWEST_ROWS", 49)
    assert list(data.heavily_contaminated(seed=0)) == []
    many = data.thin(np.repeat([0, 1], [71, 100]), 0.29, seed=0)
    assert (np.bincount((many >= 71).astype(int)) == [71, 29]).all()
