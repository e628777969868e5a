"""The writer of the model card: Markdown with the sections of Hugging Face.

References
----------
Mitchell et al., Model cards for model reporting, FAT* 2019, arXiv:1810.03993.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from isthmus.reporting.blocks import Block, Code, Facts, Section, Table, Text
from isthmus.reporting.texts import is_numeric, show, show_column

# Sections of a card, and the sections of a report that they contain.
PARTS = {
    "Model details": ("composition", "training"),
    "Training and evaluation data": ("data", "shift"),
    "Quantitative analysis": None,
    "Considerations": ("findings", "limits"),
    "How to repeat this report": ("repetition",),
}
# Rows of a table in a card.
N_ROWS = 30
# Characters with a meaning in Markdown or HTML.
SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#$~&])")


def write_card(report: Any) -> str:
    """Return a report as a model card: Markdown with a YAML header, without pictures."""
    listed = {name for names in PARTS.values() for name in names or ()} | {"verdict"}
    by_name = {section.name: section for section in report.sections}
    others = [name for name in by_name if name not in listed]
    lines = ["---", "library_name: isthmus", "tags:", "- autoencoder", "---", "", f"# {escape(report.title)}", ""]
    lines += [escape(report.subtitle), "", *_show(by_name["verdict"].blocks)]
    for title, names in PARTS.items():
        sections = [by_name[name] for name in (names or others) if name in by_name]
        lines += [f"## {title}", "", *_list(sections)] if sections else []
    return "\n".join(lines)


def escape(text: Any) -> str:
    r"""Return text whose characters have no meaning in Markdown.

    Examples
    --------
    >>> from isthmus.reporting.card import escape
    >>> print(escape("<b> a|b"))
    \<b\> a\|b
    """
    return SPECIAL.sub(r"\\\1", " ".join(str(text).split()))


def _list(sections: Iterable[Section]) -> Iterator[str]:
    for section in sections:
        yield from (f"### {escape(section.title)}", "", escape(section.lead), "")
        yield from _show(section.blocks)


def _show(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, Text):
            yield from (escape(block.text), "")
        elif isinstance(block, Facts):
            yield from (f"- {escape(name)}: {escape(show(value))}" for name, value in block.facts.items())
            yield ""
        elif isinstance(block, Table):
            yield from _show_table(block)
        elif isinstance(block, Code):
            yield from (f"{escape(block.caption)}:", "", *(f"    {line}" for line in block.code.splitlines()), "")


def _show_table(table: Table) -> Iterator[str]:
    yield from (f"{escape(table.caption)}:", "")
    columns = list(zip(*table.rows[:N_ROWS], strict=True))
    yield _join(table.columns)
    yield _join(["---:" if is_numeric(column) else "---" for column in columns], escape=str)
    yield from map(_join, zip(*map(show_column, columns), strict=True))
    n_left = len(table.rows) - N_ROWS
    yield from (["", f"and {n_left} more", ""] if n_left > 0 else [""])


def _join(cells: Iterable[Any], escape: Any = escape) -> str:
    return f"| {' | '.join(escape(cell) for cell in cells)} |"
