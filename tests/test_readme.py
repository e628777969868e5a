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
    assert len(blocks) == 18
    assert names["suggestion"].estimator.n_components == 16
    assert (tmp_path / "detector.certificate.json").is_file()
    assert (tmp_path / "report.html").is_file()
    assert names["codes"].shape == (1797, 8)
    assert names["rebuilt"].shape == (1797, 64)
    assert names["threes"].shape == (10, 64)
    assert 0 < len(names["alarms"]) < 20
    assert any(event.start < 220 and event.end >= 200 for event in names["watcher"].events(names["later"]))
    assert not names["filled"].isna().any().any()
    assert (names["same"] == names["codes"]).all()
    assert names["between"].shape == (6, 8, 8)
    assert names["edited"].dtype == names["images"].dtype
    assert all(isinstance(line, str) for line in names["new_lines"])
    assert names["topics"].shape == (90, 3)
    assert names["numbers"].shape == (500, 8)
    assert (names["new"].dtypes == names["people"].dtypes).all()
    assert set(names["in_oslo"]["city"]) == {"Oslo"}
    assert len(names["draws"]) == 5
    assert not any(draw.isna().any().any() for draw in names["draws"])
