"""The commands that examine and prepare data; each imports its work when called."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli import options
from isthmus.cli.paths import check_input, check_model


def look(data: options.Data, columns: options.ColumnOptions) -> None:
    """Show kind, missing cells and values of each column, repeated rows and related columns.

    The kind is inferred from the values; --kind sets another one in every command.

    Examples
    --------
    $ isthmus look customers.csv
    $ isthmus look customers.csv --kind postcode=category --missing unknown
    """
    from isthmus.cli.examining import show_file
    from isthmus.cli.runs import read_options

    show_file(data, read_options(columns))


def doctor(
    first: Annotated[
        Path,
        typer.Argument(metavar="[MODEL] DATA", help="File of rows; before it, the file of a model that is fitted."),
    ],
    model: options.ModelOptions,
    test: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Test rows, which must not be among the rows of DATA.", callback=check_input),
    ] = None,
    condition: options.Label = None,
    second: Annotated[Path | None, typer.Argument(hidden=True)] = None,
) -> None:
    """Find problems in rows, and in a model: one that is to be fitted to them, or one that is fitted already.

    Each finding has one line of advice. Without a model file, the rows and the model that --model names are
    examined before a fit; with one, its training, codes, fit and likelihood.

    Examples
    --------
    $ isthmus doctor customers.csv --model vae
    $ isthmus doctor customers.safetensors new-customers.csv
    """
    file, data = (None, first) if second is None else (first, second)
    check_model(file)
    check_input(data)

    from isthmus.cli.examining import examine_file, examine_model
    from isthmus.cli.runs import read_options

    run = read_options(model, condition=condition)
    if file is None:
        examine_file(data, run, test)
    else:
        examine_model(file, data, run, test)


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
        str | None,
        typer.Option(metavar="NAME", help="Column that models predict, one trained on real and one on synthetic rows."),
    ] = None,
    without: options.Without = None,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.", min=0)] = 0,
) -> None:
    """Compare synthetic rows with real ones: columns, pairs, detection, privacy and use for training.

    Each measure stands beside the same measure of held-out real rows, which is what perfect rows would have.

    Examples
    --------
    $ isthmus quality customers.csv new.csv --target churned
    """
    from isthmus.cli.quality import compare_files

    compare_files(real, synthetic, holdout, target, without or [], seed)


def prepare(
    data: Annotated[Path, typer.Argument(metavar="IN", help="Table to read, of any format.", callback=check_input)],
    out: options.Prepared,
    steps: options.PrepareOptions,
    report: Annotated[bool, typer.Option("--report", help="Show all changes, removals and findings.")] = False,
    force: options.Force = False,
    escape_formulas: options.EscapeFormulas = False,
) -> None:
    """Repair, clean and split a table, and list all changes.

    The input stays unchanged.

    Examples
    --------
    $ isthmus prepare customers.xlsx clean.parquet --report
    """
    from isthmus.cli.outputs import Output
    from isthmus.cli.preparing import prepare_file

    prepare_file(data, out, steps, Output(out, force, escape_formulas), report)


COMMANDS: tuple[Callable[..., None], ...] = (look, doctor, quality, prepare)
