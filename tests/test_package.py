"""What is published says the same everywhere."""

import re
import tomllib
from importlib.resources import files
from pathlib import Path

import isthmus

ROOT = Path(__file__).parents[1]


def test_citation_and_changelog_name_the_version():
    assert f"\nversion: {isthmus.__version__}\n" in (ROOT / "CITATION.cff").read_text()
    sections = re.findall(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert isthmus.__version__ in sections[:2]


def test_the_package_is_typed_and_its_license_is_an_spdx_expression():
    assert files("isthmus").joinpath("py.typed").is_file()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["license"] == "BSD-3-Clause"
    assert (ROOT / project["license-files"][0]).read_text().startswith("BSD 3-Clause License")
    assert project["requires-python"] == ">=3.11"
    assert {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13)} <= set(project["classifiers"])
