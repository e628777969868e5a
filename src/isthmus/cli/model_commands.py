"""The commands that fit and apply models, with their options; each imports its work when called."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.options import (
    Alarms,
    Columns,
    Config,
    Data,
    DetectorFile,
    EscapeFormulas,
    EventPlot,
    Force,
    ImageSize,
    Kinds,
    Label,
    Model,
    Normal,
    Out,
    OutOrFolder,
    SavedDetector,
    Seed,
    Settings,
    Times,
    Variant,
    Without,
)
from isthmus.cli.paths import MODEL, check_input, check_output
from isthmus.cli.reading import reads_files


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
    from isthmus.cli.fitting import fit_file, fit_series
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


@reads_files
def transform(
    model: Model, data: Data, out: Out = None, force: Force = False, escape_formulas: EscapeFormulas = False
) -> None:
    """Write the codes of rows."""
    from isthmus.cli import inference
    from isthmus.cli.outputs import Output

    inference.transform(model, data, Output(out, force, escape_formulas))


@reads_files
def reconstruct(
    model: Model, data: Data, out: OutOrFolder = None, force: Force = False, escape_formulas: EscapeFormulas = False
) -> None:
    """Write rows rebuilt from their codes, missing values filled."""
    from isthmus.cli import inference
    from isthmus.cli.outputs import Output

    inference.reconstruct(model, data, Output(out, force, escape_formulas))


@reads_files
def impute(
    model: Model,
    data: Data,
    out: OutOrFolder = None,
    draws: Annotated[
        int, typer.Option(help="Number of random fillings to write, a file each; 0 writes the expected values.", min=0)
    ] = 0,
    seed: Annotated[int | None, typer.Option(help="Decides the draws.  [default: the model's]")] = None,
    force: Force = False,
    escape_formulas: EscapeFormulas = False,
) -> None:
    """Write rows with their missing values filled, all others as they are."""
    from isthmus.cli import inference
    from isthmus.cli.outputs import Output

    inference.impute(model, data, Output(out, force, escape_formulas), draws, seed)


@reads_files
def score(
    model: Model,
    data: Data,
    out: Out = None,
    draws: Annotated[
        int, typer.Option(help="Codes to draw a row for the importance-weighted bound; 0 draws none.", min=0)
    ] = 0,
    contributions: Annotated[bool, typer.Option("--contributions", help="Take scores apart by column.")] = False,
    force: Force = False,
    escape_formulas: EscapeFormulas = False,
) -> None:
    """Write the scores of rows; higher is more normal. A detector adds p-values and decisions."""
    from isthmus.cli import inference
    from isthmus.cli.outputs import Output

    write = inference.contributions if contributions else inference.score
    write(model, data, Output(out, force, escape_formulas), draws)


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
    from isthmus.cli.detecting import Request, detect_file
    from isthmus.cli.detecting_images import detect_images
    from isthmus.cli.outputs import Output
    from isthmus.cli.runs import read_run
    from isthmus.cli.streaming import holds_images

    run = read_run(config, setting or [], kind or [], model=model, seed=seed, columns=columns, without=without)
    given = config is not None or model is not None or bool(setting)
    request = Request(
        run, given, normal, detector, fpr, fdr, contamination, tuple(time or ()), explain, size, heatmaps, plot
    )
    detect_in = detect_images if holds_images(data) else detect_file
    detect_in(data, request, Output(out, force, escape_formulas), save, config)


def sample(
    model: Model,
    n: Annotated[int, typer.Option("-n", help="How many rows.", min=1)] = 100,
    out: OutOrFolder = None,
    condition: Annotated[str | None, typer.Option(metavar="VALUE", help="Label to draw rows of.")] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Value that a column is to have, such as sex=F; repeatable."),
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Leave no value missing; without, as many are missing as in fit.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Decides the draws.  [default: the model's]")] = None,
    force: Force = False,
    escape_formulas: EscapeFormulas = False,
) -> None:
    """Write new rows."""
    from isthmus.cli import inference
    from isthmus.cli.outputs import Output

    inference.sample(model, n, Output(out, force, escape_formulas), condition, given or [], seed, not complete)


def info(model: Model) -> None:
    """Show what a model file holds."""
    from isthmus.cli.describing import describe

    typer.echo(describe(model))


def zoo() -> None:
    """List the variants."""
    from isthmus.cli.describing import variants

    summaries = variants()
    width = max(map(len, summaries))
    for name, summary in summaries.items():
        typer.echo(f"{name:{width}}  {summary}")


COMMANDS = (fit, transform, reconstruct, impute, score, detect, sample, info, zoo)
