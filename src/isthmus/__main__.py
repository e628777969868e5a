"""The command line: ``isthmus``, or ``python -m isthmus``."""

import sys
import warnings
from io import TextIOWrapper

from isthmus.cli.app import app
from isthmus.cli.errors import show_warning


def main() -> None:
    """Run the command line and exit with its exit code."""
    warnings.showwarning = show_warning
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may have bytes that are not text
    # Show each message once, even if several lines raise it.
    warnings.simplefilter("once", UserWarning)
    app(prog_name="isthmus")


if __name__ == "__main__":
    main()
