"""What the corpora that others publish have in common: two languages, sets of known sizes, a folder or a download."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nmt.config.data import PublishedConfig
from nmt.data.text import ParallelText, find_side, read_parallel
from nmt.errors import DataError
from nmt.plumbing.text import counted

DOWNLOADS = Path(__file__).resolve().parents[2] / "data"  # a folder of each corpus in it


@dataclass(frozen=True)
class Published:
    """`download(name, folder)` brings the file `name` (STEM.LANGUAGE) into the folder."""

    title: str
    languages: tuple[str, str]
    download: Callable[[str, Path], None]

    def read(self, config: PublishedConfig, split: str, stem: str, num_lines: int, downloads: Path) -> ParallelText:
        """The set named `split`, whose files are STEM.LANGUAGE, from `data.dir` or else from `downloads`.

        Raises DataError for another pair of languages, a missing file, a wrong digest of a download, or a wrong
        number of lines.
        """
        first, second = self.languages
        if {config.src, config.tgt} != {first, second}:
            raise DataError(
                "data.src, data.tgt",
                found=f"{config.src}, {config.tgt}",
                expected=f"{first} and {second}, in either order, with data={config.source}",
                next_step="use data=files for another pair of languages",
            )
        folder = Path(config.dir) if config.dir is not None else downloads
        if config.dir is None:
            for language in self.languages:
                self.download(f"{stem}.{language}", downloads)
        else:
            _check_folder(folder, stem, config)
        text = read_parallel(split, folder / stem, config.src, config.tgt)
        if len(text) != num_lines:
            raise DataError(
                str(folder / stem),
                found=counted(len(text), "line"),
                expected=f"{num_lines}, as {self.title} has",
                next_step="take the file from the data set's repository, or use data=files for a corpus of your own",
            )
        return text


def _check_folder(folder: Path, stem: str, config: PublishedConfig) -> None:
    """Raises DataError unless both sides are in the folder that the user named."""
    try:
        for language in (config.src, config.tgt):
            find_side(folder / stem, language)
    except DataError as error:
        raise DataError(
            f"data.dir={folder}",
            found=error.found if folder.is_dir() else "no such folder",
            expected=f"{stem}.{config.src} and {stem}.{config.tgt}, each plain or with .gz",
            next_step="check the path, or leave data.dir out to download the data set",
        ) from None
