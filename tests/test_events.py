"""Alarms of time points, merged into events."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, OutlierMixin

from isthmus import AnomalyDetector, Autoencoder
from isthmus.anomaly import Event
from isthmus.anomaly.calibration import Calibration
from isthmus.anomaly.events import count_expected, merge_spans
from isthmus.backbones import MLP
from isthmus.data import Windows


class Level(OutlierMixin, BaseEstimator):
    """Scores rows by how far their sum is from 0, channel by channel."""

    def fit(self, X, y=None):
        self.n_features_in_ = np.shape(X)[1]
        return self

    def score_samples(self, X):
        return self.contributions(X).sum(1)

    def contributions(self, X):
        return -np.abs(np.asarray(X, dtype=float))


def brute_spans(alarms, gap):
    """Close gaps one after the other, then return the runs."""
    closed = np.array(alarms, dtype=bool)
    on = np.flatnonzero(closed)
    for left, right in zip(on[:-1], on[1:], strict=True):
        if right - left - 1 <= gap:
            closed[left:right] = True
    spans, start = [], None
    for i, alarm in enumerate([*closed, False]):
        if alarm and start is None:
            start = i
        elif not alarm and start is not None:
            spans.append((start, i))
            start = None
    return spans


@pytest.mark.parametrize("gap", [0, 1, 3, 50])
def test_spans_are_merged_as_by_hand(rng, gap):
    for share in (0.0, 0.05, 0.3, 1.0):
        alarms = rng.random(60) < share
        assert merge_spans(alarms, gap) == brute_spans(alarms, gap)


@pytest.fixture
def points(rng):
    X = 0.1 * rng.standard_normal((400, 3))
    X[50:60, 1], X[55, 1] = 5.0, 9.0
    X[62:64, 1] = 5.0
    X[200, 0], X[200, 2] = 6.0, 3.0
    return X


def test_points_become_events_with_time_peak_and_channels(points):
    detector = AnomalyDetector(Level(), threshold=-2.0).fit(points[300:])
    first, second = detector.events(points, gap=2)
    assert (first.start, first.end, first.peak, first.n_points, first.channels) == (50, 63, 55, 14, (1,))
    assert (second.start, second.end, second.channels) == (200, 200, (0,))
    assert first.severity > second.severity > 0
    assert [event.start for event in detector.events(points, gap=0)] == [50, 62, 200]
    assert [event.start for event in detector.events(points, gap=2, min_length=2)] == [50]
    assert list(pd.DataFrame(detector.events(points))) == list(Event._fields)


def test_an_event_is_printed_as_one_line():
    assert (
        str(Event(3, 9, 5, 7, 1.23456, ("a", "b")))
        == "3 to 9 (7 points), lowest at 5, severity 1.23, channels 'a', 'b'"
    )
    day = pd.Timestamp("2024-05-01 08:30")
    assert str(Event(day, day, day, 1, 2.0, ())) == (
        "2024-05-01 08:30 (1 point), lowest at 2024-05-01 08:30, severity 2"
    )
    assert str(Event(3, 9, 5, 7, 2.0, (), 0.25)).endswith(", severity 2, expected if normal 0.25")


class MovingLevel(Level):
    """Scores a row by the mean of the rows around it, as windows do."""

    lengths_ = (9,)

    def score_samples(self, X):
        return np.convolve(self.step_contributions(X).sum(1), np.ones(9) / 9, "same")

    def step_contributions(self, X):
        return 1 - np.abs(np.nan_to_num(np.asarray(X, dtype=float), nan=1.0))


def test_a_run_of_alarms_is_narrowed_to_the_unusual_points():
    X = np.zeros((200, 2))
    X[50:53, 0], X[62, 1], X[120:160] = 40.0, -30.0, 3.0
    detector = AnomalyDetector(MovingLevel(), threshold=-1.0).fit(X[:40])
    alarms = np.flatnonzero(detector.predict(X) == -1)
    assert {46, 56, 58, 66} <= set(alarms)
    spans = [(event.start, event.end, event.channels) for event in detector.events(X)]
    assert spans == [(50, 52, (0,)), (62, 62, (1,)), (120, 159, (0,))]


@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame])
def test_values_beside_a_strong_event_count_by_scores_without_it(container):
    X = np.zeros((200, 2))
    X[50:53, 0], X[55, 1], X[60, 1] = 40.0, 6.0, 32.0
    detector = AnomalyDetector(MovingLevel(), threshold=-1.0).fit(container(X[100:140]))
    assert detector.predict(container(X))[55] == -1  # by windows that contain the strong event
    strong, weak = detector.events(container(X), gap=0)
    assert (strong.start, strong.end, weak.start, weak.end) == (50, 52, 60, 60)
    X[50:53] = 0.0
    alone = detector.events(container(X), gap=0)[-1]
    assert (alone.start, alone.severity) == (60, pytest.approx(weak.severity))


def test_times_are_printed_without_zeros():
    start, end = (np.datetime64(text, "ns") for text in ("2024-05-01T08:30", "2024-05-01T08:30:00.5"))
    text = str(Event(start, end, start, 2, 2.0, ()))
    assert text.startswith("2024-05-01 08:30 to 2024-05-01 08:30:00.500 (2 points), lowest at 2024-05-01 08:30,")


def test_severity_counts_distances_from_the_median_to_the_threshold(points):
    detector = AnomalyDetector(Level(), threshold=-2.0).fit(points[300:])
    peak = detector.events(points, gap=2)[0]
    usual = np.median(detector.calibration_scores_)
    lowest = detector.score_samples(points)[55]
    assert peak.severity == pytest.approx((-2.0 - lowest) / (usual + 2.0))


def test_the_expected_number_of_events_follows_from_those_of_the_calibration_scores(points):
    normal = 0.1 * np.random.default_rng(1).standard_normal((800, 3))
    normal[[100, 300, 301, 500], 0] = [3.0, 4.0, 6.0, 5.0]
    detector = AnomalyDetector(Level(), threshold=-2.0).fit(normal)
    small, large = normal[:400].copy(), points
    small[50, 0] = 4.5
    assert [event.expected_if_normal for event in detector.events(large, gap=2)] == [0.5, 0.5]
    counts = [event.expected_if_normal for event in detector.events(small, gap=2)]
    assert counts == [1.5, 2.0, 1.0]
    assert np.isnan([event.expected_if_normal for event in detector.events(normal, gap=2)]).all()


def test_normal_series_have_no_more_events_than_expected():
    rng, gap, n_series = np.random.default_rng(0), 4, 1000
    found = dict.fromkeys((0.5, 1.0, 2.0), 0)
    for _ in range(n_series):
        scores = np.convolve(rng.standard_normal(1504), np.ones(5) / 5, "valid")
        calibration, new = Calibration.unlabelled(scores[:1000]), scores[1000:]
        spans = merge_spans(new < np.quantile(scores[:1000], 0.02), gap)
        expected = [count_expected(calibration, new[start:stop].min(), gap, len(new)) for start, stop in spans]
        found = {limit: count + sum(each <= limit for each in expected) for limit, count in found.items()}
    for limit, n_events in found.items():
        assert 0.85 * limit < n_events / n_series < 1.1 * limit


def test_windows_become_events_of_their_series(rng):
    t = np.arange(1500)
    series = np.stack([np.sin(t * 2 * np.pi / 25), np.cos(t * 2 * np.pi / 25)], 1) + 0.05 * rng.standard_normal(
        (1500, 2)
    )
    times = pd.date_range("2024-01-01", periods=1500, freq="min")
    frame = pd.DataFrame(series, columns=["left", "right"], index=times)
    windows = Windows(frame.iloc[:1000], 25)
    net = Autoencoder(4, backbone=MLP((32,)), max_epochs=8, random_state=0)
    detector = AnomalyDetector(net, fpr=0.01, calibration="split", random_state=0).fit(windows)
    broken = frame.iloc[1000:].copy()
    broken.iloc[200:230, 1] += 3.0
    worst = max(detector.events(windows.like(broken)), key=lambda event: event.severity)
    assert worst.channels == ("right",)
    assert worst.start <= times[1200].to_datetime64() < worst.end
    assert times[1175].to_datetime64() <= worst.start
    assert worst.end <= times[1255].to_datetime64()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"gap": -1}, "gap must be an integer >= 0, got -1"), ({"min_length": 0}, "min_length must be an integer")],
)
def test_bad_options_are_refused(points, options, message):
    detector = AnomalyDetector(Level(), threshold=-2.0).fit(points)
    with pytest.raises(ValueError, match=message):
        detector.events(points, **options)
