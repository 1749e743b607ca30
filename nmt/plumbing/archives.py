"""What reading an `.npz` raises where it is broken, packed in unknown ways, locked, pickled or impossible."""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib

BROKEN_ARRAY = (OSError, ValueError, TypeError, SyntaxError, EOFError, MemoryError, OverflowError, tokenize.TokenError)
BROKEN_NPZ = (
    *BROKEN_ARRAY,
    KeyError,
    RuntimeError,  # locked with a password; NotImplementedError, a way of packing that is not known, is one of its kind
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
)
