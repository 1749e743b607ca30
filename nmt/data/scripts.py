# N lines, X characters
"""Which script a line is written in, by most of its letters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

NO_SCRIPT = 0  # no letters
# Letters by their blocks of Unicode, in hexadecimal; Han and kana are one, since Japanese mixes them.
_BLOCKS = """
    Latin: 41-5A 61-7A AA-AA BA-BA C0-D6 D8-F6 F8-24F 1E00-1EFF FF21-FF3A FF41-FF5A
    Greek: 370-3FF 1F00-1FFF
    Cyrillic: 400-52F 1C80-1C8F A640-A69F
    Armenian: 531-588
    Hebrew: 591-5F2
    Arabic: 620-64A 66E-6D3 6FA-6FF 750-77F 8A0-8C9 FB50-FDFB FE70-FEFC
    Devanagari: 900-963 971-97F
    Bengali: 980-9E3
    Gurmukhi: A00-A5E
    Gujarati: A80-AE3
    Odia: B00-B63
    Tamil: B80-BD7
    Telugu: C00-C63
    Kannada: C80-CE3
    Malayalam: D00-D63
    Sinhala: D80-DDF
    Thai: E01-E3A E40-E4E
    Lao: E80-EC6
    Tibetan: F40-FBC
    Burmese: 1000-103F 1050-108F
    Georgian: 10A0-10FF 1C90-1CBF
    Ethiopic: 1200-135A
    Khmer: 1780-17D3
    Mongolian: 1820-18AA
    Hangul: 1100-11FF 3130-318F AC00-D7A3
    Han: 3005-3007 3041-30FF 3400-9FFF F900-FAFF FF66-FF9F 20000-323AF
"""
NAMES = ("none", *(line.split(":")[0].strip() for line in _BLOCKS.strip().splitlines()))


def _table() -> npt.NDArray[np.uint8]:
    of_code = np.zeros(0x110000, np.uint8)
    for script, line in enumerate(_BLOCKS.strip().splitlines(), start=1):
        for block in line.split(":")[1].split():
            first, last = (int(end, 16) for end in block.split("-"))
            of_code[first : last + 1] = script
    return of_code


_SCRIPT_OF_CODE = _table()


def scripts_of(lines: Sequence[str]) -> npt.NDArray[np.uint8]:
    """[N], a place in NAMES: the script that most letters of a line belong to."""
    most_N = np.zeros(len(lines), np.int64)
    script_N = np.zeros(len(lines), np.uint8)
    if not lines:
        return script_N
    code_X = np.frombuffer(("\n".join(lines) + "\n").encode("utf-32-le", "surrogatepass"), np.uint32)
    script_X = _SCRIPT_OF_CODE[code_X]
    begins_N = np.cumsum([0, *(len(line) + 1 for line in lines[:-1])])
    for script in np.flatnonzero(np.bincount(script_X)):
        if script != NO_SCRIPT:
            count_N = np.add.reduceat(script_X == script, begins_N, dtype=np.int64)
            more_N = count_N > most_N
            script_N[more_N], most_N[more_N] = script, count_N[more_N]
    return script_N
