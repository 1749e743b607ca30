"""small_parallel_enja: short English and Japanese sentences of the Tanaka corpus, 4 to 16 words, tokenised."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from nmt.config.data import EnjaConfig
from nmt.data.download import digest, fetch
from nmt.data.published import DOWNLOADS, Published
from nmt.data.text import ParallelText
from nmt.errors import DataError
from nmt.plumbing.files import write_bytes
from nmt.plumbing.locks import Lock
from nmt.plumbing.text import read_lines

SOURCE = "https://raw.githubusercontent.com/odashi/small_parallel_enja/bc6f160498e5f97a286ff679173e7f6ba9321d9f"
PARTS = tuple(f".{number:03}" for number in range(5))  # that the repository cuts each side of the training set into
SPLITS = {"train": 50_000, "dev": 500, "test": 500}
# Words of each side as the repository's page has them: a check for the test set, whose digest stands nowhere.
WORDS = {
    "train.en": 391_047,
    "train.ja": 565_618,
    "dev.en": 3_931,
    "dev.ja": 5_668,
    "test.en": 3_998,
    "test.ja": 5_635,
}
SHA256 = {
    "train.en": "148b05dcd28638fe20ee84f2b1127001c80982be352007dda241fb759adadc76",
    "train.ja": "fc81a1434349ec98a449d7ae9cd2530057f689637684ecfed3501ea6a8a07ecc",
    "dev.en": "04a2673449770657fd5e3b963cb856be3130923212b6db8ac7eaeef18f06c041",
    "dev.ja": "cd534f56b8639dc130f86a365e5ec0aa70042000bdd740a622fbbf8b6be4acca",
    "train.en.000": "4dd6b09e59cc03bd78d5e541bf306ab6e5139e2ce2e12d02d093e0cc47cfcf8e",
    "train.en.001": "99db039cb12e4758268f48640902d29ee1c58d883cba69939cc3e2c63d633164",
    "train.en.002": "3aee4a770ea651d4cb30df12c85704d7743118d79c40f7cd341a185bb1017d36",
    "train.en.003": "6dd6ff06bde9daf2201de14a9511881be76f4f09278d39fbdd02513dd0f1fa7f",
    "train.en.004": "34b035922267b7e29b6919261c9583dfa24354a4cbae6890c8e3e5026c162488",
    "train.ja.000": "6090d2bc45563d9d6b2244bf69edeb5cc004dd8aa5ab39469c83574d291ffe15",
    "train.ja.001": "578e6d076882830aae1c09a8134c8126fcc28ec1ab1d078c9e9a609bac9c7870",
    "train.ja.002": "f6cbe72342daf076d218dd1de2804fe4c969e495e0ec6ae9af85b55347e96406",
    "train.ja.003": "d0eba6255389f36864eab89435e6b6d5acb47c05fee92ea64dac28d78689ef7e",
    "train.ja.004": "8e510b88524ed92fa49d8620dbaed5defc1197ff03acb5c724cceadf7a576d61",
}


def read_split(
    config: EnjaConfig, split: str, source: str = SOURCE, downloads: Path = DOWNLOADS / "enja"
) -> ParallelText:
    """train, dev or test, from `data.dir` or else from `downloads`, filled from `source` where something is missing.

    Raises DataError (see `Published.read`), also where the words are not as many as the corpus has.
    """
    corpus = Published("small_parallel_enja", ("en", "ja"), partial(_download, source))
    text = corpus.read(config, split, split, SPLITS[split], downloads)
    for language, lines in ((config.src, text.src), (config.tgt, text.tgt)):
        _check_words(Path(config.dir or downloads) / f"{split}.{language}", lines)
    return text


def _check_words(path: Path, lines: Iterable[str]) -> None:
    """Raises DataError unless the words of the file (SPLIT.LANGUAGE) are as many as the corpus has."""
    expected = WORDS[path.name]
    if (words := sum(len(line.split()) for line in lines)) != expected:
        raise DataError(
            str(path),
            found=f"{words} words",
            expected=f"{expected}, as small_parallel_enja has",
            next_step="take the file from the data set's repository, or use data=files for a corpus of your own",
        )


def _download(source: str, name: str, downloads: Path) -> None:
    """One file, put together where the repository has it in parts, by one process at a time."""
    downloads.mkdir(parents=True, exist_ok=True)
    with Lock(downloads / ".lock", wait=True):
        path = downloads / name
        if name in SHA256 and path.exists() and digest(path) == SHA256[name]:
            return
        if name.startswith("train."):
            _join(source, path)
        elif name in SHA256 or not path.exists():
            fetch(f"{source}/{name}", path, SHA256.get(name))
        if name not in SHA256:
            _keep_if_right(path)


def _join(source: str, path: Path) -> None:
    parts = [path.with_name(path.name + part) for part in PARTS]
    for part in parts:
        fetch(f"{source}/{part.name}", part, SHA256[part.name])
    write_bytes(path, b"".join(part.read_bytes() for part in parts))
    for part in parts:
        part.unlink()


def _keep_if_right(path: Path) -> None:
    """A file without a digest: what else may have come under its name does not stay for the next run."""
    try:
        _check_words(path, read_lines(path))
    except DataError:
        path.unlink()
        raise
