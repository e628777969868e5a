"""The commands that examine and prepare data, with their options; each imports its work when called."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli import options
from isthmus.cli.paths import check_input
from isthmus.cli.reading import reads_files


@reads_files
def look(
    data: options.Data, columns: options.Columns = None, without: options.Without = None, kind: options.Kinds = None
) -> None:
    """Show kind, missing cells and values of each column, repeated rows and related columns."""
    from isthmus.cli.examining import show_file
    from isthmus.cli.runs import read_run

    show_file(data, read_run(None, [], kind or [], columns=columns, without=without))


@reads_files
def doctor(
    data: options.Data,
    test: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Test rows, which should not be among the rows of DATA.", callback=check_input
        ),
    ] = None,
    model: options.Variant = None,
    setting: options.Settings = None,
    config: options.Config = None,
    columns: options.Columns = None,
    without: options.Without = None,
    kind: options.Kinds = None,
    condition: options.Label = None,
) -> None:
    """Find problems in rows, and in the model that is to be fitted to them."""
    from isthmus.cli.examining import examine_file
    from isthmus.cli.runs import read_run

    fields = {"model": model, "columns": columns, "without": without, "condition": condition}
    run = read_run(config, setting or [], kind or [], **fields)
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
        str | None,
        typer.Option(metavar="NAME", help="Column to predict, to measure the use of synthetic rows for training."),
    ] = None,
    without: options.Without = None,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.")] = 0,
) -> None:
    """Compare synthetic rows with real ones: columns, pairs, detection, privacy and use for training."""
    from isthmus.cli.quality import compare_files

    compare_files(real, synthetic, holdout, target, without or [], seed)


@reads_files
def prepare(
    data: Annotated[Path, typer.Argument(metavar="IN", help="Table to read, of any kind.", callback=check_input)],
    out: options.Prepared,
    report: Annotated[bool, typer.Option("--report", help="Show all changes, removals and findings.")] = False,
    day_first: options.DayFirst = None,
    limits: options.Limits = None,
    sentinels: Annotated[str, typer.Option(help="Codes such as 0 or -999: report, missing or keep.")] = "report",
    duplicates: Annotated[str, typer.Option(help="Repeated rows: remove, report or keep.")] = "remove",
    constants: Annotated[str, typer.Option(help="Columns of one value: remove, report or keep.")] = "remove",
    outliers: Annotated[str, typer.Option(help="Rows that differ from all others: report, remove or keep.")] = "report",
    outlier_method: Annotated[str, typer.Option(help="robust_z or isolation.")] = "robust_z",
    scaling: Annotated[str | None, typer.Option(help="standard, robust, range or auto.  [default: none]")] = None,
    split: Annotated[str, typer.Option(help="Shares of training, validation and test.")] = "0.7,0.15,0.15",
    split_by: Annotated[str, typer.Option(help="random, stratified, grouped or time.")] = "random",
    split_column: options.SplitColumn = None,
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 0,
    force: options.Force = False,
    escape_formulas: options.EscapeFormulas = False,
) -> None:
    """Repair, clean and split a table, and list all changes."""
    from isthmus.cli import preparing
    from isthmus.cli.outputs import Output

    output = Output(out, force, escape_formulas)
    preparing.check_output(output, out, data)
    prepared = preparing.prepare(
        preparing.read_table(data),
        missing=preparing.missing_words(),
        day_first=day_first,
        limits=preparing.parse_limits(limits or []),
        sentinels=sentinels,
        duplicates=duplicates,
        constants=constants,
        outliers=outliers,
        outlier_method=outlier_method,
        scaling=scaling,
        split=preparing.parse_shares(split),
        split_by=split_by,
        split_column=split_column,
        random_state=seed,
    )
    preparing.write_prepared(prepared, output, out)
    preparing.show(prepared, out, report)


COMMANDS = (look, doctor, quality, prepare)
