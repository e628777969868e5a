"""The Python code of the README runs without changes."""

import re
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_python_of_the_readme_runs_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names = {}
    for block in blocks:
        exec(compile(block, str(README), "exec"), names)
    assert len(blocks) == 7
    assert names["codes"].shape == (1797, 8)
    assert names["rebuilt"].shape == names["clean"].shape == (1797, 64)
    assert names["classifier"].score(names["X"], names["labels"]) > 0.9
    assert not names["filled"].isna().any().any()
    assert 0 < len(names["alarms"]) < 20
    assert "row 212: area error = 526" in str(names["detector"].explain(names["alarms"]))
    assert (names["new"].dtypes == names["table"].dtypes).all()
    assert (names["same"] == names["codes"]).all()


def test_figures_of_the_readme_are_those_of_the_page_of_figures():
    text = README.read_text()
    table = text[text.index("## Where it stands") : text.index("Two cores without a GPU")]
    numbers = re.findall(r"\d+\.\d+", table)
    assert len(numbers) > 30
    figures = (README.parent / "docs" / "figures.md").read_text()
    assert [number for number in numbers if number not in figures] == []
