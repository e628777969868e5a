"""``isthmus tune``: a search for better parameters of a model, whose best fit is saved."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from isthmus.anomaly import AnomalyDetector, SlidingWindows
from isthmus.autoencoder import Autoencoder
from isthmus.cli.fitting import check_data_options, make_for_labels, open_stream, read_labels
from isthmus.cli.images import choose_labels, open_folder
from isthmus.cli.options import AUTO
from isthmus.cli.outputs import Output
from isthmus.cli.paths import MODEL, holds_images
from isthmus.cli.reading import read
from isthmus.cli.runs import Run, as_time, choose_columns, choose_series, make_estimator
from isthmus.cli.streaming import is_streamed
from isthmus.cli.tune_options import TuneOptions
from isthmus.formatting import pluralize
from isthmus.persistence import save
from isthmus.plots import importance, trials
from isthmus.tuning import TuningResult, read_space, tune
from isthmus.tuning.storage import import_optuna

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def tune_file(
    data: Path, run: Run, output: Output, search: TuneOptions, config: Path | None = None, size: str | None = None
) -> None:
    """Search for parameters of the model of a run, fit it with the best to all rows, save it, and print the trials.

    ``config`` is the run file, and ``size`` the height and width of images.

    Raises
    ------
    ImportError, OSError, ValueError
        If Optuna is missing, a file cannot be read or written, or the run does not fit the data.
    """
    import_optuna()
    time = None if search.time is None else parse_duration(search.time)
    space = None if search.space is None else read_space(search.space)
    files = [data, config, search.space, search.study]
    out = output.file(data, MODEL[0], files, MODEL)
    if search.plot is not None:
        output.check([search.plot], [*files, out], [search.plot.suffix])
    if run.model == AUTO:
        raise ValueError(f"tune searches parameters of one variant: name it, instead of --model {AUTO}")
    check_data_options(data, run, size, workers=None)
    estimator, X, y = _open_series(data, run, search.series) if search.series else _open_rows(data, run, size)
    options: dict[str, Any] = {"space": space, "time": time, "n_trials": search.trials, "storage": search.study}
    result = tune(estimator, X, y, **options, random_state=run.seed, verbose=1)
    save(result.estimator, out)
    print(result)
    if search.plot is not None:
        draw_result(result).savefig(search.plot)
    what = "detector of a series" if search.series else run.model
    print(f"wrote {out}: {what} with the best of {pluralize(len(result.trials), 'trial')}")


def draw_result(result: TuningResult) -> Figure:
    """Draw the trials, and beside them the importance of the parameters."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    trials(result, ax=left)
    importance(result, ax=right)
    return figure


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as ``90``, ``90s``, ``10m`` or ``1.5h``.

    Raises
    ------
    ValueError
        If it is not a duration.

    Examples
    --------
    >>> from isthmus.cli.tuning import parse_duration
    >>> parse_duration("10m"), parse_duration("1.5h")
    (600.0, 5400.0)
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip().lower())
    seconds = float(found[1]) * SECONDS[found[2] or "s"] if found else 0.0
    if not seconds > 0:
        raise ValueError(f"--time takes a duration such as 90s, 10m or 2h, got {text!r}")
    return seconds


def _open_series(data: Path, run: Run, times: Sequence[str]) -> tuple[AnomalyDetector, Any, None]:
    """Return a detector of a series, and the series."""
    if run.kinds or run.condition:
        raise ValueError("--series takes no --kind or --condition: channels are numbers, and have no labels")
    net = make_estimator(run).set_params(verbose=0) if run.model != Run.model or run.set else None
    detector = AnomalyDetector(SlidingWindows(net, time=as_time(times)), random_state=run.seed)
    return detector, choose_series(read(data), run, times, data), None


def _open_rows(data: Path, run: Run, size: str | None) -> tuple[Autoencoder, Any, Any]:
    """Return the model of a run, the rows of a file, and labels for a conditional model."""
    estimator = make_for_labels(data, run).set_params(verbose=0)
    if holds_images(data):
        choose_columns(None, run, data)
        folder = open_folder(data, size)
        return estimator, folder, choose_labels(folder, estimator.conditional)
    if is_streamed(data):
        return estimator, open_stream(data, run), None
    values = read(data)
    return estimator, choose_columns(values, run, data), read_labels(values, run.condition)
