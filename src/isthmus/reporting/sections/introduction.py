"""Title and subtitle of a report."""

from isthmus.anomaly.rows import count_rows
from isthmus.formatting import pluralize
from isthmus.reporting.subject import Subject

NAMES = {
    "autoencoder": "Autoencoder",
    "detector": "Anomaly detector",
    "generator": "Generator",
    "imputer": "Imputer",
}
KINDS = {"table": "a table", "counts": "texts", "flat images": "images", "time points": "a series"}
UNITS = {
    "counts": "text",
    "texts": "text",
    "time points": "time point",
    "images": "image",
    "flat images": "image",
    "series": "series",
}


def describe_title(subject: Subject) -> str:
    """Return what the model is, and of which file or kind of data."""
    data = subject.files["data"].name if "data" in subject.files else KINDS.get(subject.data, subject.data)
    return f"{NAMES[subject.task]} of {data}"


def describe_rows(subject: Subject) -> str:
    """Return which rows were judged."""
    n, unit = count_rows(subject.X), UNITS.get(subject.data, "row")
    size = "" if subject.data != "table" else f" x {pluralize(subject.schema.shape[0], 'column')}"
    total = f"{subject.n_rows:,} series" if unit == "series" else pluralize(subject.n_rows, unit)
    if n == subject.n_rows:
        return f"Judged on {total}{size}."
    order = "the first" if subject.data == "time points" else "a random sample"
    return f"Judged on {n:,} of {total}{size}, {order}; seed {subject.seed}."
