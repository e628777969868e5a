"""How the command line speaks of trouble: one sentence and exit code 2 for what the user can mend."""

from typing import Any, TextIO

import typer
from typer.core import TyperGroup

USAGE = 2
INTERRUPTED = 130


class Commands(TyperGroup):
    """Commands whose user errors become one sentence. Exceptions of other types are bugs and keep their traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except (ValueError, TypeError, OSError, ImportError) as error:
            _say(error)
            raise typer.Exit(USAGE) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning as a sentence: where in the source it arose tells the user nothing."""
    _say(message)


def _say(message: object) -> None:
    typer.echo(f"isthmus: {' '.join(str(message).split())}", err=True)
