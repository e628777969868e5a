"""What every command does first: it says what it reads, before torch is imported, which takes seconds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.core import TyperCommand

from isthmus.cli.progress import hint, say

# Parameters that name a file to read.
INPUTS = ("config", "data", "detector", "holdout", "model", "normal", "real", "synthetic", "test")
# Commands that print a document, which nothing is put before.
DOCUMENTS = ("doctor", "info", "look", "quality")


class Command(TyperCommand):
    """A command that reads files."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        inputs = list(_inputs(ctx.params))
        if inputs and all(path.exists() for path in inputs):
            announce = hint if self.name in DOCUMENTS else say
            announce(f"reading {', '.join(map(str, inputs))}")
        return super().invoke(ctx)


def _inputs(parameters: dict[str, Any]) -> Iterator[Path]:
    return (value for name, value in parameters.items() if name in INPUTS and isinstance(value, Path))
