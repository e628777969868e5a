"""Settings of Sphinx for ``make docs``. The build needs no network, and the pages load nothing from elsewhere."""

import math
import re
import shutil
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl

import isthmus

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for page_order and page_style

project, author = "isthmus", "The isthmus developers"
copyright = "2026, the isthmus developers"
version = release = isthmus.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
# Pages of run times load scripts from other sites.
exclude_patterns = ["_build", "g*/**/*.ipynb", "sg_execution_times.rst", "g*/sg_execution_times.rst", "guides"]
templates_path = ["_templates"]
nitpicky = False

# Markdown
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3
# Links to files outside the documentation, such as programs, are checked by tests/test_docs.py, not by Sphinx.
suppress_warnings = ["myst.xref_missing"]

# Reference: everything that ``__all__`` of a public module lists
smartquotes = False
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autosummary_context = {"at_the_top": isthmus.__all__}
autodoc_typehints = "none"
numpydoc_show_class_members = False
# Names of methods without their class fit beside the text.
toc_object_entries_show_parents = "hide"

# Gallery: all guides and examples are executed, except the one that needs a corpus of levels
mpl.use("agg")
sphinx_gallery_conf = {
    "examples_dirs": ["guides", "../examples"],
    "gallery_dirs": ["guide", "gallery"],
    "within_subsection_order": "page_order.PageOrder",
    "reset_modules": ("matplotlib", "page_style.use_palette"),
    "filename_pattern": r"/(?!mario_levels)\w+\.py$",
    "default_thumb_file": str(HERE / "images" / "digits.png"),
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    # Seconds depend on the machine that built the page.
    "min_reported_time": math.inf,
    "remove_config_comments": True,
    # Only what a program prints and draws: the last expression of a block would show as well.
    "capture_repr": (),
}
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")

# Pages
html_theme = "pydata_sphinx_theme"
html_title = "isthmus"
html_static_path = ["_static"]
html_css_files = ["isthmus.css"]
html_show_sourcelink = False
html_context = {"default_mode": "auto"}
html_sidebars = {"index": [], "theory": []}
html_theme_options = {
    "navbar_align": "left",
    "show_prev_next": False,
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
}
# One file that draws formulas as SVG and needs no fonts.
mathjax_path = "mathjax/tex-svg.js"


def copy_mathjax(app: object) -> None:
    """Copy MathJax from its package, so that formulas need no network."""
    package = find_spec("sphinx-mathjax-offline")
    source = Path(package.submodule_search_locations[0]) / "static" / "mathjax" / "tex-svg.js"
    target = HERE / "_static" / "mathjax" / "tex-svg.js"
    target.parent.mkdir(exist_ok=True)
    shutil.copy(source, target)


def copy_results(app: object) -> None:
    """Make a page of each measured result; tables without a heading get the name of their file."""
    shutil.rmtree(HERE / "results", ignore_errors=True)
    (HERE / "results").mkdir()
    for path in sorted((HERE.parent / "benchmarks" / "results").glob("*.md")):
        text = path.read_text()
        title = "" if text.startswith("# ") else f"# {path.stem.replace('_', ' ').capitalize()}\n\n"
        (HERE / "results" / path.name).write_text(title + text)


def link_results(app: object, name: str, source: list[str]) -> None:
    """Lead links to results, which are written for readers of the repository, to their pages."""
    source[0] = source[0].replace("](../benchmarks/results/", "](results/")


def skip_foreign(app: object, what: str, name: str, item: object, skip: bool, options: object) -> bool | None:
    """Leave out methods that scikit-learn and torch define: their own documentation describes them."""
    function = getattr(item, "fget", item)
    home = getattr(function, "__module__", None) or ""
    return True if what == "class" and callable(function) and not home.startswith("isthmus") else None


def escape_markup(app: object, what: str, name: str, item: object, options: object, lines: list[str]) -> None:
    """Write shapes such as (n, *shape) and absolute values as text: a star starts emphasis, a bar a substitution."""
    lines[:] = [re.sub(r"(?<![\\`*\w])([*|])(?=\w+\b)", r"\\\1", line) for line in lines]


def setup(app: object) -> None:
    """Register the functions that Sphinx calls."""
    app.connect("builder-inited", copy_mathjax)
    app.connect("builder-inited", copy_results)
    app.connect("source-read", link_results)
    app.connect("autodoc-process-docstring", escape_markup)
    app.connect("autodoc-skip-member", skip_foreign)
