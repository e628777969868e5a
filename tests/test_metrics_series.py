"""Measures of series, compared with aeon, the authors of affiliation, scikit-learn, brute force and manual results.

``files/series_metrics.json`` has random series and results of other programs; the script beside it writes it.
"""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import auc, average_precision_score, f1_score, precision_recall_curve, roc_auc_score

from isthmus.metrics.series import (
    PrecisionRecall,
    affiliation_precision_recall,
    archive_accuracy,
    archive_hit,
    auc_pr,
    auc_roc,
    event_f1,
    point_adjusted_f1,
    range_precision_recall,
    series_quality,
    vus_pr,
    vus_roc,
)
from isthmus.metrics.series.events import adjusted_f1, best_threshold
from isthmus.metrics.series.reading import find_runs

CASES = json.loads((Path(__file__).parent / "files" / "series_metrics.json").read_text())
for each in CASES:
    each |= {name: np.array([*each[name]], int) for name in ("labels", "predictions")}
    each["scores"] = np.array(each["scores"])
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: f"{len(case['labels'])} points")
EVENTS = np.repeat([0, 1, 0, 1, 0], [30, 10, 40, 5, 15])


@pytest.fixture
def noise():
    return np.random.default_rng(0).random(len(EVENTS))


def runs(flags):
    """Return runs of flagged points as pairs of first and last."""
    found, start = [], None
    for place, flag in enumerate([*flags, 0]):
        if flag and start is None:
            start = place
        elif not flag and start is not None:
            found.append((start, place - 1))
            start = None
    return found


# Volume under the surface


def brute_volumes(labels, scores, window, shorter_after):
    """The paper's formulas, point by point; aeon's buffers after an event are one point shorter."""
    areas = [brute_areas(labels, scores, width, shorter_after) for width in range(window + 1)]
    return np.mean(areas, axis=0)


def brute_areas(labels, scores, width, shorter_after):
    weights = labels.astype(float)
    half = width // 2
    for start, end in runs(labels):
        for place in range(len(labels)):
            if start - half <= place < start:
                weights[place] += math.sqrt(1 - (start - place) / width)
            if end < place <= end + half - shorter_after:
                weights[place] += math.sqrt(1 - (place - end) / width)
    weights = np.minimum(weights, 1)
    positives = (labels.sum() + weights.sum()) / 2
    curve = [(0.0, 0.0, 1.0)]
    for threshold in np.unique(scores)[::-1]:
        alarms = scores >= threshold
        found = (weights * alarms).sum()
        existence = np.mean([alarms[start : end + 1].any() for start, end in runs(weights > 0)])
        recall = min(found / positives, 1) * existence
        curve.append((recall, (alarms.sum() - found) / (len(labels) - positives), found / alarms.sum()))
    recall, false, precision = np.array(curve).T
    return trapezoids(recall, precision), trapezoids([*false, 1], [*recall, 1])


def trapezoids(x, y):
    return sum((x[i + 1] - x[i]) * (y[i + 1] + y[i]) / 2 for i in range(len(x) - 1))


@cases
def test_volumes_are_those_of_brute_force_which_are_those_of_aeon(case):
    labels, scores, window = case["labels"], case["scores"], case["window"]
    ours = [vus_pr(labels, scores, window), vus_roc(labels, scores, window)]
    aeon = [case["vus_pr"], case["vus_roc"]]
    assert brute_volumes(labels, scores, window, shorter_after=1) == pytest.approx(aeon, abs=1e-12)
    assert brute_volumes(labels, scores, window, shorter_after=0) == pytest.approx(ours, abs=1e-12)
    # One point of a buffer, on one side.
    assert ours == pytest.approx(aeon, abs=0.03)
    if window == 1:
        assert ours == pytest.approx(aeon, abs=1e-12)


def test_volumes_equal_those_computed_by_hand():
    """The only high score is one point too early; with width 2 it counts sqrt(1/2)."""
    labels, scores = [0, 0, 1, 0, 0], [0.0, 0.9, 0.0, 0.0, 0.0]
    half = math.sqrt(0.5)
    recall = half / (1 + half)
    with_buffer = recall * (1 + half) / 2 + (1 - recall) * (half + (1 + 2 * half) / 5) / 2
    assert vus_pr(labels, scores, window=2) == pytest.approx((0.1 + 0.1 + with_buffer) / 3)


