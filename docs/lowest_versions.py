"""Print the lowest versions that ``pyproject.toml`` allows, one requirement in each line, for ``pip install -r``.

python docs/lowest_versions.py export pandas > lowest.txt      # of the dependencies and two extras
"""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
requirements = [
    *project["dependencies"],
    *(each for name in sys.argv[1:] for each in project["optional-dependencies"][name]),
]
for name, bound in re.findall(r"^([\w-]+(?:\[[\w,-]+\])?)>=([\w.]+)", "\n".join(requirements), re.MULTILINE):
    print(f"{name}=={bound}")
