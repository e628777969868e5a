"""The commands and their options. Torch takes a second to import, so each command imports its work when called."""

from pathlib import Path
from typing import Annotated

import typer

import isthmus
from isthmus.cli.commands import Command
from isthmus.cli.data_commands import doctor, look, quality
from isthmus.cli.errors import Commands
from isthmus.cli.model_commands import impute, reconstruct, sample, score, transform
from isthmus.cli.options import (
    Alarms,
    Columns,
    Config,
    Data,
    DayFirst,
    DetectorFile,
    EscapeFormulas,
    EventPlot,
    Force,
    ImageSize,
    Kinds,
    Label,
    Limits,
    Model,
    Normal,
    Prepared,
    SavedDetector,
    Seed,
    Settings,
    SplitColumn,
    Times,
    Variant,
    Without,
)
from isthmus.cli.paths import MODEL, check_input, check_output
from isthmus.cli.reading import reads_files

app = typer.Typer(
    cls=Commands,
    help="Autoencoders for data files: CSV, TSV, Parquet, NPY, NPZ, Feather, Arrow, JSON Lines and Excel.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help comes at once; the decorated one would first import rich.
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"isthmus {isthmus.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    pass


app.command(cls=Command)(look)
app.command(cls=Command)(doctor)
app.command(cls=Command)(quality)


@app.command(cls=Command)
@reads_files
def prepare(
    data: Annotated[Path, typer.Argument(metavar="IN", help="Table to read, of any kind.", callback=check_input)],
    out: Prepared,
    report: Annotated[bool, typer.Option("--report", help="Show all that was changed, removed or seen.")] = False,
    day_first: DayFirst = None,
    limits: Limits = None,
    sentinels: Annotated[str, typer.Option(help="Codes such as 0 or -999: report, missing or keep.")] = "report",
    duplicates: Annotated[str, typer.Option(help="Repeated rows: remove, report or keep.")] = "remove",
    constants: Annotated[str, typer.Option(help="Columns of one value: remove, report or keep.")] = "remove",
    outliers: Annotated[str, typer.Option(help="Rows unlike the others: report, remove or keep.")] = "report",
    outlier_method: Annotated[str, typer.Option(help="robust_z or isolation.")] = "robust_z",
    scaling: Annotated[str | None, typer.Option(help="standard, robust, range or auto.  [default: none]")] = None,
    split: Annotated[str, typer.Option(help="Shares of training, validation and test.")] = "0.7,0.15,0.15",
    split_by: Annotated[str, typer.Option(help="random, stratified, grouped or time.")] = "random",
    split_column: SplitColumn = None,
    seed: Annotated[int, typer.Option(help="Decides the split.")] = 0,
    force: Force = False,
    escape_formulas: EscapeFormulas = False,
) -> None:
    """Repair, clean and split a table, and list all that was done."""
    from isthmus.cli import preparing
    from isthmus.cli.outputs import Output

    output = Output(out, force, escape_formulas)
    preparing.check_output(output, out, data)
    prepared = preparing.prepare(
        preparing.read_table(data),
        missing=preparing.words_for_missing(),
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


@app.command(cls=Command)
@reads_files
def fit(
    data: Data,
    model: Variant = None,
    setting: Settings = None,
    config: Config = None,
    seed: Seed = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Model file to write.  [default: DATA's name, .safetensors]", callback=check_output(*MODEL)),
    ] = None,
    columns: Columns = None,
    without: Without = None,
    kind: Kinds = None,
    condition: Label = None,
    time: Times = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder to save progress in every minute; the same command goes on from it."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes of Ray to fit Parquet files by; needs isthmus[ray].", min=1)
    ] = None,
    size: ImageSize = None,
    force: Force = False,
) -> None:
    """Fit a model, and compare its error with PCA's."""
    from isthmus.cli.fitting import fit_file
    from isthmus.cli.fitting_series import fit_series
    from isthmus.cli.outputs import Output
    from isthmus.cli.runs import read_run

    options = {"model": model, "seed": seed, "columns": columns, "without": without, "condition": condition}
    run = read_run(config, setting or [], kind or [], **options)
    if time:
        if checkpoint or workers or size:
            raise ValueError("--time fits an imputer of series, which takes no --checkpoint, --workers or --size")
        fit_series(data, run, Output(out, force), time, config)
        return
    fit_file(data, run, Output(out, force), config, checkpoint, workers, size)


for _command in (transform, reconstruct, impute, score):
    app.command(cls=Command)(_command)


@app.command(cls=Command)
@reads_files
def detect(
    data: Annotated[Path, typer.Argument(help="File of rows to look for anomalies in.", callback=check_input)],
    normal: Normal = None,
    detector: DetectorFile = None,
    fpr: Annotated[
        float | None, typer.Option(help="Share of normal rows to alarm on at most.  [default: 0.01]")
    ] = None,
    fdr: Annotated[float | None, typer.Option(help="Share of the alarms that may be false, instead of a rate.")] = None,
    contamination: Annotated[float | None, typer.Option(help="Share of all rows to alarm on: a guess.")] = None,
    time: Times = None,
    explain: Annotated[int, typer.Option(help="Number of the worst alarms to explain.", min=0)] = 0,
    out: Alarms = None,
    save: SavedDetector = None,
    plot: EventPlot = None,
    model: Annotated[
        str | None, typer.Option(help="Variant, one of those that zoo lists.  [default: what suits the data best]")
    ] = None,
    setting: Settings = None,
    config: Config = None,
    seed: Seed = None,
    columns: Columns = None,
    without: Without = None,
    kind: Kinds = None,
    size: ImageSize = None,
    heatmaps: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for a picture of each alarm in a folder of images.")
    ] = None,
    force: Force = False,
    escape_formulas: EscapeFormulas = False,
) -> None:
    """Find the anomalies among rows or in a series, with a known rate of false alarms."""
    from isthmus.cli.detecting import Search, detect_file
    from isthmus.cli.detecting_images import detect_images
    from isthmus.cli.outputs import Output
    from isthmus.cli.runs import read_run
    from isthmus.cli.streaming import holds_images

    run = read_run(config, setting or [], kind or [], model=model, seed=seed, columns=columns, without=without)
    given = config is not None or model is not None or bool(setting)
    search = Search(
        run, given, normal, detector, fpr, fdr, contamination, tuple(time or ()), explain, size, heatmaps, plot
    )
    detect_in = detect_images if holds_images(data) else detect_file
    detect_in(data, search, Output(out, force, escape_formulas), save, config)


app.command(cls=Command)(sample)


@app.command(cls=Command)
def info(model: Model) -> None:
    """Show what a model file holds."""
    from isthmus.cli.describing import describe

    typer.echo(describe(model))


@app.command(cls=Command)
def zoo() -> None:
    """List the variants."""
    from isthmus.cli.describing import variants

    summaries = variants()
    width = max(map(len, summaries))
    for name, summary in summaries.items():
        typer.echo(f"{name:{width}}  {summary}")
