"""The checkpoints of one run: last, best, and every so many steps."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from nmt.checkpoint import seal
from nmt.checkpoint.errors import missing, unwritten
from nmt.checkpoint.file import Extra, save
from nmt.checkpoint.parameters import Array
from nmt.errors import CheckpointError

log = logging.getLogger(__name__)
STEP = re.compile(r"step-(\d+)\.h5")


class CheckpointStore:
    """A folder of checkpoints. `keep` of the step-N.h5 files stay, the newest."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self.keep = folder, keep
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritten(folder, error) from error
        for left_over in folder.glob(".*.tmp"):
            left_over.unlink(missing_ok=True)

    @property
    def last(self) -> Path:
        return self.folder / "last.h5"

    @property
    def best(self) -> Path:
        return self.folder / "best.h5"

    def save(self, step: int, values: Mapping[str, Array], extras: Mapping[str, Extra], best: bool) -> None:
        """Write last.h5, and under its other names what is due. Raises CheckpointError; the old files then stay."""
        save(self.last, values, extras)
        if best:
            self._also(self.best)
        if self.keep:
            self._also(self.folder / f"step-{step}.h5")
            for path in self.steps()[: -self.keep]:
                path.unlink()

    def steps(self) -> list[Path]:
        """The step-N.h5 files, oldest first."""
        found = [(int(match[1]), path) for path in self.folder.iterdir() if (match := STEP.fullmatch(path.name))]
        return [path for _, path in sorted(found)]

    def _also(self, path: Path) -> None:
        """A second name for the bytes of last.h5: a link where the file system has them, else a copy.

        last.h5 is never changed in place, only replaced, so a link keeps its content.
        """
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            temporary.unlink(missing_ok=True)
            try:
                os.link(self.last, temporary)
            except OSError:
                shutil.copyfile(self.last, temporary)
            os.replace(temporary, path)
        except OSError as error:
            raise unwritten(path, error) from error

    def newest_valid(self) -> Path:
        """last.h5, or where that is broken the newest whole file, which is said. Raises CheckpointError for none."""
        for path in [self.last, *reversed(self.steps()), self.best]:
            try:
                if path.exists() and seal.check(path):
                    if path != self.last:
                        log.warning("%s is missing or broken: going on from %s", self.last, path.name)
                    return path
            except CheckpointError as error:
                log.warning("%s", error)
        raise missing(self.last)
