"""Threshold rules against order statistics, SciPy, brute force, and by simulation."""

import numpy as np
import pytest
from scipy import stats

from isthmus.anomaly.calibration import Calibration
from isthmus.anomaly.decisions import decide_by_threshold, threshold_interval
from isthmus.anomaly.thresholds import (
    at_rate,
    by_deviations,
    by_tail,
    choose_rule,
    lowest_share,
    minimise_cost,
    predictive_quantile,
)

# By rate


def test_a_rate_is_an_order_statistic():
    scores = np.arange(1.0, 100.0)
    assert at_rate(scores, 0.01) == 1.0
    assert at_rate(scores, 0.05) == 5.0
    assert at_rate(scores, 0.0599) == 5.0
    assert at_rate(scores, 0.999) == 99.0


@pytest.mark.parametrize(("n_rows", "fpr"), [(99, 0.01), (50, 0.1), (199, 0.05), (33, 0.2)])
def test_the_rate_of_false_alarms_is_kept_exactly(n_rows, fpr):
    """P(alarm) is k / (n + 1) with k = fpr (n + 1) rounded down: a beta distribution, here by simulation."""
    rng = np.random.default_rng(0)
    scores = np.sort(rng.normal(size=(4000, n_rows)), 1)
    rates = [stats.norm.cdf(at_rate(row, fpr)) for row in scores]
    expected = int(fpr * (n_rows + 1) + 1e-9) / (n_rows + 1)
    assert np.mean(rates) == pytest.approx(expected, abs=3 * np.std(rates) / np.sqrt(len(rates)))
    assert expected <= fpr


def test_automatic_rate_is_one_in_a_hundred_or_what_the_rows_allow():
    assert at_rate(np.arange(1.0, 1000.0)) == 10.0
    assert at_rate(np.arange(1.0, 6.0)) == 1.0


@pytest.mark.parametrize(("fpr", "needed"), [(0.01, 99), (0.001, 999), (0.05, 19), (0.3, 3), (0.5, 1)])
def test_the_error_of_too_few_rows_for_a_rate_names_the_number_needed(fpr, needed):
    assert np.isfinite(at_rate(np.arange(float(needed)), fpr))
    with pytest.raises(
        ValueError, match=rf"fpr={fpr} needs at least {needed} calibration rows, got {needed - 1};.*tail"
    ):
        at_rate(np.arange(needed - 1.0), fpr)


# By the tail


def predictive(peaks, value):
    """Return the probability that another peak is larger, by sampling parameters from their posterior."""
    rng = np.random.default_rng(0)
    shape, scale = rng.normal(0.2, 0.3, 200_000), np.median(peaks) * np.exp(rng.uniform(-4, 4, 200_000))
    shape = np.clip(shape, -0.475, 1.975)
    weight = np.exp(sum(stats.genpareto.logpdf(peak, shape, scale=scale) for peak in peaks))
    return np.average(stats.genpareto.sf(value, shape, scale=scale), weights=weight)


@pytest.mark.parametrize("share", [0.2, 0.02])
@pytest.mark.parametrize("n_peaks", [1, 5, 20])
def test_the_predictive_quantile_is_that_of_sampled_parameters(n_peaks, share):
    peaks = stats.genpareto.rvs(0.2, scale=3.0, size=n_peaks, random_state=1)
    assert predictive(peaks, predictive_quantile(share, peaks)) == pytest.approx(share, rel=0.05)


@pytest.mark.parametrize("shape", [0.0, 0.2, 0.4])
def test_quantiles_of_many_peaks_are_those_of_their_distribution(shape):
    peaks = stats.genpareto.rvs(shape, scale=2.0, size=5000, random_state=0)
    assert predictive_quantile(0.01, peaks) == pytest.approx(stats.genpareto.isf(0.01, shape, scale=2.0), rel=0.1)


def test_the_quantile_has_the_unit_of_the_peaks(rng):
    peaks = rng.exponential(size=12)
    assert predictive_quantile(0.01, 1e-200 * peaks) == pytest.approx(1e-200 * predictive_quantile(0.01, peaks))


