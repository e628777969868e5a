"""Options of the commands: those that several commands share, and groups of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from isthmus.cli.paths import (
    WRITTEN,
    WRITTEN_TABLES,
    check_config,
    check_input,
    check_model,
    check_output,
)

if TYPE_CHECKING:
    from isthmus.cli.outputs import Output

# Value of --model that chooses a variant.
AUTO = "auto"

Data = Annotated[
    Path,
    typer.Argument(
        help="File of rows: .csv, .tsv, .parquet, .npy, .npz, .feather, .arrow, .jsonl or .xlsx, also packed as .gz or "
        ".zip; or a folder or quoted pattern of Parquet files; or a folder of images.",
        callback=check_input,
    ),
]
Model = Annotated[Path, typer.Argument(help="Model file that fit wrote.", callback=check_model)]
Label = Annotated[str | None, typer.Option(metavar="NAME", help="Column of labels, for a conditional model.")]
Times = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Column of times; the rows are then the time points of a series. Repeat the option for a date in parts, "
        "such as --time year --time month --time day --time hour.",
    ),
]
Without = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Column to leave out; repeatable.")]
Prepared = Annotated[
    Path,
    typer.Argument(
        metavar="OUT",
        help="Table to write; files with the same name and .train, .valid, .test and .report.json are written too.",
        callback=check_output(*WRITTEN_TABLES),
    ),
]
ImageSize = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        help="Height and width to which the images of a folder are resized.  [default: their own size if all have the "
        "same, and at most 64x64]",
    ),
]
ModelSeed = Annotated[int | None, typer.Option(help="Seed of the random numbers.  [default: the model's]", min=0)]
Force = Annotated[bool, typer.Option("--force", help="Replace existing files.")]
EscapeFormulas = Annotated[
    bool,
    typer.Option("--escape-formulas", help="Write text cells such as =1+1 so that spreadsheets do not compute them."),
]


@dataclass(frozen=True)
class Dialect:
    """How text files are written; every option that is not given is inferred from the file."""

    delimiter: Annotated[str | None, typer.Option(metavar="CHAR", help="Separator of the cells of text files.")] = None
    decimal: Annotated[str | None, typer.Option(metavar="CHAR", help="Decimal mark of text files: . or ,")] = None
    encoding: Annotated[str | None, typer.Option(help="Encoding of text files, such as latin-1.")] = None
    header: Annotated[
        bool | None,
        typer.Option("--header/--no-header", help="Whether the first row of text files contains the column names."),
    ] = None
    missing: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="Text that means a missing value, in addition to NA, ? and similar words; repeatable."
        ),
    ] = None
    not_missing: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT", help="Text that is a value although it usually means missing, such as NA; repeatable."
        ),
    ] = None


@dataclass(frozen=True)
class OutputOptions:
    """A file to write."""

    out: Annotated[
        Path | None,
        typer.Option(
            help="File to write; its suffix determines the format. CSV is written with commas.",
            callback=check_output(*WRITTEN),
        ),
    ] = None
    force: Force = False
    escape_formulas: EscapeFormulas = False

    @property
    def output(self) -> "Output":
        """The output; its module is not imported before."""
        from isthmus.cli.outputs import Output

        return Output(self.out, self.force, self.escape_formulas)


@dataclass(frozen=True)
class FileOrFolder(OutputOptions):
    """A file to write, or a folder for images."""

    out: Annotated[
        Path | None,
        typer.Option(help="File to write, or folder for images.", callback=check_output(*WRITTEN, or_folder=True)),
    ] = None


@dataclass(frozen=True)
class AlarmsFile(OutputOptions):
    """A file of alarms to write."""

    out: Annotated[
        Path | None,
        typer.Option(
            help="File of alarms to write.  [default: DATA's name, .alarms]", callback=check_output(*WRITTEN_TABLES)
        ),
    ] = None


@dataclass(frozen=True)
class ColumnOptions:
    """Columns to use, and their kinds."""

    columns: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Column to use; repeatable.  [default: all]")
    ] = None
    without: Without = None
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=KIND",
            help="Kind of a column: real, positive, count, binary, category, ordered or date; or identifier, constant "
            "or text, which leave the column out; repeatable. Ordered columns are learned like categories; ranks "
            "whose distance matters are better numbers.  [default: inferred from its values]",
        ),
    ] = None


@dataclass(frozen=True)
class ModelOptions(ColumnOptions):
    """A model to fit."""

    model: Annotated[
        str | None,
        typer.Option(
            help="Variant; isthmus zoo lists them, and fit takes auto to choose one.  [default: autoencoder; detect "
            "chooses a model for the data]"
        ),
    ] = None
    setting: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Parameter, such as n_components=8 or bottleneck.beta=4; repeatable."
        ),
    ] = None
    config: Annotated[
        Path | None,
        typer.Option(
            help="Run file: JSON with model, set, seed and others; options take precedence.", callback=check_config
        ),
    ] = None
    seed: Annotated[int | None, typer.Option(help="Seed of all random numbers.  [default: 0]", min=0)] = None


@dataclass(frozen=True)
class ChoiceOptions:
    """How ``--model auto`` chooses a variant."""

    use: Annotated[
        str | None,
        typer.Option(
            help="With --model auto, what the model is for: reduce, features, impute, generate or topics.  [default: "
            "reduce; generate with --condition]"
        ),
    ] = None
    budget: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="With --model auto, time in which all suitable variants are fitted, to choose the one that is best "
            "on held-out rows.  [default: choose by the kind of data, without fits]",
        ),
    ] = None


@dataclass(frozen=True)
class PrepareOptions:
    """The options of ``isthmus.preparing.prepare``, by the same names."""

    day_first: Annotated[
        bool | None,
        typer.Option("--day-first/--month-first", help="How to read 1/2/2020.  [default: inferred from the column]"),
    ] = None
    limits: Annotated[
        list[str] | None, typer.Option(metavar="NAME=LOW:HIGH", help="Possible values, such as age=0:120; repeatable.")
    ] = None
    sentinels: Annotated[str, typer.Option(help="Codes such as 0 or -999: report, missing or keep.")] = "report"
    duplicates: Annotated[str, typer.Option(help="Repeated rows: remove, report or keep.")] = "remove"
    constants: Annotated[str, typer.Option(help="Columns with one value: remove, report or keep.")] = "remove"
    outliers: Annotated[str, typer.Option(help="Rows far from all others: report, remove or keep.")] = "report"
    outlier_method: Annotated[str, typer.Option(help="robust_z or isolation.")] = "robust_z"
    scaling: Annotated[str | None, typer.Option(help="standard, robust, range or auto.  [default: none]")] = None
    split: Annotated[str, typer.Option(help="Shares of training, validation and test.")] = "0.7,0.15,0.15"
    split_by: Annotated[str, typer.Option(help="random, stratified, grouped or time.")] = "random"
    split_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Column of classes, groups or times to split by.")
    ] = None
    seed: Annotated[int, typer.Option(help="Seed of the split.", min=0)] = 0
