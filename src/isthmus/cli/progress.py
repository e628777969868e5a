"""Lines of progress, so that no command is silent for long."""

import sys


def say(step: str) -> None:
    """Print a line on standard output immediately, even into a pipe."""
    print(step, flush=True)


def hint(step: str) -> None:
    """Print a line on standard error if it is a terminal; standard output has the document only."""
    if sys.stderr.isatty():
        print(step, file=sys.stderr, flush=True)
