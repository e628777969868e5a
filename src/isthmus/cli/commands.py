"""The first line of every command: it names the files that it reads, before torch is imported."""

from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from isthmus.cli.progress import hint, say

# Parameters that name a file to read, whose existence the callbacks in cli/paths.py check.
INPUTS = ("config", "data", "detector", "holdout", "model", "normal", "real", "synthetic", "test")
# Commands whose standard output is a document, which nothing else is added to.
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
