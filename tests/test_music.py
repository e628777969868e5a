"""Piano rolls and MIDI files."""

import numpy as np
import pytest

from isthmus.contrib.music import piano_roll, read_midi, write_midi


def voices(n_steps=40, n_voices=3):
    """Random pitches that often continue."""
    rng = np.random.default_rng(0)
    return np.repeat(rng.integers(-1, 128, size=(n_steps // 4, n_voices)), 4, axis=0)


def test_a_piano_roll_contains_the_key_of_every_voice():
    pitches = voices()
    roll = piano_roll(pitches)
    for step, row in enumerate(pitches):
        assert set(np.flatnonzero(roll[:, step])) == set(row[row >= 0])


@pytest.mark.parametrize("steps_per_beat", [1, 2, 4, 12])
def test_rolls_are_read_as_they_were_written(tmp_path, steps_per_beat):
    rolls = [piano_roll(voice) for voice in voices().T]
    write_midi(tmp_path / "a.mid", rolls, steps_per_beat=steps_per_beat)
    again = read_midi(tmp_path / "a.mid", steps_per_beat=steps_per_beat)
    assert len(again) == len(rolls)
    for one, other in zip(rolls, again, strict=True):
        n_steps = other.shape[1]
        np.testing.assert_array_equal(one[:, :n_steps], other)
        assert not one[:, n_steps:].any()


def test_a_sustained_key_is_one_note(tmp_path):
    import symusic

    write_midi(tmp_path / "a.mid", [piano_roll([60, 60, 60, 62, -1, 62])], steps_per_beat=4)
    notes = symusic.Score(tmp_path / "a.mid").tracks[0].notes
    assert [(note.pitch, note.start, note.duration) for note in notes] == [(60, 0, 360), (62, 360, 120), (62, 600, 120)]


@pytest.mark.parametrize(
    ("pitches", "message"),
    [
        ([60, 128], "got 128 at step 1 of voice 0"),
        ([[60, -1], [61, -2]], "got -2 at step 1 of voice 1"),
        ([60.5], "got 60.5"),
        ([], "must be of shape"),
        (np.zeros((2, 2, 2)), "must be of shape"),
    ],
)
def test_pitches_that_are_no_midi_keys_are_refused(pitches, message):
    with pytest.raises(ValueError, match=message):
        piano_roll(pitches)


@pytest.mark.parametrize(
    ("roll", "settings", "message"),
    [
        (np.zeros((88, 3)), {}, r"roll 0 must be of shape \(128, n_steps\), got \(88, 3\)"),
        (np.full((128, 3), 2), {}, "roll 0 must contain zeros and ones"),
        (np.zeros((128, 3)), {"steps_per_beat": 7}, "steps_per_beat must be a divisor of 480, got 7"),
    ],
)
def test_an_invalid_roll_leaves_no_file(tmp_path, roll, settings, message):
    with pytest.raises(ValueError, match=message):
        write_midi(tmp_path / "a.mid", [roll], **settings)
    assert not list(tmp_path.iterdir())


def test_files_without_music_are_named(tmp_path):
    (tmp_path / "text.mid").write_text("not music at all")
    with pytest.raises(ValueError, match=r"'text.mid' is not a MIDI file"):
        read_midi(tmp_path / "text.mid")
    write_midi(tmp_path / "silence.mid", [np.zeros((128, 4))])
    with pytest.raises(ValueError, match=r"'silence.mid' has no notes"):
        read_midi(tmp_path / "silence.mid")
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_midi(tmp_path / "none.mid")
