"""Errors at the command line: one sentence, and an exit code that distinguishes wrong use from internal errors."""

import traceback
from functools import cache
from typing import Any

import typer
from typer.core import TyperGroup

from isthmus.errors import is_out_of_memory

# Exit codes: wrong use, as click and argparse have it; a fault of the program (EX_SOFTWARE of sysexits.h); Ctrl-C, 128
# plus the number of the signal.
USAGE, INTERNAL, INTERRUPTED = 2, 70, 130
# Errors that a user can correct. Any other error is a fault of the program.
USER_ERRORS = (ValueError, OSError, ImportError)


class Commands(TyperGroup):
    """Commands that report every error in one sentence."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error
        except Exception as error:
            if type(error).__module__.partition(".")[0] in ("click", "typer"):
                raise  # usage errors and exits, which typer handles
            if ctx.params.get("debug"):
                traceback.print_exception(error)
            raise typer.Exit(_report(error)) from error

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, and refuse an option that takes one value but is given several times."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None:
            _check_repeated(command, ctx, rest)
        return name, command, rest


def _report(error: Exception) -> int:
    """Print a sentence about an error, and return the exit code."""
    if is_out_of_memory(error):
        sentence = isinstance(error, MemoryError) and str(error)
        _print_error(sentence or f"there is not enough memory{f' ({error})' if str(error) else ''}")
        return USAGE
    if isinstance(error, USER_ERRORS):
        _print_error(error)
        return USAGE
    name = type(error).__name__
    _print_error(f"internal error, please report it; isthmus --debug shows the traceback ({name}: {error})")
    return INTERNAL


def _check_repeated(command: Any, ctx: Any, args: list[str]) -> None:
    with command.context_class(command, parent=ctx, resilient_parsing=True) as own:
        given = command.make_parser(own).parse_args(list(args))[2]
    for option in given:
        single = option.param_type_name == "option" and not option.multiple and not option.is_flag
        if single and given.count(option) > 1:
            raise ValueError(f"{option.opts[0]} takes one value, but is given {given.count(option)} times")


def show_warning(message: Warning | str, *_args: Any, **_options: Any) -> None:
    """Print a warning as a sentence, once, without the line of the source code that raised it."""
    _print_once(str(message))


# Python forgets which warnings it has shown whenever a library changes the filters.
@cache
def _print_once(sentence: str) -> None:
    _print_error(sentence)


def _print_error(message: object) -> None:
    typer.echo(f"isthmus: {' '.join(str(message).split())}", err=True)