LAWS = {
    "normal": stats.norm(),
    "exponential": stats.expon(),
    "squares": stats.chi2(5),
    "log-normal": stats.lognorm(1.0),
    "heavy": stats.t(3),
    "ties": stats.geom(0.3),
}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize(("n_rows", "fpr"), [(50, 0.001), (100, 0.001), (100, 0.01), (200, 0.001)])
def test_the_tail_threshold_keeps_its_rate_on_average(name, n_rows, fpr):
    """Expected rates, which no order statistic gives; a quantile of fitted parameters gives 1.2 to 9 times the rate."""
    rng, law = np.random.default_rng(1), LAWS[name]
    cuts = [-by_tail(np.sort(-law.rvs(n_rows, random_state=rng)), fpr) for _ in range(150)]
    rates = law.sf(np.array(cuts)) / fpr
    assert rates.mean() < 1.2 + 2 * rates.std() / np.sqrt(150)
    assert rates.mean() > 0.005


@pytest.mark.parametrize("law", [stats.expon(), stats.t(3), stats.lognorm(1.0)], ids=["exponential", "heavy", "long"])
def test_with_many_rows_the_rate_is_reached(law):
    rng = np.random.default_rng(2)
    rates = [law.sf(-by_tail(np.sort(-law.rvs(5000, random_state=rng)), 0.001)) for _ in range(40)]
    assert np.mean(rates) == pytest.approx(0.001, rel=0.25)


def test_ties_at_the_start_of_the_tail_are_not_peaks():
    """Of 200 rows 7 are below the many zeros: 8 of 201 rows fall there, not 21, as all rows of the tail would say."""
    scores = np.sort(np.r_[np.zeros(193), -np.arange(1.0, 8.0)])
    share = 0.001 * 201 / 8
    assert by_tail(scores, 0.001) == pytest.approx(-predictive_quantile(share, np.arange(1.0, 8.0)), rel=1e-12)


def test_within_the_rows_the_tail_is_the_order_statistic():
    scores = np.arange(1.0, 1000.0)
    assert by_tail(scores, 0.2) == at_rate(scores, 0.2)


def test_a_tail_of_equal_scores_has_no_lower_threshold():
    assert by_tail(np.zeros(200), 0.001) == 0.0


def test_too_few_rows_for_a_tail_are_refused():
    with pytest.raises(ValueError, match="needs at least 50 calibration rows, got 49"):
        by_tail(np.arange(49.0), 0.001)


# By deviations, shares and labels


def test_deviation_thresholds_are_those_of_the_normal_distribution(rng):
    assert by_deviations(np.sort(rng.normal(2.0, 3.0, 200_000))) == pytest.approx(2.0 - 3.5 * 3.0, abs=0.1)


def test_deviation_thresholds_are_robust_to_outliers(rng):
    clean = rng.normal(size=2000)
    spoiled = np.concatenate([clean[:1500], np.full(500, -1e9)])
    assert by_deviations(np.sort(spoiled)) > -8.0


def test_contamination_gives_the_share_of_alarms(rng):
    scores = np.sort(rng.normal(size=300))
    assert (scores < lowest_share(scores, 0.1)).sum() == 30


@pytest.mark.parametrize("costs", [(1.0, 1.0), (1.0, 5.0), (3.0, 1.0)])
def test_labels_give_the_threshold_of_least_cost(rng, costs):
    for _ in range(20):
        labels = rng.choice([1, -1, 0], 60, p=[0.5, 0.3, 0.2])
        scores = np.round(rng.normal(size=60) + labels, 1)
        cost = [cost_of(cut, scores, labels, costs) for cut in [*(np.unique(scores) - 0.05), 99.0]]
        found = minimise_cost(Calibration(scores, labels), costs)
        assert cost_of(found, scores, labels, costs) == min(cost)


def cost_of(cut, scores, labels, costs):
    return costs[0] * ((scores < cut) & (labels == 1)).sum() + costs[1] * ((scores >= cut) & (labels == -1)).sum()


def test_the_threshold_lies_in_the_middle_between_groups():
    calibration = Calibration(np.array([-4.0, -2.0, 2.0, 3.0]), np.array([-1, -1, 1, 1]))
    assert minimise_cost(calibration, (1.0, 1.0)) == 0.0


@pytest.mark.parametrize(("labels", "missing"), [([1, 1, 0], "anomalies"), ([-1, 0, -1], "normal rows")])
def test_labels_of_one_class_are_refused(labels, missing):
    with pytest.raises(ValueError, match=f"needs {missing}.*at calibration, and there are none"):
        minimise_cost(Calibration(np.arange(3.0), np.array(labels)), (1.0, 1.0))


