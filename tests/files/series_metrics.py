"""Write ``series_metrics.json``: random labels and scores of short series, and the results of other programs.

aeon 1.6.0 needs a separate environment, because it pins versions. The affiliation of events is computed by the package
of its authors, ``affiliation-metrics-py`` (commit 8d84498), because aeon has none::

    pip install aeon==1.6.0 git+https://github.com/ahstat/affiliation-metrics-py@8d84498
    python tests/files/series_metrics.py
"""

import json
from pathlib import Path

import numpy as np
from aeon.benchmarking.metrics import anomaly_detection as aeon
from affiliation.generics import convert_vector_to_events
from affiliation.metrics import pr_from_events

N_CASES = 24
WINDOWS = (1, 2, 7, 20, 40)
BIASES = ("flat", "front", "middle", "back")
ALPHA = 0.3


def case(seed: int) -> dict:
    """A series of up to 200 points, of which aeon takes every score as a threshold."""
    generator = np.random.default_rng(seed)
    n = int(generator.integers(40, 200))
    labels = np.zeros(n, int)
    for _ in range(1 + seed % 4):
        start = generator.integers(n - 1)
        labels[start : start + generator.integers(1, 15)] = 1
    # Few distinct scores in every third case: ties.
    scores = (generator.random(n) + 0.5 * labels * generator.random(n)).round(1 if seed % 3 == 0 else 4)
    predictions = (scores > np.quantile(scores, 0.8)).astype(int)
    window = WINDOWS[seed % len(WINDOWS)]
    affiliation = pr_from_events(convert_vector_to_events(predictions), convert_vector_to_events(labels), (0, n))
    return {
        "labels": "".join(map(str, labels)),
        "scores": scores.tolist(),
        "predictions": "".join(map(str, predictions)),
        "window": window,
        "vus_pr": aeon.range_pr_vus_score(labels, scores, window),
        "vus_roc": aeon.range_roc_vus_score(labels, scores, window),
        "range_precision": aeon.range_precision(labels, predictions),
        "range_recall": {bias: aeon.range_recall(labels, predictions, alpha=ALPHA, bias=bias) for bias in BIASES},
        "affiliation": [affiliation["precision"], affiliation["recall"]],
    }


if __name__ == "__main__":
    cases = [case(seed) for seed in range(N_CASES)]
    Path(__file__).with_suffix(".json").write_text("[\n" + ",\n".join(json.dumps(each) for each in cases) + "\n]\n")
