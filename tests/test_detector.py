"""The detector: scikit-learn's contract, thresholds on held-out scores, kinds of scores and of data."""

import numpy as np
import pytest
from conftest import small
from sklearn.mixture import GaussianMixture
from sklearn.utils.estimator_checks import parametrize_with_checks

from isthmus import AnomalyDetector

NETS = {"precision": "float64", "batch_size": 128}


@parametrize_with_checks(
    [
        AnomalyDetector(GaussianMixture(2)),
        AnomalyDetector(GaussianMixture(2), contamination=0.1, calibration="split"),
        AnomalyDetector(small("vae", **NETS), n_folds=4),
        AnomalyDetector(
            small("vae", **NETS), contamination=0.2, calibration="split", score_from=("encoder", "decoder")
        ),
    ]
)
def test_scikit_learns_battery(estimator, check):
    check(estimator)
