"""The command line: ``isthmus``, or ``python -m isthmus``."""

import warnings

from isthmus.cli.app import app
from isthmus.cli.errors import show_warning


def main() -> None:
    """Run the command line and leave with its exit code."""
    warnings.showwarning = show_warning
    # Wherever in the source it arises.
    warnings.simplefilter("once", UserWarning)
    app(prog_name="isthmus")


if __name__ == "__main__":
    main()
