"""The encoding of a text file: Unicode where its bytes are valid, and otherwise the most plausible 8-bit encoding."""

import codecs
import re
from typing import Any

import pyarrow as pa
from charset_normalizer import from_bytes

BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Number of bytes that are decoded at once.
CHUNK = 2**24
# Number of bytes around the first invalid one from which an 8-bit encoding is inferred.
SAMPLE = 2**17
# Characters that are common in Western European texts.
WESTERN = re.compile(r"[\x00-\x7fÀ-ÏÑ-ÖØ-ÜßÀà-ïñ-öø-üŒœŠšŽžŸÿ€£§©®°±²³µ·¼½¾ªº«»¡¿‘’“”„‚–—…•™\xa0]*")
# Western languages have no words with three consecutive letters outside ASCII.
FOREIGN = re.compile(r"[À-ÿ]{3}")
# Smallest number of characters outside ASCII for the automatic detection of other encodings.
MIN_CHARACTERS = 16


def find_encoding(data: Any) -> str:
    """Return the name of the encoding of bytes.

    Raises
    ------
    ValueError
        If none is found.
    """
    start = bytes(data[: 2**12])
    for bom, name in BOMS.items():
        if start.startswith(bom):
            return name
    if b"\0" in start:
        return _detect_utf16(start)
    position = first_invalid(data)
    return "utf-8" if position is None else _detect_8_bit(data, position)


def first_invalid(data: Any) -> int | None:
    """Return the position of the first byte that is not UTF-8, or None."""
    if _is_utf8(data):
        return None
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(data), CHUNK):
        n_pending = len(decoder.getstate()[0])
        try:
            decoder.decode(bytes(data[start : start + CHUNK]), final=start + CHUNK >= len(data))
        except UnicodeDecodeError as error:
            return start - n_pending + error.start
    return None


def _is_utf8(data: Any) -> bool:
    """Whether bytes are valid UTF-8, checked by pyarrow without decoding."""
    offsets = pa.array([0, len(data)], pa.int64()).buffers()[1]
    try:
        pa.Array.from_buffers(pa.large_string(), 1, [None, offsets, pa.py_buffer(data)]).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _detect_utf16(start: bytes) -> str:
    """Detect UTF-16 without a byte order mark by its zeros, which are every other byte of Western text."""
    zeros = [start[i::2].count(0) for i in (0, 1)]
    most, n = max(zeros), len(start) // 2
    if most < n / 2 or min(zeros) > n / 10:
        raise ValueError("it holds NUL bytes, so it is not a text file")
    return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"


def _detect_8_bit(data: Any, position: int) -> str:
    sample = bytes(data[max(0, position - SAMPLE // 2) : position + SAMPLE])
    if _is_damaged_utf8(sample):
        line = bytes(data[:position]).count(b"\n") + 1
        raise ValueError(
            f"byte 0x{data[position]:02x} in line {line} is not UTF-8, which the file is written in elsewhere"
        )
    text = sample.decode("cp1252", errors="replace")
    if WESTERN.fullmatch(text) and not FOREIGN.search(text):
        return "cp1252" if re.search(rb"[\x80-\x9f]", sample) else "latin-1"
    return _detect_by_words(sample)


def _is_damaged_utf8(sample: bytes) -> bool:
    """Whether most characters outside ASCII are valid UTF-8, which is improbable in other encodings."""
    characters = [char for char in sample.decode("utf-8", errors="surrogateescape") if not char.isascii()]
    return 2 * sum("\udc80" <= char <= "\udcff" for char in characters) < len(characters)


def _detect_by_words(sample: bytes) -> str:
    best = from_bytes(sample).best() if sum(byte > 127 for byte in sample) >= MIN_CHARACTERS else None
    if best is None or not best.coherence:
        raise ValueError("it is neither UTF-8 nor Latin-1; state its encoding, such as --encoding cp1251")
    return str(best.encoding)
