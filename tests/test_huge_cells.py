"""Finite values of any size: in new rows they are alarms that name them, and in training rows errors."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import small
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor
from typer.testing import CliRunner

from isthmus import AnomalyDetector, Autoencoder, BaggedAutoencoders, ExemplarDistance, SlidingWindows, load, save, zoo
from isthmus.backbones import MLP
from isthmus.cli.app import app
from isthmus.functional import compress_tails

HUGE = (1e9, 1e20, -1e20, 1e39, -1e39, 1.7e308, -1.7e308, np.finfo(float).max)
NET = {"backbone": MLP((16,)), "max_epochs": 15, "random_state": 0}
ESTIMATORS = {
    "autoencoder": lambda: Autoencoder(2, **NET),
    "vae": lambda: zoo.vae(2, **NET),
    "student": lambda: zoo.vae(2, likelihood="student_t", **NET),
    "float64": lambda: Autoencoder(2, precision="float64", **NET),
    "ensemble": lambda: BaggedAutoencoders(Autoencoder(2, backbone=MLP((16,)), max_epochs=15), 4, random_state=0),
    "proximity": lambda: ExemplarDistance(random_state=0),
    "mixture": lambda: GaussianMixture(2, random_state=0),
    "neighbours": lambda: LocalOutlierFactor(novelty=True),
    "pca": lambda: PCA(2),
}


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 4)) @ rng.normal(size=(4, 4)) + 3


@pytest.fixture(scope="module")
def detectors(X):
    return {
        name: AnomalyDetector(make(), calibration="split", random_state=0).fit(X) for name, make in ESTIMATORS.items()
    }


def spoiled(X, row, column, value):
    X = X.copy()
    X[row, column] = value
    return X


# The function


def test_compression_keeps_the_order_of_values_and_usual_values_exactly():
    x = torch.tensor([-1.7e308, -1e39, -20.0, -9.9, 0.0, 10.0, 10.1, 1e3, 1e20, 1e39, 1.7e308], dtype=torch.float64)
    found = compress_tails(x, torch.tensor(0.0), torch.tensor(10.0))
    assert (found.diff() > 0).all()
    assert torch.equal(found[3:6], x[3:6])
    assert found.isfinite().all()
    assert found[6] == pytest.approx(10.1, rel=1e-4)
    holes = compress_tails(torch.tensor([np.nan, 1e30]), torch.tensor(0.0), torch.tensor(1.0))
    assert holes[0].isnan()


# New rows


@pytest.mark.parametrize("value", HUGE)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_huge_cell_is_an_alarm_that_names_it(name, value, detectors, X):
    detector, rows = detectors[name], X[:6]
    scores, clean = detector.score_samples(spoiled(rows, 2, 1, value)), detector.score_samples(rows)
    np.testing.assert_array_equal(np.delete(scores, 2), np.delete(clean, 2))
    assert scores[2] < min(clean.min(), detector.offset_)
    assert not np.isnan(scores).any()
    assert detector.predict(spoiled(rows, 2, 1, value))[2] == -1
    assert detector.predict_proba(spoiled(rows, 2, 1, value))[2, 0] > 0.9
    explanation = detector.explain(spoiled(rows, 2, 1, value)[2:3])
    reason = explanation.reasons(0)[0]
    assert (reason.feature, round(reason.share, 2)) == ("column 1", 1.0)
    assert "nothing is odd" not in str(explanation)


@pytest.mark.parametrize("name", ["autoencoder", "vae", "student", "float64", "ensemble", "proximity"])
def test_larger_cells_score_lower(name, detectors, X):
    rows = np.repeat(X[:1], 9, axis=0)
    rows[:, 2] = [3.0, 1e3, 1e6, 1e9, 1e12, 1e20, 1e39, 1e200, 1.7e308]
    scores = detectors[name].score_samples(rows)
    assert (np.diff(scores) < 0).all()
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("kind", ["encoder", "decoder", "latent"])
def test_other_kinds_of_scores_stay_finite(kind, X):
    detector = AnomalyDetector(zoo.vae(2, **NET), score_from=kind, calibration="split", random_state=0).fit(X)
    assert np.isfinite(detector.score_samples(spoiled(X[:3], 1, 0, 1.7e308))).all()


@pytest.mark.parametrize("name", ["autoencoder", "vae", "ensemble"])
def test_every_method_gives_finite_values(name, X):
    model = ESTIMATORS[name]().fit(X)
    rows = spoiled(X[:3], 1, 0, -1e39)
    for method in ("reconstruct", "transform", "contributions", "divergence"):
        if hasattr(model, method) and not (method == "divergence" and name != "vae"):
            found = getattr(model, method)(rows)
            assert np.isfinite(found).all()
            np.testing.assert_array_equal(found[0], getattr(model, method)(X[:3])[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_the_largest_numbers_of_every_dtype_have_finite_scores(dtype, X):
    model = Autoencoder(2, **NET).fit(X.astype(dtype))
    rows = X[:3].astype(dtype)
    rows[1, 0] = (np.iinfo if dtype == np.int64 else np.finfo)(dtype).max
    assert np.isfinite(model.score_samples(rows)).all()
    assert model.score_samples(rows).argmin() == 1


UNBOUNDED = (
    "gaussian",
    "student_t",
    "quantile",
    "poisson",
    "negative_binomial",
    "log_normal",
    "multinomial",
)


@pytest.mark.parametrize("likelihood", UNBOUNDED)
def test_every_likelihood_of_unbounded_numbers_scores_huge_cells_low(likelihood, rng):
    X = rng.poisson(5, (200, 3)).astype(float) + (likelihood == "log_normal")
    model = zoo.vae(2, likelihood=likelihood, **NET).fit(X)
    scores = model.score_samples(np.stack([X[0], [5.0, 1e20, 5.0], [5.0, 1e39, 5.0], [5.0, 1.7e308, 5.0]]))
    assert not np.isnan(scores).any()
    assert scores[1:].max() < min(scores[0], model.score_samples(X).min())


def test_huge_cells_beside_timestamps_score_low(rng):
    X = 1.7e15 + rng.normal(size=(200, 2))
    model = Autoencoder(1, **NET).fit(X)
    scores = model.score_samples(np.array([X[0], [1.7e15, 1e39]]))
    assert scores[1] < scores[0]
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("estimator", [None, zoo.tabular_vae(2, max_epochs=5)], ids=["default", "variational"])
def test_a_huge_cell_of_a_frame_is_named_by_its_column(estimator, rng):
    frame = pd.DataFrame(
        {"size": rng.gamma(2, 100, 300), "kind": rng.choice(["u", "v"], 300), "load": rng.normal(size=300)}
    )
    detector = AnomalyDetector(estimator, calibration="split", random_state=0).fit(frame)
    clean, new = detector.score_samples(frame.head(4)), frame.head(4).copy()
    for value in (1e20, 1e39, -1.7e308):
        new.loc[1, "load"] = value
        np.testing.assert_array_equal(detector.score_samples(new)[[0, 2, 3]], clean[[0, 2, 3]])
        assert detector.predict(new)[1] == -1
        assert detector.explain(new[1:2]).reasons(0)[0].feature == "load"


def test_a_saved_model_compresses_huge_values_as_before(tmp_path, X):
    model = zoo.vae(2, **NET).fit(X)
    save(model, tmp_path / "model")
    rows = spoiled(X[:5], 2, 2, 1e39)
    np.testing.assert_array_equal(load(tmp_path / "model").score_samples(rows), model.score_samples(rows))


def test_a_huge_time_point_is_an_alarm(rng):
    series = np.sin(np.arange(1200) / 5) + 0.1 * rng.normal(size=1200)
    model = SlidingWindows(lengths=(32,), random_state=0).fit(series[:1000])
    for value in (1e20, 1e39, -1.7e308):
        new = series[1000:].copy()
        new[100] = value
        scores = model.score_samples(new)
        assert not np.isnan(scores).any()
        assert abs(int(scores.argmin()) - 100) < 80


# Training rows


@pytest.mark.parametrize("name", ["autoencoder", "vae", "ensemble"])
@pytest.mark.parametrize("value", [1e20, 1e39, 1.7e308])
def test_fit_names_row_and_column_of_a_huge_cell(name, value, X):
    for row in range(0, 300, 60):  # held out for validation or not
        with pytest.raises(ValueError, match=rf"row {row}, column 2 holds {value:g}".replace("+", r"\+")):
            ESTIMATORS[name]().fit(spoiled(X, row, 2, value))


def test_fit_names_the_data_frame_column_of_a_huge_cell(X):
    frame = pd.DataFrame(spoiled(X, 7, 1, 1e39), columns=list("abcd"))
    with pytest.raises(ValueError, match=r"row 7, column 'b' holds 1e\+39, more than float32.*scale the data"):
        Autoencoder(2, **NET).fit(frame)


@pytest.mark.parametrize("value", [1e39, -1.7e308])
def test_detectors_name_row_and_column_of_a_huge_cell(value, X):
    for estimator in (None, Autoencoder(2, **NET)):
        with pytest.raises(ValueError, match="column 0 holds"):
            AnomalyDetector(estimator, random_state=0).fit(spoiled(X, 9, 0, value))


@pytest.mark.parametrize("value", [1e20, -1e39])
def test_sliding_windows_name_time_point_and_channel_of_a_huge_cell(value, rng):
    series = np.sin(np.arange(600) / 5)[:, None] + 0.1 * rng.normal(size=(600, 2))
    with pytest.raises(ValueError, match="row 300, column 1 holds"):
        SlidingWindows(random_state=0).fit(spoiled(series, 300, 1, value))


def test_the_command_line_names_the_row_of_the_file(tmp_path, X):
    table = pd.DataFrame(spoiled(X, 250, 1, 1e39), columns=list("abcd"))
    table.to_csv(tmp_path / "table.csv", index=False)
    found = CliRunner().invoke(app, ["fit", str(tmp_path / "table.csv"), "--out", str(tmp_path / "model.safetensors")])
    assert found.exit_code == 2
    assert "row 250, column 'b' holds 1e+39" in found.output
    assert not (tmp_path / "model.safetensors").exists()


def test_partial_fit_names_row_and_column_and_leaves_the_model(X):
    model = small("vae").partial_fit(X)
    before = model.score_samples(X)
    for value in (1e20, 1e39):
        with pytest.raises(ValueError, match=r"row 4, column 3 holds .*deviations from the mean of the training rows"):
            model.partial_fit(spoiled(X, 4, 3, value))
    np.testing.assert_array_equal(model.score_samples(X), before)


@pytest.mark.parametrize("unit", [1e-25, 1e-3, 1e25])
def test_columns_of_huge_units_or_rare_values_are_accepted(unit, X):
    rare = np.zeros((300, 1))
    rare[17] = unit
    assert np.isfinite(small("vae").fit(np.hstack([X * unit, rare])).score_samples(np.hstack([X * unit, rare]))).all()


def test_frames_with_the_largest_cell_name_it_without_overflow(X):
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame.loc[7, "b"] = 1.7e308
    with pytest.raises(ValueError, match=r"row 7, column 'b' holds 1.7e\+308"):
        AnomalyDetector(random_state=0).fit(frame)
