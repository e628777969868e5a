"""``isthmus detect``: finds anomalies in a table or a series, and explains them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa

from isthmus.anomaly import AnomalyDetector, SlidingWindows
from isthmus.anomaly.decisions import p_values
from isthmus.anomaly.explanation import Reason
from isthmus.cli.detect_options import DetectOptions, refuse
from isthmus.cli.detecting_series import name_regular_times, parse_lengths, rename_times, report_events
from isthmus.cli.models import choose_rows, list_columns, list_text_columns, load_for
from isthmus.cli.options import ModelOptions
from isthmus.cli.outputs import Output, choose_suffix
from isthmus.cli.paths import MODEL, PICTURES, WRITTEN_TABLES
from isthmus.cli.progress import say
from isthmus.cli.reading import list_string_columns, read
from isthmus.cli.runs import Run, as_time, choose_series, make_estimator, read_options
from isthmus.cli.streaming import is_streamed
from isthmus.data.files import as_table
from isthmus.data.tables.frames import unused_name
from isthmus.doctor import compare_rows
from isthmus.formatting import list_names, pluralize
from isthmus.persistence import save
from isthmus.storage import replacing

Rows = np.ndarray[Any, Any]

# Alarms of a table whose reasons are written, the worst first: the reasons of one take 10 to 20 ms.
N_EXPLAINED = 100
HELD_OUT = (
    "each row is judged by models that have not seen it; the saved detector has seen these rows, so isthmus score and "
    "detect --detector give them other scores: use it on other rows"
)
FITTED = "is not used with --detector: the detector is already fitted"


@dataclass(frozen=True)
class Request(DetectOptions):
    """The options of ``isthmus detect``.

    Parameters
    ----------
    run : Run
        Columns, kinds and seed, and the estimator if ``has_model``.
    has_model : bool
        Whether the run names the estimator; otherwise the default one for the data is used.
    config : path or None
        The run file.
    """

    run: Run = Run()
    has_model: bool = False
    config: Path | None = None

    @classmethod
    def of(cls, detection: DetectOptions, model: ModelOptions) -> "Request":
        """Combine two groups of options.

        Raises
        ------
        ValueError
            If two options ask for different rules.
        """
        rules = [name for name in ("fpr", "fdr", "contamination") if getattr(detection, name) is not None]
        if len(rules) > 1:
            raise ValueError(f"--{rules[0]} and --{rules[1]} are different rules for alarms: give one of them")
        has_model = model.config is not None or model.model is not None or bool(model.setting)
        return cls(**vars(detection), run=read_options(model), has_model=has_model, config=model.config)


def detect_file(data: Path, request: Request, output: Output) -> int:
    """Fit or load a detector, write the alarms, explain the worst, and return how many there are.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read or written, or the request does not fit the data.
    """
    if request.lengths and not (request.time or request.detector):
        raise ValueError("--lengths are those of windows of a series: name its column of times with --time")
    if request.time:
        refuse(request, ("fdr",), "assumes independent rows, which time points are not: use --fpr")
    suffix = choose_suffix(data)
    ending = f".alarms{suffix if suffix in WRITTEN_TABLES else '.csv'}"
    out, inputs = name_outputs(data, ending, request, output)
    _check_plot(request, output, inputs)
    detector, rows, X = (_fit if request.detector is None else _load)(data, request)
    if request.normal is not None or request.detector is not None:
        warn_of_units(detector, X, data)
    output = output.write_like(data)
    with saving(detector, request.save):
        if isinstance(detector.estimator_, SlidingWindows):
            return report_events(detector, X, request, output, out)
        return _report_rows(detector, X, rows, request, output, out)


def advise_normal(data: Path, request: Request) -> None:
    """Print that more would be found if the detector learned from normal rows only."""
    if request.normal is None:
        say(
            f"learning from {data.name} itself: anomalies in it make the detector less sensitive, and even strong ones "
            "can be missed; --normal FILE, with rows known to be normal, finds more"
        )


def _advise_time(X: Any, request: Request) -> None:
    """Print that rows with regular dates may be time points."""
    if not request.time and (names := name_regular_times(X)):
        say(f"the dates in {names[0]!r} are regular: if the rows are a series, --time {names[0]} finds its events")


def warn_of_units(detector: AnomalyDetector, X: Any, data: Path) -> None:
    """Print which columns have another unit, or other values, than the rows of fit: alarms are then no anomalies."""
    known = detector._reference
    if len(known.positions):  # the file of a detector of series has no rows
        findings = compare_rows(known.rows, X, data.name)
        print(*findings, sep="\n", end="\n" if findings else "")


def name_outputs(data: Path, ending: str, request: Request, output: Output) -> tuple[Path, list[Path | None]]:
    """Check the files to write, and return that of the alarms and all files that are read."""
    inputs = [data, request.normal, request.detector, request.config]
    out = output.file(data, ending, inputs, WRITTEN_TABLES)
    if request.save is not None:
        output.check([request.save], inputs, MODEL)
    return out, inputs


@contextmanager
def saving(detector: AnomalyDetector, target: Path | None) -> Iterator[None]:
    """Save a detector if the block, which writes the alarms, succeeds: both files are written or none."""
    if target is None:
        yield
        return
    with replacing(target) as file:
        save(detector, file)
        yield


def _check_plot(request: Request, output: Output, inputs: Sequence[Path | None]) -> None:
    if request.plot is None:
        return
    output.check([request.plot], inputs, PICTURES)
    if not (request.time or request.detector):
        raise ValueError("--plot draws a series: name its column of times with --time")


def _fit(data: Path, request: Request) -> tuple[AnomalyDetector, Any, Any]:
    """Fit a detector on the normal rows or on all; return it, the rows, and their columns that it reads."""
    known = None if request.normal is None else _read(request.normal)
    rows = _read(data, list_string_columns(known))
    if known is not None:
        _check_times({data: rows, cast(Path, request.normal): known}, request.time or ())
    X = choose_series(rows, request.run, request.time or (), data)
    normal = X if known is None else choose_series(known, request.run, request.time or (), cast(Path, request.normal))
    _check_columns(X, normal, data, request.normal)
    detector = make_detector(request)
    advise_normal(data, request)
    _advise_time(X, request)
    say(f"fitting a detector to {pluralize(len(normal), 'time point' if request.time else 'row')}")
    return detector.fit(normal), rows, X


def _check_times(files: Mapping[Path, Any], times: Sequence[str]) -> None:
    """Raise ``ValueError`` if only one of two files has a column of times: another ``--time`` would not help."""
    for name in times:
        having = [path for path, rows in files.items() if name in getattr(rows, "column_names", ())]
        lacking = [path for path in files if path not in having]
        if having and lacking:
            raise ValueError(
                f"{str(lacking[0])!r} has no column {name!r} of times as {str(having[0])!r} has: both files need the "
                "same names, so rename it in one of them"
            )


def _check_columns(X: Any, normal: Any, data: Path, source: Path | None) -> None:
    """Raise ``ValueError`` if a table lacks columns of the rows that are learned from, before these are learned."""
    own = getattr(X, "column_names", ())
    missing = [name for name in getattr(normal, "column_names", ()) if name not in own]
    if missing:
        raise ValueError(f"{str(data)!r} lacks columns of {str(source)!r}: {list_names(missing)}")


def _load(data: Path, request: Request) -> tuple[AnomalyDetector, Any, Any]:
    """Load a detector; return it, the rows, and their columns that it reads."""
    detector = load_detector(request)
    needed = [name for name in request.run.without if name in list_columns(detector)]
    if needed:
        raise ValueError(f"the detector was fitted on column {needed[0]!r}, so --without cannot leave the column out")
    rows = rename_times(detector, _read(data, list_text_columns(detector)), request, data)
    X = choose_rows(detector, rows, data)
    _name_ignored(rows, [*getattr(X, "column_names", ()), *request.run.without])
    return detector, rows, X


def _name_ignored(rows: Any, known: Sequence[str]) -> None:
    """Print which columns are not used, except those that were left out on purpose."""
    if ignored := [name for name in getattr(rows, "column_names", ()) if name not in known]:
        print(f"ignored, as the detector was not fitted on them: {list_names(ignored)}")


def load_detector(request: Request) -> AnomalyDetector:
    """Load the detector; options for fitting a detector raise ``ValueError``."""
    refuse(request, ("normal", "fpr", "contamination", "lengths", "size"), FITTED)
    if request.has_model or request.run.kinds:
        raise ValueError(f"{'--model, --set or --config' if request.has_model else '--kind'} {FITTED}")
    detector: AnomalyDetector = load_for("detect --detector", cast(Path, request.detector))
    if request.plot is not None and not isinstance(detector.estimator_, SlidingWindows):
        raise ValueError(f"--plot draws a series, but {str(request.detector)!r} is a detector of single rows")
    return detector


def _read(path: Path, text: Sequence[str] = ()) -> Any:
    if is_streamed(path):
        raise ValueError(f"{str(path)!r} is too large for detect; fit a model to it, and use score")
    return read(path, text=text)


def make_detector(request: Request) -> AnomalyDetector:
    """Make a detector that is not fitted."""
    estimator: Any = make_estimator(request.run).set_params(verbose=0) if request.has_model else None
    if request.run.kinds and not request.has_model:
        raise ValueError("--kind needs a model that uses kinds of columns: add --model, such as --model vae")
    if request.time:
        estimator = SlidingWindows(estimator, parse_lengths(request.lengths), time=as_time(request.time), verbose=1)
    fpr, contamination, seed = request.fpr, request.contamination, request.run.seed
    return AnomalyDetector(estimator, fpr=fpr, contamination=contamination, random_state=seed)


def _report_rows(detector: AnomalyDetector, X: Any, rows: Any, request: Request, output: Output, out: Path) -> int:
    """Write the alarms with all columns of the file, including those that the detector does not read."""
    scores = score_rows(detector, X, request)
    alarms = find_alarms(detector, X, scores, request.fdr)
    worst = alarms[: request.top]
    reasons = _explain(detector, X, worst[: max(request.n_explained, N_EXPLAINED)])
    output.write({out: _add_columns(_describe_alarms(detector, worst, scores[worst], reasons), _take(rows, worst))})
    count, expected = request.describe_count(len(alarms), "alarm"), describe_expected(detector, request, len(X))
    print(f"wrote {out}: {count} ({expected})")
    explain_scores(detector, scores, request)
    for reason in chain.from_iterable(reasons[: request.n_explained]):
        print(reason)
    return len(alarms)


def _explain(detector: AnomalyDetector, X: Any, rows: Rows) -> list[list[Reason]]:
    """Return the reasons of each row."""
    if not len(rows):
        return []
    explanation = detector.explain(X.take(rows) if isinstance(X, pa.Table) else X[rows])
    return [[reason._replace(row=row) for reason in explanation.reasons(i)] for i, row in enumerate(rows)]


def _describe_alarms(
    detector: AnomalyDetector, alarms: Rows, scores: Rows, reasons: list[list[Reason]]
) -> dict[str, Any]:
    """Return the columns that are written before those of the rows; alarms without reasons have nulls."""
    p = p_values(scores, detector.calibration_scores_)
    rest = [None] * (len(alarms) - len(reasons))
    columns = [", ".join(str(reason.feature) for reason in each) for each in reasons]
    sentences = ["; ".join(reason.sentence for reason in each) for each in reasons]
    texts = {"columns": [*columns, *rest], "reasons": [*sentences, *rest]}
    return {"row": alarms, "score": scores, "p_value": p} | {
        name: pa.array(each, pa.string()) for name, each in texts.items()
    }


def score_rows(detector: AnomalyDetector, X: Any, request: Request) -> Rows:
    """Score the rows; the rows of fit are scored by estimators that were not fitted on them."""
    own = request.normal is None and request.detector is None and request.contamination is None
    held_out = detector.held_out_scores_ if own else None
    return detector.score_samples(X) if held_out is None else held_out


def explain_scores(detector: AnomalyDetector, scores: Rows, request: Request) -> None:
    """Print why the saved detector gives other scores to the rows of fit."""
    if request.save is not None and scores is detector.held_out_scores_:
        print(HELD_OUT)


def find_alarms(detector: AnomalyDetector, X: Any, scores: Rows, fdr: float | None) -> Rows:
    """Return the positions of the alarms, the lowest score first."""
    alarms: Rows = np.flatnonzero(detector.predict(X, fdr=fdr, scores=scores) == -1)
    return alarms[np.argsort(scores[alarms], kind="stable")]


def _take(X: Any, rows: Rows) -> pa.Table:
    return X.take(rows) if isinstance(X, pa.Table) else as_table(X[rows])


def _add_columns(results: Mapping[str, Any], rows: pa.Table) -> pa.Table:
    """Insert results before the columns of the rows; a result with the name of a column gets underscores."""
    own = {unused_name(name, rows.column_names): values for name, values in results.items()}
    return pa.table({**own, **{name: rows[name] for name in rows.column_names}})


def describe_expected(detector: AnomalyDetector, request: Request, n_rows: int, what: str = "row") -> str:
    """Describe the expected false alarms: their share of the alarms, or their number if all rows are normal."""
    if request.fdr is not None:
        return f"on average at most {request.fdr:.3g} of them false"
    if request.contamination is not None:
        return f"--contamination {request.contamination:g}: this share of the rows, whether normal or not"
    n_false = round(detector.fpr_ * n_rows)
    how_many = f"about {pluralize(n_false, 'false alarm')}" if n_false else "less than 1 false alarm"
    return f"{how_many} expected if all {pluralize(n_rows, what)} are normal"
