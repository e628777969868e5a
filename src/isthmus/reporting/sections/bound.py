"""The lower bound on the log likelihood of the judged rows."""

from typing import Any

import numpy as np

from isthmus.baselines.bounds import log_likelihood_without_code
from isthmus.data import as_source
from isthmus.reporting.blocks import Block, Interval, Section, Table, Text
from isthmus.reporting.intervals import estimate
from isthmus.reporting.subject import Subject
from isthmus.reporting.texts import show

MODEL, WITHOUT = "the model", "one distribution, without a code"


def show_bound(subject: Subject) -> Section | None:
    """Return the evidence lower bound of the judged rows; None for codes without a distribution."""
    net = subject.net
    if net is None or not net.module_.bottleneck.stochastic:
        return None
    bounds = {MODEL: net.bounds(subject.X)}
    if subject.train is not None and not net.module_.backbone.autoregressive:
        known = as_source(subject.train, subject.schema)
        bounds[WITHOUT] = log_likelihood_without_code(net.module_, known, subject.source)
    values = np.column_stack([*bounds.values()])
    means = dict(zip(bounds, estimate(values, subject.seed), strict=True))
    records: list[dict[str, Any]] = [{"distribution": name, "nats": mean} for name, mean in means.items()]
    lead = f"The log likelihood is at least {show(means[MODEL])} nats for each of the {subject.nouns} on average."
    if WITHOUT in bounds:
        lead += _compare(estimate(values[:, :1] - values[:, 1:], subject.seed)[0])
    blocks: list[Block] = [
        Table.of(records, f"Mean over the judged {subject.nouns}; more is better; 95 % intervals"),
        Text(
            "The bound of the model is the evidence lower bound: the log likelihood of the reconstruction of a drawn "
            "code minus the divergence of the code from the prior. Bounds depend on the units of the data and on the "
            "likelihood, so they compare models of the same likelihood on the same data."
        ),
    ]
    return Section("bound", "The likelihood", lead, blocks, {"n_rows": len(values), "nats": means})


def _compare(difference: Interval) -> str:
    """Say how much lower the bound of the model is than that of one distribution, if it is clearly lower."""
    if difference.high >= 0:
        return ""
    return f" That is {show(-difference.value)} nats less than one distribution without a code has."
