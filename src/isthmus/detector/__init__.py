"""Anomalies: scores of rows that a net has not seen, thresholds with guarantees, p-values and probabilities."""

from isthmus.detector.anomaly_detector import AnomalyDetector

__all__ = ["AnomalyDetector"]
