"""Arriving rows: decisions, drift with a known probability of false alarms, and recalibration."""

import numpy as np
import pandas as pd
import pytest
from conftest import small
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import binomtest, kstest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture

from isthmus import AnomalyDetector
from isthmus.anomaly import StreamMonitor, exchangeability
from isthmus.anomaly.exchangeability import BETS, ExchangeabilityTest, log_odds, relative_ranks

AXES = np.array([[3.0, 3.0, 0.0], [0.0, 1.0, -1.0]])


def rows(rng, n, shift=0.0, noise=0.3):
    """Rows near a plane, moved along its first axis."""
    return (rng.normal(size=(n, 2)) + [shift, 0.0]) @ AXES + noise * rng.normal(size=(n, 3))


def fitted(estimator=None, seed=0, **parameters):
    rng = np.random.default_rng(seed)
    detector = AnomalyDetector(estimator or PCA(2), fpr=0.05, random_state=0, calibration="split", **parameters)
    return detector.fit(rows(rng, 2500)), rng


def begun(n_kinds, seed, n_reference=200):
    rng = np.random.default_rng(seed)
    return ExchangeabilityTest([np.sort(rng.normal(size=n_reference)) for _ in range(n_kinds)], rng), rng


# The test


@pytest.mark.parametrize("bet", range(len(BETS)))
def test_betting_functions_have_mean_one(bet):
    def odds(p):
        return np.exp(log_odds(np.array([[p]])))[0, bet, 0]

    assert quad(odds, 0, 0.5)[0] + quad(odds, 0.5, 1)[0] == pytest.approx(1, abs=1e-6)


def test_ranks_equal_those_of_brute_force():
    rng = np.random.default_rng(0)
    reference, values, shares = np.sort(rng.integers(9, size=30)), rng.integers(9, size=40), rng.random(40)
    for i, p in enumerate(relative_ranks(values, reference, shares)):
        before = np.concatenate([reference, values[:i]])
        expected = ((before < values[i]).sum() + shares[i] * ((before == values[i]).sum() + 1)) / (len(before) + 1)
        assert p == pytest.approx(expected)


def test_ranks_without_drift_are_uniform_and_independent():
    rng = np.random.default_rng(1)
    values = rng.poisson(2, size=4000)  # with many ties
    p = relative_ranks(values, np.array([]), rng.random(4000))
    assert kstest(p, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(p[1:], p[:-1])[0, 1]) < 0.05


def test_the_martingale_is_that_of_bets_started_at_every_row():
    test, rng = begun(1, 2)
    p = rng.beta(0.7, 1, size=(50, 1))
    test._bet(p[:20])
    test._bet(p[20:])
    odds = log_odds(p)[:, :, 0]
    kept = 1 / (1 + np.log1p(np.arange(51)))
    fortunes = [
        kept[n] + sum((kept[i] - kept[i + 1]) * np.exp(odds[i:n].sum(0)).mean() for i in range(n)) for n in range(51)
    ]
    assert np.exp(test.log_peak) == pytest.approx(max(fortunes))
    assert np.exp(logsumexp(test.log_stakes)) + kept[-1] == pytest.approx(fortunes[-1])


def test_results_do_not_depend_on_the_division_into_calls(monkeypatch):
    monkeypatch.setattr(exchangeability, "N_ALL", 300)
    values = np.random.default_rng(3).normal(size=(1000, 2)) + np.linspace(0, 0.6, 1000)[:, None]
    found = []
    for size in (1, 7, 1000):
        test, _ = begun(2, 4)
        for start in range(0, 1000, size):
            test.observe(values[start : start + size])
        found.append([test.log_peak, *test.log_peaks, test.n_tested])
    assert found[0][0] > 1
    np.testing.assert_allclose(found[1:], [found[0]] * 2)


@pytest.mark.parametrize("n_all", [10**6, 50])
def test_false_alarms_of_drift_come_at_most_at_the_level(monkeypatch, n_all):
    """For any number of tests: the smallest p-value of all times counts."""
    monkeypatch.setattr(exchangeability, "N_ALL", n_all)
    p_values = []
    for seed in range(300):
        test, rng = begun(2, seed, n_reference=50)
        test.observe(rng.normal(size=(300, 2)))
        p_values.append(test.p_value)
    alarms = int((np.array(p_values) <= 0.2).sum())
    assert binomtest(alarms, 300, 0.2, alternative="greater").pvalue > 0.01
    assert alarms > 0, "a test that never alarms would pass too"


def test_references_grow_with_the_logarithm_of_a_stream(monkeypatch):
    monkeypatch.setattr(exchangeability, "N_ALL", 100)
    test, rng = begun(1, 5, n_reference=0)
    test.observe(rng.normal(size=(10_000, 1)))
    assert test.n_seen == 10_000
    assert len(test.references[0]) == test.n_tested == pytest.approx(100 * (1 + np.log(100)), rel=0.15)
    assert (np.diff(test.references[0]) >= 0).all()


# The monitor


def test_decisions_are_those_of_the_detector():
    detector, rng = fitted()
    X = rows(rng, 100)
    watch = StreamMonitor(detector)
    decisions = [watch.update(X[start : start + 7]) for start in range(0, 100, 7)]
    np.testing.assert_allclose(np.concatenate([d.scores for d in decisions]), detector.score_samples(X))
    np.testing.assert_array_equal(np.concatenate([d.labels for d in decisions]), detector.predict(X))


