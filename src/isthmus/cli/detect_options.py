"""Options of ``isthmus detect``, and which of them fit the data; torch is not imported."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.options import ImageSize, Times
from isthmus.cli.paths import MODEL, PICTURES, check_input, check_model, check_output
from isthmus.formatting import pluralize


def check_share(option: str, largest: float | None = None) -> Callable[[float | None], float | None]:
    """Return a function that checks the value of an option: None, or above 0, and below 1 or at most ``largest``."""
    expected = "below 1" if largest is None else f"at most {largest:g}"

    def check(share: float | None) -> float | None:
        if share is not None and not (0 < share < 1 if largest is None else 0 < share <= largest):
            raise ValueError(f"{option} must be above 0 and {expected}, got {share:g}")
        return share

    return check


@dataclass(frozen=True)
class DetectOptions:
    """What ``isthmus detect`` learns from, which alarms it gives, and what it writes beside them."""

    normal: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Normal rows to learn from.  [default: DATA itself]", callback=check_input),
    ] = None
    detector: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Detector that --save wrote, to use without fitting.  [default: fit a new one]",
            callback=check_model,
        ),
    ] = None
    fpr: Annotated[
        float | None,
        typer.Option(
            help="False-positive rate: largest share of normal rows with an alarm.  [default: 0.01]",
            callback=check_share("--fpr"),
        ),
    ] = None
    fdr: Annotated[
        float | None,
        typer.Option(
            help="False discovery rate: largest share of false alarms, instead of --fpr.",
            callback=check_share("--fdr"),
        ),
    ] = None
    contamination: Annotated[
        float | None,
        typer.Option(
            help="Share of anomalies among the rows, at most one half, instead of --fpr.",
            callback=check_share("--contamination", 0.5),
        ),
    ] = None
    time: Times = None
    lengths: Annotated[
        str | None,
        typer.Option(
            metavar="STEPS",
            help="Time points in the windows of a series, such as 12,36: about as long as an event, and three times as "
            "long.  [default: half a period, one and two periods]",
        ),
    ] = None
    top: Annotated[
        int | None,
        typer.Option(metavar="N", help="Write and explain only the N worst alarms.  [default: write all]", min=1),
    ] = None
    explain: Annotated[
        int | None,
        typer.Option(
            help="Number of alarms of a table or series to explain, the worst first. Severity 1 of an event: its "
            "lowest score is as far beyond the threshold as the threshold is from a typical score.  [default: those of "
            "--top, or none]",
            min=0,
        ),
    ] = None
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Detector file to write, .safetensors.", callback=check_output(*MODEL)),
    ] = None
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Picture of a series and its events to write: .png, .svg or .pdf.",
            callback=check_output(*PICTURES),
        ),
    ] = None
    size: ImageSize = None
    heatmaps: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for a heat map of each alarm in a folder of images.")
    ] = None
    exit_code: Annotated[
        bool,
        typer.Option(
            "--exit-code",
            help="End with exit code 1 if there are alarms, or sensors that are stuck or dead; otherwise with 0.",
        ),
    ] = False

    @property
    def n_explained(self) -> int:
        """Number of alarms to explain."""
        return (self.top or 0) if self.explain is None else self.explain

    def describe_count(self, n_alarms: int, unit: str) -> str:
        """Return the number of alarms, and how many of them are written if these are fewer."""
        count = pluralize(n_alarms, unit)
        return count if self.top is None or self.top >= n_alarms else f"the worst {self.top:,} of {count}"


def refuse(given: DetectOptions, names: Sequence[str], reason: str) -> None:
    """Raise ``ValueError`` for the first of some options that is given, with a reason such as "is for tables"."""
    for name in names:
        if getattr(given, name) not in (None, 0):
            raise ValueError(f"--{name} {reason}")


def check_data(given: DetectOptions, data: Path, are_images: bool) -> None:
    """Raise ``ValueError`` for an option that is for other data: images, or tables and series."""
    if are_images:
        reason = "is for tables and series; --heatmaps DIR draws the anomalies in images"
        refuse(given, ("time", "lengths", "plot", "explain"), reason)
    else:
        refuse(given, ("size", "heatmaps"), f"is for folders of images, but {str(data)!r} is not one")
