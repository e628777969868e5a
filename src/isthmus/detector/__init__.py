"""Anomalies: scores of rows that a net has not seen, thresholds with guarantees, p-values, probabilities, reasons."""

from isthmus.detector.anomaly_detector import AnomalyDetector
from isthmus.detector.events import Event
from isthmus.detector.explanation import Explanation
from isthmus.detector.watch import Decision, Drift, Watch

__all__ = ["AnomalyDetector", "Decision", "Drift", "Event", "Explanation", "Watch"]
