"""The function ``report``, and its result."""

import json
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

import isthmus
from isthmus.ambient import own_settings
from isthmus.errors import require_path
from isthmus.randomness import seed_of
from isthmus.reporting.blocks import Section
from isthmus.reporting.card import write_card
from isthmus.reporting.contents import make_sections
from isthmus.reporting.html import write_html
from isthmus.reporting.sections.introduction import describe_rows, describe_title
from isthmus.reporting.subject import make_subject
from isthmus.storage import replacing

ENDINGS = (".html", ".json", ".md")


@dataclass(frozen=True, repr=False)
class Report:
    """A report about a fitted model; see ``isthmus.report``.

    Parameters
    ----------
    title, subtitle : str
    sections : sequence of Section
    made : str
        Date and time (UTC).
    version : str
        Version of isthmus.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    made: str
    version: str = isthmus.__version__

    @property
    def verdict(self) -> list[str]:
        """The three sentences of the verdict."""
        return list(self.sections[0].values.values())

    def save(self, *paths: str | os.PathLike[str]) -> None:
        """Write the report to files, all of them or none.

        Parameters
        ----------
        *paths : str or path
            The ending of a path chooses what is written: ".html" for the page, ".json" for its numbers, ".md" for the
            model card.

        Raises
        ------
        OSError
            If a file cannot be written.
        ValueError
            If a path has another ending.
        """
        for path in paths:
            require_path("path", path)
            if Path(path).suffix.lower() not in ENDINGS:
                raise ValueError(f"path must end in one of {list(ENDINGS)}, got {str(path)!r}")
        texts = {path: self._write(Path(path).suffix.lower()) for path in paths}
        with ExitStack() as files:
            for path, text in texts.items():
                files.enter_context(replacing(path)).write(text.encode())

    def to_html(self) -> str:
        """Return one HTML page, which needs no other file and no network."""
        return write_html(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers of all sections as plain values for JSON; numbers that are not finite are None."""
        sections = {section.name: {"lead": section.lead, **section.values} for section in self.sections}
        document: dict[str, Any] = make_plain(
            {
                "title": self.title,
                "subtitle": self.subtitle,
                "made": self.made,
                "isthmus": self.version,
                "sections": sections,
            }
        )
        return document

    def card(self) -> str:
        """Return a model card as Markdown, with the sections of Hugging Face."""
        return write_card(self)

    def __repr__(self) -> str:
        return f"Report({self.title!r}, sections={[section.name for section in self.sections]})"

    def _repr_html_(self) -> str:
        """Show the page in a notebook, in a frame that has its own styles."""
        page = escape(self.to_html(), quote=True)
        return (
            f'<iframe title="{escape(self.title)}" srcdoc="{page}" style="width:100%;height:45rem;border:0"></iframe>'
        )

    def _write(self, ending: str) -> str:
        if ending == ".html":
            return self.to_html()
        return self.card() if ending == ".md" else json.dumps(self.to_dict(), indent=2, allow_nan=False)


@own_settings()
def report(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    train: Any = None,
    held_out: Any = None,
    columns: Sequence[str] | None = None,
    random_state: Any = 0,
    command: str = "",
    files: Mapping[str, str | os.PathLike[str]] | None = None,
) -> Report:
    """Report on a fitted model: how good it is, compared with what, on which data, and where it must not be used.

    Of more than 10,000 rows, a random sample is judged. Of a series, the first 20,000 time points are judged.

    Parameters
    ----------
    model : Autoencoder, AnomalyDetector, BaggedAutoencoders, ExemplarDistance, SeriesImputer or SlidingWindows
        Fitted.
    X : array, data frame or Source of shape (n_samples, ...)
        Rows to judge the model on, best rows that were not in ``fit``.
    y : array of shape (n_samples,) or None, default=None
        Labels of the rows. For a detector: 1 for normal rows, -1 for anomalies, 0 for unknown rows.
    train : like X, or None, default=None
        The training rows, to which the simple methods of the comparison are fitted. None fits them to one half of
        ``X`` and judges them on the other half.
    held_out : array of int or None, default=None
        Positions of the rows of ``X`` that were not in ``fit``: they are judged, and the others are the training rows.
    columns : sequence of str or None, default=None
        Names of the columns of an array or of sparse rows, such as the words of a vectorizer's
        ``get_feature_names_out()``. Data frames have their own names.
    random_state : int, RandomState or None, default=0
        Source of all random numbers.
    command : str, default=""
        The command that repeats the report; by default, a program.
    files : mapping of str to path, default=None
        Files whose SHA-256 the report shows, by what they are, such as ``{"model": "model.safetensors"}``.

    Returns
    -------
    Report
        ``save`` writes it to files; notebooks show it.

    Raises
    ------
    TypeError
        If there is no report about a model of this class.
    NotFittedError
        If the model is not fitted.
    ValueError
        If the rows have other columns than those of ``fit``, ``y`` does not have a label for each row, ``columns``
        does not have a name for each column, or ``held_out`` are not positions of some of the rows.

    References
    ----------
    Mitchell et al., Model cards for model reporting, FAT* 2019, arXiv:1810.03993.

    Examples
    --------
    >>> import isthmus
    >>> from sklearn.datasets import load_breast_cancer
    >>> X = load_breast_cancer().data
    >>> model = isthmus.zoo.linear(4, max_epochs=2, random_state=0).fit(X[:400])
    >>> report = isthmus.report(model, X[400:], train=X[:400])
    >>> report.to_dict()["sections"]["comparison"]["n_rows"]
    169
    """
    with warnings.catch_warnings():
        # What warnings say about the rows, such as categories that were not in fit, is in the report.
        warnings.simplefilter("ignore")
        paths = {name: Path(path) for name, path in (files or {}).items()}
        origin = {"command": command, "files": paths, "columns": columns}
        subject = make_subject(model, X, y, train, seed_of(random_state), held_out, **origin)
        sections = make_sections(subject)
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Report(describe_title(subject), describe_rows(subject), sections, made)


def make_plain(value: Any) -> Any:
    """Return a value for JSON; numbers that are not finite become None."""
    if isinstance(value, Mapping):
        return {str(key): make_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [make_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    return value if value is None else str(value)
