"""Fetching a file over HTTP: verified, with a bar, going on where it was cut off."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import os
import urllib.error
import urllib.request
import zlib
from pathlib import Path

from tqdm import tqdm

from nmt.errors import DataError
from nmt.plumbing.files import target_of

PIECE = 1 << 16
TIMEOUT_S = 60


def fetch(url: str, path: Path, sha256: str | None) -> None:
    """Put the content of `url` at `path` unless it is there; `sha256` is that of the text, unpacked where it is gzip.

    None: no digest is known, and the caller looks at the content in another way.

    A partial file (`path` + `.part`) is gone on with where the server can, and begun again where it cannot. Raises
    DataError where the server cannot be reached, does not have the file, cuts it off, or sends another one, and where
    the file cannot be written.
    """
    if path.exists() and (sha256 is None or digest(path) == sha256):
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path = target_of(path)
        part = path.with_name(path.name + ".part")
        _receive(url, part)
    except urllib.error.HTTPError as error:
        error.close()
        raise _failed(url, f"HTTP {error.code} {error.reason}") from error
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise _failed(url, str(getattr(error, "reason", None) or error or type(error).__name__)) from error
    except OSError as error:
        raise DataError(
            f"{path}.part",
            found=error.strerror or type(error).__name__,
            expected="a file to write to",
            next_step="mend that, or name a folder that has the corpus with data.dir",
        ) from error
    if sha256 is not None and (found := digest(part)) != sha256:
        part.unlink()
        raise DataError(
            url,
            found=f"content with SHA-256 {found}",
            expected=sha256,
            next_step="try again; if it comes again, the file was changed at its source",
        )
    os.replace(part, path)


def _failed(url: str, found: str) -> DataError:
    return DataError(
        url,
        found=found,
        expected="the file",
        next_step="try again (what has come so far is kept), or name a folder that has the corpus with data.dir",
    )


def _receive(url: str, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # all of it is there already
            error.close()
            return
        raise
    with answer:
        resumed = str(answer.headers["Content-Range"]).startswith(f"bytes {have}-")
        length = answer.headers["Content-Length"]
        total = int(length) + (have if resumed else 0) if length else None
        with (
            open(part, "ab" if resumed else "wb") as file,
            tqdm(total=total, initial=have if resumed else 0, unit="B", unit_scale=True, desc=part.stem) as bar,
        ):
            while piece := answer.read(PIECE):
                file.write(piece)
                bar.update(len(piece))
    if total is not None and part.stat().st_size < total:
        raise http.client.HTTPException(f"it was cut off after {part.stat().st_size} of {total} bytes")


def digest(path: Path) -> str:
    """SHA-256 of a file's text in hexadecimal; gzip is unpacked first, since its header holds a time."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    sha = hashlib.sha256()
    try:
        with gzip.open(path) if packed else open(path, "rb") as file:
            while piece := file.read(PIECE):
                sha.update(piece)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return "of a broken gzip file"
    return sha.hexdigest()
