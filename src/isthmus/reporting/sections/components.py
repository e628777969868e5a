"""What each component of the code means: whether it is used, and which columns change with it."""

from collections.abc import Iterator

import numpy as np

from isthmus.anomaly.rows import to_numbers
from isthmus.autoencoder import Autoencoder
from isthmus.data import as_source
from isthmus.formatting import pluralize
from isthmus.reporting.blocks import Block, Section, Table, Text
from isthmus.reporting.cells import get_fields, show_number
from isthmus.reporting.subject import Subject, Values

# Variance of the mean of a component above which it is active, if codes have a standard normal prior (Burda, Grosse and
# Salakhutdinov, 2016); of other codes, share of the mean variance of the components.
MIN_VARIANCE, MIN_SHARE = 0.01, 1e-3
# Distance that a component is moved from its mean, in its standard deviations, and number of columns that are shown.
DISTANCE, N_COLUMNS = 2.0, 3


def show_components(subject: Subject) -> Section | None:
    """Return the use of each component, and the columns that change most if it is moved; None for codes of indices."""
    if subject.net is None or subject.net.module_.bottleneck.log_n_values is not None:
        return None
    variance = subject.codes.var(0)
    limit = MIN_VARIANCE if subject.net.module_.bottleneck.stochastic else MIN_SHARE * float(variance.mean())
    active = variance > limit
    effects = list(_describe_effects(subject, subject.net, np.sqrt(variance)))
    records = [
        {
            "component": f"{i + 1}",
            "SD": float(np.sqrt(variance[i])),
            "active": "yes" if active[i] else "no",
            f"-{DISTANCE:g} to +{DISTANCE:g} SD": effects[i],
        }
        for i in np.argsort(-variance, kind="stable").tolist()
    ]
    n_active = int(active.sum())
    lead = f"{n_active} of {pluralize(len(active), 'component')} of the code are used."
    lead = lead.replace("1 of 1 component of the code are", "The only component of the code is")
    blocks: list[Block] = [
        Table.of(records, "Components, and the columns that change most with them"),
        Text(
            f"Each component is moved from -{DISTANCE:g} to +{DISTANCE:g} of its standard deviations (SD) while "
            "the others keep their means; the columns are those with the largest changes."
        ),
    ]
    values = {"n_active": n_active, "components": records}
    return Section("components", "What the code means", lead, blocks, values)


def _describe_effects(subject: Subject, net: Autoencoder, deviation: Values) -> Iterator[str]:
    """Yield for each component the columns that change most, with their values at both ends."""
    n = len(deviation)
    mean, steps = subject.codes.mean(0), DISTANCE * np.diag(deviation)
    codes = np.concatenate([mean - steps, mean + steps]).astype(subject.codes.dtype)
    decoded = to_numbers(as_source(net.inverse_transform(codes), subject.schema)).reshape(2 * n, -1)
    names, fields = subject.names, get_fields(subject.schema)
    spread = np.nanstd(subject.numbers.reshape(len(subject.numbers), -1), 0)
    for low, high in zip(decoded[:n], decoded[n:], strict=True):
        change = np.abs(high - low) / np.where(spread > 0, spread, 1.0)
        change[subject.schema.categorical] = (low != high)[subject.schema.categorical]
        largest = [i for i in np.argsort(-change, kind="stable")[:N_COLUMNS].tolist() if change[i] > 0]
        ends = [(names[i], show_number(low[i], fields[i]), show_number(high[i], fields[i])) for i in largest]
        yield "; ".join(f"{name}: {first} → {last}" for name, first, last in ends if first != last) or "no column"
