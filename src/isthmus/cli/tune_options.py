"""Options of ``isthmus tune``."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.paths import PICTURES, check_output, check_space


@dataclass(frozen=True)
class TuneOptions:
    """When a search for parameters ends, and what it writes beside the model."""

    time: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Time of the search, such as 90s, 10m or 2h; the last fit is added to it."),
    ] = None
    trials: Annotated[
        int | None,
        typer.Option(
            help="Number of trials.  [default: those in --time; without it, until 20 trials gain less than one "
            "standard error]",
            min=1,
        ),
    ] = None
    series: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Column of times; the rows are then the time points of a series, and the model is a detector for "
            "detect --detector. Repeat the option for a date in parts.",
        ),
    ] = None
    space: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Values to search, as printed at the start of a search: .toml, or .json.",
            callback=check_space,
        ),
    ] = None
    study: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="SQLite file for the trials; the same command continues the search in it."),
    ] = None
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Picture of the trials and of the importance of parameters: .png, .svg or .pdf.",
            callback=check_output(*PICTURES),
        ),
    ] = None
