"""What is wrong with data, or with an estimator for them, told before a fit is spent on it."""

from isthmus.doctor.examination import examine
from isthmus.doctor.finding import Finding, report

__all__ = ["Finding", "examine", "report"]