# Choice


RULES = {
    "a name": ({"threshold": "iqr"}, r"threshold must be a number or one of \['auto', 'tail', 'mad', 'labels'\]"),
    "a truth": ({"threshold": True}, "threshold must be a number"),
    "two rates": ({"fpr": 0.1, "contamination": 0.1}, r"contamination=0.1 and fpr=0.1 are different rules"),
    "a rule and a rate": ({"fpr": 0.1, "threshold": "mad"}, r"threshold='mad' and fpr=0.1 are different rules"),
    "a rule and a share": ({"contamination": 0.1, "threshold": -3.0}, r"threshold=-3.0 and contamination=0.1"),
    "no share": ({"contamination": 0.0}, r"contamination must be None or in \(0, 0.5\], got 0.0"),
    "most rows": ({"contamination": 0.51}, r"contamination must be None or in \(0, 0.5\]"),
    "a share in words": ({"contamination": "auto"}, r"contamination must be None or in \(0, 0.5\], got 'auto'"),
    "no rate": ({"fpr": 0.0}, r"fpr must be None or in \(0, 1\), got 0.0"),
    "every row": ({"fpr": 1}, r"fpr must be None or in \(0, 1\), got 1"),
    "one cost": ({"costs": 1.0}, "costs must be two positive numbers"),
    "a free miss": ({"costs": (1.0, 0.0)}, "costs must be two positive numbers"),
}


@pytest.mark.parametrize(("params", "message"), RULES.values(), ids=RULES)
def test_impossible_rules_are_refused(params, message):
    with pytest.raises(ValueError, match=message):
        choose_rule(**{"threshold": "auto", "contamination": None, "fpr": None, "costs": (1.0, 1.0), **params})


def test_each_name_selects_its_rule(rng):
    calibration = Calibration.unlabelled(rng.normal(size=500))
    scores = calibration.normal
    expected = {
        ("auto", None): at_rate(scores, 0.01),
        ("auto", 0.05): at_rate(scores, 0.05),
        ("tail", None): by_tail(scores, 0.001),
        ("tail", 0.002): by_tail(scores, 0.002),
        ("mad", None): by_deviations(scores),
        (-2.5, None): -2.5,
    }
    found = {(name, fpr): choose_rule(name, None, fpr, (1.0, 1.0))(calibration) for name, fpr in expected}
    assert found == expected


# Abstention


def test_the_interval_of_a_quantile_covers_it():
    """Coverage of the 20 % quantile of the normal distribution with 95 % confidence."""
    rng = np.random.default_rng(0)
    rule, wanted, hits = choose_rule("auto", None, 0.2, (1.0, 1.0)), stats.norm.ppf(0.2), 0
    for i in range(200):
        calibration = Calibration.unlabelled(rng.normal(size=300))
        low, high = threshold_interval(rule, calibration, rule(calibration), 0.95, i)
        hits += low <= wanted <= high
    assert 0.9 < hits / 200 < 0.99


def test_more_rows_or_less_confidence_leave_fewer_rows_undecided(rng):
    rule = choose_rule("auto", None, 0.05, (1.0, 1.0))

    def width(n_rows, confidence):
        calibration = Calibration.unlabelled(rng.normal(size=n_rows))
        low, high = threshold_interval(rule, calibration, rule(calibration), confidence, 0)
        return high - low

    assert width(20_000, 0.95) < width(200, 0.95) / 3
    assert width(2000, 0.5) < width(2000, 0.99)


def test_a_given_threshold_has_no_interval():
    rule = choose_rule(-1.5, None, None, (1.0, 1.0))
    assert threshold_interval(rule, Calibration.unlabelled(np.arange(-5.0, 5.0)), -1.5, 0.95, 0) == (-1.5, -1.5)


def test_anomalies_are_resampled_among_themselves(rng):
    calibration = Calibration(rng.normal(size=50), np.repeat([1, -1], [47, 3]))
    assert all((calibration.resample(rng).labels == -1).sum() == 3 for _ in range(20))


def test_scores_between_are_undecided():
    np.testing.assert_array_equal(decide_by_threshold(np.array([-1.0, 0.0, 0.5, 1.0, 2.0]), 0.0, 1.0), [-1, 0, 0, 1, 1])
