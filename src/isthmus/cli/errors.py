"""How the command line speaks of trouble: one sentence and exit code 2 for what the user can mend."""

from functools import cache
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
        except (ValueError, TypeError, OSError, ImportError, MemoryError) as error:
            _say(str(error) or "there is not enough memory")
            raise typer.Exit(USAGE) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, and refuse a single value that is given twice: the last would win without a word."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            _check_repeated(command, ctx, rest)
        return name, command, rest


def _check_repeated(command: Any, ctx: Any, args: list[str]) -> None:
    with command.context_class(command, parent=ctx, resilient_parsing=True) as own:
        given = command.make_parser(own).parse_args(list(args))[2]
    for option in given:
        single = option.param_type_name == "option" and not option.multiple and not option.is_flag
        if single and given.count(option) > 1:
            raise ValueError(f"{option.opts[0]} takes one value, but is given {given.count(option)} times")


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning as a sentence, once: where in the source it arose tells the user nothing."""
    _say_once(str(message))


# Python forgets which warnings it has shown whenever a library changes the filters.
@cache
def _say_once(sentence: str) -> None:
    _say(sentence)


def _say(message: object) -> None:
    typer.echo(f"isthmus: {' '.join(str(message).split())}", err=True)
