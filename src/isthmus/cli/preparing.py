"""``isthmus prepare``: a table is repaired, cleaned and split; all results are written or none."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from isthmus.cli.examining import show_overview
from isthmus.cli.options import PrepareOptions
from isthmus.cli.outputs import Output
from isthmus.cli.reading import missing_words, read
from isthmus.data.files import KINDS, as_table
from isthmus.doctor import summarize
from isthmus.preparing import Options, Prepared, prepare
from isthmus.storage import replacing

TABLES = [suffix for suffix, kind in KINDS.items() if kind.tabular]


def prepare_file(data: Path, out: Path, options: PrepareOptions, output: Output, report: bool) -> None:
    """Prepare a table, write all results, and print what was done, in one line or as a full report.

    Raises
    ------
    OSError, ValueError
        If a file cannot be read or written, or an option is not valid.
    """
    *tables, document = (out, *beside(out).values())
    output.check(tables, [data], TABLES)
    output.check([document], [data], [".json"])
    values = {**asdict(options), "limits": parse_limits(options.limits or []), "split": parse_shares(options.split)}
    seed = values.pop("seed")
    Options.from_keywords(values).check_values()
    # Unusual notations stay text, so that they are repaired and reported.
    table = as_table(read(data, plain_notation=True, missing=()))
    prepared = prepare(table, missing=missing_words(), random_state=seed, **values)
    _write(prepared, output.write_like(data), out)
    print(prepared if report else prepared.summary)
    if report:
        print()
        show_overview(summarize(prepared.frame))
    print(f"wrote {out} and beside it {', '.join(path.name for path in beside(out).values())}")


def beside(out: Path) -> dict[str, Path]:
    """Return the files that are written beside a table: its parts and the report."""
    parts = {part: out.with_name(f"{out.stem}.{part}{out.suffix}") for part in ("train", "valid", "test")}
    return {**parts, "report": out.with_name(f"{out.stem}.report.json")}


def _write(prepared: Prepared, output: Output, out: Path) -> None:
    """Write a table, its parts and the report; existing files are replaced after all are written."""
    parts = beside(out)
    with replacing(parts.pop("report")) as report:
        report.write(prepared.to_json().encode())
        output.write({out: prepared.frame, **{path: getattr(prepared, part) for part, path in parts.items()}})


def parse_limits(texts: Sequence[str]) -> dict[str, tuple[float | None, float | None]]:
    """Parse limits such as ``age=0:120``, ``age=0:`` and ``age=:120``.

    Raises
    ------
    ValueError
        If one has another form.
    """
    limits = {}
    for text in texts:
        name, equals, bounds = text.rpartition("=")
        lowest, colon, highest = bounds.partition(":")
        try:
            if not (name and equals and colon):
                raise ValueError
            limits[name] = (float(lowest) if lowest else None, float(highest) if highest else None)
        except ValueError as error:
            raise ValueError(f"--limits must be NAME=LOW:HIGH, such as age=0:120, got {text!r}") from error
    return limits


def parse_shares(text: str) -> tuple[float, float, float]:
    """Parse shares such as ``0.7,0.15,0.15``.

    Raises
    ------
    ValueError
        If they are not three numbers.
    """
    try:
        train, valid, test = (float(share) for share in text.split(","))
    except ValueError as error:
        raise ValueError(f"--split must be three numbers such as 0.7,0.15,0.15, got {text!r}") from error
    return train, valid, test
