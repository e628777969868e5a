"""Lines that say what a command is about to do, so that no command is silent for long."""

import sys


def say(step: str) -> None:
    """Print a line on standard output at once, also into a pipe."""
    print(step, flush=True)


def hint(step: str) -> None:
    """Print a line on standard error if somebody is watching: standard output is for the document alone."""
    if sys.stderr.isatty():
        print(step, file=sys.stderr, flush=True)
