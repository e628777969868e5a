"""Game levels as text, and measures of generated levels, on small levels with known answers."""

import json

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy

from isthmus.contrib.game_levels import cut_segments, read_levels, to_text
from isthmus.contrib.level_metrics import Platformer, novelty, pattern_divergence
from isthmus.contrib.tile_chain import TileChain

# Up one, at most three to the right, and down again; and one straight up by two.
JUMPS = [[(0, -1), (1, -1), (2, -1), (3, -1), (3, 0)], [(0, -1), (0, -2), (1, -2)]]
RULES = Platformer(solid=[1], jumps=JUMPS)


def level(*lines):
    return np.array([["-X".index(tile) for tile in line] for line in lines], dtype=np.uint8)


# Text


def test_levels_are_written_as_the_text_that_was_read(tmp_path):
    texts = {"first": "---E-\nXX-XX", "second": "-o-\n---\nXXX"}
    for name, text in texts.items():
        (tmp_path / f"{name}.txt").write_text(text + "\n")
    (tmp_path / "legend.json").write_text("{}")
    levels = read_levels(tmp_path)
    assert levels.legend == "-EXo"
    assert {name: to_text(grid, levels.legend) for name, grid in levels.grids.items()} == texts
    assert levels.grids["first"].dtype == np.uint8
    assert levels.grids["first"].tolist() == [[0, 0, 0, 1, 0], [2, 2, 0, 2, 2]]
    (alone,) = read_levels(tmp_path / "first.txt", legend="X-E").grids.values()
    assert alone.tolist() == [[1, 1, 1, 2, 1], [0, 0, 1, 0, 0]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--\n-@\n", r"'odd', line 2, column 2: tile '@' is not in the legend '-X'"),
        ("---\nXXX\nXX\n", r"odd\.txt', line 3 has 2 tiles, expected 3 as in line 1"),
        ("---\n\nXXX\n", r"odd\.txt', line 2 has 0 tiles"),
        ("", r"odd\.txt' is empty"),
        ("\n\n", r"odd\.txt' is empty"),
    ],
)
def test_errors_of_files_that_are_no_levels_name_the_place(text, message, tmp_path):
    (tmp_path / "odd.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_levels(tmp_path, legend="-X")


def test_files_that_are_not_text_are_refused(tmp_path):
    (tmp_path / "odd.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"odd\.txt' is not text"):
        read_levels(tmp_path)


@pytest.mark.parametrize("name", ["", "missing.txt"])
def test_a_folder_without_levels_is_refused(name, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no level"):
        read_levels(tmp_path / name)


@pytest.mark.parametrize("legend", ["", "X", "-X-"])
def test_legends_must_contain_different_tiles(legend, tmp_path):
    (tmp_path / "level.txt").write_text("X")
    with pytest.raises(ValueError, match="legend must have 2 to 256 different characters"):
        read_levels(tmp_path, legend=legend)


def test_numbers_outside_the_legend_are_named():
    with pytest.raises(ValueError, match="line 1, column 2: tile must be from 0 to 1 for the legend '-X', got 2"):
        to_text([[0, 2]], "-X")


def test_segments_are_cut_column_by_column():
    long = np.arange(14).reshape(2, 7)
    cut = cut_segments(long, width=3, stride=2)
    assert cut.shape == (3, 2, 3)
    np.testing.assert_array_equal(cut, [long[:, start : start + 3] for start in (0, 2, 4)])
    assert len(cut_segments(long, width=7)) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 8}, "width must be at most 7, the number of columns of the level, got 8"),
        ({"width": 0}, "width"),
        ({"width": 2, "stride": 0}, "stride"),
    ],
)
def test_impossible_segment_sizes_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        cut_segments(np.zeros((2, 7)), **options)


# Paths


@pytest.mark.parametrize(
    ("gap", "wall", "expected"), [(0, 0, True), (3, 0, True), (4, 0, False), (0, 2, True), (0, 3, False)]
)
def test_gaps_and_walls_up_to_the_size_of_a_jump_can_be_passed(gap, wall, expected):
    lines = level(*["-" * 12] * 4, "X" * 12)
    lines[-1, 5 : 5 + gap] = 0
    if wall:
        lines[-1 - wall : -1, 8] = 1
    assert RULES.are_playable([lines], margin=2).tolist() == [expected]


def test_a_ceiling_stops_a_jump():
    open_air = level("------", "------", "------", "XX--XX")
    low = level("------", "XXXXXX", "------", "XX--XX")
    walled = level("XXXXXX", "XXXXXX", "---X--", "XXXXXX")
    # There is a path on top of the ceiling, but the level does not begin there.
    assert RULES.are_playable([open_air, low, walled], margin=1).tolist() == [True, False, False]
    assert not RULES.mark_reachable(walled, margin=1)[:, 3:].any()


def test_places_above_the_highest_row_are_free():
    way = RULES.find_path(level("--X---", "XXXXXX"), margin=1)
    assert min(row for row, _ in way) == -1
    assert RULES.find_path(level("XXX---", "--X---", "XXXXXX"), margin=1) is None


def test_a_fall_below_the_lowest_row_ends_the_path():
    assert RULES.find_path(level("----------", "XXX----XXX"), margin=2) is None


def test_the_player_falls_vertically_and_diagonally():
    cliff = level("-------", "X------", "X------", "X-----X", "XXXXXXX")
    way = RULES.find_path(cliff, margin=1)
    assert way[0] == (0, 0)
    assert way[-1] == (2, 6)


