"""A generator of tables: fidelity of new rows, their detection, their privacy, and new rows beside real ones."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np

from isthmus.data import as_source
from isthmus.data.tables.codec import decode_plain
from isthmus.formatting import format_percent, format_value, pluralize
from isthmus.metrics import Comparison, closest_record, column_fidelity, detection_score, pair_fidelity
from isthmus.metrics.learning import MIN_ROWS
from isthmus.reporting.blocks import Block, Figure, Section, Share, Table, Text
from isthmus.reporting.drawing import ACCENT, INK, MUTED, WIDTH, draw
from isthmus.reporting.intervals import estimate_auroc, estimate_share
from isthmus.reporting.subject import Subject, once
from isthmus.reporting.texts import show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Largest number of rows of each table that measures see, which bounds their time.
MAX_ROWS = 3000
# Columns of the picture, pairs of the table, and rows of each kind that are shown beside each other.
N_COLUMNS, N_PAIRS, N_SHOWN = 15, 5, 3


@once
def draw_tables(subject: Subject) -> dict[str, Any]:
    """Return tables of new rows and of judged rows of the same size, and of training rows if they are known."""
    net, n = subject.net, min(MAX_ROWS, len(subject.numbers))
    if net is None:
        return {}
    chosen = np.sort(np.random.default_rng(subject.seed).permutation(len(subject.numbers))[:n])
    new = _as_numbers(subject, net.sample(n, random_state=subject.seed))
    tables = {"new": new, "judged": subject.numbers[chosen]}
    if subject.train is not None:
        train = _as_numbers(subject, subject.train)
        tables["train"] = train[np.random.default_rng(subject.seed).permutation(len(train))[:MAX_ROWS]]
    return {name: decode_plain(values, subject.schema) for name, values in tables.items()}


def compare_new_rows(subject: Subject) -> Section | None:
    """Return how similar the columns and pairs of columns of new rows are, and whether a classifier detects them."""
    tables = _get_tables(subject)
    if tables is None:
        return None
    known = tables.get("train", tables["judged"])
    rivals = ["new", "judged"] if "train" in tables else ["new"]
    columns = _by_name({rival: column_fidelity(known, tables[rival]) for rival in rivals})
    pairs = _by_name({rival: pair_fidelity(known, tables[rival]) for rival in rivals})
    n = min(len(known), len(tables["new"]))
    detection = {rival: estimate_auroc(detection_score(known, tables[rival], subject.seed), n, n) for rival in rivals}
    means = {name: _average(measured, rivals) for name, measured in {"columns": columns, "pairs": pairs}.items()}
    records = [
        {"measure": "similarity of columns, mean", "best": "1", **means["columns"]},
        {"measure": "similarity of pairs of columns, mean", "best": "1", **means["pairs"]},
        {"measure": "detection by a classifier, ROC AUC", "best": "0.5", **_name(detection)},
    ]
    lowest = [{"pair": " and ".join(map(str, pair)), **_name(pairs[pair])} for pair in [*pairs][:N_PAIRS]]
    others = [{"column": str(name), **_name(columns[name])} for name in [*columns][N_COLUMNS:]]
    blocks: list[Block] = [
        Table.of(records, f"New rows compared with {_name_known(tables)}"),
        _draw_columns(columns, rivals),
        *([Table.of(lowest, "Pairs that differ most")] if lowest else []),
        *([Table.of(others, "Other columns")] if others else []),
        Text(_explain(tables)),
    ]
    lead = (
        f"A classifier detects new rows with a ROC AUC of {show(detection['new'])}, where 0.5 is chance; columns are "
        f"on average {format_percent(means['columns']['new rows'])} similar to those of real rows."
    )
    values = {
        "n_rows": n,
        "detection": detection,
        "means": means,
        "columns": columns,
        "pairs": {" and ".join(map(str, pair)): measured for pair, measured in pairs.items()},
    }
    return Section("fidelity", "New rows compared with real rows", lead, blocks, values, "quality")


def measure_privacy(subject: Subject) -> Section | None:
    """Return whether new rows are closer to training rows than held-out rows are, and what follows from it."""
    tables = _get_tables(subject)
    if tables is None:
        return None
    guarantee = "The model gives no guarantee of privacy"
    title = "Privacy, and what new rows must not be used for"
    advice = Text(
        "Do not publish new rows as anonymous data on the strength of these figures: they are no proof, such as "
        "differential privacy would be. Do not use new rows to study single people, rare groups or values outside of "
        "the training rows, and test conclusions on real rows."
    )
    if "train" not in tables:
        lead = f"{guarantee}, and without the training rows it was not measured whether new rows repeat them."
        return Section("privacy", title, lead, [advice], {}, "limit")
    closest = closest_record(tables["train"], tables["new"], tables["judged"], random_state=subject.seed)
    n = min(len(tables["train"]), len(tables["judged"]))
    closer = estimate_share(round(closest.closer_to_train * len(tables["new"])), len(tables["new"]))
    records = [
        _compare("distance to the closest training row, median", closest.median),
        _compare("distance to the closest training row, 5 % quantile", closest.percentile_5),
        _compare("copies of training rows", closest.copies, Share),
        {"measure": "closer to training rows than to judged rows", "new rows": closer, "judged rows": None},
    ]
    lead = (
        f"{guarantee}: {format_percent(closest.copies.synthetic)} of the new rows are copies of training rows "
        f"({format_percent(closest.copies.baseline)} of the judged rows are), and "
        f"{format_percent(closest.closer_to_train)} are closer to training rows than to judged rows, where "
        "50 % is ideal."
    )
    values = {"n_rows": n, "closer_to_train": closer, "closest": records}
    return Section("privacy", title, lead, [Table.of(records, "Closeness to training rows"), advice], values, "limit")


def show_new_rows(subject: Subject) -> Section | None:
    """Return new rows beside judged rows, one column of the table for each row."""
    tables = _get_tables(subject)
    if tables is None:
        return None
    frames = {name: nw.from_native(tables[name], eager_only=True) for name in ("judged", "new")}
    chosen = {f"{name} {i + 1}": (frame, i) for name, frame in frames.items() for i in range(min(N_SHOWN, len(frame)))}
    records = [
        {"column": str(name), **{key: _show_cell(frame, name, i) for key, (frame, i) in chosen.items()}}
        for name in frames["new"].columns
    ]
    lead = "The first new rows, beside judged rows chosen at random."
    table = Table.of(records, "Rows: a column of this table is a row of the data")
    return Section("samples", "New rows", lead, [table], {"rows": records})


def _get_tables(subject: Subject) -> dict[str, Any] | None:
    """Return the tables to compare; None if the rows are no data frame or too few."""
    if subject.net is None or not subject.schema.fields or len(subject.numbers) < MIN_ROWS:
        return None
    return draw_tables(subject)


def _as_numbers(subject: Subject, rows: Any) -> Any:
    from isthmus.anomaly.rows import to_numbers

    return to_numbers(as_source(rows, subject.schema))


def _by_name(measured: Mapping[str, Mapping[Any, float]]) -> dict[Any, dict[str, float]]:
    """Return measures by column or pair, and then by table; the columns that differ most come first."""
    names = sorted(measured["new"], key=lambda name: measured["new"][name])
    return {name: {rival: float(each[name]) for rival, each in measured.items()} for name in names}


def _average(measured: Mapping[Any, Mapping[str, float]], rivals: list[str]) -> dict[str, Any]:
    means = {rival: float(np.mean([each[rival] for each in measured.values()] or [1.0])) for rival in rivals}
    return _name(means)


def _name(measured: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{rival} rows": value for rival, value in measured.items()}


def _name_known(tables: Mapping[str, Any]) -> str:
    return "training rows; judged rows show what is possible" if "train" in tables else "the judged rows"


def _explain(tables: Mapping[str, Any]) -> str:
    text = (
        "The similarity of a column is 1 minus the Kolmogorov-Smirnov statistic of numbers, or 1 minus the total "
        "variation distance of categories. The classifier is gradient boosting with cross-validation."
    )
    return text if "train" in tables else f"{text} The training rows were not given."


def _compare(measure: str, figures: Comparison, kind: type[float] = float) -> dict[str, Any]:
    return {"measure": measure, "new rows": kind(figures.synthetic), "judged rows": kind(figures.baseline)}


def _show_cell(frame: Any, name: Any, row: int) -> str:
    return format_value(frame.get_column(name)[row])


def _draw_columns(columns: Mapping[Any, Mapping[str, float]], rivals: list[str]) -> Figure:
    shown = [*columns][:N_COLUMNS]

    def paint(ax: "Axes") -> None:
        for place, name in enumerate(shown):
            values = columns[name]
            ax.plot([*values.values()], [place] * len(values), color=MUTED, linewidth=1)
        for rival, colour in reversed([*zip(rivals, (ACCENT, MUTED), strict=False)]):
            ax.plot(
                [columns[name][rival] for name in shown],
                range(len(shown)),
                "o",
                color=colour,
                markersize=5,
                label=f"{rival} rows",
            )
        ax.set_yticks(range(len(shown)), [str(name) for name in shown], color=INK)
        ax.set_ylim(len(shown) - 0.5, -0.5)
        ax.set_xlabel("similarity")
        ax.grid(axis="x")
        ax.set_axisbelow(True)
        ax.spines["left"].set_visible(False)
        ax.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1), fontsize=9, handlelength=1)

    values = ", ".join(f"{name} {show(columns[name]['new'])}" for name in shown)
    alt = f"Similarity of {pluralize(len(shown), 'column')}: {values}"
    caption = "The columns that differ most." if len(columns) > len(shown) else ""
    return draw(paint, alt, caption, (WIDTH, 1.0 + 0.24 * len(shown)))