def test_without_buffers_one_event_has_the_curves_of_points(noise):
    labels = np.repeat([0, 1, 0], [60, 10, 30])
    precision, recall, _ = precision_recall_curve(labels, noise)
    assert vus_pr(labels, noise, window=0) == pytest.approx(auc(recall, precision))
    assert vus_roc(labels, noise, window=0) == pytest.approx(roc_auc_score(labels, noise))


def test_volumes_do_not_depend_on_the_direction_of_time_or_the_scale_of_scores(noise):
    for measure in (vus_pr, vus_roc):
        value = measure(EVENTS, noise, 30)
        assert measure(EVENTS[::-1], noise[::-1], 30) == pytest.approx(value)
        assert measure(EVENTS, np.exp(9 * noise) - 5, 30) == value


def test_buffers_tolerate_a_delay():
    late = np.roll(EVENTS, 12).astype(float)
    assert auc_pr(EVENTS, late) < 0.2
    assert vus_pr(EVENTS, late, 40) > 0.4
    assert vus_pr(EVENTS, np.roll(EVENTS, 4), 40) > vus_pr(EVENTS, late, 40)


# Points, ranges, distances


def test_points_are_counted_as_scikit_learn_does(noise):
    assert auc_pr(EVENTS, noise) == average_precision_score(EVENTS, noise)
    assert auc_roc(EVENTS, noise) == roc_auc_score(EVENTS, noise)


@cases
def test_ranges_are_those_of_aeon(case):
    found = range_precision_recall(case["labels"], case["predictions"])
    assert found.precision == pytest.approx(case["range_precision"], abs=1e-12)
    for bias, recall in case["range_recall"].items():
        found = range_precision_recall(case["labels"], case["predictions"], alpha=0.3, bias=bias)
        assert found.recall == pytest.approx(recall, abs=1e-12)


def test_range_measures_equal_those_computed_by_hand():
    #         two pieces cover 3 of 4 points         one covers it
    labels = [0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1]
    alarms = [1, 1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 1]
    precision, recall = range_precision_recall(labels, alarms)
    assert precision == pytest.approx((1 / 2 + 1 + 0 + 2 / 3) / 4)
    assert recall == pytest.approx((3 / 4 / 2 + 1) / 2)
    assert range_precision_recall(labels, alarms, alpha=1).recall == 1
    # Places 1, 3, 4 of four, which count 4, 2, 1 from the front.
    assert range_precision_recall(labels, alarms, bias="front").recall == pytest.approx((7 / 10 / 2 + 1) / 2)


@cases
def test_affiliation_is_that_of_its_authors(case):
    found = affiliation_precision_recall(case["labels"], case["predictions"])
    assert found == pytest.approx(tuple(case["affiliation"]), abs=1e-12)


def test_affiliation_is_the_chance_that_a_random_point_lies_further_away():
    labels, alarms = np.repeat([0, 1, 0], [20, 10, 30]), np.repeat([0, 1, 0], [40, 5, 15])
    anywhere, alarmed, event = np.linspace(0, 60, 2001), np.linspace(40, 45, 501), np.linspace(20, 30, 501)

    def to_event(points):
        return np.maximum(np.maximum(20 - points, points - 30), 0)

    precision = (to_event(anywhere) >= to_event(alarmed)[:, None]).mean()
    recall = (np.abs(anywhere - event[:, None]) >= (40 - event)[:, None]).mean()
    assert affiliation_precision_recall(labels, alarms) == pytest.approx((precision, recall), abs=2e-3)


def test_affiliation_of_random_alarms_is_near_a_half():
    labels = np.repeat([0, 1, 0], [3000, 50, 3000])
    alarms = np.random.default_rng(1).random(len(labels)) > 0.9
    assert affiliation_precision_recall(labels, alarms).precision == pytest.approx(0.5, abs=0.03)


def test_correct_alarms_score_1_and_no_alarms_score_0():
    for measure in (range_precision_recall, affiliation_precision_recall):
        assert measure(EVENTS, EVENTS) == (1, 1)
        assert measure(EVENTS, np.zeros_like(EVENTS)) == (0, 0)
    assert event_f1(EVENTS, EVENTS) == 1
    assert event_f1(EVENTS, np.zeros_like(EVENTS)) == 0
    assert PrecisionRecall(0.0, 0.0).f1 == 0
    assert PrecisionRecall(0.5, 1.0).f1 == pytest.approx(2 / 3)


