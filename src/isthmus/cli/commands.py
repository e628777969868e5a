"""What every command does first, before torch is imported: it names the files that it reads."""

from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from isthmus.cli.progress import hint, say

# Parameters that name a file to read; that it is there is checked by the callbacks in cli/paths.py.
INPUTS = ("config", "data", "detector", "holdout", "model", "normal", "real", "synthetic", "test")
# Commands that print a document, which nothing is put before.
DOCUMENTS = ("doctor", "info", "look", "quality")


class Command(TyperCommand):
    """A command that reads files."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        inputs = [str(value) for name, value in ctx.params.items() if name in INPUTS and isinstance(value, Path)]
        if inputs:
            announce = hint if self.name in DOCUMENTS else say
            announce(f"reading {', '.join(inputs)}")
        return super().invoke(ctx)
