"""The project uses the words of the literature: names and phrases that were replaced do not come back."""

import ast
import re
from pathlib import Path

import pytest

import isthmus

SOURCE = Path(isthmus.__file__).parent
ROOT = SOURCE.parents[1]
PROSE = [
    *sorted(SOURCE.rglob("*.py")),
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]

# Replaced names and the term to use instead.
NAMES = {
    "ALONE": "SINGLE_PROCESS",
    "Case": "CheckInput",
    "Draw": "PatchDecoder",
    "Ensemble": "BaggedAutoencoders",
    "Feed": "Batches",
    "Found": "SearchResult",
    "Judge": "RowScorer",
    "Labelled": "PlattScaling",
    "Law": "ShiftedGamma",
    "Look": "PatchEncoder",
    "Proximity": "ExemplarDistance",
    "Scatter": "NoiseScale",
    "Side": "ViewScorer",
    "Sliding": "SlidingWindows",
    "Taming": "RankGaussian",
    "Topics": "ProdLDA",
    "Units": "RobustScale",
    "Watch": "StreamMonitor",
    "Writer": "AutoregressiveDecoder",
    "_give_up": "_restore_last_good",
    "_keep_score": "_update_best",
    "_spoil": "_corrupt",
    "abstain": "min_confidence",
    "add_up": "all_reduce",
    "alike": "per_value",
    "apart_from": "disjoint_from",
    "coincidence": "match_probability",
    "commonest": "mode_share",
    "endless": "open_ended",
    "frame_of": "decode",
    "geared": "learning_rate_factor",
    "go_on": "resume_rng",
    "has_holes": "has_missing",
    "integral": "integer_support",
    "says": "head",
    "shifted": "minus",
    "shifts": "translation_invariant",
    "summon": "make_row_scorer",
    "survey": "compute_statistics",
    "think": "feed_forward",
    "valid_bound": "valid_negative_bound",
    "waited": "epochs_since_best",
    "wording": "formatting",
}
# Phrases that readers of English as a second language have to read twice, and a plain wording.
PHRASES = {
    "commonest": "most frequent",
    "from none on": "0 or more",
    "laid out": "arranged, or stored",
    "of one's own": "of the user",
    "oddest": "most anomalous",
    "row of the history": "epoch in history_",
    "somebody": "a user, or the passive",
    "that many at least": "at least n",
}


def defined_names(tree):
    """Names of functions, classes, parameters and variables that a file defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def test_replaced_names_do_not_come_back():
    back = [
        f"{file.relative_to(SOURCE)}: {name}, use {NAMES[name]}"
        for file in sorted(SOURCE.rglob("*.py"))
        for name in sorted({file.stem, *defined_names(ast.parse(file.read_text()))} & set(NAMES))
    ]
    assert back == []


@pytest.mark.parametrize("phrase", PHRASES)
def test_replaced_phrases_do_not_come_back(phrase):
    words = re.compile(rf"\b{phrase}\b".replace(" ", r"[\s#]+"), re.IGNORECASE)
    back = [str(file.relative_to(ROOT)) for file in PROSE if words.search(file.read_text())]
    assert back == [], f"say {PHRASES[phrase]}"
