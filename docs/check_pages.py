"""Check built pages: links lead to pages and headings that exist, and nothing is loaded from elsewhere.

    python docs/check_pages.py docs/_build/html

Prints one line for each fault, and ends with exit code 1 if there are any.
"""

import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Attributes by which a page loads something.
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}


class Page(HTMLParser):
    """The links of a page, what it loads, and its anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect the attributes of one tag."""
        values = {name: value for name, value in attrs if value}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        elif tag == "link" and values.get("rel") in ("stylesheet", "icon", "preload") and "href" in values:
            self.loaded.add(values["href"])
        elif LOADED.get(tag, "") in values:
            self.loaded.add(values[LOADED[tag]])


@cache
def read_page(path: Path) -> Page:
    """Read a page once."""
    page = Page()
    page.feed(path.read_text())
    return page


def find_faults(root: Path) -> Iterator[str]:
    """Yield one line for each broken link and each thing that is loaded from elsewhere."""
    for path in sorted(path for path in root.rglob("*.html") if "_static" not in path.parts):
        page, name = read_page(path), path.relative_to(root)
        for target in sorted(page.loaded):
            if urlsplit(target).scheme in ("http", "https") or target.startswith("//"):
                yield f"{name} loads {target}"
            elif not urlsplit(target).scheme and not resolve(path, target).is_file():
                yield f"{name} loads {target}, which does not exist"
        yield from (
            f"{name} links to {link}, which does not exist" for link in sorted(page.links) if breaks(path, link)
        )


def breaks(path: Path, link: str) -> bool:
    """Return whether a link of a page leads to a missing page or heading; links to other sites are not checked."""
    parts = urlsplit(link)
    if parts.scheme or parts.netloc or link == "#":
        return False
    target = resolve(path, link)
    if not target.is_file():
        return True
    return (
        bool(parts.fragment) and target.suffix == ".html" and unquote(parts.fragment) not in read_page(target).anchors
    )


def resolve(path: Path, link: str) -> Path:
    """Return the file that a relative link of a page leads to."""
    place = unquote(urlsplit(link).path)
    target = path.parent / place if place else path
    return (target / "index.html" if target.is_dir() else target).resolve()


if __name__ == "__main__":
    faults = list(find_faults(Path(sys.argv[1]).resolve()))
    print(*faults, f"{len(faults)} faults", sep="\n")
    sys.exit(bool(faults))
