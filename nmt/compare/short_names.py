"""What checkpoints are called in tables, on pages and as folders: the part of their paths that tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

from nmt.config.commands import MODEL, VOTE

MOST = 48  # letters of a name: fits into a table, and as a folder into any file system
_KEPT = 20  # of a longer one at its beginning; its end says more
_CUT = ".."


def short_names(names: Iterable[str], taken: Collection[str] = ()) -> dict[str, str]:
    """By path. `runs/a/checkpoints/best.h5` is `a-best`, an ensemble of it and of `b.h5` `a-best+b`.

    As many folders stand before a file's name as tell it from the others and from what is `taken`; where no folder
    does, it gets a number.
    """
    whole = list(dict.fromkeys(names))
    found: dict[str, str] = {}
    used = set(taken)
    short = _of_files(dict.fromkeys(part for name in whole for part in name.split(VOTE)), taken)
    for name in whole:
        wanted = own = _cut(VOTE.join(short[part] for part in name.split(VOTE)))
        number = 2
        while own in used:
            own, number = f"{wanted}-{number}", number + 1
        used.add(own)
        found[name] = own
    return found


def _of_files(files: Iterable[str], taken: Collection[str]) -> dict[str, str]:
    depths = dict.fromkeys(files, 0)
    while True:
        found = {file: _with_folders(file, depth) for file, depth in depths.items()}
        times = Counter([*found.values(), *taken])
        alike = [file for file, name in found.items() if times[name] > 1]
        deeper = {file: depths[file] + 1 for file in alike if _with_folders(file, depths[file] + 1) != found[file]}
        if not deeper:
            return found
        depths |= deeper


def _with_folders(file: str, depth: int) -> str:
    """The name of a file, of its run where it is a run's, and of so many folders around that."""
    path = Path(file)
    folders = [part for part in path.parts[:-1] if part not in (path.anchor, ".", "..")]
    own = path.name.removesuffix(MODEL)
    if folders[-1:] == ["checkpoints"]:
        folders, depth = folders[:-1], depth + 1
    parts = [*folders[max(0, len(folders) - depth) :], own if own.strip(".") else path.name]
    return "".join(letter if letter.isprintable() else "_" for letter in "-".join(parts))


def _cut(name: str) -> str:
    return name if len(name) <= MOST else name[:_KEPT] + _CUT + name[_KEPT + len(_CUT) - MOST :]
