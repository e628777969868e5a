"""The detector: scikit-learn's interface, thresholds from held-out scores, kinds of scores and data."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from conftest import small
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import BaseEstimator, clone
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from isthmus import AnomalyDetector, load, save, zoo
from isthmus.anomaly import anomaly_detector
from isthmus.anomaly.robust_scale import RobustScale
from isthmus.data import Array, Chunks, Texts, Windows, as_source
from isthmus.model.scoring import log_prob_at_mean

NETS = {"precision": "float64", "batch_size": 128}
BATTERY = [
    AnomalyDetector(GaussianMixture(2), contamination=0.1, calibration="split"),
    AnomalyDetector(small("vae", **NETS), n_folds=4),
]


@parametrize_with_checks(BATTERY)
def test_estimator_checks_of_scikit_learn_pass(estimator, check):
    check(estimator)


class Counting(BaseEstimator):
    """Scores rows by the number of fits that contained them, and stores the rows of each fit."""

    fits: list = []

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        self.seen_ = np.asarray(X)[:, 0]
        self.fits.append(self)
        return self

    def partial_fit(self, X, y=None):
        self.seen_ = np.append(self.seen_, np.asarray(X)[:, 0])
        return self

    def score_samples(self, X):
        return np.isin(np.asarray(X)[:, 0], self.seen_).astype(float)


class Knowing(Counting):
    """Has its own held-out scores."""

    def fit(self, X, y=None):
        self.held_out_scores_ = -np.arange(float(len(X)))
        return super().fit(X)


@pytest.fixture(autouse=True)
def _no_fits():
    Counting.fits.clear()


@pytest.fixture
def numbered():
    return np.arange(100.0).reshape(50, 2)


@pytest.fixture
def spoiled(blobs, rng):
    """Rows and labels; the first 20 rows are far from all others."""
    blobs[:20] += rng.choice([-40, 40], (20, 6)).astype(np.float32)
    return blobs, np.repeat([-1, 1], [20, len(blobs) - 20])


# Calibration


def test_rows_calibrate_only_nets_that_were_not_trained_on_them(numbered):
    detector = AnomalyDetector(Counting(), threshold=0.5).fit(numbered)
    assert_array_equal(detector.calibration_scores_, np.zeros(50))
    assert [len(fit.seen_) for fit in Counting.fits] == [50, 40, 40, 40, 40, 40]
    assert_array_equal(detector.score_samples(numbered), np.ones(50))


def test_a_split_holds_out_a_fifth_of_the_rows(numbered):
    detector = AnomalyDetector(Counting(), threshold=0.5, calibration="split").fit(numbered)
    assert_array_equal(detector.calibration_scores_, np.zeros(10))
    assert [len(fit.seen_) for fit in Counting.fits] == [40]


def test_held_out_scores_of_an_estimator_calibrate_the_detector(numbered):
    detector = AnomalyDetector(Knowing(), fpr=0.1).fit(numbered)
    assert_array_equal(detector.calibration_scores_, np.arange(-49.0, 1.0))
    assert detector.offset_ == -45.0
    assert len(Counting.fits) == 1


def test_cross_fitted_scores_are_those_of_folds(blobs):
    detector = AnomalyDetector(GaussianMixture(random_state=0), n_folds=3, random_state=0).fit(blobs)
    folds = {}
    for seed in range(1):
        for rest, held in KFold(3, shuffle=True, random_state=seed).split(blobs):
            folds[len(held)] = GaussianMixture(random_state=0).fit(blobs[rest]).score_samples(blobs[held])
    scores = detector.calibration_scores_
    assert scores.shape == (len(blobs),)
    assert scores.mean() == pytest.approx(np.mean(folds[80]), abs=1.0)
    assert scores.mean() < detector.score_samples(blobs).mean()


def test_the_threshold_keeps_the_false_positive_rate_on_new_rows():
    """A mixture that overfits its rows: the quantile of training scores would give a higher rate."""
    rng, rates, naive = np.random.default_rng(0), [], []
    for i in range(15):
        X, fresh = rng.normal(size=(200, 5)), rng.normal(size=(2000, 5))
        net = GaussianMixture(6, max_iter=15, tol=0.1, random_state=0)
        detector = AnomalyDetector(net, fpr=0.05, random_state=i).fit(X)
        rates.append((detector.predict(fresh) == -1).mean())
        naive.append((detector.score_samples(fresh) < np.quantile(detector.score_samples(X), 0.05)).mean())
    assert np.mean(rates) <= 0.05 + 2 * np.std(rates) / np.sqrt(15)
    assert np.mean(naive) > 0.1


def test_the_rate_follows_from_the_rank_of_the_threshold(numbered):
    assert AnomalyDetector(Knowing(), fpr=0.1).fit(numbered).fpr_ == pytest.approx(5 / 51)
    assert AnomalyDetector(Knowing(), threshold=-100.0).fit(numbered).fpr_ == pytest.approx(1 / 51)


def test_contamination_is_the_share_of_the_training_rows(blobs):
    detector = AnomalyDetector(GaussianMixture(), contamination=0.1).fit(blobs)
    assert detector.offset_ == np.quantile(detector.score_samples(blobs), 0.1)
    assert (detector.fit_predict(blobs) == -1).sum() == 24


def test_calibrate_changes_the_threshold_but_not_the_net(blobs, rng):
    detector = AnomalyDetector(GaussianMixture(), fpr=0.1, random_state=0).fit(blobs)
    before, scores = detector.estimator_, detector.score_samples(blobs)
    clean = blobs[rng.choice(len(blobs), 39)] + 1
    assert detector.calibrate(clean) is detector
    assert detector.estimator_ is before
    assert_array_equal(detector.score_samples(blobs), scores)
    assert_array_equal(detector.calibration_scores_, np.sort(detector.score_samples(clean)))
    assert detector.offset_ == detector.calibration_scores_[3]


def test_a_failed_calibration_changes_nothing(blobs):
    detector = AnomalyDetector(GaussianMixture(), fpr=0.05, random_state=0).fit(blobs)
    offset = detector.offset_
    with pytest.raises(ValueError, match="needs at least 19 calibration rows, got 5"):
        detector.calibrate(blobs[:5])
    assert detector.offset_ == offset
    assert len(detector.calibration_scores_) == len(blobs)


# Labels


def test_known_anomalies_are_not_training_rows(numbered):
    labels = np.repeat([-1, 0, 1], [10, 20, 20])
    detector = AnomalyDetector(Counting(), threshold=0.5).fit(numbered, labels)
    assert not any(np.isin(numbered[:10, 0], fit.seen_).any() for fit in Counting.fits)
    assert len(detector.calibration_scores_) == 40


def test_labels_place_the_threshold_between_the_classes(spoiled):
    X, y = spoiled
    detector = AnomalyDetector(GaussianMixture(3, random_state=0), threshold="labels", random_state=0).fit(X, y)
    assert_array_equal(detector.predict(X), y)
    assert_array_equal(detector.fit_predict(X, y), y)
    assert detector.predict_proba(X)[:20, 0].min() > 0.9
    assert detector.predict_proba(X)[20:, 0].max() < 0.1


def test_costly_false_negatives_raise_the_threshold(blobs, rng):
    y = rng.choice([-1, 1], len(blobs), p=[0.3, 0.7])
    offsets = [
        AnomalyDetector(GaussianMixture(random_state=0), threshold="labels", costs=costs, random_state=0)
        .fit(blobs, y)
        .offset_
        for costs in [(10.0, 1.0), (1.0, 10.0)]
    ]
    assert offsets[0] < offsets[1]


LABELS = {
    "none": (None, "threshold='labels' needs y"),
    "no anomalies": (np.ones(240), "needs anomalies at calibration, but no row of y is -1"),
    "zero and one": (np.repeat([0, 1], 120), r"y holds 0 and 1: if 1 means anomaly, give np.where\(y == 1, -1, 1\)"),
    "others": (np.repeat([1, -1, 7], 80), r"y must hold 1 \(normal\), -1 \(anomaly\) or 0 \(unknown\), got \[7\]"),
    "words": (np.repeat(["bad", "good"], 120), r"y must hold 1 \(normal\).* got \['bad', 'good'\]"),
    "too few": (np.repeat([1, -1], 5), "y must have a label for each of the 240 rows of X"),
}


@pytest.mark.parametrize(("y", "message"), LABELS.values(), ids=LABELS)
def test_unusable_labels_are_refused(blobs, y, message):
    with pytest.raises(ValueError, match=message):
        AnomalyDetector(GaussianMixture(), threshold="labels").fit(blobs, y)


def test_targets_are_ignored_without_a_rule_for_labels(blobs):
    plain = AnomalyDetector(GaussianMixture(random_state=0), random_state=0).fit(blobs)
    for y in (np.arange(240.0), np.repeat(["a", "b"], 120), np.repeat([0, 1], 120)):
        assert clone(plain).fit(blobs, y).offset_ == plain.offset_


# Decisions


def test_undecided_rows_lie_around_the_threshold(blobs):
    detector = AnomalyDetector(GaussianMixture(), fpr=0.2, random_state=0).fit(blobs)
    decided, scores = detector.predict(blobs, min_confidence=0.9), detector.score_samples(blobs)
    plain = detector.predict(blobs)
    assert 0 < (decided == 0).sum() < len(blobs) / 4
    assert_array_equal(decided[decided != 0], plain[decided != 0])
    assert (
        scores[decided == -1].max()
        < scores[decided == 0].min()
        <= scores[decided == 0].max()
        < scores[decided == 1].min()
    )


def test_thresholds_from_training_scores_have_undecided_rows_too(blobs):
    detector = AnomalyDetector(GaussianMixture(), contamination=0.2, random_state=0).fit(blobs)
    assert 0 < (detector.predict(blobs, min_confidence=0.9) == 0).sum() < len(blobs) / 3


def test_discoveries_need_no_threshold(spoiled):
    X, y = spoiled
    found = AnomalyDetector(GaussianMixture(), random_state=0).fit(X[20:]).predict(X, fdr=0.2)
    assert (found[:20] == -1).all()
    assert (found[20:] == -1).sum() < 10


DECISIONS = {
    "a rate of one": ({"fdr": 1.0}, r"fdr must be None or in \(0, 1\), got 1.0"),
    "no confidence": ({"min_confidence": 0}, r"min_confidence must be None or in \(0, 1\), got 0"),
    "both": ({"fdr": 0.1, "min_confidence": 0.9}, "fdr and min_confidence are different ways to decide"),
}


@pytest.mark.parametrize(("options", "message"), DECISIONS.values(), ids=DECISIONS)
def test_impossible_decision_options_are_refused(blobs, options, message):
    with pytest.raises(ValueError, match=message):
        AnomalyDetector(GaussianMixture(), random_state=0).fit(blobs).predict(blobs, **options)


# Kinds of scores


@pytest.fixture(scope="module")
def net(labelled_blobs):
    return small("vae", max_epochs=5).fit(labelled_blobs[0])


def test_divergence_is_that_of_the_posterior(net, blobs):
    mean, deviation = (part.astype(np.float64) for part in net.transform(blobs, return_std=True))
    expected = (deviation**2 + mean**2 - 1 - 2 * np.log(deviation)).sum(1) / 2
    assert_allclose(net.divergence(blobs), expected, rtol=1e-4)
    _, at_centre = log_prob_at_mean(net.module_.cpu(), torch.from_numpy(blobs))
    assert_allclose(net.divergence(blobs), at_centre.detach(), rtol=1e-4)


def test_encoder_and_decoder_add_up_to_the_full_score(blobs):
    def scores(kind):
        detector = AnomalyDetector(small("vae"), score_from=kind, calibration="split", random_state=0)
        return detector.fit(blobs).score_samples(blobs)

    assert_allclose(scores("encoder") + scores("decoder"), scores("full"), rtol=1e-5)


def test_scores_of_the_encoder_do_not_call_the_decoder(blobs):
    detector = AnomalyDetector(small("vae"), score_from="encoder", calibration="split", random_state=0).fit(blobs)
    assert_allclose(detector.score_samples(blobs), -detector.estimator_.divergence(blobs))


def test_several_kinds_are_standardised_on_held_out_rows_and_added(blobs):
    detector = AnomalyDetector(PCA(2), score_from=("full", "latent"), calibration="split", random_state=0).fit(blobs)
    each = np.stack(
        [detector.estimator_.score_samples(blobs), detector._scorer.codes.log_prob(PCA(2).fit(blobs).transform(blobs))],
        1,
    )
    assert each.shape == (240, 2)
    scorer = detector._scorer
    assert_allclose(detector.score_samples(blobs), scorer.scale(scorer.measure(blobs)[:, :-1]).sum(1))
    assert np.median(detector.calibration_scores_) == pytest.approx(0, abs=0.5)


def test_the_latent_score_is_low_far_from_training_codes(blobs):
    detector = AnomalyDetector(PCA(2), score_from="latent", random_state=0).fit(blobs)
    assert (detector.predict(blobs + 1000) == -1).all()
    assert (detector.predict(blobs) == 1).mean() > 0.95


KINDS = {
    "unknown": (GaussianMixture(), "middle", r"score_from must be one of \['full', .*got 'middle'"),
    "nothing": (GaussianMixture(), (), r"score_from must be one of .*got \(\)"),
    "no encoder": (
        GaussianMixture(),
        "encoder",
        "score_from='encoder' needs an estimator with 'divergence', got Gauss",
    ),
    "no codes": (GaussianMixture(), "latent", "score_from='latent' needs an estimator with 'transform', got Gauss"),
    "no posterior": (
        small("autoencoder"),
        "encoder",
        "divergence needs a stochastic bottleneck.*Deterministic is deterministic",
    ),
    "no scores": (StandardScaler(), "full", "score_from='full' needs an estimator with 'score_samples', got Stand"),
}


@pytest.mark.parametrize(("estimator", "kind", "message"), KINDS.values(), ids=KINDS)
def test_kinds_of_scores_that_an_estimator_lacks_are_refused(blobs, estimator, kind, message):
    with pytest.raises(ValueError, match=message):
        AnomalyDetector(estimator, score_from=kind).fit(blobs, np.arange(240.0))


def test_scores_that_are_nan_are_refused(numbered):
    class Lost(Counting):
        def score_samples(self, X):
            return np.where(np.asarray(X)[:, 0] == 44.0, np.nan, 0.0)

    with pytest.raises(ValueError, match="Lost gave row 22 the score NaN"):
        AnomalyDetector(Lost(), contamination=0.1, calibration="split", random_state=1).fit(
            numbered[:22]
        ).score_samples(numbered)


# Kinds of estimators and data


def test_an_autoencoder_with_automatic_likelihood_maximizes_densities(blobs):
    estimator = make_pipeline(StandardScaler(), small("autoencoder"))
    detector = AnomalyDetector(estimator, random_state=0, calibration="split").fit(blobs)
    assert repr(detector.estimator_[-1].likelihood_) == "Gaussian()"
    assert estimator[-1].likelihood == "auto"


@pytest.mark.parametrize(
    "estimator",
    [PCA(2), IsolationForest(n_estimators=10), make_pipeline(StandardScaler(), GaussianMixture()), small("vae")],
    ids=lambda estimator: type(estimator).__name__,
)
def test_any_estimator_with_score_samples_can_be_used(spoiled, estimator):
    X, y = spoiled
    detector = AnomalyDetector(estimator, random_state=0).fit(X, y)
    assert detector.n_features_in_ == 6
    assert detector.score_samples(X[:20]).mean() < detector.score_samples(X[20:]).mean()
    again = clone(detector).fit(X, y)
    assert_array_equal(again.score_samples(X), detector.score_samples(X))
    assert_array_equal(again.calibration_scores_, detector.calibration_scores_)


def test_without_an_estimator_the_default_is_chosen_by_the_data(monkeypatch, blobs):
    monkeypatch.setattr(anomaly_detector, "ExemplarDistance", lambda: small("vae"))
    assert AnomalyDetector(calibration="split").fit(blobs).estimator_.n_components == 2


CONTAINERS = {
    "list": lambda X: X.tolist(),
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcdef"), index=np.arange(len(X))[::-1]),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcdef")),
    "arrow": lambda X: pl.DataFrame(X, schema=list("abcdef")).to_arrow(),
    "tensor": torch.from_numpy,
    "csr": sparse.csr_array,
    "coo": sparse.coo_array,
    "source": as_source,
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_all_containers_give_equal_scores(spoiled, container):
    X, y = spoiled
    wanted = AnomalyDetector(small("vae"), n_folds=2, random_state=0).fit(X, y)
    found = clone(wanted).fit(container(X), y)
    assert_allclose(found.score_samples(container(X)), wanted.score_samples(X), rtol=1e-4)
    assert len(found.calibration_scores_) == 220


def test_data_frames_may_have_categories(spoiled):
    X, _ = spoiled
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(g=np.where(X[:, 0] > 0, "high", "low"))
    detector = AnomalyDetector(small("autoencoder"), n_folds=2, random_state=0).fit(frame)
    assert list(detector.feature_names_in_) == list("abcdefg")
    assert detector.predict_proba(frame).shape == (240, 2)


def test_windows_are_held_out_with_overlapping_windows(rng):
    windows = Windows(rng.normal(size=200), length=10)
    seen = []

    class Spans(BaseEstimator):
        def fit(self, X, y=None):
            self.starts_ = X.starts
            return self

        def score_samples(self, X):
            gaps = np.abs(np.subtract.outer(X.starts, self.starts_)).min(1)
            seen.append(gaps.min())
            return gaps.astype(float)

    AnomalyDetector(Spans(), threshold=0.0).fit(windows)
    assert len(seen) == 5
    assert min(seen) >= 10


def test_streams_hold_out_one_part(blobs):
    stream = Chunks(lambda: iter(np.array_split(blobs, 4)))
    detector = AnomalyDetector(small("vae"), random_state=0).fit(stream)
    assert len(detector.calibration_scores_) == 48
    assert detector.predict(blobs).shape == (240,)


def test_arrays_in_memory_are_cross_fitted(blobs):
    source = as_source(blobs)
    assert isinstance(source, Array)
    assert len(AnomalyDetector(small("vae"), n_folds=2).fit(source).calibration_scores_) == 240


# Streams of rows


def test_partial_fit_scores_new_rows_before_training_on_them(numbered):
    detector = AnomalyDetector(Counting(), threshold=0.5).partial_fit(numbered[:20])
    assert len(detector.calibration_scores_) == 4
    detector.partial_fit(numbered[20:])
    assert_array_equal(detector.calibration_scores_, np.zeros(34))
    assert_array_equal(np.sort(detector.estimator_.seen_)[-30:], numbered[20:, 0])


def test_partial_fit_does_not_train_on_known_anomalies(numbered):
    detector = AnomalyDetector(Counting(), threshold=0.5).partial_fit(numbered[:20])
    detector.partial_fit(numbered[20:], np.repeat([1, -1], [20, 10]))
    assert not np.isin(numbered[40:, 0], detector.estimator_.seen_).any()
    assert len(detector.calibration_scores_) == 24


def test_only_the_latest_rows_of_partial_fit_calibrate(numbered, monkeypatch):
    monkeypatch.setattr("isthmus.anomaly.calibration.MAX_SCORES", 15)
    detector = AnomalyDetector(Counting(), threshold=0.5).fit(numbered)
    assert len(detector.partial_fit(numbered + 1000).calibration_scores_) == 15


def test_partial_fit_continues_training(blobs):
    detector = AnomalyDetector(small("vae"), calibration="split", random_state=0).fit(blobs)
    before = len(detector.estimator_.history_)
    detector.partial_fit(blobs)
    assert len(detector.estimator_.history_) == before + 1
    assert len(detector.calibration_scores_) == 48 + 240


def test_partial_fit_refuses_latent_scores(blobs):
    detector = AnomalyDetector(small("vae"), score_from="latent", calibration="split", random_state=0).fit(blobs)
    with pytest.raises(ValueError, match="score_from='latent' cannot follow partial_fit"):
        detector.partial_fit(blobs)


def test_detectors_of_estimators_without_partial_fit_have_none():
    assert getattr(AnomalyDetector(GaussianMixture()), "partial_fit", None) is None
    assert callable(AnomalyDetector(small("vae")).partial_fit)


# Bad input


PARAMETERS = {
    "calibration": ({"calibration": "none"}, r"calibration must be one of \['cross', 'split'\], got 'none'"),
    "folds": ({"n_folds": 1}, "n_folds must be an integer >= 2, got 1"),
    "rate": ({"fpr": 0.001}, "fpr=0.001 needs at least 999 calibration rows, got 240"),
    "rule": ({"threshold": "iqr"}, "threshold must be a number or one of"),
}


@pytest.mark.parametrize(("params", "message"), PARAMETERS.values(), ids=PARAMETERS)
def test_impossible_parameters_are_refused(blobs, params, message):
    with pytest.raises(ValueError, match=message):
        AnomalyDetector(GaussianMixture(), **params).fit(blobs)


@pytest.mark.parametrize("calibration", ["cross", "split"])
def test_one_row_is_too_few(calibration):
    with pytest.raises(ValueError, match="n_samples=1: expected at least 2 rows"):
        AnomalyDetector(Counting(), calibration=calibration).fit(np.zeros((1, 3)))


# Files


@pytest.mark.parametrize(
    "params",
    [{}, {"contamination": 0.1}, {"score_from": ("encoder", "latent")}, {"threshold": "labels", "costs": (1.0, 3.0)}],
    ids=["plain", "contamination", "scores", "labels"],
)
def test_a_saved_detector_gives_equal_results_after_loading(tmp_path, spoiled, params):
    X, y = spoiled
    detector = AnomalyDetector(small("vae"), calibration="split", random_state=0, **params).fit(X, y)
    save(detector, tmp_path / "detector.safetensors")
    again = load(tmp_path / "detector.safetensors")
    assert repr(again) == repr(AnomalyDetector(again.estimator, calibration="split", random_state=0, **params))
    assert (again.offset_, again.fpr_, again.n_features_in_) == (detector.offset_, detector.fpr_, 6)
    for method in ("score_samples", "predict", "p_values", "predict_proba"):
        assert_array_equal(getattr(again, method)(X), getattr(detector, method)(X))
    assert again.calibrate(X, y).offset_ == detector.calibrate(X, y).offset_


def test_a_detector_of_a_foreign_estimator_cannot_be_saved(tmp_path, blobs):
    detector = AnomalyDetector(GaussianMixture()).fit(blobs)
    with pytest.raises(
        ValueError, match="save takes one of .*, got GaussianMixture; use joblib.dump for estimators of other"
    ):
        save(detector, tmp_path / "detector.safetensors")
    assert_array_equal(pickle.loads(pickle.dumps(detector)).predict(blobs), detector.predict(blobs))


def test_scores_of_the_rows_of_fit_are_those_of_estimators_that_have_not_seen_them():
    X = np.random.default_rng(0).normal(size=(60, 3))
    X[7] += 8
    y = np.where(np.arange(60) < 3, -1, 1)
    detector = AnomalyDetector(GaussianMixture(), n_folds=4, random_state=0).fit(X, y)
    scores = detector.held_out_scores_
    assert scores.shape == (60,)
    np.testing.assert_allclose(np.sort(scores[3:]), detector.calibration_scores_)
    np.testing.assert_allclose(scores[:3], detector.score_samples(X[:3]))
    assert scores[7] < detector.score_samples(X)[7]  # the row has influenced the estimator of all rows
    assert AnomalyDetector(GaussianMixture(), calibration="split", random_state=0).fit(X).held_out_scores_ is None


def test_known_scores_must_be_those_of_the_rows(blobs):
    detector = AnomalyDetector(PCA(2), random_state=0).fit(blobs)
    scores = detector.score_samples(blobs)
    assert_array_equal(detector.p_values(blobs, scores=scores), detector.p_values(blobs))
    for ask in (detector.predict, detector.p_values):
        with pytest.raises(ValueError, match=r"scores must have one value for each of the 240 rows, got shape \(239"):
            ask(blobs, scores=scores[1:])


def test_calibration_counts_rows_so_weights_are_refused(blobs):
    with pytest.raises(TypeError, match="sample_weight"):
        AnomalyDetector(PCA(2)).fit(blobs, sample_weight=np.ones(240))


def test_a_robust_scale_ignores_outliers_and_falls_back_to_the_deviation():
    values = np.r_[np.arange(101.0), 1e9]
    scale = RobustScale.fit(values)
    assert (scale.center, scale.scale) == (np.median(values), np.subtract(*np.quantile(values, [0.75, 0.25])))
    mostly_equal = np.r_[np.zeros(90), np.ones(10)]
    assert RobustScale.fit(mostly_equal).scale == mostly_equal.std()
    assert RobustScale.fit(np.r_[np.full(90, -np.inf), np.ones(10)]).scale == 1


def test_texts_out_of_order_are_anomalies():
    pytest.importorskip("tokenizers")
    lines = [
        f"door {door} {state} by {name}" for door in "abc" for state in ("opened", "closed") for name in "xyz"
    ] * 12
    net = zoo.sequence_vae(2, width=16, max_epochs=20, random_state=0)
    detector = AnomalyDetector(net, fpr=0.05, calibration="split", random_state=0).fit(Texts(lines, vocabulary="word"))
    assert np.mean(detector.predict(lines) == -1) <= 0.1
    assert detector.predict(["opened a by x door", "door a opened by door"]).tolist() == [-1, -1]
