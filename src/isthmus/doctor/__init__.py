"""What is wrong with data, or with an estimator for them, told before a fit is spent on it; and data at a glance."""

from isthmus.doctor.associations import Association
from isthmus.doctor.examination import examine, report
from isthmus.doctor.overview import ColumnOverview, Overview, summarize

__all__ = ["Association", "ColumnOverview", "Overview", "examine", "report", "summarize"]
