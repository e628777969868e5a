"""Numbers in messages, tables and reports: digits, signs, percentages and intervals."""

import math

import numpy as np
import pytest

from isthmus.formatting import align_numbers, count_limit_digits, format_estimate, format_number, format_percent
from isthmus.reporting.blocks import Interval, Share
from isthmus.reporting.texts import align, show


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0 %"),
        (1e-7, "<0.01 %"),
        (0.0004, "0.04 %"),
        (0.02, "2 %"),
        (0.0312, "3.1 %"),
        (0.5, "50 %"),
        (-0.412, "-41 %"),
        (0.996, "99.6 %"),
        (1 - 1e-7, ">99.99 %"),
        (1.0, "100 %"),
        (1.23, "123 %"),
        (math.nan, "nan %"),
    ],
)
def test_percentages_have_more_digits_near_0_and_100(share, text):
    assert format_percent(share) == text


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        ((0.8213, 0.7891, 0.8512), "0.82 (0.79 to 0.85)"),
        ((0.87, 0.62, 1.16), "0.87 (0.62 to 1.16)"),
        ((0.08, 0.002, 0.17), "0.080 (0.002 to 0.170)"),
        ((0.951, 0.918, 0.98), "0.95 (0.92 to 0.98)"),
        ((0.3, -0.0004, 12.0), "0 (0 to 12)"),
        ((-0.001, -0.04, 0.02), "0.00 (-0.04 to 0.02)"),
        ((3.0, 3.0, 3.0), "3 (3 to 3)"),
        ((1.5e-5, 1.2e-5, 1.9e-5), "1.5e-5 (1.2e-5 to 1.9e-5)"),
        ((2.5e9, 2.1e9, 2.9e9), "2.5e9 (2.1e9 to 2.9e9)"),
    ],
)
def test_an_estimate_and_its_limits_have_the_same_digits(estimate, text):
    assert format_estimate(*estimate) == text


def test_rounding_moves_a_limit_by_a_twelfth_of_the_width_at_most():
    for width in np.geomspace(1e-3, 1e3, 50):
        assert 0.5 * 10.0 ** -count_limit_digits(1.0, 1.0 + width) <= max(width / 12, 0.5)


def test_numbers_have_no_sign_of_0_and_few_digits():
    assert [format_number(x) for x in (-0.0, 319_345.2, 1e6, 0.5, -1e-9)] == ["0", "319345", "1e6", "0.5", "-1e-9"]
    assert align_numbers([-0.0001, 1.5, math.nan]) == ["0.00", "1.50", "nan"]
    assert align_numbers([2e-5, 0.0]) == ["2e-5", "0"]
    assert align([Interval(0.5, 0.4, 0.6), Interval(0.25, 0.24, 0.26)]) == ["0.500", "0.250"]
    assert align([Share(0.002), Interval(Share(0.4), 0.2, 0.6), None]) == ["0.2 %", "40.0 %", "–"]
    assert show(Interval(Share(0.08), 0.0023, 0.17)) == "8.0 % (0.2 % to 17.0 %)"
    assert show(Interval(Share(0.005), 0.001, 0.03)) == "0.5 % (0.1 % to 3.0 %)"
