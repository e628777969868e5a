"""The sections of a report, in their order, and the models and data that they suit."""

from collections.abc import Callable
from typing import NamedTuple

from isthmus.reporting.blocks import Section
from isthmus.reporting.sections.alarms import show_alarms
from isthmus.reporting.sections.codes import show_codes
from isthmus.reporting.sections.comparison import compare_methods
from isthmus.reporting.sections.components import show_components
from isthmus.reporting.sections.composition import show_composition
from isthmus.reporting.sections.data import describe_columns
from isthmus.reporting.sections.detection import compare_detectors
from isthmus.reporting.sections.findings import show_findings
from isthmus.reporting.sections.limits import list_limits
from isthmus.reporting.sections.reconstructions import show_reconstructions
from isthmus.reporting.sections.repetition import explain_repetition
from isthmus.reporting.sections.shift import show_shift
from isthmus.reporting.sections.training import show_training
from isthmus.reporting.sections.verdict import give_verdict
from isthmus.reporting.subject import Subject

# Values of ``Subject.task`` and of ``Subject.data``.
TASKS = {"autoencoder", "detector", "generator", "imputer"}
VECTORS = {"flat images", "table"}
ROWS = {*VECTORS, "images", "series"}
DATA = {*ROWS, "texts", "time points"}


class Entry(NamedTuple):
    """A function that makes a section, or None where there is nothing to say; and the tasks and data that it suits."""

    make: Callable[[Subject], Section | None]
    tasks: set[str]
    data: set[str]


CONTENTS = (
    Entry(compare_methods, TASKS - {"detector"}, ROWS),
    Entry(compare_detectors, {"detector"}, VECTORS),
    Entry(describe_columns, TASKS, {"table"}),
    Entry(show_composition, TASKS, DATA),
    Entry(show_training, TASKS, DATA),
    Entry(show_reconstructions, TASKS, {"table"}),
    Entry(show_codes, TASKS, DATA),
    Entry(show_components, TASKS, {"table"}),
    Entry(show_alarms, {"detector"}, VECTORS),
    Entry(show_findings, TASKS, ROWS),
    Entry(show_shift, TASKS, VECTORS),
    Entry(list_limits, TASKS, DATA),
    Entry(explain_repetition, TASKS, DATA),
)


def make_sections(subject: Subject) -> list[Section]:
    """Return the sections of a report, the verdict first."""
    task, data = subject.task, subject.data
    made = [entry.make(subject) for entry in CONTENTS if task in entry.tasks and data in entry.data]
    sections = [section for section in made if section is not None]
    return [give_verdict(sections), *sections]
