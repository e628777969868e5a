"""Pages of the documentation: their code runs, the places that they name exist, and broken links are found.

``make docs`` runs the guides, because it shows their results.
"""

import inspect
import re
import runpy
from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

import isthmus
from isthmus import backbones, bottlenecks, corruptions, functional, likelihoods, priors, regularizers, zoo
from isthmus.cli.app import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("start/*.md"))]
WITH_CODE = [page for page in PAGES if "```python" in page.read_text()]
PROGRAMS = [*sorted(DOCS.glob("guides/*.py")), *sorted(ROOT.glob("examples/*.py"))]
# The modules that docs/reference/index.md lists.
MODULES = re.findall(r"^   (isthmus[\w.]*)$", (DOCS / "reference" / "index.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.stem)
def test_python_of_a_page_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names, text = {}, page.read_text()
    if "sklearn.callback" in text:
        pytest.importorskip("sklearn.callback", reason="scikit-learn < 1.9 has no callbacks")
    for block in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        exec(compile(block, str(page), "exec"), names)


def list_code(page):
    """Yield the lines of a page that it shows as code. Commands and outputs are wrapped, and need no limit."""
    text = page.read_text()
    if page.suffix == ".md":
        yield from "".join(re.findall(r"^```py(?:thon)?\n(.*?)^```", text, re.DOTALL | re.MULTILINE)).splitlines()
        return
    in_prose = False
    for line in text.split('"""', 2)[2].splitlines():
        in_prose = line.startswith("#") and (in_prose or line == "# %%")
        if not in_prose:
            yield line


@pytest.mark.parametrize("page", [*PAGES, *PROGRAMS], ids=lambda page: f"{page.parent.name}-{page.stem}")
def test_code_of_a_page_fits_beside_its_navigation(page):
    """On a screen of 1280 pixels, 95 characters do."""
    assert [line for line in list_code(page) if len(line) > 95] == []


def without_numbers(text):
    """Replace what depends on the machine or on the width of the terminal: numbers, histograms and lines."""
    return re.sub(r"\s+", " ", re.sub(r"[▁-█]+|━+|─+|\d[\d,.]*", "#", text))


def test_commands_of_the_first_page_print_what_it_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (DOCS / "start" / "five_minutes.md").read_text()
    exec(re.search(r"^```python\n(from sklearn.*?)^```", page, re.DOTALL | re.MULTILINE)[1])
    blocks = re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    for command, shown in re.findall(
        r"^\$ isthmus (?!--version)(.*)\n((?:(?!\$).*\n)*)", "".join(blocks), re.MULTILINE
    ):
        result = CliRunner().invoke(app, command.split())
        assert result.exit_code == 0, result.output
        printed = without_numbers(result.output)
        assert [line for line in shown.splitlines() if line != "..." and without_numbers(line) not in printed] == []


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *PAGES], ids=lambda page: page.stem)
def test_files_that_a_page_links_to_exist(page):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
    built = ("gallery/", "guide/", "reference/")
    missing = [
        link for link in links if not (page.parent / link).exists() and not link.removeprefix("../").startswith(built)
    ]
    assert missing == []


def test_the_page_of_parts_names_every_variant_and_part():
    text = (DOCS / "start" / "parts.md").read_text()
    rooms = (backbones, bottlenecks, priors, likelihoods, corruptions, regularizers)
    assert [name for name in zoo.__all__ if f"| `{name}` |" not in text] == []
    assert [name for room in rooms for name in room.__all__ if f"`{name}(" not in text] == []


def test_the_page_of_theory_names_places_that_exist():
    text = (DOCS / "theory.md").read_text()
    files, functions = re.findall(r"`(\w+/\w+\.py)`", text), re.findall(r"`functional\.(\w+)`", text)
    assert len(files) > 10
    assert [name for name in files if not (ROOT / "src" / "isthmus" / name).is_file()] == []
    assert len(functions) > 8
    assert [name for name in functions if not hasattr(functional, name)] == []


@pytest.mark.parametrize("room", [likelihoods, priors, bottlenecks, regularizers], ids=lambda room: room.__name__)
def test_the_page_of_theory_has_a_row_for_every_part(room):
    rows = re.findall(r"^\| `(\w+)", (DOCS / "theory.md").read_text(), re.MULTILINE)
    assert [name for name in room.__all__ if name not in rows] == []


def test_the_reference_lists_every_public_module_of_the_package():
    assert {f"isthmus.{name}" for name in isthmus.__all__ if inspect.ismodule(getattr(isthmus, name))} <= set(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_every_public_class_and_function_is_documented(module):
    public = import_module(module)
    values = {name: getattr(public, name) for name in public.__all__}
    documented = {
        name: inspect.getdoc(value)
        for name, value in values.items()
        if inspect.isclass(value) or inspect.isfunction(value)
    }
    assert [name for name, text in documented.items() if not text] == []


def test_links_to_nowhere_and_files_from_elsewhere_are_found(tmp_path):
    find_faults = runpy.run_path(str(DOCS / "check_pages.py"))["find_faults"]
    (tmp_path / "b.html").write_text('<h1 id="here">b</h1>')
    (tmp_path / "a.html").write_text(
        '<a href="b.html#here"></a> <a href="b.html#there"></a> <a href="c.html"></a> <a href="https://example.org"></a>'
        '<script src="https://example.org/a.js"></script> <img src="d.png">'
    )
    assert list(find_faults(tmp_path)) == [
        "a.html loads d.png, which does not exist",
        "a.html loads https://example.org/a.js",
        "a.html links to b.html#there, which does not exist",
        "a.html links to c.html, which does not exist",
    ]
