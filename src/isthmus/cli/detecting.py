"""``isthmus detect``: the anomalies of a file, with what makes them odd."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa

from isthmus.anomaly import AnomalyDetector, Event, SlidingWindows
from isthmus.cli.models import choose_rows, columns_of, load_for, texts_of
from isthmus.cli.outputs import Output
from isthmus.cli.paths import MODEL, PICTURES, WRITTEN_TABLES
from isthmus.cli.pictures import draw_events
from isthmus.cli.progress import say
from isthmus.cli.reading import read, texts_in
from isthmus.cli.runs import Run, choose_series, make_estimator
from isthmus.cli.streaming import beside, streams, suffix_beside
from isthmus.data.files import as_table
from isthmus.data.tables.frames import unused_name
from isthmus.formatting import pluralize
from isthmus.persistence import save
from isthmus.storage import replacing

Rows = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Search:
    """What to look for, and by what.

    Parameters
    ----------
    run : Run
        Columns, kinds and seed, and the estimator where it is ``chosen``.
    chosen : bool
        Whether the run names the estimator; else the one that suits the data is taken.
    normal : path or None
        Rows to learn from; None are those that are searched.
    detector : path or None
        File of a fitted detector, which is used as it is.
    fpr, fdr, contamination : float or None
        Where to draw the line.
    time : tuple of str
        Columns of the times of a series; none if rows are no time points.
    explain : int
        How many alarms to explain.
    size : str or None
        Height and width of images.
    heatmaps : path or None
        Folder for pictures of alarms in images.
    plot : path or None
        Picture to draw of a series and its events.
    """

    run: Run
    chosen: bool = False
    normal: Path | None = None
    detector: Path | None = None
    fpr: float | None = None
    fdr: float | None = None
    contamination: float | None = None
    time: tuple[str, ...] = ()
    explain: int = 0
    size: str | None = None
    heatmaps: Path | None = None
    plot: Path | None = None


def detect_file(data: Path, search: Search, output: Output, target: Path | None, config: Path | None = None) -> None:
    """Fit a detector, write the alarms and say how many there are, and why the worst of them.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read or written, or what is asked for does not suit the data.
    """
    for option, value in {"--size": search.size, "--heatmaps": search.heatmaps}.items():
        if value is not None:
            raise ValueError(f"{option} is for folders of images, and {str(data)!r} is none")
    suffix = suffix_beside(data)
    out = output.path or beside(data, f".alarms{suffix if suffix in WRITTEN_TABLES else '.csv'}")
    inputs = check_outputs(data, search, output, out, target, config)
    _check_plot(search, output, inputs)
    detector, rows, X = (_fit if search.detector is None else _load)(data, search)
    with saving(detector, target):
        if isinstance(detector.estimator_, SlidingWindows):
            _report_events(detector, X, search, output, out)
        else:
            _report_rows(detector, X, rows, search, output, out)


def check_outputs(
    data: Path, search: Search, output: Output, out: Path, target: Path | None, config: Path | None
) -> list[Path | None]:
    """Refuse to start if the alarms or the detector could not be written; return the files that are read."""
    inputs = [data, search.normal, search.detector, config]
    output.check([out], inputs, WRITTEN_TABLES)
    if target is not None:
        output.check([target], inputs, MODEL)
    return inputs


@contextmanager
def saving(detector: AnomalyDetector, target: Path | None) -> Iterator[None]:
    """Save a detector if the block, which writes the alarms, ends well: both files are written or none."""
    if target is None:
        yield
        return
    with replacing(target) as file:
        save(detector, file)
        yield


def _check_plot(search: Search, output: Output, inputs: Sequence[Path | None]) -> None:
    if search.plot is None:
        return
    output.check([search.plot], inputs, PICTURES)
    if not (search.time or search.detector):
        raise ValueError("--plot draws a series and its events: name the column of its times by --time")


def _fit(data: Path, search: Search) -> tuple[AnomalyDetector, Any, Any]:
    """Fit a detector on the normal rows, or on all; return it, the rows to search, and their columns for it."""
    known = None if search.normal is None else _read(search.normal)
    rows = _read(data, texts_in(known))
    X = choose_series(rows, search.run, search.time, data)
    normal = X if known is None else choose_series(known, search.run, search.time, cast(Path, search.normal))
    detector = make_detector(search)
    say(f"fitting a detector to {len(normal):,} {'time points' if search.time else 'rows'}")
    return detector.fit(normal), rows, X


def _load(data: Path, search: Search) -> tuple[AnomalyDetector, Any, Any]:
    """Load a detector; return it, the rows to search, and the columns of them that it was fitted on."""
    detector = load_detector(search)
    needed = [name for name in search.run.without if name in columns_of(detector)]
    if needed:
        raise ValueError(f"the detector was fitted on column {needed[0]!r}, so --without cannot leave the column out")
    rows = _read(data, texts_of(detector))
    return detector, rows, choose_rows(detector, rows, data)


def load_detector(search: Search) -> AnomalyDetector:
    """Load the detector that was asked for, unless options say how to fit one."""
    given = {
        "--normal": search.normal is not None,
        "--fpr": search.fpr is not None,
        "--contamination": search.contamination is not None,
        "--time": bool(search.time),
        "--model, --set and --config": search.chosen,
        "--kind": bool(search.run.kinds),
        "--size": search.size is not None,
    }
    for options, is_given in given.items():
        if is_given:
            raise ValueError(f"the detector of --detector is fitted already and takes no {options}")
    detector: AnomalyDetector = load_for("detect --detector", cast(Path, search.detector))
    if search.plot is not None and not isinstance(detector.estimator_, SlidingWindows):
        raise ValueError(f"--plot draws a series and its events, but {str(search.detector)!r} judges rows one by one")
    return detector


def _read(path: Path, text: Sequence[str] = ()) -> Any:
    if streams(path):
        raise ValueError(f"{str(path)!r} is larger than detect reads at once; fit a model, and score the rows instead")
    return read(path, text=text)


def make_detector(search: Search) -> AnomalyDetector:
    """Compose the detector that was asked for."""
    estimator: Any = make_estimator(search.run).set_params(verbose=0) if search.chosen else None
    if search.run.kinds and not search.chosen:
        raise ValueError("--kind tells a model what columns are: name one with --model, such as --model vae")
    if search.time:
        estimator = SlidingWindows(estimator, time=search.time[0] if len(search.time) == 1 else search.time, verbose=1)
    return AnomalyDetector(estimator, fpr=search.fpr, contamination=search.contamination, random_state=search.run.seed)


def _report_rows(detector: AnomalyDetector, X: Any, rows: Any, search: Search, output: Output, out: Path) -> None:
    """Write the alarms with all columns of the file, also those that the detector does not read."""
    scores = score_rows(detector, X, search)
    alarms = find_alarms(detector, X, scores, search.fdr)
    table = _beside({"row": alarms, "score": scores[alarms]}, _take(rows, alarms))
    output.write({out: table})
    print(f"wrote {out}: {pluralize(len(alarms), 'alarm')} ({describe_expected(detector, search, len(X))})")
    if search.explain and len(alarms):
        _explain(detector, X, alarms[: search.explain])


def score_rows(detector: AnomalyDetector, X: Any, search: Search) -> Rows:
    """Score the rows that are searched; the rows of fit themselves by estimators that have not seen them."""
    own = search.normal is None and search.detector is None and search.contamination is None
    held_out = detector.held_out_scores_ if own else None
    return detector.score_samples(X) if held_out is None else held_out


def find_alarms(detector: AnomalyDetector, X: Any, scores: Rows, fdr: float | None) -> Rows:
    """Return the positions of the alarms, the lowest score first."""
    alarms: Rows = np.flatnonzero(detector.predict(X, fdr=fdr, scores=scores) == -1)
    return alarms[np.argsort(scores[alarms], kind="stable")]


def _take(X: Any, rows: Rows) -> pa.Table:
    return X.take(rows) if isinstance(X, pa.Table) else as_table(X[rows])


def _beside(found: Mapping[str, Any], rows: pa.Table) -> pa.Table:
    """Put what was found before the columns of the rows; underscores tell it from columns of the same names."""
    own = {unused_name(name, rows.column_names): values for name, values in found.items()}
    return pa.table({**own, **{name: rows[name] for name in rows.column_names}})


def describe_expected(detector: AnomalyDetector, search: Search, n_rows: int, what: str = "normal row") -> str:
    """Say how many of the alarms are false: by the rate that was asked for, or among as many normal rows."""
    if search.fdr is not None:
        return f"on average at most {search.fdr:.3g} of them false"
    n_false = round(detector.fpr_ * n_rows)
    how_many = f"about {pluralize(n_false, 'false alarm')}" if n_false else "less than 1 false alarm"
    return f"{how_many} expected among {pluralize(n_rows, what)}"


def _explain(detector: AnomalyDetector, X: Any, rows: Rows) -> None:
    explanation = detector.explain(X.take(rows) if isinstance(X, pa.Table) else X[rows])
    for i, row in enumerate(rows):
        for reason in explanation.reasons(i):
            print(reason._replace(row=row))


def _report_events(detector: AnomalyDetector, X: Any, search: Search, output: Output, out: Path) -> None:
    events = detector.events(X)
    output.write({out: _as_table(events)})
    print(f"wrote {out}: {pluralize(len(events), 'event')} in {pluralize(len(X), 'time point')}")
    print(f"on average at most {detector.fpr_:.2g} of normal time points should be alarms{_too_few(detector, search)}")
    for event in sorted(events, key=lambda event: -event.severity)[: search.explain]:
        channels = ", ".join(map(str, event.channels)) or "all channels"
        print(f"{_clock(event.start)} .. {_clock(event.end)}: {channels}, severity {event.severity:.3g}")
    if search.plot is not None:
        draw_events(detector, X, search.plot)


def _too_few(detector: AnomalyDetector, search: Search) -> str:
    """Say why the rate is higher than the one asked for, if it is."""
    if search.fpr is None or detector.fpr_ <= search.fpr:
        return ""
    n_points = math.ceil(detector.block_length_ * (1 / search.fpr - 1))
    return f": a rate of {search.fpr:g} takes about {n_points} points to learn from"


def _clock(time: Any) -> str:
    """Write a time without the fractions of a second that are none."""
    return str(time).removesuffix(".000000000")


def _as_table(events: Sequence[Event]) -> pa.Table:
    columns = {name: [getattr(event, name) for event in events] for name in Event._fields}
    columns["channels"] = [", ".join(map(str, channels)) for channels in columns["channels"]]
    return pa.table({name: pa.array(values) for name, values in columns.items()})
