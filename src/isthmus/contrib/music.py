"""Music as piano rolls, which of the 128 keys sound at each step, and MIDI files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from isthmus.part import is_count
from isthmus.storage import replacing

Values = np.ndarray[Any, Any]

N_KEYS = 128
VELOCITY = 80
# Parts of a quarter note in which MIDI files count: divisible by 2, 3 and 5.
TICKS = 480


def piano_roll(pitches: Any) -> Values:
    """Lay out which keys sound at each step.

    Parameters
    ----------
    pitches : array of int of shape (n_steps,) or (n_steps, n_voices)
        MIDI numbers of keys, 60 being the middle C; -1 is silence.

    Returns
    -------
    ndarray of uint8 of shape (128, n_steps)

    Raises
    ------
    ValueError
        If a pitch is no key.

    Examples
    --------
    >>> from isthmus.contrib.music import piano_roll
    >>> roll = piano_roll([60, 60, -1, 64])
    >>> roll.shape, roll[60].tolist(), roll[64].tolist()
    ((128, 4), [1, 1, 0, 0], [0, 0, 0, 1])
    """
    pitches = np.asarray(pitches)
    pitches = pitches[:, None] if pitches.ndim == 1 else pitches
    if pitches.ndim != 2 or not len(pitches):
        raise ValueError(f"pitches must be of shape (n_steps,) or (n_steps, n_voices), got {pitches.shape}")
    wrong = np.argwhere(~np.isin(pitches, np.arange(-1, N_KEYS)))
    if len(wrong):
        step, voice = wrong[0].tolist()
        raise ValueError(
            f"pitches must be integers from 0 to {N_KEYS - 1}, or -1 for silence, "
            f"got {pitches[step, voice]} at step {step} of voice {voice}"
        )
    roll = np.zeros((N_KEYS + 1, len(pitches)), dtype=np.uint8)
    roll[pitches.astype(int), np.arange(len(pitches))[:, None]] = 1
    return roll[:N_KEYS]


def write_midi(
    path: Any, rolls: Sequence[Any], *, steps_a_beat: int = 4, beats_a_minute: float = 90.0, program: int = 0
) -> None:
    """Write piano rolls as a MIDI file, each as a track; a key that goes on sounding is one note.

    Parameters
    ----------
    path : str or Path
    rolls : sequence of arrays of shape (128, n_steps)
        Zeros and ones, as ``piano_roll`` lays them out.
    steps_a_beat : int, default=4
        Steps to a quarter note.
    beats_a_minute : float, default=90.0
    program : int, default=0
        The instrument by its number in General MIDI: 0 is a piano, 19 a church organ.

    Raises
    ------
    ValueError
        If a roll is none, or a number out of its range.
    """
    symusic, step = _symusic(), TICKS // _divisor(steps_a_beat)
    score = symusic.Score(TICKS)
    score.tempos.append(symusic.Tempo(0, qpm=float(beats_a_minute)))
    for number, roll in enumerate(rolls):
        track = symusic.Track(name=f"voice {number + 1}", program=program)
        for pitch, start, end in _notes(_checked(roll, number)):
            track.notes.append(symusic.Note(start * step, (end - start) * step, pitch, VELOCITY))
        score.tracks.append(track)
    with replacing(path) as file:
        file.write(score.dumps_midi())


def read_midi(path: Any, *, steps_a_beat: int = 4) -> list[Values]:
    """Read the tracks of a MIDI file as piano rolls, but for drums.

    Parameters
    ----------
    path : str or Path
    steps_a_beat : int, default=4
        Steps to a quarter note; notes begin and end at the nearest, and last one at least.

    Returns
    -------
    list of ndarray of uint8 of shape (128, n_steps)
        One a track that has notes; all as long as the piece.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or no music in it.
    """
    path, symusic = Path(path), _symusic()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    try:
        score = symusic.Score(path)
    except RuntimeError as error:
        raise ValueError(f"{path.name!r} is no MIDI file") from error
    tracks = [track.notes for track in score.tracks if len(track.notes) and not track.is_drum]
    if not tracks:
        raise ValueError(f"{path.name!r} has no notes")
    step = score.ticks_per_quarter / _divisor(steps_a_beat)
    n_steps = max(1, *(round(note.end / step) for notes in tracks for note in notes))
    return [_roll_of(notes, step, n_steps) for notes in tracks]


def _symusic() -> ModuleType:
    try:
        import symusic
    except ImportError as error:
        raise ImportError("MIDI files need symusic: pip install 'isthmus[music]'") from error
    module: ModuleType = symusic
    return module


def _divisor(steps_a_beat: Any) -> int:
    if not is_count(steps_a_beat) or TICKS % steps_a_beat:
        raise ValueError(f"steps_a_beat must be a divisor of {TICKS}, got {steps_a_beat!r}")
    return int(steps_a_beat)


def _checked(roll: Any, number: int) -> Values:
    roll = np.asarray(roll)
    if roll.ndim != 2 or len(roll) != N_KEYS:
        raise ValueError(f"roll {number} must be of shape ({N_KEYS}, n_steps), got {roll.shape}")
    if not np.isin(roll, (0, 1)).all():
        raise ValueError(f"roll {number} must hold zeros and ones only")
    return roll


def _notes(roll: Values) -> Iterator[tuple[int, int, int]]:
    """Pitch, first step and the step after the last of every note, in the order of their starts."""
    edges = np.diff(np.pad(roll.astype(np.int8), ((0, 0), (1, 1))))
    starts, ends = np.argwhere(edges == 1), np.argwhere(edges == -1)
    notes = [(start, pitch, end) for (pitch, start), (_, end) in zip(starts.tolist(), ends.tolist(), strict=True)]
    return ((pitch, start, end) for start, pitch, end in sorted(notes))


def _roll_of(notes: Any, step: float, n_steps: int) -> Values:
    roll = np.zeros((N_KEYS, n_steps), dtype=np.uint8)
    for note in notes:
        start = min(round(note.start / step), n_steps - 1)
        roll[note.pitch, start : max(start + 1, round(note.end / step))] = 1
    return roll
