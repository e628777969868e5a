"""Rates of false alarms for dependent points."""

import numpy as np
import pytest
from scipy.signal import lfilter

from isthmus import AnomalyDetector, Autoencoder, SlidingWindows
from isthmus.anomaly.calibration import Calibration, autocorrelation_time, block_length
from isthmus.anomaly.thresholds import at_rate
from isthmus.data import Windows
from isthmus.likelihoods import Gaussian

PHIS = (0.0, 0.5, 0.9, 0.99)
N_CALIBRATION, N_NEW, N_SEEDS = 1500, 6000, 200


def autoregression(phi, n, rng):
    start = [rng.standard_normal() * phi]
    return lfilter([1.0], [1.0, -phi], np.sqrt(1 - phi**2) * rng.standard_normal(n), zi=start)[0]


def season(n, rng):
    return np.abs(np.sin(np.arange(n) * np.pi / 48 + rng.uniform(0, np.pi))) * (1 + autoregression(0.9, n, rng))


PROCESSES = {f"phi {phi}": lambda n, rng, phi=phi: autoregression(phi, n, rng) for phi in PHIS} | {"season": season}


# Autocorrelation time


@pytest.mark.parametrize("phi", PHIS)
def test_the_autocorrelation_time_of_an_autoregression_is_known(phi):
    values = autoregression(phi, 200_000, np.random.default_rng(0))
    assert autocorrelation_time(values) == pytest.approx((1 + phi) / (1 - phi), rel=0.2)


def test_constant_scores_are_no_error():
    assert autocorrelation_time(np.zeros(10)) == 1.0
    assert block_length(np.zeros(10), 4) == 4
    assert block_length(np.zeros(3), 4) == 3


# Guaranteed rate


def kept(process, rate, by_blocks):
    """Return the rates on new points of many series."""
    shares = []
    for seed in range(N_SEEDS):
        scores = PROCESSES[process](N_CALIBRATION + N_NEW, np.random.default_rng(seed))
        known, new = scores[:N_CALIBRATION], scores[N_CALIBRATION:]
        block = block_length(known, 1) if by_blocks else 1
        shares.append(np.mean(new < at_rate(np.sort(known), rate, block)))
    return np.mean(shares), np.std(shares) / np.sqrt(N_SEEDS)


@pytest.mark.parametrize("rate", [0.05, 0.15])
@pytest.mark.parametrize("process", PROCESSES)
def test_by_blocks_the_rate_holds_on_average(process, rate):
    mean, error = kept(process, rate, by_blocks=True)
    assert mean < rate + 3 * error


def test_without_blocks_the_rate_is_exceeded():
    mean, error = kept("phi 0.99", 0.05, by_blocks=False)
    assert mean > 0.05 + 3 * error


@pytest.mark.parametrize("block", [1, 5, 24])
def test_the_threshold_is_that_of_conformal_risk_control(rng, block):
    scores, rate = np.sort(rng.standard_normal(240)), 0.13
    threshold = at_rate(scores, rate, block)
    n_blocks = 240 / block

    def risk(candidate):
        """Bound the share of alarms in a new block by the worst case 1 of this block and the shares of the others."""
        return (np.sum(scores < candidate) / block + 1) / (n_blocks + 1)

    assert risk(threshold) <= rate < risk(np.nextafter(threshold, np.inf))


def test_if_no_rate_can_be_guaranteed_no_training_point_is_an_alarm():
    scores = np.arange(100.0)
    assert at_rate(scores, 0.01, block=20) == 0.0
    assert at_rate(scores, None, block=20) == 0.0
    with pytest.raises(ValueError, match="fpr=0.001 needs at least 999 calibration rows, got 100"):
        at_rate(scores, 0.001)


# In a detector


def small(length=16):
    net = Autoencoder(4, likelihood=Gaussian(), batch_size=64, max_epochs=4, learning_rate=5e-3)
    return SlidingWindows(net, lengths=(length,), views=("values",), random_state=0)


@pytest.fixture(scope="module")
def fitted():
    series = autoregression(0.9, 1000, np.random.default_rng(0))
    return AnomalyDetector(small(), fpr=0.05, random_state=0).fit(series)


def test_detectors_of_series_count_blocks(fitted):
    scores, block = fitted.estimator_.held_out_scores_, fitted.block_length_
    assert block == block_length(scores, 16) >= 16
    assert fitted.offset_ == at_rate(np.sort(scores), 0.05, block)
    n_below = np.sum(scores < fitted.offset_)
    assert fitted.fpr_ == pytest.approx((n_below + block) / (1000 + block))
    assert fitted.fpr_ <= 0.05


def test_a_rate_that_cannot_be_guaranteed_is_a_warning():
    series = autoregression(0.9, 300, np.random.default_rng(0))
    detector = AnomalyDetector(small(), fpr=0.01, random_state=0).fit(series)
    block = detector.block_length_
    assert detector.offset_ == detector.calibration_scores_[0]
    assert detector.fpr_ == pytest.approx(block / (300 + block))
    assert detector.fpr_ > 0.01


def test_windows_are_counted_in_blocks_and_rows_singly(rng):
    net = Autoencoder(2, max_epochs=1)
    windows = Windows(autoregression(0.5, 500, rng), 20, stride=2)
    options = {"fpr": 0.1, "calibration": "split", "random_state": 0}
    assert AnomalyDetector(net, **options).fit(windows).block_length_ >= 10
    assert AnomalyDetector(net, **options).fit(rng.standard_normal((300, 3))).block_length_ == 1


def test_new_calibration_keeps_the_blocks(fitted):
    series = autoregression(0.9, 1000, np.random.default_rng(0))
    detector = AnomalyDetector(small(), fpr=0.05, random_state=0).fit(series)
    detector.calibrate(autoregression(0.9, 800, np.random.default_rng(1)))
    assert detector.block_length_ == fitted.block_length_


def test_resamples_are_made_of_blocks(rng):
    scores = np.arange(1000.0)
    drawn = Calibration(scores, np.zeros(1000, dtype=int), 20).resample(rng).scores
    assert len(drawn) == 1000
    assert np.mean(np.diff(drawn) == 1) > 0.9


def test_rates_hold_on_new_points_of_series():
    shares = []
    for seed in range(6):
        series = autoregression(0.5, 3500, np.random.default_rng(seed))
        detector = AnomalyDetector(small(), fpr=0.05, random_state=seed).fit(series[:1000])
        shares.append(np.mean(detector.predict(series[1000:]) == -1))
    assert np.mean(shares) < 0.05 + 3 * np.std(shares) / np.sqrt(6)
