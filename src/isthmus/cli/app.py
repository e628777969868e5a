"""The commands and their options. Torch takes a second to import, so each command imports its work when called."""

from pathlib import Path
from typing import Annotated

import typer

import isthmus
from isthmus.cli.errors import Commands

app = typer.Typer(
    cls=Commands,
    help="Autoencoders for data files: CSV, TSV, Parquet, NPY and NPZ.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help comes at once; the decorated one would first import rich.
    rich_markup_mode=None,
)

Data = Annotated[
    Path,
    typer.Argument(
        help="File of rows: .csv, .tsv, .parquet, .npy or .npz; or a folder or quoted pattern of Parquet files."
    ),
]
Model = Annotated[Path, typer.Argument(help="Model file that fit wrote.")]
Out = Annotated[Path | None, typer.Option(help="File to write; its suffix decides the kind.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"isthmus {isthmus.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


@app.command()
def fit(
    data: Data,
    model: Annotated[
        str | None, typer.Option(help="Variant, one of those that zoo lists.  [default: autoencoder]")
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Parameter, such as n_components=8 or bottleneck.beta=4; repeatable."
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="Run file, JSON with model, set and seed; options win over it.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides everything random.  [default: 0]")] = None,
    out: Annotated[Path | None, typer.Option(help="Model file to write.  [default: DATA's name, .safetensors]")] = None,
    columns: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Column to use; repeatable.  [default: all]")
    ] = None,
    without: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Column to leave out; repeatable.")] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=KIND",
            help="What a column is: real, positive, count, binary, category, ordered, date; or, to leave out, "
            "identifier, constant, text; repeatable.  [default: told by its values]",
        ),
    ] = None,
    condition: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of labels for a conditional model.")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder to save progress in every minute; the same command goes on from it."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes of Ray to fit Parquet files by; needs isthmus[ray].", min=1)
    ] = None,
) -> None:
    """Fit a model, and compare its error with PCA's."""
    from isthmus.cli.fitting import fit_file
    from isthmus.cli.runs import read_run

    options = {"model": model, "seed": seed, "columns": columns, "without": without, "condition": condition}
    run = read_run(config, setting or [], kind or [], **options)
    fit_file(data, run, out, checkpoint, workers)


@app.command()
def transform(model: Model, data: Data, out: Out = None) -> None:
    """Write the codes of rows."""
    from isthmus.cli import using

    using.transform(model, data, out)


@app.command()
def reconstruct(model: Model, data: Data, out: Out = None) -> None:
    """Write rows rebuilt from their codes, missing values filled."""
    from isthmus.cli import using

    using.reconstruct(model, data, out)


@app.command()
def impute(
    model: Model,
    data: Data,
    out: Out = None,
    draws: Annotated[
        int, typer.Option(help="Draw so many fillings, a file each, instead of the expected one.", min=0)
    ] = 0,
    seed: Annotated[int | None, typer.Option(help="Decides the draws.  [default: the model's]")] = None,
) -> None:
    """Write rows with their missing values filled, all others as they are."""
    from isthmus.cli import using

    using.impute(model, data, out, draws, seed)


@app.command()
def score(
    model: Model,
    data: Data,
    out: Out = None,
    draws: Annotated[
        int, typer.Option(help="Codes to draw a row for the importance-weighted bound; 0 draws none.", min=0)
    ] = 0,
    contributions: Annotated[bool, typer.Option("--contributions", help="Take scores apart by column.")] = False,
) -> None:
    """Write the scores of rows in nats; higher is more normal."""
    from isthmus.cli import using

    if contributions:
        using.contributions(model, data, out, draws)
    else:
        using.score(model, data, out, draws)


@app.command()
def sample(
    model: Model,
    n: Annotated[int, typer.Option("-n", help="How many rows.", min=1)] = 100,
    out: Out = None,
    condition: Annotated[str | None, typer.Option(metavar="VALUE", help="Label to draw rows of.")] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Value that a column is to have, such as sex=F; repeatable."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Decides the draws.  [default: the model's]")] = None,
) -> None:
    """Write new rows."""
    from isthmus.cli import using

    using.sample(model, n, out, condition, given or [], seed)


@app.command()
def info(model: Model) -> None:
    """Show what a model file holds."""
    from isthmus.cli.describing import describe

    typer.echo(describe(model))


@app.command()
def zoo() -> None:
    """List the variants."""
    from isthmus.cli.describing import variants

    summaries = variants()
    width = max(map(len, summaries))
    for name, summary in summaries.items():
        typer.echo(f"{name:{width}}  {summary}")
