"""The order of the pages of a gallery: that in which the README of its folder names them."""

from pathlib import Path


class PageOrder:
    """Sorts the programs of a folder; pages that its README does not name come last."""

    def __init__(self, folder: str) -> None:
        self.readme = Path(folder) / "README.rst"

    def __call__(self, program: str) -> int:
        """Return where the README names a page, such as ``:doc:`save```."""
        before, found, _ = self.readme.read_text().partition(f"`{Path(program).stem}`")
        return len(before) + (not found)
