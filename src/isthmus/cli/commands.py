"""What every command does first, before torch is imported: it checks that its files are there, and names them."""

from collections.abc import Iterator
from glob import has_magic
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from isthmus.cli.progress import hint, say

# Parameters that name a file to read, with what the file is called when it is not there.
INPUTS = {
    "config": "run file",
    "data": "file",
    "detector": "model file",
    "holdout": "file",
    "model": "model file",
    "normal": "file",
    "real": "file",
    "synthetic": "file",
    "test": "file",
}
# Commands that print a document, which nothing is put before.
DOCUMENTS = ("doctor", "info", "look", "quality")


class Command(TyperCommand):
    """A command that reads files."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises
        ------
        FileNotFoundError
            If a file that the command reads is not there. Importing torch before takes seconds.
        """
        inputs = dict(_inputs(ctx.params))
        for name, path in inputs.items():
            if not path.exists() and not has_magic(str(path)):
                raise FileNotFoundError(f"there is no {INPUTS[name]} {str(path)!r}")
        if inputs:
            announce = hint if self.name in DOCUMENTS else say
            announce(f"reading {', '.join(map(str, inputs.values()))}")
        return super().invoke(ctx)


def _inputs(parameters: dict[str, Any]) -> Iterator[tuple[str, Path]]:
    return ((name, value) for name, value in parameters.items() if name in INPUTS and isinstance(value, Path))
