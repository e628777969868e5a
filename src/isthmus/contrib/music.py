"""Music as piano rolls, which hold the sounding ones of 128 keys at each step, and MIDI files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from isthmus.part import is_count
from isthmus.storage import replacing

Values = np.ndarray[Any, Any]

# Keys of MIDI, and the loudness of all notes that are written: of 0 to 127, moderately loud.
N_KEYS, VELOCITY = 128, 80
# Resolution of MIDI files: ticks per quarter note. The number is divisible by 2, 3 and 5.
TICKS = 480


def piano_roll(pitches: Any) -> Values:
    """Convert pitches to a piano roll.

    Parameters
    ----------
    pitches : array of int of shape (n_steps,) or (n_steps, n_voices)
        MIDI numbers of keys: 60 is the middle C, -1 is silence.

    Returns
    -------
    ndarray of uint8 of shape (128, n_steps)

    Raises
    ------
    ValueError
        If a pitch is not the number of a key.

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
        got = f"{pitches[step, voice]} at step {step} of voice {voice}"
        raise ValueError(f"pitches must be integers from 0 to {N_KEYS - 1}, or -1 for silence, got {got}")
    roll = np.zeros((N_KEYS + 1, len(pitches)), dtype=np.uint8)
    roll[pitches.astype(int), np.arange(len(pitches))[:, None]] = 1
    return roll[:N_KEYS]


def write_midi(
    path: Any, rolls: Sequence[Any], *, steps_per_beat: int = 4, beats_per_minute: float = 90.0, program: int = 0
) -> None:
    """Write piano rolls as a MIDI file, one track each. A key that sounds in consecutive steps is one note.

    Parameters
    ----------
    path : str or Path
    rolls : sequence of arrays of shape (128, n_steps)
        Zeros and ones, as returned by ``piano_roll``.
    steps_per_beat : int, default=4
        Steps per quarter note.
    beats_per_minute : float, default=90.0
    program : int, default=0
        Number of the instrument in General MIDI: 0 is a piano, 19 is a church organ.

    Raises
    ------
    ValueError
        If a roll has another shape or other values, or a number is out of its range.
    """
    symusic, step = _symusic(), TICKS // _divisor(steps_per_beat)
    score = symusic.Score(TICKS)
    score.tempos.append(symusic.Tempo(0, qpm=float(beats_per_minute)))
    for number, roll in enumerate(rolls):
        track = symusic.Track(name=f"voice {number + 1}", program=program)
        for pitch, start, end in _notes(_check_roll(roll, number)):
            track.notes.append(symusic.Note(start * step, (end - start) * step, pitch, VELOCITY))
        score.tracks.append(track)
    with replacing(path) as file:
        file.write(score.dumps_midi())


def read_midi(path: Any, *, steps_per_beat: int = 4) -> list[Values]:
    """Read the tracks of a MIDI file as piano rolls, except drums.

    Parameters
    ----------
    path : str or Path
    steps_per_beat : int, default=4
        Steps per quarter note. Notes begin and end at the nearest step, and last at least one step.

    Returns
    -------
    list of ndarray of uint8 of shape (128, n_steps)
        One for each track that has notes; all have the length of the piece.

    Raises
    ------
    FileNotFoundError, ValueError
        If the file does not exist, is not a MIDI file, or has no notes.
    """
    path, symusic = Path(path), _symusic()
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {str(path)!r}")
    try:
        score = symusic.Score(path)
    except RuntimeError as error:
        raise ValueError(f"{path.name!r} is not a MIDI file") from error
    tracks = [track.notes for track in score.tracks if len(track.notes) and not track.is_drum]
    if not tracks:
        raise ValueError(f"{path.name!r} has no notes")
    step = score.ticks_per_quarter / _divisor(steps_per_beat)
    n_steps = max(1, *(round(note.end / step) for notes in tracks for note in notes))
    return [_roll_of(notes, step, n_steps) for notes in tracks]


def _symusic() -> ModuleType:
    try:
        import symusic
    except ImportError as error:
        raise ImportError("MIDI files need symusic: pip install 'isthmus[music]'") from error
    module: ModuleType = symusic
    return module


def _divisor(steps_per_beat: Any) -> int:
    if not is_count(steps_per_beat) or TICKS % steps_per_beat:
        raise ValueError(f"steps_per_beat must be a divisor of {TICKS}, got {steps_per_beat!r}")
    return int(steps_per_beat)


def _check_roll(roll: Any, number: int) -> Values:
    roll = np.asarray(roll)
    if roll.ndim != 2 or len(roll) != N_KEYS:
        raise ValueError(f"roll {number} must be of shape ({N_KEYS}, n_steps), got {roll.shape}")
    if not np.isin(roll, (0, 1)).all():
        raise ValueError(f"roll {number} must contain zeros and ones only")
    return roll


def _notes(roll: Values) -> Iterator[tuple[int, int, int]]:
    """Return pitch, first step and end (exclusive) of every note, in order of time."""
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