# Events


def test_events_are_runs_of_consecutive_points():
    for case in CASES:
        events = find_runs(case["labels"] > 0)
        assert list(zip(events.starts, events.stops - 1, strict=True)) == runs(case["labels"])


def test_event_f1_counts_events_and_alarmed_points():
    labels, alarms = [1, 1, 0, 0, 1, 1, 0, 1], [0, 1, 0, 1, 0, 0, 1, 1]
    precision, recall = 2 / 4, 2 / 3
    assert event_f1(labels, alarms) == pytest.approx(2 * precision * recall / (precision + recall))
    # An alarm at all points detects all events, and half of its points are false.
    assert event_f1(np.repeat([0, 1], 50), np.ones(100)) == pytest.approx(2 / 3)


@cases
def test_point_adjusted_f1_is_that_of_adjusted_alarms(case):
    labels, scores = case["labels"], case["scores"]
    best = 0
    for threshold in np.unique(scores):
        alarms = (scores >= threshold).astype(int)
        for start, end in runs(labels):
            alarms[start : end + 1] = alarms[start : end + 1].max()
        best = max(best, f1_score(labels, alarms))
    assert adjusted_f1(labels > 0, scores) == pytest.approx(best)


@cases
def test_the_best_threshold_is_found_among_all(case):
    labels, scores = case["labels"], case["scores"]
    f1, threshold = best_threshold(labels > 0, scores)
    assert f1 == pytest.approx(max(f1_score(labels, scores >= each) for each in np.unique(scores)))
    assert f1_score(labels, scores >= threshold) == pytest.approx(f1)


def test_point_adjusted_f1_stands_beside_that_of_random_scores():
    labels = np.repeat([0, 1, 0], [400, 200, 400])
    figure = point_adjusted_f1(labels, labels, random_state=0)
    assert figure.f1 == 1
    assert figure.random > 0.95
    assert str(figure) == f"1.000 (random scores {figure.random:.3f})"
    assert point_adjusted_f1(labels, labels, random_state=0) == figure
    assert point_adjusted_f1(labels, labels, random_state=1) != figure


# The archive


@pytest.mark.parametrize(("place", "hit"), [(99, False), (100, True), (319, True), (320, False)])
def test_the_ucr_score_tolerates_a_hundred_points(place, hit):
    labels = np.repeat([0, 1, 0], [200, 20, 280])
    assert archive_hit(labels, np.eye(500)[place]) is hit


@pytest.mark.parametrize(("place", "hit"), [(49, False), (50, True), (499, True), (500, False)])
def test_the_ucr_score_tolerates_the_length_of_the_anomaly(place, hit):
    labels = np.repeat([0, 1, 0], [200, 150, 250])
    assert archive_hit(labels, np.eye(600)[place]) is hit


def test_a_constant_score_finds_nothing():
    labels = np.repeat([1, 0], [20, 480])
    assert not archive_hit(labels, np.ones(500))
    assert archive_accuracy([(labels, np.ones(500)), (labels, labels)]) == 0.5


def test_the_ucr_score_needs_one_anomaly_per_series():
    with pytest.raises(ValueError, match="exactly one anomalous event, got 2"):
        archive_hit(EVENTS, EVENTS)
    with pytest.raises(ValueError, match="at least one pair"):
        archive_accuracy([])


# All measures


def test_a_report_contains_the_results_of_the_functions(noise):
    alarms = noise > 0.8
    quality = series_quality(EVENTS, noise, alarms, window=20, random_state=0)
    measured = quality.scores
    assert measured.vus_pr == vus_pr(EVENTS, noise, 20)
    assert measured.vus_roc == vus_roc(EVENTS, noise, 20)
    assert measured.auc_pr == auc_pr(EVENTS, noise)
    assert measured.auc_roc == auc_roc(EVENTS, noise)
    assert measured.range == range_precision_recall(EVENTS, alarms)
    assert measured.affiliation == affiliation_precision_recall(EVENTS, alarms)
    assert measured.event_f1 == event_f1(EVENTS, alarms)
    assert measured.point_adjusted_f1 == point_adjusted_f1(EVENTS, noise).f1
    assert measured.archive_hit is None
    assert not quality.oracle
    assert "archive" not in str(quality)


