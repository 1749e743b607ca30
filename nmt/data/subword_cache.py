"""Learnt subword models by the hash of what they were learnt from, so that each is learnt once on a machine.

An entry is a file named by that hash: the SHA-256 of the model in hexadecimal digits, a line feed, the model.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import sentencepiece

from nmt.plumbing.files import write_bytes

LOG = logging.getLogger(__name__)
FORMAT = "2"  # of what is learnt: raise it when the same lines and settings come to mean another vocabulary


def content_key(settings: Iterable[str], lines: Iterable[str]) -> str:
    """SHA-256 of all that a vocabulary depends on: settings, lines, and the library that learns."""
    digest = hashlib.sha256()
    for part in (FORMAT, sentencepiece.__version__, *settings, "", *lines):
        digest.update(part.encode() + b"\n")
    return digest.hexdigest()


def recall(folder: Path, key: str, learn: Callable[[], bytes]) -> bytes:
    """The model of `key` in `folder`; if there is none, or a broken one, it is learnt and kept there.

    A folder that cannot be written costs a warning: the model is then learnt again next time.
    """
    path = folder / key
    if (kept := _read(path)) is not None:
        return kept
    data = learn()
    try:
        _write(path, data)
    except OSError as error:
        LOG.warning("The subword model was learnt but cannot be kept in %s (%s).", folder, error)
    return data


def _read(path: Path) -> bytes | None:
    """The model in an entry, None if there is no whole one."""
    try:
        digest, _, data = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    except OSError as error:
        LOG.warning("The subword model kept in %s cannot be read (%s); it is learnt anew.", path, error)
        return None
    if hashlib.sha256(data).hexdigest().encode() != digest:
        LOG.warning("The subword model kept in %s is broken; it is learnt anew.", path)
        return None
    return data


def _write(path: Path, data: bytes) -> None:
    """Another process never sees half an entry."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, hashlib.sha256(data).hexdigest().encode() + b"\n" + data)
