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
    "Course": "ScoredSeries",
    "Draw": "PatchDecoder",
    "Ensemble": "BaggedAutoencoders",
    "FAR": "MAX_ORIGIN_RATIO",
    "Feed": "Batches",
    "Found": "SearchResult",
    "Judge": "RowScorer",
    "Labelled": "PlattScaling",
    "Law": "ShiftedGamma",
    "Look": "PatchEncoder",
    "MENDABLE": "USER_ERRORS",
    "MOST_DIGITS": "MAX_DIGITS",
    "MOST_EPOCHS": "MAX_EPOCHS",
    "MOST_STEPS": "MAX_STEPS",
    "N_PIECES": "N_BINS",
    "N_WATCHES": "N_EVALUATIONS",
    "Proximity": "ExemplarDistance",
    "Scatter": "NoiseScale",
    "Side": "ViewScorer",
    "Sliding": "SlidingWindows",
    "Taming": "RankGaussian",
    "Topics": "ProdLDA",
    "Units": "RobustScale",
    "Watch": "StreamMonitor",
    "Writer": "AutoregressiveDecoder",
    "_are_of": "_have_types",
    "_bend": "_transform",
    "_consistent": "_enforce_rules",
    "_drawn": "_draw_bernoulli",
    "_give_up": "_restore_last_good",
    "_is_of": "_has_type",
    "_keep_score": "_update_best",
    "_labels_for": "_complete_labels",
    "_move_unused": "_move_rare",
    "_pass_over": "_prepare_pass",
    "_power": "_exponent",
    "_price": "_cost",
    "_spoil": "_corrupt",
    "_tupled": "_to_tuples",
    "_widest": "_choose_largest",
    "abstain": "min_confidence",
    "add_up": "all_reduce",
    "alike": "per_value",
    "apart_from": "disjoint_from",
    "at_step": "apply_at_step",
    "blind": "masked",
    "coincidence": "match_probability",
    "commonest": "mode_share",
    "critic": "discriminator",
    "densities": "priors",
    "draw_turns": "draw_passes",
    "endless": "open_ended",
    "find_spanned": "find_enclosed",
    "finish": "mask_after_end",
    "frame_of": "decode",
    "geared": "learning_rate_factor",
    "go_on": "resume_rng",
    "has_holes": "has_missing",
    "has_levels": "has_categories",
    "hide": "mask_values",
    "holes": "missing_columns",
    "integral": "integer_support",
    "laid_out": "arrange",
    "little": "rare",
    "maps": "projection",
    "much": "frequent",
    "n_holes": "n_missing_columns",
    "of_levels": "of_categories",
    "plug_in": "log_prob_at_mean",
    "redraw": "sample_posterior_predictive",
    "says": "head",
    "settle": "finalize",
    "shifted": "minus",
    "spares_categories": "corrupts_numeric_only",
    "spares_levels": "corrupts_numeric_only",
    "summon": "make_row_scorer",
    "survey": "compute_statistics",
    "think": "feed_forward",
    "uses": "weight_uses",
    "valid_bound": "valid_negative_bound",
    "waited": "epochs_since_best",
    "walks": "interpolation",
    "watch": "validate",
    "weigh": "draw",
    "wording": "formatting",
    "zero_rest": "truncate",
}
# Phrases that readers of English as a second language have to read twice, and a plain wording.
PHRASES = {
    "all or nothing": "completely or not at all",
    "as fit saw": "as in the training rows",
    "as it comes": "unchanged, or in the given order",
    "can mend": "can correct",
    "commonest": "most frequent",
    "critic": "discriminator",
    "from none on": "0 or more",
    "in ever new order": "in a new random order",
    "laid out": "arranged, or stored",
    "less those of": "minus those of",
    "likeliest": "most probable",
    "livelier": "more varied",
    "looks? at": "reads, or checks",
    "machines see": "machines can access",
    "makes a row odd": "contributions to the score",
    "message to z1": "approximate likelihood of z1",
    "nats a row": "nats per row",
    "no positive integer": "not a positive integer",
    "nobody": "the passive",
    "oddest": "most anomalous",
    "of likes": "of similar rows",
    "of one's own": "of the user",
    "one model a worker": "one model per worker",
    "row of the history": "epoch in history_",
    "so many at": "at least n",
    "somebody": "a user, or the passive",
    "started anew": "started again",
    "starts? anew": "starts again",
    "that many at least": "at least n",
    "told apart": "distinguished",
    "told from": "distinguished from",
    "what came of": "the outcome",
    "what fit found": "fitted attributes",
    "what it costs": "its cost",
    "whole or not at all": "completely or not at all",
}


def defined_names(tree):
    """Yield names of functions, classes, parameters and variables that a file defines."""
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
