"""The commands that fit and apply models, with their options; each imports its work when called."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli import options
from isthmus.cli.paths import MODEL, check_input, check_output
from isthmus.cli.reading import reads_files


@reads_files
def fit(
    data: options.Data,
    model: options.Variant = None,
    setting: options.Settings = None,
    config: options.Config = None,
    seed: options.Seed = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Model file to write.  [default: DATA's name, .safetensors]", callback=check_output(*MODEL)),
    ] = None,
    columns: options.Columns = None,
    without: options.Without = None,
    kind: options.Kinds = None,
    condition: options.Label = None,
    time: options.Times = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the progress, saved every minute; the same command resumes from it."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Number of processes of Ray that fit Parquet files; needs isthmus[ray].", min=1)
    ] = None,
    size: options.ImageSize = None,
    force: options.Force = False,
) -> None:
    """Fit a model, and compare its error with that of PCA."""
    from isthmus.cli.fitting import fit_file, fit_series
    from isthmus.cli.outputs import Output
    from isthmus.cli.runs import read_run

    fields = {"model": model, "seed": seed, "columns": columns, "without": without, "condition": condition}
    run = read_run(config, setting or [], kind or [], **fields)
    if time:
        if checkpoint or workers or size:
            raise ValueError("--time fits an imputer of series, which takes no --checkpoint, --workers or --size")
        fit_series(data, run, Output(out, force), time, config)
        return
    fit_file(data, run, Output(out, force), config, checkpoint, workers, size)


@reads_files
def transform(
    model: options.Model,
    data: options.Data,
    out: options.Out = None,
    force: options.Force = False,
    escape_formulas: options.EscapeFormulas = False,
) -> None:
    """Write the codes of rows."""
    from isthmus.cli import inference
    from isthmus.cli.outputs import Output

    inference.transform(model, data, Output(out, force, escape_formulas))


@reads_files
def reconstruct(
    model: options.Model,
    data: options.Data,
    out: options.OutOrFolder = None,
    force: options.Force = False,
    escape_formulas: options.EscapeFormulas = False,
) -> None:
    """Write rows rebuilt from their codes, missing values filled."""
    from isthmus.cli import inference
    from isthmus.cli.outputs import Output

    inference.reconstruct(model, data, Output(out, force, escape_formulas))


@reads_files
def impute(
    model: options.Model,
    data: options.Data,
    out: options.OutOrFolder = None,
    draws: Annotated[
        int, typer.Option(help="Number of random imputations to write, one file each; 0 writes expected values.", min=0)
    ] = 0,
    seed: Annotated[int | None, typer.Option(help="Seed of the random numbers.  [default: the model's]")] = None,
    force: options.Force = False,
    escape_formulas: options.EscapeFormulas = False,
) -> None:
    """Fill missing values, and leave all other values unchanged."""
    from isthmus.cli import inference
    from isthmus.cli.outputs import Output

    inference.impute(model, data, Output(out, force, escape_formulas), draws, seed)


@reads_files
def score(
    model: options.Model,
    data: options.Data,
    out: options.Out = None,
    draws: Annotated[
        int, typer.Option(help="Codes sampled per row for the importance-weighted bound; 0 uses the mean code.", min=0)
    ] = 0,
    contributions: Annotated[
        bool, typer.Option("--contributions", help="Write the contribution of each column to the score.")
    ] = False,
    force: options.Force = False,
    escape_formulas: options.EscapeFormulas = False,
) -> None:
    """Write the scores of rows; higher is more normal. A detector adds p-values and decisions."""
    from isthmus.cli import inference
    from isthmus.cli.outputs import Output

    write = inference.contributions if contributions else inference.score
    write(model, data, Output(out, force, escape_formulas), draws)


@reads_files
def detect(
    data: Annotated[Path, typer.Argument(help="File of rows to search for anomalies.", callback=check_input)],
    normal: options.Normal = None,
    detector: options.DetectorFile = None,
    fpr: Annotated[
        float | None,
        typer.Option(help="False positive rate: largest share of normal rows with an alarm.  [default: 0.01]"),
    ] = None,
    fdr: Annotated[
        float | None, typer.Option(help="False discovery rate: largest share of false alarms, instead of --fpr.")
    ] = None,
    contamination: Annotated[float | None, typer.Option(help="Share of anomalies among the rows, if known.")] = None,
    time: options.Times = None,
    explain: Annotated[int, typer.Option(help="Number of the worst alarms to explain.", min=0)] = 0,
    out: options.Alarms = None,
    save: options.SavedDetector = None,
    plot: options.EventPlot = None,
    model: Annotated[
        str | None, typer.Option(help="Variant, one of those that zoo lists.  [default: the detector's own choice]")
    ] = None,
    setting: options.Settings = None,
    config: options.Config = None,
    seed: options.Seed = None,
    columns: options.Columns = None,
    without: options.Without = None,
    kind: options.Kinds = None,
    size: options.ImageSize = None,
    heatmaps: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for a heat map of each alarm in a folder of images.")
    ] = None,
    force: options.Force = False,
    escape_formulas: options.EscapeFormulas = False,
) -> None:
    """Find anomalies among rows or in a series, with a known rate of false alarms."""
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
    model: options.Model,
    n: Annotated[int, typer.Option("-n", help="Number of rows.", min=1)] = 100,
    out: options.OutOrFolder = None,
    condition: Annotated[
        str | None, typer.Option(metavar="VALUE", help="Label of the new rows, for a conditional model.")
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Value of a column in all new rows, such as sex=F; repeatable."),
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Write no missing values.  [default: as many are missing as in fit]")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="Seed of the random numbers.  [default: the model's]")] = None,
    force: options.Force = False,
    escape_formulas: options.EscapeFormulas = False,
) -> None:
    """Write new rows."""
    from isthmus.cli import inference
    from isthmus.cli.outputs import Output

    inference.sample(model, n, Output(out, force, escape_formulas), condition, given or [], seed, not complete)


def info(model: options.Model) -> None:
    """Show the contents of a model file."""
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
