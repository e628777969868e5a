"""Title and subtitle of a report."""

from isthmus.anomaly.rows import count_rows
from isthmus.formatting import format_percent, pluralize
from isthmus.reporting.fitted import are_training_rows, measure_overlap
from isthmus.reporting.subject import Subject

NAMES = {
    "autoencoder": "Autoencoder",
    "detector": "Anomaly detector",
    "generator": "Generator",
    "imputer": "Imputer",
}
KINDS = {"table": "a table", "counts": "texts", "flat images": "images", "time points": "a series"}


def describe_title(subject: Subject) -> str:
    """Return what the model is, and of which kind of data."""
    return f"{NAMES[subject.task]} of {KINDS.get(subject.data, subject.data)}"


def describe_rows(subject: Subject) -> str:
    """Return which rows were judged."""
    n = count_rows(subject.X)
    size = "" if subject.data != "table" else f" x {pluralize(subject.schema.shape[0], 'column')}"
    origin = f" of {subject.files['data'].name}" if "data" in subject.files else ""
    total = pluralize(subject.n_rows, subject.noun)
    known = describe_fit(subject)
    if n == subject.n_rows:
        return f"Judged on {total}{size}{origin}. {known}"
    order = "the first" if subject.data == "time points" else "a random sample"
    return f"Judged on {n:,} of {total}{size}{origin}, {order}; seed {subject.seed}. {known}"


def describe_fit(subject: Subject) -> str:
    """Return whether the judged rows are training rows, as far as it is known."""
    if subject.are_held_out:
        return "They were held out of the fit."
    share = measure_overlap(subject)
    if share is not None:
        return f"{format_percent(share) if share else 'None'} of them are among the known training {subject.nouns}."
    if are_training_rows(subject):
        return f"They are probably training {subject.nouns}."
    return "Whether the model was fitted to some of them is not known."
