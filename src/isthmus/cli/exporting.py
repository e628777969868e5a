"""``isthmus export``: writes a part of a model as a program for other software."""

from pathlib import Path
from typing import cast

from isthmus.cli.inference import open_rows
from isthmus.cli.models import load_for
from isthmus.cli.outputs import Output
from isthmus.cli.paths import PROGRAMS
from isthmus.decoder import Decoder
from isthmus.exporting import export
from isthmus.exporting.certified import ENDING


def export_file(
    model: Path, part: str | None, data: Path | None, output: Output, precision: str | None, max_error: float
) -> None:
    """Write a program and its certificate, and print what was compared.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read or written, the model has no such part, or the program differs from the model.
    """
    path = cast(Path, output.path)
    output.check([path], [model, data], PROGRAMS)
    output.check([path.with_suffix(ENDING)], [model, data], (".json",))
    estimator = load_for("export", model)
    rows = None if data is None or isinstance(estimator, Decoder) else open_rows(data).read(estimator)
    certificate = export(estimator, path, part, rows, precision=precision, max_error=max_error)
    print(f"wrote {path}: {certificate}")
