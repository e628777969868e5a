"""Anomaly detection: estimators that score rows, and a detector with calibrated thresholds, p-values and reasons."""

from isthmus.anomaly.anomaly_detector import AnomalyDetector
from isthmus.anomaly.bagged_autoencoders import BaggedAutoencoders
from isthmus.anomaly.events import Event
from isthmus.anomaly.exemplar_distance import ExemplarDistance
from isthmus.anomaly.explanation import Explanation
from isthmus.anomaly.sliding_windows import SlidingWindows
from isthmus.anomaly.stream_monitor import Decision, Drift, StreamMonitor

__all__ = [
    "AnomalyDetector",
    "BaggedAutoencoders",
    "Decision",
    "Drift",
    "Event",
    "ExemplarDistance",
    "Explanation",
    "SlidingWindows",
    "StreamMonitor",
]