@pytest.mark.parametrize("shortest", [True, False])
def test_a_path_consists_of_steps_through_free_places(shortest):
    lines = level("----------", "-----X----", "---XXX--X-", "XXXXXX-XXX")
    way = RULES.find_path(lines, margin=2, shortest=shortest)
    assert way[0][1] < 2
    assert way[-1][1] >= 8
    assert all(max(abs(a - c), abs(b - d)) == 1 for (a, b), (c, d) in zip(way, way[1:], strict=False))
    assert all(row < 0 or lines[row, column] == 0 for row, column in way)


def test_the_shortest_path_is_straight():
    assert RULES.find_path(level("-----", "XXXXX"), margin=1) == [(0, column) for column in range(5)]


def test_margins_allow_a_level_to_start_and_end_in_a_gap():
    lines = level("--------", "--XXXX--")
    assert [RULES.find_path(lines, margin=margin) is not None for margin in (1, 2, 3)] == [False, False, True]
    assert RULES.find_path(level("----", "----"), margin=4) is None


def test_real_levels_can_be_played_and_marked_paths_are_reached(outside_data):
    folder = outside_data("vglc-levels") / "smb"
    levels = read_levels(folder / "levels")
    rules = real_rules(folder, levels.legend)
    assert rules.are_playable(levels.grids.values()).all()
    cut = np.concatenate([cut_segments(level, 28, 4) for level in levels.grids.values()])
    assert rules.are_playable(cut).mean() > 0.98
    marked = read_levels(folder / "paths")
    for name, grid in marked.grids.items():
        level = levels.grids[name.removesuffix("_Annotated_Path")]
        # A few positions are on solid tiles.
        ways = (grid == marked.legend.index("x")) & ~np.isin(level, rules.solid)
        assert ways.sum() > 100
        assert rules.mark_reachable(level)[ways].all()


def real_rules(folder, legend):
    tiles = json.loads((folder / "paths" / "SMB_tile_specs.json").read_text())
    jumps = json.loads((folder / "paths" / "SMB_estimated_jumps.json").read_text())["jumps"]
    return Platformer(map(legend.index, set(tiles["solid"]) - set(tiles["passable"])), jumps)


# Patterns and novelty


def test_divergence_of_two_tiles_is_that_of_two_bernoulli_distributions():
    rare, often = np.zeros((10, 10), int), np.zeros((10, 10), int)
    rare.flat[:10], often.flat[:40] = 1, 1
    p, q = [0.1, 0.9], [0.4, 0.6]
    found = pattern_divergence([rare], [often], size=1)
    expected = (jensenshannon(p, q) ** 2, entropy(p, q), entropy(q, p))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_divergence_of_levels_without_common_patterns_is_bounded():
    found = pattern_divergence([np.zeros((4, 4))], [np.ones((4, 4))])
    assert found.jensen_shannon == pytest.approx(np.log(2))
    assert min(found.missing, found.invented) > 10


def test_patterns_are_counted_over_all_levels():
    rng = np.random.default_rng(0)
    levels = rng.integers(3, size=(4, 6, 9))
    np.testing.assert_allclose(pattern_divergence(levels, levels[::-1], size=3), 0, atol=1e-12)
    assert min(pattern_divergence(levels[:2], levels[2:], size=2)) > 0
    with pytest.raises(ValueError, match="size must be at most the height and width of a level, got 7"):
        pattern_divergence(levels, levels, size=7)
    with pytest.raises(ValueError, match="size must be a positive integer"):
        pattern_divergence(levels, levels, size=0)


def test_novelty_is_the_distance_to_the_nearest_level():
    rng = np.random.default_rng(0)
    train, new = rng.integers(4, size=(20, 3, 5)), rng.integers(4, size=(7, 3, 5))
    expected = [min((level != other).mean() for other in train) for level in new]
    np.testing.assert_allclose(novelty(train, new), expected)
    assert novelty(train, train).tolist() == [0] * 20


# A chain of tiles


def test_a_markov_chain_repeats_deterministic_patterns():
    board = np.indices((6, 9)).sum(0) % 2
    np.testing.assert_array_equal(TileChain().fit([board]).sample(3, width=9, random_state=0), [board] * 3)


def test_a_markov_chain_draws_tiles_by_their_conditional_frequencies():
    rng = np.random.default_rng(0)
    drawn = TileChain().fit(rng.choice(3, p=[0.6, 0.3, 0.1], size=(300, 4, 50))).sample(300, width=50, random_state=1)
    np.testing.assert_allclose(np.bincount(drawn.ravel()) / drawn.size, [0.6, 0.3, 0.1], atol=0.01)


def test_a_markov_chain_conditions_on_the_row_and_three_neighbours():
    """Each tile is 1 if an odd number of its three neighbours are 1; the lowest row is random."""
    rng = np.random.default_rng(0)
    levels = rng.integers(2, size=(200, 5, 20))
    drawn = TileChain().fit(grown(levels)).sample(50, width=20, random_state=0)
    np.testing.assert_array_equal(drawn, grown(drawn))
    assert 0.4 < drawn[:, -1].mean() < 0.6


def grown(levels):
    levels = np.array(levels)
    for row in range(levels.shape[1] - 2, -1, -1):
        for column in range(1, levels.shape[2]):
            levels[:, row, column] = (
                levels[:, row, column - 1] ^ levels[:, row + 1, column] ^ levels[:, row + 1, column - 1]
            )
    return levels


@pytest.mark.parametrize("tiles", [(0, 256), (-1, 255), (0.2, 0.4), ("a", "b")])
def test_any_two_numbers_of_tiles_are_different_patterns(tiles):
    one, other = (np.full((3, 3), tile) for tile in tiles)
    assert pattern_divergence([one], [other]).jensen_shannon == pytest.approx(np.log(2))
    assert pattern_divergence([one], [one]).jensen_shannon == 0
