"""Problems of data, or of an estimator for them, found before a fit; and an overview of a table."""

from isthmus.doctor.examination import examine, examine_training, format_findings
from isthmus.doctor.overview import Association, ColumnOverview, Overview, summarize
from isthmus.doctor.shift_checks import compare_rows

__all__ = [
    "Association",
    "ColumnOverview",
    "Overview",
    "compare_rows",
    "examine",
    "examine_training",
    "format_findings",
    "summarize",
]
