"""The commands that use a model, with their options; their work is in ``using``, and in ``pictures`` for images."""

from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from isthmus.cli.options import Data, EscapeFormulas, Force, Model, Out, OutOrFolder
from isthmus.cli.reading import reads_files


def _work_on(data: Path) -> ModuleType:
    """Import the module that works on rows, or that on folders of images."""
    from isthmus.cli import pictures, using
    from isthmus.cli.streaming import holds_images

    return pictures if holds_images(data) else using


@reads_files
def transform(
    model: Model, data: Data, out: Out = None, force: Force = False, escape_formulas: EscapeFormulas = False
) -> None:
    """Write the codes of rows."""
    from isthmus.cli.outputs import Output

    _work_on(data).transform(model, data, Output(out, force, escape_formulas))


@reads_files
def reconstruct(
    model: Model, data: Data, out: OutOrFolder = None, force: Force = False, escape_formulas: EscapeFormulas = False
) -> None:
    """Write rows rebuilt from their codes, missing values filled."""
    from isthmus.cli.outputs import Output

    _work_on(data).reconstruct(model, data, Output(out, force, escape_formulas))


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
    from isthmus.cli.outputs import Output

    _work_on(data).impute(model, data, Output(out, force, escape_formulas), draws, seed)


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
    from isthmus.cli.outputs import Output

    work = _work_on(data)
    write = work.contributions if contributions else work.score
    write(model, data, Output(out, force, escape_formulas), draws)


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
    from isthmus.cli import using
    from isthmus.cli.outputs import Output

    using.sample(model, n, Output(out, force, escape_formulas), condition, given or [], seed, not complete)
