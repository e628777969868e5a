"""The sections of a report, in their order, and the models and data that they suit."""

from collections.abc import Callable
from typing import NamedTuple

from isthmus.reporting.blocks import Section
from isthmus.reporting.sections.alarms import show_alarms
from isthmus.reporting.sections.bound import show_bound
from isthmus.reporting.sections.certainty import show_certainty
from isthmus.reporting.sections.codes import show_codes
from isthmus.reporting.sections.comparison import compare_methods
from isthmus.reporting.sections.components import show_components
from isthmus.reporting.sections.composition import show_composition
from isthmus.reporting.sections.data import describe_columns
from isthmus.reporting.sections.detection import compare_detectors
from isthmus.reporting.sections.events import compare_alarms, show_events
from isthmus.reporting.sections.findings import show_findings, show_training_findings
from isthmus.reporting.sections.gaps import compare_fillings
from isthmus.reporting.sections.language import (
    compare_language_models,
    show_new_texts,
    show_texts,
    show_unusual_texts,
)
from isthmus.reporting.sections.limits import list_limits
from isthmus.reporting.sections.pictures import show_heat_maps, show_pictures, show_samples, show_traversals
from isthmus.reporting.sections.reconstructions import show_reconstructions
from isthmus.reporting.sections.repetition import explain_repetition
from isthmus.reporting.sections.shift import show_shift
from isthmus.reporting.sections.synthesis import compare_new_rows, measure_privacy, show_new_rows
from isthmus.reporting.sections.topics import show_topics
from isthmus.reporting.sections.training import show_training
from isthmus.reporting.sections.verdict import give_verdict
from isthmus.reporting.subject import Subject

# Values of ``Subject.task`` and of ``Subject.data``.
TASKS = {"autoencoder", "detector", "generator", "imputer"}
VECTORS = {"flat images", "table"}
ROWS = {*VECTORS, "images", "series"}
PICTURES = ROWS - {"table"}
DATA = {*ROWS, "counts", "texts", "time points"}


class Entry(NamedTuple):
    """A function that makes a section, or None where there is nothing to say; and the tasks and data that it suits."""

    make: Callable[[Subject], Section | None]
    tasks: set[str]
    data: set[str]


CONTENTS = (
    Entry(compare_new_rows, {"generator"}, {"table"}),
    Entry(compare_language_models, TASKS, {"texts"}),
    Entry(compare_alarms, {"detector"}, {"time points"}),
    Entry(compare_fillings, {"imputer"}, {"time points"}),
    Entry(show_topics, TASKS, {"counts"}),
    Entry(compare_methods, TASKS - {"detector"}, ROWS),
    Entry(compare_detectors, {"detector"}, ROWS),
    Entry(show_certainty, {"imputer"}, {"table"}),
    Entry(show_bound, TASKS - {"detector", "imputer"}, {*ROWS, "counts"}),
    Entry(describe_columns, TASKS, {"table"}),
    Entry(show_composition, TASKS, DATA),
    Entry(show_training, TASKS - {"imputer"}, DATA),
    Entry(show_new_rows, {"generator"}, {"table"}),
    Entry(show_samples, TASKS - {"detector"}, PICTURES),
    Entry(show_new_texts, TASKS - {"detector"}, {"texts"}),
    Entry(show_reconstructions, TASKS - {"imputer"}, {"table"}),
    Entry(show_pictures, TASKS - {"imputer"}, PICTURES),
    Entry(show_texts, TASKS, {"texts"}),
    Entry(show_codes, TASKS - {"imputer"}, DATA),
    Entry(show_components, TASKS - {"imputer"}, {"table"}),
    Entry(show_traversals, TASKS - {"imputer"}, PICTURES),
    Entry(show_alarms, {"detector"}, VECTORS),
    Entry(show_heat_maps, {"detector"}, PICTURES),
    Entry(show_events, {"detector"}, {"time points"}),
    Entry(show_unusual_texts, {"detector"}, {"texts"}),
    Entry(show_findings, TASKS, ROWS),
    Entry(show_training_findings, TASKS, DATA - ROWS),
    Entry(show_shift, TASKS, VECTORS),
    Entry(measure_privacy, {"generator"}, {"table"}),
    Entry(list_limits, TASKS, DATA),
    Entry(explain_repetition, TASKS, DATA),
)


def make_sections(subject: Subject) -> list[Section]:
    """Return the sections of a report, the verdict first."""
    task, data = subject.task, subject.data
    made = [entry.make(subject) for entry in CONTENTS if task in entry.tasks and data in entry.data]
    sections = [section for section in made if section is not None]
    return [give_verdict(sections), *sections]