def test_rows_of_the_training_distribution_are_no_drift():
    detector, rng = fitted()
    watch = StreamMonitor(detector, random_state=0)
    assert watch.drift() == (1.0, False, None, {"score": 1.0})
    for _ in range(50):
        watch.update(rows(rng, 20))
    drift = watch.drift()
    assert not drift.drifted
    assert drift.where is None
    assert list(drift.p_values) == ["score", "code 0", "code 1"]


def test_rows_that_fit_worse_are_drift_of_the_score():
    detector, rng = fitted()
    watch = StreamMonitor(detector, random_state=0)
    watch.update(rows(rng, 300))
    watch.update(rows(rng, 200, noise=0.5))
    drift = watch.drift()
    assert drift.drifted
    assert drift.where == "score"
    assert drift.p_value <= drift.p_values["score"] <= 0.01 < drift.p_values["code 0"]


def test_rows_shifted_within_the_learned_range_are_drift_of_the_code():
    detector, rng = fitted()
    watch = StreamMonitor(detector, random_state=0)
    watch.update(rows(rng, 1000))
    watch.update(rows(rng, 100, shift=1.0))
    drift = watch.drift()
    assert drift.drifted
    assert drift.where == "code 0"
    assert drift.p_values["code 0"] <= 0.01 < drift.p_values["code 1"]


def test_recalibration_restores_the_rate_of_false_alarms():
    detector, rng = fitted()
    watch = StreamMonitor(detector, window=500, random_state=0)
    before = watch.update(rows(rng, 2000, noise=0.5)).labels
    assert watch.drift().drifted
    assert (before == -1).mean() > 0.15
    assert watch.recalibrate() is watch
    assert watch.drift() == (1.0, False, None, dict.fromkeys(["score", "code 0", "code 1"], 1.0))
    alarms = (watch.update(rows(rng, 2000, noise=0.5)).labels == -1).mean()
    # Standard deviations of the beta distribution of the threshold, and of the count.
    assert abs(alarms - 0.05) < 3 * np.sqrt(0.05 * 0.95 * (1 / 500 + 1 / 2000))
    assert not watch.drift().drifted


def test_recalibration_is_on_the_latest_rows():
    (detector, rng), (other, _) = fitted(), fitted()
    X = rows(rng, 300, shift=0.5)
    watch = StreamMonitor(detector, window=120)
    for start in range(0, 300, 50):
        watch.update(X[start : start + 50])
    watch.recalibrate()
    other.calibrate(X[-120:])
    assert detector.offset_ == pytest.approx(other.offset_)
    np.testing.assert_allclose(detector.calibration_scores_, other.calibration_scores_)


def test_known_anomalies_do_not_calibrate():
    detector, rng = fitted()
    watch = StreamMonitor(detector)
    y = np.repeat([1, -1], [90, 10])
    watch.update(np.concatenate([rows(rng, 90), rows(rng, 10, noise=9.0)]))
    watch.recalibrate(y)
    assert len(detector.calibration_scores_) == 90


def test_every_component_of_an_autoencoders_code_is_watched():
    rng = np.random.default_rng(0)
    names = ["a", "b", "c"]
    frame = pd.DataFrame(rows(rng, 300), columns=names)
    detector = AnomalyDetector(small("vae"), calibration="split", random_state=0).fit(frame)
    watch = StreamMonitor(detector, random_state=0)
    watch.update(pd.DataFrame(rows(rng, 1), columns=names))
    assert len(watch.drift().p_values) == 1 + detector.estimator_.n_components


def test_cross_fitted_detectors_are_refused():
    rng = np.random.default_rng(0)
    detector = AnomalyDetector(small("vae"), n_folds=2, random_state=0).fit(rows(rng, 300))
    watch = StreamMonitor(detector, random_state=0)
    watch.update(rows(rng, 1000))
    assert not watch.drift().drifted
    watch.update(rows(rng, 100, shift=3.0))
    assert watch.drift().drifted


def test_estimators_without_codes_are_watched_by_their_scores():
    detector, rng = fitted(GaussianMixture())
    watch = StreamMonitor(detector, random_state=0)
    watch.update(rows(rng, 100))
    assert list(watch.drift().p_values) == ["score"]


def test_global_generators_are_unchanged():
    detector, rng = fitted()
    np.random.seed(0)
    expected = np.random.rand()
    np.random.seed(0)
    StreamMonitor(detector).update(rows(rng, 10))
    assert np.random.rand() == expected


def test_bad_arguments_are_refused():
    detector, rng = fitted()
    with pytest.raises(NotFittedError):
        StreamMonitor(AnomalyDetector())
    with pytest.raises(TypeError, match="detector must be an AnomalyDetector, got GaussianMixture"):
        StreamMonitor(GaussianMixture())
    with pytest.raises(ValueError, match="window must be a positive integer, got 0"):
        StreamMonitor(detector, window=0)
    with pytest.raises(ValueError, match=r"level must be in \(0, 1\), got 1"):
        StreamMonitor(detector, level=1)
    watch = StreamMonitor(detector)
    with pytest.raises(ValueError, match="no rows have arrived"):
        watch.recalibrate()
    watch.update(rows(rng, 10))
    with pytest.raises(ValueError, match=r"fpr=0\.05 needs at least 19 calibration rows, got 10"):
        watch.recalibrate()
    with pytest.raises(ValueError, match=r"y must have a label for each of the 10 rows"):
        watch.recalibrate(np.array([1, -1]))
    assert not watch.drift().drifted
