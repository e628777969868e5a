"""The program ``isthmus``: its commands are in ``data_commands`` and ``model_commands``."""

from typing import Annotated

import typer

import isthmus
from isthmus.cli import data_commands, model_commands
from isthmus.cli.commands import Command, expand_groups
from isthmus.cli.errors import Commands
from isthmus.cli.options import Dialect

HELP = """Autoencoders for data files: CSV, TSV, Parquet, NPY, NPZ, Feather, Arrow, JSON Lines and Excel.

No command replaces an existing file without --force. The exit code is 0 for success, 2 for a mistake in the command or
in a file, and 70 for a fault of the program.

\b
Examples:
$ isthmus look customers.csv
$ isthmus fit customers.csv --model vae --out vae.safetensors
$ isthmus transform vae.safetensors customers.csv --out codes.csv
"""

app = typer.Typer(
    cls=Commands,
    help=HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Formatted help imports rich first, which takes time.
    rich_markup_mode=None,
)


def _show_version(requested: bool) -> None:
    if requested:
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


for _command in (*data_commands.COMMANDS, *model_commands.READING_DATA):
    app.command(cls=Command)(expand_groups(_command, Dialect))
for _command in model_commands.OTHERS:
    app.command(cls=Command)(expand_groups(_command))
