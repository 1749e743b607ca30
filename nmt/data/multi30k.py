"""Multi30k (Elliott, Frank, Sima'an & Specia 2016), English and German."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from nmt.config.data import Multi30kConfig, Variant
from nmt.data.download import fetch
from nmt.data.published import DOWNLOADS, Published
from nmt.data.text import ParallelText
from nmt.plumbing.locks import Lock

# A fixed revision: later ones correct some English training sentences, so their digests differ and their text is not
# the one that papers report on.
SOURCE = "https://raw.githubusercontent.com/multi30k/dataset/97e85b0dfa1ebb401cb68a9fefa2eab90d8d5dfa/data/task1"
SPLITS = {"train": ("train", 29_000), "dev": ("val", 1_014), "test": ("test_2016_flickr", 1_000)}
SHA256 = {  # of the text, unpacked
    "train.en": "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
    "train.de": "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
    "train.lc.norm.tok.en": "08925f8e0572bcd5a006702fc5fe20e2d77c6917d4eebd576fc20de6693c2119",
    "train.lc.norm.tok.de": "cb5a23529b65ec2061f1dc446192a9c37382b63cc75f81a0be59d34894b3a505",
    "val.en": "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
    "val.de": "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
    "val.lc.norm.tok.en": "46573ce391ae227f1c72f873392436a20ef18e0a6d518098cfbd70b77c8572ec",
    "val.lc.norm.tok.de": "97232bd273eceb7207f689527386a97e4be2616b18ada47576bdaf96c8ae1f00",
    "test_2016_flickr.en": "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
    "test_2016_flickr.de": "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
    "test_2016_flickr.lc.norm.tok.en": "5b7f32627cf99eced828311b955dae9800bb52bc8b91cf8b6526829e605b29d2",
    "test_2016_flickr.lc.norm.tok.de": "c6a33d39d48f9f510de147651316cd9d918e09ad0219df734a2f16b6baccacc4",
}


def read_split(
    config: Multi30kConfig, split: str, source: str = SOURCE, downloads: Path = DOWNLOADS / "multi30k"
) -> ParallelText:
    """train, dev or test, from `data.dir` or else from `downloads`, filled from `source` where something is missing.

    Raises DataError (see `Published.read`).
    """
    stem, num_lines = SPLITS[split]
    if config.variant is Variant.tok:
        stem += f".{Variant.tok.value}"
    corpus = Published("Multi30k", ("en", "de"), partial(_download, source))
    return corpus.read(config, split, stem, num_lines, downloads)


def _download(source: str, name: str, downloads: Path) -> None:
    """One file: raw text lies packed in the repository, tokenised text plain."""
    tokenised = Variant.tok.value in name
    place = f"tok/{name}" if tokenised else f"raw/{name}.gz"
    downloads.mkdir(parents=True, exist_ok=True)
    with Lock(downloads / ".lock", wait=True):  # the runs of a sweep begin at once
        fetch(f"{source}/{place}", downloads / Path(place).name, SHA256[name])
