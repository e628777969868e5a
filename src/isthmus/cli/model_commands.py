"""The commands that fit and apply models; each imports its work when called."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli import options
from isthmus.cli.detect_options import DetectOptions, check_data
from isthmus.cli.paths import MODEL, PROGRAMS, check_input, check_output, holds_images
from isthmus.cli.tune_options import TuneOptions

# Exit code of ``detect --exit-code`` if there are alarms, as of grep and diff if they find something.
ALARMS = 1


def fit(
    data: options.Data,
    model: options.ModelOptions,
    choice: options.ChoiceOptions,
    condition: options.Label = None,
    time: options.Times = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Model file to write.  [default: DATA's name, .safetensors]", callback=check_output(*MODEL)),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder to save the progress in every minute; the same command resumes it."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Number of Ray processes that fit Parquet files; needs isthmus[ray].", min=1)
    ] = None,
    size: options.ImageSize = None,
    force: options.Force = False,
) -> None:
    """Fit a model, and compare it with simple methods at the same task.

    The rows that are held out measure the model and the simple methods. With --time, the model fills gaps of series.

    Examples
    --------
    $ isthmus fit customers.csv --model vae --set n_components=4 --out vae.safetensors
    $ isthmus fit customers.csv --model auto --use impute --budget 60
    $ isthmus fit sensors.csv --time timestamp
    """
    from isthmus.cli.fitting import fit_file, fit_series
    from isthmus.cli.outputs import Output
    from isthmus.cli.runs import read_options

    run, output = read_options(model, condition=condition), Output(out, force)
    if not time:
        fit_file(data, run, output, choice, model.config, checkpoint, workers, size)
    elif checkpoint or workers or size or choice.use or choice.budget:
        refused = "--checkpoint, --workers, --size, --use or --budget"
        raise ValueError(f"--time fits an imputer of series, which takes no {refused}")
    else:
        fit_series(data, run, output, time, model.config)


def tune(
    data: options.Data,
    model: options.ModelOptions,
    search: TuneOptions,
    condition: options.Label = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Model file to write.  [default: DATA's name, .safetensors]", callback=check_output(*MODEL)),
    ] = None,
    size: options.ImageSize = None,
    force: options.Force = False,
) -> None:
    """Search for better parameters of a model, and fit it with them; needs isthmus[tuning].

    The default is judged beside the best trial, on rows that neither of them has seen.

    Examples
    --------
    $ isthmus tune customers.csv --model vae --time 10m --study study.db --out tuned.safetensors
    """
    from isthmus.cli.outputs import Output
    from isthmus.cli.runs import read_options
    from isthmus.cli.tuning import tune_file

    tune_file(data, read_options(model, condition=condition), Output(out, force), search, model.config, size)


def transform(model: options.Model, data: options.Data, to: options.OutputOptions) -> None:
    """Write the codes of rows.

    The file has one row for each input row, and one column for each component.

    Examples
    --------
    $ isthmus transform vae.safetensors customers.csv --out codes.csv
    """
    from isthmus.cli import inference

    inference.transform(model, data, to.output)


def reconstruct(model: options.Model, data: options.Data, to: options.FileOrFolder) -> None:
    """Write reconstructions of rows, with missing values imputed.

    The file has the columns that the model was fitted to.

    Examples
    --------
    $ isthmus reconstruct vae.safetensors customers.csv --out rebuilt.csv
    """
    from isthmus.cli import inference

    inference.reconstruct(model, data, to.output)


def impute(
    model: options.Model,
    data: options.Data,
    to: options.FileOrFolder,
    draws: Annotated[
        int, typer.Option(help="Number of random imputations to write, one file each; 0 writes expected values.", min=0)
    ] = 0,
    intervals: Annotated[
        bool, typer.Option("--intervals", help="Write beside each filled column how certain its filled cells are.")
    ] = False,
    seed: options.ModelSeed = None,
) -> None:
    """Fill missing values, and leave all other values unchanged.

    Several random imputations, with --intervals or --draws, show how uncertain the filled values are.

    Examples
    --------
    $ isthmus impute vae.safetensors customers.csv --intervals --out filled.csv
    $ isthmus impute vae.safetensors customers.csv --draws 5 --seed 0 --out draw.csv
    """
    from isthmus.cli import inference

    inference.impute(model, data, to.output, draws, seed, intervals)


def score(
    model: options.Model,
    data: options.Data,
    to: options.OutputOptions,
    draws: Annotated[
        int, typer.Option(help="Codes drawn per row for the importance-weighted bound; 0 uses the mean code.", min=0)
    ] = 0,
    contributions: Annotated[
        bool, typer.Option("--contributions", help="Write the contribution of each column to the score.")
    ] = False,
) -> None:
    """Write the scores of rows; higher is more normal. A detector adds p-values and decisions.

    For a series, the times are written too, and the points of the events that detect finds are the anomalies.

    Examples
    --------
    $ isthmus score vae.safetensors customers.csv --out scores.csv
    $ isthmus score detector.safetensors today.csv --out decisions.csv
    """
    from isthmus.cli import inference

    write = inference.contributions if contributions else inference.score
    write(model, data, to.output, draws)


def detect(
    data: Annotated[
        Path, typer.Argument(help="File of rows, or folder of images, to search for anomalies.", callback=check_input)
    ],
    detection: DetectOptions,
    model: options.ModelOptions,
    to: options.AlarmsFile,
) -> None:
    """Find anomalies among rows or images or in a series, with a known rate of false alarms.

    Give --normal rows that are known to be normal. Without it, the rows themselves are learned from, each by models
    that have not seen it, and anomalies among them make the detector less sensitive.

    Examples
    --------
    $ isthmus detect today.csv --normal last-month.csv --top 5 --save detector.safetensors
    $ isthmus detect sensors.csv --normal sensors-2023.csv --time timestamp --out events.csv
    """
    are_images = holds_images(data)
    check_data(detection, data, are_images)

    from isthmus.cli.detecting import Request, detect_file
    from isthmus.cli.detecting_images import detect_images

    detect_in = detect_images if are_images else detect_file
    n_alarms = detect_in(data, Request.of(detection, model), to.output)
    if detection.exit_code and n_alarms:
        raise typer.Exit(ALARMS)


def sample(
    model: options.Model,
    to: options.FileOrFolder,
    n: Annotated[int, typer.Option("-n", help="Number of rows.", min=1)] = 100,
    condition: Annotated[
        str | None, typer.Option(metavar="VALUE", help="Label of the new rows, for a conditional model.")
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="Value of a column in every new row, such as sex=F; repeatable."),
    ] = None,
    complete: Annotated[
        bool, typer.Option("--complete", help="Write no missing values.  [default: as frequent as in fit]")
    ] = False,
    seed: options.ModelSeed = None,
) -> None:
    """Write new rows.

    The columns, their order and their types are those of the rows of fit.

    Examples
    --------
    $ isthmus sample vae.safetensors -n 1000 --seed 0 --out new.csv
    $ isthmus sample vae.safetensors -n 100 --given sex=F --out women.csv
    """
    from isthmus.cli import inference

    inference.sample(model, n, to.output, condition, given or [], seed, not complete)


def export(
    model: options.Model,
    to: Annotated[
        Path, typer.Option(help="Program to write: .onnx, or .pt2 for torch.", callback=check_output(*PROGRAMS))
    ],
    part: Annotated[
        str | None,
        typer.Option(
            help="encoder, decoder, reconstruct, score or detect.  [default: detect for a detector, reconstruct for an "
            "autoencoder]"
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Rows to compare the program with the model on.  [default: rows of the model]",
            callback=check_input,
        ),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="float16 or int8, which store the weights in a smaller file.  [default: that of the model]"),
    ] = None,
    max_error: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="With --precision: largest mean difference, relative to the scale, and largest share of decisions "
            "that differ.",
        ),
    ] = 0.1,
    force: options.Force = False,
) -> None:
    """Export a part of a model for other software, if the program computes what the model does.

    The program contains the preparation of the rows. It is written only if it agrees with the model on all
    compared rows.

    Examples
    --------
    $ isthmus export vae.safetensors --to encoder.onnx --part encoder --data customers.csv
    """
    from isthmus.cli.exporting import export_file
    from isthmus.cli.outputs import Output

    export_file(model, part, data, Output(to, force), precision, max_error)


def report(
    model: options.Model,
    data: options.Data,
    train: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Rows of fit, to which methods for comparison are fitted.  [default: one half of DATA for the other]",
            callback=check_input,
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Column of DATA with classes; for a detector, 1 for normal and -1 for anomaly."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Page to write.  [default: DATA's name, .report.html]", callback=check_output(".html")
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Write the numbers beside the page, as .json.")] = False,
    card: Annotated[bool, typer.Option("--card", help="Write a model card beside the page, as .md.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of all random numbers.", min=0)] = 0,
    force: options.Force = False,
) -> None:
    """Report on a model: how good it is, compared with what, and where it must not be used.

    The page has no scripts and needs no network.

    Examples
    --------
    $ isthmus report vae.safetensors customers.csv --out report.html --card
    """
    from isthmus.cli.outputs import Output
    from isthmus.cli.reporting import report_file

    endings = [ending for ending, wanted in ((".json", json), (".md", card)) if wanted]
    report_file(model, data, train, label, seed, Output(out, force), endings)


def info(model: options.Model) -> None:
    """Show the contents of a model file.

    No rows are needed. Parameters, columns, training and versions are shown.

    Examples
    --------
    $ isthmus info vae.safetensors
    """
    from isthmus.cli.describing import describe

    typer.echo(describe(model))


def zoo() -> None:
    """List the variants.

    Each name can be given to --model of fit, tune, doctor and detect.

    Examples
    --------
    $ isthmus zoo
    """
    from isthmus.cli.describing import list_variants

    summaries = list_variants()
    width = max(map(len, summaries))
    for name, summary in summaries.items():
        typer.echo(f"{name:{width}}  {summary}")


READING_DATA: tuple[Callable[..., None], ...] = (
    fit,
    tune,
    transform,
    reconstruct,
    impute,
    score,
    detect,
    export,
    report,
)
OTHERS: tuple[Callable[..., None], ...] = (sample, info, zoo)
