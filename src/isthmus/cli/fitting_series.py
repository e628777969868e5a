"""``isthmus fit --time``: a series to a model file that fills its gaps."""

from collections.abc import Sequence
from pathlib import Path

from isthmus.cli.outputs import Output
from isthmus.cli.paths import MODEL
from isthmus.cli.progress import say
from isthmus.cli.reading import read
from isthmus.cli.runs import Run, choose_series
from isthmus.cli.streaming import beside
from isthmus.gap_filling import SeriesImputer
from isthmus.persistence import save


def fit_series(data: Path, run: Run, output: Output, times: Sequence[str], config: Path | None = None) -> None:
    """Fit an imputer to a series, write it, and show its error in gaps beside that of straight lines.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read or written, or the run does not suit a series.
    """
    out = output.path or beside(data, MODEL[0])
    output.check([out], [data, config], MODEL)
    if run.model != Run.model or run.set or run.kinds or run.condition:
        raise ValueError("--time fits an imputer of series, which takes no --model, --set, --kind or --condition")
    X = choose_series(read(data), run, times, data)
    say(f"fitting an imputer to {len(X):,} time points")
    imputer = SeriesImputer(time=times[0] if len(times) == 1 else tuple(times), random_state=run.seed).fit(X)
    save(imputer, out)
    print("error in gaps that were hidden, as a share of the straight line's, on windows set aside:")
    for i, error in enumerate(imputer.relative_error_):
        print(f"{_steps(i)}: {error:.2f}")
    print(f"wrote {out}: series imputer fitted to {len(X)} time points x {imputer.n_features_in_} channels")


def _steps(i: int) -> str:
    return "1 step" if i == 0 else f"{2**i} to {2 ** (i + 1) - 1} steps"
