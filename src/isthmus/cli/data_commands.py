"""The commands that look at data, with their options."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.options import Columns, Config, Data, Kinds, Label, Settings, Variant, Without
from isthmus.cli.paths import check_input
from isthmus.cli.reading import reads_files


@reads_files
def look(data: Data, columns: Columns = None, without: Without = None, kind: Kinds = None) -> None:
    """Show what a file holds: kind, missing cells and values of each column, repeated rows, related columns."""
    from isthmus.cli.look import show_file
    from isthmus.cli.runs import read_run

    show_file(data, read_run(None, [], kind or [], columns=columns, without=without))


@reads_files
def doctor(
    data: Data,
    test: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rows that should not be among those.", callback=check_input)
    ] = None,
    model: Variant = None,
    setting: Settings = None,
    config: Config = None,
    columns: Columns = None,
    without: Without = None,
    kind: Kinds = None,
    condition: Label = None,
) -> None:
    """Say what is wrong with rows, and with the model that is to be fitted to them."""
    from isthmus.cli.doctoring import examine_file
    from isthmus.cli.runs import read_run

    options = {"model": model, "columns": columns, "without": without, "condition": condition}
    run = read_run(config, setting or [], kind or [], **options)
    examine_file(data, run, test)


@reads_files
def quality(
    real: Annotated[Path, typer.Argument(help="Rows that the model was fitted to.", callback=check_input)],
    synthetic: Annotated[Path, typer.Argument(help="Rows that sample wrote.", callback=check_input)],
    holdout: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Real rows that the model did not see.  [default: half of REAL]", callback=check_input
        ),
    ] = None,
    target: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column to predict, to see what the rows are worth for training.")
    ] = None,
    without: Without = None,
    seed: Annotated[int, typer.Option(help="Decides everything random.")] = 0,
) -> None:
    """Compare synthetic rows with real ones: columns, pairs, detection, privacy and use for training."""
    from isthmus.cli.quality import compare_files

    compare_files(real, synthetic, holdout, target, without or [], seed)
