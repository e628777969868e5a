"""The findings of the doctor."""

import re
from dataclasses import replace
from typing import Any

from isthmus.autoencoder import Autoencoder
from isthmus.data import Source, as_source
from isthmus.doctor import examine, examine_training
from isthmus.finding import Finding
from isthmus.formatting import list_texts, pluralize
from isthmus.reporting.blocks import Block, Section, Table
from isthmus.reporting.subject import Subject, once

# Severities, the most severe first.
ORDER = ("error", "warning", "hint")


@once
def examine_subject(subject: Subject) -> list[Finding]:
    """Return what the doctor finds in the judged rows and the model, the most severe findings first."""
    labels = subject.y if subject.schema.condition is not None and subject.train is None else None
    rows, test = (subject.source, None) if subject.train is None else (_read(subject.train, subject), subject.source)
    found = examine(rows, subject.net, test=test, y=labels)
    return sorted(found, key=lambda finding: ORDER.index(finding.status))


def _read(rows: Any, subject: Subject) -> Source:
    """Return rows as the model reads them: the doctor would infer kinds and categories from few rows otherwise."""
    return as_source(rows, subject.schema)


def show_findings(subject: Subject) -> Section | None:
    """Return the findings of the doctor."""
    if not isinstance(subject.net, Autoencoder):
        return None
    findings = [_name_rows(finding, subject.train is not None) for finding in examine_subject(subject)]
    return _show(findings, "The doctor found no problem")


def _name_rows(finding: Finding, has_training_rows: bool) -> Finding:
    """Return a finding with the words of a report for the arguments of ``examine``, except in quoted names."""
    kind = "training" if has_training_rows else "judged"
    words = {
        "rows of test": "judged rows",
        "test has": "the judged rows have",
        "test": "the judged rows",
        "row of X": f"{kind} row",
        "X": f"the {kind} rows",
    }
    pattern = rf"(?<!['\w])({'|'.join(words)})(?!['\w])"
    detail, advice = (re.sub(pattern, lambda found: words[found[0]], text) for text in (finding.detail, finding.advice))
    return replace(finding, detail=detail, advice=advice)


def show_training_findings(subject: Subject) -> Section:
    """Return what the doctor finds in the training of the nets, and in the codes if there is one net."""
    findings = examine_training(subject.estimator, None if subject.net is None else subject.source)
    section = _show(findings, f"The doctor found no problem in the training; the {subject.nouns} were not examined")
    return replace(section, answers="problem")


def _show(findings: list[Finding], nothing: str) -> Section:
    severe = [finding for finding in findings if finding.status in ("error", "warning")]
    records = [
        {
            "finding": finding.what,
            "severity": finding.status,
            "columns": list_texts(list(map(str, finding.columns))),
            "figures": finding.detail,
            "advice": finding.advice,
        }
        for finding in findings
    ]
    if not severe:
        lead = nothing + (f", and gave {pluralize(len(findings), 'hint')}." if findings else ".")
    else:
        lead = (
            f"The doctor found {pluralize(len(severe), 'problem')}: {list_texts([finding.what for finding in severe])}."
        )
    blocks: list[Block] = [Table.of(records, "Findings")] if records else []
    values = {"findings": [finding.as_dict() for finding in findings]}
    return Section("findings", "Findings of the doctor", lead, blocks, values, "problem" if severe else "")
