"""Novel values: their surprise compared with closed forms and brute force, and their effect in all detectors."""

import math

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from test_cli import call, done

from isthmus import AnomalyDetector, Autoencoder, BaggedAutoencoders, load, save
from isthmus.anomaly.novelty import Novelty
from isthmus.backbones import MLP

pytestmark = pytest.mark.filterwarnings("ignore:left out", "ignore:dates outside", "ignore:treated as missing")

LIBRARIES = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
}
SMALL = Autoencoder(2, backbone=MLP((8,)), max_epochs=2)


def connections(n, seed=0):
    """Normal rows of a table with columns of all kinds."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "flag": rng.choice(["SF", "REJ"], n, p=[0.9, 0.1]),
            "bytes": rng.gamma(5, size=n),
            "load": rng.normal(size=n),
            "land": np.zeros(n, dtype=int),
            "guest": rng.choice([0, 1], n),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 1000, n), unit="h"),
            "id": [f"k{seed}-{i}" for i in range(n)],
        }
    )


def with_news(frame):
    """Return six rows, all but the first with a novel value, and the columns of these values."""
    rows = frame.iloc[:6].reset_index(drop=True)
    rows["day"], rows["load"] = rows["day"].astype("datetime64[ns]"), rows["load"].astype(float)
    rows.loc[1, "flag"] = "S0"
    rows.loc[2, "load"] = np.nan
    rows.loc[3, "land"] = 1
    rows.loc[4, "day"] = pd.NaT
    rows.loc[5, ["guest", "flag"]] = [2, None]
    return rows, [(), ("flag",), ("load",), ("land",), ("day",), ("flag", "guest")]


# Surprise


@pytest.mark.parametrize("library", LIBRARIES)
def test_new_categories_new_missing_values_and_changed_constants_are_found(library):
    frame = connections(200)
    rows, news = with_news(frame)
    novelty = Novelty.fit(LIBRARIES[library](frame))
    found = novelty.find(LIBRARIES[library](rows))
    assert [tuple(name for name in sorted(found) if found[name][i]) for i in range(6)] == news
    expected = [len(names) * math.log(201) for names in news]
    np.testing.assert_allclose(novelty.surprise(found), expected)


def test_the_surprise_is_the_good_turing_estimate():
    """Three of 100 values occurred once: about 4 of 101 new rows have a new value."""
    frame = pd.DataFrame({"city": ["Oslo"] * 60 + ["Bergen"] * 37 + ["Vik", "Voss", "Moss"]})
    novelty = Novelty.fit(frame)
    surprise = novelty.surprise(novelty.find(pd.DataFrame({"city": ["Ulvik", "Vik"]})))
    np.testing.assert_allclose(surprise, [math.log(101 / 4), 0])


@pytest.mark.parametrize("seed", range(3))
def test_rows_of_fit_are_as_surprising_as_if_the_others_were_all(seed):
    rng = np.random.default_rng(seed)
    n = 40
    frame = pd.DataFrame(
        {
            "tail": rng.zipf(1.7, n).clip(max=12).astype(str),
            "hole": np.where(np.arange(n) == 7, np.nan, rng.normal(size=n)),
            "moved": (np.arange(n) == 3).astype(int),
            "third": np.where(np.arange(n) == 5, 2, rng.integers(0, 2, n)),
            "text": [f"words {i}" for i in range(n)],
            "many": rng.integers(0, 9, n),
        }
    )
    each = []
    for i in range(n):
        others = Novelty.fit(frame.drop(index=i))
        each.append(float(np.sum(others.surprise(others.find(frame.iloc[[i]])))))
    held_out = Novelty.fit(frame).held_out
    np.testing.assert_allclose(held_out, each)
    assert (held_out[[3, 5, 7]] > 3).all()


@pytest.mark.parametrize("container", [np.asarray, torch.as_tensor, np.ndarray.tolist])
def test_columns_of_arrays_are_named_by_position(container):
    X = np.random.default_rng(0).normal(size=(100, 3))
    X[:, 1] = 0.1
    rows = X[:3].copy()
    rows[0, 0], rows[1, 1], rows[2, 1] = np.nan, 0.2, np.float32(0.1)
    novelty = Novelty.fit(container(X))
    found = novelty.find(container(rows))
    assert {place: mask.tolist() for place, mask in found.items()} == {0: [True, False, False], 1: [False, True, False]}
    settled = np.asarray(novelty.replace_novel(container(rows), found))
    assert settled[1, 1] == 0.1
    assert settled[0, 0] in X[:, 0]
    assert np.isnan(rows[0, 0])


def test_large_whole_numbers_that_never_varied_move_by_one():
    X = np.full((50, 1), 1_700_000_000)
    novelty = Novelty.fit(X)
    assert novelty.find(X + 1)[0].all()
    assert not novelty.find(X)


def test_texts_images_and_columns_of_another_type_are_left_to_the_estimator():
    assert Novelty.fit(["red fish", "blue fish"]).columns == ()
    assert Novelty.fit(np.zeros((5, 8, 8), dtype=np.uint8)).columns == ()
    novelty = Novelty.fit(pd.DataFrame({"zip": ["0150", "N1"] * 20}))
    assert novelty.find(pd.DataFrame({"zip": [150, 151]})) == {}


def test_p_values_of_rows_with_rare_values_are_uniform():
    """Scores that consist of surprise only, so that ties and rare values matter."""

    class Indifferent(BaseEstimator):
        def fit(self, X):
            self.held_out_scores_ = np.zeros(len(X))
            return self

        def score_samples(self, X):
            return np.zeros(len(X))

    shares = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        frames = [pd.DataFrame({name: rng.zipf(2.0, 200).astype(str) for name in "abcdef"}) for _ in range(2)]
        detector = AnomalyDetector(Indifferent(), fpr=0.05, random_state=seed).fit(frames[0])
        shares.append([(detector.p_values(frames[1]) <= level).mean() for level in (0.02, 0.1, 0.5)])
    np.testing.assert_allclose(np.mean(shares, 0), [0.02, 0.1, 0.5], atol=0.01)
    assert detector.calibration_scores_.min() < 0


# Detectors


DETECTORS = {
    "default": None,
    "autoencoder": SMALL,
    "ensemble": BaggedAutoencoders(SMALL, 2),
}


@pytest.mark.parametrize(
    ("name", "library"),
    [("default", "pandas"), ("ensemble", "polars"), *(("autoencoder", library) for library in LIBRARIES)],
)
def test_detectors_alarm_at_values_never_seen_in_fit_and_explain_them(name, library):
    frame = connections(300)
    rows, news = with_news(frame)
    detector = AnomalyDetector(DETECTORS[name], fpr=0.02, random_state=0).fit(LIBRARIES[library](frame))
    scores = detector.score_samples(LIBRARIES[library](rows))
    assert detector.predict(LIBRARIES[library](rows))[1:].tolist() == [-1] * (len(rows) - 1)
    explanation = detector.explain(LIBRARIES[library](rows))
    np.testing.assert_allclose(explanation.scores, scores, rtol=1e-6)
    addends = nw.from_native(explanation.contributions).to_numpy()
    np.testing.assert_allclose(addends.sum(1), scores, rtol=1e-5)
    for row, names in enumerate(news):
        reasons = {reason.feature: reason for reason in explanation.reasons(row, top=9)}
        said = {feature for feature, reason in reasons.items() if reason.novelty}
        assert said == set(names)
        assert all(reasons[each].novelty == "never seen in 300 rows" for each in names)
    told = [str(reason) for row in (1, 2, 3) for reason in explanation.reasons(row)]
    assert any(text.startswith("row 1: flag = S0, never seen in 300 rows, ") for text in told)
    assert any(text.startswith("row 3: land = 1, never seen in 300 rows, ") for text in told)


def test_foreign_estimators_never_get_categories_that_they_refuse():
    frame = connections(300).drop(columns=["id", "day"])
    rows = frame.iloc[:3].reset_index(drop=True)
    rows.loc[1, "flag"], rows.loc[2, "land"] = "S0", 1
    encoder = make_column_transformer((OneHotEncoder(), ["flag"]), remainder="passthrough")
    forest = make_pipeline(encoder, IsolationForest(n_estimators=50))
    detector = AnomalyDetector(forest, fpr=0.02, random_state=0).fit(frame)
    assert detector.predict(rows)[1:].tolist() == [-1, -1]
    told = str(detector.explain(rows))
    assert "row 1: flag = S0, never seen in 300 rows, " in told
    assert "row 2: land = 1, never seen in 300 rows, " in told


def test_columns_that_are_named_by_numbers_are_explained():
    frame = connections(200)[["flag", "load", "land"]].set_axis(range(3), axis=1)
    rows = frame.iloc[:2].copy()
    rows.loc[0, [0, 2]] = ["S0", 1]
    told = str(AnomalyDetector(random_state=0).fit(frame).explain(rows))
    assert told.startswith("row 0: 0 = S0, never seen in 200 rows, 50 % of the score\nrow 0: 2 = 1, never seen in 200 ")


@pytest.mark.parametrize("how", ["cross", "split"])
def test_held_out_rows_are_compared_with_values_of_the_other_rows(how):
    """The only row with a rare value has a low score when it is held out, for any estimator."""
    frame = connections(200)
    frame["rare"] = np.where(np.arange(200) == 11, "rare", "usual")
    detector = AnomalyDetector(SMALL, calibration=how, fpr=0.1, random_state=0).fit(frame)
    rows = frame.iloc[:1].assign(rare="unheard of")
    assert detector.predict(rows)[0] == -1


def test_the_error_of_estimators_without_missing_values_is_unchanged():
    X = np.random.default_rng(0).normal(size=(100, 2))
    detector = AnomalyDetector(GaussianMixture(), random_state=0).fit(X)
    with pytest.raises(ValueError, match="NaN"):
        detector.predict([[np.nan, 0.0]])


def test_a_saved_detector_keeps_the_values_seen_in_fit(tmp_path):
    frame = connections(200)
    detector = AnomalyDetector(random_state=0).fit(frame)
    save(detector, tmp_path / "d.safetensors")
    again, (rows, _) = load(tmp_path / "d.safetensors"), with_news(frame)
    np.testing.assert_array_equal(again.score_samples(rows), detector.score_samples(rows))
    assert str(again.explain(rows)) == str(detector.explain(rows))
    assert again._scorer.novelty.columns == detector._scorer.novelty.columns


def test_partial_fit_takes_values_never_seen_in_fit():
    frame = connections(200)
    rows, _ = with_news(frame)
    detector = AnomalyDetector(SMALL, fpr=0.1, random_state=0).partial_fit(frame)
    detector.partial_fit(rows)
    assert (detector.score_samples(rows)[1:] < np.quantile(detector.score_samples(frame), 0.1)).all()


def test_an_attack_is_found_by_a_flag_absent_from_normal_rows(tmp_path):
    normal, new = connections(500), connections(100, seed=1)
    new.loc[7, "flag"] = "S0"
    normal.to_csv(tmp_path / "normal.csv", index=False)
    new.to_csv(tmp_path / "new.csv", index=False)
    options = ["--normal", tmp_path / "normal.csv", "--explain", "1", "--out", tmp_path / "alarms.csv"]
    said = call("detect", tmp_path / "new.csv", *options, "--save", tmp_path / "d.safetensors").stdout
    assert "\nrow 7: flag = S0, never seen in 500 rows, " in said
    assert pd.read_csv(tmp_path / "alarms.csv").loc[0, "row"] == 7
    done("score", tmp_path / "d.safetensors", tmp_path / "new.csv", "--out", tmp_path / "scores.csv")
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert scores["score"].idxmin() == 7
    assert scores.loc[7, "is_anomaly"]