def test_a_report_marks_thresholds_chosen_by_labels(noise):
    labels = np.repeat([0, 1, 0], [60, 10, 30])
    quality = series_quality(labels, noise + labels, random_state=0)
    assert quality.oracle
    assert quality.scores.range == (1, 1)
    assert quality.random.range.f1 < 0.5
    *lines, note = str(quality).splitlines()
    assert note == "Alarms use the best threshold for these labels."
    assert lines[0].split() == ["scores", "random", "scores"]
    assert lines[-1].split() == ["archive", "hit", "1.000", f"{quality.random.archive_hit:.3f}"]
    assert len({len(line) for line in lines}) == 1


def test_random_alarms_are_as_many_as_the_given_ones():

    labels = np.tile(EVENTS, 200)
    alarms = np.roll(labels, 7)
    random = series_quality(labels, alarms, alarms, window=0, random_state=0).random
    # Random alarms at 15 % of the points almost certainly detect events of 10 and 5 points.
    share = labels.mean()
    noticed = np.mean([1 - (1 - share) ** 10, 1 - (1 - share) ** 5])
    assert random.event_f1 == pytest.approx(2 * share * noticed / (share + noticed), abs=0.02)


def test_random_baselines_depend_on_the_seed_only(noise):
    state = np.random.get_state()[1].copy()
    first, again, other = (series_quality(EVENTS, noise, window=5, random_state=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.random != other.random
    assert (np.random.get_state()[1] == state).all()


# Bad input

ALL = {
    "vus_pr": vus_pr,
    "vus_roc": vus_roc,
    "auc_pr": auc_pr,
    "auc_roc": auc_roc,
    "range_precision_recall": range_precision_recall,
    "affiliation_precision_recall": affiliation_precision_recall,
    "event_f1": event_f1,
    "point_adjusted_f1": point_adjusted_f1,
    "archive_hit": archive_hit,
    "series_quality": series_quality,
}
OF_ALARMS = ("range_precision_recall", "affiliation_precision_recall", "event_f1")


@pytest.mark.parametrize("name", ALL)
def test_labels_need_both_kinds(name):
    for value, missing in ((0, "an anomalous point"), (1, "a normal point")):
        with pytest.raises(ValueError, match=f"labels must have at least {missing}.* among their 9 points"):
            ALL[name](np.full(9, value), np.eye(9)[4])


@pytest.mark.parametrize("name", ALL)
def test_the_second_argument_must_be_as_long_as_labels(name):
    what = "predictions" if name in OF_ALARMS else "anomaly_scores"
    with pytest.raises(ValueError, match=rf"{what} must have the length of labels, 100, got 99"):
        ALL[name](EVENTS, EVENTS[:-1])
    with pytest.raises(ValueError, match=rf"{what} must be numbers of shape \(n,\), got float64 of shape \(100, 1\)"):
        ALL[name](EVENTS, np.ones((100, 1)))


@pytest.mark.parametrize("name", sorted(set(ALL) - set(OF_ALARMS)))
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_scores_must_be_finite(name, value, noise):
    noise[[3, 7]] = value
    with pytest.raises(ValueError, match=f"anomaly_scores must be finite, got {value} at point 3 and 2 invalid points"):
        ALL[name](EVENTS, noise)


@pytest.mark.parametrize("name", OF_ALARMS)
def test_labels_of_predict_are_refused_with_an_explanation(name):
    with pytest.raises(ValueError, match=r"predictions must be 1 .* got -1; .* predict\(X\) == -1"):
        ALL[name](EVENTS, np.where(EVENTS, -1, 1))
    with pytest.raises(ValueError, match="labels must be 1 for anomalous and 0 for normal points, got 2"):
        ALL[name](EVENTS * 2, EVENTS)


def test_impossible_parameters_are_refused_by_name(noise):
    for call in (vus_pr, vus_roc, lambda *_, window: series_quality(EVENTS, noise, window=window)):
        for window in (-1, 2.5, 0.0, "auto"):
            with pytest.raises(ValueError, match=f"window must be an integer >= 0, got {window!r}"):
                call(EVENTS, noise, window=window)
    with pytest.raises(ValueError, match=r"alpha must be in \[0, 1\], got 2"):
        range_precision_recall(EVENTS, EVENTS, alpha=2)
    with pytest.raises(ValueError, match="bias must be one of .*'front'.* got 'fromt'; did you mean 'front'"):
        range_precision_recall(EVENTS, EVENTS, bias="fromt")
