"""The options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from isthmus.cli.paths import (
    MODEL,
    PICTURES,
    WRITTEN,
    WRITTEN_TABLES,
    check_config,
    check_input,
    check_model,
    check_output,
    check_output_or_folder,
)

Data = Annotated[
    Path,
    typer.Argument(
        help="File of rows: .csv, .tsv, .parquet, .npy, .npz, .feather, .arrow, .jsonl or .xlsx, also packed as .gz or "
        ".zip; or a folder or quoted pattern of Parquet files; or a folder of images.",
        callback=check_input,
    ),
]
Model = Annotated[Path, typer.Argument(help="Model file that fit wrote.", callback=check_model)]
Variant = Annotated[str | None, typer.Option(help="Variant, one of those that zoo lists.  [default: autoencoder]")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Parameter, such as n_components=8 or bottleneck.beta=4; repeatable."
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(help="Run file, JSON with model, set and seed; options take precedence.", callback=check_config),
]
Columns = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Column to use; repeatable.  [default: all]")]
Without = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Column to leave out; repeatable.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=KIND",
        help="Kind of a column: real, positive, count, binary, category, ordered or date; or identifier, constant or "
        "text, which leave the column out; repeatable.  [default: inferred from its values]",
    ),
]
Times = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Column of times: rows are the time points of a series. Repeat it for a date in parts, such as "
        "--time year --time month --time day --time hour.",
    ),
]
Label = Annotated[str | None, typer.Option(metavar="NAME", help="Column of labels for a conditional model.")]
Out = Annotated[
    Path | None, typer.Option(help="File to write; its suffix determines the format.", callback=check_output(*WRITTEN))
]
OutOrFolder = Annotated[
    Path | None,
    typer.Option(help="File to write, or folder for images.", callback=check_output_or_folder(*WRITTEN)),
]
ImageSize = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        help="Height and width to resize images of a folder to.  [default: their own if equal, at most 64x64]",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
EscapeFormulas = Annotated[
    bool,
    typer.Option("--escape-formulas", help="Write text cells such as =1+1 so that spreadsheets do not compute them."),
]
Prepared = Annotated[
    Path,
    typer.Argument(
        metavar="OUT",
        help="Table to write; OUT's name with .train, .valid, .test and .report.json is written too.",
        callback=check_output(*WRITTEN_TABLES),
    ),
]
DayFirst = Annotated[
    bool | None,
    typer.Option("--day-first/--month-first", help="How to read 1/2/2020.  [default: inferred from the column]"),
]
Limits = Annotated[
    list[str] | None, typer.Option(metavar="NAME=LOW:HIGH", help="Possible values, such as age=0:120; repeatable.")
]
SplitColumn = Annotated[
    str | None, typer.Option(metavar="NAME", help="Column of classes, groups or times to split by.")
]

Seed = Annotated[int | None, typer.Option(help="Seed of all random numbers.  [default: 0]")]
Normal = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Normal rows to learn from.  [default: DATA itself]", callback=check_input),
]
DetectorFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Detector that --save wrote, to use without fitting.  [default: fit a new one]",
        callback=check_model,
    ),
]
Alarms = Annotated[
    Path | None,
    typer.Option(
        help="File of alarms to write.  [default: DATA's name, .alarms]", callback=check_output(*WRITTEN_TABLES)
    ),
]
EventPlot = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Picture to write of a series and its events: .png, .svg or .pdf.",
        callback=check_output(*PICTURES),
    ),
]
SavedDetector = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Detector file to write, .safetensors.", callback=check_output(*MODEL)),
]
